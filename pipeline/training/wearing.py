"""Pages of a corpus as they wear: rendering a page takes seconds, wearing it a fraction of one.

A corpus holds some thousand pages, and a run sees each of them dozens of times. What befalls paper
is drawn anew each time: dark patches, stains, shadows, coarse texture, the other side shining
through, faded ink, noise, and white margins around the page. What stays is drawn anew too, for the
network must tell the two apart: pictures, parts of a page that are nearly all picture, coloured
bands along an edge, shapes and letters in bright colours.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pagewash.blocks import block_means
from pagewash.cleaning.page_summary import summarise_page
from pagewash.grey import LUMA, are_equal, darkest, luminance
from pagewash.models.page_autoencoder import BLOCK
from pagewash.training.page_corpus import (
    BLOCKS,
    BRIGHTEST,
    CLEAN,
    DIRTY,
    PAPER,
    SPREAD,
    SUMMARY,
    WEIGHT,
    Bytes,
    Floats,
    as_seen,
)
from pagewash.training.rendering import illustrations
from pagewash.training.synthesis import noise, paper, pictures
from pagewash.training.synthesis.corruption import Corruption
from pagewash.training.synthesis.noise import Image, from_bytes, to_bytes

WORN = 0.5
"""Share of pages that suffer more than what the corpus has of them."""

FRAMED = 0.25
"""Share of pages that get margins."""

ZOOMED = 0.25
"""Share of pages of which only a part is shown that is nearly all picture, if there is one."""

ILLUSTRATED = 0.12
"""Share of pages that get a picture."""

SCREENED = 0.4
"""Share of the pages in black and white that get one, in black and white: what is black and wide
may be a picture, near an edge too."""

BANDED = 0.15
"""Share of pages that get a band of colour along an edge."""

COLOURED = 0.12
"""Share of pages that get shapes and letters in bright colours."""

REVERSED = 0.4
"""Share of bands whose letters are white."""

YELLOW = 0.5
"""Share of bright colours that lie between lime and orange."""

SMALLEST_SHAPE, LARGEST_SHAPE = 12, 400
"""Pixels of a side of such shapes."""

PATCHED = 0.3
"""Share of the worn pages that have dark patches, if they have ink there; others suffer something
else."""

SPARSE = 0.01
"""Share of a dark place that is ink, from which on it has writing in it."""

INK = 128
"""Grey level of the clean page below which it has ink."""

BLACKEST = 0.2
"""Mean of a picture in black and white from which on it could be an edge that was not covered."""

LIGHTEST = 0.7
"""Mean of a picture's darkest primaries, in 0..1, from which on a stain could be as dark."""

FADED = 0.5
"""Share of the worn pages whose ink has faded, down to a third of its contrast."""

UNEVENLY = 0.6
"""Share of these on which it has faded here more and there less, and here to less than a quarter:
what is paler than the rest of a page is not what shines through it."""

BLEACHED = 0.25
"""Share of the worn pages whose scan has white paper, as scanners make it that stretch contrasts:
ink on white paper may be weak and yet be no grey."""

SHINING = 0.3
"""Share of the worn pages that let their other side through."""

EDGED = 0.3
"""Share of the pages in black and white along whose edges the scan is black."""

SPECKED = 0.2
"""Share of pages with dust on them, or on the glass."""

FEWEST_SPECKS, MOST_SPECKS = 3e-6, 5e-4
"""Specks for each pixel of such a page."""

APART = 12
"""Pixels between a speck and all that is written, at least: nearer, it may be a dot of it."""

LARGEST_SPECK = 4
"""Pixels of its sides; most are smaller."""

BETWEEN = 0.2
"""Share of the pixels between black and white that a page in black and white has at most: it may be
one of half the resolution."""

NOISY = 0.6
"""Share of the worn pages that a scanner adds its noise to."""

GRAINED = 0.08
"""Share of pages whose scan is twice as fine as what the network sees of it, and noisy."""

COARSEST_GRAIN = 0.25
"""Deviation of such noise, in 0..1, at the most."""

