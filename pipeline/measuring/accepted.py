"""Pages that somebody has looked at and found fine: marks of a report, honoured from then on.

A mark holds for a page of the same document (by its SHA-256) as long as it is doubtful for nothing
else, and no more of it is lost or added, than when it was looked at: another model or other options
bring a worse page back.

Knows rows and a CSV file, as `pagewash report` exports it.
"""

import csv
import dataclasses
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from pagewash.errors import InputError
from pagewash.files import access_errors
from pagewash.measuring.records import PageRecord

HARMS = ("ink_lost", "ink_added", "picture_lost")
COLUMNS = ("sha256", "page", "part", *HARMS, "message", "source")
"""Of the file; the last one is for people."""

SLACK = 0.005
"""By how much a share may be above that of the mark: int8 and fp32 differ by less."""

NOTE = "looked at, fine"

Page = tuple[str, int, int]
"""SHA-256 of the document, page from 1, image within the page from 0."""


@dataclass(frozen=True)
class Mark:
    """What was accepted of a page."""

    shares: tuple[float, ...]
    """Of `HARMS`."""

    reasons: frozenset[str]
    """Why it was to be looked at, without figures: tints and pencil have no share."""


@dataclass(frozen=True)
class Accepted:
    """Marks by page."""

    marks: Mapping[Page, Mark] = field(default_factory=dict)

    def covers(self, row: Mapping[str, Any]) -> bool:
        """Whether a row in the columns of ``records.SCHEMA`` is of an accepted page."""
        mark = self.marks.get((row["sha256"], row["page"], row["part"]))
        if mark is None:
            return False
        return _reasons(row["message"]) <= mark.reasons and all(
            (row[harm] or 0.0) <= share + SLACK
            for harm, share in zip(HARMS, mark.shares, strict=True)
        )

    def on_record(self, record: PageRecord) -> PageRecord:
        """The record, `cleaned` in place of `review` where it is accepted."""
        if record.status != "review" or not self.covers(record.row()):
            return record
        return dataclasses.replace(record, status="cleaned", message=_noted(record.message))

    def on_table(self, table: pa.Table) -> pa.Table:
        """The same of rows in ``records.SCHEMA``."""
        if not self.marks:
            return table
        names = ("sha256", "page", "part", "status", "message", *HARMS)
        rows = table.select(names).to_pylist()
        fine = [row["status"] == "review" and self.covers(row) for row in rows]
        status = ["cleaned" if ok else row["status"] for row, ok in zip(rows, fine, strict=True)]
        message = [
            _noted(row["message"]) if ok else row["message"]
            for row, ok in zip(rows, fine, strict=True)
        ]
        for name, values in (("status", status), ("message", message)):
            place = table.schema.get_field_index(name)
            kind = table.schema.field(place)
            table = table.set_column(place, kind, pa.array(values, kind.type))
        return table


def _reasons(message: str | None) -> frozenset[str]:
    """The clauses of a message, without their figures."""
    clauses = (message or "").removeprefix(f"{NOTE}: ").split("; ")  # it may be marked once more
    return frozenset(re.sub(r"[\d.,]+", "", clause) for clause in clauses)


def _noted(message: str | None) -> str:
    return f"{NOTE}: {message}" if message else NOTE


def read_accepted(path: Path | None) -> Accepted:
    """Read the marks of a file; None has none.

    Raises:
        AccessError: it cannot be read.
        InputError: it is no file of marks.
    """
    if path is None:
        return Accepted()
    marks: dict[Page, Mark] = {}
    with access_errors(str(path), "read"):
        text = path.read_bytes().decode("utf-8-sig", "replace")
    rows = csv.DictReader(io.StringIO(text, newline=""))
    try:
        if not set(COLUMNS[:-1]) <= set(rows.fieldnames or ()):
            raise InputError(
                f"{path} is no file of marks: its first line must have {', '.join(COLUMNS[:-1])}; "
                "export it from a report"
            )
        for number, row in enumerate(rows, 2):
            page, mark = _mark_of(row, f"{path}, line {number}")
            marks[page] = mark
    except csv.Error as error:
        raise InputError(f"{path} is no file of marks: {error}; export it from a report") from error
    return Accepted(marks)


def _mark_of(row: dict[str, str], place: str) -> tuple[Page, Mark]:
    try:
        page = (row["sha256"], int(row["page"]), int(row["part"]))
        shares = tuple(float(row[harm] or 0) for harm in HARMS)
        return page, Mark(shares, _reasons(row["message"]))
    except (TypeError, ValueError) as error:
        raise InputError(f"{place}, is no mark: {error}") from error
