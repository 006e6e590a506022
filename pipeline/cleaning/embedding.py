"""What stands where on a page, as one vector: two scans of one page have nearly the same.

A thumbnail of the cleaned page goes through the network once more: what it sees where keeps the
layout, and what the scans differ in is gone. That costs a hundredth of cleaning an A4 page at
300 dpi, or less. Arrays in, one array out: knows neither files nor whom it is compared with.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from pagewash.pages import Pixels

PLACES = (32, 24)
"""Rows and columns of places on a page, whatever its shape."""

Floats = NDArray[np.float32]


def thumbnail(cleaned: Pixels, side: int) -> Pixels:
    """Reduce a page, (H, W) or (H, W, 3), so that each place is a square of `side` pixels."""
    size = PLACES[1] * side, PLACES[0] * side
    return np.asarray(cv2.resize(cleaned, size, interpolation=cv2.INTER_AREA), np.uint8)


def page_embedding(layout: Floats, directions: Floats) -> Floats:
    """Describe a cleaned page by what a network sees where.

    Args:
        layout: (C, places).
        directions: (C, D) in which places differ most, from the model's calibration.

    Returns:
        (places * D,) of length 1, or of zeros for an empty page: the scalar product of two is near
        1 for two scans of one page.
    """
    embedding = np.ravel((layout - layout.mean(1, keepdims=True)).T @ directions)
    length = float(np.linalg.norm(embedding))
    return np.asarray(embedding / length if length > 1e-3 else np.zeros_like(embedding), np.float32)
