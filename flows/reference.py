"""Every option of every command, and every column of the metrics, as Markdown.

    python -m pagewash.flows.reference

writes them anew into flows/README.md and pipeline/README.md; a test holds them to it. Options come
from the command line itself, by cyclopts, columns from the schema.
"""

import re
from pathlib import Path

from cyclopts import App

from pagewash.files import write_atomically
from pagewash.flows.cli import app
from pagewash.measuring.records import schema_as_markdown

PAGE = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- options: begin -->", "<!-- options: end -->"

SCHEMA_PAGE = PAGE.parents[1] / "pipeline" / "README.md"
SCHEMA_BEGIN, SCHEMA_END = "<!-- schema: begin -->", "<!-- schema: end -->"


def as_markdown(cli: App = app) -> str:
    """What the command line says of each command and its options, a heading for each command."""
    whole = cli.generate_docs(heading_level=2, usage_name="pagewash")
    # help is written in lines, which Markdown would take for lines of code
    joined = re.sub(r"\n {3,}(?=\S)", " ", whole)
    # run as `python -m MODULE`, cyclopts leaves two words of that in the usage of commands
    named = re.sub(r"^(pagewash .*?)-m \S+ ", r"\1", joined, flags=re.MULTILINE)
    pages = named.split("\n### ")[1:]
    return "\n\n".join(f"### {page.strip()}" for page in pages if "pagewash --" not in page)


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


def main() -> None:
    """Write the tables into their pages."""
    for page, renew in ((PAGE, rewritten), (SCHEMA_PAGE, with_schema)):
        write_atomically(page, renew(page.read_text(encoding="utf-8")).encode())


if __name__ == "__main__":
    main()
