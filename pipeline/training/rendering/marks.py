"""Marks on a rendered page: stamps, pens, crayon, pencil, highlighter, watermarks, codes.

They are content, and no text to be restored: on the clean page they keep their hue, and their own
strength or a little more.
"""

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageDraw

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
    random_place,
    turned,
    worn,
)
from pagewash.training.synthesis.noise import fractal_field, soften
from pagewash.training.synthesis.text_corpus import number, words
from pagewash.training.synthesis.typesetting import pick_face, scribble, x_height_font

LIGHT: tuple[Colour, ...] = (
    (1.0, 0.95, 0.35), (0.6, 1.0, 0.55), (1.0, 0.6, 0.75), (0.55, 0.85, 1.0), (1.0, 0.75, 0.4),
)  # fmt: skip
"""Colours of highlighters."""

PENS: tuple[Colour, ...] = ((0.08, 0.12, 0.5), (0.05, 0.05, 0.08), (0.7, 0.08, 0.1))
"""Colours of pens: blue, black, red."""

STAMP_GAIN = 0.3
"""Share of the missing strength that stamps and crayon get back on the clean page."""

PEN_GAIN = 0.5
"""The same for pens and pencils, which are writing."""


def stamp(rng: Generator, page: RenderedPage, fonts: Fonts) -> None:
    """A rubber stamp: round, oval or boxed, with text, at any angle, of any strength."""
    side = int(page.text_height * rng.uniform(5, 14))
    high = int(side * rng.choice([1.0, rng.uniform(0.35, 0.9)]))
    canvas = PillowImage.new("L", (side, high))
    _stamp_frame(rng, ImageDraw.Draw(canvas), side, high)
    _stamp_lines(rng, ImageDraw.Draw(canvas), side, high, fonts)
    coverage = turned(coverage_of(canvas), float(rng.uniform(-180, 180)))
    coverage = worn(rng, coverage, rng.uniform(0, 0.8))
    strength = float(rng.uniform(0.2, 0.95))
    left, top = random_place(rng, page, *coverage.shape[::-1])
    patch = Patch(coverage, left, top)
    page.add(patch, any_of(rng, STRONG), strength, _regained(strength, STAMP_GAIN))


def highlighter(rng: Generator, page: RenderedPage, fonts: Fonts) -> None:
    """Bands of a broad, bright pen over some lines."""
    canvas = np.zeros((page.height, page.width), np.uint8)
    for _ in range(int(rng.integers(1, 6))):
        high = page.text_height * rng.uniform(1.5, 2.8)
        x, y = rng.uniform(0, 0.7) * page.width, rng.uniform(0.02, 0.95) * page.height
        long = rng.uniform(0.1, 0.6) * page.width
        end = int(x + long), int(y + rng.normal(0, high / 6))
        cv2.line(canvas, (int(x), int(y)), end, 255, max(int(high), 2), cv2.LINE_AA)
    patch = drawn(canvas)
    streaks = np.abs(fractal_field(rng, patch.coverage.shape, 40))
    coverage = patch.coverage * np.clip(1 - np.float32(0.15) * streaks, 0, 1)
    strength = float(rng.uniform(0.4, 1))
    page.add(Patch(coverage, patch.left, patch.top), any_of(rng, LIGHT), strength, strength)


def crayon(rng: Generator, page: RenderedPage, fonts: Fonts) -> None:
    """Strokes of crayon or coloured pencil, rough as the paper."""
    canvas = np.zeros((page.height, page.width), np.uint8)
    wide = page.text_height * rng.uniform(0.1, 0.5)
    for _ in range(int(rng.integers(1, 3))):
        _stroke(rng, canvas, wide, page.text_height * rng.uniform(5, 40))
    patch = drawn(canvas)
    coverage = worn(rng, patch.coverage, rng.uniform(0.2, 1))
    strength, colour = float(rng.uniform(0.25, 0.95)), any_of(rng, STRONG)
    patch = Patch(coverage, patch.left, patch.top)
    page.add(patch, colour, strength, _regained(strength, STAMP_GAIN))


def pencil(rng: Generator, page: RenderedPage, fonts: Fonts) -> None:
    """Notes and lines in pencil: thin, grey, rough."""
    canvas, draw = canvas_of(page)
    text = page.text_height
    place = random_place(rng, page, text * 8, text * 3)
    font = x_height_font(pick_face(rng, fonts.latin, "script"), text * rng.uniform(0.8, 1.6))
    note = number(rng) if rng.random() < 0.4 else " ".join(words(rng, 3))
    draw.text(place, note, 255, font)
    lines = np.array(canvas)
    for _ in range(int(rng.integers(0, 3))):
        _stroke(rng, lines, rng.uniform(1, 3), text * rng.uniform(4, 30))
    patch = drawn(lines)
    coverage = worn(rng, patch.coverage, rng.uniform(0.1, 0.6))
    strength, grey = float(rng.uniform(0.2, 0.8)), float(rng.uniform(0.1, 0.35))
    patch = Patch(coverage, patch.left, patch.top)
    page.add(patch, (grey, grey, grey), strength, _regained(strength, PEN_GAIN))


