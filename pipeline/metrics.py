"""Numbers about a page before and after cleaning, without a clean original to compare with.

Arrays only: no files, no network. What has a clean original is in ``truth``.

Everything that is about strokes, paper or pictures is measured on a reduced copy of the page, since
a page at 300 dpi has four times the pixels that it takes; what is about single pixels (noise,
sharpness) is measured at full size in bands that are spread over the page.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PageMetrics:
    """Quality and safety of one cleaned page; compare before with after, not page with page."""

    noise_before: float
    """Noise of the paper, standard deviation in grey levels (``noise_sigma``)."""

    noise_after: float

    background_before: float
    """Median level of the paper, 0 (black) to 255."""

    background_after: float

    unevenness_before: float
    """How far the paper's level varies over the page: its 95th less its 5th percentile, in grey
    levels, of averages over small squares."""

    unevenness_after: float

    contrast_before: float
    """Median darkness of the strokes against the paper around them, 0 (paper) to 1 (black)."""

    contrast_after: float

    sharpness_before: float
    """Share of the contrast that a good edge of a stroke crosses within 3 px, 0 to 1."""

    sharpness_after: float

    ink_ratio_before: float
    """Share of the page's area under strokes, 0 to 1."""

    ink_ratio_after: float

    ink_lost: float
    """Share of the scan's strokes, by area, where the cleaned page has next to nothing."""

    ink_added: float
    """Share of the cleaned page's strokes, by area, where the scan has next to nothing."""

    picture_area: float
    """Share of the scan's area under pictures and other dark areas too wide for strokes."""

    picture_lost: float
    """Share of that area that is less than half as dark after cleaning: hollowed out."""

    blank: bool
    """The scan has neither strokes nor pictures."""


def measure(before: np.ndarray, after: np.ndarray) -> PageMetrics:
    """Measure a page before and after cleaning.

    Args:
        before: (H, W) uint8 grey or (H, W, 3) uint8 RGB, the scan.
        after: the cleaned page, of the same height and width; grey or RGB.

    Returns:
        What ``PageMetrics`` describes.

    Raises:
        OptionError: sizes differ, or a side is shorter than 3 px.
    """
    raise NotImplementedError
