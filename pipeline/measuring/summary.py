"""What the rows of a run say together: counts, speed, medians, and the pages to look at first.

Reads a table of ``records.SCHEMA`` and gives values; how they are printed is for others to say.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pagewash.errors import OptionError
from pagewash.measuring.definitions import PAIRED
from pagewash.measuring.records import Status

STAGES = ("read", "clean", "geometry", "measure", "write")

NEEDY: tuple[Status, ...] = ("failed", "review")
"""Pages that somebody must look at: what was lost in cleaning is judged by the guard alone."""


@dataclass(frozen=True)
class Change:
    """Median of one metric over the pages that have it, before and after."""

    metric: str
    before: float
    after: float


@dataclass(frozen=True)
class WorstPage:
    """A page that failed, or should be looked at."""

    source: str
    page: int | None
    """From 1; None for a document that could not be opened."""

    status: str
    ink_lost: float | None
    ink_added: float | None
    message: str | None


@dataclass(frozen=True)
class Summary:
    """A run, or several, in numbers."""

    runs: int
    documents: int
    pages: int
    statuses: Mapping[str, int]
    """Pages by status; every status is there, the rest of the pages are 0."""

    seconds: Mapping[str, float]
    """Seconds by stage, summed over pages; stages overlap in a run."""

    pages_per_second: float | None
    """Pages cleaned per second of the time given, else of the stage that took longest, as if pages
    came one after the other there: more threads side by side do more. None where no time is
    known."""

    changes: tuple[Change, ...]
    worst: tuple[WorstPage, ...]
    """Failed pages first, then those for review, each by ink lost or added."""


def summarise(table: pa.Table, seconds: float | None = None, worst: int = 10) -> Summary:
    """Sum up rows.

    Args:
        table: rows in the columns of ``records.SCHEMA``, as ``read_records`` gives them.
        seconds: how long the run took, where that is known.
        worst: how many pages to name at most.

    Raises:
        OptionError: a negative number of pages.
    """
    if worst < 0:
        raise OptionError(f"--worst {worst} is negative; give 0 or more")
    counted = {row["values"]: row["counts"] for row in pc.value_counts(table["status"]).to_pylist()}
    statuses = {status: counted.get(status, 0) for status in get_args(Status)}
    stages = {name: pc.sum(table[f"seconds_{name}"]).as_py() or 0.0 for name in STAGES}
    time = max(stages.values()) if seconds is None else seconds
    cleaned = statuses["cleaned"] + statuses["review"]
    return Summary(
        runs=pc.count_distinct(table["run_id"]).as_py(),
        documents=table.group_by(["output_folder", "source"]).aggregate([]).num_rows,
        pages=len(table),
        statuses=statuses,
        seconds=stages,
        pages_per_second=cleaned / time if time > 0 else None,
        changes=_changes(table),
        worst=_worst(table, worst),
    )


def latest(table: pa.Table) -> pa.Table:
    """Rows of each document's last run alone, in their order: what the destinations hold now.

    Documents of one name are several where their destinations are, as of runs that share a metrics
    folder. Rows of a destination that is not there any more, as of one that was moved, count where
    a name has no others.
    """
    places = _standing(table["output_folder"])
    elsewhere = pc.unique(table["source"].filter(pc.not_equal(places, "")))
    replaced = pc.and_(pc.equal(places, ""), pc.is_in(table["source"], elsewhere))
    documents = pc.binary_join_element_wise(places, table["source"], "\n")
    named = pa.table({"document": documents, "started": table["started"]})
    last = named.group_by("document").aggregate([("started", "max")])
    at = pc.index_in(documents, value_set=last["document"])
    is_last = pc.equal(table["started"], last["started_max"].take(at))
    return table.filter(pc.and_not(is_last, replaced))


def _standing(folders: pa.ChunkedArray) -> pa.ChunkedArray:
    """The destination of each row, whichever path led to it; "" for one that is not there."""
    known = pc.unique(folders)
    found = [_resolved(folder) for folder in known.to_pylist()]
    return pa.array(found, pa.string()).take(pc.index_in(folders, value_set=known))


def _resolved(folder: str | None) -> str:
    if not folder or "://" in folder:
        return folder or ""  # a store is not asked
    return str(Path(folder).resolve()) if Path(folder).is_dir() else ""


def _changes(table: pa.Table) -> tuple[Change, ...]:
    changes = (_change(table, metric) for metric in PAIRED)
    return tuple(change for change in changes if change is not None)


def _change(table: pa.Table, metric: str) -> Change | None:
    before, after = (
        np.asarray(table[f"{metric}_{when}"].drop_null(), np.float64)
        for when in ("before", "after")
    )
    if not before.size or not after.size:
        return None
    return Change(metric, float(np.median(before)), float(np.median(after)))


def by_need(table: pa.Table) -> pa.Table:
    """Rows in the order in which they need a look.

    Failed ones first, then those for review, each by ink lost or added, then by novelty.
    """
    needy = pc.index_in(table["status"], value_set=pa.array(NEEDY))
    keys = {
        "status": pc.fill_null(needy, 2),
        "harm": _harm(table),
        "novelty": pc.fill_null(table["novelty"], 0),
    }
    down = [(name, "descending") for name in ("harm", "novelty")]
    return table.take(pc.sort_indices(pa.table(keys), sort_keys=[("status", "ascending"), *down]))


def _harm(table: pa.Table) -> pa.ChunkedArray:
    lost, added = (pc.fill_null(table[name], 0) for name in ("ink_lost", "ink_added"))
    return pc.max_element_wise(lost, added)


def _worst(table: pa.Table, count: int) -> tuple[WorstPage, ...]:
    needy = table.filter(pc.is_in(table["status"], value_set=pa.array(NEEDY)))
    names = [field.name for field in fields(WorstPage)]
    rows = by_need(needy).slice(length=count).select(names).to_pylist()
    return tuple(WorstPage(**row) for row in rows)
