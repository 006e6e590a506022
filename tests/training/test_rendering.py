"""Rendered pages: what stands on them, what of it the clean page keeps, how they are scanned."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from corpora import write_font

from pagewash.models.page_autoencoder import BLOCK
from pagewash.training.page_corpus import find_pages
from pagewash.training.rendering import leaves, marks, scanned_page, tints
from pagewash.training.rendering.illustrations import full_picture, picture
from pagewash.training.rendering.layers import Fonts, Patch, RenderedPage, blank_page
from pagewash.training.rendering.leaves import LeafOptions, make_leaf, write_leaves
from pagewash.training.rendering.rendered_page import render_page
from pagewash.training.rendering.scanned_page import scan_page
from pagewash.training.rendering.surroundings import surround
from pagewash.training.rendering.text import margin_text, music, print_text
from pagewash.training.synthesis.fonts import find_typefaces
from pagewash.training.synthesis.paper_extraction import RealPaper
from pagewash.training.synthesis.printing_on_paper import LaidPage

HEIGHT, WIDTH = 208, 160
SMALL = LeafOptions(heights=(HEIGHT, HEIGHT + 1), widths=(WIDTH, WIDTH + 1), a4=0)


@pytest.fixture(scope="module")
def font_folder(tmp_path_factory):
    return write_font(tmp_path_factory.mktemp("fonts"))


@pytest.fixture(scope="module")
def fonts(font_folder):
    return Fonts(find_typefaces([font_folder]), {})


def a_blank_page() -> RenderedPage:
    return blank_page(HEIGHT, WIDTH, 12.0)


def with_text(strength: float) -> RenderedPage:
    """A page with bars of grey ink, which comes back half as strong again."""
    page = a_blank_page()
    bars = np.zeros((HEIGHT, WIDTH), np.float32)
    for top in range(20, HEIGHT - 20, 24):
        bars[top : top + 6, 16:-16] = 1
    page.add(Patch(bars), (0, 0, 0), strength, 1.5 * strength)
    return page


@pytest.mark.parametrize("seed", range(6))
def test_a_page_is_white_where_nothing_stands_and_never_lighter_for_being_clean(fonts, seed):
    page = render_page(np.random.default_rng(seed), HEIGHT, WIDTH, fonts)
    assert page.printed.shape == page.clean.shape == (HEIGHT, WIDTH, 3)
    assert page.clean[page.printed == 1].min() > 1 - 1e-4  # coverage of a millionth rounds to none
    assert (page.clean <= page.printed + 0.02).all()
    assert page.clean.min() >= 0


def test_the_same_number_renders_the_same_page(fonts):
    one, again = (render_page(np.random.default_rng(5), HEIGHT, WIDTH, fonts) for _ in range(2))
    assert np.array_equal(one.printed, again.printed)
    assert np.array_equal(one.clean, again.clean)


def test_a_layer_is_cut_at_the_edges_of_the_page_and_touches_nothing_beside():
    page = a_blank_page()
    page.add(Patch(np.ones((40, 30), np.float32), left=-10, top=HEIGHT - 20), (0, 1, 1), 0.5, 1.0)
    assert np.allclose(page.printed[-20:, :20], (0.5, 1, 1))
    assert np.allclose(page.clean[-20:, :20], (0, 1, 1))
    page.printed[-20:, :20] = 1
    assert (page.printed == 1).all()


def test_a_layer_beyond_the_page_leaves_it_white():
    page = a_blank_page()
    for left, top in ((-50, 0), (WIDTH, 0), (0, -50), (0, HEIGHT + 9)):
        page.add(Patch(np.ones((40, 30), np.float32), left, top), (0, 0, 0), 1.0, 1.0)
        page.replace(0.0, left, top, (40, 30))
    assert (page.printed == 1).all()
    assert (page.clean == 1).all()


def test_layers_multiply():
    page = a_blank_page()
    for _ in range(2):
        page.add(Patch(np.ones((HEIGHT, WIDTH), np.float32)), (0, 0, 0), 0.5, 0.5)
    assert np.allclose(page.printed, 0.25)


@pytest.mark.parametrize(
    "mark",
    [marks.stamp, marks.crayon, marks.pencil, marks.signature, marks.highlighter,
     marks.watermark, tints.rules],
)  # fmt: skip
def test_a_mark_keeps_its_hue_and_is_no_fainter_on_the_clean_page(fonts, mark):
    left = 0
    for seed in range(8):
        page = a_blank_page()
        mark(np.random.default_rng(seed), page, fonts)
        printed, clean = 1 - page.printed, 1 - page.clean
        seen = printed.max(axis=2) > 0.05
        left += int(np.count_nonzero(seen))
        assert (clean >= printed - 1e-5).all()
        hues = [ink[seen] / ink[seen].max(axis=1, keepdims=True) for ink in (printed, clean)]
        assert np.allclose(hues[0], hues[1], atol=0.01)
    assert left > 100


@pytest.mark.parametrize("content", [tints.tints, tints.ruled_paper, picture, full_picture])
def test_tints_ruled_paper_and_pictures_come_back_as_they_are(content):
    for seed in range(4):
        page = a_blank_page()
        content(np.random.default_rng(seed), page)
        assert np.array_equal(page.printed, page.clean)
        assert (page.printed < 0.99).any()


def test_weak_text_comes_back_stronger():
    bars = with_text(1.0).printed[..., 0] < 0.5
    for seed in range(6):
        page = a_blank_page()
        coverage = bars.astype(np.float32)
        print_text(np.random.default_rng(seed), page, Patch(coverage), (0, 0, 0))
        printed, clean = (1 - part[bars].mean() for part in (page.printed, page.clean))
        assert clean >= printed + 0.5 * (0.9 - printed)


def test_text_in_a_margin_and_music_are_dark_on_both_pages(fonts):
    for layer in (margin_text, music):
        page = a_blank_page()
        layer(np.random.default_rng(3), page, fonts)
        assert (page.printed < 0.95).any()
        assert (page.clean < 0.6).any()


def test_a_code_has_a_quiet_zone_and_comes_back_black(fonts):
    page = a_blank_page()
    page.replace(0.5, 0, 0, (HEIGHT, WIDTH))
    marks.code(np.random.default_rng(1), page, fonts)
    assert (page.clean == 0).any()
    assert (page.clean == 1).all(axis=2).any()


def test_pristine_pages_are_unchanged(monkeypatch):
    monkeypatch.setattr(scanned_page, "PRISTINE", 1.0)
    page = with_text(0.6)
    pages = [scan_page(page, page, np.random.default_rng(seed), None) for seed in range(4)]
    for scanned in pages:
        assert np.array_equal(scanned.dirty, scanned.clean)
        assert (scanned.paper == 1).all()
    darkest = {int(scanned.clean.min()) for scanned in pages}
    assert darkest == {102, 26}, "some as they were printed, some as they are hoped for"


@pytest.mark.parametrize("seed", range(8))
def test_a_grey_scan_has_three_equal_channels_and_so_have_its_truth_and_paper(monkeypatch, seed):
    monkeypatch.setattr(scanned_page, "GREY", 1.0)
    page = with_text(0.8)
    page.add(Patch(np.ones((50, 50), np.float32), 30, 30), (0.9, 0.2, 0.2), 1.0, 1.0)
    scanned = scan_page(page, page, np.random.default_rng(seed), None)
    for image in (scanned.dirty, scanned.clean, np.moveaxis(scanned.paper, 0, 2)):
        assert np.array_equal(image[..., :1].repeat(3, 2), image, equal_nan=True)


def test_a_scan_in_black_and_white_has_two_levels_and_its_ink_stays(monkeypatch):
    for name, share in (("PRISTINE", 0.0), ("BILEVEL", 1.0), ("PACKED", 0.0)):
        monkeypatch.setattr(scanned_page, name, share)
    page = with_text(0.9)
    for seed in range(6):
        scanned = scan_page(page, page, np.random.default_rng(seed), None)
        assert set(np.unique(scanned.dirty)) <= {0, 255}
        assert (scanned.dirty[scanned.clean == 0] == 0).all(), "no ink is made up"


def test_what_lies_outside_is_white_on_the_clean_page_and_not_known_as_paper(monkeypatch):
    for name, share in (("PRISTINE", 0.0), ("BILEVEL", 0.0)):
        monkeypatch.setattr(scanned_page, name, share)
    outside = np.ones((HEIGHT, WIDTH), bool)
    outside[40:-40, 32:-32] = False
    real = RealPaper(np.full((HEIGHT, WIDTH, 3), 200, np.uint8), outside)
    page = a_blank_page()
    page.replace(0.3, 0, 0, (HEIGHT, WIDTH))
    scanned = scan_page(page, page, np.random.default_rng(0), real)
    unknown = np.isnan(scanned.paper).all(axis=0)
    assert unknown[0].all()
    assert not unknown.all()
    beyond = np.kron(unknown, np.ones((BLOCK, BLOCK))) > 0
    inner = cv2.erode(beyond.astype(np.uint8), np.ones((33, 33), np.uint8)) > 0
    assert (scanned.clean[inner] == 255).all()
    assert (scanned.clean[~beyond] < 128).any()


@pytest.mark.parametrize("seed", range(6))
def test_a_surrounded_sheet_lies_alike_on_both_pages(seed):
    dirty = np.full((HEIGHT, WIDTH, 3), 0.7, np.float32)
    dirty[60:140, 40:120] = 0.1
    clean = np.where(dirty < 0.5, np.float32(0), np.float32(1))
    sheet = LaidPage(dirty, clean, np.zeros((HEIGHT, WIDTH), bool), np.full_like(dirty, 0.7))
    laid = surround(sheet, np.random.default_rng(seed))
    assert (laid.clean[laid.outside] == 1).all()
    assert laid.outside.any()
    dark = laid.clean < 0.1
    assert dark.any()
    assert laid.dirty[dark].max() < 0.25


def test_a_leaf_has_two_pages_in_whole_blocks_which_its_number_decides(fonts):
    one, again = (make_leaf(3, fonts, None, SMALL) for _ in range(2))
    other = make_leaf(4, fonts, None, SMALL)
    for page, same in zip(one, again, strict=True):
        assert np.array_equal(page.dirty, same.dirty)
        assert np.array_equal(page.clean, same.clean)
        height, width = page.weight.shape
        assert page.dirty.shape == page.clean.shape == (height, width, 3)
        assert page.paper.shape == (3, height // BLOCK, width // BLOCK)
        assert height % BLOCK == width % BLOCK == 0
    assert one[0].dirty.shape != other[0].dirty.shape or (one[0].dirty != other[0].dirty).any()


def test_a_corpus_that_was_interrupted_is_completed_and_nothing_is_made_twice(
    tmp_path, font_folder, monkeypatch
):
    corpus = tmp_path / "corpus"
    write_leaves(corpus, range(2), [font_folder], None, SMALL)
    names = sorted(path.name for path in corpus.iterdir())
    undisturbed = [np.array(page.pixels) for page in find_pages([corpus])["rendered"]]
    (corpus / "rendered-000001-verso.npy").unlink()
    made = []

    def count(number, *others):
        made.append(number)
        return make_leaf(number, *others)

    monkeypatch.setattr(leaves, "make_leaf", count)
    write_leaves(corpus, range(2), [font_folder], None, SMALL)
    assert made == [1]
    assert sorted(path.name for path in corpus.iterdir()) == names
    for page, before in zip(find_pages([corpus])["rendered"], undisturbed, strict=True):
        assert np.array_equal(page.pixels, before)


def test_some_leaves_are_wider_than_high(fonts):
    upright, across = (
        make_leaf(0, fonts, None, replace(SMALL, landscape=share))[0].weight.shape
        for share in (0.0, 1.0)
    )
    assert upright == (HEIGHT, WIDTH)
    assert across == (WIDTH, HEIGHT)


@pytest.mark.parametrize("scale", [1.0, 2.0, 4.0])
def test_a_page_may_be_scanned_at_half_its_resolution_where_the_cleaner_would_double_it(
    monkeypatch, scale
):
    monkeypatch.setattr(scanned_page, "COARSE", 1.0)
    monkeypatch.setattr(scanned_page, "PRISTINE", 0.0)
    monkeypatch.setattr(scanned_page, "choose_scale", lambda grey, dpi, heights: scale)
    page, verso = with_text(0.8), a_blank_page()
    scanned = scan_page(page, verso, np.random.default_rng(1), None)
    assert scanned.scale == (2 if scale == 2 else 1)
    shape = HEIGHT // scanned.scale, WIDTH // scanned.scale
    assert scanned.dirty.shape[:2] == scanned.clean.shape[:2] == scanned.weight.shape == shape
    assert scanned.paper is not None
    assert scanned.paper.shape == (3, HEIGHT // BLOCK, WIDTH // BLOCK)


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_a_page_in_black_and_white_is_so_at_half_its_resolution_too(monkeypatch, scale):
    for name, value in (("COARSE", 1.0), ("PRISTINE", 0.0), ("BILEVEL", 1.0), ("PACKED", 0.0)):
        monkeypatch.setattr(scanned_page, name, value)
    monkeypatch.setattr(scanned_page, "choose_scale", lambda grey, dpi, heights: scale)
    page, verso = with_text(0.8), a_blank_page()
    for seed in range(4):
        scanned = scan_page(page, verso, np.random.default_rng(seed), None)
        assert set(np.unique(scanned.dirty)) == {0, 255}
        assert (scanned.clean[scanned.dirty == 255] == 255).all()
        assert (scanned.clean == 0).any()
        assert set(np.unique(scanned.clean)) == {0, 255}
