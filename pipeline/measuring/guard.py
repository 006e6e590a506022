"""Which places of a page lost content in the cleaning.

A place is a block of a twelfth of the page's shorter side. What is lost is judged against what
was kept: strokes of a page share their darkness and the sharpness of their edges, and dirt does
not. A stain is soft, a shadow is wide, show-through is pale and blurred; ink is sharp, even where
it is pale. So strokes that went and were as sharp as those that stayed are a loss. Arrays only.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pagewash.blocks import block_means, fill_blocks
from pagewash.grey import darkest, luminance
from pagewash.measuring.colours import lost_colours
from pagewash.measuring.strokes import (
    SQUARE,
    StrokeMap,
    at_least,
    components,
    map_strokes,
    mask_of,
    quantile,
    reduction,
    rim,
    stroke_width,
    without_edge,
)
from pagewash.measuring.tints import lost_boxes

BLOCKS = 12
"""Places along the shorter side of a page: on A4 each is 17 mm wide, some four lines of text."""

MOST = 0.1
"""Share of a place's strokes, by area, whose loss is a loss of the place."""

SMALLEST = 8
"""Pixels of the shorter side of a reduced page, at least, for anything to be found on it."""

LETTERS = 20
"""Widths of a stroke along a place, at least: some two letters each way, on crops of few lines."""

LEAST = 30
"""Lost strokes of a place, at least, in squares of the stroke's own width: two or three letters,
each of which is a line some ten times as long as wide."""

DARK = 0.5
"""Strokes at least this share as dark as those that were kept are the page's ink if they are
`SHARP`: show-through is half as dark at most, mostly."""

SHARP = 0.7
"""Sharpness of a stroke's edges, as a share of that of the strokes that were kept. Nearly all
letters have more; the rims of stains, folds and show-through have less."""

PALE = 0.25
"""Strokes paler than `DARK` and at least this share as dark as those kept, as of a pencil, are
content if they are `CRISP`."""

CRISP = 0.85
"""What `SHARP` is for pale strokes: that show-through has been through the paper is seen by its
edges."""

GRAIN = 3.0
"""How much darker than the grain of the paper pale strokes must be, at least."""

ABOVE = 3.0
"""How many standard deviations of the paper close by a stroke is darker than that paper, at least:
grain that hangs together may be as sharp as strokes and as long, and is no darker than grain."""

CLOSE = 20
"""Side, in widths of a stroke, of the square in which paper lies close by."""

EVEN = 1.5
"""The standard deviation that grain has at most, in those of the quarter of the page that is most
even: grain lies on all of the paper, and what is between the dots of a screen is none."""

LEFT = 0.25
"""A stroke is kept where the cleaned page is at least this share as dark as the page's ink."""

SPECK = 2
"""Area of the smallest stroke that counts, in squares of the stroke's width: less may be dust."""

BLOT = 5
"""Widths of a stroke from which on what is dark is a blot, and no stroke."""

OUTSIDE = 0.6
"""Share of the paper's tone below which a square at the page's edge, or beside one, lies outside of
the page."""

OUTSIDE_CELL = 12
"""Side of such a square, in pixels of the reduced page."""

SPECKS = (0.4, 8.0)
"""Area of dots of letters, commas and full stops, in squares of the stroke's width."""

BLACK = 0.75
"""Share of the ink's darkness that such a speck has, at least."""

REACH = 6
"""Widths of a stroke within which a speck stands beside what was kept."""

FEW = 6
"""Specks beside letters, beyond those that dust would leave there, whose loss is a loss: fewer are
chance."""

Mask = NDArray[np.uint8]
"""(h, w), 255 for yes and 0 for no."""


@dataclass(frozen=True, eq=False)
class Losses:
    """What a page lost. All masks are of the reduced page."""

    strokes: Mask
    """255 on the strokes that are lost."""

    areas: Mask
    """255 on tinted boxes and pictures that are lost."""

    kinds: tuple[str, ...]
    """What they are, in words: strokes, pale strokes, dots or commas, tints."""

    factor: int
    """By which the page is reduced."""

    width: float
    """Of the page's strokes, in pixels of the reduced page."""

    grain: float
    """How much darker than the paper around it the scan's paper is here and there, 0 to 255."""

    def __bool__(self) -> bool:
        """Whether anything is lost."""
        return bool(self.kinds)

    @property
    def reason(self) -> str:
        """Why a person should look, such as "strokes are gone"."""
        return f"{' and '.join(self.kinds)} are gone"


