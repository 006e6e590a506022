"""Clean pages, what makes them dirty, and the pairs that come of it."""

from dataclasses import fields
from pathlib import Path

import cv2
import numpy as np
import pytest
from lines import set_line
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from pagewash.errors import MissingError
from pagewash.evaluation import evaluation_pages
from pagewash.evaluation.evaluation_pages import set_evaluation_page, wrap, write_evaluation_pages
from pagewash.training.synthesis import noise, paper
from pagewash.training.synthesis.corruption import (
    CORRUPTIONS,
    NEVER,
    CorruptionOptions,
    DegradationChances,
    DirtyAndClean,
    corrupt,
    lay_over,
)
from pagewash.training.synthesis.fonts import Typeface, find_typefaces
from pagewash.training.synthesis.ink import (
    InkOptions,
    darkness,
    fill_hairlines,
    fullness,
    spread_ink,
)
from pagewash.training.synthesis.typesetting import (
    CleanPage,
    TypesettingOptions,
    scribble,
    set_page,
)


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> list[Typeface]:
    """The one face that Pillow carries, so that no test needs installed fonts."""
    path = tmp_path_factory.mktemp("fonts") / "plain.ttf"
    path.write_bytes(ImageFont.load_default(20).font_bytes)
    return find_typefaces([path.parent])


def page_of_text(colour: bool = False) -> np.ndarray:
    drawn = np.full((96, 128), 242, np.uint8)
    set_line(drawn, "Wash", (8, 60), 45, 25, bold=0.5)
    page = drawn.astype(np.float32) / 255
    return np.repeat(page[..., None], 3, axis=2) if colour else page


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_damage_keeps_shape_and_type_and_repeats_with_its_seed(name, colour):
    page = page_of_text(colour)
    first, again = (CORRUPTIONS[name](page, np.random.default_rng(3), 0.7) for _ in range(2))
    assert first.shape == page.shape
    assert first.dtype == np.float32
    assert np.array_equal(first, again)
    assert np.array_equal(page, page_of_text(colour)), "the page that came in was changed"


@pytest.mark.parametrize("name", sorted(set(CORRUPTIONS) - {"thresholding", "dithering", "tone"}))
def test_damage_grows_with_its_level(name):
    page = page_of_text()

    def harm(level):
        seeds = range(6)
        pages = [CORRUPTIONS[name](page, np.random.default_rng(seed), level) for seed in seeds]
        return np.mean([np.abs(np.clip(dirty, 0, 1) - page).mean() for dirty in pages])

    assert harm(1.0) > harm(0.3) > 0


@pytest.mark.parametrize("name", ["thresholding", "dithering"])
def test_a_bilevel_scan_has_two_levels(name):
    dirty = CORRUPTIONS[name](page_of_text(), np.random.default_rng(0), 0.5)
    assert set(np.unique(dirty)) == {0.0, 1.0}


def test_yellowed_paper_is_yellow():
    dirty = CORRUPTIONS["yellowing"](page_of_text(colour=True), np.random.default_rng(0), 0.8)
    red, green, blue = dirty[0, 0]
    assert red > green > blue


def test_show_through_is_the_other_side_mirrored(faces):
    verso = np.ones((64, 64), np.float32)
    verso[:, :16] = 0
    page = np.ones((64, 64), np.float32)
    dirty = paper.show_through(page, np.random.default_rng(0), 1.0, verso)
    assert dirty[:, 40:].mean() < dirty[:, :24].mean()


def test_every_kind_of_damage_has_its_chance():
    assert {chance.name for chance in fields(DegradationChances)} == set(CORRUPTIONS)


def test_a_page_that_stays_clean_is_its_own_target(faces):
    rng = np.random.default_rng(1)
    page, verso = (set_page(rng, 64, 64, faces) for _ in range(2))
    pair = corrupt(page, verso, rng, CorruptionOptions(clean=1))
    assert np.array_equal(pair.dirty, pair.clean)


