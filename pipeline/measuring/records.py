"""Rows about pages, to and from Parquet.

One row per page, failed pages included. A part is written whole: it appears under its name only
when every row is on the disk. This module knows columns and files, not how the numbers came about.

Layout: ``metrics/date=YYYY-MM-DD/run=ID/part-N.parquet``. Readers that understand Hive folders
add the columns ``date`` and ``run``; the file itself has neither (it has ``started`` and
``run_id``), so that nothing stands twice under one name.
"""

import dataclasses
import datetime
import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pagewash.errors import AccessError, OptionError, UnreadableError
from pagewash.files import access_errors, printable, whole_file
from pagewash.geometry.page_geometry import PageGeometry
from pagewash.geometry.transform import PageTransform
from pagewash.measuring.definitions import GIVEN_BACK, NOVELTY, PageMetrics, definitions

Status = Literal["cleaned", "skipped", "review", "failed"]

SCHEMA_VERSION = 1
VERSION_KEY = b"pagewash.schema_version"


@dataclasses.dataclass(frozen=True)
class Provenance:
    """How a run cleaned its pages: the same for each of its rows. Columns as in ``SCHEMA``."""

    run_id: str
    started: datetime.datetime
    model_id: str
    model_sha256: str
    pagewash_version: str
    torch_version: str
    device: str
    precision: str
    precision_reason: str
    tile: int
    halo: int
    options_hash: str


@dataclasses.dataclass(frozen=True)
class PageRecord:
    """What is known about one page after a run. Columns as in ``SCHEMA``.

    ``how`` and ``metrics`` are laid out as columns of their own. None means "not known": a document
    that could not be opened has one row without page, size and metrics.
    """

    how: Provenance
    source: str
    status: Status
    sha256: str | None = None
    size: int | None = None
    modified: int | None = None
    page: int | None = None
    part: int = 0
    document_pages: int | None = None
    width: int | None = None
    height: int | None = None
    dpi_x: float | None = None
    dpi_y: float | None = None
    mode: str | None = None
    scale: float | None = None
    metrics: PageMetrics | None = None
    given_back: float | None = None
    geometry: PageGeometry | None = None
    transform: PageTransform | None = None
    novelty: float | None = None
    embedding: NDArray[np.float32] | None = dataclasses.field(default=None, compare=False)
    seconds_read: float | None = None
    seconds_clean: float | None = None
    seconds_measure: float | None = None
    seconds_geometry: float | None = None
    seconds_write: float | None = None
    error: str | None = None
    message: str | None = None
    output: str | None = None
    output_page: int | None = None
    output_size: int | None = None
    source_folder: str | None = None
    output_folder: str | None = None

    def row(self) -> dict[str, Any]:
        """This record as one flat row: column name to value."""
        flat = {name: getattr(self, name) for name in _names(PageRecord)}
        how, metrics = flat.pop("how"), flat.pop("metrics")
        geometry, transform = flat.pop("geometry"), flat.pop("transform")
        flat |= {name: getattr(geometry, name, None) for name in _names(PageGeometry)}
        flat |= _transform_columns(transform)
        flat |= {name: getattr(how, name) for name in _names(Provenance)}
        return flat | {name: getattr(metrics, name, None) for name in _names(PageMetrics)}


def _transform_columns(transform: PageTransform | None) -> dict[str, Any]:
    """What was done to a page's geometry, as columns."""
    if transform is None:
        return {"straightened": None, "turned": None, "shown": None}
    shown = [edge for box in transform.boxes for edge in box] or None
    return {"straightened": transform.angle, "turned": 90 * transform.quarters, "shown": shown}


def _names(kind: type) -> list[str]:
    return [field.name for field in dataclasses.fields(kind)]


def _column(name: str, kind: pa.DataType, description: str, *, always: bool = False) -> pa.Field:
    """A column that says in the file what it holds; ``always`` means never null."""
    metadata = {"description": description}
    return pa.field(name, kind, nullable=not always, metadata=metadata)


_text, _int, _float = pa.string(), pa.int32(), pa.float32()


def _metric_columns() -> Iterator[pa.Field]:
    """A column for each field of `PageMetrics`, described by its definition."""
    for field in dataclasses.fields(PageMetrics):
        description = definitions()[field.name].description
        if field.name.endswith("_after"):
            description = "The same, cleaned"
        yield _column(field.name, pa.bool_() if field.type is bool else _float, description)


