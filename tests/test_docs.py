"""What the documents say, held against the code."""

import ast
import re
from pathlib import Path

import pytest

from pagewash.flows.cli import app
from pagewash.flows.reference import rewritten, with_schema

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGE = ROOT / "flows/README.md"


def test_the_columns_of_the_metrics_are_those_of_the_records():
    page = (ROOT / "pipeline/README.md").read_text(encoding="utf-8")
    assert page == with_schema(page), (
        "columns have changed; run: python -m pagewash.flows.reference"
    )


@pytest.mark.parametrize(("page", "most"), [("README.md", 150), ("models/README.md", 120)])
def test_what_a_newcomer_reads_is_short(page, most):
    assert len((ROOT / page).read_text(encoding="utf-8").splitlines()) <= most


def test_the_readme_shows_every_command():
    commands = [name for name in app if not name.startswith("-")]
    assert [name for name in commands if f"pagewash {name}" not in README] == []


def test_links_in_the_documents_lead_somewhere():
    folders = (
        *(".", "models", "models/recipes", "flows", "pipeline", "pipeline/geometry"),
        *("data/samples", "tests/benchmarks"),
    )
    pages = [page for folder in folders for page in (ROOT / folder).glob("*.md")]
    assert len(pages) >= 10
    for page in pages:
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            if target.startswith("http"):
                continue
            path, _, anchor = target.partition("#")
            led_to = page.parent / path if path else page
            assert led_to.exists(), (page, target)
            assert not anchor or anchor in anchors(led_to), (page, target)


def anchors(page: Path) -> set[str]:
    """Of its headings, as the places that show Markdown make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\s-]", "", text.lower()).replace(" ", "-") for text in headings}


def test_the_table_of_options_is_that_of_the_command_line():
    page = PAGE.read_text(encoding="utf-8")
    assert page == rewritten(page), "options have changed; run: python -m pagewash.flows.reference"


def literals(source: str) -> list[str]:
    """Texts in a module, with … in the place of what is filled in."""
    return [
        "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in parts)
        for node in ast.walk(ast.parse(source))
        for parts in [node.values if isinstance(node, ast.JoinedStr) else [node]]
        if isinstance(node, ast.JoinedStr)
        or (isinstance(node, ast.Constant) and isinstance(node.value, str))
    ]


def test_messages_that_are_explained_are_messages_that_exist():
    explained = re.findall(r"^\| `([^`]+)` \|", PAGE.read_text(encoding="utf-8"), re.M)
    messages = [message for message in explained if message[0] != "-" and " " in message]
    files = [path for folder in ("pipeline", "flows") for path in (ROOT / folder).rglob("*.py")]
    known = "\n".join(text for path in files for text in literals(path.read_text("utf-8")))
    foreign = {"libGL.so.1: cannot open shared object file"}
    assert len(messages) > 30
    assert [
        message for message in messages if message not in known and message not in foreign
    ] == []
