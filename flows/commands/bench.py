"""The command `pagewash bench`, apart from the others since what it measures needs torch."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pagewash.bench import BenchOptions, BenchReport
from pagewash.bench import bench as measure
from pagewash.flows import console
from pagewash.speed import Speed

OPTIONS = BenchOptions()


def bench(
    scan: Path | None = None,
    /,
    *,
    options: Annotated[BenchOptions, Parameter(name="*")] = OPTIONS,
) -> int:
    """Say what was chosen for this machine, and measure how fast it is, in under two minutes.

    Args:
        scan: Document whose first page to measure with; the default is a drawn A4 page.
        options: What to measure.
    """
    report = measure(options, scan, lambda what: console.say(f"measuring {what}"))
    console.show(as_tables(report))
    return 0


def as_tables(report: BenchReport) -> RenderableType:
    """Choices and speeds for the terminal."""
    choices = Table("", "chosen", "why", box=box.SIMPLE)
    for choice in report.choices:
        choices.add_row(*(Text(cell) for cell in (choice.what, choice.value, choice.why)))
    memory = "" if report.peak_memory is None else f"peak memory: {report.peak_memory:.0f} MiB"
    return Group(choices, speed_table(report.speeds), memory)


def speed_table(speeds: Iterable[Speed]) -> Table:
    """Speeds, with empty cells for what a thing does not have."""
    table = Table("", "seconds", "Mpx/s", "GFLOP/s", "", box=box.SIMPLE)
    for column in table.columns[1:4]:
        column.justify = "right"
    for speed in speeds:
        megapixels = f"{speed.megapixels:.1f}" if speed.pixels else ""
        gflops = f"{speed.gflops:.0f}" if speed.flops else ""
        figures = f"{speed.seconds:.3f}", megapixels, gflops
        table.add_row(Text(speed.what), *figures, Text(speed.note))
    return table