LONGEST = 100
"""Blocks, height and width, of a page that is worn; of a larger one, a part that is cut out."""

WIDEST = 24
"""Blocks of a margin."""

WHITE = 230
"""Grey level of the clean page that paper has at least."""

PICTURES = 0.03
"""Share of a page's blocks without any paper from which on it has pictures or tints."""

AROUND, DARK = 7, 0.7
"""Blocks to a side whose mean, in 0..1, is darker than that are in a picture."""

LIGHT = 0.85
"""Mean of paper, in 0..1, from which on it is light."""

ON_PAPER: Sequence[Corruption] = (
    paper.stains, paper.stains, paper.stains, paper.stains, paper.shadow, paper.shadow,
    paper.shadow_of_limbs, paper.shadow_of_limbs, paper.texture, paper.ribs, paper.ribs,
    paper.dust, paper.folds, paper.wrinkles, paper.footprints, paper.uneven_light,
    paper.uneven_paper, paper.streaks,
)  # fmt: skip
"""What befalls paper besides patches; what is here several times befalls it oftener."""

LIKE_PICTURES: Sequence[Corruption] = (paper.patches, paper.shadow, paper.shadow_of_limbs)
"""What could as well be a picture where nothing is written in it."""

BY_SCANNER: Sequence[tuple[Corruption, float]] = (
    (noise.gaussian, 0.6), (noise.grain, 0.8), (noise.speckle, 0.6),
    (noise.salt_and_pepper, 0.3), (noise.blur, 0.35), (noise.sharpening, 1.0),
)  # fmt: skip
"""What a scanner adds, and how bad it gets."""


def as_worn(pixels: Bytes, summary: Floats, scale: int, rng: Generator) -> tuple[Bytes, Floats]:
    """A page as it is this time, by all of what follows; all else is as for `worn`.

    Each has random numbers of its own: a change to one leaves the others, and errors on pages held
    back before and after it compare.
    """
    changes = (illustrated, zoomed, banded, coloured, worn, edged, specked, framed)
    for change, own in zip(changes, rng.spawn(len(changes)), strict=True):
        pixels, summary = change(pixels, summary, scale, own)
    return pixels, summary


