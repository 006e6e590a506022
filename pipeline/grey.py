"""The one conversion of colour to grey, what shows ink of any colour, and whether there is any."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

LUMA = np.array((0.299, 0.587, 0.114), np.float32)
"""Weights of R, G and B in luminance, by ITU-R BT.601."""


def luminance(page: NDArray[Any]) -> NDArray[Any]:
    """Return the luminance of a page by `LUMA`; a grey page is returned as it is.

    Args:
        page: (H, W), or (H, W, 3) RGB; uint8, or float32 in any range.

    Returns:
        (H, W) of the same dtype.
    """
    return page if page.ndim == 2 else np.asarray(cv2.cvtColor(page, cv2.COLOR_RGB2GRAY))


def darkest(page: NDArray[Any]) -> NDArray[Any]:
    """Return the darkest primary of each pixel: ink of any colour, yellow too, is dark in one.

    Args:
        page: (H, W), which is returned as it is, or (H, W, 3) RGB; uint8 or float32.

    Returns:
        (H, W) of the same dtype.
    """
    if page.ndim == 2:
        return page
    red, green, blue = cv2.split(page)
    return np.asarray(cv2.min(cv2.min(red, green), blue))


def is_grey(page: NDArray[Any]) -> bool:
    """Whether a page has no colour: one channel, or three that are all equal."""
    return page.ndim == 2 or all(are_equal(page[..., 0], page[..., c]) for c in (1, 2))


def are_equal(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Whether two channels or pages are equal in all pixels."""
    some = np.s_[::16]  # mostly, a few rows tell that they are not
    return np.array_equal(one[some], other[some]) and np.array_equal(one, other)
