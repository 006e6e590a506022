"""What stands in a report: the numbers of a run, its pages in order of need, and some in pictures.

Rows in, values out; how they look is told in ``templates``.
"""

import datetime
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pagewash.measuring.accepted import COLUMNS as MARK_COLUMNS
from pagewash.measuring.accepted import HARMS
from pagewash.measuring.definitions import METRICS
from pagewash.measuring.summary import Summary, by_need, latest, summarise
from pagewash.reporting.charts import Chart, draw_charts
from pagewash.reporting.places import Places
from pagewash.reporting.previews import PagePictures, picture_page
from pagewash.reporting.trends import Trend, draw_trends

Progress = Callable[[int, int], object]

MOST_ROWS = 20_000
"""Rows in a report, the neediest: a browser should still be quick with them."""

MOST_FAILURES = 100
"""Failed documents that are named before the pictures; the rows have all."""


@dataclass(frozen=True)
class Column:
    """A column of the table of pages, as the page's script takes it."""

    name: str
    title: str
    kind: str
    """How it is shown and sorted: text, status, count, share, number."""

    about: str = ""
    """What a title cannot say."""


def _metric_column(name: str, when: str = "") -> Column:
    metric = METRICS[name]
    kind = "share" if metric.share else "number"
    column, title = (f"{name}_{when}", f"{metric.title} {when}") if when else (name, metric.title)
    return Column(column, title, kind, f"{metric.meaning}; {metric.unit}")


COLUMNS = (
    Column("source", "Document", "text"),
    Column("page", "Page", "count"),
    Column("status", "Status", "status"),
    Column("message", "Why", "text"),
    _metric_column("ink_lost"),
    _metric_column("ink_added"),
    _metric_column("picture_lost"),
    _metric_column("changed"),
    _metric_column("given_back"),
    _metric_column("novelty"),
    _metric_column("noise", "before"),
    _metric_column("noise", "after"),
)

DOCUMENT = ["output_folder", "source"]
"""Columns that tell a document from all others: two destinations may have one of its name."""

ALWAYS = {"source", "status", "ink_lost", "ink_added"}
"""Columns that are there even if they say the same of every page."""


@dataclass(frozen=True)
class FailedDocument:
    """A document that was not cleaned."""

    source: str
    pages: int
    message: str


@dataclass(frozen=True)
class PicturedPage:
    """A page with its pictures."""

    source: str
    page: int
    document_pages: int
    status: str
    message: str
    facts: tuple[tuple[str, str], ...]
    """Title and value of its metrics."""

    pictures: PagePictures
    mark: tuple[Any, ...]
    """What a file of marks says of it: values of `accepted.COLUMNS`."""


@dataclass(frozen=True)
class Contents:
    """All that a report shows."""

    title: str
    summary: Summary
    models: tuple[str, ...]
    """Each as "fast (cpu, bf16)"."""

    first: datetime.datetime
    """When the first of its runs began, UTC."""

    last: datetime.datetime
    charts: tuple[Chart, ...]
    trends: tuple[Trend, ...]
    failures: tuple[FailedDocument, ...]
    pictured: tuple[PicturedPage, ...]
    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]
    """Values in the order of `columns`, the neediest page first."""

    pictured_rows: tuple[int, ...]
    """Row of each pictured page."""


def collect(
    title: str,
    every_run: pa.Table,
    places: Places,
    pictures: int,
    progress: Progress = lambda done, found: None,
) -> Contents:
    """Put the contents of a report together.

    Args:
        title: what it is about.
        every_run: at least one row in ``records.SCHEMA``; each document's last run is what most of
            the report is about.
        places: where scans and cleaned pages are.
        pictures: how many pages to show, the neediest first.
        progress: called with pages shown, and pages found to be shown.
    """
    table = latest(every_run)
    ordered = by_need(table)
    shown = ordered.slice(length=MOST_ROWS)
    columns = tuple(c for c in COLUMNS if c.name in ALWAYS or _tells(c, shown[c.name]))
    chosen = _choose(shown, pictures)
    progress(0, len(chosen))
    pages = []
    for number in chosen:
        pages.append(_picture(shown.slice(number, 1).to_pylist()[0], ordered, places))
        progress(1, 0)
    started = pc.min_max(table["started"]).as_py()
    return Contents(
        title=title,
        summary=summarise(table, worst=0),
        models=_models(table),
        first=started["min"],
        last=started["max"],
        charts=draw_charts(table),
        trends=draw_trends(every_run),
        failures=tuple(_failures(ordered)),
        pictured=tuple(pages),
        columns=columns,
        rows=tuple(zip(*(_cells(shown[column.name]) for column in columns), strict=True)),
        pictured_rows=tuple(chosen),
    )


