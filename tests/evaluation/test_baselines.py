"""Classical cleaners."""

import sys

import numpy as np
import pytest
from lines import set_line

from pagewash.errors import MissingError, OptionError
from pagewash.evaluation.baselines import BASELINES, clean_classically, divide_by_background
from pagewash.evaluation.dibco import f_measure, ink_by_otsu


def word() -> np.ndarray:
    page = np.full((120, 300), 255, np.uint8)
    set_line(page, "Clean me", (20, 80), 60, bold=1)
    return page


def shaded(page: np.ndarray) -> np.ndarray:
    shade = np.linspace(0.35, 1, page.shape[1])
    return (np.maximum(page, 40) * shade).astype(np.uint8)


@pytest.mark.parametrize("baseline", BASELINES)
def test_each_finds_the_word_on_paper(baseline):
    page = np.where(word() < 128, 60, 200).astype(np.uint8)
    cleaned = clean_classically(page, baseline)
    assert (cleaned.shape, cleaned.dtype) == (page.shape, np.uint8)
    assert f_measure(ink_by_otsu(cleaned), word() < 128) > 85


def test_background_division_evens_out_the_light():
    paper = divide_by_background(shaded(word()))[:20]
    assert shaded(word())[:20].min() < 100
    assert paper.min() > 240


def test_the_page_itself_is_not_written_to():
    page = shaded(word())
    kept = page.copy()
    for baseline in BASELINES:
        clean_classically(page, baseline)
    assert np.array_equal(page, kept)


def test_an_unknown_baseline_is_answered_with_those_there_are():
    with pytest.raises(OptionError, match="'niblack'; choose from otsu, sauvola"):
        clean_classically(word(), "niblack")


def test_without_doxapy_the_way_out_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "doxapy", None)
    with pytest.raises(MissingError, match=r"pip install 'pagewash\[evaluation\]'"):
        clean_classically(word(), "su")
    assert clean_classically(word(), "background").shape == word().shape
