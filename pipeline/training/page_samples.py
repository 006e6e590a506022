"""What a training step sees of pages: crops by number, each time worn, turned and toned anew.

A page is written once and seen often. The same number always gives the same sample, so a resumed
run sees what an undisturbed one would have seen.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from pagewash.cleaning.page_summary import spread_of, summarise_page
from pagewash.grey import LUMA, luminance
from pagewash.models.page_autoencoder import BLOCK
from pagewash.training.page_corpus import (
    BLOCKS,
    CLEAN,
    DIRTY,
    FINER,
    PAPER,
    SPREAD,
    SUMMARY,
    WEIGHT,
    Bytes,
    Floats,
    StoredPage,
    as_seen,
)
from pagewash.training.synthesis.noise import as_jpeg
from pagewash.training.wearing import as_worn, cut_out, grained, has_pictures, set_in_white

MARGIN = 16
"""Pixels, as the network sees them, along inner edges of a crop that do not count: it misses what
is beyond them."""

BRIGHT = 60
"""Grey levels between the primaries of a bright colour."""

WHOLE = 8
"""Blocks: pages are cut to multiples of so many, a corner here or there. The context network sees
the whole page, and making its kernels for a new shape takes as long as learning from the page.
"""


WIDEST_MARGIN = 8
"""Blocks of white around the page of a twin, at most, at each side."""


@dataclass(frozen=True)
class PageSample:
    """A page's summary and some crops of it."""

    summary: Floats
    """(9, h, w) in 0..1, of the whole page."""

    paper: Floats
    """(3, h, w) in 0..1, NaN where unknown."""

    blocks: Floats
    """(3, h, w) in 0..1: mean colour of each block of the clean page, NaN where unknown."""

    places: list[tuple[int, int]]
    """First block, row and column, of each crop."""

    dirty: Bytes
    """(N, side, side, 3): the crops as the page has them; side is the crop's by the scale."""

    clean: Bytes
    """(N, side, side, 3)."""

    weight: Bytes
    """(N, side, side)."""

    scale: int
    """How many times larger the network sees them."""

    finer: Bytes | None = None
    """(N, side, side, 3): pixels of a finer scan, one of each block that the network sees as the
    pixel of `dirty`; None where it sees the page's own."""

    twin: "Twin | None" = None
    """The same crops seen in another way, which are to come out alike."""


class Twin(NamedTuple):
    """A sample as it is with white set around its page, and all of it turned."""

    sample: PageSample
    """The same crops, in the same order, turned."""

    quarters: int
    """By how many quarters they were turned to the left."""


