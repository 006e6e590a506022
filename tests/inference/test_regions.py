"""Rectangles of a page: in arrays, at other sizes, and beyond the page's edges."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagewash.inference.regions import Region, cut_window, reflect


def random_page(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@given(st.integers(1, 20), st.integers(-100, 100), st.integers(1, 60))
def test_reflection_is_that_of_numpy(length, start, count):
    axis = np.arange(length)
    before, after = max(0, -start), max(0, start + count - length)
    padded = np.pad(axis, (before, after), mode="reflect")
    expected = padded[start + before : start + before + count]
    assert np.array_equal(axis[reflect(np.arange(start, start + count), length)], expected)


@pytest.mark.parametrize("channels", [(), (3,)])
def test_a_window_beyond_the_page_shows_its_reflection(channels):
    page = random_page(30, 20, *channels)
    window = Region(range(-5, 25), range(4, 28))
    padded = np.pad(page, [(5, 0), (0, 8), *((0, 0) for _ in channels)], mode="reflect")
    assert np.array_equal(cut_window(page, window), padded[:30, 4:])


def test_a_window_inside_the_page_is_not_copied():
    page = random_page(100, 100)
    assert np.shares_memory(cut_window(page, Region(range(10, 60), range(100))), page)


def test_a_region_of_a_page_seen_reduced_stops_at_the_edge_of_the_page():
    core = Region(range(8, 18), range(16, 26))
    on_page = core.scaled(2).clipped((35, 100))
    assert on_page == Region(range(16, 35), range(32, 52))
    assert (on_page.shape, on_page.pixels) == ((19, 20), 380)


@pytest.mark.parametrize("factor", [0.25, 0.5, 1, 2, 4])
def test_scales_of_a_power_of_two_can_be_undone(factor):
    region = Region(range(-32, 64), range(32, 160))
    assert region.scaled(factor).scaled(1 / factor) == region


@given(st.integers(0, 50), st.integers(0, 50), st.integers(1, 50), st.integers(1, 50))
def test_a_region_within_a_window_is_the_same_part_of_the_page(top, left, height, width):
    page = random_page(100, 100)
    region = Region(range(top, top + height), range(left, left + width))
    window = Region(range(top - 3, 110), range(left - 60, 130))
    seen = cut_window(page, window)[region.within(window).slices]
    assert np.array_equal(seen, page[region.slices])
