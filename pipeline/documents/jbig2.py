"""One bit in JBIG2, lossless, by the program `jbig2` of jbig2enc where it is installed.

Nothing is shared between pages, and no letter is replaced by one like it: that mode can exchange
digits, and is never asked for.
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