def draw_sample(page: StoredPage, rng: Generator, crops: int, side: int) -> PageSample:
    """Wear, turn and tone a page, and cut some crops; a page without truth gets a twin.

    Args:
        page: of a corpus.
        rng: decides everything.
        crops: how many.
        side: of a crop in pixels of the network's view, a multiple of `BLOCK`.
    """
    pixels, summary = _as_shown(page, rng, side // BLOCK)
    places, stacked = _some_crops(pixels, crops, side // page.scale, page.scale, rng)
    clean, scans = stacked[..., CLEAN], [stacked[..., DIRTY]]
    if stacked.shape[3] > WEIGHT + 1:
        scans.append(stacked[..., FINER])
    if rng.random() < 0.15 and not _is_bright(clean):
        clean, *scans = map(_without_colour, (clean, *scans))
        for planes in (summary[PAPER], summary[BLOCKS]):
            planes[:] = np.tensordot(LUMA, planes, 1)
        # the brightest greys are not those of the brightest primaries
        grey = luminance(np.ascontiguousarray(pixels[..., DIRTY]))
        summary[SUMMARY] = summarise_page(as_seen(grey, page.scale))
    pictured = page.has_truth and any(has_pictures(crop, BLOCK // page.scale) for crop in clean)
    tone = _draw_tone(pictured, rng)
    if tone is not None:
        scans = [np.rint(scan * tone.gain + 255 * tone.lift).astype(np.uint8) for scan in scans]
        whole = as_seen(pixels[..., DIRTY], page.scale)
        summary[SUMMARY] = _toned(summary[SUMMARY], tone, spread_of(whole))
        summary[PAPER] = summary[PAPER] * tone.gain[:, None, None] + tone.lift
    dirty, finer = scans[0], scans[1] if len(scans) > 1 else None
    if rng.random() < 0.15 and page.scale == 1:
        dirty = np.stack([as_jpeg(crop, int(rng.integers(35, 95))) for crop in dirty])
    told = summary[SUMMARY], summary[PAPER], summary[BLOCKS]
    sample = PageSample(*told, places, dirty, clean, stacked[..., WEIGHT], page.scale, finer)
    return sample if page.has_truth else replace(sample, twin=twin_of(sample, rng))


def twin_of(sample: PageSample, rng: Generator) -> Twin | None:
    """Show the crops of a sample on a page that is turned, and mostly has white around it.

    None of a page that is smaller than a crop.
    """
    margins = rng.integers(0, WIDEST_MARGIN + 1, 4) * (rng.random() < 0.7)
    blocks = sample.dirty.shape[1] * sample.scale // BLOCK
    if min(sample.summary.shape[1:]) < blocks:
        return None
    quarters = int(rng.integers(0 if margins.any() else 1, 4))
    summary = set_in_white(sample.summary, margins.reshape(2, 2))
    top, left = int(margins[0]), int(margins[2])
    height, width = summary.shape[1:]
    places = [(row + top, column + left) for row, column in sample.places]
    for _ in range(quarters):
        places = [(width - column - blocks, row) for row, column in places]
        height, width = width, height
    unknown = np.full((3, height, width), np.nan, np.float32)
    turned = PageSample(
        np.rot90(summary, quarters, (1, 2)).copy(),
        unknown,
        unknown,
        places,
        np.rot90(sample.dirty, quarters, (1, 2)),
        np.rot90(sample.clean, quarters, (1, 2)),
        np.rot90(sample.weight, quarters, (1, 2)),
        sample.scale,
    )
    return Twin(turned, quarters)


def _is_bright(clean: Bytes) -> bool:
    """Whether crops (N, side, side, 3) have bright colours, which in grey could be stains."""
    bright = clean.max(axis=3) - clean.min(axis=3) > BRIGHT
    return bool(bright.mean() > 0.01)


def _as_shown(page: StoredPage, rng: Generator, crop: int) -> tuple[Bytes, Floats]:
    """Pixels and planes of a page as it is this time: worn, cut to whole blocks, any way up.

    A page of more than `crop` blocks keeps as many.
    """
    pixels, summary = page.pixels, page.summary
    if page.has_truth:
        pixels, summary = as_worn(pixels, summary, page.scale, rng)
        pixels, summary = grained(pixels, summary, page.scale, rng)
    shape = [max(blocks // WHOLE * WHOLE, min(blocks, crop)) for blocks in summary.shape[1:]]
    pixels, summary = cut_out(pixels, summary, shape, rng)
    turned = int(rng.integers(4))
    return np.rot90(pixels, turned), np.rot90(summary, turned, (1, 2)).copy()


def _some_crops(
    pixels: Bytes, crops: int, side: int, scale: int, rng: Generator
) -> tuple[list[tuple[int, int]], Bytes]:
    """Cut squares out of a page at its blocks: (row, column) of each, and pixels."""
    unit = BLOCK // scale
    down, across = (max((length - side) // unit, 0) + 1 for length in pixels.shape[:2])
    places = [(int(rng.integers(down)), int(rng.integers(across))) for _ in range(crops)]
    cut = [_cut(pixels, top * unit, left * unit, side, MARGIN // scale) for top, left in places]
    return places, np.stack(cut)


def _cut(pixels: Bytes, top: int, left: int, side: int, margin: int) -> Bytes:
    """A square of a page; what lies beyond the page repeats its edge, and does not count, nor does
    a margin along the square's inner edges.
    """
    part = np.array(pixels[top : top + side, left : left + side])
    if top > 0:
        part[:margin, :, WEIGHT] = 0
    if left > 0:
        part[:, :margin, WEIGHT] = 0
    if top + side < pixels.shape[0]:
        part[-margin:, :, WEIGHT] = 0
    if left + side < pixels.shape[1]:
        part[:, -margin:, WEIGHT] = 0
    below, right = side - part.shape[0], side - part.shape[1]
    if below or right:
        height, width = part.shape[:2]
        part = np.pad(part, ((0, below), (0, right), (0, 0)), mode="edge")
        part[height:, :, WEIGHT] = 0
        part[:, width:, WEIGHT] = 0
    return part


class _Tone(NamedTuple):
    """Brightness, contrast and colour of a scan, by straight lines."""

    gain: Floats
    """(3,) of the primaries."""

    lift: np.float32
    """Added to all, of 1."""


def _draw_tone(pictured: bool, rng: Generator) -> _Tone | None:
    """How a page is toned; None if it stays.

    Pictures seldom, and never as dark as other pages: where no paper shows, nothing tells how dark
    a picture was, and what has often been darkened is lightened ever after.
    """
    if rng.random() < (0.85 if pictured else 0.5):
        return None
    darkest = 0.3 if rng.random() < 0.3 and not pictured else 0.75
    gain = np.float32(rng.uniform(darkest, 1.0)) * np.ones(3, np.float32)
    if rng.random() < 0.5:
        gain *= rng.uniform(0.85, 1, 3).astype(np.float32)
    return _Tone(gain, np.float32(rng.uniform(0, 1 - gain.max()) if rng.random() < 0.3 else 0))


def _toned(summary: Floats, tone: _Tone, spread: Floats) -> Floats:
    """The summary (9, h, w) of a page once toned; its spread before, not cut off, is asked for."""
    luma = tone.gain @ LUMA
    toned = summary.copy()
    for planes in (slice(0, 3), slice(3, 6)):
        toned[planes] = summary[planes] * tone.gain[:, None, None] + tone.lift
    toned[6] = summary[6] * luma + tone.lift
    toned[SPREAD] = np.minimum(spread * luma, 1)
    return toned


def _without_colour(pixels: Bytes) -> Bytes:
    return np.repeat(np.rint(pixels @ LUMA)[..., None].astype(np.uint8), 3, axis=3)
