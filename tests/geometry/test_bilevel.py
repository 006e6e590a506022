"""One bit: every stroke by its own darkness, pictures told apart."""

import numpy as np
import pytest
from lines import lines_page, set_line
from PIL import Image

from pagewash.geometry.bilevel import halftone, has_pictures, one_bit_levels


def test_black_text_is_cut_at_half_its_darkness_but_for_the_thinnest_of_it():
    page = lines_page()
    ink = one_bit_levels(page) < 128
    assert ink[page < 100].all()
    assert ink[page > 160].sum() < 0.02 * ink.sum()
    assert not ink[page > 180].any()


@pytest.mark.parametrize("level", [0, 100, 180, 200])
def test_faint_strokes_stay_beside_black_ones(level):
    page = np.full((200, 200), 255, np.uint8)
    page[50:53, 20:180] = 0
    page[62:65, 20:180] = level
    assert (one_bit_levels(page)[62:65, 20:180] < 128).all()


@pytest.mark.parametrize("turn", range(4))
def test_pale_hairlines_join_stems_and_gaps_as_dark_part_them(turn):
    page = np.full((200, 200), 255, np.uint8)
    page[50:150, [60, 61, 62, 70, 71, 72]] = 0
    page[100, 63:70] = 160
    page[50:150, [120, 121, 122, 125, 126, 127]] = 0
    page[50:150, 123:125] = 160
    ink = np.rot90(one_bit_levels(np.rot90(page, turn).copy()) < 128, -turn)
    assert ink[100, 60:73].all()
    assert not ink[52:148, 123:125].any()


def test_what_is_left_of_paper_is_no_ink():
    random = np.random.default_rng(0)
    page = random.integers(215, 256, (200, 200), dtype=np.uint8)
    assert (one_bit_levels(page) >= 128).all()


def test_a_text_page_has_no_picture_and_one_with_a_photograph_has():
    page = lines_page()
    assert not has_pictures(page)
    page[300:700, 200:600] = np.linspace(20, 170, 400, dtype=np.uint8)[:, None]
    assert has_pictures(page)


@pytest.mark.parametrize("level", [120, 190, 230])
def test_tinted_cells_are_pictures_and_large_or_faint_letters_are_none(level):
    page = lines_page((1600, 1200))
    set_line(page, "PAGEWASH", (80, 900), 160, bold=4)
    set_line(page, "pencil", (80, 1200), 60, level=170)
    assert not has_pictures(page)
    for left in range(100, 1100, 200):
        page[1300:1400, left : left + 120] = level
    assert has_pictures(page)


@pytest.mark.parametrize("shape", [(1, 1), (5, 300), (40, 40)])
def test_small_pages_are_no_trouble(shape):
    page = np.full(shape, 255, np.uint8)
    assert not has_pictures(page)
    assert (one_bit_levels(page) == 255).all()


def test_a_halftone_has_two_levels_and_the_mean_of_the_picture():
    picture = np.full((64, 64), 96, np.uint8)
    dots = halftone(picture)
    assert set(np.unique(dots)) == {0, 255}
    assert dots.mean() == pytest.approx(96, abs=3)
    assert np.array_equal(dots > 0, np.asarray(Image.fromarray(picture).convert("1")))
