"""Pixels to PNG, fast: OpenCV's encoder, and the two chunks that it does not write.

Knows no pages and no files. Of the encodings that PNG allows, two are of use here. Cleaned paper is
long runs of white, which unfiltered rows and zlib's run lengths (in colour, where three bytes make
a pixel, its quickest search) pack best and at once; on A4 that took a tenth of the time of zlib's
level 6, and less space. Photographs need a filter first.
"""

import struct
import zlib

import cv2
import numpy as np

from pipeline.errors import OptionError
from pipeline.pages import Pixels

_PAPER_GREY = (
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE),
)
_PAPER_COLOUR = (
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_DEFAULT),
    *(cv2.IMWRITE_PNG_COMPRESSION, 1),
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE),
)
_PICTURE = (
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_PAETH),
)
_SAMPLES = 8
"""Places where a page is tried."""

_SAMPLED = 16
"""The share of its rows that is tried is one in so many."""

_HEAD = 33
"""Bytes of the signature and of the chunk that must come first."""


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
    if pixels.ndim == 3:
        pixels = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), np.uint8)
    paper = _PAPER_GREY if pixels.ndim == 2 else _PAPER_COLOUR
    sample = _sample(pixels)
    best = min(paper, _PICTURE, key=lambda way: len(_encode(sample, way)))
    png = _encode(pixels, best)
    return b"".join((png[:_HEAD], _resolution(dpi), _profile(icc), png[_HEAD:]))


def _encode(pixels: Pixels, way: tuple[int, ...]) -> memoryview:
    try:
        return memoryview(cv2.imencode(".png", pixels, way)[1].data)
    except cv2.error as error:
        height, width = pixels.shape[:2]
        raise OptionError(
            f"a page of {width} x {height} pixels cannot be written as PNG: {error}. "
            "Choose another --format: tiff or pdf."
        ) from error


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
