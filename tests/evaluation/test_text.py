"""Character and word error rates, and the call of Tesseract."""

import shutil
import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lines import set_line

from pagewash.errors import MissingError
from pagewash.evaluation.text import (
    bag_of_words_error_rate,
    character_error_rate,
    fold,
    recognise,
    require_languages,
    word_error_rate,
)

needs_tesseract = pytest.mark.skipif(
    shutil.which("tesseract") is None, reason="tesseract is not installed"
)

words = st.text(st.sampled_from("ab c"), max_size=12)


def table_distance(one: str, other: str) -> int:
    """Levenshtein distance row by row, as in a textbook."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        above, row = row, [i]
        for j, b in enumerate(other, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (a != b)))
    return row[-1]


@given(words, words)
def test_the_error_rate_of_characters_is_the_textbooks_distance(one, other):
    found, truth = fold(one), fold(other)
    expected = table_distance(found, truth) / len(truth) if truth else float(bool(found))
    assert character_error_rate(one, other) == expected


def test_without_the_library_error_rates_name_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "rapidfuzz.distance.Levenshtein", None)
    with pytest.raises(MissingError, match=r"pagewash\[evaluation\]"):
        character_error_rate("a", "b")


@pytest.mark.parametrize(
    ("printed", "typed"),
    [
        ("Congreſs", "congress"),
        ("“Ja”, ‚nein‘ „doch“ ’s", '"ja", \'nein\' "doch" \'s'),
        ("wait…", "wait..."),
        (" two \n\n lines\t\f", "two lines"),
        ("Straße", "strasse"),
    ],
)
def test_matters_of_typesetting_are_no_errors(printed, typed):
    assert fold(printed) == fold(typed) == typed
    assert character_error_rate(printed, typed) == 0


@given(st.text())
def test_folding_twice_changes_nothing_more(any_text):
    assert fold(fold(any_text)) == fold(any_text)


def test_accents_and_dashes_count():
    assert character_error_rate("cafe - 1", "café – 1") == 2 / 8


def test_words_count_once_however_wrong():
    assert word_error_rate("a quick brwnn fx", "a quick brown fox") == 0.5
    assert character_error_rate("a quick brwnn fx", "a quick brown fox") == 3 / 17


def test_columns_read_in_another_order_are_no_errors_in_a_bag_of_words():
    assert bag_of_words_error_rate("three four\none two", "One two\nthree four") == 0
    assert bag_of_words_error_rate("to be or not", "to be or not to be") == 2 / 6
    assert bag_of_words_error_rate("a b c d", "a b") == 1


@given(st.lists(st.sampled_from("abcd")), st.lists(st.sampled_from("abcd"), min_size=1))
def test_the_error_rate_of_a_bag_of_words_is_that_of_the_best_order(found, truth):
    bag = bag_of_words_error_rate(" ".join(found), " ".join(truth))
    assert bag <= word_error_rate(" ".join(found), " ".join(truth))
    # the best order: what is right stands where it should, then nothing but replacements
    left, right = Counter(found) - Counter(truth), Counter(truth) - Counter(found)
    common = sorted((Counter(found) & Counter(truth)).elements())
    best = (" ".join([*common, *side.elements()]) for side in (left, right))
    assert bag == word_error_rate(*best)


def test_an_empty_page_is_right_only_if_nothing_is_found():
    assert character_error_rate(" \n", "") == 0
    assert character_error_rate("x", "") == 1
    assert word_error_rate("", "a b") == 1
    assert bag_of_words_error_rate("", "a b") == 1
    assert bag_of_words_error_rate("x", " ") == 1


@needs_tesseract
@pytest.mark.parametrize("colour", [False, True])
def test_tesseract_reads_a_printed_page(colour):
    page = np.full((200, 700), 255, np.uint8)
    set_line(page, "Clean this page", (40, 120), 60, bold=1)
    page = np.dstack([page] * 3) if colour else page
    assert character_error_rate(recognise(page, dpi=300), "clean this page") == 0


@needs_tesseract
def test_a_language_that_is_not_installed_is_named_with_its_package():
    with pytest.raises(MissingError, match="apt install tesseract-ocr-xyz"):
        recognise(np.full((50, 50), 255, np.uint8), "xyz")


@needs_tesseract
def test_languages_are_asked_for_before_long_work():
    require_languages(["eng", "eng+osd"])
    with pytest.raises(MissingError, match=r"'Xyz\+abc_def'.*-script-… tesseract-ocr-abc-def"):
        require_languages(["eng", "Xyz", "eng+abc_def"])


def test_without_tesseract_the_way_out_is_named(monkeypatch):
    monkeypatch.setattr("pagewash.evaluation.text.shutil.which", lambda name: None)
    with pytest.raises(MissingError, match="apt install tesseract-ocr"):
        recognise(np.full((50, 50), 255, np.uint8))
