"""Strokes much fainter than the page's ink stay faint.

A network judges by what lies in its sight. Where nothing is written, print of the other side looks
to it like weak ink, and comes out black and half complete. The whole page tells them apart, if its
strokes are of two strengths with nothing between. The fainter ones are then shown as pale as they
were scanned, beside the page's ink: neither removed nor blackened. Weak letters in a line of strong
ones are the page's own, and stay as the network restored them. Arrays only.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pagewash.cleaning.scale import resample
from pagewash.pages import Pixels

MOST_PIXELS = 3_000_000
"""A larger page is looked at in half its size or a quarter: A4 at about 150 dpi."""

PAPER = 250
"""What a network leaves as light as this is paper."""

DARK = 160
"""What it leaves darker than this is a stroke."""

LETTER = (4, 120)
"""Rows of a letter, at the size at which the page is looked at."""

LETTERS = 20
"""A page with fewer letters has no usual ink."""

INK = 0.9
"""Share of the letters, by area, that are no darker than what counts as the page's ink: more than
half of them may be of the other side."""

FAINTEST_INK = 0.05
"""Contrast below which strokes that a network made are no ink of the scan's, as on a negative."""

GAP = 0.16
"""Width of the gap between two strengths, as a share of the ink's contrast."""

GAPS = (0.3, 0.7)
"""Where its middle may lie."""

BETWEEN = 0.03
"""Share of all strokes, by area, that may have a strength within the gap."""

FAINT = 0.05
"""Share that must be fainter. Less is a pencil's mark, which does no harm."""

STEPS = 60
"""Of the histogram of strengths, from 0 to 1.2."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class _Strokes:
    """Connected strokes of a page; number 0 is everything else."""

    labels: NDArray[np.int32]
    """(h, w): the number of the stroke that a pixel belongs to."""

    height: NDArray[np.int32]
    area: NDArray[np.int32]
    contrast: Floats
    """At its darkest place: 0 paper, 1 black."""

    letters: NDArray[np.bool_]
    """Of a letter's height, and not at the page's edge."""


def keep_faint(grey: Pixels, cleaned: Pixels) -> Pixels:
    """Let strokes that are much fainter than the page's ink be as pale as they were scanned.

    Args:
        grey: (H, W) uint8, a page as scanned.
        cleaned: (H, W) uint8, what the network makes of it.

    Returns:
        (H, W) uint8: `cleaned` itself where there are no such strokes.
    """
    factor = 1 if grey.size <= MOST_PIXELS else 2 if grey.size <= 4 * MOST_PIXELS else 4
    height, width = (length // factor for length in grey.shape)
    if min(height, width) < LETTER[0]:
        return cleaned
    whole = np.s_[: height * factor, : width * factor]
    small, answer = (resample(page[whole], 1 / factor) for page in (grey, cleaned))
    around = _paper_around(small, answer)
    strokes = _find_strokes(small, around, answer)
    if np.count_nonzero(strokes.letters) < LETTERS:
        return cleaned
    ink = _usual_ink(strokes)
    if ink < FAINTEST_INK:
        return cleaned
    faint = _fainter_than_a_gap(strokes, ink)
    if faint is None:
        return cleaned
    faint &= ~_in_line_with(strokes, ~faint)
    near = cv2.dilate(faint[strokes.labels].astype(np.uint8), np.ones((5, 5), np.uint8))
    pale = np.where(near, 255 * np.clip(1 - (1 - small / around) / ink, 0, 1), 0).astype(np.uint8)
    size = width * factor, height * factor
    result = cleaned.copy()
    result[whole] = cv2.max(cleaned[whole], cv2.resize(pale, size, interpolation=cv2.INTER_LINEAR))
    return result


def _paper_around(grey: Pixels, cleaned: Pixels) -> Pixels:
    """Return the level of the paper around each pixel, (h, w), nowhere 0."""
    height, width = grey.shape
    # whole blocks, which OpenCV reduces in a fraction of the time
    whole = np.s_[: max(height // 16 * 16, 1), : max(width // 16 * 16, 1)]
    paper = cv2.threshold(cleaned, PAPER - 1, 255, cv2.THRESH_BINARY)[1]
    level, known = (
        cv2.GaussianBlur(
            resample(np.asarray(of, np.uint8)[whole], 1 / 16).astype(np.float32), (0, 0), 2
        )
        for of in (cv2.bitwise_and(grey, paper), paper)
    )
    typical = 255 * level.sum() / max(known.sum(), 1e-6) if known.any() else 255
    few = 5  # far from any paper, that of the whole page
    mean = 255 * (level + few * typical / 255) / (known + few)
    smooth = cv2.resize(mean.clip(1, 255).astype(np.uint8), (width, height))
    return np.asarray(smooth, np.uint8)


def _find_strokes(grey: Pixels, around: Pixels, cleaned: Pixels) -> _Strokes:
    """Find connected strokes, and the contrast of each over its darkest 3 x 3 pixels."""
    dark = cleaned < DARK
    count, found, stats, _ = cv2.connectedComponentsWithStatsWithAlgorithm(
        dark.astype(np.uint8), 8, cv2.CV_32S, cv2.CCL_BBDT
    )
    labels = np.asarray(found, np.int32)
    darkest = np.zeros(count, np.float32)
    soft = np.asarray(cv2.blur(grey, (3, 3)), np.uint8)
    where = np.flatnonzero(dark)  # three times as fast as picking by the mask itself
    level, paper = (page.ravel()[where].astype(np.float32) for page in (soft, around))
    np.maximum.at(darkest, labels.ravel()[where], 1 - level / paper)
    left, top, width, height, area = stats.T
    inside = (left > 0) & (top > 0)
    inside &= (left + width < dark.shape[1]) & (top + height < dark.shape[0])
    letters = inside & (height >= LETTER[0]) & (height <= LETTER[1]) & (width <= 4 * LETTER[1])
    area[0] = 0
    letters[0] = False
    return _Strokes(labels, height, area, darkest, letters)


def _usual_ink(strokes: _Strokes) -> float:
    """Contrast of the page's ink."""
    contrast, area = strokes.contrast[strokes.letters], strokes.area[strokes.letters]
    order = np.argsort(contrast)
    total = np.cumsum(area[order])
    return float(contrast[order][np.searchsorted(total, INK * total[-1])])


