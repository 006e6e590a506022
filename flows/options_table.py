"""Every option of every command, and every column of the metrics, as Markdown tables.

    python -m pagewash.flows.options_table

writes them anew into flows/README.md and pipeline/README.md; a test holds them to it. Options are
read from the command line itself, columns from the schema.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from inspect import Parameter
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from cyclopts import App
from cyclopts.argument import Argument

from pagewash.files import write_atomically
from pagewash.flows.cli import app
from pagewash.measuring.records import schema_as_markdown

PAGE = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- options: begin -->", "<!-- options: end -->"

SCHEMA_PAGE = PAGE.parents[1] / "pipeline" / "README.md"
SCHEMA_BEGIN, SCHEMA_END = "<!-- schema: begin -->", "<!-- schema: end -->"


def as_markdown(cli: App = app) -> str:
    """A heading and a table for each command, in the order of --help."""
    return "\n\n".join(f"### {name}\n\n{_table(command)}" for name, command in _commands(cli))


def _commands(cli: App, above: str = "pagewash") -> Iterator[tuple[str, App]]:
    """Commands by their whole names, each before those below it."""
    for name in cli:
        if not name.startswith("-"):
            yield f"{above} {name}", cli[name]
            yield from _commands(cli[name], f"{above} {name}")


def rewritten(page: str) -> str:
    """The page with today's tables of options between its marks."""
    return _between(page, BEGIN, as_markdown(), END)


def with_schema(page: str) -> str:
    """The page with today's columns of the metrics between its marks."""
    return _between(page, SCHEMA_BEGIN, schema_as_markdown(), SCHEMA_END)


def _between(page: str, begin: str, text: str, end: str) -> str:
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n{text}\n{end}{after}"


def _table(command: App) -> str:
    shown = [
        argument
        for argument in command.assemble_argument_collection(parse_docstring=True)
        if argument.parse and argument.show
    ]
    rows = _without_repetition([Row.of(argument) for argument in shown])
    return "\n".join(["| option | takes | default | what |", "| --- | --- | --- | --- |", *rows])


@dataclass(frozen=True)
class Row:
    """One line of a table."""

    names: str
    takes: str
    default: str
    what: str

    @classmethod
    def of(cls, argument: Argument) -> "Row":
        """What the command line knows about an argument."""
        names = (f"`{name}`" for name in argument.names if "empty-" not in name)
        default = "required" if argument.required else _shown(argument.field_info.default)
        what = " ".join((argument.parameter.help or "").split())
        return cls(", ".join(names), _takes(argument.hint), default, what)

    @property
    def family(self) -> tuple[str, ...]:
        """The same for options that exist once for each of several kinds, as for kinds of damage;
        an option of its own for the others.
        """
        group, _, leaf = self.names.rpartition(".")
        return (group.rpartition(".")[0], leaf, self.what) if self.names.count(".") > 2 else ()

    def __str__(self) -> str:
        cells = (self.names, self.takes, self.default, self.what)
        return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def _without_repetition(rows: Sequence[Row]) -> Iterator[str]:
    """One line for options that exist for each of several kinds."""
    for family, group in groupby(sorted(rows, key=_place_of(rows)), lambda row: row.family):
        same = list(group)
        if not family or len(same) < 3:
            yield from map(str, same)
            continue
        kinds = ", ".join(f"`{row.names.split('.')[-2]}`" for row in same)
        name = f"{family[0]}.KIND.{family[1]}"
        yield str(replace(same[0], names=name, default="", what=f"{family[2]} KIND is {kinds}."))


def _place_of(rows: Sequence[Row]) -> Callable[[Row], int]:
    """Where a row stands: beside the first of its family."""
    first: dict[tuple[str, ...], int] = {}
    for place, row in enumerate(rows):
        first.setdefault(row.family or (row.names,), place)
    return lambda row: first[row.family or (row.names,)]


def _takes(hint: Any) -> str:
    """What follows the option on the command line; nothing after a switch."""
    kinds = [kind for kind in get_args(hint) if kind not in (type(None), Ellipsis)]
    if get_origin(hint) is Literal:
        return ", ".join(f"`{value}`" for value in kinds)
    if get_origin(hint) is tuple:
        return f"{_takes(kinds[0])}, several"
    if kinds:
        return " or ".join(filter(None, map(_takes, kinds)))
    words = {bool: "", int: "whole number", float: "number", str: "text", Path: "path"}
    return words.get(hint, getattr(hint, "__name__", str(hint)))


def _shown(default: Any) -> str:
    if default is None or default is False or default in ("", Parameter.empty):
        return ""
    if isinstance(default, tuple):
        return " ".join(map(_shown, default))
    return "`on`" if default is True else f"`{default}`"


def main() -> None:
    """Write the tables into their pages."""
    for page, renew in ((PAGE, rewritten), (SCHEMA_PAGE, with_schema)):
        write_atomically(page, renew(page.read_text(encoding="utf-8")).encode())


if __name__ == "__main__":
    main()
