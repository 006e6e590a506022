"""Laws that need no truth: which ways of cleaning hang on how a page lies, and by how much."""

import cv2
import numpy as np
import pytest

from pagewash.evaluation.invariance import MARGIN, differences, ink_that_differs, report


def page(*lines: int) -> np.ndarray:
    """White page with lines of strokes at some rows."""
    pixels = np.full((240, 200), 255, np.uint8)
    for row in lines:
        pixels[row : row + 6, 30:170:8] = 20
    return pixels


def as_it_is(scan: np.ndarray) -> np.ndarray:
    return scan


def test_a_stroke_that_is_gone_differs_and_one_that_moved_a_pixel_does_not():
    both, one = page(60, 160), page(60)
    assert ink_that_differs(both, both) == 0
    assert ink_that_differs(both, np.roll(both, 1, axis=0)) == 0
    assert ink_that_differs(both, one) == ink_that_differs(one, both)
    assert ink_that_differs(both, one) == pytest.approx(0.5)


def test_what_leaves_a_page_as_it_is_breaks_no_law():
    found = differences(page(60, 160), as_it_is, as_it_is)
    assert set(found) == {"turned 90", "turned 180", "turned 270", "margin", "shifted", "fp32"}
    assert not any(found.values())


def test_a_cleaning_that_erases_upright_strokes_of_lying_pages_breaks_the_laws_of_turning():
    def erases(scan):
        lying = scan.shape[1] > scan.shape[0]
        return np.full_like(scan, 255) if lying else scan

    found = differences(page(60, 160), erases, as_it_is)
    assert found["turned 90"] == found["turned 270"] == 1
    assert found["turned 180"] == found["margin"] == found["shifted"] == found["fp32"] == 0


def test_a_cleaning_that_hangs_on_the_edge_breaks_the_laws_of_margin_and_shift():
    def edge_goes(scan):
        cleaned = scan.copy()
        cleaned[:64] = 255
        return cleaned

    found = differences(page(56, 70), edge_goes, as_it_is)
    assert min(found["margin"], found["shifted"], found["fp32"]) > 0.1
    assert MARGIN > 40  # so that the first line is out of the edge's reach once framed


def test_a_colour_page_is_framed_in_white():
    scan = cv2.cvtColor(page(60), cv2.COLOR_GRAY2RGB)
    grey = differences(scan, lambda colour: colour[..., 0], lambda colour: colour[..., 0])
    assert not any(grey.values())


def test_the_report_begins_with_the_worst_page_and_ends_with_all_of_them():
    lines = list(report({"fine": {"turned 90": 0.0}, "broken": {"turned 90": 0.25}}))
    assert "broken" in lines[0]
    assert "fine" in lines[1]
    assert "worst 25.00%" in lines[-1]
