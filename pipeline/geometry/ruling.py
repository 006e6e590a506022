"""Lines of ruled and squared paper: many, alike, evenly spaced, from side to side.

Arrays only. A line that somebody drew is none of them: it is alone, shorter, or lies where no rule
is due. Lengths are in units of an A4 page at 150 dpi.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from pagewash.measuring.strokes import components

THICKEST = 7.0
"""Thickness of a rule at most."""

GAP = 31.0
"""Dots and dashes of a rule are no further apart."""

SHORTEST = 50.0
"""Length of a piece of a rule at least."""

SPAN = 0.5
"""What is seen of a rule is together at least this share of the page long."""

MANY = 6
"""So many rules, at least, make ruled paper: fewer may be drawn."""

EVEN = 0.6
"""A rule is no nearer to the next one than this share of the usual distance."""

OFF, BEND = 6.0, 0.02
"""How far the next piece of a rule may lie off its course, and how much further for each unit of
the gap between them: paper is not flat."""

FRINGE = 2.0
"""What belongs to a rule reaches at most this far beyond its usual thickness: as far as its middle
strays from its course. More would take marks on it along."""


@dataclass(frozen=True)
class _Line:
    """Middles of a thin line that runs across the page, column by column from left to right."""

    x: NDArray[np.intp]
    y: NDArray[np.float64]
    thickness: float
    rough: float
    """How far it strays from its course, in pixels."""

    @property
    def lean(self) -> float:
        """How much it rises or falls from end to end, as a share of its length."""
        return abs(float(self.y[-1] - self.y[0])) / float(self.x[-1] - self.x[0] + 1)

    @cached_property
    def start(self) -> float:
        """Where it begins."""
        return float(self.y[:20].mean())

    @cached_property
    def end(self) -> float:
        """Where it ends."""
        return float(self.y[-20:].mean())

    @cached_property
    def slope(self) -> float:
        """How fast it falls at its end."""
        return float(np.polyfit(self.x[-300:], self.y[-300:], 1)[0])

    def at(self, column: float) -> float:
        """Where it is at a column."""
        return float(np.interp(column, self.x, self.y))


def find_rules(marks: NDArray[np.uint8], unit: float) -> tuple[NDArray[np.uint8], float]:
    """Find the lines of ruled paper.

    Misleads where somebody drew lines as a printer would: six or more, evenly spaced, over half the
    page.

    Args:
        marks: (H, W), 255 where something is on the page.
        unit: pixels of it to one of an A4 page at 150 dpi.

    Returns:
        (H, W), 255 on a rule and in its gaps, all 0 on paper that is not ruled; and how much rules
        lean at most, as a share of their length.
    """
    across = _rules_across(marks, unit)
    turned = np.ascontiguousarray(marks.T)
    down = _rules_across(turned, unit)
    covered = cv2.bitwise_or(
        _covered(across, marks, unit), np.ascontiguousarray(_covered(down, turned, unit).T)
    )
    return np.asarray(covered, np.uint8), max((rule.lean for rule in across + down), default=0.0)


def _rules_across(marks: NDArray[np.uint8], unit: float) -> list[_Line]:
    width = marks.shape[1]
    lines = _joined(_thin_lines(marks, unit), unit)
    return _evenly_spaced([line for line in lines if len(line.x) >= SPAN * width], width / 2)


def _covered(rules: Sequence[_Line], marks: NDArray[np.uint8], unit: float) -> NDArray[np.uint8]:
    """255 on the rules."""
    height = len(marks)
    covered = np.zeros_like(marks)
    for rule in rules:
        columns = np.arange(rule.x[0], rule.x[-1] + 1)
        rows = np.rint(np.interp(columns, rule.x, rule.y)).astype(np.intp)
        reach = math.ceil((rule.thickness - 1) / 2 + min(rule.rough, FRINGE * unit))
        for off in range(-reach, reach + 1):
            covered[np.clip(rows + off, 0, height - 1), columns] = 255
    return covered


def _thin_lines(marks: NDArray[np.uint8], unit: float) -> list[_Line]:
    """What is thin, and long once dots and dashes are joined."""
    tall = np.ones((round(THICKEST * unit) + 1, 1), np.uint8)
    thin = cv2.subtract(marks, cv2.morphologyEx(marks, cv2.MORPH_OPEN, tall))
    gap = np.ones((1, round(GAP * unit) | 1), np.uint8)
    closed = cv2.morphologyEx(thin, cv2.MORPH_CLOSE, gap)
    labels, stats, _ = components(closed)
    wide, area = stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_AREA]
    long = (wide >= SHORTEST * unit) & (area <= 1.5 * THICKEST * unit * wide)
    return [_line(labels, stats[one], one, unit) for one in np.flatnonzero(long).tolist() if one]


def _line(labels: np.ndarray, stats: np.ndarray, number: int, unit: float) -> _Line:
    left, top, wide, high = (int(value) for value in stats[:4])
    own = labels[top : top + high, left : left + wide] == number
    thickness = own.sum(0)
    y = (own * np.arange(high)[:, None]).sum(0) / thickness + top
    around = min(round(20 * unit), (wide - 1) // 2)
    padded = np.pad(y, around, mode="edge")
    smooth = np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * around + 1), axis=1)
    rough = 2 * float(np.abs(y - smooth).mean())
    return _Line(np.arange(left, left + wide), smooth, float(np.quantile(thickness, 0.8)), rough)


def _joined(pieces: Sequence[_Line], unit: float) -> list[_Line]:
    """Each piece joined to the line whose course leads to it."""
    lines: list[_Line] = []
    for piece in sorted(pieces, key=lambda piece: int(piece.x[0])):
        offs = [_off_course(line, piece) for line in lines]
        nearest = int(np.argmin(offs)) if offs else 0
        if offs and offs[nearest] < OFF * unit:
            line = lines[nearest]
            lines[nearest] = _Line(
                np.concatenate([line.x, piece.x]),
                np.concatenate([line.y, piece.y]),
                max(line.thickness, piece.thickness),
                max(line.rough, piece.rough),
            )
        else:
            lines.append(piece)
    return lines


def _off_course(line: _Line, piece: _Line) -> float:
    """How far a piece lies off the course of a line to its left; infinite where it is beside it."""
    gap = float(piece.x[0] - line.x[-1])
    if gap < 0:
        return float("inf")
    return abs(line.end + line.slope * gap - piece.start) - BEND * gap


def _evenly_spaced(lines: Sequence[_Line], middle: float) -> list[_Line]:
    """The lines without those that lie between two others where none is due."""
    kept = sorted(lines, key=lambda line: line.at(middle))
    while len(kept) >= MANY:
        gaps = np.diff([line.at(middle) for line in kept])
        near = np.flatnonzero(gaps < EVEN * np.median(gaps))
        if not near.size:
            return kept
        first = int(near[0])
        del kept[first + (len(kept[first].x) > len(kept[first + 1].x))]
    return []
