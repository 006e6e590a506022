"""The scan in a report lies as the cleaned page does."""

import numpy as np
from lines import lines_page

from pagewash.geometry.skew import find_skew
from pagewash.reporting.previews import as_laid_out

ROW = {"width": 800, "height": 1100, "straightened": 0.0, "turned": 0, "shown": None}


def test_a_page_that_was_left_as_it_lay_is_shown_so():
    notes: list[str] = []
    scan = lines_page()
    assert as_laid_out(scan, ROW, notes) is scan
    assert as_laid_out(scan, {"width": 800, "height": 1100}, notes) is scan  # an older run's row
    assert notes == []


def test_a_straightened_and_cropped_page_is_shown_beside_its_scan_laid_likewise():
    notes: list[str] = []
    row = ROW | {"straightened": 3.0, "turned": 180, "shown": [10, 20, 700, 1000]}
    shown = as_laid_out(lines_page(angle=3.0), row, notes)
    assert shown.shape == (980, 690)
    assert abs(find_skew(shown).angle) < 0.05
    assert [note.split()[-1] for note in notes] == ["straight.", "clockwise.", "px."]


def test_of_a_split_scan_the_first_page_is_shown():
    notes: list[str] = []
    book = np.hstack([lines_page(), np.zeros((1100, 800), np.uint8)])
    shown = as_laid_out(book, ROW | {"shown": [0, 0, 800, 1100, 800, 0, 1600, 1100]}, notes)
    assert np.array_equal(shown, lines_page())
    assert notes == ["It was split into two pages; the first is shown."]
