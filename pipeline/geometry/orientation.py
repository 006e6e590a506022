"""Which way up a page lies.

A tiny network looks at some windows of a few letters each and says of every one how it was turned;
what most of them agree on is the page's orientation. Letters tell, not lines: vertical setting is
upright too. Windows come from strokes alone, so paper and light do not matter.
"""

import functools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from pagewash.measuring.strokes import Strokes, find_strokes, reduce, reduction_to

if TYPE_CHECKING:
    from pagewash.models.orientation import OrientationNetwork  # brings torch

WEIGHTS = Path(__file__).resolve().parent / "orientation.safetensors"
"""Made by `python -m pagewash.training.orientation`; the card beside them says of what."""

LONG_SIDE = 1600
"""Pixels of the longer side, at most, of the page that letters are looked for on: A4 at some 150
dpi. Skew is measured on the same strokes."""

WINDOW = 44
"""Side of a window in pixels: some four letters across, and parts of three lines."""

LETTER = 11
"""Pixels of a usual letter's shorter side, as windows show it."""

MOST_WINDOWS = 384
"""Windows of a page that are looked at."""

FIRST_LOOK = 4
"""One in so many of them is looked at first: where these are sure, the others need not be."""

ENOUGH_WINDOWS = 96
"""Windows from which on chance has no more of a say."""

FEWEST_WINDOWS = 12
"""Letters that a page must have, at least, for its orientation to be told."""

SURE = 0.4
"""Confidence from which on a page may be turned. From 0.35 on none of the pages for choosing is
turned wrongly."""


@dataclass(frozen=True)
class Orientation:
    """Which way up a page lies."""

    turned: int
    """Degrees clockwise by which the page is turned: 0, 90, 180 or 270. Turned back by as much, it
    is upright. 0 where nothing tells."""

    confidence: float
    """0 to 1: 1 - exp(-2 m), where m is how much higher the mean logarithm of this orientation's
    probability is, over the windows, than the next one's; where there are fewer windows than
    `ENOUGH_WINDOWS`, m is less by the root of their share, since chance has more of a say."""


NO_ORIENTATION = Orientation(0, 0.0)


def find_orientation(page: np.ndarray, strokes: Strokes | None = None) -> Orientation:
    """Tell which way up the letters of a page stand.

    Misleads on pages of signs that look alike both ways up (music, figures, drawings) and on
    scripts that the network never saw; confidence falls there.

    Args:
        page: (H, W) uint8 grey or (H, W, 3) RGB, best cleaned.
        strokes: its `page_strokes`, where they are known already.

    Returns:
        The orientation and how sure it is; `NO_ORIENTATION` for a page with few letters.
    """
    shown = windows(page, strokes=strokes)
    if len(shown) < FEWEST_WINDOWS:
        return NO_ORIENTATION
    first = _told(shown[::FIRST_LOOK])
    return first if first.confidence >= SURE else _told(shown)


def _told(shown: NDArray[np.uint8]) -> Orientation:
    """What some windows of a page, (N, WINDOW, WINDOW), say together."""
    import torch

    # what the network prefers for no reason cancels out where windows are turned all four ways
    turns = np.arange(len(shown)) % 4
    seen = np.empty_like(shown)
    for turn in range(4):
        seen[turn::4] = np.rot90(shown[turn::4], -turn, (1, 2))
    with torch.inference_mode():
        logits = _network()(torch.from_numpy(seen).float().div_(255)[:, None])
    chances = (
        logits.log_softmax(1)
        .numpy()[np.arange(len(shown))[:, None], (np.arange(4) + turns[:, None]) % 4]
        .mean(0)
    )
    next_best, best = np.argsort(chances)[-2:]
    root = math.sqrt(min(len(shown) / ENOUGH_WINDOWS, 1))
    margin = float(chances[best] - chances[next_best]) * root
    return Orientation(90 * int(best), 1 - math.exp(-2 * margin))


def windows(
    page: np.ndarray, most: int = MOST_WINDOWS, strokes: Strokes | None = None
) -> NDArray[np.uint8]:
    """Windows around letters, spread over a page.

    Args:
        page: (H, W) uint8 grey or (H, W, 3) RGB.
        most: of them.
        strokes: its `page_strokes`, where they are known already.

    Returns:
        (N, WINDOW, WINDOW) uint8, 255 is ink; N is 0 for a page without letters.
    """
    factor = reduction_to(max(page.shape[:2]), LONG_SIDE)
    none = np.zeros((0, WINDOW, WINDOW), np.uint8)
    if min(page.shape[:2]) // factor < 32:
        return none
    strokes = page_strokes(page) if strokes is None else strokes
    stats, centres = strokes.components.stats[1:], strokes.components.middles[1:]
    side = stats[:, 2:4].min(1)
    letters = (side >= 3) & (stats[:, 2:4].max(1) < max(strokes.mask.shape) // 4)
    if not letters.any():
        return none
    side, centres, area = side[letters], centres[letters], stats[letters, 4]
    usual = _weighted_median(side, area)
    alike = (side > 0.5 * usual) & (side < 2 * usual)
    scale = LETTER / usual
    shown = _resized(strokes.mask, scale)
    places = np.rint(centres[alike] * scale).astype(np.intp)
    places = places[np.linspace(0, len(places) - 1, min(most, len(places))).astype(np.intp)]
    padded = np.pad(shown, WINDOW // 2)
    every = np.lib.stride_tricks.sliding_window_view(padded, (WINDOW, WINDOW))
    x, y = np.minimum(places, np.array(every.shape[1::-1]) - 1).T
    return np.ascontiguousarray(every[y, x])


def page_strokes(page: np.ndarray) -> Strokes:
    """The strokes of a page, at `LONG_SIDE` at most."""
    factor = reduction_to(max(page.shape[:2]), LONG_SIDE)
    return find_strokes(reduce(page, factor))


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values)
    sums = np.cumsum(weights[order])
    return float(values[order[np.searchsorted(sums, sums[-1] / 2)]])


def _resized(strokes: np.ndarray, scale: float) -> np.ndarray:
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(strokes, None, fx=scale, fy=scale, interpolation=how)


@functools.cache
def _network() -> "OrientationNetwork":
    from safetensors.torch import load_file

    from pagewash.models.orientation import OrientationNetwork

    network = OrientationNetwork()
    network.load_state_dict(load_file(WEIGHTS))
    return network.eval()
