"""White that was set around a scan changes nothing of it, and a page's own white stays its own."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import WhiteningNetwork, small_network

from pagewash.cleaning.arguments import page_of
from pagewash.cleaning.cleaner import Cleaner, CleanOptions
from pagewash.cleaning.surround import back_in_white, inside_of_white

CLEANER = Cleaner(
    small_network(), CleanOptions(device="cpu", precision="fp32", on_review="cleaned")
)
WIDTHS = st.tuples(*[st.integers(0, 15)] * 4)


def toned(height: int, width: int) -> np.ndarray:
    """Text on toned paper, in colour."""
    page = np.full((height, width, 3), (225, 210, 180), np.uint8)
    for row in range(20, height - 10, 20):
        cv2.putText(page, "lorem ipsum", (10, row), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (40, 30, 60))
    return page


def in_white(page: np.ndarray, top: int, bottom: int, left: int, right: int) -> np.ndarray:
    around = [(top, bottom), (left, right), (0, 0)][: page.ndim]
    return np.pad(page, around, constant_values=255)


def white_page() -> np.ndarray:
    return np.full((400, 300), 255, np.uint8)


@given(WIDTHS, st.booleans())
@settings(max_examples=10)
def test_a_scan_comes_out_the_same_whatever_white_is_around_it(widths, grey):
    page = toned(240, 200)
    if grey:
        page = np.ascontiguousarray(page[..., 0])
    framed = in_white(page, *widths)
    cleaned = CLEANER.clean(framed)
    assert cleaned.shape == framed.shape
    inside = cleaned[widths[0] :, widths[2] :][: page.shape[0], : page.shape[1]]
    assert np.array_equal(inside, CLEANER.clean(page))
    assert np.array_equal(cleaned, in_white(inside, *widths))


@pytest.mark.parametrize("on_review", ["safe", "original"])
def test_what_is_given_back_is_the_same_whatever_white_is_around_it(on_review):
    lossy = Cleaner(WhiteningNetwork(), CleanOptions(device="cpu", on_review=on_review, tile=4000))
    page = toned(800, 600)
    alone, framed = lossy.clean_pages(
        [page_of(page, 150), page_of(in_white(page, 40, 40, 40, 40), 150)]
    )
    assert alone.given_back > 0
    assert framed.given_back == pytest.approx(alone.given_back * 800 * 600 / (880 * 680))
    assert framed.doubt == alone.doubt
    assert np.array_equal(framed.page.pixels, in_white(alone.page.pixels, 40, 40, 40, 40))


def test_white_that_went_through_a_jpeg_is_found():
    framed = in_white(toned(1200, 1000), 40, 40, 40, 40)
    scan = inside_of_white(cv2.imdecode(cv2.imencode(".jpg", framed)[1], cv2.IMREAD_COLOR))
    assert scan is not None
    assert max(abs(scan.rows.start - 40), abs(scan.columns.stop - 1040)) <= 8


def test_text_tables_frames_and_headings_keep_the_white_of_their_page():
    text, frame, heading, table = (white_page() for _ in range(4))
    cv2.putText(text, "MENE", (20, 200), cv2.FONT_HERSHEY_SIMPLEX, 3, 0, 20)
    cv2.rectangle(frame, (12, 12), (287, 387), 0, 3)
    heading[15:90, 15:285] = 120
    heading[120:380:12, 20:280] = 0
    table[15:385:30, 15:285] = 0
    table[15:385, 15:285:45] = 0
    for page in (text, frame, heading, table, white_page()):
        assert inside_of_white(page) is None


def test_a_picture_on_a_page_keeps_the_white_around_it():
    page = white_page()
    page[60:340, 40:260] = 90
    assert inside_of_white(page) is None


@pytest.mark.parametrize("shape", [(1, 1), (3, 40), (40, 3, 3)])
def test_small_pages_are_no_trouble(shape):
    assert inside_of_white(np.zeros(shape, np.uint8)) is None
    assert inside_of_white(np.full(shape, 255, np.uint8)) is None


def test_what_is_back_in_white_again_has_the_shape_of_the_page():
    page = in_white(toned(240, 200), 3, 0, 7, 2)
    scan = inside_of_white(page)
    assert scan is not None
    assert np.array_equal(back_in_white(toned(240, 200), scan, page.shape), page)
