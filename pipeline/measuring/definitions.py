"""What each metric is: the one place that gives its title, unit, meaning and limit.

The columns in Parquet, the report, the tables on the terminal and the documents take it from here.
How the numbers come about is in `pagewash.measuring.metrics`.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Metric:
    """One metric in words."""

    name: str
    """Of its column, or of two with `_before` and `_after`."""

    title: str
    unit: str
    """Unit, or the range of its values."""

    meaning: str
    """What is measured, after "The ...:" or on its own."""

    share: bool = False
    """It runs from 0 to 1, and people read it in percent."""

    limit: float | None = None
    """A page beyond it is to be looked at."""

    alarm: str = ""
    """What is said of such a page, after "7 % of"."""

    @property
    def description(self) -> str:
        """What stands in the schema."""
        return f"{self.title}: {self.meaning}" + (f"; {self.unit}" if self.unit else "")


NOISE = Metric("noise", "Noise of the paper", "grey levels", "standard deviation of its level")
BACKGROUND = Metric("background", "Level of the paper", "0 (black) to 255 (white)", "its median")
UNEVENNESS = Metric(
    "unevenness",
    "Unevenness of the paper",
    "grey levels",
    "how far its level varies, the 95th less the 5th percentile of means over small squares",
)
CONTRAST = Metric(
    "contrast",
    "Contrast of the ink",
    "0 (paper) to 1 (black)",
    "median darkness of the strokes against the paper around them",
    share=True,
)
SHARPNESS = Metric(
    "sharpness",
    "Sharpness of the ink",
    "0 to 1",
    "share of the contrast that a good edge of a stroke crosses within 3 px",
    share=True,
)
INK_RATIO = Metric(
    "ink_ratio", "Ink", "0 to 1", "share of the page's area under strokes", share=True
)
INK_LOST = Metric(
    "ink_lost",
    "Ink lost",
    "0 to 1",
    "share of the scan's strokes, by area, where the cleaned page has next to nothing",
    share=True,
)
INK_ADDED = Metric(
    "ink_added",
    "Ink added",
    "0 to 1",
    "share of the cleaned page's strokes, by area, where the scan has next to nothing",
    share=True,
    limit=0.02,
    alarm="the ink came from nowhere",
)
PICTURE_AREA = Metric(
    "picture_area",
    "Pictures",
    "0 to 1",
    "share of the scan's area under pictures and other dark areas too wide for strokes",
    share=True,
)
PICTURE_LOST = Metric(
    "picture_lost",
    "Pictures lost",
    "0 to 1",
    "share of that area that is less than half as dark after cleaning",
    share=True,
)
CHANGED = Metric(
    "changed",
    "Changed",
    "0 to 1",
    "share of the pixels that the cleaning changed; 0 is a page that came back as it was",
    share=True,
)
BLANK = Metric("blank", "Blank", "", "the scan has neither strokes nor pictures")
GIVEN_BACK = Metric(
    "given_back",
    "Given back",
    "0 to 1",
    "share of the page's area that is the scan's again, since the cleaning had lost it",
    share=True,
)
NOVELTY = Metric(
    "novelty",
    "Novelty",
    "0 to 100",
    "how unlike the training pages, as a percentile of usual pages",
)


def measured(metric: Metric) -> Any:
    """A field of `PageMetrics` that carries its definition."""
    return dataclasses.field(metadata={"metric": metric})


@dataclass(frozen=True)
class PageMetrics:
    """Quality and safety of one cleaned page; compare before with after, not page with page.

    Each field carries its `Metric` under "metric" in its metadata.
    """

    noise_before: float = measured(NOISE)
    noise_after: float = measured(NOISE)
    background_before: float = measured(BACKGROUND)
    background_after: float = measured(BACKGROUND)
    unevenness_before: float = measured(UNEVENNESS)
    unevenness_after: float = measured(UNEVENNESS)
    contrast_before: float = measured(CONTRAST)
    contrast_after: float = measured(CONTRAST)
    sharpness_before: float = measured(SHARPNESS)
    sharpness_after: float = measured(SHARPNESS)
    ink_ratio_before: float = measured(INK_RATIO)
    ink_ratio_after: float = measured(INK_RATIO)
    ink_lost: float = measured(INK_LOST)
    ink_added: float = measured(INK_ADDED)
    picture_area: float = measured(PICTURE_AREA)
    picture_lost: float = measured(PICTURE_LOST)
    changed: float = measured(CHANGED)
    blank: bool = measured(BLANK)


def definitions() -> dict[str, Metric]:
    """The definition of each column of `PageMetrics`, in their order."""
    return {field.name: field.metadata["metric"] for field in dataclasses.fields(PageMetrics)}


METRICS = {metric.name: metric for metric in (*definitions().values(), GIVEN_BACK, NOVELTY)}
"""Every metric by its name."""

PAIRED = tuple(name for name in METRICS if f"{name}_before" in definitions())
"""Names of those that are measured before and after."""
