"""Pixels to PNG, fast; and whether a PNG of others holds all of its rows.

Knows no pages and no files. Of the encodings that PNG allows, two are of use here. Cleaned paper is
long runs of white, which unfiltered rows pack best. ISA-L packs them in a fifth of the time that
zlib takes in its quickest way, and in 2 to 7 % more space. Photographs need a filter first, which
OpenCV's encoder has.
"""

import struct
import zlib
from collections.abc import Callable

import cv2
import numpy as np
from isal import isal_zlib

from pagewash.errors import OptionError
from pagewash.pages import Pixels

_FILTERED = (
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_PAETH),
)
_SAMPLES = 8
"""Places where a page is tried."""

_SAMPLED = 16
"""The share of its rows that is tried is one in so many."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"

_HEAD = 33
"""Bytes of the signature and of the chunk that must come first."""

_GREY, _RGB = 0, 2
"""Types of colour, in that chunk."""

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""By the type of colour."""

_ALL = ((0, 0, 1, 1),)
_ADAM7 = (
    *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)),
    *((0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)),
)
"""Of each pass over an image: its first column and row, and one in how many it has."""

_PIECE = 1 << 16
"""Bytes that are unpacked at once."""

_LONGEST = 2**31 - 1
"""Bytes of a chunk."""


def encode_pixels(
    pixels: Pixels, dpi: tuple[float, float] | None = None, icc: bytes | None = None
) -> bytes:
    """Encode a page, one of whose rows in sixteen were tried both ways to see which is smaller.

    Args:
        pixels: (H, W) grey or (H, W, 3) RGB, uint8.
        dpi: pixels per inch, horizontal and vertical; None says nothing.
        icc: colour profile that fits the pixels; None says nothing.

    Returns:
        A whole PNG.

    Raises:
        OptionError: PNG cannot hold it.
    """
    sample = _sample(pixels)
    encode = min(_paper, _picture, key=lambda encode: len(encode(sample)))
    png = memoryview(encode(pixels))
    return b"".join((png[:_HEAD], _resolution(dpi), _profile(icc), png[_HEAD:]))


def encode_tightly(
    pixels: Pixels, dpi: tuple[float, float] | None = None, icc: bytes | None = None
) -> bytes:
    """Encode unfiltered rows as small as zlib can, in many times the time; see `encode_pixels`.

    Drawings and screenshots that others packed with care would grow otherwise.
    """
    png = memoryview(_paper(pixels, lambda rows: zlib.compress(rows.data, 9)))
    return b"".join((png[:_HEAD], _resolution(dpi), _profile(icc), png[_HEAD:]))


def _paper(
    pixels: Pixels, compress: Callable[[Pixels], bytes] = lambda rows: isal_zlib.compress(rows, 1)
) -> bytes:
    """A PNG of unfiltered rows."""
    height, width = pixels.shape[:2]
    # each begins with the number of its filter, which is none
    rows = np.pad(pixels.reshape(height, -1), ((0, 0), (1, 0)))
    colour = _GREY if pixels.ndim == 2 else _RGB
    packed = compress(rows)
    if len(packed) > _LONGEST:
        raise _too_large(pixels, "it takes more than 2 GiB")
    head = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    chunks = _chunk(b"IHDR", head), _chunk(b"IDAT", packed), _chunk(b"IEND", b"")
    return b"".join((_SIGNATURE, *chunks))


def _picture(pixels: Pixels) -> bytes:
    """A PNG of filtered rows."""
    if pixels.ndim == 3:
        pixels = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), np.uint8)
    try:
        return cv2.imencode(".png", pixels, _FILTERED)[1].tobytes()
    except cv2.error as error:
        raise _too_large(pixels, str(error)) from error


def _too_large(pixels: Pixels, why: str) -> OptionError:
    height, width = pixels.shape[:2]
    return OptionError(
        f"a page of {width} x {height} pixels cannot be written as PNG: {why}. "
        "Choose another --format: tiff or pdf."
    )


def _sample(pixels: Pixels) -> Pixels:
    """Some rows of a page, from all over it."""
    height = pixels.shape[0]
    rows = max(1, height // (_SAMPLES * _SAMPLED))
    tops = np.linspace(0, height - rows, _SAMPLES, dtype=int)
    return np.concatenate([pixels[top : top + rows] for top in tops])


def _resolution(dpi: tuple[float, float] | None) -> bytes:
    """A pHYs chunk: pixels per metre."""
    if dpi is None:
        return b""
    across, down = (int(value / 0.0254 + 0.5) for value in dpi)
    return _chunk(b"pHYs", struct.pack(">IIB", across, down, 1))


def _profile(icc: bytes | None) -> bytes:
    """An iCCP chunk: a name, and the profile compressed."""
    if icc is None:
        return b""
    return _chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(icc))


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(content, zlib.crc32(kind))
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)


def lacks_rows(png: bytes) -> bool:
    """Whether the data of a PNG ends, as if it were whole, before all of its rows have come."""
    width, height, bits, colour, _, _, interlaced = struct.unpack_from(">IIBBBBB", png, 16)
    needed = 0
    for left, top, across, down in _ADAM7 if interlaced else _ALL:
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0:  # else a pass has no rows either
            needed += max(0, rows) * (1 + -(-columns * bits * _CHANNELS[colour] // 8))
    inflater, count, place = zlib.decompressobj(), 0, len(_SIGNATURE)
    while place + 8 <= len(png) and count < needed:
        size, kind = struct.unpack_from(">I4s", png, place)
        packed = png[place + 8 : place + 8 + size] if kind == b"IDAT" else b""
        while packed and count < needed:
            count += len(inflater.decompress(packed, _PIECE))
            packed = inflater.unconsumed_tail
        place += 12 + size
    return bool(count < needed)
