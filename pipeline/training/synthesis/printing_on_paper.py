"""Rendered ink on real paper: where the page lies on the paper, and how its ink looks there.

All images are (H, W, 3) in 0..1, 0 is black. A transmittance is what ink lets through: 1 where
there is none.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pagewash.training.synthesis.noise import Value
from pagewash.training.synthesis.paper_extraction import Image, Mask, RealPaper

_SMALLEST, _LARGEST, _ENLARGED = 0.6, 1.6, 1.5
"""Paper is scaled by so much, and never enlarged by more than the last to be large enough."""


@dataclass(frozen=True)
class LaidPage:
    """A page printed on paper, and scanned with what lies around it."""

    dirty: Image
    """(h, w, 3) in 0..1."""

    clean: Image
    """(h, w, C): what should come back, white outside the page."""

    outside: Mask
    """(h, w), true where the scan shows no page."""

    paper: Image
    """(h, w, 3) in 0..1: the bare paper."""


def lay_on(paper: RealPaper, transmittance: Image, clean: Image, rng: Generator) -> LaidPage:
    """Print a page on paper that is turned, mirrored and scaled at random.

    Paper with something around it gets the page into its outline, and the result is as large as
    the paper; if that is too small, it shows a part of the page. Paper with nothing around it
    gives the result the size of the page, or its own, if it is too small and no texture.

    Args:
        paper: what to print on.
        transmittance: (H, W, 3) of the page.
        clean: (H, W, C), cut and placed as the page is; masks may ride along as channels.
        rng: decides everything.
    """
    turned = _turned(paper, transmittance.shape, rng)
    if turned.outside.any():
        fitted, transmittance, clean = _fit_outline(turned, transmittance, clean, rng)
    else:
        fitted, transmittance, clean = cover(turned, transmittance, clean, rng)
    dirty = print_on(fitted, transmittance, rng)
    bare = fitted.paper.astype(np.float32) / np.float32(255)
    return LaidPage(dirty, np.where(fitted.outside[..., None], 1, clean), fitted.outside, bare)


def print_on(paper: RealPaper, transmittance: Image, rng: Generator) -> Image:
    """Return (H, W, 3) in 0..1: paper with ink on it, as sharp, pale and noisy as its scan.

    Args:
        paper: of the page's size.
        transmittance: (H, W, 3).
        rng: decides how light ink is, above all on dark paper, and how noisy.
    """
    light = paper.paper.astype(np.float32) / 255
    sigma = paper.blur * rng.uniform(0.4, 1)
    ink = cv2.GaussianBlur(1 - transmittance, (0, 0), sigma) if sigma > 0.35 else 1 - transmittance
    # fitted to NoisyOffice: ink is multiplied with paper, or the lighter, the darker the paper is
    lighter = rng.uniform(0, 0.1) if rng.random() < 0.7 else rng.uniform(0.1, 0.85)
    lost = np.maximum((1 + lighter) * light - lighter, 0)
    reflected = np.float32(paper.black * rng.uniform(0, 1)) * light
    grain = light - cv2.GaussianBlur(light, (0, 0), 2.5)
    grain = np.roll(grain, rng.integers(5, 40, 2), (0, 1)) * np.float32(rng.uniform(0, 0.8))
    printed = light + ink * (np.minimum(reflected, lost) - lost + grain)
    return np.where(paper.outside[..., None], light, np.clip(printed, 0, 1)).astype(np.float32)


def _turned(paper: RealPaper, page_shape: tuple[int, ...], rng: Generator) -> RealPaper:
    """Turn by quarters, so that an outlined page is upright if the other is, and mirror."""
    quarters, mirrored = int(rng.integers(4)), rng.random() < 0.5
    if paper.outside.any():
        height, width = _sides(_corners(~paper.outside))
        upright = (height > width) == (page_shape[0] > page_shape[1])
        quarters = quarters // 2 * 2 + (not upright)

    def turn(image: NDArray[Value]) -> NDArray[Value]:
        image = np.rot90(image, quarters)
        return np.ascontiguousarray(image[:, ::-1] if mirrored else image)

    return replace(paper, paper=turn(paper.paper), outside=turn(paper.outside))


def _scaled(paper: RealPaper, scale: float) -> RealPaper:
    """Resample paper; its blur grows and shrinks with it."""
    height, width = paper.outside.shape
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    outside = cv2.resize(paper.outside.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    return replace(
        paper,
        paper=np.asarray(cv2.resize(paper.paper, size, interpolation=kind), np.uint8),
        outside=outside > 0,
        blur=paper.blur * scale,
    )


def cover(
    paper: RealPaper, page: Image, clean: Image, rng: Generator
) -> tuple[RealPaper, Image, Image]:
    """Cut paper to the page's size, or a texture mirrored to it, or the page to the paper's."""
    needed = max(np.divide(page.shape[:2], paper.outside.shape))
    lowest, highest = max(_SMALLEST, needed), max(_LARGEST, needed)
    if needed > _ENLARGED:
        lowest, highest = 1.0, _ENLARGED
    paper = _scaled(paper, rng.uniform(lowest, highest))
    height, width = (
        page.shape[:2] if paper.tileable else np.minimum(page.shape, paper.paper.shape)[:2]
    )
    rows, columns = paper.outside.shape
    if rows < height or columns < width:
        beyond = (0, max(0, height - rows), 0, max(0, width - columns))
        tiled = np.asarray(cv2.copyMakeBorder(paper.paper, *beyond, cv2.BORDER_REFLECT), np.uint8)
        paper = replace(paper, paper=tiled, outside=np.zeros(tiled.shape[:2], bool))
    on_paper = _window(paper.outside.shape, (height, width), rng)
    on_page = _window(page.shape, (height, width), rng)
    cut = replace(paper, paper=paper.paper[on_paper], outside=paper.outside[on_paper])
    return cut, page[on_page], clean[on_page]


def _window(shape: tuple[int, ...], size: tuple[int, int], rng: Generator) -> tuple[slice, slice]:
    """Return where a window of a size lies in an image, at random."""
    top, left = (
        int(rng.integers(whole - part + 1)) for whole, part in zip(shape, size, strict=False)
    )
    return slice(top, top + size[0]), slice(left, left + size[1])


def _fit_outline(
    paper: RealPaper, page: Image, clean: Image, rng: Generator
) -> tuple[RealPaper, Image, Image]:
    """Scale paper until the page fits into its outline, as far as that goes, and place it.

    The page follows the outline: it is turned, and seen from one side, as the paper is.
    """
    corners = _corners(~paper.outside)
    needed = max(np.divide(page.shape[:2], _sides(corners)))
    paper = _scaled(paper, float(np.clip(needed * rng.uniform(1, 1.1), 0.4, _ENLARGED)))
    corners = _corners(~paper.outside)
    height, width = np.rint(_sides(corners)).astype(int)
    top = _place(page.shape[0], height, _shown(corners[:, 1], paper.outside.shape[0]), rng)
    left = _place(page.shape[1], width, _shown(corners[:, 0], paper.outside.shape[1]), rng)
    # corners lie on edges of pixels, positions of pixels at their centres
    on_page = np.array([(0, 0), (width, 0), (width, height), (0, height)]) - (left, top) - 0.5
    start, end = (points.astype(np.float32) for points in (on_page, corners - 0.5))
    warp = np.asarray(cv2.getPerspectiveTransform(start, end), np.float64)
    shape = paper.outside.shape
    return paper, _warped(page, warp, shape), _warped(clean, warp, shape)


def _corners(inside: Mask) -> NDArray[np.float64]:
    """Return the four corners of a page, [x, y], from the top left one clockwise.

    They may lie beyond the scan, as those of a page do that goes on there. A page that is no
    quadrilateral has the corners of the box around it.
    """
    contours, _ = cv2.findContours(
        inside.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    outline = np.concatenate(contours)
    left, top, width, height = cv2.boundingRect(outline)
    box = np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) * (width, height) + (left, top)
    hull = cv2.convexHull(outline)
    if len(hull) < 4:
        return box.astype(np.float64)
    around = cv2.approxPolyN(hull, 4).reshape(4, 2).astype(np.float64)
    across, down = around.sum(1), around[:, 0] - around[:, 1]
    order = [int(across.argmin()), int(down.argmax()), int(across.argmax()), int(down.argmin())]
    quadrilateral = around[order]
    # pixels of the outline are counted by their centres, and reach half a pixel further
    quadrilateral += np.sign(quadrilateral - quadrilateral.mean(0)) * 0.5 + 0.5
    far = np.abs(quadrilateral - box).max(0) > 0.35 * np.array([width, height])
    return box.astype(np.float64) if len(set(order)) < 4 or far.any() else quadrilateral


def _sides(corners: NDArray[np.float64]) -> tuple[float, float]:
    """Mean height and width of a quadrilateral."""
    top, right, bottom, left = np.linalg.norm(np.roll(corners, -1, 0) - corners, axis=1)
    return (left + right) / 2, (top + bottom) / 2


def _shown(positions: NDArray[np.float64], length: int) -> tuple[bool, bool]:
    """Whether a scan shows where the page begins, and where it ends, along one axis."""
    first, last = np.sort(positions)[[1, 2]]
    return bool(first > 2), bool(last < length - 2)


def _place(length: int, room: int, shown: tuple[bool, bool], rng: Generator) -> int:
    """Where a page begins in the room there is for it, in pixels along one axis.

    A page longer than that is cut; a side stays whole where the scan shows the paper's edge.
    """
    slack = room - length
    if slack >= 0:
        return round(slack * rng.beta(3, 3))
    ends = [share for share, edge in zip((0.0, 1.0), shown, strict=True) if edge]
    return round(slack * float(rng.choice(ends) if ends else rng.random()))


def _warped(image: Image, warp: NDArray[np.float64], shape: tuple[int, ...]) -> Image:
    """Return a white image of the shape with the given one on it."""
    seen = [
        cv2.warpPerspective(1 - image[..., channel], warp, shape[1::-1], flags=cv2.INTER_CUBIC)
        for channel in range(image.shape[2])
    ]
    return np.clip(1 - np.stack(seen, axis=2), 0, 1)
