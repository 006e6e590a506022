"""How quality went over many runs, drawn as bars that an SVG takes. Numbers only."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from pagewash.measuring.history import RunFigures, figures_by_month, figures_by_run

MOST_RUNS = 60
"""Bars of single runs; of more, those of a month stand together."""

HEIGHT = 60
"""Of a chart, in units of the SVG; a bar with its gap is 10 wide."""

STEP, BAR = 10, 8


@dataclass(frozen=True)
class Bar:
    """One run, or the runs of one month."""

    x: int
    height: float
    text: str
    """When, and how much."""


@dataclass(frozen=True)
class Trend:
    """One figure over all runs, the first on the left."""

    title: str
    about: str
    most: str
    """Of the highest bar."""

    first: str
    last: str
    """When the first and the last bar were."""

    bars: tuple[Bar, ...]
    by_month: bool

    width: int
    """Of the chart, in units of the SVG; runs without a figure have a place and no bar."""


_FIGURES: tuple[tuple[str, str, Callable[[RunFigures], float | None], str], ...] = (
    ("Pages", "that were tried", lambda run: run.pages, "{:,.0f}"),
    ("To look at", "share of the pages", lambda run: run.doubtful, "{:.1%}"),
    ("Failed", "share of the pages", lambda run: run.failed, "{:.1%}"),
    ("Ink lost", "mean share of the scans' strokes", lambda run: run.ink_lost, "{:.2%}"),
    ("Noise", "of the cleaned paper, grey levels", lambda run: run.noise, "{:.2f}"),
    ("Time a page", "seconds in all stages together", lambda run: run.seconds, "{:.2f} s"),
)


def draw_trends(table: pa.Table) -> tuple[Trend, ...]:
    """A chart of each figure over the runs of a table; none of a single run.

    Args:
        table: all rows of all runs in ``records.SCHEMA``, those that later ones replaced too.
    """
    runs = figures_by_run(table)
    if len(runs) < 2:
        return ()
    by_month = len(runs) > MOST_RUNS
    shown = figures_by_month(table) if by_month else runs
    trends = (_trend(shown, by_month, *figure) for figure in _FIGURES)
    return tuple(trend for trend in trends if trend.bars)


def _trend(
    runs: Sequence[RunFigures],
    by_month: bool,
    title: str,
    about: str,
    value_of: Callable[[RunFigures], float | None],
    form: str,
) -> Trend:
    values = [(run, value_of(run)) for run in runs]
    most = max((value for _, value in values if value is not None), default=0.0)
    bars = tuple(
        Bar(STEP * at, round(HEIGHT * value / most, 1) if most else 0.0, _text(run, value, form))
        for at, (run, value) in enumerate(values)
        if value is not None
    )
    when = "%B %Y" if by_month else "%d %b %Y"
    first, last = (run.started.strftime(when).lstrip("0") for run in (runs[0], runs[-1]))
    width = STEP * len(runs)
    return Trend(title, about, _said(form, most), first, last, bars, by_month, width)


def _text(run: RunFigures, value: float, form: str) -> str:
    return f"{run.name}: {_said(form, value)}"


def _said(form: str, value: float) -> str:
    return form.format(value).replace("%", " %")
