"""Figures of many runs, and whether the share of doubtful pages has jumped."""

import dataclasses
import datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reported import HOW, STARTED, row, write_part

from pagewash.measuring.history import (
    RunFigures,
    figures_by_month,
    figures_by_run,
    jump_of_last,
    jump_of_run,
)
from pagewash.measuring.records import part_path, records_table


def rows(number: int, pages: int, doubtful: int) -> list:
    """A run of so many pages, `number` days after the first."""
    started = STARTED + datetime.timedelta(days=number)
    how = dataclasses.replace(HOW, run_id=f"run-{number:03}", started=started)
    return [
        dataclasses.replace(
            row(f"{page}.png", "review" if page < doubtful else "cleaned", ink_lost=0.01 * number),
            how=how,
            seconds_read=0.5,
            seconds_clean=1.0,
        )
        for page in range(pages)
    ]


def run(pages: int, doubtful: int, number: int = 0) -> RunFigures:
    share = doubtful / pages if pages else 0.0
    return RunFigures(f"run-{number}", STARTED, pages, share, 0.0, None, None, None)


def test_each_run_has_its_figures_the_first_one_first():
    table = pa.concat_tables([records_table(rows(2, 4, 1)), records_table(rows(1, 2, 0))])
    first, last = figures_by_run(table)
    assert (first.name, first.pages, first.doubtful) == ("run-001", 2, 0)
    assert (last.name, last.pages, last.doubtful) == ("run-002", 4, 0.25)
    assert last.ink_lost == pytest.approx(0.02)
    assert last.seconds == pytest.approx(1.5)


def test_runs_of_a_month_stand_together():
    table = pa.concat_tables([records_table(rows(number, 2, 1)) for number in (0, 1, 40)])
    assert [(month.name, month.pages) for month in figures_by_month(table)] == [
        ("2026-03", 4),
        ("2026-04", 2),
    ]


@pytest.mark.parametrize(
    ("earlier", "last", "jumped"),
    [
        ((1000, 20), (100, 30), True),
        ((1000, 20), (100, 3), False),
        ((1000, 20), (10, 9), False),  # too few pages
        ((10, 0), (100, 60), False),  # too few before
        ((1000, 300), (100, 35), False),  # chance
        ((100000, 1000), (10000, 400), False),  # sure, and too little
    ],
)
def test_a_jump_is_more_than_chance_and_more_than_a_little(earlier, last, jumped):
    found = jump_of_last([run(*earlier), run(*last)])
    assert (found is not None) == jumped


@given(st.lists(st.integers(0, 500).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n)))))
def test_a_jump_goes_up(runs):
    found = jump_of_last([run(pages, doubtful, n) for n, (pages, doubtful) in enumerate(runs)])
    assert found is None or found.now > found.before


def test_a_run_is_held_against_those_before_it_in_its_metrics_folder(tmp_path):
    for number in range(3):
        date = (STARTED + datetime.timedelta(days=number)).date()
        part = part_path(tmp_path, date, f"run-{number:03}", 0)
        write_part(part, rows(number, 50, 40 if number == 2 else 1))
    jump = jump_of_run(tmp_path, "run-002")
    assert (jump.before, jump.now) == (0.02, 0.8)
    assert jump_of_run(tmp_path, "run-001") is None
    assert jump_of_run(tmp_path, "no-such-run") is None