def worn(pixels: Bytes, summary: Floats, scale: int, rng: Generator) -> tuple[Bytes, Floats]:
    """Let some pages suffer more, but none with pictures.

    Who is to lighten dark patches of a picture, or to take noise off it, learns to lighten pictures
    and to smooth what is fine in them.

    Args:
        pixels: (H, W, 7) of a stored page: dirty, clean, weight.
        summary: (15, h, w) of it: the summary, the paper's colour, the clean page's.
        scale: how many times larger the network sees the page.
        rng: decides everything.

    Returns:
        Both as they are then; as they were, where the page is spared.
    """
    if rng.random() >= WORN or _is_spared(pixels, scale):
        return pixels, summary
    shape = [min(blocks, LONGEST) for blocks in summary.shape[1:]]
    pixels, summary = cut_out(pixels, summary, shape, rng)
    pixels, summary = pixels.copy(), summary.copy()
    dirty = from_bytes(pixels[..., DIRTY])
    light = _light(pixels[..., CLEAN] @ LUMA < INK, rng)
    fade = np.float32(rng.uniform(0.35, 0.9) if rng.random() < FADED else 1)
    left = _left_of_ink(fade, dirty.shape, rng.spawn(1)[0])
    dirty = (1 - left * (1 - dirty)) * light
    dirty = dirty * _shining_through(
        pixels[..., CLEAN], rng.spawn(1)[0], strongest=0.6 * left.min()
    )
    paper_there = 1 - _by_block(left, BLOCK // scale) * (1 - summary[PAPER])
    summary[PAPER] = paper_there * _by_block(light, BLOCK // scale)
    if (own := rng.spawn(1)[0]).random() < BLEACHED:
        gain = _whitening(summary[PAPER], own)
        dirty = np.minimum(dirty * gain, 1)
        summary[PAPER] = np.minimum(summary[PAPER] * gain[:, None, None], 1)
    if rng.random() < NOISY:
        harm, worst = BY_SCANNER[int(rng.integers(len(BY_SCANNER)))]
        dirty = harm(dirty, rng, worst * rng.random())
    pixels[..., DIRTY] = to_bytes(dirty)
    summary[SUMMARY] = summarise_page(as_seen(pixels[..., DIRTY], scale))
    return pixels, summary


def _is_spared(pixels: Bytes, scale: int) -> bool:
    """Whether a page has pictures, or is clean already: weak ink on it is to stay so."""
    pristine = are_equal(pixels[..., DIRTY], pixels[..., CLEAN])
    return pristine or has_pictures(pixels[..., CLEAN], BLOCK // scale)


def grained(pixels: Bytes, summary: Floats, scale: int, rng: Generator) -> tuple[Bytes, Floats]:
    """Let some pages be noisy scans that the network sees at half their size.

    A fourth of the noise's power is left in their blocks of two by two pixels, and all of it in the
    scan's own, which the network's gain is for. All else is as for `worn`.

    Returns:
        The page and its summary as they are seen then, the page with three planes more (`FINER`):
        a pixel of the scan of each block. Of other pages, as they were.
    """
    if scale > 1 or rng.random() >= GRAINED or _is_spared(pixels, scale):
        return pixels, summary
    grain = np.float32(COARSEST_GRAIN * rng.random())
    summary, printed = summary.copy(), from_bytes(pixels[..., DIRTY])
    block = [
        to_bytes(printed + grain * noise.normal(rng, pixels.shape[:2])[..., None]) for _ in range(4)
    ]
    seen = np.rint(np.mean(block, axis=0, dtype=np.float32)).astype(np.uint8)
    pixels = np.concatenate([seen, pixels[..., 3:], block[0]], axis=2)
    summary[SUMMARY] = summarise_page(as_seen(seen, scale))
    return pixels, summary


def edged(pixels: Bytes, summary: Floats, scale: int, rng: Generator) -> tuple[Bytes, Floats]:
    """Let some scans in black and white be black along their edges, where the glass was not
    covered; all else is as for `worn`.
    """
    if rng.random() >= EDGED or not _is_bilevel(pixels[..., DIRTY]):
        return pixels, summary
    pixels = pixels.copy()
    for turns in range(4):
        if rng.random() < 0.5:
            _blacken_top(np.rot90(pixels, turns), rng)
    return pixels, _summed_up(pixels, summary, scale)


def _blacken_top(seen: Bytes, rng: Generator) -> None:
    """Blacken (H, W, 7) down to a line that is not quite straight, and leave some specks; what was
    written there is gone.
    """
    height, width = seen.shape[:2]
    first, last = np.sort(rng.uniform(-0.3, 1.3, 2) * width) if rng.random() < 0.3 else (0, width)
    along = np.arange(width, dtype=np.float32)
    deep = height * rng.uniform(0, 0.1) + np.float32(rng.normal(0, 0.02)) * (along - width / 2)
    deep += np.float32(rng.uniform(0, 5)) * noise.smooth_field(rng, (4, width), 6)[0]
    deep[(along < first) | (along >= last)] = 0
    part = seen[: int(np.clip(deep.max() + 1, 1, height))]
    black = np.arange(len(part))[:, None] < deep
    specks = noise.smooth_field(rng, part.shape[:2], 1.2) > rng.uniform(1.5, 5)
    part[black, CLEAN] = 255
    part[black & ~specks, DIRTY] = 0


def specked(pixels: Bytes, summary: Floats, scale: int, rng: Generator) -> tuple[Bytes, Floats]:
    """Let dust fall on some pages, clean ones too, away from all that is written; all else is as
    for `worn`.
    """
    if rng.random() >= SPECKED:
        return pixels, summary
    pixels = pixels.copy()
    height, width = pixels.shape[:2]
    white = (darkest(pixels[..., CLEAN]) >= WHITE).astype(np.uint8)
    free = cv2.erode(white, np.ones((2 * APART + 1,) * 2, np.uint8)) > 0
    few, many = np.log(FEWEST_SPECKS), np.log(MOST_SPECKS)
    count = rng.poisson(height * width * np.exp(rng.uniform(few, many)))
    lightest = 0 if _is_bilevel(pixels[..., DIRTY]) else rng.uniform(0, 160)
    for top, left in rng.integers(0, (height, width), (count, 2)):
        if free[top, left]:
            high, wide = rng.geometric(0.5, 2).clip(max=LARGEST_SPECK)
            speck = pixels[top : top + high, left : left + wide, DIRTY]
            np.minimum(speck, np.uint8(rng.uniform(0, lightest)), out=speck)
    return pixels, _summed_up(pixels, summary, scale)


def _is_bilevel(dirty: Bytes) -> bool:
    """Whether (H, W, 3) is in black and white."""
    primaries = np.ascontiguousarray(dirty).reshape(len(dirty), -1)
    return _share_within(primaries, 41, 214) < BETWEEN and _share_within(primaries, 251, 255) > 0.5


def _share_within(levels: Bytes, lowest: int, highest: int) -> float:
    """Share of (H, W) that lies between two levels, with them."""
    return cv2.countNonZero(cv2.inRange(levels, lowest, highest)) / levels.size


def framed(pixels: Bytes, summary: Floats, scale: int, rng: Generator) -> tuple[Bytes, Floats]:
    """Lay white margins around some pages, in whole blocks; all else is as for `worn`."""
    if rng.random() >= FRAMED:
        return pixels, summary
    around = np.stack([rng.integers(0, WIDEST, 2) * (rng.random() < 0.7) for _ in range(2)])
    margins = [*around * (BLOCK // scale), (0, 0)]
    return np.pad(pixels, margins, constant_values=255), set_in_white(summary, around)


def set_in_white(summary: Floats, around: NDArray[np.int64]) -> Floats:
    """Planes of a page with so many white blocks above and below, left and right, (2, 2)."""
    told = np.pad(summary, [(0, 0), *around], constant_values=1)
    told[SPREAD] = np.pad(summary[SPREAD], around)  # white has none
    return told


def zoomed(pixels: Bytes, summary: Floats, scale: int, rng: Generator) -> tuple[Bytes, Floats]:
    """Show only a part of some pages, around a place in a picture; all else is as for `worn`.

    Pictures that fill a page are rare, and nothing but pictures tells what is no dark paper. Only
    pages on light paper are: a picture without paper in sight stays as light as it is.
    """
    if rng.random() >= ZOOMED or _paper_of(summary).mean() < LIGHT:
        return pixels, summary
    known = np.nan_to_num(summary[BLOCKS].mean(0), nan=1.0)
    inside = np.argwhere(cv2.blur(known, (AROUND, AROUND)) < DARK)
    if not len(inside):
        return pixels, summary
    middle = inside[rng.integers(len(inside))]
    shape = np.minimum(rng.integers(2 * AROUND, 6 * AROUND, 2), known.shape)
    top, left = np.clip(middle - shape // 2, 0, np.array(known.shape) - shape)
    return _part(pixels, summary, (top, left), shape)


def illustrated(pixels: Bytes, summary: Floats, scale: int, rng: Generator) -> tuple[Bytes, Floats]:
    """Print a picture onto some pages, often against an edge; all else is as for `worn`.

    A light one could as well be a stain, and none is printed.
    """
    chance = rng.random()
    if chance >= max(SCREENED, ILLUSTRATED):  # most pages are not looked at
        return pixels, summary
    is_bilevel = _is_bilevel(pixels[..., DIRTY])
    if chance >= (SCREENED if is_bilevel else ILLUSTRATED):
        return pixels, summary
    rows, columns = (_stretch(length, rng, (0.15, 0.8)) for length in pixels.shape[:2])
    under = _paper_of(summary).mean((1, 2))
    box = pixels[rows, columns]
    if _is_beside(box, under):
        return pixels, summary
    tones = illustrations.in_colour(rng, pictures.picture(rng, *box.shape[:2]))
    if is_bilevel:
        in_bits = noise.thresholding if rng.random() < 0.6 else noise.dithering
        tones = np.repeat(in_bits(luminance(tones), rng, rng.random())[..., None], 3, 2)
        if tones.mean() < BLACKEST:
            return pixels, summary
    if darkest(tones).mean() > LIGHTEST:
        return pixels, summary
    pixels = pixels.copy()
    box = pixels[rows, columns]
    box[..., DIRTY], box[..., CLEAN] = to_bytes(under * tones), to_bytes(tones)
    box[..., WEIGHT] = 255
    return pixels, _summed_up(pixels, summary, scale)


def _stretch(length: int, rng: Generator, share: tuple[float, float]) -> slice:
    """A part of a side, of some share of it, at one end of it as often as not."""
    part = int(length * rng.uniform(*share)) + 1
    first = int(rng.uniform(-0.5, 1.5) * (length - part))
    first = min(max(first, 0), length - part)
    return slice(first, first + part)


def _summed_up(pixels: Bytes, summary: Floats, scale: int) -> Floats:
    """The planes of a page whose pixels have changed; its paper stays."""
    seen_clean = _by_block(from_bytes(pixels[..., CLEAN]), BLOCK // scale)
    seen_clean[np.isnan(summary[BLOCKS])] = np.nan
    seen = summarise_page(as_seen(pixels[..., DIRTY], scale))
    return np.concatenate([seen, summary[PAPER], seen_clean])


def banded(pixels: Bytes, summary: Floats, scale: int, rng: Generator) -> tuple[Bytes, Floats]:
    """Print a band of colour along an edge of some pages, as slides have it; all else is as for
    `worn`. What is written there is in the band.

    What a scanner leaves around a page is dark or dull, and goes: bands are neither.
    """
    if rng.random() >= BANDED:
        return pixels, summary
    before, pixels = pixels, pixels.copy()
    turns = int(rng.integers(4))
    seen = np.rot90(pixels, turns)  # the band lies along the top of this view
    height, width = seen.shape[:2]
    band = seen[: int(height * rng.uniform(0.01, 0.15)) + 1]
    if rng.random() < 0.4:
        first, last = sorted(rng.uniform(0, width, 2).astype(int))
        band = band[:, first : last + 1]
    if _is_beside(band, _paper_of(summary).mean((1, 2))):
        return before, summary
    paler = np.float32(rng.uniform(0, 0.6) * (rng.random() < 0.3))  # toward one end
    along = np.linspace(1, 1 - paler, band.shape[1], dtype=np.float32)[None, :, None]
    colour = 1 - along * (1 - _vivid(rng))
    if rng.random() < REVERSED:
        printed = 255 - band[..., CLEAN] * (1 - colour)
        band[..., CLEAN] = np.rint(printed)
        band[..., DIRTY] = np.rint(printed * _paper_of(summary).mean((1, 2)))
    else:
        for side in (DIRTY, CLEAN):
            band[..., side] = np.rint(band[..., side] * colour)
    return pixels, _summed_up(pixels, summary, scale)


def coloured(pixels: Bytes, summary: Floats, scale: int, rng: Generator) -> tuple[Bytes, Floats]:
    """Print flat shapes, or letters of the page once more, onto some pages in bright colours; all
    else is as for `worn`.

    Paper turns yellow, and a network that takes it back takes yellow ink, too, unless it sees some.
    """
    if rng.random() >= COLOURED:
        return pixels, summary
    pixels, under = pixels.copy(), _paper_of(summary).mean((1, 2))
    clean = pixels[..., CLEAN].copy()
    for _ in range(int(rng.integers(1, 6))):
        covered = _shape(rng) if rng.random() < 0.6 else _letters(clean, rng)
        high, wide = np.minimum(covered.shape, pixels.shape[:2])
        top, left = rng.integers(0, np.array(pixels.shape[:2]) - (high, wide) + 1)
        box = pixels[top : top + high, left : left + wide]
        if _is_beside(box, under):
            continue
        taken = np.float32(rng.uniform(0.4, 1)) * covered[:high, :wide, None]
        through = 1 - taken * (1 - _vivid(rng))
        for side in (DIRTY, CLEAN):
            box[..., side] = np.rint(box[..., side] * through)
    return pixels, _summed_up(pixels, summary, scale)


def _is_beside(box: Bytes, paper: Floats) -> bool:
    """Whether a part of a page (h, w, 7) shows what lies around it, which goes."""
    return bool(box[..., DIRTY].mean() < 0.75 * 255 * paper.mean())


def _shape(rng: Generator) -> Image:
    """(h, w) in 0..1: a disc, a ring, a sector, a bar or a polygon, as diagrams have them."""
    smallest, largest = np.log(SMALLEST_SHAPE), np.log(LARGEST_SHAPE)
    high, wide = np.exp(rng.uniform(smallest, largest) + rng.uniform(-0.5, 0.5, 2)).astype(int)
    drawn = np.zeros((high, wide), np.uint8)
    middle, radii = (int(wide // 2), int(high // 2)), (int(wide // 2 - 2), int(high // 2 - 2))
    kind = int(rng.integers(5))
    if kind == 0:
        cv2.ellipse(drawn, middle, radii, 0, 0, 360, 255, -1, cv2.LINE_AA)
    elif kind == 1:
        thick = int(rng.integers(2, max(min(radii) // 2, 3)))
        inner = max(radii[0] - thick, 1), max(radii[1] - thick, 1)
        cv2.ellipse(drawn, middle, inner, 0, 0, 360, 255, thick, cv2.LINE_AA)
    elif kind == 2:
        first = int(rng.integers(360))
        last = first + int(rng.integers(30, 300))
        cv2.ellipse(drawn, middle, radii, 0, first, last, 255, -1, cv2.LINE_AA)
    elif kind == 3:
        drawn[:] = 255
    else:
        corners = rng.uniform((0, 0), (wide, high), (int(rng.integers(3, 8)), 2))
        cv2.fillPoly(drawn, [corners.astype(np.int32)], 255, cv2.LINE_AA)
    return from_bytes(drawn)


def _letters(clean: Bytes, rng: Generator) -> Image:
    """(h, w) in 0..1: what a part of a clean page has of ink, turned by quarters."""
    rows, columns = (_stretch(length, rng, (0.04, 0.3)) for length in clean.shape[:2])
    ink: Image = 1 - darkest(from_bytes(clean[rows, columns]))
    return np.rot90(ink, int(rng.integers(4)))


def _vivid(rng: Generator) -> Floats:
    """(3,) a colour in 0..1: neither dark nor dull."""
    if rng.random() < YELLOW:
        orange, yellow = rng.uniform(0.45, 0.95), rng.uniform(0, 0.5)
        return np.array([rng.uniform(0.75, 1), orange, yellow * orange], np.float32)
    highest, depth = rng.uniform(0.4, 1), rng.uniform(0.25, 1)
    return np.float32(highest) * (1 - np.float32(depth) * rng.permutation([0, rng.random(), 1]))


def has_pictures(clean: Bytes, unit: int) -> bool:
    """Say of (H, W, 3), whole blocks of `unit` pixels, whether it has pictures or tints.

    Text leaves some paper in nearly every block.
    """
    height, width = clean.shape[:2]
    rows = darkest(clean).reshape(height // unit, unit, width).max(1)
    lightest = rows.reshape(height // unit, width // unit, unit).max(2)
    return bool((lightest < WHITE).mean() > PICTURES)


def cut_out(
    pixels: Bytes, summary: Floats, shape: Sequence[int], rng: Generator
) -> tuple[Bytes, Floats]:
    """Cut a part out of a page, anywhere.

    Args:
        pixels: (H, W, 7) of it.
        summary: (15, h, w) of it.
        shape: height and width of the part in blocks, no larger than the page's.
        rng: decides everything.
    """
    place = [
        int(rng.integers(0, whole - part + 1))
        for whole, part in zip(summary.shape[1:], shape, strict=True)
    ]
    return _part(pixels, summary, place, shape)


def _part(
    pixels: Bytes, summary: Floats, place: Sequence[int], shape: Sequence[int]
) -> tuple[Bytes, Floats]:
    """What lies in a box of blocks: row and column of its first, and how many."""
    unit = pixels.shape[0] // summary.shape[1]
    (top, left), (height, width) = place, shape
    bottom, right = top + height, left + width
    return (
        pixels[top * unit : bottom * unit, left * unit : right * unit],
        summary[:, top:bottom, left:right],
    )


def _light(ink: NDArray[np.bool_], rng: Generator) -> Image:
    """(H, W, 3), or (H, W, 1) if it is neutral: what is left of the light on each place.

    Patches and shadows need some ink in them: without, they could as well be pictures.
    """
    neutral = rng.random() < 0.5
    light = np.ones(ink.shape if neutral else (*ink.shape, 3), np.float32)
    harm = ON_PAPER[int(rng.integers(len(ON_PAPER)))]
    if rng.random() < PATCHED:
        harm = paper.patches
    darkened = harm(light, rng, rng.uniform(0.2, 1))
    dark = darkest(darkened) < 0.9
    if harm not in LIKE_PICTURES or np.count_nonzero(ink & dark) > SPARSE * np.count_nonzero(dark):
        light = darkened
    if rng.random() < 0.3:
        light = paper.texture(light, rng, rng.uniform(0, 1.3))
    return np.clip(light[..., None] if neutral else light, 0, 1.2)


def _left_of_ink(fade: np.float32, shape: tuple[int, ...], rng: Generator) -> Image:
    """(H, W, 1): what is left of the ink's contrast, of a page of (H, W, ...)."""
    if fade == 1 or rng.random() >= UNEVENLY:
        return np.full((*shape[:2], 1), fade, np.float32)
    patches = noise.smooth_field(rng, shape, rng.uniform(60, 400))
    share = np.clip(np.float32(0.6) + np.float32(0.5) * patches, 0, 1)
    return np.asarray(1 - (1 - np.float32(0.65) * fade) * share[..., None], np.float32)


def _whitening(paper: Floats, rng: Generator) -> Floats:
    """(3,) gain of the primaries by which the paper (3, h, w) of a page gets white but where it is
    darkest; all alike, or each by itself.
    """
    known = paper[:, ~np.isnan(paper).any(0)]
    if not known.size:
        return np.ones(3, np.float32)
    gain = 1 / np.clip(np.quantile(known, rng.uniform(0.1, 0.6), axis=1), 0.3, 1)
    return np.asarray(gain if rng.random() < 0.5 else np.full(3, gain.min()), np.float32)


def _shining_through(clean: Bytes, rng: Generator, *, strongest: float) -> Image:
    """(H, W, 3), or (H, W, 1) if it is neutral: what is left of the light where the other side of
    some pages, which is as they are themselves, shows; all of it on the others.
    """
    if rng.random() >= SHINING:
        return np.ones((1, 1, 1), np.float32)
    white = np.ones(clean.shape if rng.random() < 0.3 else clean.shape[:2], np.float32)
    return np.atleast_3d(
        paper.show_through(white, rng, strongest * rng.random(), from_bytes(clean))
    )


def _paper_of(summary: Floats) -> Floats:
    """(3, h, w): the paper's colour; where it is not known, the brightest of each block."""
    paper: Floats = np.where(np.isnan(summary[PAPER]), summary[BRIGHTEST], summary[PAPER])
    return paper


def _by_block(light: Image, unit: int) -> Floats:
    """Mean of each block, (3, h, w) or (1, h, w)."""
    return np.moveaxis(np.atleast_3d(block_means(light, unit)), 2, 0)
