"""Ink and pictures on spotless paper stay as scanned; everything else is the network's."""

from typing import Any

import cv2
import numpy as np
import pytest
from lines import set_line

from pagewash.cleaning import spotless
from pagewash.cleaning.cleaner import Cleaner

TEXT = np.s_[40:360, 40:360]


def what_stays(*arguments: Any) -> np.ndarray:
    """Where the page stays, also if that is nowhere."""
    stays = spotless.what_stays(*arguments)
    return np.zeros(arguments[0].shape, bool) if stays is None else stays > 0


def lines_of_ink(paper: int = 255, ink: int = 60) -> np.ndarray:
    """400 x 400 pixels of strokes on paper, with soft edges."""
    page = np.full((400, 400), paper, np.uint8)
    for top in range(40, 360, 32):
        page[top : top + 12, 40:360:8] = ink
        page[top : top + 4, 40:360] = ink
    return cv2.blur(page, (3, 3))


def hardened(page: np.ndarray) -> np.ndarray:
    """What a network makes of a page: paper white, edges harder."""
    return np.clip(page.astype(np.float32) * 1.6 - 80, 0, 255).astype(np.uint8)


def test_ink_on_white_paper_stays():
    page = lines_of_ink()
    stays = what_stays(page, hardened(page))
    assert stays[page < 255].all()


@pytest.mark.parametrize("paper", [200, 235, 248])
def test_ink_on_toned_paper_is_the_networks(paper):
    page = lines_of_ink(paper)
    assert not what_stays(page, np.where(page < paper - 20, page, 255).astype(np.uint8)).any()


def test_a_speck_between_the_lines_goes_and_the_ink_stays():
    page = lines_of_ink()
    page[20:22, 200] = 0
    cleaned = hardened(page)
    cleaned[16:26, 190:210] = 255
    stays = what_stays(page, cleaned)
    assert not stays[20:22, 200].any()
    assert stays[TEXT][page[TEXT] < 255].all()


def test_a_stain_on_white_paper_gives_its_surroundings_to_the_network_and_no_more():
    page = np.full((800, 800), 255, np.uint8)
    page[:400, :400] = page[400:, 400:] = lines_of_ink()
    cleaned = hardened(page)
    page[52:80, 40:360] = np.minimum(page[52:80, 40:360], 220)  # of coffee, between two lines
    stays = what_stays(page, cleaned)
    ink = cleaned < 200
    assert not stays[40:120][ink[40:120]].any()
    assert stays[440:][ink[440:]].all()


@pytest.mark.parametrize(("specks", "stay"), [(0.006, True), (0.03, False)])
def test_a_page_mostly_spotless_keeps_the_ink_beside_a_little_dirt_too(specks, stay):
    page = np.full((800, 800), 255, np.uint8)
    page[:400, :400] = page[400:, 400:] = page[400:, :400] = lines_of_ink()
    cleaned = hardened(page)
    ink = cleaned < 200
    paper = cv2.erode((cleaned == 255).astype(np.uint8), np.ones((9, 9))) > 0
    paper &= np.random.default_rng(0).random(page.shape) < specks
    paper[300:] = False
    page[paper] = 200
    stays = what_stays(page, cleaned)
    assert stays[440:][ink[440:]].all()
    assert (stays[60:200][ink[60:200]] == stay).all()


@pytest.mark.parametrize(("paper", "stay"), [(255, True), (225, False)])
def test_inside_a_picture_the_paper_of_the_page_decides(paper, stay):
    page = np.full((900, 900), paper, np.uint8)
    page[100:800, 100:800] = 130
    cleaned = np.where(page == 130, 120, 255).astype(np.uint8)
    assert (what_stays(page, cleaned)[100:800, 100:800] == stay).all()


def test_white_paper_that_the_network_paints_darker_stays_white():
    page = lines_of_ink()
    painted = np.minimum(hardened(page), 246)
    assert what_stays(page, painted)[page > 246].all()


def test_a_page_without_paper_is_the_networks():
    page = np.full((100, 130), 30, np.uint8)
    assert not what_stays(page, page).any()


@pytest.mark.parametrize("shape", [(1, 1), (31, 33), (32, 64), (65, 200)])
def test_a_page_of_any_size_is_answered_pixel_by_pixel(shape):
    page = np.full(shape, 255, np.uint8)
    assert what_stays(page, page).shape == shape


@pytest.mark.parametrize("colour", [False, True])
def test_the_shipped_model_gives_a_clean_page_back_bit_for_bit(colour):
    page: np.ndarray = np.full((400, 600), 255, np.uint8)
    for row in range(60, 360, 50):
        set_line(page, "clean already", (40, row), 42, 30, bold=0.5)
    if colour:
        page = cv2.merge([page, page, np.maximum(page, 150)])  # in blue
    assert np.array_equal(Cleaner.from_pretrained("fast").clean(page, dpi=300), page)


@pytest.mark.parametrize("left", [255, 232, 200])
def test_a_black_border_that_went_does_not_come_back_where_a_grey_haze_is_left(left):
    page = np.full((800, 800), 255, np.uint8)
    page[100:500, 100:500] = lines_of_ink()
    page[660:] = 0
    cleaned = hardened(page)
    cleaned[655:] = left
    assert not what_stays(page, cleaned)[680:].any()
