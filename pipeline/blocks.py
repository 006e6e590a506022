"""Means over square blocks of pixels, fast. Arrays only."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def fill_blocks(image: NDArray[Any], side: int) -> NDArray[Any]:
    """Repeat the last row and column of (H, W) or (H, W, 3) until all blocks are whole."""
    below, right = (-length % side for length in image.shape[:2])
    if not below and not right:
        return image
    return np.asarray(cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_REPLICATE))


def block_means(page: NDArray[Any], side: int) -> NDArray[Any]:
    """Reduce a page to the means of its blocks.

    Args:
        page: (H, W) or (H, W, 3), uint8 or float32; H and W are multiples of `side`.
        side: of a block; 1 is the page itself.

    Returns:
        (H / side, W / side), with the channels and the dtype that it had.
    """
    height, width = page.shape[0] // side, page.shape[1] // side
    while side % 2 == 0:  # OpenCV takes means of 2 x 2 in a seventh of the time of larger ones
        side //= 2
        size = width * side, height * side
        page = np.asarray(cv2.resize(page, size, interpolation=cv2.INTER_AREA))
    if side == 1:
        return page
    if page.ndim == 2 and page.dtype == np.uint8:  # the same means, in two thirds of the time
        middles = slice(side // 2, None, side)
        return np.ascontiguousarray(cv2.blur(page, (side, side))[middles, middles])
    return np.asarray(cv2.resize(page, (width, height), interpolation=cv2.INTER_AREA))
