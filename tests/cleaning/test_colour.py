"""Colours after cleaning: white paper, neutral black, and hues that stay."""

import colorsys

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pagewash.cleaning import colour
from pagewash.cleaning.colour import paper_colour, recolour
from pagewash.grey import luminance

YELLOW, WHITE, BLUE_GREY = (235, 215, 165), (255, 255, 255), (150, 165, 175)

# what inks let through of red, green and blue
BLACK, BLUE, RED, GREEN = (0.1, 0.1, 0.1), (0.2, 0.3, 0.8), (0.8, 0.2, 0.25), (0.2, 0.6, 0.3)
HIGHLIGHTER, COFFEE = (1.0, 0.97, 0.35), (0.9, 0.8, 0.6)


class Sheet:
    """Toned paper with marks on it, and what a network would make of its luminance."""

    def __init__(self, paper: tuple[int, int, int] = YELLOW, shape: tuple[int, int] = (400, 300)):
        self.light = np.ones((*shape, 3), np.float32)
        self.paper = np.float32(paper)
        self.faded = np.zeros(shape, bool)

    def mark(self, ink: tuple[float, float, float], box: tuple[int, int, int, int]) -> "Sheet":
        top, left, height, width = box
        self.light[top : top + height, left : left + width] *= np.float32(ink)
        return self

    def fade(self, box: tuple[int, int, int, int]) -> "Sheet":
        top, left, height, width = box
        self.faded[top : top + height, left : left + width] = True
        return self

    @property
    def scan(self) -> np.ndarray:
        noise = np.random.default_rng(0).normal(0, 2, self.light.shape)
        page = cv2.GaussianBlur(self.light * self.paper, (0, 0), 0.7)
        return (page + noise).clip(0, 255).astype(np.uint8)

    @property
    def cleaned(self) -> np.ndarray:
        grey = cv2.cvtColor(cv2.GaussianBlur(self.light, (0, 0), 0.7), cv2.COLOR_RGB2GRAY)
        grey[self.faded] = 1
        return (grey * 255).clip(0, 255).astype(np.uint8)

    def recoloured(self) -> np.ndarray:
        return recolour(self.scan, self.cleaned)


def hue(colour: np.ndarray) -> float:
    return 360 * colorsys.rgb_to_hsv(*(np.asarray(colour, float) / 255))[0]


def mean(page: np.ndarray, box: tuple[int, int, int, int], border: int = 3) -> np.ndarray:
    top, left, height, width = box
    inner = page[top + border : top + height - border, left + border : left + width - border]
    return inner.reshape(-1, 3).mean(axis=0)


@pytest.mark.parametrize("paper", [YELLOW, WHITE, BLUE_GREY, (120, 100, 70)])
@pytest.mark.parametrize("ink", [BLUE, RED, GREEN])
def test_ink_keeps_its_hue_on_any_paper(paper, ink):
    box = (100, 60, 40, 120)
    colour = mean(Sheet(paper).mark(ink, box).recoloured(), box)
    expected = hue(np.float32(ink) * 255)
    assert abs((hue(colour) - expected + 180) % 360 - 180) < 4
    assert colour == pytest.approx(np.float32(ink) * 255, abs=14)


def test_a_thin_signature_keeps_its_hue():
    sheet = Sheet()
    stroke = np.full(sheet.light.shape[:2], 255, np.uint8)
    cv2.polylines(stroke, [np.int32([(50, 200), (120, 150), (150, 210), (240, 160)])], False, 0, 3)
    sheet.light[stroke == 0] *= np.float32(BLUE)
    drawn = sheet.recoloured()[stroke == 0].mean(axis=0)
    assert abs(hue(drawn) - hue(np.float32(BLUE) * 255)) < 6


def test_paper_turns_white():
    recoloured = Sheet().mark(BLUE, (100, 60, 40, 120)).recoloured()
    assert (recoloured[:80] == 255).all()
    assert (recoloured[160:] == 255).all()


@pytest.mark.parametrize("paper", [YELLOW, WHITE, BLUE_GREY])
def test_black_ink_stays_neutral(paper):
    sheet = Sheet(paper)
    for top in range(40, 360, 20):
        sheet.mark(BLACK, (top, 40, 4, 220))
    recoloured = sheet.recoloured().astype(int)
    assert np.ptp(recoloured, axis=2).max() == 0
    assert np.array_equal(recoloured[..., 0], sheet.cleaned)


def test_black_ink_that_yellow_paper_does_not_tint_stays_neutral():
    # a scanner's glare adds the same to all channels, which looks bluish against the paper
    sheet = Sheet((225, 200, 150)).mark((0.0, 0.0, 0.0), (100, 60, 40, 120))
    page = np.maximum(sheet.scan, 32)
    assert np.ptp(recolour(page, sheet.cleaned).astype(int), axis=2).max() == 0


def test_coloured_fringes_of_black_strokes_are_not_colours():
    sheet = Sheet(WHITE)
    for top in range(40, 360, 20):
        sheet.mark(BLACK, (top, 40, 5, 220))
    red, green, blue = cv2.split(sheet.scan)
    shifted = cv2.merge([np.roll(red, 1, axis=0), green, np.roll(blue, -1, axis=0)])
    assert np.ptp(recolour(shifted, sheet.cleaned).astype(int), axis=2).max() < 30


