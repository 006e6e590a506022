"""A report on a run or a folder of runs, as one HTML file that needs no other.

write_report(Path("cleaned"), Path("pagewash-report.html"))
"""

import base64
import dataclasses
import hashlib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pagewash.errors import OptionError
from pagewash.files import harmless, write_atomically
from pagewash.measuring.accepted import COLUMNS, read_accepted
from pagewash.measuring.records import SCHEMA, read_records
from pagewash.measuring.summary import Summary
from pagewash.reporting import charts, trends
from pagewash.reporting.contents import Contents, PicturedPage, Progress, collect
from pagewash.reporting.places import Places
from pagewash.reporting.previews import PagePictures
from pagewash.versions import version_of

EXTENSIONS = (".html", ".htm")


@dataclass(frozen=True)
class ReportOptions:
    """What a report shows, and where it looks."""

    pictures: int = 24
    """Pages to show before and after, the neediest first; each takes 100 to 500 kB of the file."""

    scans: Path | None = None
    """Folder of the scans, if it has moved since they were cleaned."""

    cleaned: Path | None = None
    """Folder of the cleaned documents, if it has moved."""

    accepted: Path | None = None
    """File of pages that were looked at and are fine, as an earlier report exported it."""

    def __post_init__(self) -> None:
        if self.pictures < 0:
            raise OptionError(f"--pictures {self.pictures} is negative; give 0 or more")


@dataclass(frozen=True)
class WrittenReport:
    """A report on the disk."""

    path: Path
    summary: Summary
    pictures: int
    """Pages that it shows."""

    size: int
    """Bytes."""


def write_report(
    place: Path,
    path: Path,
    options: ReportOptions = ReportOptions(),
    progress: Progress = lambda done, found: None,
) -> WrittenReport:
    """Write the report on what was cleaned, whole or not at all, over an earlier one.

    Args:
        place: a run's folder, a metrics folder, or the folder of the outputs. Of several runs,
            each document's last one counts.
        path: the HTML file to write.
        options: what to show.
        progress: called with pages shown, and pages found to be shown.

    Raises:
        OptionError: a path that names no HTML file.
        AccessError: there are no metrics in that place, or the file cannot be written.
        UnreadableError: metrics that are damaged, not pagewash's, or of a newer version.
    """
    if path.suffix.lower() not in EXTENSIONS:
        raise OptionError(
            f"{path} names no HTML file, and what stands there might be a scan; "
            "give --out a name that ends in .html"
        )
    rows = read_records(place, [name for name in SCHEMA.names if name != "embedding"])
    accepted = read_accepted(options.accepted)
    table = accepted.on_table(rows)
    places = Places.around(place, options.scans, options.cleaned)
    contents = collect(places.cleaned.name, table, places, options.pictures, progress)
    html = render(contents).encode("utf-8", "replace")
    write_atomically(path, html, _pictured_files(table, contents, places))
    return WrittenReport(path, contents.summary, len(contents.pictured), len(html))


def _pictured_files(table: pa.Table, contents: Contents, places: Places) -> list[Path]:
    """Documents that a report shows pictures of: it is no more readable to others than these."""
    names = pa.array([page.source for page in contents.pictured], pa.string())
    rows = table.filter(pc.is_in(table["source"], value_set=names)).to_pylist()
    found = [path for row in rows for path in (places.scan(row), places.output(row))]
    return list(filter(None, dict.fromkeys(found)))


def render(contents: Contents) -> str:
    """The HTML of a report; names in it are escaped, and its policy lets no other script run."""
    environment = Environment(
        loader=PackageLoader("pagewash.reporting"),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "ensure_ascii": False}
    style, script = _asset("report.css"), _asset("report.js")
    return environment.get_template("report.html.jinja").render(
        contents=contents,
        charts=charts,
        trends=trends,
        mark_columns=COLUMNS,
        table=_shown(_table(contents)),
        captions=[_shown(_caption(page)) for page in contents.pictured],
        views=[_view(page.pictures) for page in contents.pictured],
        style=Markup(style),
        script=Markup(script),
        style_hash=_hash(style),
        script_hash=_hash(script),
        version=version_of("pagewash"),
    )


def _shown(value: Any) -> Any:
    """The same with all text as people may see it; what is HTML already stays."""
    if type(value) is str:
        return harmless(value)
    if isinstance(value, dict):
        return {key: _shown(each) for key, each in value.items()}
    return [_shown(each) for each in value] if isinstance(value, list | tuple) else value


def _asset(name: str) -> str:
    return resources.files("pagewash.reporting").joinpath("templates", name).read_text("utf-8")


def _hash(text: str) -> str:
    """As a content security policy names the one script or style that may be used."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _table(contents: Contents) -> dict[str, Any]:
    """The table of pages for the script."""
    return {
        "columns": [dataclasses.asdict(column) for column in contents.columns],
        "rows": contents.rows,
        "pictured": contents.pictured_rows,
    }


def _caption(page: PicturedPage) -> dict[str, Any]:
    """What stands beside the pictures of a page."""
    number = f", page {page.page}" if page.document_pages > 1 else ""
    return {
        "name": page.source + number,
        "why": page.message,
        "facts": page.facts,
        "notes": page.pictures.notes,
        "mark": page.mark,
    }


def _view(pictures: PagePictures) -> dict[str, Any]:
    """The pictures of a page for the script, which decodes them when the page is looked at."""
    views = {"whole": pictures.whole, "closeup": pictures.closeup}
    return {name: dataclasses.asdict(pair) for name, pair in views.items() if pair is not None}
