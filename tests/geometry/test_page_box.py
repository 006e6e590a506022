"""The page on its scan: no stroke of it is left outside."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pagewash.geometry.page_box import find_page_box

MOST = st.integers(100, 140)


@settings(max_examples=12)
@given(MOST, MOST, st.integers(2, 9))
def test_strokes_that_touch_the_pages_edge_are_inside(left, top, thickness):
    scan = np.full((1500, 1100), 14, np.uint8)
    right, bottom = 1100 - left, 1500 - top
    scan[top:bottom, left:right] = 225
    cleaned = np.full_like(scan, 255)
    for edge in (np.s_[top + 300 : top + 420, left : left + thickness],
                 np.s_[top + 300 : top + 420, right - thickness : right],
                 np.s_[top : top + thickness, 400:520],
                 np.s_[bottom - thickness : bottom, 400:520]):  # fmt: skip
        scan[edge], cleaned[edge] = 60, 30
    x0, y0, x1, y1 = find_page_box(scan, cleaned)
    assert x0 <= left
    assert y0 <= top
    assert x1 >= right
    assert y1 >= bottom
    assert (x1 - x0) * (y1 - y0) < 1.03 * (right - left) * (bottom - top)
