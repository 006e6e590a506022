"""What the markers of a JPEG tell: how it is coded, and whether it has its end.

ITU-T T.81, annex B: a JPEG is segments, each begun by a marker, and coded data between them.
"""

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image, JpegImagePlugin

_END = b"\xff\xd9"
_SCAN = 0xDA
_TABLES = 0xDB
_ARITHMETIC = {0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
_PROGRESSIVE = 0xC2
_ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a segment
_COEFFICIENTS = 64
NOTHING = {127, 128}
"""Levels of which a decoder makes what never came, in all channels."""

_MORE = bytes(range(1, 65))  # coded data that nobody has asked for


def is_arithmetic(jpeg: bytes) -> bool:
    """Whether a JPEG is coded arithmetically, which many programs do not read."""
    is_jpeg = jpeg.startswith(b"\xff\xd8")
    return is_jpeg and any(marker in _ARITHMETIC for marker, _ in _segments(jpeg))


def with_end(jpeg: bytes) -> bytes | None:
    """A JPEG that lacks its end marker, with one; None where it has one, or lacks more.

    Where all pixels are there, coded data that follows them is passed over; where some are
    missing, it is taken for them.
    """
    markers = list(_segments(jpeg))
    if not markers or 0xD9 in dict(markers) or not _has_all_scans(markers):
        return None
    jpeg = jpeg.removesuffix(b"\xff")
    try:
        seen = [_decode(jpeg + more + _END) for more in (b"", _MORE)]
    except (OSError, ValueError, SyntaxError):
        return None
    return jpeg + _END if np.array_equal(seen[0], seen[1]) else None


def is_cut_off(jpeg: bytes) -> bool:
    """Whether a JPEG ends before all of its pixels have come."""
    if not jpeg.startswith(b"\xff\xd8") or jpeg.rstrip(b"\0").endswith(_END):
        return False
    if _END[1] in dict(_segments(jpeg)):
        return False
    return with_end(jpeg) is None


def ends_early(jpeg: bytes) -> bool:
    """Whether the end marker of a JPEG comes before all of its pixels: then coded data that is put
    before it is taken for them.
    """
    end = next((place for marker, place, _ in _markers(jpeg) if marker == _END[1]), None)
    if end is None:
        return False
    try:
        seen = [_decode(jpeg[:end] + more + _END) for more in (b"", _MORE)]
    except (OSError, ValueError, SyntaxError):
        return False
    return not np.array_equal(seen[0], seen[1])


def _segments(jpeg: bytes) -> Iterator[tuple[int, bytes]]:
    """Each marker with its segment, and coded data passed over."""
    return ((marker, segment) for marker, _, segment in _markers(jpeg))


def _markers(jpeg: bytes) -> Iterator[tuple[int, int, bytes]]:
    """The same, with the place of each."""
    place = 2
    while (place := jpeg.find(b"\xff", place)) >= 0 and place + 1 < len(jpeg):
        marker = jpeg[place + 1]
        if marker in (0x00, 0xFF):  # data, or filling
            place += 2 if marker == 0x00 else 1
            continue
        length = 0 if marker in _ALONE or marker == _END[1] else _length(jpeg, place + 2)
        yield marker, place, jpeg[place + 4 : place + 2 + length]
        if marker == _END[1]:
            return
        place += 2 + length


def _length(jpeg: bytes, place: int) -> int:
    return int.from_bytes(jpeg[place : place + 2], "big")


def _has_all_scans(markers: list[tuple[int, bytes]]) -> bool:
    """Whether a progressive JPEG has its coefficients to their last bit."""
    if not any(marker == _PROGRESSIVE for marker, _ in markers):
        return any(marker == _SCAN for marker, _ in markers)
    frame = next(segment for marker, segment in markers if marker == _PROGRESSIVE)
    missing = {(component, k) for component in frame[6::3] for k in range(_COEFFICIENTS)}
    for marker, segment in markers:
        if marker == _SCAN and segment:
            count = segment[0]
            first, last, bits = segment[1 + 2 * count : 4 + 2 * count]
            if bits & 15 == 0:
                done = segment[1 : 1 + 2 * count : 2]
                missing -= {(one, k) for one in done for k in range(first, last + 1)}
    return not missing


def _decode(jpeg: bytes) -> np.ndarray:
    image: Image.Image = JpegImagePlugin.JpegImageFile(io.BytesIO(jpeg))
    return np.array(image)


def quantisation_table(tables: bytes) -> list[int]:
    """The steps of luminance in the tables of a JPEG, as a TIFF has them apart; [] if none."""
    for marker, segment in _segments(tables):
        if marker == _TABLES and len(segment) > 1:
            wide = segment[0] >> 4  # steps of 16 bits
            steps = segment[1 : 1 + (2 if wide else 1) * _COEFFICIENTS]
            return list(np.frombuffer(steps, ">u2" if wide else "u1").astype(int))
    return []
