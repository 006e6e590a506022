"""Cleaned pages that lost something on purpose, to try whether the guard sees it.

Each sabotage takes a scan and the page cleaned well, and gives the two back with some content gone
from the cleaned one; marks that a page does not have are painted on both first. Arrays only.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pagewash.grey import luminance
from pagewash.measuring.strokes import SQUARE, stroke_width

Pixels = NDArray[np.uint8]
"""(H, W) uint8 grey or (H, W, 3) uint8 RGB."""

COLOURS = np.array(
    [(110, 40, 150), (180, 30, 40), (30, 60, 170), (20, 120, 60), (60, 60, 60)], np.float32
)
"""Violet, red, blue, green and grey ink of stamps and crayons, RGB."""

TINTS = np.array(
    [(225, 225, 225), (255, 225, 225), (222, 235, 250), (220, 245, 220), (250, 240, 190)],
    np.float32,
)
"""Grey, pink, blue, green and yellow of tinted cells, RGB on white paper."""


@dataclass(frozen=True, eq=False)
class Sabotaged:
    """A page before and after, with something gone."""

    scan: Pixels
    cleaned: Pixels
    lost: float
    """What is gone, as a share: of the strokes by area, of letters by number where dots or commas
    went, of the page's area where a tint did."""


Sabotage = Callable[[Generator, Pixels, Pixels], Sabotaged]


def column(rng: Generator, scan: Pixels, cleaned: Pixels) -> Sabotaged:
    """A column of a sixth to a third of the page's width is erased."""
    width = cleaned.shape[1]
    side = int(width * rng.uniform(1 / 6, 1 / 3))
    left = int(rng.integers(width - side))
    return _erased(scan, cleaned, np.s_[:, left : left + side])


def paragraph(rng: Generator, scan: Pixels, cleaned: Pixels) -> Sabotaged:
    """A box as wide as half of the page or more and as high as a tenth to a third is erased."""
    height, width = cleaned.shape[:2]
    high, wide = int(height * rng.uniform(0.1, 0.33)), int(width * rng.uniform(0.5, 0.9))
    top, left = int(rng.integers(height - high)), int(rng.integers(width - wide))
    return _erased(scan, cleaned, np.s_[top : top + high, left : left + wide])


def margin(rng: Generator, scan: Pixels, cleaned: Pixels) -> Sabotaged:
    """All that stands near one of the four edges is erased: the outer 15 % of what is inked."""
    rows, columns = np.nonzero(_ink(cleaned))
    along = (rows, columns)[int(rng.integers(2))]
    edge = np.quantile(along, 0.15 if rng.random() < 0.5 else 0.85)
    across = slice(0, int(edge)) if edge < np.median(along) else slice(int(edge), None)
    return _erased(scan, cleaned, np.s_[across] if along is rows else np.s_[:, across])


def letters(rng: Generator, scan: Pixels, cleaned: Pixels) -> Sabotaged:
    """A whole line's height of strokes goes, wherever it runs: one letter in three, page-wide."""
    count, labels, _, _ = cv2.connectedComponentsWithStats(_ink(cleaned))
    chosen = rng.random(count) < 1 / 3
    chosen[0] = False
    return _without(scan, cleaned, chosen[labels])


def dots(_: Generator, scan: Pixels, cleaned: Pixels) -> Sabotaged:
    """All dots above a letter are erased."""
    return _specks_gone(scan, cleaned, above=True)


def commas(_: Generator, scan: Pixels, cleaned: Pixels) -> Sabotaged:
    """All commas and full stops are erased: specks on the line, beside a letter."""
    return _specks_gone(scan, cleaned, above=False)


