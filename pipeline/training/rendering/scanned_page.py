"""A rendered page, aged and scanned: on real or made-up paper, with what lies around it."""

from collections.abc import Mapping
from dataclasses import replace

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pagewash.cleaning.scale import choose_scale
from pagewash.grey import luminance
from pagewash.inference.checkpoint import ModelCard
from pagewash.models.page_autoencoder import BLOCK
from pagewash.training.page_corpus import Floats, TrainingPage
from pagewash.training.rendering.layers import RenderedPage
from pagewash.training.rendering.surroundings import surround
from pagewash.training.synthesis import noise, paper
from pagewash.training.synthesis.corruption import (
    CORRUPTIONS,
    PAPER_DAMAGE,
    CorruptionOptions,
    draw_levels,
    suffer,
)
from pagewash.training.synthesis.noise import Image, as_jpeg
from pagewash.training.synthesis.paper_extraction import RealPaper
from pagewash.training.synthesis.printing_on_paper import LaidPage, lay_on

PRISTINE = 0.16
"""Share of pages that stay as they are, so that clean pages pass unharmed."""

BILEVEL = 0.1
"""Share of pages that are scanned in black and white."""

GREY = 0.25
"""Share of pages that are scanned without colour."""

SEVERE = 0.15
"""Share of pages that suffer much more than others."""

SURROUNDED = 0.35
"""Share of the pages on made-up paper that lie on something that the scan shows too."""

COARSE = 0.4
"""Share of pages that are scanned at half the resolution, where the cleaner would enlarge them."""

PACKED = 0.4
"""Share of pages that are packed as a JPEG, as they are found in archives."""

OPTIONS = CorruptionOptions()

SCANNER_NOISE = ("blur", "rescaling", "grain", "gaussian", "speckle", "salt_and_pepper", "impulse")
"""Damage by the scanner, besides its tone, in this order."""

ON_REAL_PAPER = ("stains", "folds", "wrinkles", "dust", "uneven_light", "shadow", "streaks")
"""Damage that paper of real scans gets besides its own, two times in five of its usual share."""

Levels = Mapping[str, float | None]


def scan_page(
    page: RenderedPage, verso: RenderedPage, rng: Generator, real: RealPaper | None
) -> TrainingPage:
    """Age and scan a page.

    Args:
        page: what stands on it.
        verso: what stands on its other side, of the same size.
        rng: decides everything.
        real: paper to print it on; None makes some up.

    Returns:
        The page in whole blocks, what is left over cut; with real paper, it may have the paper's
        size.
    """
    chance = rng.random()
    if chance < PRISTINE:
        return _stored(_pristine(page, rng), rng)
    levels = draw_levels(CORRUPTIONS, rng, OPTIONS, severe=rng.random() < SEVERE)
    printed = suffer(page.printed, ("broken_ink",), levels, rng)
    if (level := levels.get("show_through")) is not None:
        printed = paper.show_through(printed, rng, level, luminance(verso.printed))
    laid = (
        _on_made_up_paper(printed, page.clean, rng, levels)
        if real is None
        else _on_real_paper(printed, page.clean, rng, real, levels)
    )
    if (level := levels.get("tone")) is not None:  # the paper's colour is that of the scan
        toned = noise.tone(np.concatenate([laid.dirty, laid.paper], 2), rng, level)
        laid = replace(laid, dirty=toned[..., :3], paper=toned[..., 3:])
    dirty = suffer(laid.dirty, SCANNER_NOISE, levels, rng)
    laid = replace(laid, dirty=np.clip(dirty, 0, 1))
    if chance < PRISTINE + BILEVEL:
        laid = _in_black_and_white(laid, rng, levels)
    stored = _stored(laid, rng)
    return _packed(_halved(stored) if rng.random() < COARSE else stored, rng)


def _pristine(page: RenderedPage, rng: Generator) -> LaidPage:
    """A page that is clean already, as it was printed or as it is hoped for."""
    clean = page.clean if rng.random() < 0.5 else page.printed
    return LaidPage(clean, clean, np.zeros(clean.shape[:2], bool), np.ones_like(clean))


