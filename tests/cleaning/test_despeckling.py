"""Dust on pages of one bit goes; full stops, dots of letters and rows of dots stay."""

import cv2
import numpy as np
import pytest
from lines import set_line

from pagewash.cleaning.despeckling import find_specks, is_bilevel

HEIGHT, WIDTH = 600, 640


def printed() -> np.ndarray:
    """Lines with full stops and dots, in black and white."""
    page = np.full((HEIGHT, WIDTH), 255, np.uint8)
    for y in range(60, HEIGHT - 40, 40):
        set_line(page, "in it, a lily. i.e. this", (50, y), 30, bold=1)
    return in_one_bit(page)


def in_one_bit(page: np.ndarray) -> np.ndarray:
    return np.where(page < 128, np.uint8(0), np.uint8(255))


def with_dust(page: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The page with single pixels of dust between its lines, and those alone."""
    dust = np.zeros(page.shape, bool)
    rng = np.random.default_rng(0)
    dust[rng.integers(0, HEIGHT, 60), rng.integers(0, WIDTH, 60)] = True
    near = cv2.dilate(255 - page, np.ones((15, 15), np.uint8)) > 0
    dust &= ~near
    return np.where(dust, np.uint8(0), page), dust


def test_dust_goes_and_nothing_else_does():
    page, dust = with_dust(printed())
    specks = find_specks(page) > 0
    assert not (specks & ~dust).any()
    assert specks.sum() > 0.7 * dust.sum() > 20  # what lies close together may be a pattern


def test_a_page_without_dust_has_no_specks():
    assert find_specks(printed()) is None


@pytest.mark.parametrize("width", [1, 2, 3])
def test_full_stops_stay_whatever_the_size_of_the_print(width):
    page = np.full((700, 1200), 255, np.uint8)
    for y in range(60, 680, 60):
        set_line(page, "i. ii. iii. ill. lil. il", (30, y), 15 * width, bold=0.5)
    assert find_specks(in_one_bit(page)) is None


@pytest.mark.parametrize("apart", [3, 6])
def test_rows_of_dots_and_screened_pictures_stay(apart):
    page = printed()
    page[550:590:apart, 50:600:apart] = 0  # single pixels
    assert find_specks(page) is None


def test_a_drawing_keeps_its_specks():
    page = np.full((HEIGHT, WIDTH), 255, np.uint8)
    cv2.circle(page, (300, 300), 150, 0, 3)
    page[100, 100] = 0
    assert find_specks(in_one_bit(page)) is None


def test_only_black_and_white_is_bilevel():
    assert is_bilevel(printed())
    assert not is_bilevel(np.full((9, 9), 254, np.uint8))


@pytest.mark.parametrize("shape", [(1, 1), (3, 500)])
@pytest.mark.parametrize("level", [0, 255])
def test_a_page_of_any_size_may_be_asked_about(shape, level):
    assert find_specks(np.full(shape, level, np.uint8)) is None
