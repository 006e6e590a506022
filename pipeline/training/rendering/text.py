"""Text on a rendered page: body, notes in margins, music.

Its ink may be weak or uneven, and comes back stronger on the clean page.
"""

import numpy as np
from numpy.random import Generator
from PIL import Image as PillowImage
from PIL import ImageDraw

from pagewash.geometry.transform import Box
from pagewash.training.rendering.layers import (
    STRONG,
    Colour,
    Fonts,
    Patch,
    RenderedPage,
    any_of,
    canvas_of,
    coverage_of,
    drawn,
)
from pagewash.training.synthesis import typesetting
from pagewash.training.synthesis.ink import InkOptions, darkness, spread_ink
from pagewash.training.synthesis.scripts import SCRIPTS, set_script

INK = InkOptions()

OTHER_SCRIPT = 0.3
"""Share of pages that are set in a script other than Latin, where there are fonts for one."""

OTHER_COLOUR = 0.08
"""Share of blocks of text after which another colour of ink begins."""

_SPREAD = 16
"""Pixels around text that its ink may spread over."""


def set_body(rng: Generator, page: RenderedPage, fonts: Fonts) -> None:
    """Set the text: one or several blocks, each with its own ink now and then."""
    script = None
    if fonts.scripts and rng.random() < OTHER_SCRIPT:
        script = list(fonts.scripts)[int(rng.integers(len(fonts.scripts)))]
    colour = ink_colour(rng)
    canvas, _ = canvas_of(page)
    for box in _blocks(rng, _type_area(rng, page), page.text_height):
        if script is None:
            _set_latin(rng, canvas, box, page.text_height, fonts)
        else:
            paths = fonts.scripts[script]
            path = paths[int(rng.integers(len(paths)))]
            draw = ImageDraw.Draw(canvas)
            set_script(rng, draw, box, page.text_height, SCRIPTS[script], path)
        if rng.random() < OTHER_COLOUR:
            print_text(rng, page, drawn(canvas, _SPREAD), colour)
            canvas, _ = canvas_of(page)
            colour = any_of(rng, STRONG)
    print_text(rng, page, drawn(canvas, _SPREAD), colour)


def margin_text(rng: Generator, page: RenderedPage, fonts: Fonts) -> None:
    """Set a few lines that run another way than the rest: up a margin, or upside down."""
    text = page.text_height
    long, high = int(text * rng.uniform(10, 40)), int(text * rng.uniform(2.5, 9))
    canvas = PillowImage.new("L", (long, high))
    layout = typesetting.handwriting if rng.random() < 0.5 else typesetting.paragraphs
    layout(rng, ImageDraw.Draw(canvas), (0, 0, long, high), text * rng.uniform(0.7, 1), fonts.latin)
    coverage = np.ascontiguousarray(np.rot90(coverage_of(canvas), int(rng.integers(1, 4))))
    near = rng.uniform(0, 0.06) * page.width
    left = int(near if rng.random() < 0.5 else page.width - near - coverage.shape[1])
    top = int(rng.uniform(0, max(page.height - coverage.shape[0], 1)))
    page.replace(1.0, left, top, coverage.shape)  # it has a place of its own
    print_text(rng, page, Patch(coverage, left, top), ink_colour(rng))


def music(rng: Generator, page: RenderedPage, fonts: Fonts) -> None:
    """Set staves of five lines with heads, stems and beams."""
    canvas, draw = canvas_of(page)
    gap = page.text_height * rng.uniform(0.5, 1)
    y = rng.uniform(0.02, 0.5) * page.height
    for _ in range(int(rng.integers(1, 6))):
        _staff(rng, draw, y, gap, page.width)
        y += gap * rng.uniform(7, 14)
    print_text(rng, page, drawn(canvas, _SPREAD), (0.05, 0.05, 0.05))


def print_text(rng: Generator, page: RenderedPage, patch: Patch, colour: Colour) -> None:
    """Print text: ink spreads, is weak or uneven, and comes back stronger on the clean page."""
    if not patch.coverage.any():
        return
    ink = spread_ink(patch.coverage, page.text_height, rng, INK)
    weak, restored = darkness(ink, page.text_height, rng, INK)
    page.add(Patch(ink, patch.left, patch.top), colour, weak, restored)


def ink_colour(rng: Generator) -> Colour:
    """Return a colour of text: mostly black, at times brown, blue or another."""
    chance = rng.random()
    if chance < 0.68:
        black = rng.uniform(0, 0.12)
        return (black, black, black)
    if chance < 0.82:  # iron-gall and printing inks that turned brown
        tone = rng.uniform(0.05, 0.4)
        return (tone, tone * rng.uniform(0.55, 0.9), tone * rng.uniform(0.25, 0.7))
    if chance < 0.92:
        return (rng.uniform(0, 0.2), rng.uniform(0.05, 0.3), rng.uniform(0.3, 0.6))
    return any_of(rng, STRONG)


def _type_area(rng: Generator, page: RenderedPage) -> Box:
    sides = (page.width, page.height, page.width, page.height)
    left, top, right, bottom = (rng.uniform(0.0, 0.16) * side for side in sides)
    if rng.random() < 0.2:  # text ends far above the foot of the page
        bottom = page.height * rng.uniform(0.2, 0.8)
    return int(left), int(top), int(page.width - right), int(page.height - bottom)


def _blocks(rng: Generator, area: Box, text: float) -> list[Box]:
    """Cut the type area into blocks, mostly one."""
    if rng.random() < 0.6:
        return [area]
    left, top, right, bottom = area
    gap = int(text * rng.uniform(1, 3))
    if rng.random() < 0.5:
        middle = int(top + (bottom - top) * rng.uniform(0.25, 0.75))
        return [(left, top, right, middle - gap), (left, middle, right, bottom)]
    middle = int(left + (right - left) * rng.uniform(0.3, 0.7))
    return [(left, top, middle - gap, bottom), (middle, top, right, bottom)]


def _set_latin(
    rng: Generator, canvas: PillowImage.Image, box: Box, text: float, fonts: Fonts
) -> None:
    """Set a random layout in a box, beyond which nothing of it is seen."""
    layout = int(rng.choice(len(typesetting.LAYOUTS), p=typesetting.LAYOUT_SHARES))
    wide, high = max(box[2] - box[0], 16), max(box[3] - box[1], 16)
    part = PillowImage.new("L", (wide, high))
    typesetting.LAYOUTS[layout](rng, ImageDraw.Draw(part), (0, 0, wide, high), text, fonts.latin)
    canvas.paste(part, (box[0], box[1]))


def _staff(rng: Generator, draw: ImageDraw.ImageDraw, top: float, gap: float, width: int) -> None:
    for line in range(5):
        y = top + line * gap
        draw.line((0.05 * width, y, 0.95 * width, y), 255, max(int(gap / 9), 1))
    x = 0.07 * width
    while x < 0.94 * width:
        at = top + gap * rng.integers(-2, 11) / 2
        head = (x, at - gap / 2, x + gap * 1.2, at + gap / 2)
        draw.ellipse(head, fill=255 if rng.random() < 0.7 else 0, outline=255, width=2)
        draw.line((x + gap * 1.2, at, x + gap * 1.2, at - 3.2 * gap), 255, max(int(gap / 8), 1))
        x += gap * rng.uniform(1.8, 5)
