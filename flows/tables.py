"""What a run came to, in words and tables: for the terminal, and for Prefect's artifacts."""

import json
import shlex
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pagewash.evaluation.scores import Evaluation, Figures
from pagewash.files import harmless
from pagewash.leftovers import without_working_folders
from pagewash.measuring.definitions import METRICS
from pagewash.measuring.records import read_records
from pagewash.measuring.summary import Change, Summary, WorstPage, summarise
from pagewash.runs.outcome import RunReport

TABLE_ROWS = 100
"""Most pages in an artifact: rows belong in Parquet, not in the API."""

SCREEN_ROWS = 6
"""Most pages in a closing summary, which fits on one screen."""


def headline(report: RunReport) -> str:
    """A run in one line."""
    failed = len(report.failures)
    cleaned = report.documents - failed - report.passed_through
    parts = [f"{_count(cleaned, 'document')} cleaned"]
    if report.passed_through:
        parts.append(f"{report.passed_through} passed through as they were")
    if failed:
        parts.append(f"{failed} failed")
    if report.done_before:
        parts.append(f"{report.done_before} clean already")
    if report.left:
        parts.append(f"{report.left} left {'by the interrupt' if report.interrupted else 'undone'}")
    if report.review:
        parts.append(f"{_count(report.review, 'page')} to look at")
    return ", ".join(parts)


def closing(report: RunReport, destination: Path | None = None) -> RenderableType:
    """A run on one screen; its last line says where the cleaned files are, and what comes next.

    Args:
        report: the run.
        destination: where it wrote; None for a stream.
    """
    lines: list[RenderableType] = [Text(headline(report), style="bold"), Text(_speed(report))]
    summary = summary_of(report, SCREEN_ROWS)
    if summary is not None:
        lines += _tables(summary)
    lines += [Text(harmless(line)) for line in _what_next(report)]
    if destination is not None and report.documents > len(report.failures):
        lines.append(Text(_where(report, destination)))
    return Group(*lines)


def overview(summary: Summary) -> RenderableType:
    """What stands in a metrics folder: counts, medians, the pages to look at."""
    statuses = ", ".join(f"{count} {name}" for name, count in summary.statuses.items() if count)
    head = f"{_count(summary.documents, 'document')}, {_count(summary.pages, 'page')}: {statuses}"
    spent = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in summary.seconds.items())
    return Group(Text(head, style="bold"), Text(f"time by stage: {spent}"), *_tables(summary))


def as_json(summary: Summary) -> str:
    """The same for other programs: the fields of `Summary`, in JSON."""
    return json.dumps(asdict(summary), indent=2)


def as_markdown(report: RunReport) -> str:
    """A run as a Prefect markdown artifact."""
    lines = [f"## {headline(report)}", "", _speed(report), ""]
    summary = summary_of(report, 0)
    if summary is not None and summary.changes:
        lines += ["| median of | before | after | |", "| --- | --: | --: | --- |"]
        lines += [f"| {' | '.join(_cells(change))} |" for change in summary.changes]
    lines += ["", *_what_next(report)]
    return "\n".join(lines)


def as_rows(report: RunReport) -> list[dict[str, Any]]:
    """The pages that need a look as a Prefect table artifact."""
    summary = summary_of(report, TABLE_ROWS)
    worst = summary.worst if summary is not None else ()
    return [
        {
            "document": page.source,
            "page": page.page,
            "status": page.status,
            "ink lost": page.ink_lost,
            "ink added": page.ink_added,
            "why": page.message,
        }
        for page in worst
    ]


def summary_of(report: RunReport, worst: int) -> Summary | None:
    """The rows of a run, summed up; None where it left none."""
    folder = report.run.folder
    if folder is None or not folder.exists():
        return None
    return summarise(read_records(folder), report.seconds, worst)


def scores_table(evaluation: Evaluation) -> Table:
    """Means of an evaluation: a line for each method, over all pages, then by group."""
    means = evaluation.means()
    named = [
        field.name
        for field in fields(Figures)
        if any(getattr(mean.figures, field.name) is not None for mean in means)
    ]
    titles = [name.replace("_", " ") for name in named]
    table = Table("pages", "", "method", *titles, "better", "worse", box=box.SIMPLE)
    for mean in means:
        figures = (getattr(mean.figures, name) for name in named)
        cells = ("" if value is None else f"{value:.4g}" for value in figures)
        changes = (str(mean.better), str(mean.worse)) if mean.figures.cer is not None else ("", "")
        group = Text(harmless(mean.group or "all"))  # a folder's name is no markup
        table.add_row(str(mean.pages), group, mean.method, *cells, *changes)
    return table


def _tables(summary: Summary) -> list[RenderableType]:
    tables = []
    if summary.changes:
        table = Table("median of", "before", "after", "", box=box.SIMPLE)
        for change in summary.changes:
            table.add_row(*_cells(change))
        tables.append(table)
    if summary.worst:
        tables.append(worst_table(summary.worst))
    return list(tables)


def worst_table(pages: Iterable[WorstPage]) -> Table:
    """The pages to look at first, for the terminal."""
    table = Table("document", "page", "status", "ink lost", "ink added", "why", box=box.SIMPLE)
    for page in pages:
        number = "" if page.page is None else str(page.page)
        style = "red" if page.status == "failed" else None
        shares = _percent(page.ink_lost), _percent(page.ink_added)
        cells = (page.source, number, page.status, *shares, page.message or "")
        table.add_row(*(Text(harmless(cell)) for cell in cells), style=style)
    return table


def _cells(change: Change) -> tuple[str, str, str, str]:
    metric = METRICS[change.metric]
    return metric.title, f"{change.before:.3g}", f"{change.after:.3g}", metric.unit


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def _speed(report: RunReport) -> str:
    rate = report.pages / report.seconds if report.seconds > 0 else 0.0
    return f"{_count(report.pages, 'page')} in {report.seconds:.1f} s, {rate:.2f} pages per second"


def _where(report: RunReport, destination: Path) -> str:
    """Where the cleaned files are, and the next command; a path stands as a shell takes it."""
    line = f"Cleaned: {harmless(str(destination))}"
    if report.run.metrics is None:
        return line
    usual = report.run.metrics == destination / "metrics"
    place = destination if usual else report.run.metrics
    return f"{line} (to look at: pagewash report {shlex.quote(harmless(str(place)))})"


def _what_next(report: RunReport) -> list[str]:
    lines = []
    if report.gave_up:
        lines.append(
            f"Too many documents failed (--max-failures {report.run.options.max_failures}); "
            "run the same command again to go on."
        )
    if report.interrupted:
        lines.append("Run the same command again to go on.")
    folder = str(report.run.folder or "")
    if folder and report.pages and folder == without_working_folders(folder):  # else in a store
        lines.append(f"A row for every page: {folder}")
    return lines


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
