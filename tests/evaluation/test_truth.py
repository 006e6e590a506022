"""Numbers about a page with a clean original, against scikit-image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from pagewash.errors import OptionError
from pagewash.evaluation.truth import psnr, rmse, ssim


def two_pages(seed: int, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    page = rng.integers(0, 256, shape, dtype=np.uint8)
    other = np.clip(page + rng.normal(0, 25, shape), 0, 255).astype(np.uint8)
    return page, other


def test_black_for_white_is_an_error_of_one():
    black, white = np.zeros((4, 5), np.uint8), np.full((4, 5), 255, np.uint8)
    assert rmse(black, white) == 1.0
    assert psnr(black, white) == 0.0


def test_a_step_of_one_grey_level_is_48_decibels():
    page = np.full((4, 5), 100, np.uint8)
    assert psnr(page, page + 1) == pytest.approx(48.13, abs=0.01)
    assert psnr(page, page) == float("inf")


@pytest.mark.parametrize("shape", [(11, 11), (40, 30), (25, 31, 3)])
@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1))
def test_psnr_and_ssim_agree_with_scikit_image(shape, seed):
    page, other = two_pages(seed, shape)
    expected = structural_similarity(
        page,
        other,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        channel_axis=2 if len(shape) == 3 else None,
    )
    assert ssim(page, other) == pytest.approx(expected, abs=2e-4)
    assert psnr(page, other) == pytest.approx(peak_signal_noise_ratio(page, other), abs=1e-9)


def test_psnr_takes_the_range_that_it_is_given():
    page, other = two_pages(0, (20, 20))
    expected = peak_signal_noise_ratio(page, other, data_range=100)
    assert psnr(page, other, data_range=100) == pytest.approx(expected)


def test_equal_pages_are_wholly_similar():
    page, _ = two_pages(1, (30, 30))
    assert ssim(page, page) == pytest.approx(1)
    assert rmse(page, page) == 0


@pytest.mark.parametrize("measure", [rmse, psnr, ssim])
def test_pages_of_two_shapes_are_refused(measure):
    with pytest.raises(OptionError, match=r"\(20, 30\) cannot be compared with one of \(30, 20\)"):
        measure(np.zeros((20, 30), np.uint8), np.zeros((30, 20), np.uint8))


def test_a_page_smaller_than_the_window_has_no_ssim():
    with pytest.raises(OptionError, match="11 px"):
        ssim(np.zeros((10, 50), np.uint8), np.zeros((10, 50), np.uint8))
