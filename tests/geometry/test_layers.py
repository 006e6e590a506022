"""Text and pictures of a page told apart."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from lines import lines_page

from pagewash.geometry.bilevel import one_bit
from pagewash.geometry.layers import split_layers


def pictured(boxes: list[tuple[int, int, int, int]], shape=(1600, 1200)) -> np.ndarray:
    """A page of text with gradients on it."""
    page = lines_page(shape)
    for left, top, right, bottom in boxes:
        page[top:bottom, left:right] = np.linspace(20, 200, right - left, dtype=np.uint8)
    return page


def test_a_page_of_text_has_no_layers():
    assert split_layers(lines_page((1600, 1200))) is None


def test_a_picture_stays_in_its_box_and_text_becomes_one_bit():
    page = pictured([(200, 300, 600, 700)])
    layers = split_layers(page)
    ((left, top, right, bottom),) = layers.pictures
    assert left <= 200 < 600 <= right
    assert top <= 300 < 700 <= bottom
    assert (right - left) * (bottom - top) < 1.5 * 400 * 400
    assert (layers.text[top:bottom, left:right] == 255).all()
    outside = np.ones(page.shape, bool)
    outside[top:bottom, left:right] = False
    assert np.array_equal(layers.text[outside], one_bit(lines_page(page.shape))[outside])


def test_a_tint_stays_as_a_picture_does_even_where_it_is_as_light_as_yellow():
    page = np.repeat(pictured([(200, 300, 600, 700)])[..., None], 3, axis=2)
    page[900:1050, 100:700] = np.minimum(page[900:1050, 100:700], (250, 245, 150))
    assert any(
        left <= 100 < 700 <= right and top <= 900 < 1050 <= bottom
        for left, top, right, bottom in split_layers(page).pictures
    )


def test_a_page_that_is_nearly_all_picture_has_no_layers():
    assert split_layers(pictured([(20, 20, 1180, 1580)])) is None


SIDES = st.integers(5, 99)


@given(
    st.lists(st.tuples(st.integers(0, 700), st.integers(0, 1000), SIDES, SIDES), max_size=8),
    st.tuples(st.integers(400, 1111), st.integers(400, 801)),
)
@settings(max_examples=30)
def test_boxes_lie_on_the_page_and_apart_and_hold_all_that_is_dark_and_wide(boxes, shape):
    page = pictured([(x, y, x + wide, y + high) for x, y, wide, high in boxes])
    page = np.ascontiguousarray(page[: shape[0], : shape[1]])
    layers = split_layers(page)
    if layers is None:
        return
    covered = np.zeros(page.shape, np.uint8)
    for left, top, right, bottom in layers.pictures:
        assert 0 <= left < right <= page.shape[1]
        assert 0 <= top < bottom <= page.shape[0]
        covered[top:bottom, left:right] += 1
    assert covered.max() == 1
    shown = np.where(covered == 1, page, layers.text)
    assert abs(float(shown.mean()) - float(page.mean())) < 6
