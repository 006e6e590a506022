"""Pictures keep their tones, on paper of any colour.

A network sees too little of a large picture to tell its lightest tones from paper. Here a picture
is a box of which hardly anything is as light as the page's paper, with paper or the page's edge on
all sides, and of which the network too leaves much dark: stains, shadows and blocks of text do not.
Arrays only.
"""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from pagewash.cleaning.scale import LARGE, resample
from pagewash.pages import Pixels

Area = tuple[slice, slice]
"""A rectangle of a page, as its rows and columns."""

LIGHT = 240
"""What a network leaves as light as this is paper."""

WHITE = 250
"""Paper as light as this in the scan is white."""

CELL = 8
"""Side in pixels of the squares in which pictures are looked for: twice that on a page of more than
`LARGE` pixels, as one of 600 dpi is, and so on."""

SIDE = 8
"""Cells of the shorter side of a picture, at least."""

FILLED = 0.9
"""Share of a picture's cells, at least, that are darker than the page's paper; blots and blocks of
lines have less."""

KEPT = 0.4
"""Share of a picture, at least, that a network leaves darker than paper. It tells a photograph from
a darker sheet on the page, of which little stays but its text."""

STEP = 10
"""Grey levels by which paper changes, at most, from one cell to the next but one."""

LARGE_PART = 0.25
"""Size of a stretch of paper that may tell the page's tone, as a share of the largest."""

AROUND = 6
"""Cells around a picture that tell the colour of its paper."""