def test_pages_that_suffer_more_are_dirtier(faces):
    def dirt(severe):
        rng = np.random.default_rng(2)
        options = CorruptionOptions(clean=0, severe=severe)
        clean_pages = [set_page(rng, 64, 64, faces) for _ in range(40)]
        pairs = [corrupt(clean_page, clean_page, rng, options) for clean_page in clean_pages]
        return np.mean([np.abs(pair.dirty - pair.clean).mean() for pair in pairs])

    assert dirt(severe=1) > 1.1 * dirt(severe=0)


def strokes(*widths: int) -> np.ndarray:
    """Upright strokes, 40 px apart."""
    ink = np.zeros((96, 40 * len(widths) + 40), np.float32)
    for number, width in enumerate(widths, 1):
        ink[:, 40 * number : 40 * number + width] = 1
    return ink


def test_hairlines_may_be_paler_than_wide_strokes_and_come_back_nearly_as_dark():
    ink, evenly = strokes(8, 1), InkOptions(weakest=1, pale=0)
    for seed in range(40):
        weak, restored = darkness(ink, 24, np.random.default_rng(seed), InkOptions(weakest=1))
        even, _ = darkness(ink, 24, np.random.default_rng(seed), evenly)
        pale, wide = (weak / even)[48, [80, 44]]
        if pale < 0.5:
            break
    assert wide > 0.9, "a wide stroke keeps its ink"
    assert weak[48, 80] < restored[48, 80]
    assert restored[48, 80] > 0.8 * restored[48, 44]


def test_half_of_all_presses_keep_every_hairline():
    ink = strokes(1)
    pressed = [spread_ink(ink, 36, np.random.default_rng(seed), InkOptions()) for seed in range(40)]
    kept = [bool(page[10:-10, 40].min() > 0.25) for page in pressed]
    assert 10 < sum(kept) < 40


def test_hairlines_of_a_pen_are_filled_and_wide_strokes_stay():
    ink = strokes(8, 1) * np.float32(0.2)
    ink[:, 40:48] = 1
    filled = fill_hairlines(ink)
    assert np.array_equal(filled[:, :60], ink[:, :60])
    assert (filled[:, 80] > 0.55).all()
    assert filled.max() <= 1
    assert (filled[ink == 0] == 0).all()


def test_what_can_hardly_be_seen_is_not_made_up():
    assert fill_hairlines(strokes(1) * np.float32(0.02)).max() < 0.1


def test_a_pen_draws_thin_and_wide_within_one_signature():
    nib = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
    wide_shares = []
    for seed in range(30):
        canvas = PillowImage.new("L", (400, 400))
        scribble(np.random.default_rng(seed), ImageDraw.Draw(canvas), 400, 400, 60)
        ink = np.asarray(canvas)
        wide = cv2.morphologyEx(ink, cv2.MORPH_OPEN, nib)
        wide_shares.append(wide.sum() / max(ink.sum(dtype=int), 1))
    # of one width it is all or nothing, but for a crossing here and there
    assert sum(0.2 < share < 0.8 for share in wide_shares) > 3


def test_print_laid_over_dirty_paper_is_asked_back_as_it_was():
    clean = page_of_text()
    pairs = [lay_over(clean, np.random.default_rng(seed), CorruptionOptions()) for seed in range(4)]
    assert all(np.array_equal(pair.clean, clean) for pair in pairs)
    assert min(np.abs(pair.dirty - clean).mean() for pair in pairs) > 0.01
    assert {pair.dirty.dtype for pair in pairs} == {np.dtype(np.float32)}


def test_print_laid_over_spotless_paper_softens_and_keeps_nearly_all_of_its_ink():
    clean = np.pad(page_of_text(), 8, constant_values=1)
    spotless = CorruptionOptions(DegradationChances(**dict.fromkeys(CORRUPTIONS, NEVER)))
    for seed in range(8):
        dirty = lay_over(clean, np.random.default_rng(seed), spotless).dirty
        assert 0.93 < (1 - dirty).sum() / (1 - clean).sum() <= 1
        assert np.abs(np.diff(dirty)).max() < np.abs(np.diff(clean)).max()
        assert dirty.max() == 1


def test_the_edges_of_faint_strokes_come_back_fuller_and_black_ones_as_they_are():
    edge, darkness = np.float32(0.4), np.array([1.0, 0.6, 0.2], np.float32)
    fuller = edge ** fullness(darkness, InkOptions(fill=0.5))
    assert fuller[0] == pytest.approx(edge)
    assert fuller[0] < fuller[1] < fuller[2] < 1


