"""How sure it is that nobody wrote or printed on a page.

Arrays only. What counts is the largest mark, not the sum of all specks: a page number or a pencil
mark is compact and of one piece, grain is not. A mark is there after cleaning and has a sharp edge
on the scan: cleaning may darken what shines through, stains and grain, but there they are soft or
faint. Lines of ruled paper, punch holes and what hangs together with the scan's edge, or with the
dark bed along it, are no marks. Lengths are in units of an A4 page at 150 dpi.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pagewash.geometry.ruling import find_rules
from pagewash.grey import darkest
from pagewash.measuring.strokes import (
    DARKEST_PAPER,
    PICTURE,
    SQUARE,
    at_least,
    components,
    mask_of,
    paper_around,
    quantile,
    reduce,
    without_edge,
)

A4_SIDE = 1754
"""Pixels of the longer side of A4 at 150 dpi."""

MARK = 40
"""Grey levels below white from which on something on a cleaned page may be a mark."""

SHARP = 0.06
"""Slope of an edge that only a mark has: change from a pixel to the next, as a share of the paper's
level. A pencil line by a quarter darker than paper has 0.1; most of what shines through has less
than 0.04."""

BED = 0.5
"""What is darker than this share of the paper's level, wide, and reaches the scan's edge, is the
bed that the page lies on."""

WIDE = 15.0
"""Width of a bed at least: strokes are narrower."""

SHORTEST = 9.0
"""Diagonal of the smallest mark; what is smaller is a speck."""

ACROSS, BESIDE = 17.0, 9.0
"""On ruled paper a rule is taken away, and parts a mark on it: what is left is one mark over gaps
of this height and width."""

THICK = 9.0
"""No rule is as thick."""

FLAT, SLANT, SHORT = 5.0, 0.01, 60.0
"""On ruled paper, what is no thicker than the first, leans beyond what rules do by no more than the
second, and is no longer than the third, is a piece of a rule that is not seen in whole."""

WRITTEN = 300
"""With more sharp marks than this a page is full of something."""

SMALLEST = 32
"""Pixels of the shorter side, reduced, from which on a page can be told blank."""

MIDDLE = 0.02
"""Share of the middle half of a page, across and down, that one dark area may take: borders and
shadows lie along edges, and what reaches farther in is a picture, sharp or not."""

USUAL = 30.0
"""Ink of a mark (pixels, times darkness) at which a page is as likely blank as not. One thin sign
of 2 mm has 27."""

SURE = 0.8
"""Confidence from which on a page may be dropped."""


def blank_confidence(scan: np.ndarray, cleaned: np.ndarray) -> float:
    """Say how sure it is that a page is blank.

    Misleads where the paper has blots, fibres or creases as sharp and dark as ink: they count as
    marks, and the page as not blank. The other way round, on a scan so far out of focus that its
    strokes are smeared over several times their width.

    Args:
        scan: (H, W) uint8 grey or (H, W, 3) RGB, before cleaning.
        cleaned: the page, cleaned, of the same height and width.

    Returns:
        0 (surely not blank) to 1; 0 for a page too small to tell.
    """
    factor = max(1, round(max(cleaned.shape[:2]) / A4_SIDE))
    if min(cleaned.shape[:2]) // factor < SMALLEST:
        return 0.0
    after = reduce(darkest(cleaned), factor)  # in luminance, yellow ink is nearly paper
    unit = max(after.shape) / A4_SIDE
    quarter = len(after) // 4
    for rows in (slice(2 * quarter, 3 * quarter), slice(0, len(after))):  # mostly, a few rows tell
        before = reduce(darkest(scan[rows.start * factor : rows.stop * factor]), factor)
        if _is_full(before, after[rows], unit):
            return 0.0
    ink = largest_mark(before, after, unit)
    return float(1 / (1 + (ink / USUAL) ** 3))


def _is_full(before: np.ndarray, after: np.ndarray, unit: float) -> bool:
    """Whether there are so many sharp marks that there is no need to look closer."""
    marks = cv2.bitwise_and(without_edge(at_least(255 - after, MARK + 1)), _sharp_edges(before))
    found = _Marks(marks, marks)
    # faint rules are in hundreds of flat pieces
    letters = np.minimum(found.wide, found.high) > FLAT * unit
    return bool((letters & (found.diagonals(unit) >= SHORTEST)).sum() > WRITTEN)


def largest_mark(before: np.ndarray, after: np.ndarray, unit: float) -> float:
    """Ink of the largest mark: pixels times darkness, in units of A4 at 150 dpi.

    Args:
        before: (H, W) uint8, the scan, reduced.
        after: the same of the cleaned page.
        unit: pixels of them to one of an A4 page at 150 dpi.
    """
    white = 255 - after
    marks = np.asarray(at_least(white, MARK + 1), np.uint8)
    bed = _bed(before, unit)
    sharp = _sharp_edges(before)
    crisp = np.asarray(cv2.bitwise_and(marks, sharp), np.uint8)  # lines of a verso are soft
    rules, lean = find_rules(crisp, unit)
    dark = cv2.subtract(cv2.bitwise_or(at_least(white, 255 * PICTURE), bed), rules)
    middle = tuple(slice(length // 4, length - length // 4) for length in dark.shape)
    widest = float(_Marks(dark[middle], dark[middle]).area.max(initial=0))
    if widest > MIDDLE * dark[middle].size:
        return widest / unit**2
    # rules are sought with the edge, since one that reaches it would take marks along
    inner = without_edge(cv2.bitwise_or(cv2.subtract(marks, rules), bed))
    inner = cv2.bitwise_and(cv2.subtract(inner, _holes(marks, unit)), sharp)
    joined = inner
    if rules.any():
        gaps = np.ones((round(ACROSS * unit) | 1, round(BESIDE * unit) | 1), np.uint8)
        joined = np.asarray(cv2.morphologyEx(inner, cv2.MORPH_CLOSE, gaps), np.uint8)
    found = _Marks(inner, joined)
    ink = found.ink(after) / unit**2
    ink[found.diagonals(unit) < SHORTEST] = 0
    if rules.any():
        ink[_are_pieces_of_rules(found, lean, unit)] = 0
    return float(ink.max(initial=0))


def _sharp_edges(scan: np.ndarray) -> NDArray[np.uint8]:
    """255 where the scan has a sharp edge, or has one a pixel away."""
    across, down = (cv2.Sobel(scan, cv2.CV_32F, x, 1 - x, scale=1 / 8) for x in (1, 0))
    paper = cv2.max(paper_around(scan), DARKEST_PAPER)  # type: ignore[call-overload]
    least = cv2.multiply(paper, SHARP, dtype=cv2.CV_32F)  # type: ignore[call-overload]
    sharp = cv2.compare(cv2.magnitude(across, down), least, cv2.CMP_GE)
    return np.asarray(cv2.dilate(sharp, SQUARE), np.uint8)


def _bed(scan: np.ndarray, unit: float) -> NDArray[np.uint8]:
    """255 on what is wide and dark along the scan's edges."""
    dark = cv2.bitwise_not(at_least(scan, BED * quantile(scan, 0.8)))
    side = round(WIDE * unit) | 1
    wide = cv2.morphologyEx(dark, cv2.MORPH_OPEN, np.ones((side, side), np.uint8))
    return np.asarray(cv2.subtract(wide, without_edge(wide)), np.uint8)


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


def _holes(marks: NDArray[np.uint8], unit: float) -> NDArray[np.uint8]:
    """255 on round filled spots of 4 to 8 mm near an edge: punch holes, with rules through them or
    not.
    """
    side = round(THICK * unit) | 1
    thick = cv2.morphologyEx(marks, cv2.MORPH_OPEN, np.ones((side, side), np.uint8))
    spots = _Marks(thick, thick)
    wide, high, shape = spots.wide, spots.high, marks.shape
    round_ones = (np.abs(wide - high) < 0.2 * np.maximum(wide, high)) & (
        spots.area > 0.7 * wide * high
    )
    size = (np.maximum(wide, high) > 22 * unit) & (np.maximum(wide, high) < 55 * unit)
    x, y = spots.left + wide / 2, spots.top + high / 2
    beside = np.minimum(np.minimum(x, shape[1] - x), np.minimum(y, shape[0] - y)) < 110 * unit
    chosen = mask_of(np.append(False, round_ones & size & beside), spots.labels)
    rim = np.ones((side, side), np.uint8)  # corners that the opening took
    return np.asarray(cv2.dilate(chosen, rim), np.uint8)