def test_the_luminance_is_that_of_the_cleaned_page():
    sheet = Sheet().mark(BLUE, (100, 60, 40, 120)).mark(RED, (200, 60, 40, 120))
    difference = luminance(sheet.recoloured()).astype(int) - sheet.cleaned
    assert np.abs(difference).mean() < 0.5
    assert np.abs(difference).max() <= 8  # on edges, where the page itself was darker


@pytest.mark.parametrize("ink", [RED, HIGHLIGHTER, (0.7, 0.85, 1.0)])
def test_a_strong_colour_that_the_network_fades_is_kept(ink):
    box = (100, 60, 60, 120)
    recoloured = Sheet().mark(ink, box).fade(box).recoloured()
    assert mean(recoloured, box) == pytest.approx(np.float32(ink) * 255, abs=14)


def test_a_stain_that_the_network_removes_is_gone():
    box = (100, 60, 80, 120)
    recoloured = Sheet().mark(COFFEE, box).fade(box).recoloured()
    assert (mean(recoloured, box) > 253).all()


@pytest.mark.parametrize("paper", [YELLOW, WHITE, BLUE_GREY])
def test_the_paper_is_found_beside_pictures_and_highlighters(paper):
    sheet = (
        Sheet(paper).mark((0.3, 0.5, 0.7), (40, 40, 150, 200)).mark(HIGHLIGHTER, (230, 40, 40, 200))
    )
    sheet.fade((230, 40, 40, 200))
    found = paper_colour(sheet.scan, sheet.cleaned)
    assert np.abs(found - np.float32(paper)).max() < 8


def test_paper_that_yellows_toward_its_edges_is_white_and_neutral():
    sheet = Sheet()
    ramp = np.linspace(0, 1, 300, dtype=np.float32)[:, None]
    sheet.paper = ramp * np.float32(YELLOW) + (1 - ramp) * np.float32((250, 245, 235))
    sheet.mark(BLACK, (100, 20, 40, 260))
    assert np.ptp(sheet.recoloured().astype(int), axis=2).max() == 0


def test_a_picture_keeps_its_colours():
    rng = np.random.default_rng(0)
    picture = cv2.resize(rng.uniform(0.1, 0.9, (12, 16, 3)).astype(np.float32), (160, 120))
    sheet = Sheet(WHITE)
    sheet.light[100:220, 60:220] = picture
    page, recoloured = sheet.scan[100:220, 60:220], sheet.recoloured()[100:220, 60:220]
    error = np.abs(page.astype(int) - recoloured)
    assert error.mean() < 8
    assert np.quantile(error, 0.99) < 40


def test_a_page_without_paper_keeps_its_colours():
    page = np.full((200, 150, 3), (150, 40, 40), np.uint8)
    recoloured = recolour(page, luminance(page))
    assert np.abs(recoloured.astype(int) - page).max() <= 3


def test_a_grey_page_stored_as_colour_stays_grey():
    grey = np.random.default_rng(0).integers(0, 256, (90, 70), dtype=np.uint8)
    page = np.dstack([grey] * 3)
    assert np.array_equal(recolour(page, grey), page)


@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 9))
@settings(max_examples=30, deadline=None)
def test_pages_of_any_size_can_be_recoloured(height, width, seed):
    rng = np.random.default_rng(seed)
    page = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    recoloured = recolour(page, luminance(page))
    assert (recoloured.shape, recoloured.dtype) == (page.shape, np.uint8)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 9))
@settings(deadline=None)
def test_half_a_page_is_the_means_of_its_blocks_the_last_of_which_repeat_the_edge(
    height, width, seed
):
    page = np.random.default_rng(seed).random((height, width), np.float32)
    filled = np.pad(page, ((0, height % 2), (0, width % 2)), mode="edge")
    blocks = filled.reshape(len(filled) // 2, 2, -1, 2)
    assert colour._halved(page) == pytest.approx(blocks.mean((1, 3)), abs=1e-6)


@pytest.mark.parametrize("shape", [(1501, 1003), (1003, 1501), (90, 70)])
def test_the_colour_of_paper_is_found_on_pages_of_any_size(shape):
    sheet = Sheet(shape=shape).mark(BLACK, (shape[0] // 2, 0, shape[0] // 9, shape[1]))
    found = paper_colour(sheet.scan, sheet.cleaned)
    assert np.abs(np.median(found, axis=(0, 1)) - YELLOW).max() < 2


def test_bands_do_not_show(monkeypatch):
    sheet = Sheet(shape=(500, 200)).mark(BLUE, (60, 30, 300, 100)).mark(RED, (250, 20, 200, 30))
    sheet.fade((300, 20, 60, 30))
    together = sheet.recoloured()
    monkeypatch.setattr("pagewash.cleaning.colour.BAND", 64)
    assert np.abs(together.astype(int) - sheet.recoloured()).max() <= 1


def test_the_luminance_of_a_grey_page_is_the_page():
    page = np.zeros((4, 5), np.uint8)
    assert luminance(page) is page
