"""Pictures on a rendered page, in grey, sepia or colour: content that stays as it is."""

import numpy as np
from numpy.random import Generator

from pagewash.geometry.transform import Box
from pagewash.training.rendering.layers import RenderedPage
from pagewash.training.synthesis import pictures
from pagewash.training.synthesis.noise import Image
from pagewash.training.synthesis.typesetting import choose_picture_box


def picture(rng: Generator, page: RenderedPage) -> None:
    """Put a picture somewhere on the page: a photograph, a halftone, a woodcut."""
    _fill(rng, page, choose_picture_box(rng, page.width, page.height))


def full_picture(rng: Generator, page: RenderedPage) -> None:
    """Put a picture over the whole page, or all but an even margin."""
    inset = int(rng.choice([0, 0, rng.uniform(0, 0.12) * page.width]))
    _fill(rng, page, (inset, inset, page.width - inset, page.height - inset))


def _fill(rng: Generator, page: RenderedPage, box: Box) -> None:
    left, top, right, bottom = box
    size = bottom - top, right - left
    page.replace(in_colour(rng, pictures.picture(rng, *size)), left, top, size)


def in_colour(rng: Generator, tones: Image) -> Image:
    """(H, W, 3): tones in two hues that mingle, in sepia, or in grey; black as ink has it."""
    height, width = tones.shape
    coloured = tones[..., None]
    chance = rng.random()
    if chance < 0.4:
        other = pictures.landscape(rng, height, width)[..., None]
        hues = rng.uniform(0.4, 1, (2, 3)).astype(np.float32)
        coloured = coloured * (hues[0] * other + hues[1] * (1 - other))
    elif chance < 0.6:
        coloured = coloured ** np.array((0.8, 1.0, rng.uniform(1, 1.5)), np.float32)
    black = np.float32(rng.uniform(0, 0.15))
    return np.broadcast_to(black + (1 - black) * coloured, (height, width, 3))