@dataclass(frozen=True, eq=False)
class _Ink:
    """What the strokes of a page that were kept have in common."""

    darkness: float
    """0 paper to 255 black."""

    sharpness: float
    """Steps of darkness at the rims of strokes, as a share of the darkness that they lead to."""

    width: float
    """Width of a stroke in pixels of the reduced page."""


@dataclass(frozen=True, eq=False)
class _Pages:
    """Scan and cleaned page, with what is asked of them more than once. Arrays are (h, w) uint8."""

    before: StrokeMap
    after: StrokeMap

    steps: np.ndarray
    """Between the darkest and the lightest darkness within a pixel, of the scan."""

    depth: np.ndarray
    """The darkness that the rim of a stroke leads to, of the scan: the highest within 2 px."""

    outside: Mask
    """255 on what is not of the page."""


def find_losses(scan: np.ndarray, cleaned: np.ndarray) -> Losses:
    """Find the places of a page that lost content.

    Args:
        scan: (H, W) uint8 grey or (H, W, 3) uint8 RGB, as it came.
        cleaned: the same page cleaned, of the same height and width.
    """
    factor = reduction(scan.shape)
    small = [length // factor for length in scan.shape[:2]]
    if min(small) < SMALLEST:
        nothing = np.zeros(small, np.uint8)
        return Losses(nothing, nothing, (), factor, 1.0, 0.0)
    grey = scan.ndim == 2 or cleaned.ndim == 2  # else ink of any colour is dark in one primary
    reduced = [_reduced(page, factor) for page in (scan, cleaned)]
    before, after = (map_strokes(luminance(page) if grey else darkest(page)) for page in reduced)
    pages = _Pages(
        before,
        after,
        steps=cv2.morphologyEx(before.darkness, cv2.MORPH_GRADIENT, SQUARE),
        depth=cv2.dilate(before.darkness, np.ones((5, 5), np.uint8)),
        outside=_outside(before.grey),
    )
    ink = _kept_ink(pages)
    paper = cv2.bitwise_not(cv2.dilate(before.strokes, SQUARE))
    grain = quantile(before.darkness, 0.9, paper)
    found = {
        "strokes": _lost_strokes(pages, ink, (DARK, SHARP), 0.0),
        "pale strokes": _lost_strokes(pages, ink, (PALE, CRISP), GRAIN * grain),
        "dots or commas": _lost_specks(pages, ink),
    }
    strokes = np.zeros(before.grey.shape, np.uint8)
    for mask in found.values():
        cv2.bitwise_or(strokes, mask, strokes)
    found["tints"] = lost_boxes(before.grey, after.grey, ink.width)
    if not grey:
        found["tints"] |= lost_colours(*reduced)
    lost = tuple(kind for kind, mask in found.items() if cv2.countNonZero(mask))
    return Losses(strokes, found["tints"], lost, factor, ink.width, grain)


def _lost_strokes(pages: _Pages, ink: _Ink, least: tuple[float, float], darker: float) -> Mask:
    """Strokes lost where a place lost several.

    Args:
        pages: the scan and the cleaned page.
        ink: what strokes that were kept are like.
        least: darkness and sharpness of strokes that count, as shares of the ink's.
        darker: darkness that they have at least, 0 to 255.
    """
    left = at_least(pages.after.darkness, LEFT * ink.darkness)
    left = cv2.dilate(left, np.ones((5, 5), np.uint8))
    dark = at_least(pages.before.darkness, max(least[0] * ink.darkness, darker))
    gone = without_edge(cv2.subtract(dark, cv2.bitwise_or(left, pages.outside)))
    if not _lost_blocks(gone, dark, ink).any():
        return np.zeros_like(gone)  # whatever is sharp of it: most pages end here
    sharp = _sharp_strokes(gone, dark, pages, least[1] * ink.sharpness, ink)
    if not _lost_blocks(sharp, dark, ink).any():
        return np.zeros_like(gone)
    sharp = _above_grain(sharp, dark, pages.before.darkness, ink)
    return _on_blocks(sharp, _lost_blocks(sharp, dark, ink), ink)


def _lost_specks(pages: _Pages, ink: _Ink) -> Mask:
    """Specks lost beside what was kept, if there are more of them than dust would leave there.

    Dust lies anywhere; dots of letters, commas and full stops stand beside letters. Beside the
    scan's edge are the teeth of torn paper, whatever is printed near.
    """
    before, after = pages.before, pages.after
    dark = at_least(before.darkness, DARK * ink.darkness)
    left = cv2.dilate(at_least(after.darkness, LEFT * ink.darkness), SQUARE)
    gone = cv2.subtract(dark, cv2.bitwise_or(left, pages.outside))
    if cv2.countNonZero(gone) < FEW * SPECKS[0] * ink.width**2:
        return np.zeros_like(gone)
    kept = cv2.bitwise_and(after.strokes, before.strokes)
    labels, stats, _ = components(gone)
    where = _places(gone)
    label = labels.ravel()[where]
    blackest = np.zeros(len(stats), np.uint8)
    np.maximum.at(blackest, label, before.darkness.ravel()[where])
    area = stats[:, cv2.CC_STAT_AREA] / ink.width**2
    specks = (area >= SPECKS[0]) & (area <= SPECKS[1]) & (blackest >= BLACK * ink.darkness)
    specks &= _are_sharp(gone, dark, labels, pages, SHARP * ink.sharpness)
    touching = cv2.bitwise_and(gone, cv2.dilate(kept, np.ones((5, 5), np.uint8)))
    specks[np.unique(labels[touching > 0])] = False
    specks[0] = False
    reach = round(REACH * ink.width)
    near = cv2.dilate(kept, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    inner = np.zeros_like(near)
    inner[reach:-reach, reach:-reach] = 255
    x, y = (
        stats[:, start] + stats[:, length] // 2
        for start, length in (
            (cv2.CC_STAT_LEFT, cv2.CC_STAT_WIDTH),
            (cv2.CC_STAT_TOP, cv2.CC_STAT_HEIGHT),
        )
    )
    specks &= inner[y, x] > 0
    beside = near[y, x] > 0
    near_area, far_area = (
        cv2.countNonZero(cv2.bitwise_and(inner, area)) for area in (near, cv2.bitwise_not(near))
    )
    dust = np.count_nonzero(specks & ~beside) * near_area / max(far_area, 1)
    found = np.count_nonzero(specks & beside)
    if found - dust < FEW or found < 2 * dust:
        return np.zeros_like(gone)
    return mask_of(specks & beside, labels)


def _reduced(page: np.ndarray, factor: int) -> np.ndarray:
    """The page in means of so many pixels each way; rows and columns that are left over go."""
    height, width = (length // factor * factor for length in page.shape[:2])
    return block_means(page[:height, :width], factor)


def _kept_ink(pages: _Pages) -> _Ink:
    """What strokes of the scan that are dark in the cleaned page have in common."""
    before = pages.before
    kept = cv2.bitwise_and(before.strokes, pages.after.strokes)
    if cv2.countNonZero(kept) < 0.05 * cv2.countNonZero(before.strokes):
        kept = before.strokes
    edges = rim(kept)
    step, level = (_sum_within(image, edges) for image in (pages.steps, pages.depth))
    return _Ink(
        max(quantile(before.darkness, 0.5, kept), 40),
        step / max(level, cv2.countNonZero(edges), 1),
        stroke_width(kept),
    )


def _sum_within(image: np.ndarray, mask: Mask) -> float:
    """The sum of a uint8 image where a mask is 255, in a seventh of OpenCV's masked mean's time."""
    return float(cv2.norm(cv2.bitwise_and(image, mask), cv2.NORM_L1))


def _places(mask: np.ndarray) -> NDArray[np.intp]:
    """Flat indices of what is not 0, as `numpy.flatnonzero` has them, in a third of its time."""
    found = cv2.findNonZero(mask)
    if found is None:
        return np.zeros(0, np.intp)
    column, row = np.asarray(found, np.intp).reshape(-1, 2).T
    return np.asarray(row * mask.shape[1] + column)


def _outside(grey: np.ndarray) -> Mask:
    """What is dark and wide at the page's edges, and the rim of it: not of the page."""
    cells = block_means(fill_blocks(grey, OUTSIDE_CELL), OUTSIDE_CELL)
    dark = cv2.threshold(cells, OUTSIDE * quantile(cells, 0.5), 255, cv2.THRESH_BINARY_INV)[1]
    framed = cv2.copyMakeBorder(dark, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=[255])
    cv2.floodFill(framed, None, (0, 0), 128, flags=8)
    outside = np.where(framed[1:-1, 1:-1] == 128, np.uint8(255), np.uint8(0))
    wide = cv2.dilate(outside, np.ones((5, 5), np.uint8))
    size = tuple(length * OUTSIDE_CELL for length in wide.shape[::-1])
    large = cv2.resize(wide, size, interpolation=cv2.INTER_NEAREST)
    return np.asarray(large[: grey.shape[0], : grey.shape[1]], np.uint8)


def _sharp_strokes(
    gone: np.ndarray, dark: np.ndarray, pages: _Pages, sharpness: float, ink: _Ink
) -> np.ndarray:
    """Of what is gone of the dark, connected strokes no smaller than a speck with sharp rims."""
    labels, stats, _ = components(gone)
    chosen = _are_sharp(gone, dark, labels, pages, sharpness)
    edges = np.bincount(labels.ravel()[_places(rim(gone))], minlength=len(stats))
    area = stats[:, cv2.CC_STAT_AREA]
    chosen &= (area >= SPECK * ink.width**2) & (2 * area <= BLOT * ink.width * edges)
    chosen[0] = False
    return mask_of(chosen, labels)


def _are_sharp(
    gone: np.ndarray, dark: np.ndarray, labels: np.ndarray, pages: _Pages, sharpness: float
) -> NDArray[np.bool_]:
    """(N,) whether the rims of each labelled part of `gone` are sharp, where it has any."""
    count = int(labels.max()) + 1
    where = _places(cv2.bitwise_and(rim(dark), gone))  # not where it is cut by what is left
    label = labels.ravel()[where]
    step, level = (
        np.bincount(label, image.ravel()[where], count) for image in (pages.steps, pages.depth)
    )
    return np.asarray((level > 0) & (step >= sharpness * level))


def _above_grain(
    strokes: np.ndarray, dark: np.ndarray, darkness: np.ndarray, ink: _Ink
) -> np.ndarray:
    """Of connected strokes, those that are on average darker than the grain of the paper close by.

    Paper is what is not dark, in every other row and column. What is as dark as the page's ink
    is no grain.
    """
    side = round(CLOSE * ink.width / 2) | 1
    paper = cv2.bitwise_not(dark[::2, ::2])
    levels = cv2.bitwise_and(np.ascontiguousarray(darkness[::2, ::2]), paper)
    share = cv2.boxFilter(paper, cv2.CV_32F, (side, side)) / 255 + 1e-6
    mean = cv2.boxFilter(levels, cv2.CV_32F, (side, side)) / share
    square = cv2.sqrBoxFilter(levels, cv2.CV_32F, (side, side)) / share
    deviation = np.sqrt(np.maximum(square - mean**2, 0))
    deviation = np.minimum(deviation, EVEN * np.quantile(deviation, 0.25))
    grain = np.minimum(mean + ABOVE * deviation, ink.darkness)
    labels, stats, _ = components(strokes)
    where = _places(strokes)
    row, column = np.divmod(where, strokes.shape[1])
    above = darkness.ravel()[where] - grain[row // 2, column // 2]
    return mask_of(np.bincount(labels.ravel()[where], above, len(stats)) > 0, labels)


def _lost_blocks(gone: np.ndarray, strokes: np.ndarray, ink: _Ink) -> np.ndarray:
    """(rows, columns) bool: blocks, as `_sums` counts them, that lost strokes."""
    half = _half(gone.shape, ink)
    lost, there = (_sums(mask, half) for mask in (gone, strokes))
    return np.asarray((lost > MOST * there) & (lost >= LEAST * ink.width**2))


def _sums(mask: np.ndarray, half: int) -> np.ndarray:
    """Pixels of a mask in blocks of two by two halves, each beginning half a block further."""
    bottom, right = -mask.shape[0] % half, -mask.shape[1] % half
    whole = cv2.copyMakeBorder(mask, 0, bottom, 0, right, cv2.BORDER_CONSTANT, value=[0])
    size = whole.shape[1] // half, whole.shape[0] // half
    means = cv2.resize(whole, size, interpolation=cv2.INTER_AREA)  # in 255ths, as near as need be
    halves = means.astype(np.float32) * (half * half / 255)
    rows = halves[1:] + halves[:-1]
    return rows[:, 1:] + rows[:, :-1]


def _half(shape: tuple[int, ...], ink: _Ink) -> int:
    """Half a side of a place, in pixels of the reduced page."""
    return round(max(min(shape) / BLOCKS, min(LETTERS * ink.width, min(shape) / 2)) / 2)


def _on_blocks(mask: np.ndarray, blocks: np.ndarray, ink: _Ink) -> Mask:
    """What of a mask lies in blocks as `_sums` counts them."""
    half = _half(mask.shape, ink)
    result = np.zeros_like(mask)
    for row, column in np.argwhere(blocks) * half:
        place = np.s_[row : row + 2 * half, column : column + 2 * half]
        result[place] = mask[place]
    return result
