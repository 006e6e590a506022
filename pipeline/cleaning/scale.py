"""At what size a network should see a page, and the page at that size.

A network knows text of a range of heights. Resolution tells how tall ordinary text is on a page;
where it is missing or wrong, the letters themselves are measured. Scales are powers of two, so
that tiles and pixels of one size fall exactly on those of the other. In doubt a page stays as it
is. Knows no network and no tiles.
"""

import math
from operator import itemgetter

import cv2
import numpy as np
from numpy.typing import NDArray

from pagewash.blocks import block_means, fill_blocks
from pagewash.measuring.strokes import components
from pagewash.pages import Pixels

X_HEIGHT_INCHES = 4.5 / 72
"""Of ordinary text, 10 points: at 300 dpi that is 19 px."""

SOFTWARE_DEFAULTS = (72.0, 96.0)
"""Resolutions that programs write where they know none."""

SMALLEST, LARGEST = 0.25, 4.0
"""Scales go no further."""

LARGE = 12_000_000
"""Pixels from which on a page of unknown resolution is reduced just to save work, as one of 600 dpi
is. A smaller one costs little, and thin strokes of tall letters, as on receipts, would suffer."""

SMALL = 1_000_000
"""Pixels below which a page is not smoothed before letters are looked for: those of small print
would run together. They come out a little smaller than on other pages, so that letters of 16 px are
shown at twice their size, which halves errors on NoisyOffice's training pages."""

MOST_WITHOUT_LETTERS = 2.0
"""Scale of a page of low resolution that no letters are found on: more is work for nothing."""

TINY = 4.0
"""Inches of the longer side of a page below which its resolution is not believed before letters
are measured: a page at 72 dpi that says 300 is one of 2 x 2.7 inches."""

SHORTEST = 8
"""Rows and columns, at the least, of a page that letters are looked for on."""

MOST_PIXELS = 32_000_000
"""A page is not enlarged beyond this: what is large already has no need of it."""


def choose_scale(
    grey: Pixels, dpi: tuple[float, float] | None, text_heights: tuple[float, float]
) -> float:
    """Say by which factor to resample a page for a network.

    Args:
        grey: (H, W) page, 0 is black.
        dpi: horizontal and vertical resolution as the file states it; None where it doesn't.
        text_heights: smallest and largest x-height in pixels that the network knows.

    Returns:
        A power of two from 0.25 to 4; 1.0 where nothing speaks for another.
    """
    stated = _stated_height(grey.shape, dpi)
    aim = text_heights
    if stated is not None or grey.size > LARGE:  # worth reducing, with a fifth to spare
        aim = text_heights[0], min(text_heights[1], 2 * 1.2 * text_heights[0])
    if stated is not None and _scale_for(stated, aim) == 1 and not _is_tiny(grey.shape, dpi):
        return 1.0
    measured = measure_text_height(grey)
    height = measured if measured is not None else stated
    if measured is not None and stated is not None:
        seen = measured * _scale_for(stated, aim)
        if _agree(measured, stated) and 0.8 * text_heights[0] <= seen <= text_heights[1]:
            height = stated  # so that all pages of a document are treated alike
    if height is None:
        return 1.0
    most = LARGEST if measured is not None else MOST_WITHOUT_LETTERS
    return min(_scale_for(height, aim), _largest_scale(grey.size), most)


