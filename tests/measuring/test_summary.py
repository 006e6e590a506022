"""What the rows of a run say together."""

import dataclasses
import datetime

import pytest
from reported import HOW, QUIET

from pagewash.measuring.definitions import PAIRED
from pagewash.measuring.records import PageRecord, records_table
from pagewash.measuring.summary import Change, by_need, latest, summarise

LATER = dataclasses.replace(HOW, run_id="two", started=HOW.started + datetime.timedelta(days=1))


def cleaned(source: str, page: int = 1, status: str = "cleaned", **metrics: float) -> PageRecord:
    numbers = dataclasses.replace(QUIET, **metrics)
    return PageRecord(HOW, source, status, page=page, metrics=numbers, seconds_clean=0.5)


def test_pages_are_counted_by_status_and_documents_once():
    rows = [cleaned("a.tif", 1), cleaned("a.tif", 2, "review"), PageRecord(HOW, "b", "failed")]
    summary = summarise(records_table(rows))
    assert (summary.runs, summary.documents, summary.pages) == (1, 2, 3)
    assert summary.statuses == {"cleaned": 1, "skipped": 0, "review": 1, "failed": 1}


def test_speed_is_that_of_the_run_or_else_of_its_slowest_stage():
    table = records_table([cleaned("a"), cleaned("b"), PageRecord(HOW, "c", "failed")])
    stages = dict.fromkeys(("read", "clean", "geometry", "measure", "write"), 0.0)
    assert summarise(table).seconds == stages | {"clean": 1.0}
    assert summarise(table).pages_per_second == pytest.approx(2)
    assert summarise(table, seconds=4).pages_per_second == pytest.approx(0.5)
    assert summarise(table.slice(2)).pages_per_second is None


def test_medians_leave_out_pages_without_metrics():
    rows = [cleaned(str(n), noise_before=n, noise_after=1) for n in (2, 4, 90)]
    changes = summarise(records_table([*rows, PageRecord(HOW, "x", "skipped")])).changes
    assert changes[0] == Change("noise", 4, 1)
    assert [change.metric for change in changes] == list(PAIRED)


def test_the_worst_pages_come_first_failures_before_all_and_cleaned_ones_are_not_named():
    rows = [
        cleaned("stain gone", ink_lost=0.2),
        cleaned("some", status="review", ink_added=0.1),
        cleaned("more", status="review", ink_lost=0.2),
        PageRecord(HOW, "broken", "failed", message="broken is empty"),
    ]
    worst = summarise(records_table(rows)).worst
    assert [page.source for page in worst] == ["broken", "more", "some"]
    assert worst[0].message == "broken is empty"
    assert len(summarise(records_table(rows), worst=2).worst) == 2


def test_pages_alike_in_ink_are_ordered_by_novelty():
    rows = [cleaned("usual"), cleaned("odd"), cleaned("faint", ink_lost=0.01)]
    rows[1] = dataclasses.replace(rows[1], novelty=99.5)
    assert by_need(records_table(rows))["source"].to_pylist() == ["faint", "odd", "usual"]


def test_no_rows_make_an_empty_summary():
    summary = summarise(records_table([]))
    assert (summary.pages, summary.pages_per_second, summary.changes, summary.worst) == (
        0,
        None,
        (),
        (),
    )


def test_only_the_last_run_of_each_document_stands():
    again = [dataclasses.replace(cleaned("a", page), how=LATER) for page in (1, 2)]
    table = latest(records_table([cleaned("a"), cleaned("b"), *again]))
    assert table["source"].to_pylist() == ["b", "a", "a"]
    assert table["run_id"].to_pylist() == ["one", "two", "two"]


def at(folder: object, row: PageRecord, *, later: bool = False) -> PageRecord:
    return dataclasses.replace(row, output_folder=str(folder), how=LATER if later else HOW)


def test_documents_of_one_name_in_two_destinations_are_two(tmp_path):
    (tmp_path / "jan").mkdir()
    (tmp_path / "feb").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "jan")
    rows = [
        at(tmp_path / "jan", cleaned("a")),
        at(tmp_path / "feb", cleaned("a")),
        at(tmp_path / "feb", cleaned("a"), later=True),
        at("s3://archive/out", cleaned("a")),
    ]
    table = latest(records_table(rows))
    assert table.to_pylist() == records_table([rows[0], rows[2], rows[3]]).to_pylist()
    assert summarise(table).documents == 3
    again = latest(records_table([*rows, at(tmp_path / "link", cleaned("a"), later=True)]))
    assert len(again) == 3  # another path to the same destination


def test_rows_of_a_destination_that_was_moved_count_until_others_are_there(tmp_path):
    (tmp_path / "now").mkdir()
    moved = [at(tmp_path / "then", cleaned(name)) for name in ("a", "b")]
    again = at(tmp_path / "now", cleaned("a"), later=True)
    assert latest(records_table(moved)).num_rows == 2
    assert latest(records_table([*moved, again]))["output_folder"].to_pylist() == [
        moved[1].output_folder,
        again.output_folder,
    ]