SCHEMA = pa.schema(
    [
        _column("run_id", _text, "The run; also the folder run=ID", always=True),
        _column("started", pa.timestamp("ms", "UTC"), "When the run began", always=True),
        _column(
            "source", _text, "Path of the document below the source, with slashes", always=True
        ),
        _column("sha256", _text, "SHA-256 of the document's bytes, hexadecimal"),
        _column("size", pa.int64(), "Size of the document, bytes"),
        _column("modified", pa.int64(), "Its time of change, nanoseconds since 1970"),
        _column("page", _int, "Page within its document, from 1; null if it never opened"),
        _column("part", _int, "Image within a page of a PDF, from 0", always=True),
        _column("document_pages", _int, "Pages of the document"),
        _column("width", _int, "Width, pixels"),
        _column("height", _int, "Height, pixels"),
        _column("dpi_x", _float, "Horizontal resolution as recorded, pixels per inch"),
        _column("dpi_y", _float, "Vertical resolution as recorded, pixels per inch"),
        _column("mode", _text, "Pixels as stored: 1, L, P, RGB, RGBA, CMYK, I;16"),
        _column("scale", _float, "Factor by which the page was resampled for the network"),
        _column("model_id", _text, "Name of the model", always=True),
        _column("model_sha256", _text, "SHA-256 of its weights file", always=True),
        _column("pagewash_version", _text, "Version of pagewash", always=True),
        _column("torch_version", _text, "Version of torch", always=True),
        _column("device", _text, "Where the network ran: cpu, cuda:0, mps", always=True),
        _column("precision", _text, "Its arithmetic: fp32, bf16, fp16, int8", always=True),
        _column("precision_reason", _text, "Why this precision", always=True),
        _column("tile", _int, "Side of a tile, halo included, pixels", always=True),
        _column("halo", _int, "Context on every side of a tile, pixels", always=True),
        _column("options_hash", _text, "Hash of the options that change pixels", always=True),
        *_metric_columns(),
        _column("given_back", _float, GIVEN_BACK.description),
        _column(
            "skew", _float, "Degrees by which lines rise to the right (below 0: fall), -15 to 15"
        ),
        _column("skew_confidence", _float, "How sure that is, 0 to 1; 0.6 and above is sure"),
        _column(
            "orientation", pa.int16(), "Degrees clockwise by which the page lies turned: 0 to 270"
        ),
        _column(
            "orientation_confidence", _float, "How sure that is, 0 to 1; 0.4 and above is sure"
        ),
        _column(
            "page_box", pa.list_(pa.int32()), "Where the page is: left, top, right, bottom, pixels"
        ),
        _column(
            "blank_confidence", _float, "How surely it is blank, 0 to 1; 0.8 and above is sure"
        ),
        _column("gutter", _int, "Column between two pages on the scan, pixels; null if none"),
        _column("gutter_confidence", _float, "How sure that is, 0 to 1; 0.7 and above is sure"),
        _column("straightened", _float, "Degrees clockwise by which the page was laid straight"),
        _column("turned", pa.int16(), "Degrees clockwise by which it was turned upright"),
        _column(
            "shown",
            pa.list_(pa.int32()),
            "Left, top, right, bottom in pixels of the straightened scan of each page made of it; "
            "null: all of it, as one page",
        ),
        _column("novelty", _float, NOVELTY.description),
        _column(
            "embedding",
            pa.list_(_float),
            "What stands where on the page, a vector of length 1; --embeddings",
        ),
        _column("seconds_read", _float, "Time to read and decode"),
        _column("seconds_clean", _float, "Time in the network, of tiles side by side added up"),
        _column("seconds_measure", _float, "Time for these metrics"),
        _column("seconds_geometry", _float, "Time to find how the page lies"),
        _column("seconds_write", _float, "Time to encode and write"),
        _column("status", _text, "cleaned, skipped, review (look at it) or failed", always=True),
        _column("error", _text, "Class of the error of a failed page"),
        _column("message", _text, "What went wrong, was skipped, or should be looked at"),
        _column(
            "output", _text, "Path of the cleaned document below the destination, with slashes"
        ),
        _column(
            "output_page", _int, "The first page of it that shows this one, from 1; null if none"
        ),
        _column(
            "output_size", pa.int64(), "Size of the cleaned document, bytes, when it was written"
        ),
        _column("source_folder", _text, "The source when the page was cleaned, an absolute path"),
        _column(
            "output_folder", _text, "The destination when the page was cleaned, an absolute path"
        ),
    ],
    metadata={VERSION_KEY: str(SCHEMA_VERSION).encode()},
)
"""Every column of a part with its type; its description stands in the field's metadata."""


def schema_as_markdown(schema: pa.Schema = SCHEMA) -> str:
    """A schema as a Markdown table of columns, types, descriptions, as in pipeline/README.md."""
    rows = [
        f"| `{field.name}` | {field.type} | {field.metadata[b'description'].decode()} |"
        for field in schema
    ]
    return "\n".join(["| column | type | what |", "| --- | --- | --- |", *rows])