def _fainter_than_a_gap(strokes: _Strokes, ink: float) -> NDArray[np.bool_] | None:
    """Say which strokes are fainter than the widest gap between strengths; None without one."""
    strength = strokes.contrast / ink
    step = 1.2 / STEPS
    bins = np.minimum(strength / step, STEPS).astype(np.intp)  # the last is not looked at
    shares = np.bincount(bins, strokes.area, STEPS + 1)[:STEPS] / strokes.area.sum()
    half = round(GAP / step / 2)
    between = np.convolve(shares, np.ones(2 * half), "valid")  # from `half` steps on
    first, last = (round(gap / step) - half for gap in GAPS)
    emptiest = first + int(between[first : last + 1].argmin())
    below = float(shares[: emptiest + half].sum())
    if between[emptiest] > BETWEEN or below < FAINT:
        return None
    faint: NDArray[np.bool_] = strength < (emptiest + half) * step
    faint[0] = False
    return faint


def _in_line_with(strokes: _Strokes, strong: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Say which strokes lie for the most part beside strong letters, within three letters."""
    usual = float(np.median(strokes.height[strokes.letters & strong]))
    letters = strong & (strokes.height >= 0.4 * usual) & (strokes.height <= 3 * usual)
    letters[0] = False
    height, width = strokes.labels.shape
    size = -(-width // 4), -(-height // 4)
    places = cv2.resize(
        letters[strokes.labels].astype(np.uint8) * 255, size, interpolation=cv2.INTER_AREA
    )
    reach = np.ones((int(usual / 8) | 1, int(6 * usual / 4) | 1), np.uint8)
    beside = cv2.dilate(cv2.threshold(places, 20, 1, cv2.THRESH_BINARY)[1], reach)
    beside = cv2.resize(beside, (width, height), interpolation=cv2.INTER_NEAREST)
    stroke = strokes.labels > 0
    covered = np.bincount(
        strokes.labels[stroke], weights=beside[stroke], minlength=len(strokes.area)
    )
    in_line: NDArray[np.bool_] = covered > 0.6 * strokes.area
    return in_line & (strokes.height >= 0.3 * usual)
