"""Strokes much fainter than the page's ink stay faint, and weak letters are restored."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pagewash.cleaning.faint import keep_faint

PAPER = 220
RECTO, VERSO = range(60, 620, 80), range(100, 620, 80)


def scanned(lines: dict[int, float | np.ndarray], size: int = 1, paper: int = PAPER) -> np.ndarray:
    """Lines of letters by their baseline, each of a contrast, or one that changes along it."""
    height, width = 660, 760
    page = np.full((height, width), paper, np.float32)
    for baseline, contrast in lines.items():
        line = np.zeros((height, width), np.uint8)
        cv2.putText(line, "minimum of forty letters", (30, baseline), 0, 1.6, 255, 3)
        page *= 1 - line.astype(np.float32) / 255 * np.broadcast_to(contrast, width)
    page = np.kron(page, np.ones((size, size), np.float32))
    return cv2.blur(page, (3, 3)).round().astype(np.uint8)


def blackened(page: np.ndarray) -> np.ndarray:
    """What a network makes of it: whatever is darker than paper is ink."""
    return np.where(page < page.max() - 12, 20, 255).astype(np.uint8)


@pytest.mark.parametrize("size", [1, 3, 5])
def test_print_that_shines_through_is_as_pale_as_it_was_beside_the_ink(size):
    page = scanned(dict.fromkeys(RECTO, 0.8) | dict.fromkeys(VERSO, 0.24), size)
    kept = keep_faint(page, blackened(page))
    ink = blackened(scanned(dict.fromkeys(RECTO, 0.8), size)) < 128
    assert (kept[ink] == 20).mean() > 0.95
    between = kept[70 * size : 105 * size]
    pale = np.median(between[blackened(page)[70 * size : 105 * size] < 128])
    assert pale == pytest.approx(255 * (1 - 0.24 / 0.8), abs=25)
    assert kept[:20].min() == 255


@pytest.mark.parametrize("contrast", [0.15, 0.4, 0.9])
def test_a_page_of_one_strength_is_the_networks(contrast):
    page = scanned(dict.fromkeys([*RECTO, *VERSO], contrast))
    answer = blackened(page)
    assert keep_faint(page, answer) is answer


def test_ink_that_fades_across_the_page_is_restored():
    page = scanned(dict.fromkeys(RECTO, np.linspace(0.8, 0.15, 760)))
    answer = blackened(page)
    assert np.array_equal(keep_faint(page, answer), answer)


def test_weak_letters_in_a_line_of_strong_ones_are_restored():
    contrast = np.where(np.arange(760) // 60 % 4 == 1, 0.2, 0.8)
    page = scanned(dict.fromkeys(RECTO, contrast))
    answer = blackened(page)
    assert (keep_faint(page, answer) != answer).mean() < 0.002


def test_one_faint_line_on_a_full_page_is_the_networks():
    page = scanned(dict.fromkeys(RECTO, 0.8))
    cv2.line(page, (40, 320), (200, 322), 165, 2)
    answer = blackened(page)
    assert keep_faint(page, answer) is answer


def test_a_page_of_few_letters_is_the_networks():
    page = np.full((300, 400), PAPER, np.uint8)
    cv2.putText(page, "Faint", (20, 200), 0, 3, 160, 5)
    cv2.putText(page, "ink", (250, 100), 0, 2, 20, 5)
    answer = blackened(page)
    assert keep_faint(page, answer) is answer


def test_strokes_that_the_scan_has_not_are_the_networks():
    answer = blackened(scanned(dict.fromkeys(RECTO, 0.8)))
    assert keep_faint(np.full_like(answer, PAPER), answer) is answer


@given(st.integers(1, 90), st.integers(1, 90), st.integers(0, 3))
@settings(max_examples=25)
def test_a_page_of_any_size_is_answered_and_never_darker(height, width, seed):
    page = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    kept = keep_faint(page, blackened(page))
    assert kept.shape == page.shape
    assert (kept >= blackened(page)).all()
