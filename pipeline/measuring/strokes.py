"""Where a page has strokes, paper and pictures.

Arrays only. Everything is relative to the paper around it, so that toned paper, uneven light and
soft stains count as paper. Works on a reduced grey page (``reduce``).
"""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from pagewash.blocks import block_means
from pagewash.grey import luminance

STROKE = 0.5
"""A stroke is at least this share as dark as the page's ink."""

TRACE = 0.25
"""Below this share of the ink's darkness there is next to nothing left."""

FAINTEST = 0.15
"""Nothing lighter than this (0 paper, 1 black) is a stroke: paper has grain."""

TONES = 4
"""By how much `tone` reduces a page further."""

PICTURE = 0.3
"""Wide areas at least this dark (0 paper, 1 black) are pictures; stains are mostly lighter."""

DARKEST_PAPER = 64
"""Grey level below which nothing is paper, so that black areas have no strokes."""

COUNTED_ROWS = 200
"""Rows of a page, at least, whose levels are counted where a level is asked for."""

SQUARE = np.ones((3, 3), np.uint8)


@dataclass(frozen=True)
class StrokeMap:
    """Strokes and paper of one reduced page. All arrays are (h, w) uint8."""

    grey: np.ndarray
    """The reduced page, 0 is black."""

    darkness: np.ndarray
    """0 paper, 255 black against the paper around it."""

    ink: float
    """How dark the page's ink is, 0 paper to 1 black: a tenth of the dark pixels are darker, so
    that show-through of the same area does not lower it."""

    strokes: np.ndarray
    """255 where a stroke is, else 0. Specks are left out."""


def reduction(shape: tuple[int, ...]) -> int:
    """The whole factor by which a page of this shape (height, width, …) is reduced.

    A4 is measured at 150 dpi when scanned at 300, at 200 when scanned at 600; a small page as is.
    """
    pixels = shape[0] * shape[1]
    return 1 if pixels < 3_000_000 else 2 if pixels < 20_000_000 else 3


