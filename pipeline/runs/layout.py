"""A cleaned page as it is written: how it lies on its scan, and whether it takes one bit."""

from dataclasses import dataclass, replace

import numpy as np

from pagewash.geometry.bilevel import halftone, has_pictures, one_bit_levels
from pagewash.geometry.page_geometry import PageGeometry, choose_transform, measure_geometry
from pagewash.geometry.transform import PageTransform
from pagewash.measuring.strokes import as_grey
from pagewash.options import RunOptions
from pagewash.pages import Page


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


def lay_out(scan: np.ndarray, page: Page, options: RunOptions, may_split: bool = True) -> LaidOut:
    """Measure a cleaned page, and say what is done about it.

    Args:
        scan: (H, W) uint8 grey or (H, W, 3) RGB, before cleaning.
        page: cleaned, as it lay on its scan.
        options: what was asked for.
        may_split: whether the document that is written can hold more pages.
    """
    found = measure_geometry(scan, page)
    laid = replace(page, transform=choose_transform(page, found, options, may_split))
    return LaidOut(in_one_bit(laid, options) if options.color == "bilevel" else laid, found)


def in_one_bit(page: Page, options: RunOptions) -> Page:
    """The page in one bit; as it is where it has pictures, unless they are to be halftoned."""
    grey = as_grey(page.pixels)
    if not has_pictures(grey):
        return replace(page.replace_pixels(one_bit_levels(grey)), mode="1")
    if not options.halftone:
        return page
    return replace(page.replace_pixels(halftone(grey)), mode="1")
