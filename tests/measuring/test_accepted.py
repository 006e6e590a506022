"""Marks of pages that were looked at: honoured for the same page, and only while it is no worse."""

import dataclasses
import json

import pytest
from reported import row, write_run
from scans import FakeCleaner, write_scan

from pagewash.errors import AccessError, InputError
from pagewash.flows.cli import main
from pagewash.measuring.accepted import read_accepted
from pagewash.measuring.records import read_records, records_table
from pagewash.options import RunOptions
from pagewash.runs.planning import plan_run
from pagewash.runs.shards import clean_run

HEAD = "sha256,page,part,ink_lost,ink_added,picture_lost,message,source"


@pytest.fixture
def marks(tmp_path):
    """As a browser saves it: with a byte order mark and CRLF."""
    path = tmp_path / "accepted.csv"
    of_ab = '"ab","1","0","0.07","0","","9 % of the ink is gone; tints are gone","a, b.png"'
    lines = ("\ufeff" + HEAD, of_ab, "cd,2,0,,,,,c.png")
    path.write_bytes("\r\n".join(lines).encode())
    return path


def doubtful(message="7 % of the ink is gone", **values):
    return dataclasses.replace(row("a.png", "review", **values), message=message, part=0)


@pytest.mark.parametrize(
    ("record", "status"),
    [
        (doubtful(sha256="ab", ink_lost=0.07), "cleaned"),
        (doubtful(sha256="ab", ink_lost=0.02), "cleaned"),
        (doubtful(sha256="ab", ink_lost=0.09), "review"),  # worse than what was looked at
        (doubtful(sha256="ab", ink_lost=0.07, ink_added=0.1), "review"),
        (doubtful(sha256="ab", ink_lost=0.07, page=2), "review"),
        (doubtful("pale strokes are gone", sha256="ab"), "review"),  # something else
        (doubtful("7 % of the ink is gone; dots are gone", sha256="ab"), "review"),
        (doubtful(sha256="xy", ink_lost=0.07), "review"),
        (row("a.png", "failed", sha256="ab"), "failed"),
    ],
)
def test_a_mark_holds_for_its_page_while_it_is_no_worse(marks, record, status):
    accepted = read_accepted(marks)
    found = accepted.on_record(record)
    assert found.status == status
    (kept,) = accepted.on_table(records_table([record])).to_pylist()
    assert (kept["status"], kept["message"]) == (found.status, found.message)
    if status == "cleaned":
        assert found.message == "looked at, fine: 7 % of the ink is gone"


def test_a_mark_of_a_page_that_had_one_already_holds_too(tmp_path, marks):
    again = tmp_path / "again.csv"
    again.write_text(marks.read_text("utf-8").replace("7 %", "looked at, fine: 7 %"), "utf-8")
    record = doubtful(sha256="ab", ink_lost=0.07)
    assert read_accepted(again).on_record(record).status == "cleaned"


def test_a_field_as_long_as_no_marks_is_none(tmp_path):
    (tmp_path / "marks.csv").write_text("x" * 200_000)
    with pytest.raises(InputError, match="export it from a report"):
        read_accepted(tmp_path / "marks.csv")


def test_what_is_no_file_of_marks_is_told_with_the_line(tmp_path):
    path = tmp_path / "marks.csv"
    for text, said in (("a,b\n", "export it from a report"), (f"{HEAD}\nab,one,0", "line 2")):
        path.write_text(text)
        with pytest.raises(InputError, match=said):
            read_accepted(path)
    with pytest.raises(AccessError):
        read_accepted(tmp_path / "nowhere.csv")


def test_the_next_run_honours_the_marks_of_a_report(tmp_path, tiny_model):
    """A cleaner that wipes pages loses all of their ink."""

    class Wiping(FakeCleaner):
        def _clean(self, page):
            cleaned = super()._clean(page)
            cleaned.page.pixels[:] = 255
            return dataclasses.replace(cleaned, doubt="strokes are gone")

    write_scan(tmp_path / "scans" / "a.png", shape=(400, 300))

    def statuses(options: RunOptions) -> list[str]:
        plan = plan_run(tmp_path / "scans", tmp_path / "out", options)
        report = clean_run(plan, load=lambda run: Wiping())
        rows = read_records(report.run.folder).to_pylist()
        assert report.review == sum(row["status"] == "review" for row in rows)
        lines = [
            f"{row['sha256']},{row['page']},{row['part']},1,0,1,{row['message']},a.png"
            for row in rows
        ]
        (tmp_path / "accepted.csv").write_text("\n".join([HEAD, *lines]))
        return [row["status"] for row in rows]

    options = RunOptions(model=str(tiny_model), force=True)
    assert statuses(options) == ["review"]
    marked = dataclasses.replace(options, accepted=str(tmp_path / "accepted.csv"))
    assert statuses(marked) == ["cleaned"]


def test_the_summary_counts_what_was_looked_at_as_cleaned(tmp_path, marks, capsys):
    out = write_run(tmp_path, [doubtful(sha256="ab", ink_lost=0.07), row("b.png")])
    counts = []
    for more in ([], ["--accepted", str(marks)]):
        assert main(["metrics", str(out), "--json", *more]) == 0
        statuses = json.loads(capsys.readouterr().out)["statuses"]
        counts.append((statuses["cleaned"], statuses["review"]))
    assert counts == [(1, 1), (2, 0)]
