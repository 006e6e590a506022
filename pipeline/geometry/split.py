"""Where the gutter between two pages on one scan is, if there surely is one.

Arrays only. Cautious, since a page cut in two is worse than two pages left together: an open book
has a dark fold near its middle, from top to bottom, and no ink beside it; a table in landscape, or
two columns, do not.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pagewash.measuring.strokes import map_strokes, reduce, reduction_to

LONG_SIDE = 800
"""Pixels of the longer side, at most, on which the gutter is sought."""

PROPORTIONS = (1.15, 2.2)
"""Width by height of a scan of two pages."""

MIDDLE = (0.4, 0.6)
"""Share of the width between which a gutter lies."""

FOLD = 0.08
"""A fold is darker than the pages beside it by at least this share of their level."""

EMPTY = 0.02
"""Width beside the fold, as a share, that has no ink."""

SURE = 0.7
"""Confidence from which on a scan may be split."""


@dataclass(frozen=True)
class Gutter:
    """The line between two pages."""

    x: int
    """Column of the scan, in pixels; 0 where none was found."""

    confidence: float
    """0 to 1: the share of the height in which the fold is seen and free of ink."""


NO_GUTTER = Gutter(0, 0.0)


def find_gutter(scan: np.ndarray, cleaned: np.ndarray) -> Gutter:
    """Find the gutter between two pages side by side.

    Args:
        scan: (H, W) uint8 grey or (H, W, 3) RGB, before cleaning: cleaning takes the fold's shadow.
        cleaned: the page, cleaned.
    """
    height, width = scan.shape[:2]
    factor = reduction_to(width, LONG_SIDE)
    reach, core = round(EMPTY * (width // factor)), 3  # the fold itself may be left on the page
    proportions = PROPORTIONS[0] <= width / height <= PROPORTIONS[1]
    if not proportions or height // factor < 64 or reach <= core:
        return NO_GUTTER
    grey, ink = reduce(scan, factor), map_strokes(reduce(cleaned, factor)).strokes > 0
    bands = np.array_split(np.arange(grey.shape[0]), 12)
    profiles = np.array([np.median(grey[rows], axis=0) for rows in bands])
    folds = _depths(profiles)
    middle = slice(*(round(share * grey.shape[1]) for share in MIDDLE))
    x = middle.start + int(np.minimum(folds[:, middle], 3 * FOLD).mean(0).argmax())
    near = folds[:, max(0, x - 3) : x + 4].max(1) >= FOLD
    beside = np.r_[x - reach : x - core, x + core + 1 : x + reach + 1]
    empty = np.array([ink[rows][:, beside].mean() < 0.01 for rows in bands])
    both = all(half.mean() > 0.002 for half in (ink[:, : x - reach], ink[:, x + reach :]))
    return Gutter(x * factor, float((near & empty).mean()) if both else 0.0)


def _depths(profiles: NDArray[np.float64]) -> NDArray[np.float64]:
    """(bands, columns): how much darker a column is than both its sides, as a share."""
    reach = profiles.shape[1] // 12
    sides = [_brightest(np.roll(profiles, shift, axis=1), reach) for shift in (reach, -reach)]
    beside = np.minimum(*sides)
    return np.where(beside > 0, 1 - profiles / np.maximum(beside, 1), 0)


def _brightest(profiles: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    """The 80th percentile of the columns around each."""
    padded = np.pad(profiles, [(0, 0), (reach // 2, reach // 2)], mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * (reach // 2) + 1, axis=1)
    return np.asarray(np.quantile(windows, 0.8, axis=-1), np.float64)
