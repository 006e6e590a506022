"""The command `pagewash report`, apart from the others since its options bring what reads rows."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pagewash.flows import console
from pagewash.reporting.report import ReportOptions, write_report

OPTIONS = ReportOptions()
NAME = Path("pagewash-report.html")


def report(
    place: Path,
    /,
    *,
    out: Path = NAME,
    options: Annotated[ReportOptions, Parameter(name="*")] = OPTIONS,
) -> int:
    """Write one HTML file to look at what was cleaned: numbers, and the doubtful pages in pictures.

    It needs no network and no other file.

    Args:
        place: A run's folder, a metrics folder, or the folder of the outputs. Of several runs,
            each document's last one counts.
        out: The HTML file; an earlier report of that name is replaced.
        options: What to show.
    """
    console.set_up_logging(quiet=False, verbose=False)
    with console.progress_bar(0, quiet=not options.pictures) as progress:
        written = write_report(place, out, options, progress)
    size = f"{written.size / 1e6:.1f} MB"
    console.tell(
        f"{written.path} ({size}) shows {written.pictures} of {written.summary.pages} pages"
    )
    return 0
