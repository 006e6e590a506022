"""Where the page ends on its scan: the scanner's bed, a table, a dark border around it.

Arrays only. Cautious: a side is cut only where what lies outside is dark from end to end, and flat,
so that a photograph that reaches the page's edge, or a black band with a title, stays.
"""

import cv2
import numpy as np

from pagewash.geometry.transform import Box
from pagewash.measuring.strokes import (
    components,
    map_strokes,
    quantile,
    reduce,
    reduction_to,
    without_edge,
)

LONG_SIDE = 1000
"""Pixels of the longer side, at most, on which the page's edges are sought."""

DARK = 0.55
"""What is darker than this share of the paper's level is no paper."""

FLAT = 30.0
"""Most that levels outside may vary (standard deviation), in grey levels."""

STRAY = 0.03
"""Most of what lies outside, as a share, that may be as bright as paper: a scanner's white line."""

NARROWEST = 0.005
"""Of a side; what is narrower is no border."""

AROUND_INK = 1
"""Pixels of the reduced page that are kept around ink: strokes are a little wider than they look
there."""


def find_page_box(scan: np.ndarray, cleaned: np.ndarray) -> Box:
    """Find the page on a scan.

    Misleads where the page lies on something as bright as itself: the box is the whole scan then.

    Args:
        scan: (H, W) uint8 grey or (H, W, 3) RGB, before cleaning.
        cleaned: the page, cleaned; none of its ink is left outside, unless it hangs together with
            the scan's edge.

    Returns:
        Left, top, right, bottom in pixels of the scan.
    """
    height, width = scan.shape[:2]
    whole = (0, 0, width, height)
    factor = reduction_to(max(height, width), LONG_SIDE)
    if min(height, width) // factor < 32:
        return whole
    grey = reduce(scan, factor)
    margin = int(factor > 1)  # a pixel at the page's edge is page in part
    left, top, right, bottom = _inner(grey)
    paper = left - margin, top - margin, right + margin, bottom + margin
    left, top, right, bottom = _with_ink(paper, _strokes(cleaned, factor))
    return (
        max(0, left) * factor,
        max(0, top) * factor,
        width if right >= grey.shape[1] else right * factor,
        height if bottom >= grey.shape[0] else bottom * factor,
    )


def places_of_strokes(cleaned: np.ndarray) -> np.ndarray:
    """(N, 2) x and y of the strokes that a page's box must not leave out; none of a tiny page."""
    factor = reduction_to(max(cleaned.shape[:2]), LONG_SIDE)
    small = min(cleaned.shape[:2]) // factor < 32
    places = None if small else cv2.findNonZero(_strokes(cleaned, factor))
    if places is None:
        return np.zeros((0, 2))
    return np.asarray((places.reshape(-1, 2) + 0.5) * factor, np.float64)


def _strokes(cleaned: np.ndarray, factor: int) -> np.ndarray:
    return without_edge(map_strokes(reduce(cleaned, factor)).strokes)


def _inner(grey: np.ndarray) -> Box:
    """The bounding box of the paper, on the sides where a border surely lies outside of it."""
    height, width = grey.shape
    paper = quantile(grey, 0.8)
    bright = cv2.threshold(grey, DARK * paper, 255, cv2.THRESH_BINARY)[1]
    if min(cv2.reduce(bright, axis, cv2.REDUCE_AVG).min() for axis in (0, 1)) > 255 * STRAY:
        return 0, 0, width, height  # no row and no column is as dark as those of a border are
    closed = cv2.morphologyEx(bright, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    opened = cv2.morphologyEx(closed, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    stats = components(opened).stats
    if len(stats) < 2:
        return 0, 0, width, height
    x, y, wide, high, _ = (int(value) for value in stats[1 + stats[1:, 4].argmax()])
    outside = {
        (0, "left"): grey[:, :x],
        (1, "top"): grey[:y],
        (2, "right"): grey[:, x + wide :],
        (3, "bottom"): grey[y + high :],
    }
    found, far = [x, y, x + wide, y + high], [0, 0, width, height]
    for (side, _), strip in outside.items():
        if not _is_border(strip, DARK * paper, NARROWEST * max(height, width)):
            found[side] = far[side]
    left, top, right, bottom = found
    return left, top, right, bottom


def _is_border(strip: np.ndarray, dark: float, narrowest: float) -> bool:
    """Whether a strip beside the page is nothing but a border."""
    if min(strip.shape) < narrowest or not strip.size:
        return False
    levels = strip[strip <= dark]
    stray = 1 - levels.size / strip.size
    return stray <= STRAY and bool(levels.std() <= FLAT)


def _with_ink(box: Box, strokes: np.ndarray) -> Box:
    """The box, wide enough for all ink of the page."""
    x, y, wide, high = cv2.boundingRect(strokes)
    if not wide:
        return box
    left, top, right, bottom = box
    x, y, wide, high = (
        x - AROUND_INK, y - AROUND_INK, wide + 2 * AROUND_INK, high + 2 * AROUND_INK
    )  # fmt: skip
    return min(left, x), min(top, y), max(right, x + wide), max(bottom, y + high)
