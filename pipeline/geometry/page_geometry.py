"""What is known of how a page lies, and what is done about it under given options.

Measuring and deciding are apart: every page is measured, and nothing is done below a stated
confidence.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from pagewash.geometry import blank, orientation, skew, split
from pagewash.geometry.blank import blank_confidence
from pagewash.geometry.orientation import find_orientation, page_strokes
from pagewash.geometry.page_box import find_page_box
from pagewash.geometry.skew import find_skew
from pagewash.geometry.split import find_gutter
from pagewash.geometry.transform import UNCHANGED, Box, PageTransform, frame, straightened
from pagewash.grey import luminance
from pagewash.measuring.strokes import map_strokes, reduce
from pagewash.options import RunOptions
from pagewash.pages import Page

LEAST_SKEW = 0.05
"""Degrees below which a page is straight: less is within the error, and costs sharpness."""


@dataclass(frozen=True)
class PageGeometry:
    """How a page lies on its scan, as measured. Columns as in ``records.SCHEMA``."""

    skew: float
    skew_confidence: float
    orientation: int
    orientation_confidence: float
    page_box: Box
    blank_confidence: float
    gutter: int | None
    gutter_confidence: float

    @property
    def is_blank(self) -> bool:
        """Whether surely nobody wrote or printed on the page."""
        return self.blank_confidence >= blank.SURE

    @property
    def is_spread(self) -> bool:
        """Whether there surely are two pages on the scan."""
        return self.gutter is not None and self.gutter_confidence >= split.SURE

    @property
    def leans(self) -> bool:
        """Whether the page surely is not straight."""
        return abs(self.skew) >= LEAST_SKEW and self.skew_confidence >= skew.SURE

    @property
    def lies_wrong(self) -> bool:
        """Whether the page surely is not upright."""
        return self.orientation != 0 and self.orientation_confidence >= orientation.SURE


def measure_geometry(scan: np.ndarray, page: Page) -> PageGeometry:
    """Measure how a page lies.

    Args:
        scan: (H, W) uint8 grey or (H, W, 3) RGB, as it was before cleaning.
        page: cleaned, not transformed.
    """
    before, after = luminance(scan), luminance(page.pixels)
    strokes = page_strokes(after) if _is_stout(after) else None
    leaning = find_skew(after, strokes)
    lying = find_orientation(after, strokes)
    gutter = find_gutter(before, after)
    return PageGeometry(
        skew=leaning.angle,
        skew_confidence=leaning.confidence,
        orientation=lying.turned if lying.confidence else 0,
        orientation_confidence=lying.confidence,
        page_box=find_page_box(before, after),
        blank_confidence=blank_confidence(scan, page.pixels),
        gutter=gutter.x if gutter.confidence else None,
        gutter_confidence=gutter.confidence,
    )


def _is_stout(pixels: np.ndarray) -> bool:
    """Whether a page is no strip, which may be too thin to look for strokes once it is reduced."""
    shorter, longer = sorted(pixels.shape[:2])
    return bool(shorter >= 64 and longer < 10 * shorter)


def choose_transform(
    page: Page, found: PageGeometry, options: RunOptions, may_split: bool = True
) -> PageTransform:
    """Decide what is done to a page's geometry.

    Args:
        page: as it was measured.
        found: what was measured.
        options: what was asked for.
        may_split: whether the document that is written can hold more pages.

    Returns:
        `UNCHANGED` where nothing was asked for, nothing is to do, or nothing is sure enough.
    """
    if not page.whole:
        return UNCHANGED
    angle = found.skew if options.deskew and found.leans else 0.0
    quarters = -found.orientation // 90 % 4 if options.upright and found.lies_wrong else 0
    box = _straightened_box(page, found, angle, options)
    left, top, right, bottom = box
    if options.split and may_split and found.is_spread and not quarters:
        middle = _straightened_column(page, found, angle)
        return PageTransform(
            angle, boxes=((left, top, middle, bottom), (middle, top, right, bottom))
        )
    height, width = page.pixels.shape[:2]
    return PageTransform(angle, quarters, () if box == (0, 0, width, height) else (box,))


def _straightened_box(page: Page, found: PageGeometry, angle: float, options: RunOptions) -> Box:
    """What is shown of the straightened scan."""
    shape = page.pixels.shape
    if not options.crop:
        return frame(shape, angle, _ink(page.pixels) if angle else np.zeros((0, 2)))
    left, top, right, bottom = found.page_box
    corners = np.array([(left, top), (right, top), (left, bottom), (right, bottom)], float)
    turned = straightened(corners, shape, angle)
    (left, top), (right, bottom) = np.floor(turned.min(0)), np.ceil(turned.max(0))
    return int(left), int(top), int(right), int(bottom)


def _straightened_column(page: Page, found: PageGeometry, angle: float) -> int:
    """Where the gutter is at half the height of the straightened scan."""
    place = np.array([[found.gutter or 0, page.pixels.shape[0] / 2]])
    return round(float(straightened(place, page.pixels.shape, angle)[0, 0]))


def _ink(pixels: np.ndarray) -> np.ndarray:
    """(N, 2) x and y where ink is on a cleaned page, some pixels apart."""
    factor = max(1, max(pixels.shape[:2]) // 400)
    places = cv2.findNonZero(map_strokes(reduce(pixels, factor)).strokes)
    if places is None:
        return np.zeros((0, 2))
    return np.asarray((places.reshape(-1, 2) + 0.5) * factor, np.float64)