def reduction_to(length: int, longest: int) -> int:
    """The whole factor by which a side of so many pixels has `longest` at most."""
    return max(1, -(-length // longest))


def reduce(page: np.ndarray, factor: int) -> np.ndarray:
    """A page as (H // factor, W // factor) uint8 grey levels, each the mean of its square.

    Grey comes first: three channels take two to three times as long to reduce.

    Args:
        page: (H, W) uint8 grey or (H, W, 3) uint8 RGB.
        factor: at least 1.
    """
    height, width = (length // factor for length in page.shape[:2])
    return block_means(luminance(page)[: height * factor, : width * factor], factor)


class Components(NamedTuple):
    """What hangs together in a mask; number 0 is all else."""

    labels: np.ndarray
    """(H, W) int32."""

    stats: np.ndarray
    """(N, 5) int32: left, top, width, height, area; of number 0 they say nothing."""

    middles: np.ndarray
    """(N, 2): x, y."""


def components(mask: np.ndarray) -> Components:
    """Tell apart what hangs together in a mask, corner to corner too.

    Of OpenCV's algorithms, all of which find the same, its default takes half as long again; and to
    measure what was found takes it three times as long as to find it, pixel by pixel. Here it is
    measured from one end to the other of each row's runs, of which there are few.

    Args:
        mask: (H, W) uint8, 0 where nothing is.
    """
    count, labels = cv2.connectedComponentsWithAlgorithm(mask, 8, cv2.CV_32S, cv2.CCL_BBDT)
    row, first, end = _runs(mask)
    own = labels[row, first]
    left, right = np.full(count, mask.shape[1]), np.zeros(count, np.intp)
    np.minimum.at(left, own, first)
    np.maximum.at(right, own, end)
    top, bottom = np.zeros((2, count), np.intp)
    top[own[::-1]] = row[::-1]  # the last one that is set is the first of the page
    bottom[own] = row + 1
    length = end - first
    area = np.bincount(own, length, count)
    stats = np.stack([left, top, right - left, bottom - top, area], 1).astype(np.int32)
    places = (first + end - 1) / 2, row
    sums = np.stack([np.bincount(own, length * place, count) for place in places], 1)
    return Components(labels, stats, sums / np.maximum(area, 1)[:, None])


def _runs(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row, first column and the column after the last of each row's runs of what is not 0."""
    height, width = mask.shape
    there = np.zeros((height, width + 2), np.bool_)
    there[:, 1:-1] = mask
    changes = np.flatnonzero(there[:, 1:] != there[:, :-1])
    row = changes[::2] // (width + 1)
    return row, changes[::2] - row * (width + 1), changes[1::2] - row * (width + 1)


def mask_of(chosen: np.ndarray, labels: np.ndarray) -> NDArray[np.uint8]:
    """255 where a label is one of those chosen, (N,) bool; else 0."""
    return np.asarray(np.where(chosen, np.uint8(255), np.uint8(0))[labels])


def quantile(image: np.ndarray, share: float, where: np.ndarray | None = None) -> float:
    """The lowest level of a uint8 image that at least this share of its pixels does not exceed.

    Found by bisection: to count the pixels above a level eight times takes a fifth of the time of
    OpenCV's histogram where most are alike, as on a clean page. Of many rows where there is
    something to look at, `COUNTED_ROWS` at least are counted, which lie evenly among them.

    Args:
        image: (H, W) uint8.
        share: 0 to 1.
        where: (H, W), 255 where to look and 0 elsewhere; None is everywhere.

    Returns:
        0 to 255; 0 where there is nowhere to look.
    """
    if where is None:
        rows = np.ascontiguousarray(_evenly(image))  # OpenCV is slower where rows lie apart
        count = rows.size
    else:  # rows evenly over the page could all pass a line of text by
        held = _evenly(np.flatnonzero(where.max(1)))  # cv2.reduce takes a hundred times as long
        if not len(held):
            return 0.0
        asked = where[held]
        # what is left out lies above all else
        rows = cv2.bitwise_or(image[held], cv2.bitwise_not(asked))
        count = cv2.countNonZero(asked)
    above = rows.size - share * count  # at most, of the level that is sought
    low, high = 0, 255
    while low < high:
        level = (low + high) // 2
        if cv2.countNonZero(cv2.threshold(rows, level, 255, cv2.THRESH_BINARY)[1]) <= above:
            high = level
        else:
            low = level + 1
    return float(low)


def _evenly(rows: np.ndarray) -> np.ndarray:
    """Of many rows `COUNTED_ROWS` or more, less than twice as many, that lie evenly among them."""
    return rows[:: max(len(rows) // COUNTED_ROWS, 1)]


def map_strokes(grey: np.ndarray) -> StrokeMap:
    """Find the strokes of a reduced page.

    Misleads where a stain has edges as sharp and dark as ink (a coffee ring, a crease), which count
    as strokes; and where strokes are wider than a thirtieth of the page, which count as a picture.
    """
    paper = paper_around(grey)
    floor = cv2.max(paper, DARKEST_PAPER)  # type: ignore[call-overload]  # a tenth of numpy's time
    darkness = cv2.divide(cv2.subtract(paper, grey), floor, scale=255)
    ink = _ink_darkness(darkness)
    dark = at_least(darkness, 255 * STROKE * ink)
    return StrokeMap(grey, darkness, ink, _without_specks(dark))


@dataclass(frozen=True)
class Strokes:
    """The strokes of a reduced page, told apart."""

    mask: np.ndarray
    """(h, w) uint8, 255 where a stroke is, else 0."""

    components: Components


def find_strokes(grey: np.ndarray) -> Strokes:
    """Find the strokes of a reduced page as by `map_strokes`, and tell them apart."""
    mask = map_strokes(grey).strokes
    return Strokes(mask, components(mask))


def traces(one: StrokeMap, other: StrokeMap) -> tuple[np.ndarray, np.ndarray]:
    """255 where each page has at least a trace of ink, or has one a pixel away.

    A trace is told by the ink of the fainter page.
    """
    least = 255 * TRACE * min(one.ink, other.ink)
    dark = (at_least(page.darkness, least) for page in (one, other))
    first, second = (cv2.dilate(mask, SQUARE) for mask in dark)
    return first, second


def without_edge(strokes: np.ndarray) -> np.ndarray:
    """Drop strokes that hang together with the page's edge: scan borders, neighbouring pages.

    The edge is a 150th of the page wide, since scanners leave a white line outside of a border.
    """
    inner = strokes.copy()
    width = max(1, min(inner.shape) // 150)
    for side in (inner[:width], inner[-width:], inner[:, :width], inner[:, -width:]):
        side[:] = 255
    cv2.floodFill(inner, None, (0, 0), 0, flags=8)
    return inner


def stroke_width(strokes: np.ndarray) -> float:
    """Mean width of strokes in pixels: twice their area by the length of their rims; at least 1.

    Args:
        strokes: (h, w) uint8, 255 on a stroke.
    """
    return max(2 * cv2.countNonZero(strokes) / max(cv2.countNonZero(rim(strokes)), 1), 1.0)


def rim(strokes: np.ndarray) -> np.ndarray:
    """The outermost pixels of strokes, (h, w) uint8, 255 on a stroke."""
    return cv2.subtract(strokes, cv2.erode(strokes, SQUARE))


def strokes_gone(page: StrokeMap, left: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A page's strokes, less those at its edge, and those of them that another page has not.

    Args:
        page: whose strokes.
        left: the `traces` of the other page; a stroke is gone where there is none.

    Returns:
        Two masks, (h, w) uint8, 255 where a stroke is, and where one is gone.
    """
    strokes = without_edge(page.strokes)
    return strokes, cv2.subtract(strokes, left)


def tone(grey: np.ndarray, paper: float) -> np.ndarray:
    """(h / `TONES`, w / `TONES`) uint8: how dark wide areas are against the page's paper; text is
    closed.
    """
    small = reduce(grey, TONES)
    side = max(7, min(small.shape) // 30) | 1
    closed = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))
    return cv2.bitwise_not(cv2.convertScaleAbs(closed, alpha=255 / max(paper, 1)))


def pictures(tone_before: np.ndarray) -> np.ndarray:
    """(h, w) bool: areas as dark as a picture, less those along the page's edge (scan borders).

    Rows and columns at the edges that are dark for the most part are cut off first; then areas go
    that lie for the most part in the outer tenth of what is left.
    """
    dark = cv2.morphologyEx(at_least(tone_before, 255 * PICTURE), cv2.MORPH_OPEN, SQUARE)
    rows, columns = (_within_border(dark.mean(axis=axis) < 128) for axis in (1, 0))
    page = np.ascontiguousarray(dark[rows, columns])
    found = np.zeros(dark.shape, bool)
    if page.any():
        found[rows, columns] = _mostly_inside(page)
    return found


def _within_border(paper: np.ndarray) -> slice:
    """From the first to the last row (or column) that is not dark for the most part."""
    known = np.flatnonzero(paper)
    return slice(int(known[0]), int(known[-1]) + 1) if known.size else slice(0)


def _mostly_inside(dark: np.ndarray) -> np.ndarray:
    """(h, w) bool: connected areas with more than half of their pixels away from the edges."""
    count, labels = cv2.connectedComponents(dark)
    everywhere = np.bincount(labels.ravel(), minlength=count)
    top, left = (length // 10 for length in labels.shape)
    core = labels[top : labels.shape[0] - top, left : labels.shape[1] - left]
    chosen: np.ndarray = 2 * np.bincount(core.ravel(), minlength=count) > everywhere
    chosen[0] = False
    return np.take(chosen, labels.astype(np.int32))


def at_least(image: np.ndarray, level: float) -> np.ndarray:
    """255 where a uint8 image is at least this bright, else 0."""
    return cv2.threshold(image, float(np.ceil(level)) - 1, 255, cv2.THRESH_BINARY)[1]


def paper_around(grey: np.ndarray) -> np.ndarray:
    """The level of the paper at every pixel: strokes are closed, wide dark areas stay.

    A closing (brightest, then darkest neighbour) fills what is narrower than its kernel; it runs on
    a copy reduced by four, in which the brightest of each square stands for it. The darkest is
    sought a little further, so that paper does not reach over the edge of a wide dark area.
    """
    brightest = cv2.dilate(cv2.blur(grey, (3, 3)), np.ones((5, 5), np.uint8))
    small = np.ascontiguousarray(brightest[::4, ::4])
    side = max(5, min(small.shape) // 30) | 1
    widened = cv2.dilate(small, np.ones((side, side), np.uint8))
    closed = cv2.erode(widened, np.ones((side + 2, side + 2), np.uint8))
    smooth = cv2.blur(cv2.medianBlur(closed, 5), (3, 3))
    return cv2.resize(smooth, grey.shape[::-1], interpolation=cv2.INTER_LINEAR)


def _ink_darkness(darkness: np.ndarray) -> float:
    dark = at_least(darkness, int(255 * FAINTEST))
    return max(2 * FAINTEST, quantile(darkness, 0.9, dark) / 255)


def _without_specks(dark: np.ndarray) -> np.ndarray:
    """Drop pixels with fewer than four dark ones in the 5 x 5 around them (themselves included)."""
    share = cv2.blur(dark, (5, 5), borderType=cv2.BORDER_CONSTANT)
    return cv2.bitwise_and(dark, at_least(share, 255 * 3.5 / 25))
