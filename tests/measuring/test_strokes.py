"""What hangs together in a mask is what OpenCV finds, with its boxes, areas and middles."""

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pagewash.measuring.strokes import components, quantile


@given(st.integers(1, 40), st.integers(1, 40), st.floats(0, 1), st.integers(0, 999))
def test_components_are_measured_as_opencv_measures_them(height, width, share, seed):
    there = np.random.default_rng(seed).random((height, width)) < share
    mask = there.astype(np.uint8) * np.uint8(255)
    count, labels, stats, middles = cv2.connectedComponentsWithStats(mask, connectivity=8)
    found = components(mask)
    assert len(found.stats) == count
    assert np.array_equal(found.labels, labels)
    assert np.array_equal(found.stats[1:], stats[1:])
    assert np.allclose(found.middles[1:], middles[1:], rtol=0, atol=1e-9)


@given(st.integers(1, 30), st.integers(1, 30), st.floats(0.01, 1), st.integers(0, 999))
def test_a_level_is_the_lowest_that_a_share_of_what_is_looked_at_does_not_exceed(
    height, width, share, seed
):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width)).astype(np.uint8)
    where = (rng.random((height, width)) < 0.5).astype(np.uint8) * np.uint8(255)
    levels = np.sort(image[where > 0])
    found = quantile(image, share, where)
    if not levels.size:
        assert found == 0
    else:
        assert (levels <= found).mean() >= share - 1e-9
        assert found == 0 or (levels <= found - 1).mean() < share + 1e-9