def find_pictures(grey: Pixels, cleaned: Pixels) -> list[Area]:
    """Find boxes darker than the paper of the page, with paper or the page's edge on all sides.

    Args:
        grey: (H, W) uint8, a page as scanned.
        cleaned: (H, W) uint8, what the network makes of it.
    """
    cell = _cell(grey.shape)
    height, width = (length // cell for length in grey.shape)
    if min(height, width) < SIDE + 2:
        return []
    whole = np.s_[: height * cell, : width * cell]
    cells, answers = (resample(page[whole], 1 / cell) for page in (grey, cleaned))
    darkest_paper = _darkest_paper(cells, answers >= WHITE)
    if darkest_paper is None:
        return []
    tinted = (cells < darkest_paper).astype(np.uint8)
    boxes = (_on_page(box, cell, grey.shape) for box in _filled_boxes(tinted))
    return [box for box in boxes if _stays_dark(cleaned[box])]


def on_white_paper(page: Pixels, cleaned: Pixels, box: Area) -> Pixels:
    """Return a picture as it would be on white paper: divided by the colour of the paper around it.

    Args:
        page: (H, W) uint8 or (H, W, 3) uint8 RGB, as scanned.
        cleaned: the same page cleaned, of the same shape.
        box: where the picture is.

    Returns:
        The pixels of the box, as scanned where the paper around is white already.
    """
    cell = _cell(page.shape)
    around = tuple(slice(max(s.start - AROUND * cell, 0), s.stop + AROUND * cell) for s in box)
    inner = tuple(
        slice(s.start - a.start, s.stop - a.start) for s, a in zip(box, around, strict=True)
    )
    paper = _is_paper(cleaned[around])
    paper[inner] = False
    if not paper.any():
        return cleaned[box]
    colour = np.atleast_1d(np.median(page[around][paper], axis=0))
    if (colour >= WHITE).all():
        return page[box]
    steps = np.arange(256)[None, :, None] * (255 / np.maximum(colour, 1))
    shown = np.asarray(
        cv2.LUT(page[box], np.clip(steps, 0, 255).round().astype(np.uint8)), np.uint8
    )
    # the outermost cells reach beyond the picture, but for the page's edge: what is paper there
    # stays white
    rim = _is_paper(cleaned[box])
    middle = tuple(_within(s, cell, length) for s, length in zip(box, page.shape, strict=False))
    rim[middle] = False
    shown[rim] = cleaned[box][rim]
    return shown


def _cell(shape: tuple[int, ...]) -> int:
    """Side in pixels of a cell of a page."""
    side, pixels = CELL, shape[0] * shape[1]
    while pixels > LARGE:
        side, pixels = side * 2, pixels // 4
    return side


def _within(box: slice, rim: int, length: int) -> slice:
    """Along one side of a page, the part of a box without its rim, from the box's start."""
    first = rim if box.start else 0
    last = box.stop - (rim if box.stop < length else 0)
    return slice(first, last - box.start)


def _is_paper(cleaned: Pixels) -> NDArray[np.bool_]:
    darkest = cleaned if cleaned.ndim == 2 else cleaned.min(axis=2)
    light: NDArray[np.bool_] = darkest >= LIGHT
    return light


def _darkest_paper(cells: Pixels, paper: NDArray[np.bool_]) -> NDArray[np.float32] | None:
    """Say how dark paper may be in each cell: below the tone of the page there, and its spread.

    The tone is a surface of the second degree, as uneven light is, through paper.

    Args:
        cells: (h, w) uint8, the scan.
        paper: (h, w) bool, what the network calls paper, also the bleached parts of pictures.

    Returns:
        (h, w); None where there is too little paper.
    """
    whole = _lightest_even_part(cells, paper)
    rows, columns = np.nonzero(whole)
    if rows.size < max(0.02 * paper.size, 12):
        return None
    every = max(rows.size // 1000, 1)
    rows, columns = rows[::every], columns[::every]
    levels = cells[rows, columns].astype(np.float32)
    terms = np.stack(_terms(rows, columns, cells.shape), axis=1)
    near = np.ones(levels.shape, np.bool_)
    for _ in range(2):
        weights = np.linalg.lstsq(terms[near], levels[near], rcond=None)[0]
        away = np.abs(levels - terms @ weights)
        spread = 1.5 * float(np.median(away))
        near = away <= max(3 * spread, 1)
    height, width = cells.shape
    y, x = np.arange(height, dtype=np.intp)[:, None], np.arange(width, dtype=np.intp)[None]
    tone = np.zeros(cells.shape, np.float32)
    for term, weight in zip(_terms(y, x, cells.shape), weights, strict=True):
        tone += term * np.float32(weight)
    return np.minimum(tone, np.float32(255)) - np.float32(max(255 - WHITE, 4 * spread))


def _lightest_even_part(cells: Pixels, paper: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the lightest of the large stretches of paper without a sudden change.

    There is one at a picture's edge. What a network has bleached of the picture may be larger than
    the paper beside it, but is darker.
    """
    square = np.ones((3, 3), np.uint8)
    even = paper & (cv2.subtract(cv2.dilate(cells, square), cv2.erode(cells, square)) <= STEP)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        even.astype(np.uint8), connectivity=4
    )
    areas = stats[:, cv2.CC_STAT_AREA]
    areas[0] = 0
    level = np.bincount(labels.ravel(), cells.ravel(), count) / np.maximum(areas, 1)
    level[areas < max(LARGE_PART * areas.max(), 1)] = -1
    lightest: NDArray[np.bool_] = (labels == level.argmax()) & even
    return lightest


def _terms(
    rows: NDArray[np.intp], columns: NDArray[np.intp], shape: tuple[int, ...]
) -> list[NDArray[np.float32]]:
    """Terms of a surface of the second degree, at each row and column."""
    y = (rows / shape[0] - 0.5).astype(np.float32)
    x = (columns / shape[1] - 0.5).astype(np.float32)
    return [np.ones_like(y), y, x, y * y, x * y, x * x]


def _filled_boxes(tinted: NDArray[np.uint8]) -> Iterator[Area]:
    """Boxes of connected cells that fill them."""
    stats = cv2.connectedComponentsWithStats(tinted)[2]
    for left, top, width, height, area in stats[1:].tolist():
        if min(width, height) >= SIDE and area >= FILLED * width * height:
            yield slice(top, top + height), slice(left, left + width)


def _on_page(box: Area, cell: int, shape: tuple[int, ...]) -> Area:
    """Say where a box of cells is on a page; one up to its last whole cell ends with the page."""
    rows, columns = (
        slice(s.start * cell, length if s.stop == length // cell else s.stop * cell)
        for s, length in zip(box, shape, strict=True)
    )
    return rows, columns


def _stays_dark(cleaned: Pixels) -> bool:
    return int(np.count_nonzero(cleaned < LIGHT)) >= KEPT * cleaned.size
