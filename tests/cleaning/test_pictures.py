"""Pictures keep their tones on paper of any colour; nothing else is taken for one."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pagewash.cleaning.pictures import find_pictures, on_white_paper

PICTURE = np.s_[104:304, 96:400]


def tones() -> np.ndarray:
    """400 x 496 pixels of white paper with a picture from light grey, on the left, to black."""
    page = np.full((400, 496), 255, np.float32)
    page[PICTURE] = np.linspace(235, 0, 304)
    return page


def scanned(page: np.ndarray, paper: float = 255, uneven: float = 0.0) -> np.ndarray:
    """The page on paper of a tone that falls from left to right by a share."""
    light = 1 - uneven * np.linspace(0, 1, page.shape[1])
    return np.round(page * light * (paper / 255)).astype(np.uint8)


def bleached(page: np.ndarray, lightest: int = 160) -> np.ndarray:
    """What a network makes of a page whose lighter tones it takes for paper."""
    return np.where(page > lightest, 255, page).astype(np.uint8)


@pytest.mark.parametrize("uneven", [0.0, 0.1])
@pytest.mark.parametrize("paper", [255, 240, 200])
def test_a_picture_is_found_on_paper_of_any_tone(paper, uneven):
    page = scanned(tones(), paper, uneven)
    assert find_pictures(page, bleached(page, 120)) == [PICTURE]


@pytest.mark.parametrize("paper", [255, 252])
def test_a_picture_on_white_paper_stays_as_scanned(paper):
    page = scanned(tones(), paper)
    assert np.array_equal(on_white_paper(page, bleached(page), PICTURE), page[PICTURE])


@given(st.integers(100, 249))
@settings(max_examples=20)
def test_a_picture_on_toned_paper_gets_its_tones_back(paper):
    page = scanned(tones(), paper)
    inner = np.s_[8:-8, 8:-8]
    shown = on_white_paper(page, bleached(page, paper - 10), PICTURE)
    assert np.abs(shown[inner] - tones()[PICTURE][inner]).max() <= 255 / paper


def test_the_hue_of_the_paper_leaves_a_picture():
    paper = np.array([240, 220, 180], np.float32)
    page = np.round(tones()[..., None] * paper / 255).astype(np.uint8)
    cleaned = cv2.merge([bleached(page[..., 0], 100)] * 3)
    shown = on_white_paper(page, cleaned, PICTURE)[8:-8, 8:-8]
    assert np.ptp(shown.astype(int), axis=2).max() <= 2


def test_paper_at_the_rim_of_a_picture_stays_white():
    page = scanned(tones(), 230)
    page[PICTURE][-4:] = 228  # the picture ends within the last cells
    shown = on_white_paper(page, bleached(page), PICTURE)
    assert (shown[-4:] == 255).all()


def test_a_picture_larger_than_the_paper_that_shows_is_found():
    page = scanned(np.pad(np.full((400, 300), 120, np.float32), 40, constant_values=255), 225)
    assert len(find_pictures(page, bleached(page, 150))) == 1


def test_a_picture_with_more_bleached_sky_than_there_is_paper_is_found():
    picture = np.full((400, 400), 200, np.float32)
    picture[220:] = 60
    page = scanned(np.pad(picture, ((0, 40), (0, 40)), constant_values=255), 230)
    assert find_pictures(page, bleached(page, 150)) == [np.s_[0:400, 0:400]]


CUTS = [
    np.s_[104:],
    np.s_[:301],
    np.s_[:, 104:],
    np.s_[:, :397],
    np.s_[112:, 104:],
    np.s_[:302, 200:390],
]


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("paper", [255, 215])
def test_a_picture_that_ends_with_the_page_keeps_its_tones_up_to_the_edge(cut, paper):
    inside = np.zeros((400, 496), bool)
    inside[PICTURE] = True
    page, inside = scanned(tones(), paper)[cut], inside[cut]
    cleaned = bleached(page, 120)
    (box,) = find_pictures(page, cleaned)
    assert inside[box].all()
    assert inside.sum() == inside[box].size
    known = cv2.erode(inside.astype(np.uint8), np.ones((17, 17)), borderValue=1)[box] > 0
    assert np.abs(on_white_paper(page, cleaned, box) - tones()[cut][box])[known].max() <= 2


def test_a_picture_on_a_large_page_is_found_in_squares_as_much_larger():
    page = np.full((3600, 3500), 225, np.uint8)
    page[1600:2400, 800:] = 100
    (box,) = find_pictures(page, bleached(page, 200))
    assert box == np.s_[1600:2400, 800:3500]
    assert (on_white_paper(page, bleached(page, 200), box) == round(100 * 255 / 225)).all()


@pytest.mark.parametrize("paper", [255, 215])
def test_a_blot_is_no_picture(paper):
    page = np.full((400, 496), 255, np.float32)
    cv2.ellipse(page, (240, 200), (140, 90), 0, 0, 360, 235, -1)
    cv2.ellipse(page, (240, 200), (120, 80), 0, 0, 360, 100, -1)
    page = scanned(page, paper)
    assert find_pictures(page, bleached(page, 120)) == []


@pytest.mark.parametrize("ground", [255, 235])
def test_a_darker_sheet_on_the_page_is_no_picture(ground):
    page = np.full((600, 600), ground, np.uint8)
    page[104:504, 96:496] = 190
    for top in range(140, 480, 32):
        page[top : top + 12, 120:470:6] = 40
    assert find_pictures(page, bleached(page)) == []


def test_a_page_without_paper_has_no_pictures():
    page = np.full((400, 500), 30, np.uint8)
    assert find_pictures(page, page) == []


@given(st.integers(1, 130), st.integers(1, 130))
@settings(max_examples=20)
def test_a_page_of_any_size_is_answered(height, width):
    page = np.random.default_rng(0).integers(0, 256, (height, width), dtype=np.uint8)
    for box in find_pictures(page, page):
        assert on_white_paper(page, page, box).shape == page[box].shape
