"""Ink and pictures on spotless paper, which are left as they were scanned.

A network never says exactly nothing: of a page without dirt it still hardens edges, thins the
finest strokes, and takes the lightest tones of a photograph for paper. Where the paper all around
is white already, nothing needs to be told from ink, and the scan stays: a clean page comes back bit
for bit. Specks between the lines still go. Arrays only.
"""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.pages import Pixels

Mask = NDArray[np.bool_]

MARGIN = 3
"""Pixels around ink that belong to its edge, or to a JPEG's ripples at it."""

LIGHT = 240
"""What a network leaves as light as this is paper."""

WHITE = 250
"""Paper as light as this in the scan is white."""

CELL = 32
"""Side in pixels of the squares in which dirt is counted."""

AROUND = 5
"""Cells, in rows and in columns, that are around a cell, itself included: 80 pixels each way."""

SPOTLESS = 0.003
"""Share of the paper around that may be dirty. Of crops rendered and corrupted as for training,
most with less dirt than this are nearer to the clean page as scanned than as the network answers.
"""

WHOLE_PAGE = 0.05
"""Weight of the whole page beside what is around a cell: it decides inside a picture, where there
is no paper."""


PICTURE_CELL = 8
"""Side in pixels of the squares in which pictures are looked for."""

PICTURE_SIDE = 8
"""Cells of the shorter side of a picture, at least."""

PICTURE_FILLED = 0.9
"""Share of a picture's cells, at least, that are not white; blots and blocks of lines have less."""

PICTURE_KEPT = 0.5
"""Share of a picture, at least, that a network leaves darker than paper. It tells a photograph from
a grey scan on a white ground, which has little that stays but its text."""


def what_stays(grey: Pixels, cleaned: Pixels) -> Mask:
    """Find what has nothing but white paper around it: ink, pictures, and paper painted darker.

    Args:
        grey: (H, W) uint8, a page as scanned.
        cleaned: (H, W) uint8, what the network makes of it.

    Returns:
        (H, W) bool: where the page should stay as it was scanned.
    """
    side = 2 * MARGIN + 1
    paper = cv2.threshold(cleaned, LIGHT - 1, 255, cv2.THRESH_BINARY)[1]
    paper = cv2.erode(paper, np.ones((side, side), np.uint8), borderValue=255)
    dirt = cv2.threshold(grey, WHITE - 1, 255, cv2.THRESH_BINARY_INV)[1]
    cv2.bitwise_and(paper, dirt, dirt)
    pictures = list(_pictures(grey, cleaned))
    for picture in pictures:
        dirt[picture] = 0
    spotless = _spotless_cells(paper, dirt)
    spotless &= (paper == 0) | (cleaned < grey)
    for picture in pictures:
        spotless[picture] = True
    return spotless


def _spotless_cells(paper: np.ndarray, dirt: np.ndarray) -> Mask:
    """Find where the paper around has next to no dirt, from masks of both."""
    page_paper, page_dirt = (cv2.countNonZero(mask) / mask.size for mask in (paper, dirt))
    if not page_paper or WHOLE_PAGE * page_dirt > SPOTLESS * (1 + WHOLE_PAGE):
        return np.zeros(paper.shape, np.bool_)  # no cell could be
    dirt_around = _share_around(dirt) + WHOLE_PAGE * page_dirt
    paper_around = _share_around(paper) + WHOLE_PAGE * page_paper
    cells = dirt_around <= SPOTLESS * paper_around
    height, width = paper.shape
    spotless: Mask = cells.repeat(CELL, axis=0)[:height].repeat(CELL, axis=1)[:, :width]
    return spotless


def _pictures(grey: Pixels, cleaned: Pixels) -> Iterator[tuple[slice, slice]]:
    """Find boxes of which little is white, with white paper on all sides."""
    size = tuple(length // PICTURE_CELL for length in grey.shape[::-1])
    if min(size) < PICTURE_SIDE + 2:
        return
    whole = grey[: size[1] * PICTURE_CELL, : size[0] * PICTURE_CELL]
    cells = cv2.resize(whole, size, interpolation=cv2.INTER_AREA)
    tinted = cv2.threshold(cells, WHITE - 1, 1, cv2.THRESH_BINARY_INV)[1]
    stats = cv2.connectedComponentsWithStats(tinted)[2]
    for left, top, width, height, area in stats[1:].tolist():
        if min(width, height) < PICTURE_SIDE or area < PICTURE_FILLED * width * height:
            continue
        if min(left, top) < 1 or left + width >= size[0] or top + height >= size[1]:
            continue  # it may go on beyond the page
        box = (
            slice(top * PICTURE_CELL, (top + height) * PICTURE_CELL),
            slice(left * PICTURE_CELL, (left + width) * PICTURE_CELL),
        )
        if np.count_nonzero(cleaned[box] < LIGHT) >= PICTURE_KEPT * cleaned[box].size:
            yield box


def _share_around(mask: np.ndarray) -> np.ndarray:
    """Return (rows, columns) float32 of cells: the share of pixels around each that are set."""
    height, width = mask.shape
    bottom, right = -height % CELL, -width % CELL
    whole = cv2.copyMakeBorder(mask, 0, bottom, 0, right, cv2.BORDER_CONSTANT, value=[0])
    size = whole.shape[1] // CELL, whole.shape[0] // CELL
    # a cell's mean in 255ths: one or two pixels of a cell are too few to be seen
    cells = cv2.resize(whole, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    return np.asarray(cv2.blur(cells, (AROUND, AROUND), borderType=cv2.BORDER_CONSTANT))