def part_path(metrics: Path, date: datetime.date, run_id: str, number: int) -> Path:
    """Where part ``number`` of a run belongs.

    Raises:
        OptionError: the run's id does not fit a Hive folder's name.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", run_id):
        raise OptionError(
            f"the run id {run_id!r} cannot name a folder; use letters, digits, '.', '_' and '-'"
        )
    return metrics / f"date={date:%Y-%m-%d}" / f"run={run_id}" / f"part-{number}.parquet"


def records_table(records: Iterable[PageRecord]) -> pa.Table:
    """Records as a table of ``SCHEMA``, in their order.

    Each has its row, whatever its document is like: a value that its column cannot hold is null,
    and text that is no Unicode is written as `printable` does.
    """
    rows = [record.row() for record in records]
    try:
        return pa.Table.from_pylist(rows, schema=SCHEMA)
    except (pa.ArrowException, OverflowError, ValueError, TypeError):
        fitting = [
            {field.name: _fitting(row[field.name], field) for field in SCHEMA} for row in rows
        ]
        return pa.Table.from_pylist(fitting, schema=SCHEMA)


def _fitting(value: Any, field: pa.Field) -> Any:
    """A value as its column can hold it, or None."""
    if isinstance(value, str):
        value = printable(value)
    try:
        pa.array([value], field.type)
    except (pa.ArrowException, OverflowError, ValueError, TypeError):
        return None
    return value


def write_table(path: Path, table: pa.Table) -> None:
    """Write a table to Parquet whole: readers never see half a file, nor its temporary name.

    Raises:
        AccessError: the folder or file cannot be written.
    """
    with whole_file(path) as file, access_errors(str(path), "written"):
        pq.write_table(table, file)


def read_records(folder_or_file: Path, columns: Collection[str] | None = None) -> pa.Table:
    """All rows of a part, a run, or a whole metrics folder, in the columns of ``SCHEMA``.

    Columns that an older version did not write are null. Parts come in the order of their paths,
    part 2 before part 10.

    Args:
        folder_or_file: where to look.
        columns: names of the columns to read; None for all.

    Raises:
        AccessError: there is nothing there, or a file cannot be read.
        UnreadableError: a file is not pagewash's Parquet, or was written by a newer version.
    """
    parts = some_parts(folder_or_file)
    fields = [field for field in SCHEMA if columns is None or field.name in columns]
    return pa.concat_tables(_read_part(path, pa.schema(fields, SCHEMA.metadata)) for path in parts)


def some_parts(folder_or_file: Path) -> list[Path]:
    """As `find_parts`, where there are any.

    Raises:
        AccessError: there are none.
    """
    if parts := find_parts(folder_or_file):
        return parts
    raise AccessError(
        f"{folder_or_file} holds no metrics (*.parquet); name the folder of the outputs, "
        "or the one given to --metrics"
    )


def find_parts(folder_or_file: Path) -> list[Path]:
    """Parts of a run or of a whole metrics folder, or the one given; no hidden files."""
    if folder_or_file.is_file():  # somebody's scan is not a damaged part, to be removed
        return [folder_or_file] if folder_or_file.suffix == ".parquet" else []
    visible = (p for p in folder_or_file.rglob("*.parquet") if not p.name.startswith("."))
    return sorted(visible, key=lambda path: (path.parent, len(path.name), path.name))


def _read_part(path: Path, schema: pa.Schema) -> pa.Table:
    try:
        with access_errors(str(path), "read"), pq.ParquetFile(path) as file:
            known = [name for name in file.schema_arrow.names if name in schema.names]
            table = file.read(known)
    except (pa.ArrowException, OSError) as error:
        raise UnreadableError(
            f"{path} is not a readable Parquet file: {error}. Remove it; the documents that it was "
            "about are cleaned again."
        ) from error
    found = (table.schema.metadata or {}).get(VERSION_KEY, b"")
    if not found.isdigit():
        raise UnreadableError(f"{path} was not written by pagewash; move it elsewhere")
    if int(found) > SCHEMA_VERSION:
        raise UnreadableError(
            f"{path} has schema version {int(found)}, this pagewash reads up to "
            f"{SCHEMA_VERSION}; upgrade pagewash"
        )
    try:
        columns = [
            table[field.name].cast(field.type)
            if field.name in table.column_names
            else pa.nulls(len(table), field.type)
            for field in schema
        ]
    except pa.ArrowException as error:  # others have named their columns so
        raise UnreadableError(f"{path} was not written by pagewash; move it elsewhere") from error
    return pa.table(columns, schema=schema)
