"""Rendered ink on real paper: where the page lies on the paper, and how its ink looks there.

All images are (H, W, 3) in 0..1, 0 is black. A transmittance is what ink lets through: 1 where
there is none.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

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
    turned = _turned(paper, rng)
    if turned.outside.any():
        fitted, transmittance, clean = _fit_outline(turned, transmittance, clean, rng)
    else:
        fitted, transmittance, clean = _cover(turned, transmittance, clean, rng)
    dirty = print_on(fitted, transmittance, rng)
    return LaidPage(dirty, np.where(fitted.outside[..., None], 1, clean), fitted.outside)


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


def _turned(paper: RealPaper, rng: Generator) -> RealPaper:
    """Turn by quarters and mirror."""
    quarters, mirrored = int(rng.integers(4)), rng.random() < 0.5

    def turn(image: NDArray[np.generic]) -> NDArray[np.generic]:
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
        paper=cv2.resize(paper.paper, size, interpolation=kind),
        outside=outside > 0,
        blur=paper.blur * scale,
    )


def _cover(
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
        tiled = cv2.copyMakeBorder(paper.paper, *beyond, cv2.BORDER_REFLECT)
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
    """Scale paper until the page fits into its outline, as far as that goes, and place it."""
    spans = [_span(paper.outside, axis) for axis in (1, 0)]
    needed = max(
        length / (stop - start) for length, (start, stop) in zip(page.shape, spans, strict=False)
    )
    scale = float(np.clip(needed * rng.uniform(1, 1.1), 0.4, _ENLARGED))
    paper = _scaled(paper, scale)
    shape = paper.outside.shape
    places = [
        _place(page.shape[axis], _span(paper.outside, 1 - axis), shape[axis], rng)
        for axis in (0, 1)
    ]
    return paper, _placed(page, shape, places), _placed(clean, shape, places)


def _span(outside: Mask, over: int) -> tuple[int, int]:
    """First and last row (over 1) or column (over 0) of the page, the last one excluded."""
    there = np.flatnonzero(~outside.all(axis=over))
    return int(there[0]), int(there[-1]) + 1


def _place(length: int, span: tuple[int, int], whole: int, rng: Generator) -> int:
    """Where the page begins along one axis of the paper.

    A page longer than its span is cut; the side stays whole on which the paper shows its edge.
    """
    start, stop = span
    slack = stop - start - length
    if slack >= 0:
        return start + round(slack * rng.beta(3, 3))
    ends = [share for share, edge in ((0.0, start > 0), (1.0, stop < whole)) if edge]
    return start + round(slack * float(rng.choice(ends) if ends else rng.random()))


def _placed(image: Image, shape: tuple[int, ...], places: list[int]) -> Image:
    """Return a white image of the shape with the given one at its place, cut where it ends."""
    top, left = places
    rows = slice(max(0, top), min(shape[0], top + image.shape[0]))
    columns = slice(max(0, left), min(shape[1], left + image.shape[1]))
    placed = np.ones((*shape[:2], image.shape[2]), np.float32)
    placed[rows, columns] = image[
        rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
    ]
    return placed
