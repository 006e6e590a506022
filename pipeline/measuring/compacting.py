"""Many small parts of a day into one: a watched folder leaves hundreds, each slow to open.

Rows stay as they are, and so does the layout: the parts of `date=…` become one part under
`run=compacted` there. It is written whole before the parts that it replaces are removed, and names
them in its metadata, so that one that was interrupted is finished by the next.
"""

import datetime
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pagewash.errors import UnreadableError
from pagewash.files import access_errors
from pagewash.measuring.records import find_parts, read_records, some_parts, write_table

FOLDER = "run=compacted"
REPLACES_KEY = b"pagewash.replaces"


@dataclass(frozen=True)
class Compacted:
    """What became of a metrics folder."""

    before: int
    """Parts."""

    after: int


def compact(metrics: Path, today: datetime.date) -> Compacted:
    """Put the parts of each day before today together; nobody may be writing there.

    Args:
        metrics: the folder with the folders `date=…`.
        today: in UTC; its parts, and later ones, stay as they are.

    Raises:
        AccessError: there are none, or a part cannot be read, written or removed.
        UnreadableError: a part is damaged, or not pagewash's; that day stays as it is.
    """
    before = len(some_parts(metrics))
    for day in sorted(metrics.glob("date=*")):
        if day.name < f"date={today:%Y-%m-%d}":
            _compact_day(day)
    return Compacted(before, len(find_parts(metrics)))


def _compact_day(day: Path) -> None:
    there = {path.relative_to(day).as_posix() for path in find_parts(day)}
    for part in _compacted(day):  # and nothing else, whatever a file that others wrote may name
        _remove(day, [name for name in _replaced_by(part) if name in there])
    parts = find_parts(day)
    if len(parts) < 2:
        return
    names = [path.relative_to(day).as_posix() for path in parts]
    table = read_records(day)
    metadata = table.schema.metadata | {REPLACES_KEY: json.dumps(names).encode()}
    stems = (path.stem.removeprefix("part-") for path in _compacted(day))
    number = max((int(stem) for stem in stems if stem.isdecimal()), default=-1) + 1
    write_table(day / FOLDER / f"part-{number}.parquet", table.replace_schema_metadata(metadata))
    _remove(day, names)


def _compacted(day: Path) -> list[Path]:
    return find_parts(day / FOLDER)


def _replaced_by(part: Path) -> list[str]:
    try:
        with access_errors(str(part), "read"):
            metadata = pq.read_schema(part).metadata or {}
        names = [str(name) for name in json.loads(metadata.get(REPLACES_KEY, b"[]"))]
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise UnreadableError(
            f"{part} is damaged, or not pagewash's: {error}. Move it out of the folder"
        ) from error
    return [name for name in names if Path(name) != part.relative_to(part.parents[1])]


def _remove(day: Path, names: Sequence[str]) -> None:
    """Remove parts of a day, and the folders of runs that are empty then."""
    for path in (day / name for name in names):
        with access_errors(str(path), "written"):
            path.unlink(missing_ok=True)
        with suppress(OSError):  # other parts of the run are there
            path.parent.rmdir()
