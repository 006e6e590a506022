"""Means over scores, and their file."""

import polars as pl
import pytest

from pagewash.errors import UnreadableError
from pagewash.evaluation.scores import CLEANED, UNCLEANED, Evaluation, Figures, Score, write_scores
from pagewash.measuring.records import read_records


def evaluation() -> Evaluation:
    """Three pages of two groups: one read better when cleaned, one worse, one about as well."""
    rates = {"a/1": (0.30, 0.10), "a/2": (0.10, 0.14), "b/1": (0.05, 0.04)}
    return Evaluation(
        tuple(
            Score(name, name[0], method, Figures(cer=rate, rmse=0.5 if name == "b/1" else None))
            for name, both in rates.items()
            for method, rate in zip((UNCLEANED, CLEANED), both, strict=True)
        )
    )


def test_means_are_over_pages_not_groups():
    mean = evaluation().mean(CLEANED)
    assert mean.pages == 3
    assert mean.figures.cer == pytest.approx((0.10 + 0.14 + 0.04) / 3)


def test_a_figure_is_averaged_over_the_pages_that_have_it():
    assert evaluation().mean(CLEANED).figures.rmse == 0.5
    assert evaluation().mean(CLEANED, "a").figures.rmse is None


def test_pages_better_and_worse_by_two_points_are_counted():
    mean = evaluation().mean(CLEANED)
    assert (mean.better, mean.worse) == (1, 1)
    assert (evaluation().mean(UNCLEANED).better, evaluation().mean(UNCLEANED).worse) == (0, 0)


def test_all_pages_come_before_groups():
    rows = [(mean.group, mean.method) for mean in evaluation().means()]
    assert rows == [
        (group, method) for group in (None, "a", "b") for method in (UNCLEANED, CLEANED)
    ]


def test_scores_are_one_row_for_each_page_and_method(tmp_path):
    write_scores(tmp_path / "scores.parquet", evaluation())
    frame = pl.read_parquet(tmp_path / "scores.parquet")
    assert frame.height == 6
    assert frame.row(1, named=True)["cer"] == 0.10
    assert frame["rmse"].null_count() == 4


def test_scores_are_not_taken_for_records_of_pages(tmp_path):
    write_scores(tmp_path / "scores.parquet", evaluation())
    with pytest.raises(UnreadableError, match="not written by pagewash"):
        read_records(tmp_path)
