"""What a cleaned page lost, place by place, and what may go without a word."""

import cv2
import numpy as np
import pytest
from lines import set_line

from pagewash.evaluation.sabotage import SABOTAGES
from pagewash.measuring.guard import find_losses

HEIGHT, WIDTH = 800, 640
LINES = range(60, HEIGHT - 40, 40)


def printed(skip: tuple[int, ...] = (), text: str = "minimum of six lilies, in it.") -> np.ndarray:
    """White paper with lines of black letters, some of them left out."""
    page = np.full((HEIGHT, WIDTH), 255, np.uint8)
    for number, y in enumerate(LINES):
        if number not in skip:
            set_line(page, text, (50, y), 42)
    return page


def scanned(page: np.ndarray, paper: np.ndarray | float = 215.0) -> np.ndarray:
    """The page on toned paper with grain."""
    grain = np.random.default_rng(0).normal(0, 3, page.shape)
    return (page * (np.asarray(paper) / 255) + grain).clip(0, 255).astype(np.uint8)


def coffee() -> np.ndarray:
    """Paper with the ring of a cup and a blot."""
    paper = np.full((HEIGHT, WIDTH), 215, np.float32)
    cv2.circle(paper, (400, 500), 150, 120, 14)
    cv2.circle(paper, (160, 250), 50, 105, -1)
    return cv2.GaussianBlur(paper, (0, 0), 4)


def shadow() -> np.ndarray:
    paper = np.full((HEIGHT, WIDTH), 215, np.float32)
    paper[:, 400:] *= 0.5
    return cv2.GaussianBlur(paper, (0, 0), 6)


def show_through() -> np.ndarray:
    """Paper through which the other side is seen, pale and blurred."""
    other = cv2.GaussianBlur(printed()[:, ::-1], (0, 0), 2.5).astype(np.float32)
    return 215 - (255 - other) * 0.35


def crumpled() -> np.ndarray:
    rng = np.random.default_rng(1)
    paper = np.full((HEIGHT, WIDTH), 215, np.float32)
    for _ in range(40):
        ends = rng.integers(0, WIDTH, (2, 2)).tolist()
        cv2.line(paper, *ends, int(rng.integers(150, 200)), 5)
    return cv2.GaussianBlur(paper, (0, 0), 3)


@pytest.mark.parametrize("paper", [coffee, shadow, show_through, crumpled, lambda: 215.0])
def test_dirt_that_went_is_no_loss(paper):
    page = printed()
    assert not find_losses(scanned(page, paper()), page)


def test_a_page_that_came_back_as_it_was_lost_nothing():
    scan = scanned(printed(), coffee())
    assert not find_losses(scan, scan)


@pytest.mark.parametrize("paper", [coffee, shadow, show_through, crumpled, lambda: 215.0])
def test_one_line_that_went_is_a_loss_whatever_the_paper_is_like(paper):
    lost = find_losses(scanned(printed(), paper()), printed(skip=(9,)))
    assert "strokes" in lost.kinds
    rows = np.flatnonzero(lost.strokes.any(axis=1))
    assert LINES[9] - 45 < rows.min() <= rows.max() < LINES[9] + 20


def test_dust_that_went_is_no_loss_and_dots_of_letters_are():
    page = printed()
    dusty = page.copy()
    rng = np.random.default_rng(2)
    for y, x in rng.integers(0, (HEIGHT, WIDTH), (60, 2)):
        cv2.circle(dusty, (int(x), int(y)), 1, 0, -1)
    assert not find_losses(scanned(dusty), page)
    dotless = SABOTAGES["dots"](rng, scanned(page), page)
    assert find_losses(dotless.scan, dotless.cleaned).kinds == ("dots or commas",)
    pointless = SABOTAGES["commas"](rng, scanned(page), page)
    assert find_losses(pointless.scan, pointless.cleaned).kinds == ("dots or commas",)


def test_teeth_of_torn_paper_at_the_edge_are_no_dots_of_letters():
    page = printed()
    cv2.line(page, (0, HEIGHT - 20), (WIDTH, HEIGHT - 20), 0, 2)
    torn = page.copy()
    for x in range(20, WIDTH - 20, 14):
        tooth = [(x, HEIGHT - 12), (x - 4, HEIGHT - 2), (x + 4, HEIGHT - 2)]
        cv2.fillPoly(torn, [np.array(tooth)], 0)
    assert not find_losses(scanned(torn), page)


def small_print(skip: tuple[int, ...] = ()) -> np.ndarray:
    """White paper with lines of small letters, the lower fifth left blank, some lines left out."""
    page = np.full((HEIGHT, WIDTH), 255, np.uint8)
    for number, y in enumerate(range(60, HEIGHT - 200, 30)):
        if number not in skip:
            set_line(page, "minimum of six lilies, in it, and a dozen more of them.", (50, y), 20)
    return page


@pytest.mark.parametrize("coarse", [0.7, 1.2])
def test_grain_as_sharp_as_faint_ink_is_no_loss_and_two_lines_that_went_in_it_are(coarse):
    page = small_print()
    noise = cv2.GaussianBlur(np.random.default_rng(3).normal(0, 1, page.shape), (0, 0), coarse)
    scan = (200 - (255 - page) * 0.4 + 26 * noise / noise.std()).clip(0, 255).astype(np.uint8)
    assert not find_losses(scan, page)
    lost = find_losses(scan, small_print(skip=(9, 10)))
    assert "strokes" in lost.kinds
    rows = np.flatnonzero(lost.strokes.any(axis=1))
    assert 270 < rows.min() < 325 < 355 < rows.max() < 410


