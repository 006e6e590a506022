"""Means over blocks are those that numpy finds."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pagewash.blocks import block_means


@given(
    st.sampled_from([1, 2, 3, 4, 5, 6, 9, 12]), st.booleans(), st.booleans(), st.integers(0, 999)
)
def test_block_means_are_the_means_of_blocks(side, coloured, as_bytes, seed):
    shape = (3, 5, 3) if coloured else (3, 5)
    rng = np.random.default_rng(seed)
    page = rng.integers(0, 256, (shape[0] * side, shape[1] * side, *shape[2:])).astype(np.uint8)
    page = page if as_bytes else page.astype(np.float32)
    means = page.reshape(3, side, 5, side, *shape[2:]).mean((1, 3), dtype=np.float64)
    found = block_means(page, side)
    assert found.dtype == page.dtype
    # bytes are rounded at each step by two
    assert np.abs(found - means).max() <= (1.0 if side % 2 == 0 else 0.5001 if as_bytes else 1e-3)