def stamp(rng: Generator, scan: Pixels, cleaned: Pixels) -> Sabotaged:
    """A round stamp with words in it, in one of the usual colours, is gone."""
    height, width = cleaned.shape[:2]
    radius = int(min(rng.uniform(30, 50) * stroke_width(_ink(cleaned)), 0.4 * min(height, width)))
    y, x = (int(rng.integers(radius, side - radius)) for side in (height, width))
    print_ = np.zeros((height, width), np.uint8)
    stroke = max(radius // 25, 2)
    for share in (1.0, 0.72):
        cv2.circle(print_, (x, y), int(radius * share) - stroke, 255, stroke, cv2.LINE_AA)
    for row, word in enumerate(("RECEIVED", "14 MAY", "OFFICE")):
        scale = radius / 90
        size, _ = cv2.getTextSize(word, cv2.FONT_HERSHEY_DUPLEX, scale * 0.8, stroke)
        at = (x - size[0] // 2, y + int((row - 0.7) * 34 * scale))
        cv2.putText(print_, word, at, cv2.FONT_HERSHEY_DUPLEX, scale * 0.8, 255, stroke, 16)
    return _painted(scan, cleaned, print_, COLOURS[rng.integers(len(COLOURS))], 0.75)


def crayon(rng: Generator, scan: Pixels, cleaned: Pixels) -> Sabotaged:
    """Strokes of a coloured crayon across the page are gone."""
    height, width = cleaned.shape[:2]
    print_ = np.zeros((height, width), np.uint8)
    wide = max(round(rng.uniform(3, 6) * stroke_width(_ink(cleaned))), 3)
    for _ in range(3):
        ends = rng.uniform(0.15, 0.85, (2, 2)) * (width, height)
        cv2.line(print_, *ends.astype(int).tolist(), 255, wide, cv2.LINE_AA)  # type: ignore[call-overload]
    return _painted(scan, cleaned, print_, COLOURS[rng.integers(4)], 0.7)


def tint(rng: Generator, scan: Pixels, cleaned: Pixels) -> Sabotaged:
    """A tinted box is gone, as behind cells of a table."""
    box, print_ = _box(rng, cleaned)
    colour = TINTS[rng.integers(len(TINTS))]
    if cleaned.ndim == 2:
        colour = TINTS[0]
    painted = _painted(scan, cleaned, print_, colour, 1.0)
    return Sabotaged(painted.scan, cleaned, print_[box].size / print_.size)


def halftone(rng: Generator, scan: Pixels, cleaned: Pixels) -> Sabotaged:
    """A picture in screened dots is gone."""
    box, print_ = _box(rng, cleaned)
    pitch = int(rng.integers(5, 9))
    y, x = np.mgrid[: print_.shape[0], : print_.shape[1]]
    wave = np.cos(2 * np.pi * (x + y) / pitch) * np.cos(2 * np.pi * (x - y) / pitch)
    tone = 0.35 + 0.3 * np.sin(x / 37) * np.cos(y / 53)
    screened = ((wave + 1) / 2 < tone).astype(np.uint8) * np.uint8(255)
    painted = _painted(scan, cleaned, print_ & screened, COLOURS[4] / 2, 1.0)
    return Sabotaged(painted.scan, cleaned, print_[box].size / print_.size)


def wash(rng: Generator, scan: Pixels, cleaned: Pixels) -> Sabotaged:
    """A grey wash is painted over a part of the page, in which strokes drown."""
    box, print_ = _box(rng, cleaned)
    result = cleaned.copy()
    level = rng.uniform(120, 200)
    result[box] = np.asarray(level + (cleaned[box] - 255.0) * 0.06, np.uint8)
    return Sabotaged(scan, result, _share(_ink(cleaned), print_))


def page(_: Generator, scan: Pixels, cleaned: Pixels) -> Sabotaged:
    """All is gone but three lines' worth at the top."""
    return _erased(scan, cleaned, np.s_[cleaned.shape[0] // 8 :])


SABOTAGES: dict[str, Sabotage] = {
    kind.__name__: kind
    for kind in (
        column, paragraph, margin, letters, dots, commas, stamp, crayon, tint, halftone, wash, page
    )
}  # fmt: skip
"""Each kind by its name."""


def _ink(cleaned: Pixels) -> NDArray[np.uint8]:
    return (luminance(cleaned) < 128).astype(np.uint8)


def _share(ink: np.ndarray, gone: np.ndarray) -> float:
    there = int(np.count_nonzero(ink))
    return int(np.count_nonzero(ink & (gone > 0))) / there if there else 0.0


def _erased(scan: Pixels, cleaned: Pixels, where: tuple[slice, ...] | slice) -> Sabotaged:
    gone = np.zeros(cleaned.shape[:2], np.uint8)
    gone[where] = 1
    return _without(scan, cleaned, gone > 0)


def _without(scan: Pixels, cleaned: Pixels, gone: NDArray[np.bool_]) -> Sabotaged:
    """Erase what is marked, with the soft edges of it."""
    result = cleaned.copy()
    result[cv2.dilate(gone.astype(np.uint8), SQUARE) > 0] = 255
    return Sabotaged(scan, result, _share(_ink(cleaned), gone))


def _box(rng: Generator, cleaned: Pixels) -> tuple[tuple[slice, slice], NDArray[np.uint8]]:
    """A box of a fifth to a half of each side, away from the edges, and it as a mask."""
    sides = [int(side * rng.uniform(0.2, 0.5)) for side in cleaned.shape[:2]]
    starts = [
        int(rng.integers(side // 20, side - length - side // 20))
        for side, length in zip(cleaned.shape[:2], sides, strict=True)
    ]
    rows, columns = (slice(a, a + b) for a, b in zip(starts, sides, strict=True))
    mask = np.zeros(cleaned.shape[:2], np.uint8)
    mask[rows, columns] = 255
    return (rows, columns), mask


def _painted(
    scan: Pixels, cleaned: Pixels, print_: NDArray[np.uint8], colour: np.ndarray, strength: float
) -> Sabotaged:
    """Print on the scan, by absorption as ink does; the cleaned page has nothing of it."""
    cover = cv2.GaussianBlur(print_, (0, 0), 0.7).astype(np.float32) / 255 * strength
    through = 1 - cover[..., None] * (1 - colour / 255)
    if scan.ndim == 2:
        through = through @ np.array([0.299, 0.587, 0.114], np.float32)
    gone = print_ > 127
    area = int(np.count_nonzero(gone))
    lost = area / max(area + int(np.count_nonzero(_ink(cleaned))), 1)
    return Sabotaged(np.asarray(scan * through, np.uint8), cleaned, lost)


def _specks_gone(scan: Pixels, cleaned: Pixels, above: bool) -> Sabotaged:
    """Erase small strokes above a letter, or on the line beside one."""
    ink = _ink(cleaned)
    width = stroke_width(ink)
    # what is no further apart than a pixel is a letter that the truth has broken
    count, labels, stats, middles = cv2.connectedComponentsWithStats(cv2.dilate(ink, SQUARE))
    labels = np.where(ink > 0, labels, 0)
    left, top, wide, high, _ = stats.T
    area = np.bincount(labels.ravel(), minlength=count)
    left, top, wide, high = left + 1, top + 1, wide - 2, high - 2
    small = (area >= width**2 / 2) & (area <= 5 * width**2) & (wide <= 3 * width)
    small &= (high <= 4 * width) & (np.arange(count) > 0)
    large = np.flatnonzero((area > 5 * width**2) & (np.arange(count) > 0))
    chosen = np.zeros(count, bool)
    for speck in np.flatnonzero(small):
        x, low = middles[speck][0], top[speck] + high[speck]
        if above:
            over = (left[large] - width <= x) & (x <= left[large] + wide[large] + width)
            gap = top[large] - low
            chosen[speck] = bool((over & (gap >= 0) & (gap <= 4 * width)).any())
        else:
            gap = left[speck] - (left[large] + wide[large])
            foot = low - (top[large] + high[large])
            beside = (gap >= -width) & (gap <= 4 * width)
            chosen[speck] = bool((beside & (np.abs(foot) <= 3 * width)).any())
    result = _without(scan, cleaned, chosen[labels])
    strokes = int(np.count_nonzero(area[1:] >= width**2 / 2))
    return Sabotaged(scan, result.cleaned, int(chosen.sum()) / max(strokes, 1))
