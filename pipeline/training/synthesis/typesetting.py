"""Clean pages to learn from: text in many faces and sizes, tables, forms, handwriting, pictures.

A clean page is a window onto one that goes on beyond it, as a training crop does.
Nothing here is dirty; `pagewash.training.synthesis.corruption` sees to that.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.random import Generator
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from pagewash.geometry.transform import Box
from pagewash.training.synthesis.fonts import Kind, Typeface
from pagewash.training.synthesis.noise import Image
from pagewash.training.synthesis.pictures import picture
from pagewash.training.synthesis.text_corpus import number, words


@dataclass(frozen=True)
class TypesettingOptions:
    """What stands on training pages, and how large."""

    smallest_text: float = 7.0
    """x-height of the smallest type, in pixels."""

    largest_text: float = 60.0
    """x-height of the largest body type; headlines are up to three times as large."""

    common_text: tuple[float, float] = (14.0, 36.0)
    """x-heights of four pages in five."""

    pictures: float = 0.25
    """Share of pages with a picture."""

    dots: float = 0.08
    """Share of pages of prose or of a table that come from a dot-matrix printer."""


@dataclass(frozen=True)
class CleanPage:
    """A clean page, its ink apart from its pictures."""

    ink: Image
    """(H, W) float32, how much of each pixel is inked, 0..1."""

    picture: Image
    """(H, W) float32 grey levels of pictures, 1 where there is none."""

    picture_box: Box | None
    """Where the picture stands, if there is one."""

    text_height: float
    """x-height of the body text in pixels."""

    layout: int = 0
    """What kind of page it is: a number within `LAYOUTS`."""

    dots: bool = False
    """Whether a dot-matrix printer printed it."""

    @property
    def handwritten(self) -> bool:
        """Whether a pen wrote all of it."""
        return LAYOUTS[self.layout] is handwriting


def set_page(
    rng: Generator,
    height: int,
    width: int,
    faces: Sequence[Typeface],
    options: TypesettingOptions | None = None,
    like: CleanPage | None = None,
) -> CleanPage:
    """Set a random page of `height` x `width` pixels, of the kind and size of another if given."""
    options = options or TypesettingOptions()
    canvas = PillowImage.new("L", (width, height))
    draw = ImageDraw.Draw(canvas)
    text_height = like.text_height if like else _text_height(rng, options)
    layout = like.layout if like else int(rng.choice(len(LAYOUTS), p=LAYOUT_SHARES))
    LAYOUTS[layout](rng, draw, _page_box(rng, width, height, text_height), text_height, faces)
    if rng.random() < 0.15:
        scribble(rng, draw, width, height, text_height)
    if rng.random() < 0.12:
        draw_frame(rng, draw, width, height)
    ink = np.asarray(canvas, np.float32) * np.float32(1 / 255)
    dots = like.dots if like else rng.random() < options.dots and layout in _PRINTED
    if dots:
        ink = _as_dots(ink, max(round(text_height / 5), 2))
    tones, box = np.ones((height, width), np.float32), None
    if rng.random() < options.pictures:
        left, top, right, bottom = box = choose_picture_box(rng, width, height)
        tones[top:bottom, left:right] = picture(rng, bottom - top, right - left)
        ink = ink.copy()
        ink[top:bottom, left:right] = 0
    return CleanPage(ink, tones, box, text_height, layout, dots)


def _as_dots(ink: Image, pitch: int) -> Image:
    """Print with a head of pins, `pitch` px apart; each leaves a round dot."""
    height, width = ink.shape
    rows, columns = -(-height // pitch), -(-width // pitch)
    padded = np.pad(ink, ((0, rows * pitch - height), (0, columns * pitch - width)))
    struck = cv2.resize(padded, (columns, rows), interpolation=cv2.INTER_AREA) > 0.25
    place = (np.arange(pitch) - (pitch - 1) / 2) / pitch
    dot = np.clip((0.5 - np.hypot(*np.meshgrid(place, place))) * pitch + 0.5, 0, 1)
    dots = np.asarray(np.kron(struck, dot), np.float32)
    return dots[:height, :width]


def x_height_font(face: Typeface, x_height: float) -> ImageFont.FreeTypeFont:
    """Return the face at the size where a small x is `x_height` pixels high."""
    box = face.at(64).getbbox("x")
    return face.at(max(round(64 * x_height / max(box[3] - box[1], 8)), 6))


def _text_height(rng: Generator, options: TypesettingOptions) -> float:
    low, high = (
        options.common_text if rng.random() < 0.8 else (options.smallest_text, options.largest_text)
    )
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _page_box(rng: Generator, width: int, height: int, text: float) -> Box:
    """The type area, its corner usually outside of the window."""
    left = int(rng.uniform(-0.3, 0.35) * width)
    top = int(rng.uniform(-0.3, 0.3) * height) if rng.random() < 0.5 else -int(text)
    right = width + int(rng.uniform(-0.35, 0.3) * width)
    bottom = height + int(rng.uniform(-0.3, 0.2) * height)
    return left, top, max(right, left + width // 2), max(bottom, top + height // 2)


def pick_face(rng: Generator, faces: Sequence[Typeface], *kinds: Kind) -> Typeface:
    """Pick a face of some kinds, of any kind if there is none of these."""
    chosen = [face for face in faces if face.kind in kinds] or list(faces)
    return chosen[int(rng.integers(0, len(chosen)))]


def _body_face(rng: Generator, faces: Sequence[Typeface]) -> Typeface:
    chance = rng.random()
    if chance < 0.57:
        return pick_face(rng, faces, "text")
    if chance < 0.79:
        return pick_face(rng, faces, "mono")
    return pick_face(rng, faces, "blackletter" if chance < 0.94 else "script")


def _lines(rng: Generator, font: ImageFont.FreeTypeFont, width: int) -> str:
    """One line of words that fills the width."""
    wanted = max(int(width / max(font.getlength("nnnnnn"), 1)), 1)
    return " ".join(words(rng, wanted + 1))


def paragraphs(
    rng: Generator, draw: ImageDraw.ImageDraw, box: Box, text: float, faces: Sequence[Typeface]
) -> None:
    """Columns of body text, with paragraphs, a heading and an initial here and there."""
    columns = int(rng.choice([1, 1, 1, 2, 3]))
    face = _body_face(rng, faces)
    font = x_height_font(face, text)
    leading = text * rng.uniform(1.9, 3.4)
    capitals = rng.random() < 0.06
    gap = int(text * rng.uniform(1.5, 4))
    width = (box[2] - box[0] - gap * (columns - 1)) // columns
    for column in range(columns):
        left = box[0] + column * (width + gap)
        if columns > 1 and rng.random() < 0.3:
            draw.line(
                (left - gap // 2, box[1], left - gap // 2, box[3]), 255, int(rng.integers(1, 4))
            )
        y = float(box[1])
        while y < box[3]:
            if rng.random() < 0.04:
                y += _heading(rng, draw, (left, int(y), left + width, box[3]), text, faces)
            indent = int(text * 2) if rng.random() < 0.12 else 0
            line = _fitted(_lines(rng, font, width - indent), font, width - indent)
            if capitals:
                line = line.upper()
            if rng.random() < 0.08:
                line = line[: len(line) // 2]
            draw.text((left + indent, y), line, 255, font)
            if rng.random() < 0.02:
                _underline(rng, draw, left, y, font, line, text)
            y += leading


def _fitted(line: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """As much of the line as the width holds."""
    share = width / max(font.getlength(line), 1.0)
    return line if share >= 1 else line[: max(int(len(line) * share), 1)]


def _underline(
    rng: Generator, draw: ImageDraw.ImageDraw, left: int, y: float, font: ImageFont.FreeTypeFont,
    line: str, text: float,
) -> None:  # fmt: skip
    below = y + font.getbbox("x")[3] + text * 0.25
    draw.line((left, below, left + font.getlength(line), below), 255, max(int(text / 10), 1))


def _heading(
    rng: Generator, draw: ImageDraw.ImageDraw, box: Box, text: float, faces: Sequence[Typeface]
) -> float:
    """Set a centred line in larger type; returns the height it took."""
    size = min(text * rng.uniform(1.2, 4), 180)
    font = x_height_font(pick_face(rng, faces, "text", "blackletter"), size)
    line = " ".join(words(rng, int(rng.integers(1, 5))))
    if rng.random() < 0.5:
        line = line.upper()
    middle = (box[0] + box[2]) / 2
    draw.text((middle, box[1] + size * 0.5), line, 255, font, anchor="ma")
    return size * 3


def _title_page(
    rng: Generator, draw: ImageDraw.ImageDraw, box: Box, text: float, faces: Sequence[Typeface]
) -> None:
    """Centred lines in a mix of sizes, with rules between them."""
    y, middle = float(box[1]), (box[0] + box[2]) / 2
    while y < box[3]:
        size = float(np.clip(text * np.exp(rng.normal(0.2, 0.6)), 6, 170))
        font = x_height_font(pick_face(rng, faces, "text", "text", "blackletter", "mono"), size)
        line = " ".join(words(rng, int(rng.integers(1, 7))))
        draw.text((middle, y), line.upper() if rng.random() < 0.6 else line, 255, font, anchor="ma")
        y += size * rng.uniform(2.2, 4)
        if rng.random() < 0.15:
            half = rng.uniform(0.05, 0.4) * (box[2] - box[0])
            draw.line((middle - half, y, middle + half, y), 255, int(rng.integers(1, 6)))
            y += size


def _table(
    rng: Generator, draw: ImageDraw.ImageDraw, box: Box, text: float, faces: Sequence[Typeface]
) -> None:
    """Rows of labels and right-aligned numbers: receipts, accounts, forms."""
    font = x_height_font(pick_face(rng, faces, "mono", "text"), text)
    bold = x_height_font(pick_face(rng, faces, "text"), text * rng.uniform(1, 1.8))
    columns = int(rng.integers(0, max(int((box[2] - box[0]) / (text * 12)), 1) + 1))
    step = (box[2] - box[0]) / (columns + 1)
    rules, wide = rng.random() < 0.5, int(rng.integers(1, 4))
    leading = text * rng.uniform(2, 3.6)
    y = float(box[1])
    while y < box[3]:
        face = bold if rng.random() < 0.12 else font
        label = _fitted(" ".join(words(rng, int(rng.integers(1, 4)))), face, int(step * 1.3))
        draw.text((box[0], y), label.upper() if rng.random() < 0.4 else label, 255, face)
        for column in range(columns):
            draw.text((box[0] + step * (column + 2), y), number(rng), 255, face, anchor="ra")
        if rules and rng.random() < 0.7:
            draw.line((box[0], y + leading * 0.9, box[2], y + leading * 0.9), 255, wide)
        elif rng.random() < 0.06:
            dash = "-" if rng.random() < 0.5 else "."
            draw.text((box[0], y + leading / 2), dash * 60, 255, font)
        y += leading
    if rules:
        for column in range(columns + 2):
            x = box[0] + step * column + text * 0.4
            draw.line((x, box[1], x, box[3]), 255, wide)


def handwriting(
    rng: Generator, draw: ImageDraw.ImageDraw, box: Box, text: float, faces: Sequence[Typeface]
) -> None:
    """Lines in a script face, on ruled paper now and then, with loops of a free hand."""
    font = x_height_font(pick_face(rng, faces, "script"), text * 1.2)
    leading = text * rng.uniform(2.4, 5)
    y = float(box[1])
    while y < box[3]:
        draw.text(
            (box[0], y + rng.normal(0, text / 6)), _lines(rng, font, box[2] - box[0]), 255, font
        )
        y += leading
    for _ in range(int(rng.integers(0, 4))):
        scribble(rng, draw, box[2], box[3], text)


def _large_letters(
    rng: Generator, draw: ImageDraw.ImageDraw, box: Box, text: float, faces: Sequence[Typeface]
) -> None:
    """Body text around an initial or a headline with strokes as wide as a finger."""
    paragraphs(rng, draw, box, text, faces)
    size = rng.uniform(60, 240)
    font = x_height_font(pick_face(rng, faces, "text", "blackletter"), size)
    left, top = (int(rng.uniform(-0.1, 0.6) * side) for side in (box[2], box[3]))
    line = "".join(words(rng, 1))[: int(rng.integers(1, 7))]
    reversed_out = rng.random() < 0.15
    draw.rectangle(draw.textbbox((left, top), line, font), 255 if reversed_out else 0)
    draw.text((left, top), line, 0 if reversed_out else 255, font)


def scribble(
    rng: Generator, draw: ImageDraw.ImageDraw, width: int, height: int, text: float
) -> None:
    """A signature: one looping stroke of a pen, wider on the way down where its nib is pointed."""
    count = int(rng.integers(4, 14))
    points = np.cumsum(rng.normal(0, text * 1.6, (count, 2)) + np.array((text * 0.8, 0)), axis=0)
    points += rng.uniform(0, 1, 2) * (width, height)
    knots = np.linspace(0, count - 1, count * 12)
    smooth = np.stack([np.interp(knots, np.arange(count), points[:, axis]) for axis in (0, 1)], 1)
    rounded = np.asarray(cv2.blur(smooth.astype(np.float32), (1, 13)))
    path = [(float(x), float(y)) for x, y in rounded]
    thin, wide = sorted(max(int(text / rng.uniform(5, 20)), 1) for _ in range(2))
    for (x, y), (next_x, next_y) in pairwise(path):
        downward = max(next_y - y, 0) / max(math.hypot(next_x - x, next_y - y), 1e-6)
        pen = round(thin + (wide - thin) * downward)
        draw.line((x, y, next_x, next_y), 255, pen)
        draw.circle((next_x, next_y), (pen - 1) / 2, 255)


def draw_frame(rng: Generator, draw: ImageDraw.ImageDraw, width: int, height: int) -> None:
    """A border, a rule or a solid bar."""
    left, top = (int(rng.uniform(-0.2, 0.5) * side) for side in (width, height))
    right, bottom = (int(rng.uniform(0.5, 1.2) * side) for side in (width, height))
    wide = int(rng.choice([1, 1, 2, 3, 5, 9, 16]))
    if rng.random() < 0.5:
        draw.rectangle((left, top, right, bottom), outline=255, width=wide)
    elif rng.random() < 0.5:
        draw.line((left, top, right, top), 255, wide)
    else:
        draw.line((left, top, left, bottom), 255, wide)


def choose_picture_box(rng: Generator, width: int, height: int) -> Box:
    """Return where a picture of a quarter of a page and more stands, cut at the page's edges."""
    wide, high = (int(side * rng.uniform(0.25, 1.1)) for side in (width, height))
    left, top = (int(rng.uniform(-0.3, 0.8) * side) for side in (width, height))
    box = max(left, 0), max(top, 0), min(left + wide, width), min(top + high, height)
    if box[2] - box[0] < 24 or box[3] - box[1] < 24:
        return 0, 0, width // 2, height // 2
    return box


LAYOUTS = (paragraphs, _title_page, _table, handwriting, _large_letters)
"""Kinds of pages; each fills a box with text of an x-height."""

LAYOUT_SHARES = (0.46, 0.12, 0.12, 0.2, 0.1)
"""Share of each among random pages."""

_PRINTED = (LAYOUTS.index(paragraphs), LAYOUTS.index(_table))
"""Layouts that printers print."""
