"""A run in one line."""

from types import SimpleNamespace

import pytest

from pagewash.failures import Failure
from pagewash.flows.tables import headline
from pagewash.runs.outcome import RunReport, ShardReport


def report(*shards: ShardReport, planned: int) -> RunReport:
    return RunReport(SimpleNamespace(), planned, done_before=0, seconds=1.0, shards=shards)


@pytest.mark.parametrize(
    ("passed", "failed", "line"),
    [
        (0, 0, "5 documents cleaned"),
        (2, 0, "3 documents cleaned, 2 passed through as they were"),
        (1, 1, "3 documents cleaned, 1 passed through as they were, 1 failed"),
    ],
)
def test_a_document_of_which_nothing_was_cleaned_is_not_counted_as_cleaned(passed, failed, line):
    failures = (Failure("a.pdf", "UnreadableError", "a.pdf cannot be read", 2),) * failed
    shard = ShardReport(documents=5, passed_through=passed, failures=failures)
    assert headline(report(shard, planned=5)) == line
