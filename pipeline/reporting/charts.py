"""Distributions of metrics, drawn as outlines that an SVG path takes. Numbers only."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pagewash.measuring.definitions import METRICS, Metric

BINS = 36
WIDTH, HEIGHT = 320, 44
"""Of one strip, in units of the SVG."""

SPREAD = (0.5, 99.5)
"""Percentiles that a chart reaches over; the first and last bin hold what lies beyond."""


CHARTED = (
    "ink_lost",
    "ink_added",
    "novelty",
    "noise",
    "background",
    "unevenness",
    "contrast",
    "sharpness",
)
"""Names of the metrics that are worth a chart, in the order of the report."""


@dataclass(frozen=True)
class Strip:
    """One distribution."""

    label: str
    """Scan, Cleaned, or nothing where there is but one."""

    median: str
    outline: str
    """An SVG path within `WIDTH` x `HEIGHT`."""

    middle: float
    """Where the median lies, 0 to `WIDTH`."""


@dataclass(frozen=True)
class Chart:
    """The distributions of one metric over the same range."""

    metric: Metric
    low: str
    high: str
    limit: float | None
    """Where the limit lies, 0 to `WIDTH`; None without one."""

    strips: tuple[Strip, ...]


def draw_charts(table: pa.Table) -> tuple[Chart, ...]:
    """A chart for each metric that pages of a table have; rows in ``records.SCHEMA``."""
    found = (
        _chart(metric, list(_values(table, metric))) for metric in map(METRICS.__getitem__, CHARTED)
    )
    return tuple(chart for chart in found if chart is not None)


def _values(table: pa.Table, metric: Metric) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """What the pages of a table have of a metric, under a label each."""
    columns = {metric.name: ""}
    if metric.name not in table.column_names:
        columns = {f"{metric.name}_before": "Scan", f"{metric.name}_after": "Cleaned"}
    for column, label in columns.items():
        yield label, np.asarray(table[column].drop_null(), np.float64)


def _chart(metric: Metric, samples: list[tuple[str, NDArray[np.float64]]]) -> Chart | None:
    if not all(values.size for _, values in samples):
        return None
    low, high = _range(metric, np.concatenate([values for _, values in samples]))
    scale = WIDTH / (high - low)
    strips = []
    for label, values in samples:
        median = float(np.median(values))
        middle = (min(max(median, low), high) - low) * scale
        outline = _outline(_heights(values, low, high))
        strips.append(Strip(label, _text(metric, median), outline, round(middle, 1)))
    limit = None if metric.limit is None else round((metric.limit - low) * scale, 1)
    return Chart(metric, _text(metric, low), _text(metric, high), limit, tuple(strips))


def _range(metric: Metric, values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = (float(value) for value in np.percentile(values, SPREAD))
    if metric.limit is not None:  # the limit stands in the chart, and so does nought
        low, high = 0.0, max(high, 2 * metric.limit)
    if high > low:
        return low, high
    return (max(0.0, low - 0.5), min(1.0, low + 0.5)) if metric.share else (low - 1, low + 1)


def _heights(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Of the bins, up to `HEIGHT`; as square roots, so that one page among many still shows."""
    counts = np.sqrt(np.histogram(values.clip(low, high), BINS, (low, high))[0])
    return np.asarray(counts / counts.max() * HEIGHT)


def _outline(heights: NDArray[np.float64]) -> str:
    """Steps from left to right, closed along the bottom."""
    step = WIDTH / BINS
    edges = [f"M0 {HEIGHT}"]
    for number, height in enumerate(heights, 1):
        edges.append(f"V{HEIGHT - height:.1f}H{number * step:.1f}")
    return "".join([*edges, f"V{HEIGHT}Z"])


def _text(metric: Metric, value: float) -> str:
    return f"{round(100 * value, 1):g} %" if metric.share else f"{value:.3g}"
