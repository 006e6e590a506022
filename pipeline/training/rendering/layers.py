"""A page made of layers: each lets light through by its colour, on the printed and the clean page.

Arrays and canvases only; what is drawn, and where, is decided by the modules beside this one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageDraw

from pagewash.training.synthesis.fonts import Typeface
from pagewash.training.synthesis.noise import Image, fractal_field, smooth_field

Colour = tuple[float, float, float]
"""R, G, B in 0..1, of ink at its full strength."""

STRONG: tuple[Colour, ...] = (
    (0.75, 0.1, 0.12), (0.1, 0.15, 0.6), (0.35, 0.12, 0.55), (0.05, 0.4, 0.2), (0.6, 0.1, 0.4),
    (0.1, 0.45, 0.6), (0.85, 0.35, 0.05),
)  # fmt: skip
"""Colours of stamps, crayon and pens: red, blue, violet, green, magenta, cyan, orange."""


@dataclass(frozen=True)
class Fonts:
    """What text is set in."""

    latin: Sequence[Typeface]
    """At least one."""

    scripts: Mapping[str, Sequence[Path]]
    """Font files by the name of a script, see `pagewash.training.synthesis.scripts`."""


@dataclass(frozen=True)
class Patch:
    """How far each pixel of a part of the page is covered."""

    coverage: Image
    """(h, w) in 0..1."""

    left: int = 0
    """Column of the page on which it begins; negative beyond the edge, where it is cut."""

    top: int = 0
    """Row, likewise."""


@dataclass
class RenderedPage:
    """A page that is being printed; layers multiply."""

    printed: Image
    """(H, W, 3) in 0..1: what light the page lets through, as it was printed."""

    clean: Image
    """(H, W, 3) in 0..1: what should come out of the cleaner."""

    text_height: float
    """x-height of most of the text, in pixels."""

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return int(self.printed.shape[0])

    @property
    def width(self) -> int:
        """Columns of pixels."""
        return int(self.printed.shape[1])

    def add(
        self, patch: Patch, colour: Colour, printed: Image | float, clean: Image | float
    ) -> None:
        """Print a layer.

        Args:
            patch: where.
            colour: of the ink.
            printed: how strong it is as printed, 0..1, everywhere or as (h, w) of the patch.
            clean: how strong it is on the clean page.
        """
        on_page, on_patch = self._overlap(patch.coverage.shape, patch.left, patch.top)
        coverage = patch.coverage[on_patch]
        if coverage.size == 0:
            return
        for page, strength in ((self.printed, printed), (self.clean, clean)):
            strong = strength[on_patch] if isinstance(strength, np.ndarray) else strength
            ink = coverage * np.asarray(strong, np.float32)
            page[on_page] *= cv2.merge([1 - ink * np.float32(1 - value) for value in colour])

    def replace(self, pixels: Image | float, left: int, top: int, size: tuple[int, int]) -> None:
        """Put something in place of what is there, on both pages.

        Args:
            pixels: (h, w, 3) in 0..1, or one value for all.
            left: column on which it begins.
            top: row, likewise.
            size: its height and width.
        """
        on_page, on_part = self._overlap(size, left, top)
        part = pixels[on_part] if isinstance(pixels, np.ndarray) else pixels
        self.printed[on_page] = part
        self.clean[on_page] = part

    def _overlap(
        self, size: tuple[int, ...], left: int, top: int
    ) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """Return where a part lies on the page, and what of the part that is."""
        on_page, on_part = [], []
        for start, length, whole in (
            (top, size[0], self.height),
            (left, size[1], self.width),
        ):
            first, last = max(start, 0), max(min(start + length, whole), 0)
            on_page.append(slice(first, max(last, first)))
            on_part.append(slice(first - start, max(last, first) - start))
        return (on_page[0], on_page[1]), (on_part[0], on_part[1])


def blank_page(height: int, width: int, text_height: float) -> RenderedPage:
    """Return a white page."""
    white = np.ones((height, width, 3), np.float32)
    return RenderedPage(white, white.copy(), text_height)


def canvas_of(page: RenderedPage) -> tuple[PillowImage.Image, ImageDraw.ImageDraw]:
    """Return something of the page's size to draw on, where 255 is ink."""
    canvas = PillowImage.new("L", (page.width, page.height))
    return canvas, ImageDraw.Draw(canvas)


def drawn(canvas: PillowImage.Image | NDArray[np.uint8], beyond: int = 0) -> Patch:
    """Return what was drawn on a canvas of the page's size, and `beyond` pixels around it.

    A canvas on which nothing was drawn gives its first pixel, uncovered.
    """
    canvas = PillowImage.fromarray(canvas) if isinstance(canvas, np.ndarray) else canvas
    left, top, right, bottom = canvas.getbbox() or (0, 0, 1, 1)
    left, top = max(left - beyond, 0), max(top - beyond, 0)
    right, bottom = min(right + beyond, canvas.width), min(bottom + beyond, canvas.height)
    return Patch(coverage_of(canvas.crop((left, top, right, bottom))), left, top)


def coverage_of(canvas: PillowImage.Image) -> Image:
    """Return (H, W) in 0..1 of a canvas."""
    return np.asarray(canvas, np.float32) * np.float32(1 / 255)


def random_place(rng: Generator, page: RenderedPage, wide: float, high: float) -> tuple[int, int]:
    """Return left and top of something, of which at most a tenth may lie beyond an edge."""
    left = rng.uniform(-0.1 * wide, max(page.width - 0.9 * wide, 1))
    top = rng.uniform(-0.1 * high, max(page.height - 0.9 * high, 1))
    return int(left), int(top)


def turned(coverage: Image, degrees: float) -> Image:
    """Turn a coverage map, growing it so that nothing is cut."""
    height, width = coverage.shape
    side = int(np.hypot(height, width)) + 2
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    turn[:, 2] += ((side - width) / 2, (side - height) / 2)
    return np.asarray(cv2.warpAffine(coverage, turn, (side, side)), np.float32)


def worn(rng: Generator, coverage: Image, much: float) -> Image:
    """Rub or starve a coverage map here and there."""
    shape = coverage.shape
    wear = np.clip(1 - np.float32(much) * np.abs(fractal_field(rng, shape, 30)), 0, 1)
    fine = np.clip(1 - np.float32(0.6 * much) * np.abs(smooth_field(rng, shape, 2.5)), 0, 1)
    return coverage * wear * fine


def any_of(rng: Generator, colours: Sequence[Colour]) -> Colour:
    """Return one of some colours."""
    return colours[int(rng.integers(len(colours)))]
