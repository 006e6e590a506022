"""Blank pages: paper with its lines, holes and shadows, and the smallest marks on it."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lines import set_line

from pagewash.geometry import blank
from pagewash.geometry.blank import SURE
from pagewash.geometry.ruling import MANY, find_rules

SHAPE = (1754, 1240)


def blank_confidence(page: np.ndarray, scan: np.ndarray | None = None) -> float:
    """Of a page that cleaning left as it was scanned, unless another scan is given."""
    return blank.blank_confidence(page if scan is None else scan, page)


def page() -> np.ndarray:
    return np.full(SHAPE, 255, np.uint8)


def ruled(lean: float = 0.0, first: int = 120, last: int = 1700, left: int = 60) -> np.ndarray:
    """A page with rules, 48 px apart, that do not reach its edges."""
    paper = page()
    for y in range(first, last, 48):
        end = 1180, y + round(lean * 1120)
        cv2.line(paper, (left, y), end, 90, 2, cv2.LINE_AA)
    return paper


def written(paper: np.ndarray, text: str = "17", at: tuple[int, int] = (600, 900)) -> np.ndarray:
    marked = paper.copy()
    set_line(marked, text, at, 15, 60, bold=0.5)
    return marked


def dashed(paper: np.ndarray) -> np.ndarray:
    """The same, less every third centimetre, as cleaning leaves faint rules."""
    broken = paper.copy()
    for x in range(150, 1240, 180):
        broken[:, x : x + 40] = 255
    return broken


def test_white_paper_is_blank():
    assert blank_confidence(page()) == 1.0


@pytest.mark.parametrize("paper", [ruled(), ruled(0.06), dashed(ruled(0.03)), ruled().T.copy()])
def test_lines_of_the_paper_are_no_marks(paper):
    assert blank_confidence(paper) > SURE


@pytest.mark.parametrize(
    "picture",
    [np.s_[300:1200, :900], np.s_[:, :], np.s_[:900, 200:1100], np.s_[1000:, 500:]],
    ids=["left", "all over", "top", "corner"],
)
def test_a_picture_that_runs_off_the_page_is_no_border(picture):
    paper = page()
    paper[picture] = 90
    assert blank_confidence(paper) < 0.01


@pytest.mark.parametrize("dark", [np.s_[:, :200], np.s_[:150], np.s_[-60:, 300:]])
def test_borders_and_shadows_along_the_edges_leave_a_page_blank(dark):
    paper = page()
    paper[dark] = 90
    assert blank_confidence(paper) > SURE


@pytest.mark.parametrize("shape", [(1, 4000), (4000, 1), (2, 9000), (5, 30000), (31, 31)])
def test_a_page_too_small_to_tell_is_not_called_blank(shape):
    assert blank_confidence(np.full(shape, 255, np.uint8)) == 0.0


def test_squared_paper_is_blank():
    squared = ruled(first=60)
    for x in range(70, 1180, 48):
        cv2.line(squared, (x, 60), (x, 1690), 90, 2, cv2.LINE_AA)
    assert blank_confidence(squared) > SURE


@settings(max_examples=8)
@given(st.integers(100, 1100), st.integers(130, 1650), st.sampled_from([0.0, 0.03]))
def test_a_page_number_anywhere_on_ruled_paper_is_a_mark(x, y, lean):
    assert blank_confidence(written(ruled(lean), at=(x, y))) < SURE


@settings(max_examples=6)
@given(st.integers(0, 47), st.integers(150, 500))
def test_a_line_drawn_between_rules_is_a_mark(off, length):
    paper = ruled()
    y = 120 + 48 * 10 + off
    cv2.line(paper, (300, y), (300 + length, y + 15), 120, 2, cv2.LINE_AA)
    assert blank_confidence(paper) < SURE


def test_a_few_lines_are_drawn_and_no_ruled_paper():
    few = ruled(last=120 + 48 * (MANY - 1))
    assert blank_confidence(few) < SURE
    assert not find_rules(255 - few, 1.0)[0].any()


@pytest.mark.parametrize("text", ["1", "7", "12"])
def test_one_sign_on_white_paper_is_a_mark(text):
    assert blank_confidence(written(page(), text)) < SURE


def test_punch_holes_are_no_marks():
    punched = page()
    for y in (640, 1114):
        cv2.circle(punched, (60, y), 18, 20, -1, cv2.LINE_AA)
    assert blank_confidence(punched) > SURE


def test_a_punch_hole_on_a_rule_is_no_mark():
    paper = ruled(left=0)
    for y in (504, 1250):
        cv2.circle(paper, (55, y), 17, 60, -1, cv2.LINE_AA)
    assert blank_confidence(paper) > SURE


def test_rules_of_which_only_pieces_are_sharp_are_no_marks():
    paper = ruled()
    soft = cv2.GaussianBlur(paper, (0, 0), 3)
    for x in range(80, 1180, 40):
        soft[:, x : x + 20] = paper[:, x : x + 20]
    assert blank_confidence(paper, soft) > SURE


def test_specks_are_no_marks():
    speckled = page()
    for y, x in np.random.default_rng(0).integers(60, 1180, (200, 2)):
        speckled[y : y + 3, x : x + 3] = 40
    assert blank_confidence(speckled) > SURE


@pytest.mark.parametrize("blur", [2.5, 4.0])
def test_what_is_soft_on_the_scan_is_no_mark_however_dark_it_was_cleaned(blur):
    cleaned = written(page(), "shines through")
    scan = 255 - 0.4 * (255 - cv2.GaussianBlur(cleaned, (0, 0), blur).astype(np.float32))
    assert blank_confidence(cleaned, scan.astype(np.uint8)) > SURE
    assert blank_confidence(cleaned, cleaned) < SURE


@pytest.mark.parametrize("ink", [0.25, 0.5])
@pytest.mark.parametrize("paper", [120, 200, 250])
def test_a_faint_pencil_line_on_paper_of_any_tone_is_a_mark(paper, ink):
    line = page()
    cv2.line(line, (300, 600), (420, 610), 0, 2, cv2.LINE_AA)
    soft = 1 - cv2.GaussianBlur(line, (0, 0), 0.6).astype(np.float32) / 255
    scan = (paper * (1 - ink * soft)).astype(np.uint8)
    assert blank_confidence(255 - ((255 - line) // 2), scan) < SURE


@pytest.mark.parametrize("colour", [(250, 240, 60), (220, 40, 40), (40, 60, 200)])
def test_a_sign_of_any_colour_is_a_mark(colour):
    ink = (255 - written(page()))[..., None] / 255
    paper = np.full((*SHAPE, 3), 245) * (1 - ink) + np.array(colour) * ink
    assert blank_confidence(paper.astype(np.uint8)) < SURE


def test_what_hangs_together_with_the_bed_is_no_mark_where_cleaning_took_the_bed_away():
    scan, cleaned = np.full(SHAPE, 220, np.uint8), page()
    scan[-60:] = 30
    cleaned[-64:-56, 200:900] = 100
    assert blank_confidence(cleaned, scan) > SURE
    assert blank_confidence(written(cleaned), written(scan)) < SURE


def test_a_soft_picture_is_a_mark():
    paper = page()
    cv2.circle(paper, (620, 877), 160, 60, -1)
    assert blank_confidence(cv2.GaussianBlur(paper, (0, 0), 20)) < SURE


def test_a_mark_on_lines_that_shine_through_and_were_darkened_is_a_mark():
    cleaned, scan = page(), page()
    for y in range(150, 1600, 36):
        for x in range(110, 1000, 14):
            cv2.line(cleaned, (x, y), (x + 9, y - 4), 90, 4, cv2.LINE_AA)
    scan = cv2.addWeighted(cv2.GaussianBlur(cleaned, (0, 0), 2.5), 0.15, scan, 0.85, 0)
    assert blank_confidence(cleaned, scan) > SURE
    where = np.s_[1220:1240, 500:540]
    for number in (cleaned, scan):
        number[where] = written(number, "540", (502, 1236))[where]
    assert blank_confidence(cleaned, scan) < 0.5