def _on_real_paper(
    printed: Image, clean: Image, rng: Generator, real: RealPaper, levels: Levels
) -> LaidPage:
    """Print on paper of a real scan; a stain or a shadow may fall on it besides."""
    laid = lay_on(real, printed, clean, rng)
    few = [kind for kind in ON_REAL_PAPER if rng.random() < 0.4]
    if not any(levels.get(kind) is not None for kind in few):
        return laid
    light = suffer(np.ones_like(laid.dirty), few, levels, rng)
    return replace(laid, dirty=laid.dirty * light, paper=laid.paper * light)


def _on_made_up_paper(printed: Image, clean: Image, rng: Generator, levels: Levels) -> LaidPage:
    sheet = np.clip(suffer(np.ones_like(printed), PAPER_DAMAGE, levels, rng), 0, 1)
    laid = LaidPage(printed * sheet, clean, np.zeros(printed.shape[:2], bool), sheet)
    return surround(laid, rng) if rng.random() < SURROUNDED else laid


def _in_black_and_white(laid: LaidPage, rng: Generator, levels: Levels) -> LaidPage:
    """Scan in black and white; what that no longer tells is not asked for."""
    grey = luminance(laid.dirty)
    if rng.random() < 0.85:
        level = levels.get("thresholding")
        found = noise.thresholding(grey, rng, rng.random() if level is None else level)
    else:
        found = noise.dithering(grey, rng, rng.random())
    marked = (luminance(laid.clean) < 0.75).astype(np.uint8)
    near = cv2.dilate(marked, np.ones((3, 3), np.uint8)) > 0
    kept = np.where(near & ~laid.outside, found, np.float32(1))
    return replace(
        laid,
        dirty=_three_channels(found),
        clean=_three_channels(kept),
        paper=np.ones_like(laid.dirty),
    )


def _stored(laid: LaidPage, rng: Generator) -> TrainingPage:
    """Bring a page to bytes and whole blocks, some without their colour."""
    height, width = (length // BLOCK * BLOCK for length in laid.outside.shape)
    images = [
        np.ascontiguousarray(image[:height, :width], np.float32)
        for image in (laid.dirty, laid.clean, laid.paper)
    ]
    if rng.random() < GREY:
        images = [_three_channels(luminance(image)) for image in images]
    dirty, clean = (noise.to_bytes(image) for image in images[:2])
    known = _paper_by_block(images[2], laid.outside[:height, :width])
    return TrainingPage(dirty, clean, np.full((height, width), 255, np.uint8), known)


def _halved(page: TrainingPage) -> TrainingPage:
    """A page at half its resolution, if the cleaner would then show it twice as large."""
    size = page.dirty.shape[1] // 2, page.dirty.shape[0] // 2
    dirty, clean, weight = (
        np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        for image in (page.dirty, page.clean, page.weight)
    )
    if choose_scale(luminance(dirty), None, ModelCard.text_heights) != 2:
        return page
    if np.isin(page.dirty, (0, 255)).all():  # in black and white at that resolution, too
        dirty = np.where(dirty < 128, 0, 255).astype(np.uint8)
        clean = np.where(clean < 255, dirty, 255).astype(np.uint8)
    return replace(page, dirty=dirty, clean=clean, weight=weight, scale=2)


def _packed(page: TrainingPage, rng: Generator) -> TrainingPage:
    if rng.random() >= PACKED:
        return page
    dirty = as_jpeg(page.dirty, int(rng.integers(30, 95)))
    if (page.dirty[..., :1] == page.dirty).all():  # no colour comes of packing a grey page
        dirty = np.repeat(dirty[..., 1:2], 3, axis=2)
    return replace(page, dirty=dirty)


def _paper_by_block(sheet: Image, outside: NDArray[np.bool_]) -> Floats:
    """(3, h, w): the paper's colour in each block, NaN where it lies outside of the page."""
    size = sheet.shape[1] // BLOCK, sheet.shape[0] // BLOCK
    means = cv2.resize(np.clip(sheet, 0, 1), size, interpolation=cv2.INTER_AREA)
    share = cv2.resize(outside.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    means[share > 0.02] = np.nan
    return np.moveaxis(np.asarray(means, np.float32), 2, 0)


def _three_channels(grey: Image) -> Image:
    return np.repeat(grey[..., None], 3, axis=2)
