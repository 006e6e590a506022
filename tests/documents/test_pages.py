import numpy as np
import pytest
from PIL import ImageCms

from pagewash.errors import OptionError
from pagewash.pages import Page, ReadLimits, fitting_profile

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def test_a_colour_page_keeps_its_profile():
    page = Page(np.zeros((4, 5, 3), np.uint8), icc=SRGB)
    assert page.replace_pixels(np.ones((4, 5, 3), np.uint8)).icc == SRGB


def test_a_page_turned_grey_drops_its_colour_profile():
    page = Page(np.zeros((4, 5, 3), np.uint8), icc=SRGB)
    assert page.replace_pixels(np.ones((4, 5), np.uint8)).icc is None


@pytest.mark.parametrize("icc", [None, b"", b"not a profile"])
def test_what_is_no_profile_fits_no_page(icc):
    assert fitting_profile(icc, 3) is None


def test_replacing_pixels_keeps_all_else():
    page = Page(np.zeros((4, 5), np.uint8), dpi=(300, 200), mode="1", index=3, part=2)
    other = page.replace_pixels(np.ones((4, 5), np.uint8))
    assert (other.dpi, other.mode, other.index, other.part) == ((300, 200), "1", 3, 2)
    assert other.pixels.all()


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 5), np.float32),
        np.zeros((4, 5, 4), np.uint8),
        np.zeros((4, 5, 1), np.uint8),
        np.zeros(20, np.uint8),
    ],
)
def test_pixels_that_are_neither_grey_nor_rgb_bytes_are_refused(pixels):
    with pytest.raises(ValueError, match="a page is"):
        Page(np.zeros((4, 5), np.uint8)).replace_pixels(pixels)


@pytest.mark.parametrize("limit", [0, -1, float("nan")])
def test_a_limit_that_lets_nothing_through_is_an_option_error(limit):
    with pytest.raises(OptionError, match="--max-image-mpixels"):
        ReadLimits(max_mpixels=limit)
