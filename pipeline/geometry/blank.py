"""How sure it is that nobody wrote or printed on a page.

Arrays only. What counts is the largest mark, not the sum of all specks: a page number or a pencil
mark is compact and of one piece, grain is not. Lines of ruled paper, punch holes and what hangs
together with the scan's edge are no marks. Lengths are in units of an A4 page at 150 dpi.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pagewash.geometry.ruling import find_rules
from pagewash.grey import darkest
from pagewash.measuring.strokes import components, reduce, without_edge

A4_SIDE = 1754
"""Pixels of the longer side of A4 at 150 dpi."""

MARK = 40
"""Grey levels below white from which on something on a cleaned page may be a mark."""

SHORTEST = 9.0
"""Diagonal of the smallest mark; what is smaller is a speck."""

ACROSS, BESIDE = 17.0, 9.0
"""On ruled paper a rule is taken away, and parts a mark on it: what is left is one mark over gaps
of this height and width."""

FLAT, SLANT, SHORT = 5.0, 0.01, 60.0
"""On ruled paper, what is no thicker than the first, leans beyond what rules do by no more than the
second, and is no longer than the third, is a piece of a rule that is not seen in whole."""

WRITTEN = 300
"""With more marks than this a page is full of something."""

SMALLEST = 32
"""Pixels of the shorter side, reduced, from which on a page can be told blank."""

MIDDLE = 0.02
"""Share of the middle half of a page, across and down, that what hangs together with its edge may
take: borders and shadows lie along edges, and what reaches farther in is a picture that runs off
the page."""

USUAL = 30.0
"""Ink of a mark (pixels, times darkness) at which a page is as likely blank as not. One thin sign
of 2 mm has 27."""

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
    if min(cleaned.shape[:2]) // factor < SMALLEST:
        return 0.0
    grey = reduce(darkest(cleaned), factor)  # in luminance, yellow ink is nearly paper
    unit = max(grey.shape) / A4_SIDE
    ink = largest_mark(grey, unit)
    return float(1 / (1 + (ink / USUAL) ** 3))


def largest_mark(grey: np.ndarray, unit: float) -> float:
    """Ink of the largest mark: pixels times darkness, in units of A4 at 150 dpi."""
    marks = np.asarray(cv2.threshold(255 - grey, MARK, 255, cv2.THRESH_BINARY)[1], np.uint8)
    inner = without_edge(marks)
    quarter = len(inner) // 4
    for part in (inner[2 * quarter : 3 * quarter], inner):
        found = _Marks(part, part)
        if (found.diagonals(unit) >= SHORTEST).sum() > WRITTEN:  # no need to look closer
            return float(found.area.max() / unit**2)
    rules, lean = find_rules(marks, unit)
    if rules.any():  # sought with the edge, since a rule that reaches it would take marks along
        inner = without_edge(cv2.subtract(marks, rules))
        gaps = np.ones((round(ACROSS * unit) | 1, round(BESIDE * unit) | 1), np.uint8)
        found = _Marks(inner, cv2.morphologyEx(inner, cv2.MORPH_CLOSE, gaps))
    beside = cv2.subtract(cv2.subtract(marks, rules), inner)
    middle = beside[tuple(slice(length // 4, length - length // 4) for length in beside.shape)]
    if np.count_nonzero(middle) > MIDDLE * middle.size:
        return float(np.count_nonzero(middle)) / unit**2
    ink = found.ink(grey) / unit**2
    ink[found.diagonals(unit) < SHORTEST] = 0
    ink[_are_holes(found, grey.shape, unit)] = 0
    if rules.any():
        ink[_are_pieces_of_rules(found, lean, unit)] = 0
    return float(ink.max(initial=0))


@dataclass
class _Marks:
    """Marks on a page, each with its box and its area in pixels."""

    pixels: np.ndarray
    """(H, W), 255 on a mark."""

    joined: np.ndarray
    """The same, with gaps filled that a mark may have."""

    def __post_init__(self) -> None:
        found = components(self.joined)
        self.labels = np.asarray(found.labels, np.int32)
        self.left, self.top, self.wide, self.high, self.area = found.stats[1:].T.astype(np.float64)

    def diagonals(self, unit: float) -> NDArray[np.float64]:
        """Of each mark's box."""
        return np.asarray(np.hypot(self.wide, self.high) / unit, np.float64)

    def ink(self, grey: np.ndarray) -> NDArray[np.float64]:
        """Pixels times darkness, of each."""
        y, x = np.nonzero(self.pixels)
        own = np.asarray(self.labels[y, x], np.int32)
        return np.bincount(own, 255.0 - grey[y, x], len(self.area) + 1)[1:] / 255


def _are_pieces_of_rules(marks: _Marks, lean: float, unit: float) -> NDArray[np.bool_]:
    """Short thin lines across or down ruled paper, where rules lean by so much of their length."""
    sides = ((marks.wide, marks.high), (marks.high, marks.wide))
    flat = [high <= FLAT * unit + (lean + SLANT) * wide for wide, high in sides]
    short = np.maximum(marks.wide, marks.high) <= SHORT * unit
    return np.asarray((flat[0] | flat[1]) & short, np.bool_)


def _are_holes(marks: _Marks, shape: tuple[int, ...], unit: float) -> NDArray[np.bool_]:
    """Round filled spots of 4 to 8 mm near an edge: punch holes."""
    wide, high = marks.wide, marks.high
    round_ones = (np.abs(wide - high) < 0.2 * np.maximum(wide, high)) & (
        marks.area > 0.7 * wide * high
    )
    size = (np.maximum(wide, high) > 22 * unit) & (np.maximum(wide, high) < 55 * unit)
    x, y = marks.left + wide / 2, marks.top + high / 2
    beside = np.minimum(np.minimum(x, shape[1] - x), np.minimum(y, shape[0] - y)) < 110 * unit
    return np.asarray(round_ones & size & beside, np.bool_)
