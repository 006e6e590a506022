"""How ink came onto the paper: spread, starved, uneven, in a strength of its own.

This is what a page is printed or written like, so the clean page shows it too,
except that weak ink comes back stronger than it is.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from pagewash.training.synthesis.noise import Image, smooth_field, soften


@dataclass(frozen=True)
class InkOptions:
    """How far printing strays from its outlines."""

    bold: float = 0.33
    """How far strokes may spread, as a shift of the threshold on blurred outlines."""

    thin: float = 0.1
    """How far strokes may shrink, likewise."""

    hairlines: float = 0.5
    """Share of pages whose hairlines are kept, of which soft outlines lose most."""

    weakest: float = 0.15
    """Darkness of the weakest ink, where black is 1."""

    pale: float = 0.7
    """How much less ink the thinnest strokes may hold than wide ones, as a share: a pen gives
    little on the way up."""

    uneven: float = 0.22
    """How unevenly ink may lie, from letter to letter or from word to word, as a share of its
    darkness: a worn ribbon's, a tired thermal printer's. All of it is the page's own."""

    restore: float = 0.82
    """Share of the missing darkness that the clean page gets back."""

    fill: float = 0.5
    """How much fuller the edges of faint strokes come back, of whose width less can be seen: the
    exponent that coverage loses where ink has no darkness left."""


def spread_ink(ink: Image, text_height: float, rng: Generator, options: InkOptions) -> Image:
    """Print outlines as type does: ink spreads or starves, edges get rough.

    Args:
        ink: (H, W) coverage in 0..1.
        text_height: x-height in pixels; strokes are about a sixth of it.
        rng: chooses everything.
        options: how far to go.

    Returns:
        (H, W) float32 coverage in 0..1.
    """
    stroke = max(text_height / 6, 1.0)
    softness = float(rng.uniform(0.15, 0.45)) * min(stroke, 5) + 0.25
    soft = soften(ink, softness)
    reach = options.bold if rng.random() < 0.5 else options.bold / 3
    weight = rng.uniform(-options.thin, reach) * min(stroke / 3, 1)
    # paper far from ink must stay white, so the edge ends before the threshold reaches it
    edge = min(float(rng.uniform(0.25, 0.7)), 2 * (0.49 - weight))
    rough = np.float32(rng.uniform(0, 0.1)) * smooth_field(rng, ink.shape, max(stroke * 0.7, 1.5))
    rough += np.float32(rng.uniform(0, 0.06)) * smooth_field(rng, ink.shape, text_height * 2)
    rough *= 4 * soft * (1 - soft)
    pressed: Image = np.clip(
        (soft - np.float32(0.5 - weight) + rough) / np.float32(edge) + np.float32(0.5), 0, 1
    )
    own = _of_its_own(rng)
    if own.random() < options.hairlines:
        kept = np.float32(own.uniform(0.5, 1))
        np.maximum(pressed, kept * soften(ink, 0.5), out=pressed)
    return pressed


def darkness(
    ink: Image, text_height: float, rng: Generator, options: InkOptions
) -> tuple[Image, Image]:
    """Choose how dark the ink is on the dirty page and on the clean one.

    Args:
        ink: (H, W) coverage in 0..1.
        text_height: x-height in pixels; strokes are about a sixth of it.
        rng: chooses everything.
        options: how far to go.

    Returns:
        Two (H, W) float32 maps in 0..1, to multiply coverage by: the dirty
        page's, and the clean page's, which is darker but keeps the order.
    """
    overall = 1 - (1 - options.weakest) * rng.beta(0.8, 1.7)
    uneven = rng.uniform(0, options.uneven) * (rng.random() < 0.6)
    cell = text_height * rng.choice([0.9, 2.0, 8.0])
    dirty = np.float32(overall) * (1 + np.float32(uneven) * smooth_field(rng, ink.shape, cell))
    own = _of_its_own(rng)
    if own.random() < 0.5:
        pale = np.float32(own.uniform(0, options.pale))
        dirty *= 1 - pale * _thinness(ink, max(text_height / 6, 1.0))
    dirty = np.clip(dirty, 0.08, 1)
    overall_clean = overall + (1 - overall) * options.restore
    relative = dirty / np.float32(overall)
    clean = np.clip(np.float32(overall_clean) * relative ** np.float32(1 - options.restore), 0.1, 1)
    return dirty, clean


def fill_hairlines(ink: Image) -> Image:
    """Give strokes that are thinner than a pixel, or nearly lost, most of what they lack.

    Args:
        ink: (H, W) coverage in 0..1, of a pen.

    Returns:
        (H, W) float32 coverage in 0..1: wide strokes as they are; a line that covers a fifth of its
        pixels covers three fifths.
    """
    peak = cv2.dilate(ink, np.ones((5, 5), np.uint8))
    # what can hardly be seen at all is not made up
    return np.asarray(ink / np.maximum(peak, 0.12) ** np.float32(0.7), np.float32)


def _of_its_own(rng: Generator) -> Generator:
    """Return a generator that leaves the other as it was: its pages are those of before."""
    (own,) = rng.spawn(1)
    return own


def _thinness(ink: Image, stroke: float) -> Image:
    """Return 0 on strokes of one and a half times a usual width and more, up to 1 on hairlines."""
    inked = soften(ink, stroke)
    # the rim of a stroke is as wide as its middle, and widths change gradually along it
    reach = np.ones((2 * round(stroke) + 1,) * 2, np.uint8)
    width = soften(np.asarray(cv2.dilate(inked, reach)), stroke)
    thinness: Image = np.clip(1 - width / np.float32(0.6), 0, 1)
    return thinness


def fullness(dirty: Image, options: InkOptions) -> Image:
    """Return the exponent that coverage takes on the clean page: below 1 where ink is weak.

    Args:
        dirty: (H, W) darkness of the ink in 0..1, as `darkness` returns it.
        options: how far to go.
    """
    return 1 - np.float32(options.fill) * (1 - dirty)
