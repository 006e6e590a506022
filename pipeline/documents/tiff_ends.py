"""Whether the strips of a TIFF hold their pixels to the end.

libtiff passes over what is missing of G4 and of JPEG, and leaves those pixels as they come; of
the other compressions it says so itself.
"""

import io
from collections.abc import Iterator
from typing import BinaryIO

from PIL import TiffImagePlugin

from pagewash.documents import jpeg
from pagewash.documents.decoding import decode
from pagewash.documents.tiff import STRIP_TAGS, TILE_TAGS, Directory, TiffAppender, long_tag

_END_OF_BLOCK = 0x001001  # 24 bits; ITU-T T.6, 2.4.1.1
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_ALL_ROWS = 2**32 - 1
_MORE = (b"\xff" * 64, bytes(range(1, 65)))  # rows like the last one, and any rows


def is_cut_off(image: TiffImagePlugin.TiffImageFile, file: BinaryIO) -> bool:
    """Whether data is missing at the end of a strip or a tile of a page in G4 or JPEG.

    Args:
        image: turned to the page, which was decoded.
        file: that it is read from.
    """
    match image.info.get("compression"):
        case "jpeg":
            return any(_jpeg_is_cut_off(image, strip) for strip, _ in _strips(image, file))
        case "group4":
            return any(_g4_is_cut_off(image, *strip) for strip in _strips(image, file))
    return False


def _strips(
    image: TiffImagePlugin.TiffImageFile, file: BinaryIO
) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """The bytes of each strip or tile that has some, and how many pixels it is wide and high."""
    tags = image.tag_v2
    is_tiled = TILE_TAGS[0] in tags
    places, counts = (tags.get(tag, ()) for tag in (TILE_TAGS if is_tiled else STRIP_TAGS))
    width, height = tags[256], tags[257]
    rows = tags[323] if is_tiled else min(tags.get(278, _ALL_ROWS), height)
    for number, (place, count) in enumerate(zip(places, counts, strict=False)):
        if count:
            file.seek(place)
            left = rows if is_tiled else max(1, min(rows, height - number * rows))
            yield file.read(count), (tags[322] if is_tiled else width, left)


def _jpeg_is_cut_off(image: TiffImagePlugin.TiffImageFile, strip: bytes) -> bool:
    tables = image.tag_v2.get(TiffImagePlugin.JPEGTABLES, b"")
    return jpeg.is_cut_off(tables[:-2] + strip[2:] if tables else strip)


def _g4_is_cut_off(
    image: TiffImagePlugin.TiffImageFile, strip: bytes, size: tuple[int, int]
) -> bool:
    """Many a writer leaves the end of block out: where all rows are there, what follows them is
    passed over; where some are missing, it is taken for them.
    """
    if image.tag_v2.get(TiffImagePlugin.FILLORDER) == 2:
        strip = strip.translate(_REVERSED)
    last = int.from_bytes(strip.rstrip(b"\0")[-8:], "big")
    if any((last >> shift) & 0xFFFFFF == _END_OF_BLOCK for shift in range(41)):
        return False
    rows = _g4_rows(strip, size)
    return any(_g4_rows(strip + more, size) != rows for more in _MORE)


def _g4_rows(strip: bytes, size: tuple[int, int]) -> bytes | None:
    width, height = size
    tags = {256: width, 257: height, 258: 1, 259: 4, 262: 0, 277: 1, 278: height}
    file = io.BytesIO()
    TiffAppender(file).append(
        Directory({tag: long_tag(value) for tag, value in tags.items()}, [strip])
    )
    file.seek(0)
    image = TiffImagePlugin.TiffImageFile(file)
    try:
        decode(image)
    except OSError:
        return None
    return image.tobytes()
