"""Pages of text and line art in one bit.

Arrays only. A cleaned page has white paper, so what is ink is told by each stroke's own darkness,
not by one level for the page: faint pencil beside black print stays.
"""

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pagewash.blocks import block_means, fill_blocks
from pagewash.grey import darkest
from pagewash.measuring.strokes import (
    map_strokes,
    pictures,
    reduce,
    reduction,
    stroke_width,
    tone,
)

INK = 0.5
"""A pixel is ink where it is more than this share as dark as the darkest within `REACH`. At 0.4
more of faint strokes stays, but letters of typescript run together: of one page, Tesseract misread
15 % of the characters in place of 4 %."""

HAIRLINE = 0.3
"""What `INK` is for a pixel on a thin line that is paler than the stems it runs between."""

RIDGE, BESIDE = 0.15, 2
"""A pixel is on a thin line where it is darker, by this share of the darkest within `REACH`, than
both pixels so far away to either side. A gap between two letters is lighter than these."""

REACH = 7
"""Side of the square, in pixels, in which a stroke's own darkness is sought."""

FAINTEST = 48
"""Grey levels below white that ink exceeds everywhere; what is left of paper is lighter."""

STEEPNESS = 4
"""Grey levels that a level beside the threshold becomes: edges stay soft for a turn by a small
angle, and one bit comes out of them at 128."""


BLOCK = 16
"""Side, in pixels of the reduced page, of what is picture or text as a whole."""

WIDE, WIDEST_STROKE = 9, 5
"""Tones wider than so many pixels of the reduced page, and than so many widths of its strokes, are
no strokes."""

DARKEST, PALEST = 64, 236
"""Tones between these become something else in one bit."""

TONED = 0.15
"""Share of a block that such tones take, from which on it is one of a picture or a tint."""

TINTED = 0.01
"""Share of such blocks from which on a page has tints."""


def has_pictures(page: NDArray[np.uint8]) -> bool:
    """Whether a cleaned page holds pictures, tints or other wide areas, which one bit would ruin.

    Args:
        page: (H, W) grey or (H, W, 3) RGB.
    """
    grey = reduce(page, reduction(page.shape))
    if min(grey.shape) < 32:
        return False
    return bool(pictures(tone(grey, 255)).any() or toned_blocks(page).mean() >= TINTED)


def toned_blocks(page: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Find the places of a page that one bit would make black or white though they are neither.

    Strokes are closed first, so that faint ones count as little as black ones. Single blocks, as
    where letters run together, are left out.

    Args:
        page: (H, W) grey or (H, W, 3) RGB, cleaned, of 32 px a side at least when reduced.

    Returns:
        (rows, columns) uint8, 1 on blocks of `BLOCK` pixels of the reduced page.
    """
    small = reduce(darkest(page), reduction(page.shape))
    side = max(WIDE, round(WIDEST_STROKE * stroke_width(map_strokes(small).strokes)) | 1)
    closed = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))
    toned = cv2.inRange(closed, np.array(DARKEST + 1), np.array(PALEST - 1))
    shares = block_means(fill_blocks(toned, BLOCK), BLOCK)
    blocks = np.asarray(shares > 255 * TONED, np.uint8)
    square = np.ones((2, 2), np.uint8)
    corners = cv2.erode(blocks, square, anchor=(0, 0), borderValue=[0])
    return np.asarray(cv2.dilate(corners, square, anchor=(1, 1)), np.uint8)


def one_bit_levels(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A cleaned page with its threshold brought to 128 everywhere.

    Args:
        grey: (H, W) uint8, on white paper.

    Returns:
        (H, W) uint8; below 128 is ink. Edges are soft still, so that the page may be resampled
        before it is cut at 128.
    """
    darkness = np.asarray(cv2.bitwise_not(grey), np.uint8)
    own = cv2.dilate(darkness, np.ones((REACH, REACH), np.uint8))
    threshold = cv2.convertScaleAbs(own, alpha=INK)
    thin = cv2.compare(_ridges(darkness), cv2.convertScaleAbs(own, alpha=RIDGE), cv2.CMP_GE)
    cv2.copyTo(cv2.convertScaleAbs(own, alpha=HAIRLINE), thin, threshold)
    threshold = cv2.max(threshold, FAINTEST)  # type: ignore[call-overload]
    above = cv2.subtract(darkness, threshold)
    below = cv2.subtract(threshold, darkness)
    paper = cv2.convertScaleAbs(below, alpha=STEEPNESS, beta=128)
    return np.asarray(cv2.subtract(paper, cv2.convertScaleAbs(above, alpha=STEEPNESS)), np.uint8)


def _ridges(darkness: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W): how much darker a pixel is than both `BESIDE` it, along the best of four lines."""
    side = 2 * BESIDE + 1
    last = side - 1
    most = np.zeros_like(darkness)
    for ends in (
        [(BESIDE, 0), (BESIDE, last)], [(0, BESIDE), (last, BESIDE)],
        [(0, 0), (last, last)], [(0, last), (last, 0)],
    ):  # fmt: skip
        both = np.zeros((side, side), np.uint8)
        both[tuple(zip(*ends, strict=True))] = 1
        cv2.max(most, cv2.subtract(darkness, cv2.dilate(darkness, both)), most)
    return most


def one_bit(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A cleaned page in 0 and 255 alone: text cut at its threshold, a page with pictures in dots.

    Args:
        grey: (H, W) uint8, on white paper.
    """
    if has_pictures(grey):
        return halftone(grey)
    return cut(one_bit_levels(grey))


def cut(levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Levels as `one_bit_levels` gives them, in 0 and 255 alone."""
    return np.asarray(cv2.threshold(levels, 127, 255, cv2.THRESH_BINARY)[1], np.uint8)


def halftone(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A page of pictures in black and white dots, 0 and 255, by Floyd and Steinberg's diffusion."""
    return np.asarray(Image.fromarray(grey).convert("1"), np.uint8) * np.uint8(255)
