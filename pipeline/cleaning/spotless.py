"""Ink on spotless paper, which is left as it was scanned.

A network never says exactly nothing: of a page without dirt it still hardens edges, and thins the
finest strokes. Where the paper all around is white already, nothing needs to be told from ink, and
the scan stays: a clean page comes back bit for bit. Specks between the lines still go. Arrays only.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from pagewash.grey import luminance
from pagewash.pages import Pixels

Mask = NDArray[np.uint8]
"""(H, W), 255 for yes and 0 for no."""

LIGHT, LIGHTER = 240, 128
"""What a network leaves as light as this is paper, or makes lighter by this: of a black border,
integers leave more than floats do."""

WHITE = 250
"""Paper as light as this in the scan is white."""

MARGIN = 3
"""Pixels around ink that belong to its edge, or to a JPEG's ripples at it."""

CELL = 32
"""Side in pixels of the squares in which dirt is counted."""

AROUND = 5
"""Cells, in rows and in columns, that are around a cell, itself included: 80 pixels each way."""

SPOTLESS = 0.003
"""Share of the paper around that may be dirty. Of crops rendered and corrupted as for training,
most with less dirt than this are nearer to the clean page as scanned than as the network answers.
"""

MOSTLY = 4
"""How much more dirt is let pass on a page of whose ink more than half stands on spotless paper: a
limit that the dirt of a page straddles would leave its words of two weights."""

TONED = 0.3
"""Share of a page that is paper darker than white, from which on nothing stays: it is not looked at
closely. The edges of ink are counted with it, which are a fifth of a page at most."""

SAMPLED_ROWS = 16
"""One in so many tells that."""

WHOLE_PAGE = 0.05
"""Weight of the whole page beside what is around a cell: it decides inside a picture, where there
is no paper."""


def what_stays(scan: Pixels, cleaned: Pixels) -> Mask | None:
    """Find ink that has nothing but white paper around it, and such paper that was painted darker.

    Args:
        scan: (H, W) or (H, W, 3) uint8, a page as scanned.
        cleaned: of the same shape, what the network makes of it.

    Returns:
        (H, W) uint8: 255 where the page should stay as it was scanned, else 0; None if that is
        nowhere.
    """
    grey, light = luminance(scan), luminance(cleaned)
    some = np.s_[::SAMPLED_ROWS]
    if np.mean((light[some] >= LIGHT) & (grey[some] < WHITE)) > TONED:
        return None
    side = 2 * MARGIN + 1
    gone = cv2.threshold(cv2.subtract(light, grey), LIGHTER - 1, 255, cv2.THRESH_BINARY)[1]
    paper = cv2.max(cv2.threshold(light, LIGHT - 1, 255, cv2.THRESH_BINARY)[1], gone)
    paper = cv2.erode(paper, np.ones((side, side), np.uint8), borderValue=255)
    dirt = cv2.threshold(grey, WHITE - 1, 255, cv2.THRESH_BINARY_INV)[1]
    cv2.bitwise_and(paper, dirt, dirt)
    cells = _spotless_cells(paper, dirt)
    if not cells.any():
        return None
    stays = cv2.bitwise_or(cv2.bitwise_not(paper), _darker(cleaned, scan))
    height, width = grey.shape
    rows, columns = cells.shape
    large = cv2.resize(
        cells.astype(np.uint8) * np.uint8(255), (columns * CELL, rows * CELL),
        interpolation=cv2.INTER_NEAREST,
    )  # fmt: skip
    return np.asarray(cv2.bitwise_and(stays, large[:height, :width]), np.uint8)


def _darker(cleaned: Pixels, scan: Pixels) -> Mask:
    """Where any channel of a page is darker than it was."""
    darker = cv2.compare(cleaned, scan, cv2.CMP_LT)
    if darker.ndim == 3:  # numpy's own maximum takes five times as long
        red, green, blue = cv2.split(darker)
        darker = cv2.max(cv2.max(red, green), blue)
    return np.asarray(darker, np.uint8)


def _spotless_cells(paper: np.ndarray, dirt: np.ndarray) -> NDArray[np.bool_]:
    """Find cells with next to no dirt on the paper around, from masks of both."""
    page_paper, page_dirt = (cv2.countNonZero(mask) / mask.size for mask in (paper, dirt))
    if not page_paper or WHOLE_PAGE * page_dirt > SPOTLESS * (1 + WHOLE_PAGE):
        return np.zeros((1, 1), np.bool_)  # no cell could be
    dirt_around = _around(_cells(dirt)) + WHOLE_PAGE * page_dirt
    limit = SPOTLESS * (_around(_cells(paper)) + WHOLE_PAGE * page_paper)
    cells = dirt_around <= limit
    ink = _cells(cv2.bitwise_not(paper))
    if ink[cells].sum() > ink.sum() / 2:
        cells = dirt_around <= MOSTLY * limit
    return np.asarray(cells, np.bool_)


def _cells(mask: np.ndarray) -> np.ndarray:
    """Return (rows, columns) float32 of cells: the share of their pixels that are set."""
    height, width = mask.shape
    bottom, right = -height % CELL, -width % CELL
    whole = cv2.copyMakeBorder(mask, 0, bottom, 0, right, cv2.BORDER_CONSTANT, value=[0])
    size = whole.shape[1] // CELL, whole.shape[0] // CELL
    # a cell's mean in 255ths: one or two pixels of a cell are too few to be seen
    means = cv2.resize(whole, size, interpolation=cv2.INTER_AREA)
    return np.asarray(means, np.float32) / 255


def _around(cells: np.ndarray) -> np.ndarray:
    """Return the mean of the cells around each, itself included."""
    return np.asarray(cv2.blur(cells, (AROUND, AROUND), borderType=cv2.BORDER_CONSTANT))
