"""What a scan shows around a sheet: the scanner's bed, a table, cloth, the leaves of a book."""

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pagewash.training.synthesis.noise import Image, fractal_field, smooth_field, soften
from pagewash.training.synthesis.printing_on_paper import LaidPage

SEEN_FROM_ONE_SIDE = 0.4
"""Share of sheets that are photographed, and so no rectangle."""

BOUND = 0.25
"""Share of sheets with leaves of a book beneath."""


def surround(
    sheet: LaidPage, rng: Generator, bed: Image | None = None, smallest: float = 0.8
) -> LaidPage:
    """Lay a sheet, a little askew, on something else; some of it may lie beyond the scan.

    Args:
        sheet: with nothing around it.
        rng: decides everything.
        bed: (h, w, 3) in 0..1, of the sheet's size: what it is laid on; None makes something up.
        smallest: share of the scan's sides that the sheet has, at least.
    """
    height, width = sheet.dirty.shape[:2]
    warp = _askew(rng, height, width, smallest)

    def warped(image: Image, border: int) -> Image:
        return np.asarray(cv2.warpPerspective(image, warp, (width, height), borderMode=border))

    inside = warped(np.ones((height, width), np.float32), cv2.BORDER_CONSTANT)
    bed = _bed(rng, height, width) if bed is None else bed
    shade = soften(inside, float(rng.uniform(2, 40)))
    bed = bed * (1 - np.float32(rng.uniform(0, 0.7)) * shade[..., None])
    if rng.random() < BOUND:
        _lay_leaves(rng, bed, inside)
    dirty, clean, paper = (
        warped(np.ascontiguousarray(image), cv2.BORDER_REPLICATE)
        for image in (sheet.dirty, sheet.clean, sheet.paper)
    )
    share, outside = inside[..., None], inside < 0.5
    clean = clean * share + (1 - share)
    clean[outside] = 1
    return LaidPage(dirty * share + bed * (1 - share), clean, outside, paper)


def _askew(rng: Generator, height: int, width: int, smallest: float) -> NDArray[np.float64]:
    """A perspective transformation that turns, shrinks and shifts a little."""
    angle = rng.normal(0, 1.5) if rng.random() < 0.8 else rng.uniform(-10, 10)
    middle = width / 2, height / 2
    turn = np.asarray(cv2.getRotationMatrix2D(middle, angle, rng.uniform(smallest, 1)), np.float64)
    turn[:, 2] += rng.uniform(-0.12, 0.12, 2) * (width, height)
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    moved = np.asarray(cv2.transform(corners[None], turn)[0], np.float64)
    if rng.random() < SEEN_FROM_ONE_SIDE:
        moved += rng.normal(0, 0.02, (4, 2)) * (width, height)
    return np.asarray(cv2.getPerspectiveTransform(corners, moved.astype(np.float32)), np.float64)


def _bed(rng: Generator, height: int, width: int) -> Image:
    """(H, W, 3): black, grey or white, wood or cloth of some colour."""
    chance = rng.random()
    if chance < 0.35:
        colour = np.full(3, rng.uniform(0, 0.18))
    elif chance < 0.6:
        colour = np.full(3, rng.uniform(0.2, 1.0))
    else:
        hue = np.array((1, rng.uniform(0.5, 1), rng.uniform(0.3, 1)))
        colour = rng.uniform(0.05, 0.8) * hue
    tone = 1 + np.float32(0.15) * smooth_field(rng, (height, width), max(height, width) / 2)
    if chance >= 0.6:
        grain = _wood if rng.random() < 0.6 else _cloth
        tone *= 1 + np.float32(rng.uniform(0.05, 0.35)) * grain(rng, height, width)
    bed: Image = np.clip(tone[..., None] * colour.astype(np.float32), 0, 1)
    return bed


def _wood(rng: Generator, height: int, width: int) -> Image:
    narrow = fractal_field(rng, (height, max(width // 40, 4)), 6, 4)
    if rng.random() < 0.5:
        narrow = np.ascontiguousarray(narrow.T)
    return np.asarray(cv2.resize(narrow, (width, height)), np.float32)


def _cloth(rng: Generator, height: int, width: int) -> Image:
    threads = smooth_field(rng, (height, width), rng.uniform(1.5, 4))
    return threads + fractal_field(rng, (height, width), 80)


def _lay_leaves(rng: Generator, bed: Image, inside: Image) -> None:
    """Draw the edges of the leaves beneath, fine lines along the sheet's edge, onto the bed."""
    pitch = int(rng.integers(2, 6))
    sheet = (inside > 0).astype(np.uint8)
    away = cv2.distanceTransform(1 - sheet, cv2.DIST_C, 3)
    for step in range(int(rng.integers(3, 14)), 0, -1):
        tone = np.float32(rng.uniform(0.35, 0.95))
        bed[away <= step * pitch] = tone * np.array((1, 0.95, 0.85), np.float32)
