"""Colour pages through a grey network: luminance in, and hue back again.

What ink does to paper is to absorb. A page divided by the colour of its paper says how much of
each primary is absorbed where; the network says how much is to be absorbed altogether, and the
primaries share that as before: paper turns white, ink keeps its hue. Strong colours are content
even where the network fades them, as it may a stamp or a highlighter. Arrays only.
"""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from pagewash.blocks import block_means, fill_blocks
from pagewash.grey import LUMA, luminance
from pagewash.pages import Pixels

Floats = np.ndarray
"""float32, (h, w) or (h, w, 3)."""

BAND = 256
"""Rows worked on at once, so that memory does not grow with the page."""

MARGIN = 16
"""Rows around a band that its blurred colours see."""

STAIN_HUES = (12.0, 75.0)
"""Degrees, red is 0 and green 120: yellowing, coffee and foxing. Colours between them are content
only if they are much stronger than a stain is."""


def is_grey(pixels: Pixels) -> bool:
    """Whether a page has no colour: one channel, or three that are all equal."""
    if pixels.ndim == 2:
        return True
    some = np.s_[::16]  # mostly, a few rows tell that it has
    return all(
        np.array_equal(pixels[rows][..., 0], pixels[rows][..., c])
        for rows in (some, np.s_[:])
        for c in (1, 2)
    )


