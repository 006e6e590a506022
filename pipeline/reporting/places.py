"""Where a row's scan and cleaned page lie today.

Rows name both below folders that may have moved since. Paths and names only: no file is opened.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pagewash.files import printable

METRICS_DEPTH = 4
"""Levels from a part up to the folder of the metrics: date, run, and itself."""


@dataclass(frozen=True)
class Places:
    """Folders to look in before those that the rows name."""

    scans: Path | None
    """The source, if it has moved since."""

    cleaned: Path
    """The destination, or where it is likely to be."""

    @classmethod
    def around(cls, metrics: Path, scans: Path | None, cleaned: Path | None) -> "Places":
        """Places for the rows that lie in `metrics`; folders that are known come first."""
        return cls(scans, (cleaned or _outputs_around(metrics.absolute())).absolute())

    def scan(self, row: Mapping[str, Any]) -> Path | None:
        """The scan of a row; None where it is not to be found."""
        return _first(self.scans, row["source_folder"], row["source"])

    def output(self, row: Mapping[str, Any]) -> Path | None:
        """The cleaned document of a row; None where it is not to be found."""
        return _first(self.cleaned, row["output_folder"], row["output"])


def _outputs_around(place: Path) -> Path:
    """The folder of the outputs, where the metrics lie in it under their usual name."""
    for folder in (place, *place.parents[: METRICS_DEPTH - 1]):
        if folder.name == "metrics":
            return folder.parent
    return place


def _first(chosen: Path | None, recorded: str | None, name: str | None) -> Path | None:
    return next(_files(chosen, recorded, name), None)


def _files(chosen: Path | None, recorded: str | None, name: str | None) -> Iterator[Path]:
    if not name or not _stays_below(Path(name)):
        return  # rows that others wrote must not show any file of this machine
    for folder in (chosen, recorded):
        with suppress(OSError):  # a folder that one may not enter
            if folder and (path := _named(Path(folder), Path(name))).is_file():
                yield path


def _named(folder: Path, name: Path) -> Path:
    """A file of a folder by the name that its row has, where what is not UTF-8 is written out."""
    for piece in name.parts:
        place = folder / piece
        if "\\" in piece and not place.exists():
            found = (each for each in folder.iterdir() if printable(each.name) == piece)
            place = next(found, place)
        folder = place
    return folder


def _stays_below(name: Path) -> bool:
    return not name.is_absolute() and ".." not in name.parts
