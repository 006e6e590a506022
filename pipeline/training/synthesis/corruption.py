"""A dirty page from a clean one: every kind of damage, how often, and how bad.

The order is that of life: the ink ages, the other side shows through, the
paper suffers, light falls on it, a scanner adds its noise, a file format its own.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pagewash.geometry.transform import Box
from pagewash.training.synthesis import noise, paper
from pagewash.training.synthesis.ink import (
    InkOptions,
    darkness,
    fill_hairlines,
    fullness,
    spread_ink,
)
from pagewash.training.synthesis.noise import Image
from pagewash.training.synthesis.typesetting import CleanPage

Corruption = Callable[[Image, Generator, float], Image]

CORRUPTIONS: Mapping[str, Corruption] = MappingProxyType(
    {
        "faded_ink": paper.faded_ink,
        "broken_ink": paper.broken_ink,
        "show_through": paper.show_through,
        "yellowing": paper.yellowing,
        "uneven_paper": paper.uneven_paper,
        "texture": paper.texture,
        "stains": paper.stains,
        "folds": paper.folds,
        "wrinkles": paper.wrinkles,
        "footprints": paper.footprints,
        "dust": paper.dust,
        "dark_borders": paper.dark_borders,
        "uneven_light": paper.uneven_light,
        "shadow": paper.shadow,
        "streaks": paper.streaks,
        "blur": noise.blur,
        "rescaling": noise.rescaling,
        "grain": noise.grain,
        "tone": noise.tone,
        "gaussian": noise.gaussian,
        "speckle": noise.speckle,
        "salt_and_pepper": noise.salt_and_pepper,
        "impulse": noise.impulse,
        "masking": noise.masking,
        "thresholding": noise.thresholding,
        "dithering": noise.dithering,
        "jpeg": noise.jpeg,
    }
)
"""Every kind of damage by name, in the order in which pages suffer it."""

_NAMES = tuple(CORRUPTIONS)
_EVENLY_DARKER = ("yellowing", "uneven_paper", "uneven_light", "tone")
"""What takes its own tones from a picture, and leaves no trace of having done so."""

_AS_USUAL = (
    "blur", "rescaling", "tone",
    "salt_and_pepper", "impulse", "masking", "thresholding", "dithering",
)  # fmt: skip
"""What pages that suffer more than others have no more of: much of it leaves nothing to restore."""

_INK = ("faded_ink", "broken_ink")
PAPER_DAMAGE = _NAMES[_NAMES.index("yellowing") : _NAMES.index("blur")]
"""What happens to paper and to the light on it."""

_SCANNER = _NAMES[_NAMES.index("blur") : _NAMES.index("jpeg")]


@dataclass(frozen=True)
class DegradationChance:
    """How often a kind of damage happens, and how bad it then is."""

    share: float
    """Share of pages that have it, 0..1."""

    worst: float = 1.0
    """Level of the worst of them, 0..1."""

    mildness: float = 1.5
    """1 spreads levels evenly from 0 to the worst; more makes mild ones common."""

    def level(self, rng: Generator) -> float | None:
        """Draw a level, or None for a page that is spared. Always draws two numbers."""
        hit, size = rng.random(2)
        return float(self.worst * size**self.mildness) if hit < self.share else None

    def more_severe(self) -> "DegradationChance":
        """Twice as often, and worse."""
        return DegradationChance(min(2 * self.share, 0.8), self.worst, self.mildness / 2)


NEVER = DegradationChance(0.0)


@dataclass(frozen=True)
class DegradationChances:
    """For every kind of damage in `CORRUPTIONS`, how often and how bad."""

    faded_ink: DegradationChance = DegradationChance(0.12, 0.7)
    broken_ink: DegradationChance = DegradationChance(0.12, 0.6)
    show_through: DegradationChance = DegradationChance(0.5, 0.9, 1.2)
    yellowing: DegradationChance = DegradationChance(0.6, 1.0, 1.0)
    uneven_paper: DegradationChance = DegradationChance(0.5)
    texture: DegradationChance = DegradationChance(0.6, 1.0, 1.3)
    stains: DegradationChance = DegradationChance(0.27, 1.0, 1.2)
    folds: DegradationChance = DegradationChance(0.15)
    wrinkles: DegradationChance = DegradationChance(0.15)
    footprints: DegradationChance = DegradationChance(0.08)
    dust: DegradationChance = DegradationChance(0.2, 0.7)
    dark_borders: DegradationChance = DegradationChance(0.12)
    uneven_light: DegradationChance = DegradationChance(0.3)
    shadow: DegradationChance = DegradationChance(0.15)
    streaks: DegradationChance = DegradationChance(0.06, 0.8)
    blur: DegradationChance = DegradationChance(0.4, 0.55)
    rescaling: DegradationChance = DegradationChance(0.2, 0.7)
    grain: DegradationChance = DegradationChance(0.35, 0.8, 2.0)
    tone: DegradationChance = DegradationChance(0.7)
    gaussian: DegradationChance = DegradationChance(0.5, 0.5, 2.5)
    speckle: DegradationChance = DegradationChance(0.12, 0.6)
    salt_and_pepper: DegradationChance = DegradationChance(0.05, 0.7)
    impulse: DegradationChance = DegradationChance(0.04, 0.6)
    masking: DegradationChance = DegradationChance(0.03, 0.5)
    thresholding: DegradationChance = DegradationChance(0.12, 1.0, 1.0)
    dithering: DegradationChance = DegradationChance(0.02)
    jpeg: DegradationChance = DegradationChance(0.5, 0.8)


@dataclass(frozen=True)
class CorruptionOptions:
    """What pages to learn from suffer."""

    chances: DegradationChances = DegradationChances()
    """Each kind of damage: how often and how bad."""

    clean: float = 0.12
    """Share of pages that stay clean, so that clean pages pass unharmed."""

    severe: float = 0.2
    """Share of pages that suffer much more than others."""

    backing: float = 0.15
    """Share of pages that end within the window, on another page or on a dark ground."""

    ink: InkOptions = InkOptions()
    """How ink comes onto the page."""


@dataclass(frozen=True)
class DirtyAndClean:
    """What the autoencoder sees, and what it should give back."""

    dirty: Image
    """(H, W) float32 in 0..1."""

    clean: Image
    """(H, W) float32 in 0..1."""


def corrupt(
    clean_page: CleanPage, verso: CleanPage, rng: Generator, options: CorruptionOptions
) -> DirtyAndClean:
    """Print a page, let it age and scan it.

    Args:
        clean_page: what stands on the page.
        verso: what stands on its other side, of the same size.
        rng: decides everything; the same generator state gives the same pair.
        options: how often, how bad.
    """
    ink = spread_ink(clean_page.ink, clean_page.text_height, rng, options.ink)
    if rng.random() < options.clean:
        clean = (1 - ink) * clean_page.picture
        return DirtyAndClean(clean, clean)
    weak, restored = darkness(ink, clean_page.text_height, rng, options.ink)
    whole = fill_hairlines(ink) if clean_page.handwritten else ink
    clean = (1 - whole ** fullness(weak, options.ink) * restored) * clean_page.picture
    severe = options.severe > 0 and rng.random() < options.severe
    levels = draw_levels(CORRUPTIONS, rng, options, severe=severe)
    if clean_page.picture_box:
        levels = _spare_tones(levels)
    # ink on the other side is the ink of the same book: it never outdoes the page above it
    back = 1 - (1 - (1 - verso.ink) * verso.picture) * np.float32(weak.mean())

    dirty = suffer(1 - ink * weak, _INK, levels, rng) * clean_page.picture
    if (level := levels.get("show_through")) is not None:
        dirty = paper.show_through(dirty, rng, level, back)
    dirty = suffer(dirty, PAPER_DAMAGE, levels, rng)
    if rng.random() < options.backing:
        dirty, clean = _lay_on_backing(dirty, clean, rng)
    dirty = np.clip(suffer(dirty, _SCANNER, levels, rng), 0, 1)
    if levels.get("thresholding") or levels.get("dithering"):
        clean = _keep_what_is_bilevel(dirty, clean, ink, clean_page.picture_box)
    return DirtyAndClean(np.clip(suffer(dirty, ("jpeg",), levels, rng), 0, 1), clean)


def lay_over(
    clean: Image, rng: Generator, options: CorruptionOptions, bare: Image | None = None
) -> DirtyAndClean:
    """Lay a clean page over dirty paper, print and all, as the NoisyOffice corpus was made.

    Fitted to that corpus's training pairs: print was resampled, as by a cubic kernel, and is then
    either multiplied with the paper, or comes out the lighter, the darker the paper is. Little
    else is lost, so that what the network learns here is to be exact.

    Args:
        clean: (H, W) of a page, which is what should come back.
        rng: decides everything; the same generator state gives the same pair.
        options: how often paper suffers, and how badly.
        bare: (H, W) of paper without print to lay it over; without it, some is made.
    """
    paper = _dirty_paper(clean, rng, options) if bare is None else bare
    across, down = (_resampling(rng) for _ in range(2))
    ink = cv2.sepFilter2D(1 - clean, -1, across, down, borderType=cv2.BORDER_REPLICATE)
    ink = np.clip(ink, 0, 1) * np.float32(rng.uniform(0.93, 1))  # black is not all black
    lighter = np.float32(rng.uniform(0, 0.1) if rng.random() < 0.5 else rng.uniform(0.6, 0.85))
    dirty = paper - ink * np.maximum((1 + lighter) * paper - lighter, 0)
    return DirtyAndClean(np.clip(dirty, 0, 1), clean)


def _dirty_paper(like: Image, rng: Generator, options: CorruptionOptions) -> Image:
    levels = draw_levels(PAPER_DAMAGE, rng, options, severe=rng.random() < 0.5)
    return np.clip(suffer(np.ones_like(like), PAPER_DAMAGE, levels, rng), 0, 1)


def _resampling(rng: Generator) -> NDArray[np.float32]:
    """What a resampled image has of two pixels on each side: a little of the next, less than none
    of the one after it.
    """
    next_to, after = rng.uniform(0.05, 0.1), rng.uniform(0.013, 0.021)
    kernel = np.array([-after, next_to, 1 - 2 * (next_to - after), next_to, -after])
    return kernel.astype(np.float32)


def draw_levels(
    kinds: Iterable[str], rng: Generator, options: CorruptionOptions, *, severe: bool
) -> dict[str, float | None]:
    """Decide how bad each kind of damage is on one page; None where it does not happen."""
    chances = {name: getattr(options.chances, name) for name in kinds}
    return {
        name: (chance.more_severe() if severe and name not in _AS_USUAL else chance).level(rng)
        for name, chance in chances.items()
    }


def _spare_tones(levels: Mapping[str, float | None]) -> dict[str, float | None]:
    """Let pages with pictures darken less, or the network learns to bleach photographs."""
    return {
        name: level * 0.35 if level is not None and name in _EVENLY_DARKER else level
        for name, level in levels.items()
    }


def suffer(
    page: Image, kinds: Iterable[str], levels: Mapping[str, float | None], rng: Generator
) -> Image:
    """Let a page suffer some kinds of damage, one after the other, at their levels."""
    for name in kinds:
        if (level := levels.get(name)) is not None:
            page = CORRUPTIONS[name](page, rng, level)
    return page


def _keep_what_is_bilevel(dirty: Image, clean: Image, ink: Image, box: Box | None) -> Image:
    """Ask nothing of the network that black and white no longer tells.

    Ink that swelled or clotted stays as it is, or letters would be thinned by
    guess; a picture reduced to black and white stays one.
    """
    near = cv2.dilate(ink, np.ones((3, 3), np.uint8)) > 0.3
    clean = np.minimum(clean, np.where(near, noise.soften(dirty, 0.5), np.float32(1)))
    if box:
        left, top, right, bottom = box
        clean[top:bottom, left:right] = dirty[top:bottom, left:right]
    return clean


def _lay_on_backing(dirty: Image, clean: Image, rng: Generator) -> tuple[Image, Image]:
    """End the page at a torn edge; beyond it lies another page, or the dark of the scanner.

    Another page is paper and turns white. The dark stays dark on the clean
    page: within the network's sight it cannot be told from a black picture.
    """
    height, width = dirty.shape
    vertical = rng.random() < 0.6
    length, across = (height, width) if vertical else (width, height)
    edge = across * rng.uniform(0.7, 0.97) + np.arange(length, dtype=np.float32) * np.float32(
        rng.normal(0, 0.02)
    )
    edge += noise.smooth_field(rng, (length, 4), 12)[:, 0] * np.float32(rng.uniform(0.2, 2.5))
    away = np.arange(across, dtype=np.float32)[None, :] - edge[:, None]
    if rng.random() < 0.5:
        away = away[:, ::-1]
    beyond = np.clip(away + np.float32(0.5), 0, 1)
    shade = np.exp(-np.maximum(-away, 0) / np.float32(rng.uniform(1, 12))) * (away < 0)
    if not vertical:
        beyond, shade = beyond.T, shade.T
    tone = np.float32(rng.choice([rng.uniform(0, 0.28), rng.uniform(0.5, 0.95)]))
    dirty = dirty * (1 - np.float32(rng.uniform(0, 0.4)) * shade)
    dirty = dirty * (1 - beyond) + beyond * tone
    white = tone if tone < 0.3 else np.float32(1)
    return dirty, clean * (1 - beyond) + beyond * white
