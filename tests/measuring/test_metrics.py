"""Numbers about a page without a clean original."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lines import set_line

from pagewash.errors import OptionError
from pagewash.measuring import metrics
from pagewash.measuring.definitions import PageMetrics
from pagewash.measuring.guard import find_losses
from pagewash.measuring.metrics import measure, noise_sigma
from pagewash.measuring.review import reason_to_look
from pagewash.measuring.strokes import COUNTED_ROWS, quantile
from pagewash.speed import draw_page

NOISYOFFICE = Path(__file__).parents[3] / "shared/data/noisyoffice/val"

HEIGHT, WIDTH = 600, 480


def printed_page(skip_line: int | None = None) -> np.ndarray:
    """White paper with twelve black lines of letters, or with one of them left out."""
    page = np.full((HEIGHT, WIDTH), 255, np.uint8)
    for line in range(12):
        if line != skip_line:
            set_line(page, "hamburgefonstiv", (40, 60 + 42 * line), 36, bold=0.5)
    return page


def on_paper(page: np.ndarray, paper: np.ndarray | float) -> np.ndarray:
    return np.clip(page * (np.asarray(paper) / 255), 0, 255).astype(np.uint8)


def grain(sigma: float, shape: tuple[int, ...] = (HEIGHT, WIDTH)) -> np.ndarray:
    return np.random.default_rng(0).normal(0, sigma, shape)


@pytest.mark.parametrize("sigma", [2.0, 6.0, 20.0])
def test_noise_on_flat_paper_is_measured_as_it_was_made(sigma):
    page = (128 + grain(sigma)).round().clip(0, 255).astype(np.uint8)
    assert noise_sigma(page) == pytest.approx(sigma, rel=0.05)


def test_a_flat_page_has_no_noise():
    assert noise_sigma(np.full((50, 50), 200, np.uint8)) == 0.0


def test_a_page_too_small_for_noise_is_refused():
    with pytest.raises(OptionError, match="100 x 2 px"):
        noise_sigma(np.zeros((2, 100), np.uint8))


@pytest.mark.parametrize("shape", [(7, 9), (1, 1), (15, 400_000)])
def test_a_page_too_thin_to_be_measured_is_refused(shape):
    strip = np.zeros(shape, np.uint8)
    with pytest.raises(OptionError, match="too small to measure"):
        measure(strip, strip)


def test_a_page_that_is_not_changed_neither_loses_nor_gains_ink():
    page = printed_page()
    metrics = measure(page, page)
    assert (metrics.ink_lost, metrics.ink_added, metrics.picture_lost) == (0, 0, 0)
    assert metrics.ink_ratio_before == metrics.ink_ratio_after > 0.02
    assert not metrics.blank


def test_noise_is_measured_on_paper_and_not_on_letters():
    page = printed_page()
    dirty = np.clip(on_paper(page, 210) + grain(6), 0, 255).astype(np.uint8)
    metrics = measure(dirty, page)
    assert metrics.noise_before == pytest.approx(6, rel=0.1)
    assert metrics.noise_after == 0


def test_toned_uneven_paper_may_turn_white_without_loss_of_ink():
    page = printed_page()
    shade = np.tile(np.linspace(130, 230, WIDTH), (HEIGHT, 1))
    metrics = measure(on_paper(page, shade), page)
    assert metrics.ink_lost < 0.01
    assert metrics.ink_added < 0.01
    assert metrics.background_before == pytest.approx(180, abs=15)
    assert metrics.background_after == 255
    assert metrics.unevenness_before == pytest.approx(90, abs=8)
    assert metrics.unevenness_after == 0


def test_a_soft_stain_may_vanish_without_loss_of_ink():
    page = printed_page()
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    stain = 255 - 70 * np.exp(-((y - 300) ** 2 + (x - 200) ** 2) / (2 * 60**2))
    metrics = measure(on_paper(page, stain), page)
    assert metrics.ink_lost < 0.01
    assert metrics.ink_added < 0.01


def test_show_through_may_vanish_without_loss_of_ink():
    page = printed_page()
    behind = cv2.GaussianBlur(page[:, ::-1], (0, 0), 2)
    dirty = np.minimum(page, 255 - (255 - behind) // 3)
    assert measure(dirty, page).ink_lost < 0.01


def test_show_through_that_turns_into_crisp_ink_is_ink_added():
    page = printed_page()
    behind = cv2.GaussianBlur(page[:, ::-1], (0, 0), 2)
    dirty = np.minimum(page, 255 - (255 - behind) // 5)
    assert measure(dirty, np.minimum(page, page[:, ::-1])).ink_added > 0.2


def test_specks_may_vanish_without_loss_of_ink():
    page = printed_page()
    dirty = np.where(np.random.default_rng(0).random(page.shape) < 0.005, 0, page).astype(np.uint8)
    assert measure(dirty, page).ink_lost < 0.03


def test_a_black_scan_border_may_vanish_without_loss_of_ink_or_pictures():
    page = printed_page()
    dirty = page.copy()
    dirty[:, -30:] = dirty[-80:] = 0
    metrics = measure(dirty, page)
    assert metrics.ink_lost < 0.01
    assert metrics.picture_area == 0


def test_a_line_of_text_that_is_gone_is_ink_lost():
    dirty = on_paper(printed_page(), 200)
    assert measure(dirty, printed_page(skip_line=5)).ink_lost == pytest.approx(1 / 12, rel=0.15)


def test_a_line_of_text_from_nowhere_is_ink_added():
    dirty = on_paper(printed_page(skip_line=5), 200)
    assert measure(dirty, printed_page()).ink_added == pytest.approx(1 / 12, rel=0.15)


def test_lost_and_added_are_each_other_turned_round():
    full, short = printed_page(), printed_page(skip_line=3)
    there, back = measure(full, short), measure(short, full)
    assert (there.ink_lost, there.ink_added) == (back.ink_added, back.ink_lost)


def test_a_picture_that_is_hollowed_out_shows():
    page = printed_page()
    page[150:400, 120:360] = 40
    hollow = page.copy()
    hollow[160:390, 130:350] = 255
    assert measure(page, page).picture_area == pytest.approx(250 * 240 / page.size, rel=0.1)
    assert measure(page, page).picture_lost == 0
    assert measure(page, hollow).picture_lost > 0.7


def test_blur_lowers_sharpness_and_fading_lowers_contrast():
    page = printed_page()
    metrics = measure(cv2.GaussianBlur(page, (0, 0), 3), page)
    assert metrics.sharpness_before < 0.7 < metrics.sharpness_after
    faded = 255 - (255 - page) // 2
    assert measure(faded, page).contrast_before == pytest.approx(0.5, abs=0.03)
    assert measure(faded, page).contrast_after > 0.95


def test_bare_paper_is_blank_and_grain_does_not_change_that():
    paper = np.clip(190 + grain(5), 0, 255).astype(np.uint8)
    metrics = measure(paper, np.full_like(paper, 255))
    assert metrics.blank
    assert (metrics.ink_lost, metrics.ink_added, metrics.contrast_after) == (0, 0, 0)


def test_grey_pixels_stored_as_colour_measure_the_same():
    dirty, clean = on_paper(printed_page(), 180), printed_page()
    grey = dataclasses.asdict(measure(dirty, clean))
    colour = dataclasses.asdict(measure(np.dstack([dirty] * 3), np.dstack([clean] * 3)))
    assert grey == colour


def test_a_page_at_twice_the_resolution_measures_about_the_same():
    dirty = on_paper(printed_page(), 180)
    small = measure(dirty, printed_page(skip_line=5))
    large = measure(*(cv2.resize(p, None, fx=4, fy=4) for p in (dirty, printed_page(skip_line=5))))
    assert large.ink_lost == pytest.approx(small.ink_lost, rel=0.15)
    assert large.ink_ratio_before == pytest.approx(small.ink_ratio_before, rel=0.15)


def test_pages_of_two_sizes_are_refused():
    with pytest.raises(OptionError, match="20 x 10 px became one of 10 x 20 px"):
        measure(np.zeros((10, 20), np.uint8), np.zeros((20, 10), np.uint8))


@settings(max_examples=40)
@given(st.integers(8, 90), st.integers(8, 90), st.integers(0, 2**32 - 1), st.booleans())
def test_every_number_is_finite_and_every_share_is_one(height, width, seed, colour):
    rng = np.random.default_rng(seed)
    shape = (height, width, 3) if colour else (height, width)
    low, high = sorted(rng.integers(0, 256, 2))
    before = rng.integers(low, high + 1, shape, dtype=np.uint8)
    after = rng.choice(np.array([0, 255], np.uint8), (height, width))
    metrics = dataclasses.asdict(measure(before, after))
    assert all(np.isfinite(value) for value in metrics.values())
    shares = [name for name in metrics if name.startswith(("contrast", "sharp", "ink", "picture"))]
    assert all(0 <= metrics[name] <= 1 for name in shares)


def test_metrics_are_plain_numbers():
    page = printed_page()
    for field in dataclasses.fields(PageMetrics):
        assert type(getattr(measure(page, page), field.name)) is field.type


@pytest.mark.skipif(not NOISYOFFICE.is_dir(), reason="needs ../shared/data/noisyoffice")
@pytest.mark.parametrize("kind", ["Noisec", "Noisef", "Noisep", "Noisew"])
def test_the_clean_original_of_a_real_page_loses_little_ink_and_adds_none(kind):
    # the dark rim of the coffee stain is as sharp as ink: the known limit
    for dirty in sorted((NOISYOFFICE / "noisy").glob(f"*_{kind}_*"))[::4]:
        clean = NOISYOFFICE / "clean" / dirty.name
        metrics = measure(*(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in (dirty, clean)))
        assert metrics.ink_lost < (0.07 if kind == "Noisec" else 0.01)
        assert metrics.ink_added < 0.005


@pytest.mark.skipif(not NOISYOFFICE.is_dir(), reason="needs ../shared/data/noisyoffice")
def test_a_real_page_with_words_wiped_out_needs_a_look():
    name = "FontLre_Noisef_VA.png"
    pages = (NOISYOFFICE / kind / name for kind in ("noisy", "clean"))
    dirty, clean = (cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in pages)
    assert reason_to_look(measure(dirty, clean)) is None
    assert not find_losses(dirty, clean)
    clean[150:220] = 255
    assert "strokes are gone" in find_losses(dirty, clean).reason


@given(
    rows=st.integers(1, COUNTED_ROWS),
    columns=st.integers(1, 20),
    levels=st.sampled_from([1, 2, 256]),
    sixteenths=st.integers(1, 16),
    seed=st.integers(0, 99),
)
def test_a_quantile_is_the_level_that_a_share_of_the_pixels_asked_for_do_not_exceed(
    rows, columns, levels, sixteenths, seed
):
    rng = np.random.default_rng(seed)
    image = 255 - rng.integers(0, levels, (rows, columns)).astype(np.uint8)
    where = rng.choice(np.array([0, 255], np.uint8), (rows, columns))
    share = sixteenths / 16
    assert quantile(image, share) == np.quantile(image, share, method="inverted_cdf")
    if where.any():
        asked = image[where == 255]
        assert quantile(image, share, where) == np.quantile(asked, share, method="inverted_cdf")


@given(st.integers(0, 39), st.sampled_from([1600, 8000]))
def test_a_quantile_of_lines_hangs_not_on_where_they_begin(first, height):
    """Rows that lie evenly over the page could all pass them by."""
    page = np.full((height, 30), 245, np.uint8)
    page[first::40] = 30
    assert quantile(page, 0.9, (page < 100).astype(np.uint8) * 255) == 30


def test_nowhere_the_quantile_is_0():
    assert quantile(np.full((9, 9), 200, np.uint8), 0.5, np.zeros((9, 9), np.uint8)) == 0


@pytest.mark.parametrize("rows", [2 * COUNTED_ROWS - 1, 2 * COUNTED_ROWS, 3000])
def test_the_levels_of_a_tall_page_are_those_of_all_its_rows(rows):
    light = np.linspace(60, 240, rows)[:, None] + grain(5, (rows, 300))
    page = light.clip(0, 255).astype(np.uint8)
    where = np.where(page % 3 == 0, 255, 0).astype(np.uint8)
    for share in (0.1, 0.5, 0.9):
        found = quantile(page, share, where)
        assert found == pytest.approx(np.quantile(page[where == 255], share), abs=2)


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_strips_of_a_page_tell_its_noise_and_sharpness(factor, monkeypatch):
    monkeypatch.setattr(metrics, "reduction", lambda shape: factor)
    sheet = draw_page()[:, :900]
    after = cv2.GaussianBlur(sheet, (0, 0), 1)
    in_strips = measure(sheet, after)
    monkeypatch.setattr(metrics, "STRIPS", sheet.shape[0])
    whole = measure(sheet, after)
    for name in ("noise_before", "noise_after"):
        assert getattr(in_strips, name) == pytest.approx(getattr(whole, name), rel=0.05)
    for name in ("sharpness_before", "sharpness_after"):
        assert getattr(in_strips, name) == pytest.approx(getattr(whole, name), abs=0.05)


def test_what_the_cleaning_changed_is_counted_pixel_by_pixel():
    page = printed_page()
    assert measure(page, page).changed == 0
    speckless = page.copy()
    speckless[10:12, 10:15] = 254  # the least change counts
    assert measure(page, speckless).changed == pytest.approx(10 / page.size)


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_a_change_of_one_primary_is_a_change(channel):
    page = np.dstack([printed_page()] * 3)
    tinted = page.copy()
    tinted[:20, :, channel] = 0
    assert measure(page, tinted).changed == pytest.approx(20 / HEIGHT)


def test_a_page_turned_grey_changed_where_its_grey_levels_did():
    page = np.dstack([printed_page()] * 3)
    assert measure(page, printed_page()).changed == 0