def recolour(page: Pixels, cleaned: Pixels) -> Pixels:
    """Give a cleaned grey page the colours of the page it came from.

    Args:
        page: (H, W, 3) uint8 RGB as scanned.
        cleaned: (H, W) uint8, its luminance after cleaning.

    Returns:
        (H, W, 3) uint8 RGB with the luminance of `cleaned`, or a darker one where a strong colour
        was faded; neutral where the page has the hue of its paper, and where its ink is black.
    """
    result = np.asarray(cv2.merge([cleaned, cleaned, cleaned]), np.uint8)
    paper = paper_colour(page, cleaned)
    for rows in _bands(page.shape[0]):
        around = slice(max(rows.start - MARGIN, 0), rows.stop + MARGIN)
        inner = slice(rows.start - around.start, rows.stop - around.start)
        absorbed = _absorption(page[around], _rows_of(paper, around, page.shape))
        hue, seen, content = _hue_and_content(absorbed)
        coloured = np.flatnonzero(seen.any(axis=0))
        if coloured.size:
            columns = slice(2 * int(coloured[0]), 2 * int(coloured[-1]) + 2)
            box = around, columns
            small = slice(None), slice(columns.start // 2, columns.stop // 2)
            hues = [primary[small] for primary in hue]
            mixed = _mix(page[box], cleaned[box], absorbed[small], hues, content[small])
            result[rows, columns] = mixed[inner]
    return result


def paper_colour(page: Pixels, cleaned: Pixels) -> Floats:
    """Estimate the colour of the paper all over a page.

    Paper is where the network leaves nothing, in a colour like that of most such places: neither
    pictures nor highlighted words, nor a mat around the page, are taken for it.

    Returns:
        (h, w, 3) float32, 0..255, a small smooth map; white where a page shows no paper.
    """
    height, width = page.shape[:2]
    reduce = max(height, width) / 256
    size = max(1, round(width / reduce)), max(1, round(height / reduce))
    small = _reduced(page, size).astype(np.float32)
    white = _reduced(cleaned, size) >= 245
    if white.mean() < 0.02:
        return np.full_like(small, 255)
    typical = np.median(small[white], axis=0).astype(np.float32)
    light, typical_light = np.maximum(_luma(small), 1), max(float(LUMA @ typical), 1)
    tone = np.abs(small / light[..., None] - typical / typical_light).max(axis=2)
    alike = white & (tone < 0.15) & (light > 0.4 * typical_light)
    weight = alike[..., None].astype(np.float32)
    sigma = max(size) / 16
    blurred = cv2.GaussianBlur(np.dstack([small * weight, weight]), (0, 0), sigma)
    few = np.float32(0.02)  # far from any paper, the typical colour
    mean: Floats = (blurred[..., :3] + few * typical) / (blurred[..., 3:] + few)
    mean[mean < 1] = 1  # it is divided by
    return mean


def _reduced(image: Pixels, size: tuple[int, int]) -> np.ndarray:
    """Bring an image to a width and height, by whole blocks first: a quarter of the time, or less.

    What does not fill a block at its right and lower edge is left out.
    """
    height, width = image.shape[:2]
    side = 1
    while 2 * side * size[0] <= width and 2 * side * size[1] <= height:
        side *= 2
    whole = image[: height // side * side, : width // side * side]
    return cv2.resize(block_means(whole, side), size, interpolation=cv2.INTER_AREA)


def _bands(height: int) -> Iterator[slice]:
    for top in range(0, height, BAND):
        yield slice(top, min(top + BAND, height))


def _rows_of(paper: Floats, rows: slice, shape: tuple[int, ...]) -> Floats:
    """Enlarge the part of a small map that belongs to these rows, to half the page's size."""
    count, width = -(-(min(rows.stop, shape[0]) - rows.start) // 2), -(-shape[1] // 2)
    centres = (rows.start + 2 * np.arange(count) + 1) / shape[0] * paper.shape[0] - 0.5
    centres = centres.clip(0, paper.shape[0] - 1)
    above = centres.astype(np.intp)
    below = np.minimum(above + 1, paper.shape[0] - 1)
    share = (centres - above).astype(np.float32)[:, None, None]
    mixed: Floats = paper[above] * (1 - share) + paper[below] * share
    return _enlarge(mixed, (width, count))


def _absorption(page: Pixels, paper: Floats) -> Floats:
    """Return (h, w, 3) at half size: 0 is paper, 1 is black, per primary."""
    absorbed: Floats = 1 - np.minimum(_halved(page) / paper, 1)
    return absorbed


def _hue_and_content(absorbed: Floats) -> tuple[list[Floats], Floats, Floats]:
    """Say how absorption is shared by the primaries, and what of it is strong enough to be content.

    Absorption is averaged over some ten pixels, so that coloured fringes on either side of a
    black stroke cancel, and paper, which absorbs nothing, has no say.

    Returns:
        Three of (h, w), what a pixel that absorbs everything would have left of each primary, about
        its mean, 0 for neutral; (h, w) 0..1, how much of a colour it is; (h, w) 0..1, 1 where that
        must not fade.
    """
    mean = cv2.blur(absorbed, (5, 5))
    total = _luma(mean)
    red, green, blue = primaries = cv2.split(mean)
    strength = cv2.max(cv2.max(red, green), blue) - cv2.min(cv2.min(red, green), blue)
    at_least_some = np.maximum(total, 0.08)
    # black ink on yellow paper has a bluish tinge, and paper has coloured noise
    seen = _ramp(strength, 0.05, 0.1) * _ramp(strength / at_least_some, 0.14, 0.28)
    if not seen.any():
        return list(primaries), seen, seen
    strong, clear = _ramp(strength, 0.35, 0.5), _ramp(strength, 0.1, 0.2)
    content = np.where(_like_a_stain(red, green, blue), strong, clear) * seen
    share = seen / at_least_some
    return [(total - primary) * share for primary in primaries], seen, content


def _like_a_stain(red: Floats, green: Floats, blue: Floats) -> np.ndarray:
    """Say where what is left of white light after this absorption has the hue of a stain."""
    angle = cv2.phase((green + blue) / 2 - red, np.float32(3**0.5 / 2) * (blue - green), None, True)
    low, high = STAIN_HUES
    within: np.ndarray = (angle > low) & (angle < high)
    return within


def _mix(
    page: Pixels, cleaned: Pixels, absorbed: Floats, hue: Sequence[Floats], content: Floats
) -> Pixels:
    """Colour a piece of a cleaned page; the last three are at half its size."""
    size = page.shape[1], page.shape[0]
    light = cleaned.astype(np.float32) / 255
    if content.any():
        # luminance on white paper, as sharp as the page: the small one only lends it the paper's
        grey = luminance(page).astype(np.float32) / 255
        gain = (1 - _luma(absorbed)) / np.maximum(_halved(grey), 1 / 255)
        on_white = np.minimum(grey * _enlarge(gain, size), 1)
        light -= _enlarge(content, size) * np.maximum(light - on_white, 0)
    dark = 1 - light
    primaries = [_enlarge(primary, size) for primary in hue]
    # a dark colour that would need less than nothing of a primary becomes paler, not another hue
    lacking = cv2.min(cv2.min(*primaries[:2]), primaries[2]) * -dark
    dark *= np.minimum(light / np.maximum(lacking, 1e-6), 1)
    for primary in primaries:
        primary *= dark
    mixed = [cv2.addWeighted(each, 255, light, 255, 0, dtype=cv2.CV_8U) for each in primaries]
    return np.asarray(cv2.merge(mixed), np.uint8)


def _luma(image: Floats) -> Floats:
    """(h, w) of (h, w, 3)."""
    return cv2.transform(image, LUMA[None]).reshape(image.shape[:2])


def _halved(image: np.ndarray) -> np.ndarray:
    """Means of 2 x 2 pixels; what is no whole block at an edge is repeated to fill one.

    To bring an odd width to half of it, rounded, takes OpenCV eight times as long.
    """
    return block_means(fill_blocks(image, 2), 2)


def _enlarge(image: Floats, size: tuple[int, int]) -> Floats:
    return cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)


def _ramp(values: Floats, low: float, high: float) -> Floats:
    """0 up to `low`, 1 from `high`, straight between."""
    return ((values - low) / (high - low)).clip(0, 1)
