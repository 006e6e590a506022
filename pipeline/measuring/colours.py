"""Areas in bright colours that a cleaned page lost: bands, bars, signs, whatever their shape.

Neither dirt nor what lies around a page is as bright in colour as print can be: paper yellows,
stains are brown, beds are dark or dull. Strokes in colour are `pagewash.measuring.guard`'s. Arrays
only.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

CELL = 12
"""Side, in pixels of the reduced page, of the squares whose mean colours are compared."""

VIVID, ON_COLOUR = 0.5, 0.2
"""Between the primaries of a bright colour, as shares of the paper's, on white paper: wood, leather
and coffee have less; and how much more it takes on paper in the brightest colour, on which stains
are brighter, too."""

MIXED = 0.2
"""What `VIVID` is for cells beside such ones: letters and edges lie in them."""

LEFT = 0.4
"""Share of that, at most, that a lost colour has on the cleaned page."""

FEWEST = 6
"""Bright cells of a lost area, at least, that hang together."""

Mask = NDArray[np.uint8]


def lost_colours(scan: np.ndarray, cleaned: np.ndarray) -> Mask:
    """Find areas in bright colours that are colourless on the cleaned page.

    Args:
        scan: (h, w, 3) uint8 RGB, reduced.
        cleaned: the same page cleaned, reduced alike.

    Returns:
        (h, w) uint8, 255 on what is lost, a cell more on each side.
    """
    size = max(scan.shape[1] // CELL, 1), max(scan.shape[0] // CELL, 1)
    before, after = (
        cv2.resize(page, size, interpolation=cv2.INTER_AREA) for page in (scan, cleaned)
    )
    paper = np.maximum(np.median(before, axis=(0, 1)), 1)
    bright, left = _colour(before, paper), _colour(after, np.full(3, 255))
    vivid = VIVID + ON_COLOUR * float(np.ptp(paper)) / 255
    lost = (bright > MIXED) & (left < LEFT * bright)
    count, labels = cv2.connectedComponents(lost.astype(np.uint8))
    enough = np.bincount(labels[bright > vivid], minlength=count) >= FEWEST
    enough[0] = False
    found = cv2.dilate(255 * enough[labels].astype(np.uint8), np.ones((3, 3), np.uint8))
    large = cv2.resize(found, scan.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    return np.asarray(large, np.uint8)


def _colour(cells: np.ndarray, paper: np.ndarray) -> NDArray[np.float64]:
    """(h, w): from the darkest to the brightest primary, as shares of the paper's."""
    return np.asarray(np.ptp(np.minimum(cells / paper, 1), axis=2))
