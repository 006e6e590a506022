"""TIFF directories: the strips of one encoded image, and many images in one file.

Bytes and tags only. Pillow encodes each page as a TIFF of its own; here they are strung together
one after the other, which Pillow itself can only do by walking through all earlier pages again.
"""

import struct
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from pagewash.errors import OptionError

# Adobe, TIFF 6.0: section 2 for the layout and the types, section 8 for the tags
TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
"""Of a value of a tag, by its type."""

_SHORT, _LONG, _RATIONAL, _UNDEFINED = 3, 4, 5, 7
_JPEG, _INCHES = 7, 2
_GREY, _YCBCR = 1, 6  # photometric interpretation
_PALETTE = 3
STRIP_TAGS, TILE_TAGS = (273, 279), (324, 325)
"""Where the strips or tiles of an image lie, and how many bytes each has."""

_HEADER = b"II*\0"
_LARGEST = 2**32 - 1  # offsets have 32 bits


Tag = tuple[int, int, bytes]
"""Type, count and value."""


@dataclass(frozen=True)
class Directory:
    """One encoded image of a TIFF."""

    tags: dict[int, Tag]
    """All but for those that say where the strips lie."""

    strips: list[bytes]
    """The encoded pixels, top to bottom."""

    tiled: bool = False
    """Whether they are tiles."""

    @property
    def size(self) -> int:
        """Bytes of the encoded pixels."""
        return sum(map(len, self.strips))


def read_directory(tiff: bytes) -> Directory:
    """The first image of a little-endian TIFF in strips, as Pillow writes it."""
    (place,) = struct.unpack_from("<I", tiff, 4)
    (count,) = struct.unpack_from("<H", tiff, place)
    tags = {}
    for entry in range(place + 2, place + 2 + 12 * count, 12):
        tag, kind, number = struct.unpack_from("<HHI", tiff, entry)
        size = number * TYPE_BYTES[kind]
        start = entry + 8 if size <= 4 else struct.unpack_from("<I", tiff, entry + 8)[0]
        tags[tag] = (kind, number, tiff[start : start + size])
    offsets, sizes = (integers(tags.pop(tag)) for tag in STRIP_TAGS)
    strips = [tiff[start : start + size] for start, size in zip(offsets, sizes, strict=True)]
    return Directory(tags, strips)


def jpeg_directory(
    jpeg: bytes,
    shape: tuple[int, ...],
    dpi: tuple[float, float] | None,
    icc: bytes | None,
    *,
    subsampling: int = 2,
) -> Directory:
    """A whole JPEG as the only strip of an image (TIFF Technical Note 2).

    Args:
        jpeg: baseline; grey, or YCbCr.
        shape: (H, W) or (H, W, 3), of its pixels.
        dpi: pixels per inch, horizontal and vertical.
        icc: profile that fits its pixels.
        subsampling: of its colours, as in `Stored.subsampling`.
    """
    height, width = shape[:2]
    channels = 1 if len(shape) == 2 else 3
    tags = {
        256: _value(_LONG, width),
        257: _value(_LONG, height),
        258: _value(_SHORT, *[8] * channels),
        259: _value(_SHORT, _JPEG),
        262: _value(_SHORT, _GREY if channels == 1 else _YCBCR),
        277: _value(_SHORT, channels),
        278: _value(_LONG, height),
    }
    if channels == 3:
        tags[530] = _value(_SHORT, *[(1, 1), (2, 1), (2, 2)][subsampling])
    if dpi is not None:
        for tag, value in zip((282, 283), dpi, strict=True):
            tags[tag] = (_RATIONAL, 1, struct.pack("<II", round(value * 100), 100))
        tags[296] = _value(_SHORT, _INCHES)
    if icc is not None:
        tags[34675] = (_UNDEFINED, len(icc), icc)
    return Directory(tags, [jpeg])


def palette_tags(width: int, bits: int, colours: NDArray[np.uint8]) -> dict[int, Tag]:
    """What says that the rows of an image are places in a palette.

    Args:
        width: pixels of a row, which has fewer bytes below 8 bits.
        bits: for each pixel.
        colours: (N, 3) RGB, N at most 2 ** bits.
    """
    table = np.zeros((1 << bits, 3), np.uint16)
    table[: len(colours)] = colours.astype(np.uint16) * 257
    return {
        256: _value(_LONG, width),
        258: _value(_SHORT, bits),
        262: _value(_SHORT, _PALETTE),
        320: _value(_SHORT, *table.T.ravel().tolist()),
    }


def _value(kind: int, *numbers: int) -> Tag:
    return (
        kind,
        len(numbers),
        struct.pack(f"<{len(numbers)}{'I' if kind == _LONG else 'H'}", *numbers),
    )


def long_tag(number: int) -> Tag:
    """The value of a tag that is one number."""
    return _value(_LONG, number)


def integers(value: Tag) -> tuple[int, ...]:
    """The numbers of a tag of type short or long."""
    kind, number, data = value
    return struct.unpack(f"<{number}{'I' if kind == _LONG else 'H'}", data)


THUMBNAIL = {254: _value(_LONG, 1)}
"""What says that an image is a smaller copy of another one in the file."""


class TiffAppender:
    """A TIFF that grows by one image at a time, whatever its length."""

    def __init__(self, file: BinaryIO) -> None:
        """Begin a file.

        Args:
            file: empty, seekable, binary.
        """
        self._file = file
        self._file.write(_HEADER + bytes(4))
        self._link = 4  # where the place of the next directory has to be written

    def append(self, directory: Directory) -> None:
        """Add an image.

        Raises:
            OptionError: the file would pass 4 GiB, where TIFF ends.
        """
        offsets = [self._put(strip) for strip in directory.strips]
        sizes = [len(strip) for strip in directory.strips]
        tags = dict(directory.tags)
        where = TILE_TAGS if directory.tiled else STRIP_TAGS
        for tag, numbers in zip(where, (offsets, sizes), strict=True):
            tags[tag] = (_LONG, len(numbers), struct.pack(f"<{len(numbers)}I", *numbers))
        entries = b"".join(self._entry(tag, *tags[tag]) for tag in sorted(tags))
        place = self._put(struct.pack("<H", len(tags)) + entries + bytes(4))
        self._file.seek(self._link)
        self._file.write(struct.pack("<I", place))
        self._link = place + 2 + len(entries)

    def _entry(self, tag: int, kind: int, number: int, value: bytes) -> bytes:
        if len(value) > 4:
            value = struct.pack("<I", self._put(value))
        return struct.pack("<HHI", tag, kind, number) + value.ljust(4, b"\0")

    def _put(self, data: bytes) -> int:
        """Write data at the end, on an even place; return the place."""
        place = self._file.seek(0, 2)
        if place + len(data) > _LARGEST:
            raise OptionError("a TIFF ends at 4 GiB, and its pages take more; choose --format pdf")
        padding = place % 2
        self._file.write(bytes(padding) + data)
        return place + padding
