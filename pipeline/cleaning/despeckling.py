"""Dust on pages of one bit: specks that stand alone go, and all that may be of a letter stays.

A network has little to tell a speck from a full stop where all is black or white. The page's own
letters tell: how wide their strokes are, and where they stand. Arrays only.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from pagewash.measuring.strokes import components, mask_of, rim
from pagewash.pages import Pixels

LETTERS = 20
"""A page with fewer letters has no size of its own, and keeps its specks: a drawing, a map."""

LETTER_AREA = 8
"""Area of a letter, at least, in squares of its stroke's width."""

LETTER_HEIGHT = (4, 25)
"""Its height, in widths of its stroke."""

TINY = 0.45
"""Area of a speck, at most, in squares of a stroke's width. A full stop has thrice that, or twice
where a copier has worn it: larger specks stay, for a dot of a row of dots stands as alone."""

AWAY = 1.5
"""Widths of a stroke between a speck and anything larger, at least: nearer, it may be a piece of a
letter that the scanner broke."""

AROUND = 12
"""Widths of a stroke along the square in which a speck has to be alone."""

ALONE = 3
"""So many specks in such a square are no dust: a row of dots, a screened picture."""


def is_bilevel(page: Pixels) -> bool:
    """Whether a page (H, W) uint8 is black and white and nothing else."""
    return cv2.countNonZero(cv2.inRange(page, 1, 254)) == 0


def find_specks(page: Pixels) -> NDArray[np.uint8] | None:
    """Find the dust of a page in one bit.

    Args:
        page: (H, W) uint8, 0 is ink and 255 paper.

    Returns:
        (H, W) uint8: 255 on specks that may go; None if there are none.
    """
    ink = ~page
    labels, stats, middles = components(ink)
    width = _stroke_width(ink, labels, stats)
    if width is None:
        return None
    small = stats[:, cv2.CC_STAT_AREA] <= TINY * width**2
    small[0] = False
    if not small.any():
        return None
    x, y = middles.astype(np.intp).T
    large = cv2.bitwise_or(page, mask_of(small, labels))
    # from a speck's middle to all that is larger than one
    away = cv2.distanceTransform(large, cv2.DIST_L2, 3)[y, x] / width
    dust = small & (away >= AWAY) & (_specks_around(small, x, y, page.shape, width) < ALONE)
    if not dust.any():
        return None
    return mask_of(dust, labels)


def _stroke_width(ink: NDArray[np.uint8], labels: np.ndarray, stats: np.ndarray) -> float | None:
    """Width of the thinner letters' strokes in pixels; None on a page without enough letters.

    A stroke's width is twice its area by the length of its rim. A quarter of the letters has less:
    bold headings do not make dots of the text look small.
    """
    lengths = np.bincount(labels[rim(ink) > 0], minlength=len(stats))
    area, height = stats[:, cv2.CC_STAT_AREA], stats[:, cv2.CC_STAT_HEIGHT]
    widths = 2 * area / np.maximum(lengths, 1)
    tall = (height >= LETTER_HEIGHT[0] * widths) & (height <= LETTER_HEIGHT[1] * widths)
    letters = tall & (area >= LETTER_AREA * widths**2)
    letters[0] = False
    if np.count_nonzero(letters) < LETTERS:
        return None
    return float(np.quantile(widths[letters], 0.25))


def _specks_around(
    small: NDArray[np.bool_],
    x: NDArray[np.intp],
    y: NDArray[np.intp],
    shape: tuple[int, ...],
    width: float,
) -> NDArray[np.float32]:
    """(N,) how many specks lie in the square around the middle of each component."""
    points = np.zeros(shape, np.float32)
    points[y[small], x[small]] = 1
    side = round(AROUND * width) | 1
    counts = cv2.boxFilter(
        points, -1, (side, side), normalize=False, borderType=cv2.BORDER_CONSTANT
    )
    return np.asarray(counts[y, x].round(), np.float32)
