"""Tinted boxes and pictures that a cleaned page lost: areas with straight, even edges.

A tint may be paler than the stains around it. What tells it is its edge: one step down, of the same
height, along four straight sides that run as the page does. A stain's rim bends, a shadow is soft,
a fold has no four sides. Arrays only; misses boxes of less than a fiftieth of the page, leaning
ones, and those on paper as uneven as the box is pale.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

CELL = 4
"""Side, in pixels of the reduced page, of the squares in which edges are sought."""

TEXT = 6
"""Widths of a stroke below which what is dark is text, and is painted over first."""

RUN = 10
"""Widths of a stroke along which an edge is averaged: some 4 mm."""

PALEST = 0.03
"""Step from paper to the palest tint, as a share of the paper's tone."""

ABOVE_USUAL = 6
"""How many times as high as the page's median step an edge must be."""

GONE = 0.4
"""Share of its height, at most, that an edge has on the cleaned page if it is lost."""

APART = 2
"""Cells on either side of an edge between which its step is taken."""

AREA = 0.02
"""Share of the page that a box takes, at least."""

FILLED = 0.6
"""Share of its bounding box that lies between opposite edges, at least."""

CORNERS = 3
"""How many of its four corners are filled, at least: those of a round stain are not."""

EVEN = 0.3
"""Lowest of the steps at its four sides, as a share of the highest."""

Floats = NDArray[np.float32]
Mask = NDArray[np.uint8]


def lost_boxes(before: np.ndarray, after: np.ndarray, width: float) -> Mask:
    """Find boxes darker than the paper around them on the scan, and not so on the cleaned page.

    Args:
        before: (h, w) uint8, the scan reduced.
        after: (h, w) uint8, the cleaned page reduced.
        width: of the page's strokes, in pixels of the reduced page.

    Returns:
        (h, w) uint8, 255 on boxes that are lost.
    """
    run = max(round(RUN * width / CELL), 5) | 1
    result = np.zeros(before.shape, np.uint8)
    if min(before.shape) < 4 * run * CELL:
        return result
    scan, cleaned = (_without_text(page, width) for page in (before, after))
    across = _between_edges(scan, cleaned, run)
    along = _between_edges(scan.T, cleaned.T, run).T
    # what text or a stain hides of an edge is filled in from the rows beside it
    square = np.ones((run, run), np.uint8)
    filled = cv2.morphologyEx(across, cv2.MORPH_CLOSE, np.ones((2 * run + 1, 1), np.uint8))
    beside = cv2.morphologyEx(
        np.ascontiguousarray(along), cv2.MORPH_CLOSE, np.ones((1, 2 * run + 1), np.uint8)
    )
    inside = np.asarray(
        cv2.morphologyEx(cv2.bitwise_and(filled, beside), cv2.MORPH_OPEN, square), np.uint8
    )
    for left, top, wide, high, area in cv2.connectedComponentsWithStats(inside)[2][1:].tolist():
        box = np.s_[top : top + high, left : left + wide]
        if area < max(AREA * inside.size, FILLED * wide * high):
            continue
        if _corners(inside[box]) >= CORNERS and _evenness(scan, *box) >= EVEN:
            result[top * CELL : (top + high) * CELL, left * CELL : (left + wide) * CELL] = 255
    return result


def _without_text(page: np.ndarray, width: float) -> Floats:
    """The page in cells, with text painted over by the paper around it."""
    side = round(TEXT * width) | 1
    closed = cv2.morphologyEx(page, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))
    height, length = (size // CELL for size in page.shape)
    whole = closed[: height * CELL, : length * CELL]
    cells = cv2.resize(whole, (length, height), interpolation=cv2.INTER_AREA)
    return np.asarray(cells, np.float32)


def _between_edges(scan: Floats, cleaned: Floats, run: int) -> Mask:
    """1 from each lost step down to the next lost step up to its right, row by row."""
    step, left = (_steps(cells, run) for cells in (scan, cleaned))
    high = np.abs(step)
    least = max(PALEST, ABOVE_USUAL * float(np.median(high)))
    edge = (high >= least) & (np.abs(left) <= GONE * high)
    edge &= high >= cv2.dilate(high, np.ones((1, 4 * APART - 1), np.uint8))
    down, up = edge & (step < 0), edge & (step > 0)
    rows = down.any(axis=1) & up.any(axis=1)
    places = np.where(edge[rows], np.arange(scan.shape[1]), 0)
    after_down = np.take_along_axis(down[rows], np.maximum.accumulate(places, axis=1), axis=1)
    before_up = np.logical_or.accumulate(up[rows, ::-1], axis=1)[:, ::-1]
    inside = np.zeros(scan.shape, np.uint8)
    inside[rows] = after_down & before_up
    return inside


def _steps(cells: Floats, run: int) -> Floats:
    """How much lighter a cell's right side is than its left, as a share of its level."""
    smooth = np.asarray(cv2.blur(np.ascontiguousarray(cells), (1, run)), np.float32)
    steps = np.zeros_like(smooth)
    level = np.maximum(smooth[:, APART:-APART], 64)
    steps[:, APART:-APART] = (smooth[:, 2 * APART :] - smooth[:, : -2 * APART]) / level
    return steps


def _corners(inside: Mask) -> int:
    """How many corners of a box, each of a sixth of its sides, are filled for the most part."""
    high, wide = (max(length // 6, 1) for length in inside.shape)
    ends = [(slice(None, length), slice(-length, None)) for length in (high, wide)]
    return sum(bool(inside[rows, columns].mean() > 0.5) for rows in ends[0] for columns in ends[1])


def _evenness(cells: Floats, rows: slice, columns: slice) -> float:
    """Lowest of the steps at a box's four sides as a share of the highest; 0 if one is missing."""
    steps = []
    for turned, (first, last), along in (
        (cells, (columns.start, columns.stop), rows),
        (cells.T, (rows.start, rows.stop), columns),
    ):
        side = turned[along]
        for outer, inner in (
            (slice(max(first - 5, 0), max(first - 2, 0)), slice(first + 2, first + 5)),
            (slice(last + 2, last + 5), slice(last - 5, last - 2)),
        ):
            out, into = side[:, outer], side[:, inner]
            paper = float(np.median(out)) if out.size else 0.0
            steps.append(1 - float(np.median(into)) / paper if paper else 0.0)
    return min(steps) / max(steps) if min(steps) >= PALEST * 0.8 else 0.0
