"""A page's summary: what each block says, and that turning a page turns it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pagewash.cleaning.page_summary import summarise_page
from pagewash.models.page_autoencoder import BLOCK, SUMMARY_CHANNELS


def test_a_flat_page_has_its_colour_in_mean_and_brightest_and_no_spread():
    page = np.full((40, 64, 3), (200, 150, 100), np.uint8)
    summary = summarise_page(page)
    assert summary.shape == (SUMMARY_CHANNELS, 3, 4)
    colour = np.array([200, 150, 100]) / 255
    assert np.allclose(summary[0:3].mean((1, 2)), colour, atol=1e-3)
    assert np.allclose(summary[3:6].mean((1, 2)), colour, atol=1e-3)
    assert summary[7].max() == 0
    assert (summary[8] == 1).all()


def test_a_thin_faint_stroke_survives_in_darkest_and_spread():
    page = np.full((64, 64), 220, np.uint8)
    page[20:22, 16:32] = 150
    summary = summarise_page(page)
    assert summary[6, 1, 1] < 0.6 < summary[6, 0, 0]
    assert summary[7, 1, 1] > 0.2
    assert summary[7, 0, 0] == 0


def test_a_grey_page_and_three_equal_channels_say_the_same():
    page = np.random.default_rng(0).integers(0, 256, (100, 90), np.uint8)
    in_colour = np.repeat(page[..., None], 3, 2)
    assert np.abs(summarise_page(page) - summarise_page(in_colour)).max() <= 1 / 255


@settings(max_examples=20)
@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 3), st.integers(0, 2**32 - 1))
def test_a_turned_page_has_the_turned_summary(rows, columns, quarters, seed):
    rng = np.random.default_rng(seed)
    page = rng.integers(0, 256, (rows * BLOCK, columns * BLOCK, 3), np.uint8)
    turned = np.ascontiguousarray(np.rot90(page, quarters))
    expected = np.rot90(summarise_page(page), quarters, (1, 2))
    assert np.allclose(summarise_page(turned), expected, atol=2e-2)


@pytest.mark.parametrize("shape", [(1, 1), (17, 15), (31, 48)])
def test_pages_of_any_size_fill_their_last_blocks(shape):
    summary = summarise_page(np.full(shape, 99, np.uint8))
    assert summary.shape[1:] == tuple(-(-length // BLOCK) for length in shape)
    assert np.allclose(summary[0], 99 / 255, atol=1e-3)
