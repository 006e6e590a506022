"""The bare paper of a real scan: print, writing, rules and marks taken off, light and dirt kept.

Whatever is darker or more coloured than the paper around it counts as ink, and is found
generously: ink that stayed would be asked of the network as white paper. Where ink was, its
surroundings are blurred into the place (normalized convolution, Knutsson and Westin 1993) and
the grain of paper close by is laid over it. What lies outside the page stays as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]
Polygon = Sequence[Sequence[float]]
"""Corners [x, y] in shares 0..1 of width and height."""
Outline = Literal["whole"] | Polygon
"""Where the page lies in its scan."""

_FAINTEST = 0.03
"""The least contrast of ink with the paper around it."""

_HALO = 3
"""How far, in pixels, the blur around a stroke is followed where it is fainter than ink."""

_PALEST = 0.4
"""What ink paler than that is, tells nothing of how a scanner shows black."""

_GRAIN = 3.0
"""Sigma in pixels below which structure of paper counts as grain."""


@dataclass(frozen=True)
class RealPaper:
    """Paper without ink, as a scan shows it."""

    paper: NDArray[np.uint8]
    """(H, W, 3) RGB; outside the page, what the scan has there."""

    outside: Mask
    """(H, W), true outside the page."""

    black: float = 0.1
    """How light the scan's ink is against its paper, 0..1."""

    blur: float = 0.7
    """Sigma in pixels of the blur at the edges of the scan's ink."""

    tileable: bool = False
    """Whether it goes on beyond its edges, mirrored, as a texture does."""


def extract(
    scan: NDArray[np.uint8],
    outline: Outline = "whole",
    *,
    marks: Sequence[Polygon] = (),
    ink: Mask | None = None,
    seek: bool = True,
) -> RealPaper:
    """Take everything off the page that isn't paper.

    Args:
        scan: (H, W, 3) RGB.
        outline: where the page lies.
        marks: pictures, tints and bands to take off, which are too large to be found as strokes.
        ink: (H, W) where ink is known to be.
        seek: look for ink oneself; without it, `ink` and `marks` are all there is.
    """
    light = scan.astype(np.float32) / np.float32(255)
    inside = inside_of(outline, light.shape[:2])
    strokes = find_strokes(light, inside) if seek else np.zeros_like(inside)
    if ink is not None:
        strokes |= ink
    for mark in marks:
        strokes |= inside_of(mark, light.shape[:2])
    strokes &= inside
    bare = inside & ~_grown(strokes, 3 + max(scan.shape) // 900)
    filled = fill(light, bare)
    holes = inside & ~bare
    paper = np.where(holes[..., None], _with_grain(filled, light, bare, holes), light)
    black, blur = _ink_of(light, filled, strokes)
    return RealPaper(np.rint(np.clip(paper, 0, 1) * 255).astype(np.uint8), ~inside, black, blur)


def inside_of(outline: Outline, shape: tuple[int, ...]) -> Mask:
    """Return (H, W), true within the outline."""
    height, width = shape[:2]
    if isinstance(outline, str):
        return np.ones((height, width), bool)
    # a pixel belongs to the page if its centre does; 4 bits of a pixel are enough
    corners = np.asarray(outline, np.float64) * (width, height) - 0.5
    page = np.zeros((height, width), np.uint8)
    cv2.fillPoly(page, [np.rint(corners * 16).astype(np.int32)], 1, shift=4)
    return page > 0


def find_strokes(light: Image, inside: Mask) -> Mask:
    """Return (H, W), true where a page in 0..1 has ink narrower than a twentieth of its side.

    Paper is what a closing leaves: it fills valleys and keeps slopes, so shadows stay paper.
    """
    side = _widest(light.shape)
    soft = cv2.GaussianBlur(fill(light, inside), (0, 0), 0.8)
    padded = cv2.copyMakeBorder(soft, side, side, side, side, cv2.BORDER_REFLECT_101)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))
    paper = cv2.GaussianBlur(closed, (0, 0), 1.5)[side:-side, side:-side]
    # the constant keeps the noise of deep shadows and dark channels below that of ink
    contrast = _most((paper - soft) / (paper + 0.25))
    least = max(_FAINTEST, 3 * float(np.quantile(contrast[inside], 0.3)))
    strokes = _without_specks((contrast > least) & inside)
    return strokes | (_grown(strokes, _HALO) & (contrast > 0.5 * least))


