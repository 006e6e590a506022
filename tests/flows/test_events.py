"""The event that ends a run says how much of it failed."""

import datetime

import pytest

from pagewash.flows.prefect.events import how_many_failed
from pagewash.options import RunOptions
from pagewash.runs.ledger import OutputKey
from pagewash.runs.outcome import Run, RunReport, ShardReport


@pytest.mark.parametrize(
    ("pages", "failed", "label"),
    [(100, 0, "none"), (100, 1, "few"), (100, 10, "few"), (100, 11, "many"), (1, 1, "many")],
)
def test_more_than_a_tenth_of_the_pages_is_many(pages, failed, label):
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    run = Run("run", now, RunOptions(), OutputKey("0" * 64, "0" * 16), None)
    first = ShardReport(pages=pages - failed)
    second = ShardReport(pages=failed, pages_failed=failed)
    report = RunReport(run, planned=1, done_before=0, seconds=1.0, shards=(first, second))
    assert how_many_failed(report) == label


def test_documents_that_are_clean_already_are_no_failures():
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    run = Run("run", now, RunOptions(), OutputKey("0" * 64, "0" * 16), None)
    broken = (ShardReport(documents=1, pages=1, pages_failed=1),)
    reports = [RunReport(run, 1, before, seconds=1.0, shards=broken) for before in (8, 9, 30)]
    assert [how_many_failed(report) for report in reports] == ["many", "few", "few"]
