"""Tints and rules on a rendered page: tinted cells and banners, frames, ruled paper.

They are content: tints and ruled paper are as pale on the clean page as they were printed, frames
and lines nearly so.
"""

import numpy as np
from numpy.random import Generator

from pagewash.training.rendering.layers import (
    STRONG,
    Colour,
    Fonts,
    Patch,
    RenderedPage,
    any_of,
    canvas_of,
    drawn,
)
from pagewash.training.synthesis.typesetting import draw_frame

RULED: tuple[Colour, ...] = (
    (0.35, 0.5, 0.8), (0.4, 0.4, 0.4), (0.8, 0.4, 0.4), (0.35, 0.65, 0.5),
)  # fmt: skip
"""Colours of ruled paper: blue, grey, red, green."""

MARGIN_RULE: Colour = (0.85, 0.25, 0.3)


def rules(rng: Generator, page: RenderedPage, fonts: Fonts) -> None:
    """Frames and lines, strong or pale, in black or in colour; dotted now and then."""
    canvas, draw = canvas_of(page)
    for _ in range(int(rng.integers(1, 6))):
        draw_frame(rng, draw, page.width, page.height)
    patch = drawn(canvas)
    if rng.random() < 0.3:
        patch.coverage[:: int(rng.integers(2, 6))] = 0
        patch.coverage[:, :: int(rng.integers(2, 6))] = 0
    strength = float(rng.uniform(0.15, 1))
    colour = (0.0, 0.0, 0.0) if rng.random() < 0.6 else any_of(rng, STRONG)
    page.add(patch, colour, strength, strength + 0.2 * (1 - strength))


def ruled_paper(rng: Generator, page: RenderedPage) -> None:
    """Lines or squares of a notebook or a ledger, and its red margin."""
    canvas, draw = canvas_of(page)
    height, width = page.height, page.width
    pitch = page.text_height * rng.uniform(1.5, 4)
    wide = int(rng.choice([1, 1, 2, 3]))
    for y in np.arange(rng.uniform(0, 3) * pitch, height, pitch):
        draw.line((0, y, width, y), 255, wide)
    if rng.random() < 0.4:
        for x in np.arange(rng.uniform(0, 1) * pitch, width, pitch):
            draw.line((x, 0, x, height), 255, wide)
    strength = float(rng.uniform(0.2, 0.8))
    page.add(drawn(canvas), any_of(rng, RULED), strength, strength)
    if rng.random() < 0.3:
        line = np.ones((height, wide + 1), np.float32)
        left = int(rng.uniform(0.05, 0.2) * width)
        page.add(Patch(line, left), MARGIN_RULE, strength, strength)


def tints(rng: Generator, page: RenderedPage) -> None:
    """Tinted cells, banners and boxes, as in tables, forms and slides."""
    if rng.random() < 0.5:
        _tinted_rows(rng, page)
        return
    for _ in range(int(rng.integers(1, 6))):
        left = int(rng.uniform(-0.1, 0.8) * page.width)
        top = int(rng.uniform(-0.1, 0.9) * page.height)
        wide = int(rng.uniform(0.1, 0.9) * page.width)
        high = int(rng.uniform(0.03, 0.4) * page.height)
        _tint(rng, page, Patch(np.ones((high, wide), np.float32), left, top))


def _tinted_rows(rng: Generator, page: RenderedPage) -> None:
    """Every other row of a table."""
    top, pitch = int(rng.uniform(0, 0.5) * page.height), int(page.text_height * rng.uniform(2, 5))
    left, right = int(rng.uniform(0, 0.3) * page.width), int(rng.uniform(0.6, 1) * page.width)
    rows = np.ones((pitch * int(rng.integers(3, 20)), right - left), np.float32)
    rows[np.arange(len(rows)) // pitch % 2 == 1] = 0
    _tint(rng, page, Patch(rows, left, top))


def _tint(rng: Generator, page: RenderedPage, patch: Patch) -> None:
    strength = float(rng.uniform(0.05, 0.35) if rng.random() < 0.75 else rng.uniform(0.35, 0.95))
    red, green, blue = (float(value) for value in rng.uniform(0, 1, 3))
    grey = 0.3 * red
    colour = (red, green, blue) if rng.random() < 0.6 else (grey, grey, grey)
    page.add(patch, colour, strength, strength)
