"""At what size the network sees a page: from the resolution, or from the letters."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lines import set_line

from pagewash.cleaning.scale import LARGE, choose_scale, measure_text_height, resample

KNOWN = (15.0, 45.0)
DATA = Path(__file__).parents[2].parent / "shared/data"


def text_page(x_height: float, lines: int = 24) -> np.ndarray:
    """White page with lines of small letters of about this height in pixels."""
    drawn = 32  # large, then reduced, so that small letters are as blurred as a scan's
    page = np.full((lines * 2 * drawn, 60 * drawn), 255, np.uint8)
    for line in range(lines):
        where = (drawn, line * 2 * drawn + 44)
        words = "n e v o s   a n   x u r m o   c e a   w o n e z u"  # letters that don't touch
        set_line(page, words, where, 60, bold=1)
    letter = np.full((4 * drawn, 4 * drawn), 255, np.uint8)
    set_line(letter, "x", (drawn, 3 * drawn), 60, bold=1)
    factor = x_height / np.count_nonzero((letter < 128).any(axis=1))
    return cv2.resize(page, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


def blank(height: float, width: float) -> np.ndarray:
    return np.full((round(height), round(width)), 255, np.uint8)


@pytest.mark.parametrize(
    ("dpi", "scale"),
    [(75, 2), (100, 2), (150, 2), (200, 2), (300, 1), (400, 1), (600, 0.5), (1200, 0.25)],
)
def test_the_resolution_of_a_page_decides_where_no_letters_speak(dpi, scale):
    page = blank(6 * dpi, 4 * dpi)
    assert choose_scale(page, (dpi, dpi), KNOWN) == scale


def test_a_page_that_says_nothing_stays_as_it_is():
    assert choose_scale(blank(3000, 2000), None, KNOWN) == 1
    assert choose_scale(blank(1, 1), (600, 600), KNOWN) == 1


@pytest.mark.parametrize(
    ("x_height", "scale"), [(4, 4), (9, 2), (12, 2), (20, 1), (30, 1), (60, 0.5)]
)
@pytest.mark.parametrize("dpi", [None, (72.0, 72.0), (96.0, 96.0), (1.0, 1.0), (9999.0, 9999.0)])
def test_letters_are_measured_where_the_resolution_is_missing_or_a_default(x_height, scale, dpi):
    assert choose_scale(text_page(x_height), dpi, KNOWN) == scale


@pytest.mark.parametrize(("x_height", "dpi"), [(18, 600), (18, 75)])
def test_letters_that_contradict_the_resolution_win(x_height, dpi):
    assert choose_scale(text_page(x_height), (dpi, dpi), KNOWN) == 1


def test_a_tiny_page_is_measured_whatever_its_resolution_says():
    page = text_page(5, lines=60)  # as A4 at 72 dpi
    assert max(page.shape) / 300 < 4
    assert choose_scale(page, (300, 300), KNOWN) == choose_scale(page, None, KNOWN) > 1
    assert choose_scale(blank(*page.shape), (300, 300), KNOWN) == 1


def test_small_print_at_600_dpi_is_halved_as_long_as_the_network_knows_its_size():
    assert choose_scale(text_page(28), (600, 600), KNOWN) == 0.5
    assert choose_scale(text_page(28), None, KNOWN) == 1


@pytest.mark.parametrize(("x_height", "scale"), [(11, 2), (14, 2), (18, 1)])
def test_a_small_page_of_unknown_resolution_is_enlarged_a_little_sooner(x_height, scale):
    page = text_page(x_height)
    assert choose_scale(page, None, KNOWN) == scale
    large = np.pad(page, ((0, 1200), (0, 1200)), constant_values=255)
    assert choose_scale(large, None, KNOWN) == (1 if x_height == 14 else scale)


def test_tall_letters_of_a_small_page_are_not_reduced_to_save_work():
    small = text_page(38)
    assert choose_scale(small, None, KNOWN) == 1
    most = int(np.ceil(np.sqrt(LARGE / small.size)))
    assert choose_scale(np.tile(small, (most, most)), None, KNOWN) == 0.5


def test_a_large_page_is_not_enlarged():
    assert choose_scale(blank(4000, 3000), (100, 100), KNOWN) == 1


@pytest.mark.parametrize("x_height", [5, 8, 12, 20, 40])
def test_the_height_of_letters_is_measured(x_height):
    assert measure_text_height(text_page(x_height)) == pytest.approx(x_height, rel=0.25)


@pytest.mark.parametrize("quarters", [1, 2, 3])
@pytest.mark.parametrize("x_height", [8, 20])
def test_a_page_that_lies_on_its_side_is_measured_as_one_that_stands(x_height, quarters):
    page = text_page(x_height)
    turned = measure_text_height(np.ascontiguousarray(np.rot90(page, quarters)))
    assert turned == measure_text_height(page)


def test_letters_are_measured_on_dirty_paper():
    rng = np.random.default_rng(0)
    page = text_page(20).astype(np.float32)
    page *= np.linspace(0.5, 1, page.shape[1], dtype=np.float32)
    page[rng.random(page.shape) < 0.003] = 40
    page += rng.normal(0, 6, page.shape).astype(np.float32)
    assert measure_text_height(page.clip(0, 255).astype(np.uint8)) == pytest.approx(20, rel=0.25)


@pytest.mark.parametrize("top", [0, 2000], ids=["at the top", "in the middle"])
def test_letters_of_a_very_large_page_are_found_wherever_they_stand(top):
    text = text_page(20)
    page = blank(5000, 3000)
    assert page.size > LARGE
    page[top : top + text.shape[0], 1000 : 1000 + text.shape[1]] = text
    assert measure_text_height(page) == pytest.approx(20, rel=0.25)


def test_a_strip_of_few_rows_has_no_letters():
    assert measure_text_height(blank(1, LARGE + 4)) is None
    assert measure_text_height(blank(1, 4)) is None


@pytest.mark.parametrize("sigma", [0, 5, 40])
def test_noise_is_not_taken_for_letters(sigma):
    page = np.random.default_rng(0).normal(200, sigma, (1200, 900)).clip(0, 255)
    assert measure_text_height(page.astype(np.uint8)) is None


@given(st.integers(1, 90), st.integers(1, 90), st.sampled_from([0.25, 0.5, 1, 2, 4]))
def test_a_resampled_page_covers_all_of_the_page(height, width, scale):
    page = np.full((height, width), 77, np.uint8)
    view = resample(page, scale)
    assert view.shape == (np.ceil(height * scale), np.ceil(width * scale))
    assert (view == 77).all()


def test_a_reduced_page_is_the_mean_of_its_blocks():
    page = np.random.default_rng(0).integers(0, 256, (40, 60), dtype=np.uint8)
    blocks = page.reshape(20, 2, 30, 2).astype(float).mean((1, 3))
    assert np.abs(resample(page, 0.5) - blocks).max() <= 0.5


def test_a_page_at_its_own_size_is_not_copied():
    page = blank(10, 10)
    assert resample(page, 1) is page


@pytest.mark.skipif(not DATA.exists(), reason="needs the real scans of ../shared/data")
@pytest.mark.parametrize(
    ("page", "height"),
    [
        ("fondue_en_print/dracula_052.png", 24),
        ("gallicorpora_17c/bpt6k6551882q_f22.jpg", 24),
        ("loc_inkbench/mss83434314-25.jpg", 16),
        ("sroie/receipt_603.jpg", 25),
    ],
)
def test_the_letters_of_real_scans_are_measured_at_any_resolution(page, height):
    grey = cv2.imread(str(DATA / "ocr" / page), cv2.IMREAD_GRAYSCALE)
    half = cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    assert measure_text_height(grey) == pytest.approx(height, rel=0.3)
    assert measure_text_height(half) == pytest.approx(height / 2, rel=0.3)


@pytest.mark.skipif(not DATA.exists(), reason="needs the real scans of ../shared/data")
@pytest.mark.parametrize("page", ["2010-H07", "2010-H09", "2011-HW1", "2011-PR6", "2009-H04"])
def test_handwriting_and_dirt_are_not_measured(page):
    grey = cv2.imread(str(DATA / f"dibco/{page[:4]}/img/{page}.png"), cv2.IMREAD_GRAYSCALE)
    assert choose_scale(grey, None, KNOWN) == 1
