"""What the documents say, held against the code."""

import re
from pathlib import Path

from flows.cli import app
from pipeline.measuring.records import schema_as_markdown

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_readme_describes_every_column_of_the_metrics():
    table = README.split("<!-- schema: begin -->")[1].split("<!-- schema: end -->")[0]
    assert table.strip() == schema_as_markdown().strip()


def test_the_readme_shows_every_command():
    commands = [name for name in app if not name.startswith("-")]
    assert [name for name in commands if f"pagewash {name}" not in README] == []


def test_links_in_the_documents_lead_somewhere():
    pages = [ROOT / "README.md", ROOT / "models/README.md", ROOT / "data/samples/README.md"]
    for page in pages:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert target.startswith("http") or (page.parent / target).exists(), (page, target)
