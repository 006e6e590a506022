"""Whether the strips of a TIFF hold their pixels to the end.

libtiff passes over what is missing of faxes and of JPEG, and leaves those pixels as they come, and
Pillow passes over whole strips without compression; of the rest libtiff says so itself.
"""

import io
import re
from collections.abc import Iterator
from typing import BinaryIO

from PIL import TiffImagePlugin

from pagewash.documents import jpeg
from pagewash.documents.decoding import decode
from pagewash.documents.tiff import STRIP_TAGS, TILE_TAGS, Directory, TiffAppender, long_tag

_END_OF_BLOCK = re.compile("0{11}11?0{11,}1")  # two ends of lines; ITU-T T.4, 4.1.4; T.6, 2.4.1.1
_TAIL = 16  # bytes, in which it stands
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_ALL_ROWS = 2**32 - 1
_G3, _G4 = 3, 4
_MORE = {  # coded data that makes rows: of G3 each after the end of a line, of G4 like the last one
    _G3: ((b"\x00\x1f" + b"\xff" * 30) * 8, (b"\x00\x1b" + b"\x9b" * 30) * 8),
    _G4: (b"\xff" * 64, bytes(range(1, 65))),
}
_FILL_ORDER, _FAX_OPTIONS = 266, 292


def is_cut_off(image: TiffImagePlugin.TiffImageFile, file: BinaryIO) -> bool:
    """Whether data is missing at the end of a strip or a tile of a page, or such a one itself.

    Args:
        image: turned to the page, which was decoded.
        file: that it is read from.
    """
    match image.info.get("compression"):
        case "jpeg":
            return any(_jpeg_is_cut_off(image, strip) for strip, _ in _strips(image, file))
        case "group3":
            return any(_fax_is_cut_off(image, _G3, *strip) for strip in _strips(image, file))
        case "group4":
            return any(_fax_is_cut_off(image, _G4, *strip) for strip in _strips(image, file))
        case "raw":
            return _lacks_strips(image)
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


def _lacks_strips(image: TiffImagePlugin.TiffImageFile) -> bool:
    """Whether there are fewer strips or tiles than its rows take."""
    tags = image.tag_v2
    planes = tags.get(277, 1) if tags.get(TiffImagePlugin.PLANAR_CONFIGURATION) == 2 else 1
    width, height = tags[256], tags[257]
    if TILE_TAGS[0] in tags:
        needed = -(-width // tags[322]) * -(-height // tags[323])
        return bool(len(tags[TILE_TAGS[0]]) < planes * needed)
    rows = max(1, min(tags.get(278, _ALL_ROWS), height))
    return bool(len(tags.get(STRIP_TAGS[0], ())) < planes * -(-height // rows))


def _fax_is_cut_off(
    image: TiffImagePlugin.TiffImageFile, kind: int, strip: bytes, size: tuple[int, int]
) -> bool:
    """Many a writer leaves the end of block out: where all rows are there, what follows them is
    passed over; where some are missing, it is taken for them.
    """
    if image.tag_v2.get(_FILL_ORDER) == 2:
        strip = strip.translate(_REVERSED)
    last = strip.rstrip(b"\0")[-_TAIL:]
    if _END_OF_BLOCK.search("".join(f"{byte:08b}" for byte in last)):
        return False
    tags = {259: kind, _FAX_OPTIONS: int(image.tag_v2.get(_FAX_OPTIONS, 0))}
    rows = _fax_rows(strip, size, tags)
    return any(_fax_rows(strip + more, size, tags) != rows for more in _MORE[kind])


def _fax_rows(strip: bytes, size: tuple[int, int], tags: dict[int, int]) -> bytes | None:
    width, height = size
    tags = tags | {256: width, 257: height, 258: 1, 262: 0, 277: 1, 278: height}
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
