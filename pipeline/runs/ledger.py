"""What earlier runs have cleaned, so that a run does only what is missing or changed.

Reads the Parquet parts of the metrics folder and nothing else; no torch.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from pagewash.errors import PagewashError
from pagewash.measuring.records import find_parts, read_records

COLUMNS = (
    "started",
    "run_id",
    "output",
    "sha256",
    "size",
    "modified",
    "model_sha256",
    "options_hash",
    "status",
)


_LAST = 2**63 - 1  # nanoseconds in the column of a row


@dataclass(frozen=True)
class OutputKey:
    """What decides how an output looks, its source aside."""

    model_sha256: str
    options_hash: str


@dataclass(frozen=True)
class Source:
    """A document as it lay on disk."""

    size: int
    """Bytes."""

    modified: int
    """Nanoseconds since 1970; before 1677 and after 2262 that of the last that a row can hold."""

    sha256: str | None = None
    """Of its bytes, hexadecimal; None while nobody has read them."""

    @classmethod
    def of(cls, found: os.stat_result) -> "Source":
        """What the system says of a file."""
        return cls(found.st_size, max(-_LAST, min(found.st_mtime_ns, _LAST)))


@dataclass(frozen=True)
class Entry:
    """An output that the last run to touch it has finished."""

    source: Source
    output_key: OutputKey


Ledger = Mapping[str, Entry]
"""By the output's path below the destination, with slashes."""


def read_ledger(metrics: Path | None) -> Ledger:
    """Read what the runs recorded in a metrics folder have finished; {} without any.

    Raises:
        UnreadableError: a part is damaged, or not pagewash's.
        AccessError: a part cannot be read.
    """
    if metrics is None or not find_parts(metrics):
        return {}
    table = read_records(metrics, COLUMNS)
    rows = table.sort_by([("started", "ascending"), ("run_id", "ascending")]).to_pylist()
    ledger: dict[str, Entry] = {}
    for output, document in _documents(rows):
        # a later failure leaves the earlier output where it is, but not what it is of
        ledger.pop(output, None)
        if all(row["status"] != "failed" for row in document):
            ledger[output] = _entry(document[0])
    return ledger


def scans_of(metrics: Path) -> set[Path]:
    """Folders of the documents that runs recorded in a metrics folder have cleaned."""
    with suppress(PagewashError):  # what lies there need not be ours
        if find_parts(metrics):
            folders = read_records(metrics, ["source_folder"])["source_folder"].unique()
            return {Path(folder) for folder in folders.to_pylist() if folder}
    return set()


def unchanged(found: Source, entry: Entry) -> bool:
    """Whether a document is as it was when an entry was written.

    As with make, a new time of change is a change: nothing needs to be read to know it.
    """
    recorded = entry.source
    return (found.size, found.modified) == (recorded.size, recorded.modified)


def _documents(rows: list[dict[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Rows of one document in one run, runs in order; rows without an output are left out."""
    for _, run in groupby(rows, key=lambda row: row["run_id"]):
        documents: dict[str, list[dict[str, Any]]] = {}
        for row in run:
            if row["output"] is not None:
                documents.setdefault(row["output"], []).append(row)
        yield from documents.items()


def _entry(row: dict[str, Any]) -> Entry:
    source = Source(row["size"] or 0, row["modified"] or 0, row["sha256"])
    return Entry(source, OutputKey(row["model_sha256"], row["options_hash"]))
