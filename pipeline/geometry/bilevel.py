"""Pages of text and line art in one bit.

Arrays only. A cleaned page has white paper, so what is ink is told by each stroke's own darkness,
not by one level for the page: faint pencil beside black print stays.
"""

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pagewash.measuring.strokes import pictures, reduce, reduction, tone

INK = 0.5
"""A pixel is ink where it is at least this share as dark as the darkest within `REACH`. At 0.4 more
of faint strokes stays, but letters of typescript run together: of one page, Tesseract misread 15 %
of the characters in place of 4 %."""

REACH = 7
"""Side of the square, in pixels, in which a stroke's own darkness is sought."""

FAINTEST = 48
"""Grey levels below white from which on anything is ink; what is left of paper is lighter."""

STEEPNESS = 4
"""Grey levels that a level beside the threshold becomes: edges stay soft for a turn by a small
angle, and one bit comes out of them at 128."""


def has_pictures(page: NDArray[np.uint8]) -> bool:
    """Whether a cleaned page holds pictures or other wide dark areas, which one bit would ruin.

    Args:
        page: (H, W) grey or (H, W, 3) RGB.
    """
    grey = reduce(page, reduction(page.shape))
    return min(grey.shape) >= 32 and bool(pictures(tone(grey, 255)).any())


def one_bit_levels(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A cleaned page with its threshold brought to 128 everywhere.

    Args:
        grey: (H, W) uint8, on white paper.

    Returns:
        (H, W) uint8; below 128 is ink. Edges are soft still, so that the page may be resampled
        before it is cut at 128.
    """
    darkness = cv2.bitwise_not(grey)
    own = cv2.dilate(darkness, np.ones((REACH, REACH), np.uint8))
    threshold = cv2.max(cv2.convertScaleAbs(own, alpha=INK), FAINTEST)  # type: ignore[call-overload]
    above = cv2.subtract(darkness, threshold)
    below = cv2.subtract(threshold, darkness)
    paper = cv2.convertScaleAbs(below, alpha=STEEPNESS, beta=128)
    return np.asarray(cv2.subtract(paper, cv2.convertScaleAbs(above, alpha=STEEPNESS)), np.uint8)


def one_bit(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A cleaned page in 0 and 255 alone: text cut at its threshold, a page with pictures in dots.

    Args:
        grey: (H, W) uint8, on white paper.
    """
    if has_pictures(grey):
        return halftone(grey)
    return np.asarray(cv2.threshold(one_bit_levels(grey), 127, 255, cv2.THRESH_BINARY)[1], np.uint8)


def halftone(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A page of pictures in black and white dots, 0 and 255, by Floyd and Steinberg's diffusion."""
    return np.asarray(Image.fromarray(grey).convert("1"), np.uint8) * np.uint8(255)
