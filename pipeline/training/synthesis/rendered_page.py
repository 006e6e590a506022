"""Whole pages in colour, as they were printed and as they should come out of the cleaner.

A page is made of layers: text of many scripts and directions, tables, rules, tints, stamps, crayon,
highlighter, pencil, watermarks, music, codes, pictures. Each lets light through by its colour;
what a layer looks like on the clean page is decided here, kind by kind: weak ink of text comes back
strong, while stamps, tints, rules and pictures keep their own strength. Nothing here is dirty.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from PIL import Image as PillowImage
from PIL import ImageDraw

from pagewash.training.synthesis import pictures, typesetting
from pagewash.training.synthesis.fonts import Typeface
from pagewash.training.synthesis.ink import InkOptions, darkness, spread_ink
from pagewash.training.synthesis.noise import Image, fractal_field, smooth_field, soften
from pagewash.training.synthesis.scripts import SCRIPTS, set_script
from pagewash.training.synthesis.text_corpus import number, words

Colour = tuple[float, float, float]
Box = tuple[int, int, int, int]

INK = InkOptions()

STRONG: tuple[Colour, ...] = (
    (0.75, 0.1, 0.12), (0.1, 0.15, 0.6), (0.35, 0.12, 0.55), (0.05, 0.4, 0.2), (0.6, 0.1, 0.4),
    (0.1, 0.45, 0.6), (0.85, 0.35, 0.05),
)  # fmt: skip
"""Colours of stamps, crayon and pens: red, blue, violet, green, magenta, cyan, orange."""

LIGHT: tuple[Colour, ...] = (
    (1.0, 0.95, 0.35), (0.6, 1.0, 0.55), (1.0, 0.6, 0.75), (0.55, 0.85, 1.0), (1.0, 0.75, 0.4),
)  # fmt: skip
"""Colours of highlighters."""


@dataclass
class RenderedPage:
    """A page that is being printed; layers multiply."""

    printed: Image
    """(H, W, 3) in 0..1: what light the page lets through, as it was printed."""

    clean: Image
    """(H, W, 3) in 0..1: what should come out of the cleaner."""

    text_height: float
    """x-height of most of the text, in pixels."""

    def add(
        self, coverage: Image, colour: Colour, printed: Image | float, clean: Image | float
    ) -> None:
        """Print a layer: coverage (H, W) in 0..1, and how dark it is on either page, 0..1."""
        dark = 1 - np.array(colour, np.float32)
        self.printed *= (
            1
            - (coverage * np.float32(printed) if np.isscalar(printed) else coverage * printed)[
                ..., None
            ]
            * dark
        )
        self.clean *= (
            1
            - (coverage * np.float32(clean) if np.isscalar(clean) else coverage * clean)[..., None]
            * dark
        )


@dataclass(frozen=True)
class Fonts:
    """What text is set in."""

    latin: Sequence[Typeface]
    scripts: Mapping[str, Sequence[Path]]


def render_page(rng: Generator, height: int, width: int, fonts: Fonts) -> RenderedPage:
    """Render a random page of `height` x `width` pixels."""
    text = float(np.exp(rng.uniform(np.log(10), np.log(34))))
    ones = np.ones((height, width, 3), np.float32)
    page = RenderedPage(ones, ones.copy(), text)
    kind = rng.random()
    if kind < 0.05:
        _full_picture(rng, page)
    if kind < 0.09:  # a blank page, but for a mark or two
        _some(rng, page, fonts, 0.35)
        return page
    if rng.random() < 0.15:
        _tints(rng, page)
    if rng.random() < 0.12:
        _ruled_paper(rng, page)
    _body(rng, page, fonts)
    if rng.random() < 0.3:
        _picture(rng, page)
    _some(rng, page, fonts, 0.13)
    return page


def _some(rng: Generator, page: RenderedPage, fonts: Fonts, chance: float) -> None:
    """Add each kind of mark by chance."""
    marks = (
        _stamp,
        _highlighter,
        _crayon,
        _pencil,
        _signature,
        _margin_text,
        _watermark,
        _codes,
        _rules,
        _music,
    )
    for mark in marks:
        if rng.random() < chance * (0.4 if mark in (_watermark, _codes, _music) else 1):
            mark(rng, page, fonts)


def _canvas(page: RenderedPage) -> tuple[PillowImage.Image, ImageDraw.ImageDraw]:
    canvas = PillowImage.new("L", (page.printed.shape[1], page.printed.shape[0]))
    return canvas, ImageDraw.Draw(canvas)


def _coverage(canvas: PillowImage.Image) -> Image:
    return np.asarray(canvas, np.float32) * np.float32(1 / 255)


def _margins(rng: Generator, height: int, width: int) -> Box:
    left, top, right, bottom = (
        rng.uniform(0.0, 0.16) * side for side in (width, height, width, height)
    )
    if rng.random() < 0.2:  # text ends far above the foot of the page
        bottom = height * rng.uniform(0.2, 0.8)
    return int(left), int(top), int(width - right), int(height - bottom)


def _ink_colour(rng: Generator) -> Colour:
    chance = rng.random()
    if chance < 0.68:
        black = rng.uniform(0, 0.12)
        return (black, black, black)
    if chance < 0.82:  # iron-gall and printing inks that turned brown
        tone = rng.uniform(0.05, 0.4)
        return (tone, tone * rng.uniform(0.55, 0.9), tone * rng.uniform(0.25, 0.7))
    if chance < 0.92:
        return (rng.uniform(0, 0.2), rng.uniform(0.05, 0.3), rng.uniform(0.3, 0.6))
    return STRONG[int(rng.integers(len(STRONG)))]


def _body(rng: Generator, page: RenderedPage, fonts: Fonts) -> None:
    """The text: one or several blocks, each with its own ink now and then."""
    height, width = page.printed.shape[:2]
    boxes = _blocks(rng, _margins(rng, height, width), page.text_height)
    colour = _ink_colour(rng)
    script = None
    if fonts.scripts and rng.random() < 0.3:
        script = list(fonts.scripts)[int(rng.integers(len(fonts.scripts)))]
    canvas, draw = _canvas(page)
    for box in boxes:
        if script is not None:
            paths = fonts.scripts[script]
            path = paths[int(rng.integers(len(paths)))]
            set_script(rng, draw, box, page.text_height, SCRIPTS[script], path)
        else:
            layouts = typesetting._LAYOUTS
            layout = int(rng.choice(len(layouts), p=typesetting._SHARES))
            _within(rng, canvas, box, layouts[layout], page.text_height, fonts.latin)
        if rng.random() < 0.08:  # what comes next is in another colour
            _print_text(rng, page, _coverage(canvas), colour)
            canvas, draw = _canvas(page)
            colour = STRONG[int(rng.integers(len(STRONG)))]
    _print_text(rng, page, _coverage(canvas), colour)


def _within(rng, canvas, box, layout, text, faces) -> None:
    """Set a layout in a box of its own, beyond which nothing of it is seen."""
    wide, high = max(box[2] - box[0], 16), max(box[3] - box[1], 16)
    part = PillowImage.new("L", (wide, high))
    layout(rng, ImageDraw.Draw(part), (0, 0, wide, high), text, faces)
    canvas.paste(part, (box[0], box[1]))


def _blocks(rng: Generator, box: Box, text: float) -> list[Box]:
    """Cut the type area into blocks, mostly one."""
    if rng.random() < 0.6:
        return [box]
    left, top, right, bottom = box
    gap = int(text * rng.uniform(1, 3))
    if rng.random() < 0.5:
        middle = int(top + (bottom - top) * rng.uniform(0.25, 0.75))
        return [(left, top, right, middle - gap), (left, middle, right, bottom)]
    middle = int(left + (right - left) * rng.uniform(0.3, 0.7))
    return [(left, top, middle - gap, bottom), (middle, top, right, bottom)]


def _print_text(rng: Generator, page: RenderedPage, coverage: Image, colour: Colour) -> None:
    """Print text: ink spreads, is weak or uneven, and comes back stronger on the clean page."""
    if not coverage.any():
        return
    ink = spread_ink(coverage, page.text_height, rng, INK)
    weak, restored = darkness(ink, page.text_height, rng, INK)
    page.add(ink, colour, weak, restored)


def _place(rng: Generator, page: RenderedPage, wide: float, high: float) -> tuple[int, int]:
    height, width = page.printed.shape[:2]
    return int(rng.uniform(-0.1 * wide, max(width - 0.9 * wide, 1))), int(
        rng.uniform(-0.1 * high, max(height - 0.9 * high, 1))
    )


def _turned(rng: Generator, part: Image, degrees: float) -> Image:
    """Turn a small coverage map, growing it so that nothing is cut."""
    height, width = part.shape
    side = int(np.hypot(height, width)) + 2
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    turn[:, 2] += ((side - width) / 2, (side - height) / 2)
    return np.asarray(cv2.warpAffine(part, turn, (side, side)), np.float32)


def _pasted(page: RenderedPage, part: Image, left: int, top: int) -> Image:
    """A coverage map of the page with a small one at a place, cut at the edges."""
    full = np.zeros(page.printed.shape[:2], np.float32)
    height, width = full.shape
    x0, y0, x1, y1 = (
        max(left, 0),
        max(top, 0),
        min(left + part.shape[1], width),
        min(top + part.shape[0], height),
    )
    if x1 > x0 and y1 > y0:
        full[y0:y1, x0:x1] = part[y0 - top : y1 - top, x0 - left : x1 - left]
    return full


def _worn(rng: Generator, part: Image, much: float) -> Image:
    """Rub or starve a coverage map here and there."""
    wear = np.clip(1 - np.float32(much) * np.abs(fractal_field(rng, part.shape, 30)), 0, 1)
    fine = np.clip(1 - np.float32(0.6 * much) * np.abs(smooth_field(rng, part.shape, 2.5)), 0, 1)
    return part * wear * fine


def _stamp(rng: Generator, page: RenderedPage, fonts: Fonts) -> None:
    """A rubber stamp: round, oval or boxed, with text, at any angle, of any strength."""
    side = int(page.text_height * rng.uniform(5, 14))
    high = int(side * rng.choice([1.0, rng.uniform(0.35, 0.9)]))
    part = PillowImage.new("L", (side, high))
    draw = ImageDraw.Draw(part)
    wide = max(int(side / rng.uniform(25, 60)), 1)
    frame = draw.ellipse if rng.random() < 0.6 else draw.rectangle
    frame((wide, wide, side - wide - 1, high - wide - 1), outline=255, width=wide)
    if rng.random() < 0.5:
        inner = int(side * 0.1)
        frame(
            (inner, inner, side - inner, max(high - inner, inner + 2)),
            outline=255,
            width=max(wide // 2, 1),
        )
    face = fonts.latin[int(rng.integers(len(fonts.latin)))]
    size = max(high / rng.uniform(6, 14), 6)
    for row in range(int(rng.integers(1, 4))):
        font = typesetting.x_height_font(face, size)
        draw.text(
            (side / 2, high * (0.28 + 0.2 * row)),
            " ".join(words(rng, 1)).upper(),
            255,
            font,
            anchor="mm",
        )
    coverage = _worn(
        rng, _turned(rng, _coverage(part), float(rng.uniform(-180, 180))), rng.uniform(0, 0.8)
    )
    strength = float(rng.uniform(0.2, 0.95))
    left, top = _place(rng, page, *coverage.shape[::-1])
    colour = STRONG[int(rng.integers(len(STRONG)))]
    page.add(_pasted(page, coverage, left, top), colour, strength, strength + 0.3 * (1 - strength))


def _highlighter(rng: Generator, page: RenderedPage, fonts: Fonts) -> None:
    """Bands of a broad, bright pen over some lines."""
    height, width = page.printed.shape[:2]
    coverage = np.zeros((height, width), np.float32)
    for _ in range(int(rng.integers(1, 6))):
        high = page.text_height * rng.uniform(1.5, 2.8)
        x, y = rng.uniform(0, 0.7) * width, rng.uniform(0.02, 0.95) * height
        long = rng.uniform(0.1, 0.6) * width
        cv2.line(
            coverage,
            (int(x), int(y)),
            (int(x + long), int(y + rng.normal(0, high / 6))),
            1.0,
            max(int(high), 2),
            cv2.LINE_AA,
        )
    coverage *= np.clip(1 - np.float32(0.15) * np.abs(fractal_field(rng, coverage.shape, 40)), 0, 1)
    strength = float(rng.uniform(0.4, 1))
    page.add(coverage, LIGHT[int(rng.integers(len(LIGHT)))], strength, strength)


def _stroke(rng: Generator, page: RenderedPage, wide: float, reach: float) -> Image:
    """A free line: a bracket, a diagonal, an underline, a scrawl."""
    height, width = page.printed.shape[:2]
    count = int(rng.integers(2, 9))
    start = rng.uniform(0, 1, 2) * (width, height)
    points = start + np.cumsum(rng.normal(0, reach / count, (count, 2)), axis=0)
    knots = np.linspace(0, count - 1, count * 10)
    path = np.stack([np.interp(knots, np.arange(count), points[:, axis]) for axis in (0, 1)], 1)
    path = np.asarray(cv2.blur(path.astype(np.float32), (1, 9)))
    coverage = np.zeros((height, width), np.float32)
    cv2.polylines(
        coverage,
        [np.rint(path * 8).astype(np.int32)],
        False,
        1.0,
        max(round(wide), 1),
        cv2.LINE_AA,
        3,
    )
    return coverage


def _crayon(rng: Generator, page: RenderedPage, fonts: Fonts) -> None:
    """Strokes of crayon or coloured pencil, rough as the paper."""
    wide = page.text_height * rng.uniform(0.1, 0.5)
    coverage = _stroke(rng, page, wide, page.text_height * rng.uniform(5, 40))
    if rng.random() < 0.5:
        coverage = np.maximum(
            coverage, _stroke(rng, page, wide, page.text_height * rng.uniform(5, 40))
        )
    coverage = _worn(rng, coverage, rng.uniform(0.2, 1))
    strength = float(rng.uniform(0.25, 0.95))
    colour = STRONG[int(rng.integers(len(STRONG)))]
    page.add(coverage, colour, strength, strength + 0.3 * (1 - strength))


def _pencil(rng: Generator, page: RenderedPage, fonts: Fonts) -> None:
    """Notes and lines in pencil: thin, grey, rough."""
    canvas, draw = _canvas(page)
    left, top = _place(rng, page, page.text_height * 8, page.text_height * 3)
    face = typesetting._pick(rng, fonts.latin, "script")
    font = typesetting.x_height_font(face, page.text_height * rng.uniform(0.8, 1.6))
    draw.text(
        (left, top), number(rng) if rng.random() < 0.4 else " ".join(words(rng, 3)), 255, font
    )
    coverage = _coverage(canvas)
    for _ in range(int(rng.integers(0, 3))):
        coverage = np.maximum(
            coverage, _stroke(rng, page, rng.uniform(1, 3), page.text_height * rng.uniform(4, 30))
        )
    strength, grey = float(rng.uniform(0.2, 0.8)), float(rng.uniform(0.1, 0.35))
    coverage = _worn(rng, coverage, rng.uniform(0.1, 0.6))
    page.add(coverage, (grey, grey, grey), strength, strength + 0.5 * (1 - strength))


def _signature(rng: Generator, page: RenderedPage, fonts: Fonts) -> None:
    """A pen: a signature, digits, a tick, in blue, black or red."""
    height, width = page.printed.shape[:2]
    canvas, draw = _canvas(page)
    if rng.random() < 0.6:
        typesetting._scribble(rng, draw, width, height, page.text_height * rng.uniform(0.8, 2))
    else:
        left, top = _place(rng, page, page.text_height * 8, page.text_height * 3)
        font = typesetting.x_height_font(
            typesetting._pick(rng, fonts.latin, "script"), page.text_height * rng.uniform(0.9, 2.5)
        )
        draw.text((left, top), number(rng), 255, font)
    strength = float(rng.uniform(0.25, 1))
    colour = ((0.08, 0.12, 0.5), (0.05, 0.05, 0.08), (0.7, 0.08, 0.1))[
        int(rng.choice(3, p=(0.6, 0.25, 0.15)))
    ]
    page.add(soften(_coverage(canvas), 0.5), colour, strength, strength + 0.5 * (1 - strength))


def _margin_text(rng: Generator, page: RenderedPage, fonts: Fonts) -> None:
    """A few lines that run another way than the rest: up a margin, or upside down."""
    long, high = (
        int(page.text_height * rng.uniform(10, 40)),
        int(page.text_height * rng.uniform(2.5, 9)),
    )
    part = PillowImage.new("L", (long, high))
    layout = typesetting._handwriting if rng.random() < 0.5 else typesetting._paragraphs
    layout(
        rng,
        ImageDraw.Draw(part),
        (0, 0, long, high),
        page.text_height * rng.uniform(0.7, 1),
        fonts.latin,
    )
    turned = np.rot90(_coverage(part), int(rng.integers(1, 4)))
    height, width = page.printed.shape[:2]
    near = rng.uniform(0, 0.06) * width
    left = int(near if rng.random() < 0.5 else width - near - turned.shape[1])
    top = int(rng.uniform(0, max(height - turned.shape[0], 1)))
    region = np.s_[max(top, 0) : top + turned.shape[0], max(left, 0) : left + turned.shape[1]]
    page.printed[region], page.clean[region] = 1, 1  # it has a place of its own
    _print_text(rng, page, _pasted(page, np.ascontiguousarray(turned), left, top), _ink_colour(rng))


def _watermark(rng: Generator, page: RenderedPage, fonts: Fonts) -> None:
    """Large pale letters across the page: content, since nobody asked us to remove them."""
    height, width = page.printed.shape[:2]
    face = fonts.latin[int(rng.integers(len(fonts.latin)))]
    font = typesetting.x_height_font(face, min(width / 10, 140))
    part = PillowImage.new("L", (width, int(width / 3)))
    ImageDraw.Draw(part).text(
        (width / 2, width / 6), " ".join(words(rng, 1)).upper(), 255, font, anchor="mm"
    )
    coverage = _turned(rng, _coverage(part), float(rng.uniform(-60, 60)))
    strength = float(rng.uniform(0.08, 0.4))
    left, top = (width - coverage.shape[1]) // 2, (height - coverage.shape[0]) // 2
    colour = (0.0, 0.0, 0.0) if rng.random() < 0.7 else STRONG[int(rng.integers(len(STRONG)))]
    page.add(_pasted(page, coverage, left, top), colour, strength, strength)


def _codes(rng: Generator, page: RenderedPage, fonts: Fonts) -> None:
    """A barcode, or a square of modules."""
    module = max(int(rng.uniform(2, 6)), 1)
    if rng.random() < 0.5:
        bars = rng.integers(0, 2, (1, int(rng.integers(40, 110))))
        part = np.kron(np.repeat(bars, int(rng.integers(15, 40)), 0), np.ones((module, module)))
    else:
        cells = rng.integers(0, 2, (int(rng.integers(21, 41)),) * 2)
        part = np.kron(cells, np.ones((module, module)))
    left, top = _place(rng, page, *part.shape[::-1])
    region = np.s_[
        max(top - 8, 0) : top + part.shape[0] + 8, max(left - 8, 0) : left + part.shape[1] + 8
    ]
    page.printed[region], page.clean[region] = 1, 1
    page.add(
        _pasted(page, part.astype(np.float32), left, top),
        (0, 0, 0),
        float(rng.uniform(0.75, 1)),
        1.0,
    )


def _rules(rng: Generator, page: RenderedPage, fonts: Fonts) -> None:
    """Frames and lines, strong or pale, in black or in colour; dotted now and then."""
    canvas, draw = _canvas(page)
    height, width = page.printed.shape[:2]
    for _ in range(int(rng.integers(1, 6))):
        typesetting._frame(rng, draw, width, height)
    coverage = _coverage(canvas)
    if rng.random() < 0.3:
        coverage[:: int(rng.integers(2, 6))] = 0
        coverage[:, :: int(rng.integers(2, 6))] = 0
    strength = float(rng.uniform(0.15, 1))
    colour = (0.0, 0.0, 0.0) if rng.random() < 0.6 else STRONG[int(rng.integers(len(STRONG)))]
    page.add(coverage, colour, strength, strength + 0.2 * (1 - strength))


def _music(rng: Generator, page: RenderedPage, fonts: Fonts) -> None:
    """Staves of five lines with heads, stems and beams."""
    canvas, draw = _canvas(page)
    height, width = page.printed.shape[:2]
    gap = page.text_height * rng.uniform(0.5, 1)
    y = rng.uniform(0.02, 0.5) * height
    for _ in range(int(rng.integers(1, 6))):
        for line in range(5):
            draw.line(
                (0.05 * width, y + line * gap, 0.95 * width, y + line * gap),
                255,
                max(int(gap / 9), 1),
            )
        x = 0.07 * width
        while x < 0.94 * width:
            at = y + gap * rng.integers(-2, 11) / 2
            draw.ellipse(
                (x, at - gap / 2, x + gap * 1.2, at + gap / 2),
                fill=255 if rng.random() < 0.7 else 0,
                outline=255,
                width=2,
            )
            draw.line((x + gap * 1.2, at, x + gap * 1.2, at - 3.2 * gap), 255, max(int(gap / 8), 1))
            x += gap * rng.uniform(1.8, 5)
        y += gap * rng.uniform(7, 14)
    _print_text(rng, page, _coverage(canvas), (0.05, 0.05, 0.05))


def _ruled_paper(rng: Generator, page: RenderedPage) -> None:
    """Lines or squares of a notebook or a ledger, pale: content, and as pale on the clean page."""
    canvas, draw = _canvas(page)
    height, width = page.printed.shape[:2]
    pitch = page.text_height * rng.uniform(1.5, 4)
    wide = max(int(rng.choice([1, 1, 2, 3])), 1)
    for y in np.arange(rng.uniform(0, 3) * pitch, height, pitch):
        draw.line((0, y, width, y), 255, wide)
    if rng.random() < 0.4:
        for x in np.arange(rng.uniform(0, 1) * pitch, width, pitch):
            draw.line((x, 0, x, height), 255, wide)
    colour: Colour = ((0.35, 0.5, 0.8), (0.4, 0.4, 0.4), (0.8, 0.4, 0.4), (0.35, 0.65, 0.5))[
        int(rng.integers(4))
    ]
    strength = float(rng.uniform(0.2, 0.8))
    page.add(_coverage(canvas), colour, strength, strength)
    if rng.random() < 0.3:
        x = int(rng.uniform(0.05, 0.2) * width)
        line = np.zeros((height, width), np.float32)
        line[:, x : x + wide + 1] = 1
        page.add(line, (0.85, 0.25, 0.3), strength, strength)


def _tints(rng: Generator, page: RenderedPage) -> None:
    """Tinted cells, banners and boxes, as in tables, forms and slides."""
    height, width = page.printed.shape[:2]
    if rng.random() < 0.5:  # every other row of a table
        top, pitch = int(rng.uniform(0, 0.5) * height), int(page.text_height * rng.uniform(2, 5))
        left, right = int(rng.uniform(0, 0.3) * width), int(rng.uniform(0.6, 1) * width)
        coverage = np.zeros((height, width), np.float32)
        for y in range(top, min(top + pitch * int(rng.integers(3, 20)), height), 2 * pitch):
            coverage[y : y + pitch, left:right] = 1
        _tint(rng, page, coverage)
        return
    for _ in range(int(rng.integers(1, 6))):
        coverage = np.zeros((height, width), np.float32)
        x, y = int(rng.uniform(-0.1, 0.8) * width), int(rng.uniform(-0.1, 0.9) * height)
        right, bottom = (
            x + int(rng.uniform(0.1, 0.9) * width),
            y + int(rng.uniform(0.03, 0.4) * height),
        )
        coverage[max(y, 0) : bottom, max(x, 0) : right] = 1
        _tint(rng, page, coverage)


def _tint(rng: Generator, page: RenderedPage, coverage: Image) -> None:
    strength = float(rng.uniform(0.05, 0.35) if rng.random() < 0.75 else rng.uniform(0.35, 0.95))
    hue = rng.uniform(0, 1, 3)
    colour = (
        tuple(float(value) for value in hue) if rng.random() < 0.6 else (float(hue[0]) * 0.3,) * 3
    )
    page.add(coverage, colour, strength, strength)  # type: ignore[arg-type]


def _picture(rng: Generator, page: RenderedPage) -> None:
    """A picture in a box: a photograph in grey, sepia or colour, a halftone, a woodcut."""
    height, width = page.printed.shape[:2]
    left, top, right, bottom = typesetting._picture_box(rng, width, height)
    _fill(rng, page, (left, top, right, bottom))


def _full_picture(rng: Generator, page: RenderedPage) -> None:
    height, width = page.printed.shape[:2]
    inset = int(rng.choice([0, 0, rng.uniform(0, 0.12) * width]))
    _fill(rng, page, (inset, inset, width - inset, height - inset))


def _fill(rng: Generator, page: RenderedPage, box: Box) -> None:
    left, top, right, bottom = box
    tones = pictures.picture(rng, bottom - top, right - left)[..., None]
    chance = rng.random()
    if chance < 0.4:
        other = pictures.landscape(rng, bottom - top, right - left)[..., None]
        hues = rng.uniform(0.4, 1, (2, 3)).astype(np.float32)
        tones = tones * (hues[0] * other + hues[1] * (1 - other))
    elif chance < 0.6:
        tones = tones ** np.array((0.8, 1.0, rng.uniform(1, 1.5)), np.float32)
    dark = np.float32(rng.uniform(0, 0.15))
    tones = np.broadcast_to(dark + (1 - dark) * tones, (bottom - top, right - left, 3))
    region = np.s_[top:bottom, left:right]
    page.printed[region] = tones
    page.clean[region] = tones
