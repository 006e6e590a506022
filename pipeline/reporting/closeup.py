"""Which part of a page to look at closely. Arrays only."""

import cv2
import numpy as np

from pagewash.measuring.strokes import map_strokes, reduce, reduction, strokes_gone, traces
from pagewash.pages import Pixels

HEIGHT, WIDTH = 560, 800
"""Of a close-up, in pixels of the scan: some five lines of print at 300 dpi."""

INK_COUNTS = 0.001
"""Weight of a stroke against one that is lost or added: where none is, print is worth a look."""


def find_closeup(before: Pixels, after: Pixels) -> tuple[slice, slice] | None:
    """The rows and columns where most ink was lost or added, or else stands.

    Args:
        before: (H, W) or (H, W, 3) uint8, the scan.
        after: the cleaned page, of the same height and width.

    Returns:
        A window of `HEIGHT` x `WIDTH` pixels at most; None for a page that has no ink, is hardly
        larger than that, or is but a thin strip.
    """
    height, width = before.shape[:2]
    factor = reduction(before.shape)
    if (height <= 1.5 * HEIGHT and width <= 1.5 * WIDTH) or min(height, width) < 8 * factor:
        return None
    interest = _interest(reduce(before, factor), reduce(after, factor))
    rows, columns = min(height, HEIGHT), min(width, WIDTH)
    window = rows // factor, columns // factor
    sums = _window_sums(interest, *window)
    if not sums.max() > 0:
        return None
    top, left = (int(start) * factor for start in np.unravel_index(sums.argmax(), sums.shape))
    top, left = min(top, height - rows), min(left, width - columns)
    return slice(top, top + rows), slice(left, left + columns)


def _interest(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(h, w) float64: 1 where a stroke was lost or added, next to nothing where one stands."""
    scan, clean = map_strokes(before), map_strokes(after)
    of_scan, of_clean = traces(scan, clean)
    strokes, lost = strokes_gone(scan, of_clean)
    _, added = strokes_gone(clean, of_scan)
    interest: np.ndarray = np.maximum((lost | added) / 255, INK_COUNTS * strokes / 255)
    return interest


def _window_sums(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """Sum over every window of that size that lies within, by its top left corner."""
    total = cv2.integral(values)
    return np.asarray(
        total[height:, width:]
        - total[:-height, width:]
        - total[height:, :-width]
        + total[:-height, :-width]
    )