def measure_text_height(grey: Pixels) -> float | None:
    """Measure how tall most letters are, between the x-height and the height of capitals.

    Letters are connected ink of a letter's proportions; the height that holds most of their ink
    counts, so that specks do not. Letters of one line are as tall as each other, and not as wide;
    where it is the widths that agree better, lines run up and down the page, and a page that lies
    on its side has the text height of one that stands. Measured at half the size on pages of more
    than 3 Mpx, which takes some 10 ms. The middle of a very large page tells, unless it has too few
    letters.

    Returns:
        Pixels; None where letters are few, only a small part of the ink (handwriting, pictures),
        or lost among specks.
    """
    if min(grey.shape) < SHORTEST:
        return None
    small, large = grey.size < SMALL, grey.size > LARGE
    factor = 0.5 if grey.size > 3e6 else 1.0
    rows, columns = (slice(length // 4, length - length // 4) for length in grey.shape)
    height = _text_height(grey[rows, columns], factor, small) if large else None
    return height if height is not None else _text_height(grey, factor, small)


def _text_height(grey: Pixels, factor: float, small: bool) -> float | None:
    """Measure letters on a page, or on a part of it, at half its size or as it is."""
    grey = resample(grey, factor)
    soft = grey if small else cv2.GaussianBlur(grey, (3, 3), 0)
    reach = 17 if small else 41
    around = cv2.blur(soft, (reach, reach), borderType=cv2.BORDER_REPLICATE)
    ink = cv2.threshold(cv2.subtract(around, soft), 17, 255, cv2.THRESH_BINARY)[1]
    stats = components(ink).stats[1:].astype(np.float32)
    width, height, area = stats[:, 2], stats[:, 3], stats[:, 4]
    filled = area / np.maximum(width * height, 1)
    longer, shorter = np.maximum(width, height), np.minimum(width, height)
    letters = (
        (shorter > 0.25 * longer) & (longer >= 4) & (longer <= 120)
        & (filled > 0.15) & (filled < 0.85)
    )  # fmt: skip
    if not letters.any():
        return None
    found_in = ((*_most_common(size[letters], area[letters]), size) for size in (height, width))
    _, typical, size = max(found_in, key=itemgetter(0))
    alike = letters & (size > typical / 1.4) & (size < typical * 1.4)
    specks = size <= typical / 1.4
    known = area[alike].sum()
    if alike.sum() < 50 or known < 0.2 * area.sum() or known < area[specks].sum():
        return None
    return typical / factor


def _most_common(sizes: NDArray[np.float32], ink: NDArray[np.float32]) -> tuple[float, float]:
    """Of sizes weighted by their ink: how much has about the commonest size, and that size."""
    octave = 8  # bins per doubling
    bins = np.round(np.log2(sizes) * octave).astype(np.intp)
    counts = np.convolve(np.bincount(bins, ink), [1, 2, 3, 2, 1])[2:-2]
    return float(counts.max()), float(2 ** (counts.argmax() / octave))


def resample(grey: Pixels, scale: float) -> Pixels:
    """Return a page at a scale of `choose_scale`.

    Args:
        grey: (H, W), 0 is black; or (H, W, 3), whose channels are resampled one by one.
        scale: a power of two.

    Returns:
        (H * scale, W * scale), each rounded up: the last row and column are repeated to fill a
        block, whose mean is taken. The page itself at scale 1.
    """
    if scale == 1:
        return grey
    if grey.ndim == 3:
        return np.dstack([resample(grey[..., c], scale) for c in range(grey.shape[2])])
    if scale > 1:
        height, width = (math.ceil(length * scale) for length in grey.shape)
        return _pixels(cv2.resize(grey, (width, height), interpolation=cv2.INTER_CUBIC))
    block = round(1 / scale)
    return block_means(fill_blocks(grey, block), block)


def _stated_height(shape: tuple[int, ...], dpi: tuple[float, float] | None) -> float | None:
    """X-height of ordinary text at the stated resolution; None if that cannot be trusted."""
    if dpi is None or not all(60 <= value <= 2400 for value in dpi):
        return None
    if dpi[0] == dpi[1] and dpi[0] in SOFTWARE_DEFAULTS:
        return None
    longer_side = max(shape[0] / dpi[1], shape[1] / dpi[0])
    if not 1 <= longer_side <= 50:  # inches: a stamp to A0
        return None
    return dpi[1] * X_HEIGHT_INCHES


def _is_tiny(shape: tuple[int, ...], dpi: tuple[float, float] | None) -> bool:
    return dpi is not None and max(shape[0] / dpi[1], shape[1] / dpi[0]) < TINY


def _scale_for(height: float, aim: tuple[float, float]) -> float:
    """Scale that brings text of this height between two others: small print is worth the work."""
    low, high = aim
    scale = 1.0
    while height * scale < low and scale < LARGEST:
        scale *= 2
    while height * scale > high and scale > SMALLEST:
        scale /= 2
    return scale


def _largest_scale(pixels: int) -> float:
    scale = LARGEST
    while scale > 1 and pixels * scale**2 > MOST_PIXELS:
        scale /= 2
    return scale


def _agree(one: float, other: float) -> bool:
    return 0.5 < one / other < 2


def _pixels(image: np.ndarray) -> Pixels:
    """OpenCV keeps uint8, which its annotations do not say."""
    return np.asarray(image, np.uint8)