def signature(rng: Generator, page: RenderedPage, fonts: Fonts) -> None:
    """A pen: a signature, digits, a tick, in blue, black or red."""
    canvas, draw = canvas_of(page)
    text = page.text_height
    if rng.random() < 0.6:
        scribble(rng, draw, page.width, page.height, text * rng.uniform(0.8, 2))
    else:
        face = pick_face(rng, fonts.latin, "script")
        font = x_height_font(face, text * rng.uniform(0.9, 2.5))
        draw.text(random_place(rng, page, text * 8, text * 3), number(rng), 255, font)
    patch = drawn(canvas, beyond=3)
    strength = float(rng.uniform(0.25, 1))
    colour = PENS[int(rng.choice(3, p=(0.6, 0.25, 0.15)))]
    patch = Patch(soften(patch.coverage, 0.5), patch.left, patch.top)
    page.add(patch, colour, strength, _regained(strength, PEN_GAIN))


def watermark(rng: Generator, page: RenderedPage, fonts: Fonts) -> None:
    """Large pale letters across the page: content, since nobody asked us to remove them."""
    width = page.width
    face = fonts.latin[int(rng.integers(len(fonts.latin)))]
    font = x_height_font(face, min(width / 10, 140))
    canvas = PillowImage.new("L", (width, width // 3))
    line = " ".join(words(rng, 1)).upper()
    ImageDraw.Draw(canvas).text((width / 2, width / 6), line, 255, font, anchor="mm")
    coverage = turned(coverage_of(canvas), float(rng.uniform(-60, 60)))
    left, top = (width - coverage.shape[1]) // 2, (page.height - coverage.shape[0]) // 2
    strength = float(rng.uniform(0.08, 0.4))
    colour = (0.0, 0.0, 0.0) if rng.random() < 0.7 else any_of(rng, STRONG)
    page.add(Patch(coverage, left, top), colour, strength, strength)


def code(rng: Generator, page: RenderedPage, fonts: Fonts) -> None:
    """A barcode, or a square of modules, with a quiet zone around it."""
    module = int(rng.uniform(2, 6))
    if rng.random() < 0.5:
        bars = rng.integers(0, 2, (1, int(rng.integers(40, 110))))
        cells = np.repeat(bars, int(rng.integers(15, 40)), 0)
    else:
        cells = rng.integers(0, 2, (int(rng.integers(21, 41)),) * 2)
    coverage = np.kron(cells, np.ones((module, module))).astype(np.float32)
    height, width = coverage.shape
    left, top = random_place(rng, page, width, height)
    page.replace(1.0, left - 8, top - 8, (height + 16, width + 16))
    page.add(Patch(coverage, left, top), (0, 0, 0), float(rng.uniform(0.75, 1)), 1.0)


def _stamp_frame(rng: Generator, draw: ImageDraw.ImageDraw, side: int, high: int) -> None:
    wide = max(int(side / rng.uniform(25, 60)), 1)
    frame = draw.ellipse if rng.random() < 0.6 else draw.rectangle
    frame((wide, wide, side - wide - 1, high - wide - 1), outline=255, width=wide)
    if rng.random() < 0.5:
        inner = int(side * 0.1)
        box = (inner, inner, side - inner, max(high - inner, inner + 2))
        frame(box, outline=255, width=max(wide // 2, 1))


def _stamp_lines(
    rng: Generator, draw: ImageDraw.ImageDraw, side: int, high: int, fonts: Fonts
) -> None:
    face = fonts.latin[int(rng.integers(len(fonts.latin)))]
    font = x_height_font(face, max(high / rng.uniform(6, 14), 6))
    for row in range(int(rng.integers(1, 4))):
        line = " ".join(words(rng, 1)).upper()
        draw.text((side / 2, high * (0.28 + 0.2 * row)), line, 255, font, anchor="mm")


def _stroke(rng: Generator, canvas: NDArray[np.uint8], wide: float, reach: float) -> None:
    """Draw a free line: a bracket, a diagonal, an underline, a scrawl."""
    count = int(rng.integers(2, 9))
    start = rng.uniform(0, 1, 2) * canvas.shape[::-1]
    points = start + np.cumsum(rng.normal(0, reach / count, (count, 2)), axis=0)
    knots = np.linspace(0, count - 1, count * 10)
    path = np.stack([np.interp(knots, np.arange(count), points[:, axis]) for axis in (0, 1)], 1)
    path = np.asarray(cv2.blur(path.astype(np.float32), (1, 9)))
    places = [np.rint(path * 8).astype(np.int32)]
    cv2.polylines(canvas, places, False, 255, max(round(wide), 1), cv2.LINE_AA, 3)


def _regained(strength: float, share: float) -> float:
    return strength + share * (1 - strength)
