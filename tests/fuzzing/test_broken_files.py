"""Files that are broken in thousands of ways come to pages, or to an error for people."""

from collections import Counter
from pathlib import Path

import harness
import pytest

SEEDS = list(harness.seeds())
FINDS = sorted((Path(__file__).parent / "finds").glob("*"))


def test_every_seed_is_whole():
    assert {harness.check(data) for _, data in SEEDS} == {"copied"}


@pytest.mark.parametrize("find", FINDS, ids=lambda path: path.name)
def test_what_fuzzing_has_found_stays_mended(find):
    harness.check(find.read_bytes())


def break_all(rounds: range) -> Counter[str]:
    return Counter(
        harness.check(harness.mutate(data, 1000 * number + place))
        for number in rounds
        for place, (_, data) in enumerate(SEEDS)
    )


def test_broken_files_fail_for_people_or_are_read(capfd):
    outcomes = break_all(range(6))
    assert outcomes["copied"] > 20  # else the files are broken too much to try anything
    assert outcomes["UnreadableError"] > 20


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_thousands_of_broken_files_fail_for_people_or_are_read():
    assert break_all(range(6, 106)).total() >= 2000
