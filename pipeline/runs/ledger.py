"""What earlier runs have cleaned, so that a run does only what is missing or changed.

Reads the Parquet parts of the metrics folder and nothing else; no torch.
"""

import os
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pagewash.errors import PagewashError
from pagewash.measuring.records import find_parts, read_records
from pagewash.runs.conflicts import identity

COLUMNS = (
    "started",
    "run_id",
    "output",
    "output_size",
    "output_folder",
    "source_folder",
    "source",
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
    """An output, as the last run to touch it recorded it."""

    source: Source
    output_key: OutputKey
    output_size: int | None
    """Bytes; None where an older version did not say. A run that was killed before it could record
    what it did has left outputs of another size, or of its own options, under their names."""

    document: str | None = None
    """Absolute path of what it was cleaned from; None where an older version did not say."""

    failed: bool = False
    """It was not made: an earlier output is where it was, if there is one."""


Ledger = Mapping[str, Entry]
"""By the output's path below the destination, with slashes."""


def read_ledger(
    metrics: Path | None, folder: Path, outputs: Collection[str] | None = None
) -> Ledger:
    """Read what the runs recorded in a metrics folder came to; {} without any.

    Args:
        metrics: the folder; None for none.
        folder: the destination. Another one that is there too may have its rows in the same place;
            those of one that is not there any more, as of this one before it was moved, count for
            outputs that have none from here.
        outputs: by their paths below the destination; None for all of them.

    Raises:
        UnreadableError: a part is damaged, or not pagewash's.
        AccessError: a part cannot be read.
    """
    if metrics is None or not find_parts(metrics):
        return {}
    table = read_records(metrics, COLUMNS)
    table = table.filter(pc.is_valid(table["output"]))
    places = pc.unique(table["output_folder"]).to_pylist()
    others = [place for place in places if place and _is_another(Path(place), folder)]
    table = table.filter(pc.invert(pc.is_in(table["output_folder"], pa.array(others, pa.string()))))
    if outputs is not None:
        table = table.filter(pc.is_in(table["output"], pa.array(outputs, pa.string())))
    failed = pc.cast(pc.equal(table["status"], "failed"), pa.int8())
    table = table.drop_columns(["status"]).append_column("failed", failed)
    here = [place for place in places if place and identity(Path(place)) & identity(folder)]
    from_here = pc.is_in(table["output_folder"], pa.array(here, pa.string()))
    table = table.append_column("here", pc.cast(from_here, pa.int8()))
    in_order = table.sort_by([(key, "ascending") for key in ("here", "started", "run_id")])
    documents = _grouped(in_order, ["started", "run_id", "output"], "first")
    # a later failure leaves the earlier output where it is, but not what it is of
    rows = _grouped(documents, ["output"], "last").to_pylist()  # one of each output alone
    return {row["output"]: _entry(row) for row in rows}


def routes_of(metrics: Path) -> set[tuple[Path, Path]]:
    """From which folders to which the runs have cleaned that are recorded in a metrics folder."""
    names = ["source_folder", "output_folder"]
    with suppress(PagewashError):  # what lies there need not be ours
        if find_parts(metrics):
            pairs = read_records(metrics, names).group_by(names).aggregate([]).to_pylist()
            return {(Path(a), Path(b)) for a, b in map(dict.values, pairs) if a and b}
    return set()


def unchanged(found: Source, entry: Entry) -> bool:
    """Whether a document is as it was when an entry was written.

    As with make, a new time of change is a change: nothing needs to be read to know it.
    """
    recorded = entry.source
    return (found.size, found.modified) == (recorded.size, recorded.modified)


def _grouped(table: pa.Table, keys: list[str], which: str) -> pa.Table:
    """The first or last row of each group, in order; failed is whether any row of it is, if first.

    In Arrow, since a row in Python is a kilobyte, and an archive has millions.
    """
    asked = [(name, which) for name in table.column_names if name not in (*keys, "failed")]
    asked.append(("failed", "max" if which == "first" else which))
    grouped = table.group_by(keys, use_threads=False).aggregate(asked)
    return grouped.rename_columns({f"{name}_{how}": name for name, how in asked})


def _entry(row: dict[str, Any]) -> Entry:
    source = Source(row["size"] or 0, row["modified"] or 0, row["sha256"])
    key = OutputKey(row["model_sha256"], row["options_hash"])
    folder, name = row["source_folder"], row["source"]
    document = f"{folder}/{name}" if folder else None
    return Entry(source, key, row["output_size"], document, failed=bool(row["failed"]))


def _is_another(place: Path, folder: Path) -> bool:
    """Whether a recorded destination is there, and is not this one; it may have been moved."""
    there = identity(place)
    return bool(there) and not there & identity(folder)