def test_a_dot_matrix_printer_sets_dots_of_one_pitch(faces):
    options = TypesettingOptions(20, 20, (20, 20), pictures=0, dots=1)
    printed = [set_page(np.random.default_rng(seed), 96, 96, faces, options) for seed in range(12)]
    matrix = [clean_page.ink for clean_page in printed if clean_page.dots]
    assert 3 < len(matrix) < len(printed)  # handwriting is not printed
    for ink in matrix:
        places = ink.reshape(24, 4, 24, 4).swapaxes(1, 2).reshape(-1, 16)
        struck = places[places.any(axis=1)]
        assert (struck == struck[0]).all()


@pytest.mark.parametrize("seed", range(8))
def test_paper_far_from_ink_is_white_on_the_clean_page(faces, seed):
    rng = np.random.default_rng(seed)
    ink = np.zeros((64, 96), np.float32)
    ink[20:44, 10:14] = 1
    clean_page = CleanPage(ink, np.ones_like(ink), None, 20.0)
    pair = corrupt(clean_page, clean_page, rng, CorruptionOptions(backing=0))
    assert (pair.clean[:, 60:] == 1).all()
    assert pair.clean[30, 12] < 0.6


def test_a_sheet_is_as_asked_and_holds_ink(faces):
    rng = np.random.default_rng(0)
    clean_pages = [set_page(rng, 80, 120, faces, TypesettingOptions(pictures=1)) for _ in range(10)]
    assert all(
        clean_page.ink.shape == clean_page.picture.shape == (80, 120) for clean_page in clean_pages
    )
    assert all(clean_page.picture_box for clean_page in clean_pages)
    assert sum(clean_page.ink.any() for clean_page in clean_pages) >= 8


def test_a_folder_without_fonts_is_reported_with_the_way_out(tmp_path: Path):
    with pytest.raises(MissingError, match="fonts"):
        find_typefaces([tmp_path])


def test_a_specimen_knows_its_text(faces):
    evaluation_page = set_evaluation_page(np.random.default_rng(0), 400, 600, faces, (9, 10))
    assert len(evaluation_page.text.splitlines()) > 3
    assert evaluation_page.clean_page.ink.shape == (400, 600)


def test_evaluation_pages_are_written_dirty_and_clean_with_their_text(faces, tmp_path):
    write_evaluation_pages(tmp_path, 1, 0, faces, size=(300, 500))
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("page*")}
    assert names == {
        f"{folder}/page-00.{suffix}"
        for folder in ("dirty", "clean")
        for suffix in ("png", "gt.txt")
    }
    dirty, clean = (
        cv2.imread(str(tmp_path / folder / "page-00.png"), 0) for folder in ("dirty", "clean")
    )
    assert dirty.mean() < clean.mean()


def test_a_clean_page_to_judge_by_can_be_read_where_ink_leaves_little_of_hairlines(
    faces, tmp_path, monkeypatch
):
    darkness = iter([0.2, 0.9])

    def print_palely_first(page, verso, rng, options):
        clean = 1 - next(darkness) * page.ink
        return DirtyAndClean(clean, clean)

    monkeypatch.setattr(evaluation_pages, "corrupt", print_palely_first)
    write_evaluation_pages(tmp_path, 1, 0, faces, size=(300, 500))
    assert cv2.imread(str(tmp_path / "clean" / "page-00.png"), 0).min() < 40


def test_wrapped_lines_fit_and_lose_no_word(faces):
    font = faces[0].at(20)
    text = "the quick brown fox jumps over the lazy dog " * 5
    lines = wrap(text, font, 200)
    assert " ".join(lines).split() == text.split()
    assert all(font.getlength(line) <= 200 for line in lines)


def test_sharpening_sets_a_bright_halo_around_strokes():
    page = np.full((40, 40), 0.7, np.float32)
    page[18:22] = 0.2
    sharp = noise.sharpening(page, np.random.default_rng(0), 0.5)
    assert sharp[16:18].max() > 0.72
    assert np.allclose(sharp[:8], 0.7, atol=0.01)
    assert sharp[18:22].min() < 0.2
