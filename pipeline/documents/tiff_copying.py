"""A page of a TIFF as its file holds it, for a copy of one that cannot be decoded.

Bytes and tags only. Places elsewhere in the file, as of EXIF data, do not come along.
"""

import struct
from typing import BinaryIO

import numpy as np

from pagewash.documents.tiff import STRIP_TAGS, TILE_TAGS, TYPE_BYTES, Directory, Tag, integers

_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_UNITS = {
    3: 2,
    4: 4,
    5: 4,
    8: 2,
    9: 4,
    10: 4,
    11: 4,
    12: 8,
}  # bytes that an order is about, by type
_PLACES = {34665, 34853, 40965}  # of further directories: EXIF, GPS
_SUBFILE_TYPE, _REDUCED, _SUBIFDS = 254, 1, 330
_BITS, _OLD_JPEG = 258, 513


def copy_page(file: BinaryIO, index: int) -> Directory | None:
    """A page with all of its bytes that are there.

    Args:
        file: a TIFF; seekable.
        index: of the page, from 0.

    Returns:
        The page in the order of bytes that `TiffAppender` writes. None where it cannot be had so:
        BigTIFF, samples of 16 bits in the other order, a JPEG whose parts lie apart, a thumbnail
        whose scan lies elsewhere, a directory that makes no sense.
    """
    reader = _Reader(file)
    try:
        tags = reader.directory(index)
        elsewhere = tags.pop(_SUBIFDS, None)  # thumbnails, but of a thumbnail
        is_reduced = integers(tags.get(_SUBFILE_TYPE, (3, 1, b"\0\0")))[0] & _REDUCED
        bits = max(integers(tags.get(_BITS, (3, 1, b"\1\0"))))
        if _OLD_JPEG in tags or (elsewhere and is_reduced) or (bits > 8 and reader.order == ">"):
            return None
        tiled = TILE_TAGS[0] in tags
        places, counts = (integers(tags.pop(tag)) for tag in (TILE_TAGS if tiled else STRIP_TAGS))
    except (KeyError, ValueError, OverflowError, struct.error):
        return None
    if sum(counts) > reader.size:  # the same bytes many times
        return None
    strips = [reader.read(*where) for where in zip(places, counts, strict=False)]
    return Directory(tags, strips, tiled)


class _Reader:
    """Directories of a TIFF in either order of bytes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = file.seek(0, 2)
        """Bytes of the file."""

    def read(self, place: int, count: int) -> bytes:
        """So many bytes, or as many as there are."""
        self._file.seek(place)
        return self._file.read(count)

    def directory(self, index: int) -> dict[int, Tag]:
        """The tags of a page.

        Raises:
            KeyError, ValueError, struct.error: they make no sense.
        """
        head = self.read(0, 8)
        self.order = _ORDERS[head[:4]]
        """Of the bytes, as `struct` has it."""
        place = self._integer(head[4:])
        for _ in range(index):
            place = self._integer(self.read(place + 2 + 12 * self._count(place), 4))
        tags: dict[int, Tag] = {}
        taken = 0
        for entry in range(self._count(place)):
            tag, kind, number, value = self._entry(self.read(place + 2 + 12 * entry, 12))
            taken += len(value)
            if taken > self.size:
                raise ValueError(f"tags of {taken} bytes")  # the same bytes many times
            if tag == _SUBIFDS or (kind in TYPE_BYTES and tag not in _PLACES):
                tags[tag] = (kind, number, value)
        return tags

    def _count(self, place: int) -> int:
        (count,) = struct.unpack(f"{self.order}H", self.read(place, 2))
        return int(count)

    def _entry(self, entry: bytes) -> tuple[int, int, int, bytes]:
        tag, kind, number = struct.unpack(f"{self.order}HHI", entry[:8])
        size = number * TYPE_BYTES.get(kind, 0)
        if size > self.size:
            raise ValueError(f"a tag of {size} bytes")
        value = entry[8 : 8 + size] if size <= 4 else self.read(self._integer(entry[8:]), size)
        unit = f"u{_UNITS.get(kind, 1)}"
        return (
            tag,
            kind,
            number,
            np.frombuffer(value, self.order + unit).astype(f"<{unit}").tobytes(),
        )

    def _integer(self, data: bytes) -> int:
        (value,) = struct.unpack(f"{self.order}I", data)
        return int(value)
