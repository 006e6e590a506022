"""One size for pages of a document that are nearly of one size."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagewash.geometry.page_size import NEARLY, Size, with_common_size
from pagewash.geometry.transform import UNCHANGED, PageTransform

SHAPE = (1000, 800)
NO_INK = np.zeros((0, 2))


def cropped(width: int, height: int, quarters: int = 0) -> PageTransform:
    return PageTransform(0.0, quarters, ((50, 40, 50 + width, 40 + height),))


def size(transform: PageTransform) -> Size:
    left, top, right, bottom = transform.boxes[0]
    return right - left, bottom - top


@given(st.integers(-9, 9), st.integers(-12, 12))
def test_a_page_of_nearly_the_same_size_gets_it_around_its_own_middle(wider, higher):
    sizes: list[Size] = []
    first = with_common_size(cropped(700, 900), SHAPE, NO_INK, sizes)
    second = with_common_size(cropped(700 + wider, 900 + higher), SHAPE, NO_INK, sizes)
    assert size(first) == size(second) == (700, 900)
    assert sizes == [(700, 900)]
    assert second.boxes[0][0] == pytest.approx(50 + wider / 2, abs=1)


def test_a_page_of_another_size_keeps_it_and_sets_it_for_those_that_follow():
    sizes = [(700, 900)]
    assert size(with_common_size(cropped(600, 400), SHAPE, NO_INK, sizes)) == (600, 400)
    assert size(with_common_size(cropped(604, 398), SHAPE, NO_INK, sizes)) == (600, 400)
    assert size(with_common_size(cropped(698, 903), SHAPE, NO_INK, sizes)) == (700, 900)


def test_a_page_that_is_turned_has_the_size_it_is_read_in():
    sizes = [(900, 700)]
    turned = with_common_size(cropped(706, 896, quarters=1), SHAPE, NO_INK, sizes)
    assert size(turned) == (700, 900)


def test_no_ink_is_lost_for_the_sake_of_a_size():
    ink, own = np.array([(51.0, 500.0)]), cropped(round(700 * (1 + NEARLY) - 1), 900)
    assert with_common_size(own, SHAPE, ink, [(700, 900)]) == own


def test_pages_that_have_one_size_already_and_two_on_a_scan_stay_as_they_are():
    two = PageTransform(boxes=((0, 0, 400, 1000), (400, 0, 800, 1000)))
    assert with_common_size(two, SHAPE, NO_INK, [(401, 1000)]) == two
    assert with_common_size(UNCHANGED, SHAPE, NO_INK, [(800, 1000)]) == UNCHANGED
