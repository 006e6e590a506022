from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageCms

from pagewash.documents.document import WriteOptions, create_document, open_document
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


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), -300.0, 0.0, 1e-9, 1e9])
def test_a_resolution_that_no_scanner_has_is_taken_for_none(odd):
    pixels = np.zeros((20, 10), np.uint8)
    assert Page(pixels, dpi=(300.0, odd)).dpi is None
    assert Page(pixels, dpi=(odd, 300.0)).dpi is None
    assert Page(pixels, dpi=(75.0, 4800.0)).dpi == (75.0, 4800.0)


@pytest.mark.parametrize("dpi", [(1.0, 1.0), (50_000.0, 50_000.0), (1.0, 50_000.0)])
@pytest.mark.parametrize("kind", ["png", "jpeg", "tiff", "pdf"])
def test_every_resolution_that_a_page_may_have_can_be_written(dpi, kind, tmp_path):
    source = tmp_path / "page.png"
    Image.fromarray(np.full((20, 10), 99, np.uint8)).save(source)
    output = tmp_path / "cleaned"
    with (
        open_document(source) as document,
        create_document(document, output, WriteOptions(format=kind)) as writer,
    ):
        for page in document.pages():
            writer.add(replace(page, dpi=dpi))
    assert output.stat().st_size
