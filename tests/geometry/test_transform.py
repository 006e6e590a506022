"""Transforms: what is on the scan stays on the page."""

import cv2
import numpy as np
import pytest
from lines import lines_page
from skimage.transform import EuclideanTransform, warp

from pagewash.geometry.skew import find_skew
from pagewash.geometry.transform import UNCHANGED, PageTransform, frame, straightened, transformed


def test_nothing_to_do_gives_the_same_pixels():
    page = lines_page()
    (placed,) = transformed(page, UNCHANGED)
    assert np.array_equal(placed, page)


@pytest.mark.parametrize("angle", [-7.0, -0.3, 3.0])
def test_a_leaning_page_comes_out_straight(angle):
    (placed,) = transformed(lines_page(angle=angle), PageTransform(angle))
    assert abs(find_skew(placed).angle) < 0.05


def test_an_independent_library_turns_the_same_way():
    page = cv2.GaussianBlur(lines_page((300, 400)), (0, 0), 2)
    (placed,) = transformed(page, PageTransform(5.0))
    angle, middle = np.radians(5.0), np.array([199.5, 149.5])
    turn = EuclideanTransform(rotation=angle)
    there = EuclideanTransform(translation=-middle) + turn + EuclideanTransform(translation=middle)
    expected = warp(page, there.inverse, order=3, cval=1.0) * 255
    assert np.abs(placed - expected)[20:-20, 20:-20].mean() < 1


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_quarters_are_clockwise_and_lose_nothing(quarters):
    page = np.arange(12, dtype=np.uint8).reshape(3, 4)
    (placed,) = transformed(page, PageTransform(quarters=quarters))
    assert np.array_equal(np.rot90(placed, quarters), page)


def test_two_boxes_make_two_pages_in_their_order():
    page = np.arange(40, dtype=np.uint8).reshape(4, 10)
    left, right = transformed(page, PageTransform(boxes=((0, 0, 6, 4), (4, 0, 10, 4))))
    assert np.array_equal(left, page[:, :6])
    assert np.array_equal(right, page[:, 4:])


def test_what_lies_off_the_scan_is_white():
    page = np.zeros((4, 5, 3), np.uint8)
    (placed,) = transformed(page, PageTransform(boxes=((-2, -1, 7, 5),)))
    assert placed.shape == (6, 9, 3)
    assert placed.sum() == 255 * 3 * (6 * 9 - 4 * 5)


def test_the_frame_grows_only_where_ink_would_be_cut_off():
    middle, corner = np.array([[50.0, 100.0]]), np.array([[50.0, 100.0], [99.5, 199.5]])
    assert frame((200, 100), 5.0, middle) == (0, 0, 100, 200)
    left, top, right, bottom = frame((200, 100), 5.0, corner)
    turned = straightened(corner, (200, 100), 5.0)
    assert left < 0
    assert top < 0
    assert (turned < (right, bottom)).all()
    assert (turned > (left, top)).all()
