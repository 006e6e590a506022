"""What a page lost comes back from its scan, and fits."""

import numpy as np
import pytest
from lines import set_line

from pagewash.cleaning.giving_back import flattened, guard

HEIGHT, WIDTH = 800, 640


def printed(skip: tuple[int, ...] = ()) -> np.ndarray:
    page = np.full((HEIGHT, WIDTH), 255, np.uint8)
    for number, y in enumerate(range(60, HEIGHT - 40, 40)):
        if number not in skip:
            set_line(page, "letters in a row", (50, y), 30, bold=1)
    return page


def scanned(page: np.ndarray) -> np.ndarray:
    """On yellowed, unevenly lit paper with grain, grey or RGB."""
    light = np.linspace(1, 0.6, WIDTH)[:, None] * np.array([235, 220, 190]) / 255
    light = light if page.ndim == 3 else light[:, 1]
    grain = np.random.default_rng(0).normal(0, 2, page.shape)
    return (page * light + grain).clip(0, 255).astype(np.uint8)


def coloured(page: np.ndarray) -> np.ndarray:
    return np.dstack([page] * 3)


@pytest.mark.parametrize("as_page", [lambda page: page, coloured])
def test_a_lost_line_comes_back_black_on_white_and_all_else_stays(as_page):
    whole, cleaned = as_page(printed()), as_page(printed(skip=(7,)))
    guarded = guard(scanned(whole), cleaned)
    assert guarded.doubt is None
    assert 0.01 < guarded.given_back < 0.2
    away = np.r_[0:285, 375:HEIGHT]
    assert np.array_equal(guarded.pixels[away], cleaned[away])
    assert (guarded.pixels <= cleaned).all()  # nothing is made lighter
    band = np.s_[285:375]
    assert np.abs(guarded.pixels[band].astype(int) - whole[band]).mean() < 3
    assert np.percentile(guarded.pixels[band][whole[band] == 255], 5) > 235  # paper is white


def test_a_page_that_lost_nothing_comes_through_untouched():
    page = printed()
    guarded = guard(scanned(page), page)
    assert guarded.pixels is page
    assert (guarded.given_back, guarded.doubt) == (0.0, None)


def test_what_cannot_be_mended_is_replaced_by_the_whole_scan_flattened(monkeypatch):
    from pagewash.cleaning import giving_back

    monkeypatch.setattr(giving_back, "give_back", lambda scan, cleaned, losses: (cleaned, 0.0))
    scan = scanned(printed())
    guarded = guard(scan, printed(skip=(7,)))
    assert guarded.given_back == 1
    assert "strokes are gone" in guarded.doubt
    assert np.array_equal(guarded.pixels, flattened(scan))


@pytest.mark.parametrize("on_review", ["cleaned", "original"])
def test_the_cleaned_page_or_the_scan_stand_where_they_are_asked_for(on_review):
    scan, cleaned = scanned(coloured(printed())), coloured(printed(skip=(7,)))
    guarded = guard(scan, cleaned, on_review)
    assert np.array_equal(guarded.pixels, {"cleaned": cleaned, "original": scan}[on_review])
    assert "strokes are gone" in guarded.doubt


def test_a_flattened_page_has_white_paper_and_all_its_marks():
    page = coloured(printed())
    page[500:640, 100:500] = np.minimum(page[500:640, 100:500], (255, 220, 220))  # a tinted box
    flat = flattened(scanned(page))
    assert np.percentile(flat[page.min(axis=2) == 255], 5) > 225
    tinted = flat[500:640, 100:500][page[500:640, 100:500].min(axis=2) == 220]
    assert np.abs(np.median(tinted, axis=0) - (255, 220, 220)).max() < 20
    assert flat[page[..., 0] < 30].mean() < 60


@pytest.mark.parametrize("shape", [(1, 1), (5, 400), (9, 9, 3), (400, 31)])
def test_pages_of_any_size_are_guarded_and_flattened(shape):
    page = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    assert guard(page, np.full_like(page, 255)).pixels.shape == shape
    assert flattened(page).shape == shape


def test_a_tinted_box_comes_back_in_its_colour_up_to_its_edges():
    page = coloured(np.full((HEIGHT, WIDTH), 255, np.uint8))
    page[:240] = coloured(printed())[:240]
    tinted = page.copy()
    tinted[300:480, 150:500] = (250, 220, 200)
    guarded = guard(scanned(tinted), page)
    assert guarded.doubt is None
    assert guarded.given_back == pytest.approx(180 * 350 / (HEIGHT * WIDTH), rel=0.15)
    assert (
        np.abs(np.median(guarded.pixels[310:470, 160:490], axis=(0, 1)) - (250, 220, 200)).max()
        < 20
    )


@pytest.mark.parametrize("screen", [(3, 3), (2, 4)])
def test_a_page_over_a_screen_of_black_dots_is_given_back_all_the_same(screen):
    scan = printed()
    scan[:: screen[0], :: screen[1]] = 0
    guarded = guard(scan, printed(skip=(3, 4, 5)))
    assert guarded.given_back > 0
