"""A cleaned page of text and pictures in layers: its text in one bit, its pictures as they are.

Arrays only. What is wide and neither black nor white is a picture or a tint, which one bit would
ruin: it stays, with the box around it.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pagewash.geometry.bilevel import BLOCK, cut, one_bit_levels, toned_blocks
from pagewash.geometry.transform import Box
from pagewash.grey import luminance
from pagewash.measuring.strokes import TONES, components, pictures, reduce, reduction, tone

MOST = 0.7
"""Share of the page that pictures take, from which on layers are not worth it."""


@dataclass(frozen=True, eq=False)
class Layers:
    """What a page is made of."""

    text: NDArray[np.uint8]
    """(H, W), 0 and 255; white where pictures are."""

    pictures: tuple[Box, ...]
    """Where the page stays as it is; none overlaps another."""


def split_layers(page: NDArray[np.uint8]) -> Layers | None:
    """Tell the text of a page from its pictures.

    Args:
        page: (H, W) uint8 grey or (H, W, 3) RGB, on white paper.

    Returns:
        None where there are no pictures, or nearly nothing else, or the page is tiny.
    """
    if min(page.shape[:2]) // reduction(page.shape) < BLOCK:
        return None
    boxes = _picture_boxes(page)
    covered = sum((right - left) * (bottom - top) for left, top, right, bottom in boxes)
    if not 0 < covered <= MOST * page.shape[0] * page.shape[1]:
        return None
    text = cut(one_bit_levels(luminance(page)))
    for left, top, right, bottom in boxes:
        text[top:bottom, left:right] = 255
    return Layers(text, tuple(boxes))


def _picture_boxes(page: NDArray[np.uint8]) -> list[Box]:
    """Boxes around the blocks that are no text and those beside them, in pixels of the page."""
    factor = reduction(page.shape)
    side = BLOCK * factor
    height, width = page.shape[:2]
    toned = toned_blocks(page)
    dark = pictures(tone(reduce(page, factor), 255)).astype(np.uint8)
    framed = np.zeros([length * BLOCK // TONES for length in toned.shape], np.uint8)
    framed[: dark.shape[0], : dark.shape[1]] = dark
    found = cv2.max(toned, _by_block(framed, BLOCK // TONES))
    grown = cv2.dilate(found, np.ones((3, 3), np.uint8))
    return [
        (left * side, top * side, min(right * side, width), min(bottom * side, height))
        for left, top, right, bottom in _boxes_apart(np.asarray(grown, np.uint8))
    ]


def _by_block(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The highest level of each block."""
    rows, columns = (length // side for length in image.shape)
    return np.asarray(image.reshape(rows, side, columns, side).max(axis=(1, 3)), np.uint8)


def _boxes_apart(mask: NDArray[np.uint8]) -> list[Box]:
    """The boxes of connected parts; those that touch become one, until none do."""
    while True:
        boxes = [
            (left, top, left + wide, top + high)
            for left, top, wide, high, _ in components(mask).stats[1:].tolist()
        ]
        filled = np.zeros_like(mask)
        for left, top, right, bottom in boxes:
            filled[top:bottom, left:right] = 1
        if np.array_equal(filled, mask):
            return boxes
        mask = filled
