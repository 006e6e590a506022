"""Skew: known angles, another library's opinion, and pages that have none."""

import cv2
import numpy as np
import pytest
from deskew import determine_skew
from hypothesis import given, settings
from hypothesis import strategies as st
from lines import WORDS, lines_page, turned
from PIL import Image, ImageDraw, ImageFont

from pagewash.geometry.page_geometry import measure_geometry
from pagewash.geometry.skew import LARGEST_SKEW, NO_SKEW, SURE, find_skew
from pagewash.measuring.strokes import Strokes, components
from pagewash.pages import Page


@pytest.mark.parametrize("angle", [-10, -3.3, -0.4, 0, 0.2, 1.7, 9.5])
def test_the_angle_of_lines_is_found_to_a_twentieth_of_a_degree(angle):
    skew = find_skew(lines_page(angle=angle))
    assert skew.angle == pytest.approx(angle, abs=0.05)
    assert skew.confidence > SURE
    assert not skew.vertical


@settings(max_examples=8)
@given(st.floats(-8, 8), st.integers(0, 1000))
def test_turning_a_page_adds_to_its_skew(angle, seed):
    page = lines_page(seed=seed, angle=1.0)
    before, after = find_skew(page), find_skew(turned(page, angle))
    assert after.angle - before.angle == pytest.approx(angle, abs=0.06)


def test_another_library_finds_the_same_angle():
    page = lines_page(angle=4.0)
    assert find_skew(page).angle == pytest.approx(-determine_skew(page), abs=0.6)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_page_that_lies_on_its_side_leans_by_the_same_angle(quarters):
    page = np.ascontiguousarray(np.rot90(lines_page(angle=2.5), quarters))
    skew = find_skew(page)
    assert skew.angle == pytest.approx(2.5, abs=0.05)
    assert skew.vertical == (quarters != 2)


def test_a_fold_across_the_page_does_not_outweigh_its_lines():
    page = 255 - (255 - lines_page((1000, 800), angle=0)) // 3 * 2
    page[:, 250:] = 255
    cv2.line(page, (230, 0), (260, 999), 0, 7)
    skew = find_skew(page)
    assert skew.angle == pytest.approx(0, abs=0.1)
    assert not skew.vertical


@pytest.mark.parametrize("seed", range(3))
def test_a_fold_does_not_outweigh_small_print_beside_it(seed):
    """It once did, by 1.7 degrees, and surely: its two edges are as high as they are long."""
    image = Image.new("L", (800, 1000), 255)
    drawn = ImageDraw.Draw(image)
    for y in range(80, 940, 32):
        words = " ".join(np.random.default_rng([seed, y]).permutation(WORDS))
        drawn.text((70, y), words, 85, ImageFont.load_default(16))
    page = np.array(image)
    page[:, 250:] = 255
    cv2.line(page, (230, 0), (260, 999), 0, 7)
    assert find_skew(page).angle == pytest.approx(0, abs=0.1)


def test_colour_and_toned_paper_change_nothing():
    page = lines_page(angle=-2.0)
    toned = np.stack([page * 0.9, page * 0.8, page * 0.6], 2).astype(np.uint8)
    assert find_skew(toned).angle == pytest.approx(find_skew(page).angle, abs=0.02)


@pytest.mark.parametrize("shape", [(1, 1), (20, 900), (300, 200), (1400, 1000)])
def test_a_blank_page_has_no_skew(shape):
    assert find_skew(np.full(shape, 255, np.uint8)) == NO_SKEW


@pytest.mark.parametrize("row", [0, 500])
def test_one_row_of_dots_is_a_line_wherever_it_stands(row):
    """At the top all edges lie in one half of the page; elsewhere they cancel out by columns."""
    mask = np.zeros((1000, 1600), np.uint8)
    mask[row, 100:1500:2] = 255
    strokes = Strokes(mask, components(mask))
    assert find_skew(255 - mask, strokes).angle == pytest.approx(0, abs=0.05)


def test_specks_without_lines_give_no_confidence():
    random = np.random.default_rng(0)
    page = np.full((900, 700), 255, np.uint8)
    for y, x in random.integers(10, 690, (900, 2)):
        page[y : y + 6, x : x + 5] = 0
    assert find_skew(page).confidence < SURE


def test_a_page_whose_halves_lean_differently_is_left_in_doubt():
    page = np.vstack([lines_page((600, 800), angle=1.0), lines_page((600, 800), angle=-1.0)])
    assert find_skew(page).confidence < SURE


def test_more_than_the_largest_angle_is_no_skew():
    assert find_skew(lines_page((900, 900), angle=LARGEST_SKEW + 10)).confidence < SURE


@pytest.mark.parametrize("shape", [(1, 1), (3, 5000), (64, 20000), (9000, 70), (64, 64)])
def test_strips_and_specks_can_be_measured_too(shape):
    page = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    found = measure_geometry(page, Page(page))
    assert 0 <= found.skew_confidence <= 1
    assert len(found.page_box) == 4
