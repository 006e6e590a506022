"""Shards handed out: in turn, until they are done, stopped, or nobody is left who survives them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from scans import FakeCleaner, write_scan

from pagewash.errors import MissingError
from pagewash.flows.prefect.executor import InProcessExecutor, clean_shards
from pagewash.measuring.records import read_records
from pagewash.options import RunOptions
from pagewash.runs.outcome import Run
from pagewash.runs.planning import plan_run
from pagewash.runs.shards import clean_shard


class Ended:
    """A future that has come to its end."""

    def __init__(self, result: object) -> None:
        self.result = lambda: result

    def add_done_callback(self, call: Callable[[object], None]) -> None:
        call(self)


class Mortals(InProcessExecutor):
    """Workers, two at once, who die over a document of this name; they keep a diary."""

    capacity = 2

    def __init__(self, deadly: str = "") -> None:
        self.deadly = deadly
        self.dismissed = False

    def begin(self, plan, run):
        return [plan.jobs[:3], plan.jobs[3:]]

    def cancel(self, run):
        self.dismissed = True

    def submit(self, run):
        def clean(jobs, part, may_fail):
            if self.deadly in [job.name for job in jobs]:
                return Ended(None)
            return Ended(clean_shard(jobs, run, part, load=lambda run: FakeCleaner()))

        return clean


@pytest.fixture
def plan(tmp_path: Path, tiny_model: Path):
    """Five scans to clean."""
    for number in range(5):
        write_scan(tmp_path / "scans" / f"{number}.png", seed=number)
    return plan_run(tmp_path / "scans", tmp_path / "out", RunOptions(model=str(tiny_model)))


def test_all_shards_are_cleaned(plan):
    executor, run = Mortals(), Run.begin(plan)
    reports = list(clean_shards(executor, plan, run, executor.submit(run)))
    assert sorted(report.documents for report in reports) == [2, 3]
    assert len(read_records(run.folder)) == 5
    assert not executor.dismissed


def test_a_document_that_kills_every_worker_fails_alone(plan):
    executor, run = Mortals("1.png"), Run.begin(plan)
    reports = list(clean_shards(executor, plan, run, executor.submit(run)))
    (failure,) = [failure for report in reports for failure in report.failures]
    assert "1.png: every worker that tried to clean it died" in failure.message
    rows = read_records(run.folder).to_pylist()
    assert {row["source"]: row["status"] == "failed" for row in rows} == {
        f"{number}.png": number == 1 for number in range(5)
    }
    assert len(rows) == 5


def test_those_at_work_are_dismissed_when_the_run_cannot_go_on(plan):
    class Lost(Mortals):
        def check_health(self, run):
            raise MissingError("nobody is left")

    executor, run = Lost(), Run.begin(plan)
    with pytest.raises(MissingError, match="nobody is left"):
        list(clean_shards(executor, plan, run, executor.submit(run)))
    assert executor.dismissed
