"""Colour to grey, by one conversion, and whether there is any."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagewash.grey import LUMA, is_grey, luminance

SHAPES = st.tuples(st.integers(1, 20), st.integers(1, 20))


@given(SHAPES, st.integers(0, 2**32 - 1))
def test_grey_is_the_weighted_sum_of_red_green_and_blue(shape, seed):
    page = np.random.default_rng(seed).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert np.abs(luminance(page) - page @ LUMA).max() <= 0.51
    floats = page.astype(np.float32) / 255
    assert np.allclose(luminance(floats), floats @ LUMA, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_three_equal_channels_are_that_channel_and_a_grey_page_stays_itself(dtype):
    grey = np.arange(256).reshape(16, 16).astype(dtype)
    assert luminance(grey) is grey
    same = luminance(np.repeat(grey[..., None], 3, axis=2))
    assert same.dtype == dtype
    assert np.allclose(same, grey, rtol=1e-6)


def test_a_page_of_one_channel_or_of_three_equal_ones_is_grey():
    grey = np.random.default_rng(0).integers(0, 256, (40, 30), dtype=np.uint8)
    assert is_grey(grey)
    assert is_grey(np.repeat(grey[..., None], 3, axis=2))


@pytest.mark.parametrize("row", [0, 17, 39])
@pytest.mark.parametrize("channel", [0, 1, 2])
def test_one_pixel_of_colour_in_any_row_makes_a_page_no_grey_one(row, channel):
    page = np.full((40, 30, 3), 200, np.uint8)
    page[row, 7, channel] = 201
    assert not is_grey(page)
