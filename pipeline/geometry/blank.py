"""How sure it is that nobody wrote or printed on a page.

Arrays only. What counts is the largest mark, not the sum of all specks: a page number or a pencil
mark is compact and of one piece, grain is not. Lines of ruled paper, punch holes and what hangs
together with the scan's edge are no marks. Lengths are in units of an A4 page at 150 dpi.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from pagewash.measuring.strokes import reduce, without_edge

A4_SIDE = 1754
"""Pixels of the longer side of A4 at 150 dpi."""

MARK = 40
"""Grey levels below white from which on something on a cleaned page may be a mark."""

SHORTEST = 9.0
"""Diagonal of the smallest mark; what is smaller is a speck."""

RULE, THIN, MANY = 60.0, 2.0, 6
"""Length of a rule at least, its thickness at most (standard deviation), and how many of them, at
least, make ruled paper: one line alone is a mark."""

WRITTEN = 300
"""With more marks than this a page is full of something."""

USUAL = 30.0
"""Ink of a mark (pixels, times darkness) at which a page is as likely blank as not."""

SURE = 0.8
"""Confidence from which on a page may be dropped."""


def blank_confidence(cleaned: np.ndarray) -> float:
    """Say how sure it is that a page is blank.

    Misleads where the paper itself has blots or creases as sharp and dark as ink: they count as
    marks, and the page as not blank.

    Args:
        cleaned: (H, W) uint8 grey or (H, W, 3) RGB, after cleaning.

    Returns:
        0 (surely not blank) to 1; 0 for a page too small to tell.
    """
    factor = max(1, round(max(cleaned.shape[:2]) / A4_SIDE))
    grey = reduce(cleaned, factor)
    if min(grey.shape) < 32:
        return 0.0
    unit = max(grey.shape) / A4_SIDE
    ink = largest_mark(grey, unit)
    return float(1 / (1 + (ink / USUAL) ** 3))


def largest_mark(grey: np.ndarray, unit: float) -> float:
    """Ink of the largest mark: pixels times darkness, in units of A4 at 150 dpi."""
    marks = cv2.threshold(255 - grey, MARK, 255, cv2.THRESH_BINARY)[1]
    marks = without_edge(marks)
    found = cv2.connectedComponentsWithStatsWithAlgorithm(marks, 8, cv2.CV_32S, cv2.CCL_BBDT)
    labels, stats = np.asarray(found[1], np.int32), found[2]
    left, top, wide, high, area = stats[1:].T.astype(np.float64)
    if not len(area):
        return 0.0
    large = np.hypot(wide, high) / unit >= SHORTEST
    if large.sum() > WRITTEN:  # no need to look closer
        return float(area[large].sum() / unit**2)
    y, x = np.nonzero(marks)
    which = np.asarray(labels[y, x], np.int32)
    darkness = np.bincount(which, 255.0 - grey[y, x])[1:] / 255 / unit**2
    ink = darkness * large
    ink[_are_rules(x, y, which, unit)] = 0
    ink[_are_holes(left, top, wide, high, area, grey.shape, unit)] = 0
    return float(ink.max())


def _are_rules(
    x: NDArray[np.intp], y: NDArray[np.intp], which: NDArray[np.int32], unit: float
) -> NDArray[np.bool_]:
    """Long straight thin lines, of which ruled paper has several; a few are marks."""
    area = np.bincount(which)[1:]
    means = [np.bincount(which, of)[1:] / area for of in (x, y, x * x, y * y, x * y)]
    xx, yy, xy = (
        means[2] - means[0] ** 2,
        means[3] - means[1] ** 2,
        means[4] - means[0] * means[1],
    )
    middle, spread = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    thin = np.sqrt(np.maximum(middle - spread, 0)) < THIN * unit
    lines = thin & (np.sqrt(12 * (middle + spread)) > RULE * unit)
    return lines if lines.sum() >= MANY else np.zeros_like(lines)


def _are_holes(
    left: NDArray[np.float64],
    top: NDArray[np.float64],
    wide: NDArray[np.float64],
    high: NDArray[np.float64],
    area: NDArray[np.float64],
    shape: tuple[int, ...],
    unit: float,
) -> NDArray[np.bool_]:
    """Round filled spots of 4 to 8 mm near an edge: punch holes."""
    round_ones = (np.abs(wide - high) < 0.2 * np.maximum(wide, high)) & (area > 0.7 * wide * high)
    size = (np.maximum(wide, high) > 22 * unit) & (np.maximum(wide, high) < 55 * unit)
    x, y = left + wide / 2, top + high / 2
    beside = np.minimum(np.minimum(x, shape[1] - x), np.minimum(y, shape[0] - y)) < 110 * unit
    return round_ones & size & beside
