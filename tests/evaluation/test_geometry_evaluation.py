"""What the evaluation of geometry says of pages made here, whose truth is known."""

from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from lines import lines_page

from pagewash.cleaning.cleaner import Cleaner
from pagewash.evaluation import geometry
from pagewash.evaluation.blank_pages import (
    FAULTS,
    HEIGHT,
    MARKS,
    WIDTH,
    blank_page,
    marked_page,
    marked_real_page,
    real_page,
)
from pagewash.evaluation.geometry import EvaluationPage, turned
from pagewash.evaluation.parts import CHOOSING, REPORTING, part_of
from pagewash.geometry.skew import find_skew


@pytest.fixture
def page() -> EvaluationPage:
    return EvaluationPage(
        Path("page.png"), (lines_page() * 0.9).astype(np.uint8), lines_page(), 150.0
    )


def test_a_turned_scan_leans_by_as_much_and_keeps_all_of_itself(page):
    scan = turned(page.scan, 6.0)
    assert find_skew(scan).angle == pytest.approx(6.0, abs=0.05)
    assert (255.0 - scan).sum() >= (255.0 - page.scan).sum()


def test_no_ink_is_cut_off_and_the_bed_goes(page):
    left, lost = geometry.border_report([page])
    assert "at most 1 %: 1 of 1" in left
    assert "0 of 2" in lost


def test_a_crop_that_cuts_the_page_loses_a_share_of_its_strokes(page):
    height, width = page.cleaned.shape
    share = geometry._strokes_outside(page.cleaned, (0, 0, width, height // 2))
    assert share == pytest.approx(0.5, abs=0.1)
    assert geometry._strokes_outside(page.cleaned, (-5, -5, width + 5, height)) == 0


@pytest.mark.parametrize(("angle", "furthest"), [(0.0, "0.000"), (2.0, "2.0")])
def test_a_straight_page_is_not_turned(page, monkeypatch, angle, furthest):
    monkeypatch.setattr(geometry, "_angle_of_another", lambda page: angle)  # it takes seconds
    made, real = geometry.straight_report([page], 0, Path(), cast(Cleaner, None))
    assert made.startswith("straight pages, rendered: turned none")
    assert f"furthest {furthest}" in real


def test_sizes_in_one_bit_are_those_of_large_pages_without_pictures(page):
    half = lines_page((2400, 1700))
    half[1200:] = 255
    large = replace(page, cleaned=half)
    told = list(geometry.bilevel_report([page, large], {"eng"}, 0))
    assert told[0].startswith("one bit, G4")
    assert all("at most 60 kB: 1 of 1" in sizes for sizes in told)


def test_sizes_in_jbig2_are_told_where_there_is_an_encoder(page, monkeypatch):
    large = replace(page, cleaned=lines_page((2400, 1700)))
    for packed, lines in ((b"123", 2), (None, 1)):
        monkeypatch.setattr(geometry, "encode_jbig2", lambda image, packed=packed: packed)
        assert len(list(geometry.bilevel_report([large], {"eng"}, 0))) == lines


@pytest.mark.parametrize("make", [*FAULTS, *MARKS])
def test_faults_and_marks_only_darken_paper(make):
    paper = np.full((HEIGHT, WIDTH), 0.9, np.float32)
    marked = make(np.random.default_rng(1), paper)
    assert marked.shape == paper.shape
    assert (marked <= paper + 1e-6).all()
    assert (marked < paper - 0.02).any()


def test_the_same_seed_makes_the_same_page():
    for make in (blank_page, marked_page):
        one, same = (make(np.random.default_rng(3)) for _ in range(2))
        assert one.shape == (HEIGHT, WIDTH)
        assert np.array_equal(one, same)


@pytest.mark.parametrize("shape", [(600, 900), (3000, 1500)])
def test_a_page_of_real_paper_covers_a4_and_bears_a_mark_where_paper_is(shape):
    paper = np.full(shape, 20, np.uint8)
    paper[shape[0] // 4 : -shape[0] // 4, shape[1] // 4 : -shape[1] // 4] = 200
    blank, marked = real_page(paper), marked_real_page(np.random.default_rng(0), paper)
    assert blank.shape == marked.shape == (HEIGHT, WIDTH)
    darkened = marked < blank - 10.0
    assert darkened.any()
    assert (blank[darkened] > 100).all()


def test_the_part_of_a_page_follows_from_its_name():
    names = [f"page-{number}.png" for number in range(900)]
    choosing = [name for name in names if part_of(name) == CHOOSING]
    assert 240 < len(choosing) < 360
    assert {part_of(name) for name in names} == {CHOOSING, REPORTING}
