"""What is done about a cleaned page that lost content: it is given back, place by place or whole.

What comes back from the scan is flattened first, divided by the tone of its own paper, so that it
fits beside what was cleaned. Arrays only; what was lost is found by `pagewash.measuring.guard`.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pagewash.measuring.guard import Losses, find_losses
from pagewash.measuring.strokes import paper_around, quantile, reduce, reduction
from pagewash.options import OnReview
from pagewash.pages import Pixels

REACH = 4
"""Widths of a stroke around what was lost that come back with it: its edges, and what was kept of
it and is pale."""

DARKEST = 0.6
"""Share of the tone of the page's lightest paper below which nothing is taken for paper, so that
large pictures are not bleached where a whole page is flattened."""

WIDE = 3
"""What is narrower than one so-many-th of the page's shorter side is no shade of the paper."""


@dataclass(frozen=True, eq=False)
class Guarded:
    """A cleaned page, after the guard looked at it."""

    pixels: Pixels

    given_back: float = 0.0
    """Share of the page's area that is the scan's again, 0 to 1."""

    doubt: str | None = None
    """Why a person should look at it; None if it lost nothing, or got it back."""


def guard(scan: Pixels, cleaned: Pixels, on_review: OnReview = "safe") -> Guarded:
    """Find what a cleaned page lost, and do what is asked about it.

    Args:
        scan: (H, W) uint8 grey or (H, W, 3) uint8 RGB.
        cleaned: of the same shape.
        on_review: "safe" gives back what was lost, and the whole page, flattened, where that does
            not mend it; "original" puts the scan in its place; "cleaned" leaves it.
    """
    losses = find_losses(scan, cleaned)
    if not losses:
        return Guarded(cleaned)
    if on_review == "cleaned":
        return Guarded(cleaned, 0.0, losses.reason)
    if on_review == "original":
        return Guarded(scan.copy(), 1.0, f"{losses.reason}; the scan stands in its place")
    mended, share = give_back(scan, cleaned, losses)
    if not find_losses(scan, mended):
        return Guarded(mended, share)
    reason = f"{losses.reason}; the scan, flattened, stands in its place"
    return Guarded(flattened(scan), 1.0, reason)


def give_back(scan: Pixels, cleaned: Pixels, losses: Losses) -> tuple[Pixels, float]:
    """Put what was lost back into a cleaned page.

    Args:
        scan: (H, W) uint8 grey or (H, W, 3) uint8 RGB.
        cleaned: of the same shape.
        losses: what `find_losses` found.

    Returns:
        The page, darker where strokes came back and nowhere lighter, and the share of its area
        that came back.
    """
    if losses.areas.any():
        cleaned = _with_areas(scan, cleaned, losses)
    weight = _weights(losses)
    rows, columns = _box_of(weight, losses.factor, scan.shape)
    if rows.stop <= rows.start or columns.stop <= columns.start:
        return cleaned, _share(losses.areas)
    flat = _on_own_paper(scan, losses)[rows, columns]
    before = cleaned[rows, columns]
    size = weight.shape[1] * losses.factor, weight.shape[0] * losses.factor
    large = cv2.resize(weight, size, interpolation=cv2.INTER_LINEAR)
    large = cv2.copyMakeBorder(
        large, 0, scan.shape[0] - size[1], 0, scan.shape[1] - size[0], cv2.BORDER_REPLICATE
    )[rows, columns].astype(np.float32)
    if scan.ndim == 3:
        large = large[..., None]
    darker = np.minimum(before, flat)
    mixed = before + (darker.astype(np.float32) - before) * (large / 255)
    result = cleaned.copy()
    result[rows, columns] = mixed.round()
    return result, _share(cv2.max(weight, losses.areas))


def _share(weight: np.ndarray) -> float:
    return float(np.count_nonzero(weight >= 128) / weight.size)


def _with_areas(scan: Pixels, cleaned: Pixels, losses: Losses) -> Pixels:
    """The cleaned page with tinted boxes and pictures as the scan has them on even paper."""
    large = cv2.resize(losses.areas, scan.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    darker = np.asarray(cv2.min(cleaned, flattened(scan)), np.uint8)
    return np.asarray(cv2.copyTo(darker, large, cleaned.copy()), np.uint8)


def flattened(page: Pixels) -> Pixels:
    """A page divided by the tone of its paper, in each primary; nothing is removed.

    Shades wider than a third of the page go; stains, tints and pictures stay.
    """
    channels = _channels(page)
    return _stacked([_divided(each, _wide_paper(each), 0) for each in channels])


def _weights(losses: Losses) -> NDArray[np.uint8]:
    """(h, w) uint8: 255 on what is given back, with a soft border."""
    reach = round(REACH * losses.width)
    wide = cv2.dilate(losses.strokes, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    return np.asarray(cv2.blur(wide, (reach | 1, reach | 1)), np.uint8)


def _box_of(weight: np.ndarray, factor: int, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns of the page that anything is given back to, up to its edges."""
    left, top, width, height = cv2.boundingRect(weight)
    bottom, right = (
        length if end == reduced else end * factor
        for end, reduced, length in zip(
            (top + height, left + width), weight.shape, shape[:2], strict=True
        )
    )
    return slice(top * factor, bottom), slice(left * factor, right)


def _on_own_paper(scan: Pixels, losses: Losses) -> Pixels:
    """The scan divided by the paper close to each pixel, as light as its grain allows."""
    channels = _channels(scan)
    small = [reduce(each, reduction(each.shape)) for each in channels]
    return _stacked(
        [
            _divided(each, np.asarray(paper_around(reduced), np.uint8), losses.grain)
            for each, reduced in zip(channels, small, strict=True)
        ]
    )


def _channels(page: Pixels) -> list[Pixels]:
    return [page] if page.ndim == 2 else [np.asarray(each, np.uint8) for each in cv2.split(page)]


def _wide_paper(channel: Pixels) -> Pixels:
    """The tone of the paper, of which nothing narrower than a third of the page is a shade."""
    near = paper_around(reduce(channel, reduction(channel.shape)))
    small = np.ascontiguousarray(near[::8, ::8])
    side = max(min(small.shape) // WIDE, 1) | 1
    closed = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))
    smooth = cv2.GaussianBlur(closed, (0, 0), max(side / 6, 1))
    least = DARKEST * quantile(smooth, 0.95)
    large = cv2.resize(smooth, near.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.maximum(large, least), np.uint8)


def _divided(channel: Pixels, paper: Pixels, grain: float) -> Pixels:
    """A channel on white paper: what is as light as the paper less its grain becomes white."""
    large = cv2.resize(paper, channel.shape[::-1], interpolation=cv2.INTER_LINEAR)
    grain = min(grain, 254.0)  # of a screen, as black as ink can be
    return np.asarray(cv2.divide(channel, large, scale=255 + 255 * grain / (255 - grain)), np.uint8)


def _stacked(channels: list[Pixels]) -> Pixels:
    return channels[0] if len(channels) == 1 else np.asarray(cv2.merge(channels), np.uint8)
