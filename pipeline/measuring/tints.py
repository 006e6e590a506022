"""Tinted boxes and pictures that a cleaned page lost: areas with straight, even edges.

A tint may be paler than the stains around it. What tells it is its edge: one step down, of the same
height, along four straight sides that run as the page does. A stain's rim bends, a shadow is soft,
a fold has no four sides. Arrays only; misses boxes of less than a fiftieth of the page, leaning
ones, and nearly half of pale ones on soiled paper.
"""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from pagewash.measuring.strokes import components

CELL = 4
"""Side, in pixels of the reduced page, of the squares in which edges are sought."""

TEXT = 6
"""Widths of a stroke below which what is dark is text, and is painted over first."""

RUN = 10
"""Widths of a stroke along which an edge is averaged: some 4 mm."""

LOOKS = ((1, 6.0), (4, 4.0))
"""How many runs an edge is averaged along, and how many times as high as the page's median step it
must be. Along short runs edges that text hides in part are seen, along long ones those on paper
that is as uneven as the tint is pale."""

PALEST = 0.03
"""Step from paper to the palest tint, as a share of the paper's tone."""

GONE = 0.4
"""Share of its height, at most, that an edge has on the cleaned page if it is lost."""

APART = 2
"""Cells on either side of an edge between which its step is taken."""

LEAST, MOST = 0.02, 0.7
"""Share of the page that a box takes: what takes more is the page's paper, before what lies around
it."""

FILLED = 0.6
"""Share of its bounding box that lies between opposite edges, at least."""

CORNERS = 2
"""How many of its four corners are filled, at least: those of a round stain are not."""

LOWEST = 0.04
"""Step at each side of a box."""

EVEN = 0.5
"""Lowest of the steps at its four sides, as a share of the highest."""

ASIDE = 6
"""Cells by which a side may lie from where the box was found to end."""

PIECES, STRAIGHT = 12, 0.7
"""Of so many pieces of a side, the share that has about the step of the whole: where a rim bends or
frays, pieces of it lie elsewhere."""

ALIKE = (0.4, 1.8)
"""Steps between these, in steps of the whole side, are about the same."""

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
    for runs, above in LOOKS:
        for rows, columns in _boxes(scan, cleaned, run, runs * run | 1, above):
            if _is_box(scan, rows, columns):
                result[
                    rows.start * CELL : rows.stop * CELL, columns.start * CELL : columns.stop * CELL
                ] = 255
    return result


def _boxes(
    scan: Floats, cleaned: Floats, run: int, along_edges: int, above: float
) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of what lies between lost edges."""
    across = _between_edges(scan, cleaned, along_edges, above)
    along = np.ascontiguousarray(_between_edges(scan.T, cleaned.T, along_edges, above).T)
    # what text or a stain hides of an edge is filled in from the rows beside it
    filled = cv2.morphologyEx(across, cv2.MORPH_CLOSE, np.ones((2 * run + 1, 1), np.uint8))
    beside = cv2.morphologyEx(along, cv2.MORPH_CLOSE, np.ones((1, 2 * run + 1), np.uint8))
    inside = np.asarray(
        cv2.morphologyEx(
            cv2.bitwise_and(filled, beside), cv2.MORPH_OPEN, np.ones((run, run), np.uint8)
        ),
        np.uint8,
    )
    for left, top, wide, high, area in components(inside).stats[1:].tolist():
        box = slice(top, top + high), slice(left, left + wide)
        if area < LEAST * inside.size or wide * high > MOST * inside.size:
            continue
        if area >= FILLED * wide * high and _corners(inside[box]) >= CORNERS:
            yield box


def _without_text(page: np.ndarray, width: float) -> Floats:
    """The page in cells, with text painted over by the paper around it."""
    side = round(TEXT * width) | 1
    closed = cv2.morphologyEx(page, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))
    height, length = (size // CELL for size in page.shape)
    whole = closed[: height * CELL, : length * CELL]
    cells = cv2.resize(whole, (length, height), interpolation=cv2.INTER_AREA)
    return np.asarray(cells, np.float32)


def _between_edges(scan: Floats, cleaned: Floats, run: int, above: float) -> Mask:
    """1 from each lost step down to the next lost step up to its right, row by row."""
    step, left = (_steps(cells, run) for cells in (scan, cleaned))
    high = np.abs(step)
    least = max(PALEST, above * float(np.median(high)))
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


def _is_box(cells: Floats, rows: slice, columns: slice) -> bool:
    """Whether all four sides of a box are straight steps down into it, about as high."""
    steps = []
    for turned, across, along in ((cells, columns, rows), (cells.T, rows, columns)):
        for end, inward in ((across.start, 1), (across.stop, -1)):
            pieces = _pieces_of_side(turned, along, end, inward)
            step = float(np.median(pieces))
            alike = (pieces > ALIKE[0] * step) & (pieces < ALIKE[1] * step)
            if step < LOWEST or np.mean(alike) < STRAIGHT:
                return False
            steps.append(step)
    return min(steps) >= EVEN * max(steps)


def _pieces_of_side(cells: Floats, along: slice, end: int, inward: int) -> Floats:
    """(N,) steps down into a box along its side, where they are highest near its end.

    Args:
        cells: (h, w) with the side upright.
        along: rows of the box.
        end: column at which it was found to end.
        inward: 1 if the box lies right of it, -1 if left.
    """
    corner = (along.stop - along.start) // 8
    strip = cells[along.start + corner : along.stop - corner]
    near = range(max(end - ASIDE, 3), min(end + ASIDE, cells.shape[1] - 3) + 1)
    sides = [_steps_at(strip, column, inward) for column in near]
    best = max(sides, key=lambda steps: float(np.median(steps)))
    pieces = np.array_split(best, min(PIECES, len(best)))
    return np.array([piece.mean() for piece in pieces], np.float32)


def _steps_at(strip: Floats, column: int, inward: int) -> Floats:
    """(rows,) how much darker, as a share, the one side of a column is than the other."""
    before, after = strip[:, column - 3 : column - 1], strip[:, column + 1 : column + 3]
    outer, inner = (before, after) if inward > 0 else (after, before)
    return np.asarray(1 - inner.mean(1) / np.maximum(outer.mean(1), 1), np.float32)