def _tells(column: Column, values: pa.ChunkedArray) -> bool:
    """Whether a column tells pages apart; words on a single one do, the same number does not."""
    return bool(pc.count_distinct(values).as_py() > (column.kind != "text"))


def _choose(table: pa.Table, most: int) -> list[int]:
    """Row numbers of the first pages that were cleaned; of a PDF page with several images once."""
    chosen: dict[tuple[Any, ...], int] = {}
    names = ("status", *DOCUMENT, "page")
    for number, (status, *page) in enumerate(zip(*(table[n] for n in names), strict=True)):
        if len(chosen) >= most:
            break
        if status.as_py() in ("cleaned", "review"):
            chosen.setdefault(tuple(value.as_py() for value in page), number)
    return list(chosen.values())


def _picture(row: Mapping[str, Any], table: pa.Table, places: Places) -> PicturedPage:
    """Show the page of a row; the table tells which pages of its document were cleaned."""
    same = [pc.fill_null(pc.equal(table[n], row[n]), row[n] is None) for n in DOCUMENT]
    document = table.filter(pc.and_(*same))
    cleaned = sorted(set(document["page"].drop_null().to_pylist()))
    return PicturedPage(
        source=row["source"],
        page=row["page"],
        document_pages=row["document_pages"] or 1,
        status=row["status"],
        message=row["message"] or "",
        facts=tuple(_facts(row)),
        pictures=picture_page(row, _output_index(row, cleaned), places),
        mark=tuple(round(row[n], 4) if n in HARMS and row[n] else row[n] for n in MARK_COLUMNS),
    )


def _output_index(row: Mapping[str, Any], cleaned: Sequence[int]) -> int:
    """Of a page in its cleaned document, from 0; rows of older runs do not say it."""
    place = row.get("output_page")
    return int(place) - 1 if place else cleaned.index(row["page"])


def _facts(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in ("ink_lost", "ink_added", "picture_lost"):
        if row[name] is not None:
            yield METRICS[name].title, f"{row[name]:.1%}".replace("%", " %")
    if row["novelty"] is not None:
        yield METRICS["novelty"].title, f"{row['novelty']:.0f}"
    for name, digits in (("noise", 1), ("background", 0)):
        before, after = row[f"{name}_before"], row[f"{name}_after"]
        if before is not None and after is not None:
            yield METRICS[name].title, f"{before:.{digits}f} → {after:.{digits}f}"
    if row.get("straightened"):
        yield "Straightened", f"{row['straightened']:.1f}°"
    if row.get("turned"):
        yield "Turned", f"{row['turned']}°"
    if row["model_id"]:
        seen = f", seen at {row['scale']:.2g} of its size" if row["scale"] not in (None, 1) else ""
        yield "Cleaned by", f"{row['model_id']} in {row['precision']}{seen}"
    if row["width"]:
        dpi = f", {row['dpi_x']:.0f} dpi" if row["dpi_x"] else ""
        yield "Size", f"{row['width']} × {row['height']} px{dpi}"


def _failures(ordered: pa.Table) -> Iterator[FailedDocument]:
    failed = ordered.filter(pc.equal(ordered["status"], "failed"))
    documents = failed.group_by(DOCUMENT, use_threads=False).aggregate(
        [([], "count_all"), ("message", "first")]
    )
    for row in documents.slice(length=MOST_FAILURES).to_pylist():
        yield FailedDocument(row["source"], row["count_all"], row["message_first"] or "")


def _models(table: pa.Table) -> tuple[str, ...]:
    names = ["model_id", "device", "precision"]
    how = table.filter(pc.not_equal(table["device"], "none")).group_by(names).aggregate([])
    return tuple(sorted("{model_id} ({device}, {precision})".format(**r) for r in how.to_pylist()))


def _cells(values: pa.ChunkedArray) -> Sequence[Any]:
    """A column for the script: few digits, since there may be many rows."""
    if pa.types.is_floating(values.type):
        return [None if value is None else round(value, 4) for value in values.to_pylist()]
    return list(values.to_pylist())
