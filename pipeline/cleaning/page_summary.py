"""A page as the context network sees it: a few numbers for every block of 16 pixels.

Arrays only. A faint stroke that a block's mean would drown survives in its darkest and its spread.
"""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pagewash.blocks import fill_blocks
from pagewash.grey import luminance
from pagewash.models.page_autoencoder import BLOCK, SUMMARY_CHANNELS
from pagewash.pages import Pixels

FINE = 2
"""Side of the cells, in pixels, whose means tell a block's darkest and its spread."""

COARSE = 4
"""Side of the cells whose means tell a block's brightest: larger, so that noise is not paper."""


def summarise_page(page: Pixels) -> NDArray[np.float32]:
    """Summarise a page at the network's view.

    Args:
        page: (H, W) or (H, W, 3) RGB uint8, 0 is black.

    Returns:
        (9, h, w) in 0..1, h and w the number of blocks, rounded up: mean R, G, B; brightest R, G,
        B; darkest luminance; spread of luminance, four times its standard deviation; 1. The last
        rows and columns are repeated to fill a block.
    """
    fine = _fine(page)
    coarse = _shrunk(fine, COARSE // FINE)
    grey = luminance(fine)
    spread = _spread(grey)
    summary = np.full((SUMMARY_CHANNELS, *spread.shape), 255, np.float32)
    summary[0:3] = _planes(_shrunk(coarse.astype(np.float32), BLOCK // COARSE))
    summary[3:6] = _planes(_extreme(cv2.dilate, coarse, BLOCK // COARSE))
    summary[6] = _extreme(cv2.erode, grey, BLOCK // FINE)
    summary[7] = np.minimum(spread, 255)
    summary *= np.float32(1 / 255)
    return summary


def spread_of(page: Pixels) -> NDArray[np.float32]:
    """(h, w): the spread of each block of a page as above, but not cut off at 1."""
    return _spread(luminance(_fine(page))) * np.float32(1 / 255)


def _fine(page: Pixels) -> Pixels:
    """Means of the cells that darkest and spread are told by."""
    return _shrunk(fill_blocks(page, BLOCK), FINE)


def _spread(grey: NDArray[Any]) -> NDArray[np.float32]:
    """Four times the standard deviation of each block of fine cells (h, w)."""
    level = grey.astype(np.float32)
    mean, square = (_shrunk(values, BLOCK // FINE) for values in (level, level * level))
    deviation: NDArray[np.float32] = np.sqrt(np.maximum(square - mean * mean, 0))
    return 4 * deviation


def _shrunk(page: NDArray[Any], side: int) -> NDArray[Any]:
    """Means of cells of (H, W) or (H, W, 3), which hold a whole number of them."""
    size = page.shape[1] // side, page.shape[0] // side
    return np.asarray(cv2.resize(page, size, interpolation=cv2.INTER_AREA))


def _extreme(
    morphology: Callable[..., NDArray[Any]], page: NDArray[Any], side: int
) -> NDArray[Any]:
    """The darkest (by erosion) or brightest (by dilation) of each cell."""
    found = morphology(page, np.ones((side, side), np.uint8), anchor=(0, 0))
    return found[::side, ::side]


def _planes(values: NDArray[Any]) -> NDArray[Any]:
    """(h, w) or (h, w, 3) as something that fits (3, h, w)."""
    return values if values.ndim == 2 else np.moveaxis(values, 2, 0)
