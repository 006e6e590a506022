"""Numbers about a page before and after cleaning, without a clean original to compare with.

Arrays only: no files, no network. What has a clean original is in ``truth``.

Everything that is about strokes, paper or pictures is measured on a reduced copy of the page, since
a page at 300 dpi has four times the pixels that it takes; what is about single pixels (noise,
sharpness) is measured at full size in strips that are spread over the page.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pagewash.errors import OptionError
from pagewash.grey import luminance
from pagewash.measuring.definitions import PageMetrics
from pagewash.measuring.strokes import (
    SQUARE,
    StrokeMap,
    map_strokes,
    pictures,
    quantile,
    reduce,
    reduction,
    strokes_gone,
    tone,
    traces,
)

BLANK_INK = 0.0003
"""A page with a smaller share of ink is blank: some ten letters on A4."""

STRIPS, STRIP = 12, 12
"""Strips of a page, and the rows of each at full size, a multiple of every reduction: on A4 at 300
dpi they hold a third of a million pixels, and on a page of 420 rows some 25 lie between two."""

SECOND_DIFFERENCE = np.array([1, -2, 1], np.float32)
"""In rows and columns, one after the other; a difference of two Laplacians."""


def measure(before: np.ndarray, after: np.ndarray) -> PageMetrics:
    """Measure a page before and after cleaning.

    Strokes are pixels of the reduced page at least half as dark as its ink, against the paper
    around them; specks and what hangs together with the page's edge are left out. A stroke is
    *lost* where the cleaned page has not even a quarter of the fainter page's ink within a pixel;
    *added* is the same the other way round. So toned paper, soft stains, show-through and noise may
    vanish, and ink may darken or shift by a pixel.

    Misleads where dark rings, creases and blots are rightly removed (counted as lost) and where
    faint writing is rightly made black (counted as added).

    Args:
        before: (H, W) uint8 grey or (H, W, 3) uint8 RGB, the scan.
        after: the cleaned page, of the same height and width; grey or RGB.

    Returns:
        What ``PageMetrics`` describes.

    Raises:
        OptionError: sizes differ, or a side is shorter than 8 px, reduced.
    """
    _check(before, after)
    factor = reduction(before.shape)
    scan, clean = (map_strokes(reduce(page, factor)) for page in (before, after))
    inky = traces(scan, clean)
    paper = _paper(*inky)
    one, two = _quality(before, scan, paper, factor), _quality(after, clean, paper, factor)
    picture_area, picture_lost = _pictures(scan, clean, one.background, two.background)
    lost, added = _gone(scan, inky[1]), _gone(clean, inky[0])
    return PageMetrics(
        noise_before=one.noise,
        noise_after=two.noise,
        background_before=one.background,
        background_after=two.background,
        unevenness_before=one.unevenness,
        unevenness_after=two.unevenness,
        contrast_before=one.contrast,
        contrast_after=two.contrast,
        sharpness_before=one.sharpness,
        sharpness_after=two.sharpness,
        ink_ratio_before=one.ink_ratio,
        ink_ratio_after=two.ink_ratio,
        ink_lost=lost,
        ink_added=added,
        picture_area=picture_area,
        picture_lost=picture_lost,
        changed=changed_share(before, after),
        blank=one.ink_ratio < BLANK_INK and picture_area == 0,
    )


def changed_share(before: np.ndarray, after: np.ndarray) -> float:
    """Share of the pixels that differ in any channel, 0 to 1.

    Args:
        before: (H, W) uint8 grey or (H, W, 3) uint8 RGB.
        after: of the same height and width; where one of the two is grey, their grey levels count.
    """
    if before.ndim != after.ndim:
        before, after = luminance(before), luminance(after)
    differs = cv2.absdiff(before, after)
    if differs.ndim == 2:
        return cv2.countNonZero(differs) / differs.size
    same = cv2.inRange(differs, np.zeros(3), np.zeros(3))
    return 1 - cv2.countNonZero(same) / same.size


def noise_sigma(page: np.ndarray, where: np.ndarray | None = None) -> float:
    """Noise on a page, estimated without a clean reference.

    Strokes raise it too, so give the bare paper in ``where``. Noise at the end of the scale (paper
    of level 255) is cut off and looks smaller than it is; noise that a blur or JPEG has smoothed
    does as well.

    Args:
        page: (H, W) uint8 grey levels, 0 is black.
        where: (H, W) uint8, other than 0 where to look; None is everywhere.

    Returns:
        Standard deviation in grey levels; 0.0 for a flat page, or where there is nowhere to look.

    Raises:
        OptionError: a side is shorter than 3 px.

    Source:
        J. Immerkær, Fast Noise Variance Estimation, CVIU 64(2), 1996.
    """
    if min(page.shape) < 3:
        raise OptionError(f"a page of {page.shape[1]} x {page.shape[0]} px is too small to measure")
    where = np.full_like(page, 255) if where is None else where
    response = cv2.sepFilter2D(page, cv2.CV_16S, SECOND_DIFFERENCE, SECOND_DIFFERENCE)
    response, where = response[1:-1, 1:-1], where[1:-1, 1:-1]
    total, count = cv2.norm(cv2.copyTo(response, where), cv2.NORM_L1), cv2.countNonZero(where)
    return float(np.sqrt(np.pi / 2) / 6 * total / count) if count else 0.0


@dataclass(frozen=True)
class _Quality:
    noise: float
    background: float
    unevenness: float
    contrast: float
    sharpness: float
    ink_ratio: float


def _quality(page: np.ndarray, ink: StrokeMap, paper: np.ndarray, factor: int) -> _Quality:
    """Quality of one page; ``paper`` is 255 where both pages, reduced, are bare paper."""
    background = quantile(ink.grey, 0.5, paper)
    contrast = quantile(ink.darkness, 0.5, ink.strokes) / 255
    strips = _strips(len(paper), factor)
    some = _rows_of(page, strips, factor)[:, : paper.shape[1] * factor]
    bare, edges = (
        _mask_of(mask, strips, factor) for mask in (paper, cv2.dilate(ink.strokes, SQUARE))
    )
    steepest = quantile(cv2.morphologyEx(some, cv2.MORPH_GRADIENT, SQUARE), 0.9, edges)
    step = contrast * background
    return _Quality(
        noise=noise_sigma(some, bare),
        background=background,
        unevenness=_unevenness(ink.grey, paper),
        contrast=contrast,
        sharpness=min(1.0, steepest / step) if step else 0.0,
        ink_ratio=cv2.countNonZero(ink.strokes) / ink.strokes.size,
    )


def _strips(rows: int, factor: int) -> NDArray[np.intp]:
    """(n, r): rows of a reduced page in strips that are spread evenly, or all of them as one."""
    height = STRIP // factor
    if rows <= STRIPS * height:
        return np.arange(rows)[None]
    return np.linspace(0, rows - height, STRIPS, dtype=np.intp)[:, None] + np.arange(height)


def _rows_of(page: np.ndarray, strips: NDArray[np.intp], factor: int) -> np.ndarray:
    """What a page has in the strips, one below the other: (h, W) uint8 grey, at full size."""
    return luminance(page[(strips.reshape(-1, 1) * factor + np.arange(factor)).ravel()])


def _mask_of(mask: np.ndarray, strips: NDArray[np.intp], factor: int) -> np.ndarray:
    """What a mask of the reduced page has in the strips, at full size.

    The outermost rows of a strip are left out: what lies beside them here is of another strip.
    """
    rows = mask[strips.ravel()]
    size = rows.shape[1] * factor, rows.shape[0] * factor
    large = cv2.resize(rows, size, interpolation=cv2.INTER_NEAREST) if factor > 1 else rows
    large.reshape(len(strips), -1, size[0])[:, (0, -1)] = 0
    return large


def _paper(scan: np.ndarray, clean: np.ndarray) -> np.ndarray:
    """255 where neither page has a trace of ink within 3 px; the whole page if that is nowhere."""
    inky = cv2.bitwise_or(scan, clean)
    paper = cv2.bitwise_not(cv2.dilate(inky, np.ones((5, 5), np.uint8)))
    return paper if cv2.countNonZero(paper) else np.full_like(paper, 255)


def _unevenness(grey: np.ndarray, paper: np.ndarray) -> float:
    """Spread of the paper's mean level over squares of 8 px that are at least half paper."""
    level, share = (reduce(image, 8) for image in (cv2.bitwise_and(grey, paper), paper))
    known = share >= 128
    if not known.any():
        return 0.0
    means = np.sort(level[known].astype(np.float32) * 255 / share[known])
    # numpy's own percentiles take eight times as long
    low, high = np.interp(np.array((0.05, 0.95)) * (means.size - 1), np.arange(means.size), means)
    return float(high - low)


def _gone(page: StrokeMap, left: np.ndarray) -> float:
    """Share of a page's strokes where the other page has no trace of ink left."""
    area, gone = (cv2.countNonZero(mask) for mask in strokes_gone(page, left))
    return gone / area if area else 0.0


def _pictures(scan: StrokeMap, clean: StrokeMap, paper: float, white: float) -> tuple[float, float]:
    """Share of the scan under pictures, and share of those that lost half of their darkness."""
    before = tone(scan.grey, paper)
    picture = pictures(before)
    area = int(np.count_nonzero(picture))
    if not area:
        return 0.0, 0.0
    hollow = int(np.count_nonzero(picture & (tone(clean.grey, white) < before // 2)))
    return area / picture.size, hollow / area


def _check(before: np.ndarray, after: np.ndarray) -> None:
    (height, width), other = before.shape[:2], after.shape[:2]
    if other != (height, width):
        raise OptionError(
            f"a page of {width} x {height} px became one of {other[1]} x {other[0]} px; "
            "measure pages of one size"
        )
    if min(height, width) // reduction(before.shape) < 8:
        raise OptionError(f"a page of {width} x {height} px is too small to measure")
