"""A cleaned page as it is written: how it lies on its scan, and whether it takes one bit."""

from dataclasses import dataclass, replace

from pagewash.geometry.bilevel import has_pictures, one_bit_levels
from pagewash.geometry.page_box import places_of_strokes
from pagewash.geometry.page_geometry import (
    PageGeometry,
    choose_transform,
    measure_geometry,
)
from pagewash.geometry.page_size import Size, with_common_size
from pagewash.geometry.transform import Box, PageTransform
from pagewash.grey import luminance
from pagewash.options import RunOptions
from pagewash.pages import Page, Pixels


@dataclass(frozen=True)
class LaidOut:
    """A page to be written, and what was found out about it."""

    page: Page
    found: PageGeometry

    @property
    def transform(self) -> PageTransform:
        """What happens to its geometry."""
        return self.page.transform

    @property
    def is_blank(self) -> bool:
        """Whether there surely is nothing on the page."""
        return self.found.is_blank and self.page.whole and self.page.alone


def lay_out(
    scan: Pixels,
    page: Page,
    options: RunOptions,
    may_split: bool = True,
    sizes: list[Size] | None = None,
) -> LaidOut:
    """Measure a cleaned page, and say what is done about it.

    Args:
        scan: (H, W) uint8 grey or (H, W, 3) RGB, before cleaning.
        page: cleaned, as it lay on its scan.
        options: what was asked for.
        may_split: whether the document that is written can hold more pages.
        sizes: of the pages of the document that came before, and now of this one; None for a page
            by itself.
    """
    found = measure_geometry(scan, page)
    transform = choose_transform(page, found, options, may_split)
    if options.crop and page.whole and sizes is not None:
        shape, ink = page.pixels.shape, places_of_strokes(page.pixels)
        transform = with_common_size(transform, shape, ink, sizes)
    if options.borders == "keep":
        page = page.replace_pixels(with_border(scan, page.pixels, found.page_box))
    laid = replace(page, transform=transform)
    return LaidOut(in_one_bit(laid, options) if options.color == "bilevel" else laid, found)


def with_border(scan: Pixels, cleaned: Pixels, box: Box) -> Pixels:
    """The cleaned page, with all that lies outside of a box as it was scanned."""
    left, top, right, bottom = box
    framed = (luminance(scan) if cleaned.ndim == 2 else scan).copy()
    framed[top:bottom, left:right] = cleaned[top:bottom, left:right]
    return framed


def in_one_bit(page: Page, options: RunOptions) -> Page:
    """The page in one bit; where it has pictures, as it is but for text that a container holds
    apart from them, unless they are to be halftoned.
    """
    grey = luminance(page.pixels)
    if not has_pictures(grey):
        return replace(page.replace_pixels(one_bit_levels(grey)), mode="1")
    if not options.halftone:
        return replace(page, layers=True)
    return replace(page.replace_pixels(grey), dots=True)