@pytest.mark.parametrize("kind", ["column", "paragraph", "margin", "page", "halftone", "wash"])
@pytest.mark.parametrize("seed", range(3))
def test_what_a_sabotaged_network_erases_is_missed(kind, seed):
    made = SABOTAGES[kind](np.random.default_rng(seed), scanned(printed()), printed())
    assert made.lost > 0.05
    assert find_losses(made.scan, made.cleaned)


@pytest.mark.parametrize("colour", [(190, 30, 40), (110, 40, 150), (30, 60, 170)])
def test_a_coloured_mark_that_went_is_a_loss(colour):
    page = np.dstack([printed(skip=(9, 10, 11))] * 3)
    scan = scanned(page)
    set_line(scan, "SEEN 14 MAY", (150, 460), 45, colour, bold=1)
    assert find_losses(scan, page)


def test_pencil_beside_black_print_is_a_loss():
    page = printed(skip=(9,))
    pencilled = page.copy()
    set_line(pencilled, "see page four", (80, 430), 30, 165)
    assert find_losses(scanned(pencilled), page).kinds == ("pale strokes",)


@pytest.mark.parametrize("shape", [(1, 1), (7, 300), (3, 5, 3), (40, 40)])
def test_a_page_of_any_size_may_be_asked_about(shape):
    page = np.full(shape, 255, np.uint8)
    assert not find_losses(page, page)


def test_a_page_without_anything_lost_nothing():
    blank = np.full((HEIGHT, WIDTH), 255, np.uint8)
    assert not find_losses(scanned(blank), blank)


def test_a_page_that_lost_all_is_found():
    assert find_losses(scanned(printed()), np.full((HEIGHT, WIDTH), 255, np.uint8))


def test_a_tinted_box_that_went_is_a_loss_and_a_round_stain_is_none():
    page = printed()
    tinted, stained = np.full_like(page, 255), np.full((HEIGHT, WIDTH), 215, np.float32)
    tinted[250:520, 120:460] = 225
    cv2.ellipse(stained, (320, 400), (150, 100), 20, 0, 360, 190, -1)
    assert "tints" in find_losses(scanned(np.minimum(page, tinted)), page).kinds
    assert not find_losses(scanned(np.minimum(page, tinted)), np.minimum(page, tinted))
    assert not find_losses(scanned(page, cv2.GaussianBlur(stained, (0, 0), 3)), page)


def rumpled() -> np.ndarray:
    """Paper with light and shade everywhere, as deep as a pale tint."""
    noise = np.random.default_rng(2).normal(0, 1, (HEIGHT // 6, WIDTH // 6)).astype(np.float32)
    bumps = cv2.resize(noise, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return 215 * (1 + 0.08 * bumps)


def test_a_tint_is_found_on_paper_as_uneven_as_it_is_pale():
    page = printed()
    tinted = np.full_like(page, 255)
    tinted[250:520, 120:460] = 225
    assert "tints" in find_losses(scanned(np.minimum(page, tinted), rumpled()), page).kinds
    assert "tints" not in find_losses(scanned(page, rumpled()), page).kinds


def test_paper_on_a_lighter_ground_is_no_tint():
    ground = np.full((HEIGHT, WIDTH), 245, np.float32)
    ground[20:-20, 20:-20] = 205
    assert "tints" not in find_losses(scanned(printed(), ground), printed()).kinds


@pytest.mark.parametrize("kind", ["dots", "commas"])
def test_dots_and_commas_that_went_are_found_on_a_page_printed_to_its_edges(kind):
    page = np.ascontiguousarray(printed(text="minimum, six. lilies, in. it, is, a")[70:490, 60:520])
    made = SABOTAGES[kind](np.random.default_rng(0), scanned(page), page)
    assert "dots or commas" in find_losses(made.scan, made.cleaned).kinds


def test_a_strip_that_is_thinner_than_what_it_is_reduced_to_loses_nothing():
    strip = np.full((1, 3_100_000), 255, np.uint8)
    assert find_losses(strip, strip).kinds == ()


BRIGHT, DULL = [(153, 0, 0), (20, 60, 160), (250, 210, 30)], [(150, 100, 60), (40, 35, 30)]


@pytest.mark.parametrize(
    ("colour", "lost"), [*((c, True) for c in BRIGHT), *((c, False) for c in DULL)]
)
def test_a_band_of_bright_colour_along_an_edge_is_a_loss_and_a_dull_bed_is_none(colour, lost):
    page = np.repeat(printed()[..., None], 3, 2)
    scan = scanned(page, np.array([225, 215, 190]))
    scan[:26] = colour
    assert ("tints" in find_losses(scan, page).kinds) == lost
    assert find_losses(scan, page).areas[:24].all() == lost


def test_a_coffee_stain_is_no_bright_colour():
    page = np.repeat(printed()[..., None], 3, 2)
    brown = np.ones((HEIGHT, WIDTH, 3), np.float32)
    cv2.circle(brown, (300, 400), 120, (0.75, 0.6, 0.4), -1)
    scan = scanned(page, cv2.GaussianBlur(brown, (0, 0), 5) * (235, 225, 205))
    assert not find_losses(scan, page)
