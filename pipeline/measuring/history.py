"""How quality goes over many runs: a few figures for each, by month too, and whether it jumped.

Reads a table of ``records.SCHEMA`` and gives values.
"""

import datetime
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pagewash.measuring.records import find_parts, read_records
from pagewash.measuring.summary import STAGES

EARLIER_PARTS = 60
"""Parts of earlier runs that a new one is held against: of a nightly run, two months."""

LEAST_PAGES = 20
"""Fewer say nothing of a share."""

LEAST_JUMP, DEVIATIONS = 0.05, 3.0
"""How much the share of doubtful pages must grow to be worth a word, and in standard errors."""


@dataclass(frozen=True)
class RunFigures:
    """What a run, or the runs of a month, came to."""

    name: str
    """Id of the run, or the month as 2026-03."""

    started: datetime.datetime
    """UTC."""

    pages: int
    doubtful: float
    """Share of the pages with the status `review`, 0 to 1."""

    failed: float
    """Share of the pages that failed, 0 to 1."""

    ink_lost: float | None
    """Mean share of the scans' strokes; None without a page that was measured, as for the next."""

    noise: float | None
    """Mean noise of the cleaned paper, grey levels."""

    seconds: float | None
    """Mean time that a page took in all stages together."""


def figures_by_run(table: pa.Table) -> tuple[RunFigures, ...]:
    """Figures of each run, the first one first."""
    return _figures(table, table["run_id"])


def figures_by_month(table: pa.Table) -> tuple[RunFigures, ...]:
    """Figures of each month, the first one first."""
    return _figures(table, pc.strftime(table["started"], format="%Y-%m"))


def _figures(table: pa.Table, names: pa.ChunkedArray) -> tuple[RunFigures, ...]:
    stages = [pc.fill_null(table[f"seconds_{stage}"], 0) for stage in STAGES]
    seconds = stages[0]
    for more in stages[1:]:
        seconds = pc.add(seconds, more)
    columns = {
        "name": names,
        "started": table["started"],
        "doubtful": pc.cast(pc.equal(table["status"], "review"), pa.float64()),
        "failed": pc.cast(pc.equal(table["status"], "failed"), pa.float64()),
        "ink_lost": table["ink_lost"],
        "noise": table["noise_after"],
        "seconds": pc.if_else(pc.is_valid(table["seconds_clean"]), seconds, None),
    }
    means = ("doubtful", "failed", "ink_lost", "noise", "seconds")
    wanted: list[tuple[str | list[str], str]] = [("started", "min"), ([], "count_all")]
    grouped = pa.table(columns).group_by("name", use_threads=False)
    rows = grouped.aggregate([*wanted, *((mean, "mean") for mean in means)]).to_pylist()
    found = (
        RunFigures(
            row["name"],
            row["started_min"],
            row["count_all"],
            *(row[f"{mean}_mean"] for mean in means),
        )
        for row in rows
    )
    return tuple(sorted(found, key=lambda run: (run.started, run.name)))


@dataclass(frozen=True)
class Jump:
    """More pages than usual are doubtful."""

    before: float
    """Their share in the runs before, 0 to 1."""

    now: float


def jump_of_last(runs: Sequence[RunFigures]) -> Jump | None:
    """Whether far more pages of the last run are doubtful than of those before; None if not.

    The share must grow by `LEAST_JUMP`, and by more than chance gives to so few pages.
    """
    if not runs:
        return None
    *earlier, last = runs
    pages = sum(run.pages for run in earlier)
    if min(pages, last.pages) < LEAST_PAGES:
        return None
    doubtful = sum(run.doubtful * run.pages for run in earlier)
    before, together = doubtful / pages, (doubtful + last.doubtful * last.pages)
    share = together / (pages + last.pages)
    error = math.sqrt(share * (1 - share) * (1 / pages + 1 / last.pages))
    grown = last.doubtful - before
    if grown < LEAST_JUMP or grown <= DEVIATIONS * error:
        return None
    return Jump(before, last.doubtful)


def jump_of_run(metrics: Path, run_id: str) -> Jump | None:
    """The same of a run that has just ended, held against those before it in a metrics folder."""
    stages = (f"seconds_{stage}" for stage in STAGES)
    columns = ("run_id", "started", "status", "ink_lost", "noise_after", *stages)
    parts = find_parts(metrics)
    ours = [path for path in parts if f"run={run_id}" in path.parts]
    if not ours:
        return None
    before = parts[: parts.index(ours[0])][-EARLIER_PARTS:]
    table = pa.concat_tables(read_records(path, columns) for path in (*before, *ours))
    return jump_of_last(figures_by_run(table))