def fill(light: Image, known: Mask) -> Image:
    """Blur what is known into what is not, finer the nearer it is; what is known stays.

    Args:
        light: (H, W, 3).
        known: (H, W).
    """
    weight = known.astype(np.float32)
    levels = [(light * weight[..., None], weight)]
    while min(levels[-1][1].shape) > 2 and levels[-1][1].min() < 0.5:
        coarse, share = (np.asarray(cv2.pyrDown(part), np.float32) for part in levels[-1])
        levels.append((coarse, share))
    filled = np.broadcast_to(_mean(*levels[-1]), levels[-1][0].shape)
    for weighted, weight in reversed(levels):
        height, width = weight.shape
        if filled.shape != weighted.shape:
            filled = np.asarray(cv2.pyrUp(filled, dstsize=(width, height)), np.float32)
        sure = np.minimum(2 * weight, 1)[..., None]
        filled = sure * weighted / np.maximum(weight, 1e-6)[..., None] + (1 - sure) * filled
    return np.asarray(filled, np.float32)


def _mean(weighted: Image, weight: Image) -> Image:
    return np.asarray(weighted.sum((0, 1)) / max(float(weight.sum()), 1e-6), np.float32)


def _with_grain(filled: Image, light: Image, bare: Mask, holes: Mask) -> Image:
    """Lay the grain of bare paper near each hole over it: the same offset for many pixels."""
    grain = light - cv2.GaussianBlur(filled, (0, 0), _GRAIN)
    strength = _most(np.abs(grain))
    # what shines through is no grain
    bare = bare & (strength < 4 * np.median(strength[bare])) if bare.any() else bare
    height, width = holes.shape
    y, x = np.nonzero(holes)
    result = filled.copy()
    rng = np.random.default_rng(height * width)
    for step in range(60):
        far = 6 * 1.06**step * rng.uniform(1, 3)
        angle = rng.uniform(0, 2 * np.pi)
        from_y = _mirrored(y + round(far * np.sin(angle)), height)
        from_x = _mirrored(x + round(far * np.cos(angle)), width)
        found = bare[from_y, from_x]
        result[y[found], x[found]] += grain[from_y[found], from_x[found]]
        y, x = y[~found], x[~found]
        if not len(y):
            return result
    spread = grain[bare].std(axis=0) if bare.any() else np.float32(0)
    result[y, x] += rng.standard_normal((len(y), 1), np.float32) * spread
    return result


def _mirrored(index: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    index = np.abs(index) % (2 * length)
    return np.asarray(np.minimum(index, 2 * length - 1 - index))


def _ink_of(light: Image, paper: Image, strokes: Mask) -> tuple[float, float]:
    """How light ink is against its paper, and sigma of the blur at its edges."""
    if strokes.sum() < 100:
        return RealPaper.black, RealPaper.blur
    share = _grey(light) / np.maximum(_grey(paper), 0.02)
    black = float(np.clip(np.quantile(share[strokes], 0.05), 0, _PALEST))
    across = cv2.Sobel(share, cv2.CV_32F, 1, 0, scale=1 / 8)
    down = cv2.Sobel(share, cv2.CV_32F, 0, 1, scale=1 / 8)
    steepest = float(np.quantile(np.hypot(across, down)[strokes], 0.98))
    blur = (1 - black) / max(steepest * np.sqrt(2 * np.pi), 1e-3)
    return black, float(np.clip(blur, 0.3, 4))


def _most(image: Image) -> Image:
    """Return (H, W), the largest of three channels: much quicker than numpy along a short axis."""
    return np.maximum(np.maximum(image[..., 0], image[..., 1]), image[..., 2])


def _grey(image: Image) -> Image:
    return np.asarray(cv2.transform(image, np.full((1, 3), 1 / 3, np.float32)), np.float32)


def _grown(mask: Mask, reach: int) -> Mask:
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1,) * 2)
    return cv2.dilate(mask.astype(np.uint8), disc) > 0


def _without_specks(strokes: Mask) -> Mask:
    """Drop what is too small to be seen: single pixels of noise."""
    core = cv2.morphologyEx(strokes.astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    return core > 0


def _widest(shape: tuple[int, ...]) -> int:
    """Side in pixels, odd, that no stroke fills."""
    return max(21, round(0.035 * max(shape[:2]))) | 1
