"""The measures of DIBCO, against doxapy and scikit-image."""

import cv2
import doxapy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lines import set_line
from skimage.filters import threshold_otsu
from skimage.morphology import thin

from pagewash.errors import OptionError
from pagewash.evaluation.dibco import (
    bilevel_psnr,
    drd,
    f_measure,
    ink_by_otsu,
    pseudo_f_measure,
    skeleton,
)


def word(weight: int = 3) -> np.ndarray:
    """A mask of 64 x 200 px with words in it, clear of the edges, heavier by so many pixels."""
    page = np.zeros((64, 200), np.uint8)
    set_line(page, "ink, 2011", (12, 44), 30, 255, bold=0.5)
    return cv2.dilate(page, np.ones((weight, weight), np.uint8)) > 127


def doxa(ink: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """What doxapy says of the same masks; there, ink is 0."""
    return doxapy.calculate_performance(
        *(np.where(m, 0, 255).astype(np.uint8) for m in (truth, ink))
    )


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.floats(0.001, 0.2))
def test_f_measure_and_psnr_agree_with_doxapy(seed, wrong):
    truth = word()
    ink = truth ^ (np.random.default_rng(seed).random(truth.shape) < wrong)
    expected = doxa(ink, truth)
    assert f_measure(ink, truth) == pytest.approx(expected["fm"], abs=1e-6)
    if not np.array_equal(ink, truth):
        assert bilevel_psnr(ink, truth) == pytest.approx(expected["psnr"], abs=1e-6)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.floats(0.001, 0.2))
def test_drd_agrees_with_doxapy_where_it_counts_the_same_blocks(seed, wrong):
    # doxapy leaves the last row and column of a block out when it looks for both colours:
    # squares that span 3 to 5 of 8 px look the same either way
    cell = np.zeros((8, 8), bool)
    cell[2:5, 2:6] = True
    truth = np.tile(cell, (6, 9))
    inside = np.zeros_like(truth)
    inside[2:-2, 2:-2] = True
    ink = truth ^ (inside & (np.random.default_rng(seed).random(truth.shape) < wrong))
    assert drd(ink, truth) == pytest.approx(doxa(ink, truth)["drdm"], abs=1e-4)


def test_one_wrong_pixel_far_from_ink_distorts_most():
    truth = word()
    beside, away = truth.copy(), truth.copy()
    row, column = np.argwhere(truth)[0]
    beside[row - 1, column] = True
    away[3, 3] = True
    assert 0 < drd(beside, truth) < drd(away, truth)
    assert drd(truth, truth) == 0


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.95))
def test_the_skeleton_is_that_of_scikit_image(seed, share):
    noise = np.random.default_rng(seed).random((30, 40)).astype(np.float32)
    mask = cv2.GaussianBlur(noise, (0, 0), 1.5) < np.quantile(noise, share)
    assert np.array_equal(skeleton(mask), thin(mask))


def test_the_skeleton_of_a_word_is_thin_and_whole():
    mask = word()
    thinned = skeleton(mask)
    assert np.array_equal(thinned, thin(mask))
    parts = [
        cv2.connectedComponents(m.astype(np.uint8), connectivity=8)[0] for m in (mask, thinned)
    ]
    assert parts[0] == parts[1]
    assert not skeleton(np.zeros((5, 5), bool)).any()


def test_pseudo_f_forgives_ink_that_is_thin_but_not_ink_that_is_gone():
    truth, slim = word(3), word(1)
    assert pseudo_f_measure(slim, truth) > 90 > f_measure(slim, truth)
    half = truth.copy()
    half[:, 100:] = False
    assert pseudo_f_measure(half, truth) < 90


def test_equal_masks_are_perfect_and_disjoint_ones_are_nothing():
    truth = word()
    assert (f_measure(truth, truth), pseudo_f_measure(truth, truth)) == (100, 100)
    assert bilevel_psnr(truth, truth) == float("inf")
    assert f_measure(~truth, truth) == 0


def test_otsu_finds_the_same_ink_as_scikit_image():
    rng = np.random.default_rng(0)
    page = np.where(word(), 70, 190) + rng.normal(0, 25, word().shape)
    page = page.clip(0, 255).astype(np.uint8)
    assert np.array_equal(ink_by_otsu(page), page <= threshold_otsu(page))


@pytest.mark.parametrize("measure", [f_measure, pseudo_f_measure, bilevel_psnr, drd])
def test_masks_of_two_shapes_are_refused(measure):
    with pytest.raises(OptionError, match="cannot be compared"):
        measure(np.zeros((20, 30), bool), np.zeros((30, 20), bool))
