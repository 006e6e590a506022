"""One bit in JBIG2, lossless, by the program `jbig2` of jbig2enc where it is installed.

Nothing is shared between pages, and no letter is replaced by one like it: that mode can exchange
digits, and is never asked for. Of JBIG2 that others made, this tells whether it is all there.
"""

import logging
import shutil
import struct
import subprocess

from PIL import Image

from pagewash.leftovers import working_folder

log = logging.getLogger(__name__)

LONGEST = 60.0
"""Seconds that the program may take for a page."""

_PAGE_INFORMATION = struct.Struct(">IBBBIII")
"""The first segment of a page: number, type, references, page, length, then width and height."""

_KINDS = {0, 4, 6, 7, 16, 20, 22, 23, 36, 38, 39, 40, 42, 43, 48, 49, 50, 51, 52, 53, 62}
"""Of segments (ITU-T T.88, 7.3); what begins with none of them is no segment."""

_SHORTEST_HEADER = 11
"""Bytes; fewer at the end fill it up."""

_UNTOLD = 0xFFFFFFFF
"""The length of a segment that does not say it."""


def encode_jbig2(image: Image.Image) -> bytes | None:
    """A page as a PDF stores it under /JBIG2Decode; None where the program is not there or fails.

    Args:
        image: of mode "1".
    """
    program = shutil.which("jbig2")
    if program is None:
        return None
    try:
        with working_folder() as folder:
            file = folder / "page.png"
            image.save(file, compress_level=1)
            asked = [program, "--pdf", str(file)]
            done = subprocess.run(asked, capture_output=True, check=True, timeout=LONGEST)
    except (OSError, subprocess.SubprocessError) as error:
        log.debug("%s did not encode a page: %s", program, error)
        return None
    return done.stdout if _is_of_size(done.stdout, image.size) else None


def _is_of_size(data: bytes, size: tuple[int, int]) -> bool:
    """Whether data begin as a page of that size does: another program may have that name."""
    if len(data) < _PAGE_INFORMATION.size:
        return False
    *_, width, height = _PAGE_INFORMATION.unpack_from(data)
    return data[4] & 0x3F == 48 and (width, height) == size


def is_cut_off(data: bytes) -> bool:
    """Whether a segment of data under /JBIG2Decode has fewer bytes than it says.

    Source: ITU-T T.88, 7.2, the header of a segment.
    """
    place = 0
    while place + _SHORTEST_HEADER <= len(data) and data[place + 4] & 0x3F in _KINDS:
        number, kind, references = struct.unpack_from(">IBB", data, place)
        count, place = references >> 5, place + 6
        if count == 7:  # more than four, counted by four bytes, and a bit for each
            count = int.from_bytes(data[place - 1 : place + 3], "big") & 0x1FFFFFFF
            place += 3 + (count + 8) // 8
        place += count * (1 if number <= 256 else 2 if number <= 65536 else 4)
        place += 4 if kind & 0x40 else 1  # the page it belongs to
        length = int.from_bytes(data[place : place + 4], "big")
        if length == _UNTOLD:
            return False
        place += 4 + length
    return place > len(data)
