"""What a step sees of pages: both sides turned, toned, worn and framed alike, by number."""

from dataclasses import replace

import numpy as np
import pytest
from corpora import SHARES_OF_WEAR, a_page

from pagewash.cleaning.page_summary import summarise_page
from pagewash.models.page_autoencoder import BLOCK
from pagewash.training import page_samples, wearing
from pagewash.training.page_corpus import (
    BLOCKS,
    CLEAN,
    DIRTY,
    FINER,
    PAPER,
    SPREAD,
    SUMMARY,
    WEIGHT,
    as_seen,
    find_pages,
    write_page,
)
from pagewash.training.page_samples import MARGIN, draw_sample
from pagewash.training.wearing import (
    banded,
    coloured,
    edged,
    framed,
    grained,
    illustrated,
    specked,
    worn,
    zoomed,
)

pytestmark = pytest.mark.usefixtures("unharmed")  # but where `always` harms pages


@pytest.mark.parametrize("seed", range(8))
def test_a_sample_is_the_same_for_the_same_number_and_its_summary_is_that_of_its_page(
    tmp_path, seed
):
    write_page(tmp_path, "rendered-1", a_page())
    (stored,) = find_pages([tmp_path])["rendered"]
    one, again = (draw_sample(stored, np.random.default_rng(seed), 3, 64) for _ in range(2))
    assert np.array_equal(one.dirty, again.dirty)
    assert one.places == again.places
    assert one.dirty.shape == one.clean.shape == (3, 64, 64, 3)
    for crop, (row, column) in zip(one.dirty, one.places, strict=True):
        own = summarise_page(crop)
        there = one.summary[:, row : row + 4, column : column + 4]
        # a JPEG's ripples and rounding aside, the page's summary says what the crop's would
        assert np.abs(own[:3] - there[:3]).mean() < 0.02


def test_a_toned_pages_summary_is_that_of_what_it_then_looks_like(tmp_path, unharmed):
    page = a_page(160, 160, scale=2)
    page.dirty[:] = page.clean  # of more spread than a summary tells
    page.dirty[:80] //= 3
    page.dirty[:80] += 150
    write_page(tmp_path, "rendered-1", page)
    (stored,) = find_pages([tmp_path])["rendered"]
    assert (stored.summary[SPREAD] == 1).any()
    brightest = []
    for seed in range(12):
        sample = draw_sample(stored, np.random.default_rng(seed), 1, 320)
        brightest.append(sample.dirty.max())
        (whole,) = sample.dirty
        seen = summarise_page(as_seen(whole, 2))
        assert np.abs(sample.summary - seen).mean((1, 2)).max() < 0.03  # white cuts off ripples
    assert min(brightest) < 220


def test_dirty_and_clean_are_turned_alike(tmp_path):
    write_page(tmp_path, "rendered-1", a_page())
    (stored,) = find_pages([tmp_path])["rendered"]
    for seed in range(6):
        sample = draw_sample(stored, np.random.default_rng(seed), 1, 64)
        ink = sample.clean[..., 0] == 0
        assert sample.dirty[ink].mean() + 20 < sample.dirty[~ink].mean()


def test_what_lies_at_the_inner_edge_of_a_crop_does_not_count(tmp_path):
    write_page(tmp_path, "rendered-1", a_page(320, 320))
    (stored,) = find_pages([tmp_path])["rendered"]
    for seed in range(10):
        sample = draw_sample(stored, np.random.default_rng(seed), 1, 64)
        row, column = sample.places[0]
        assert (sample.weight[0, 0, 32] == 0) == (row > 0)
        assert (sample.weight[0, 32, 0] == 0) == (column > 0)
        assert sample.weight[0, MARGIN:-MARGIN, MARGIN:-MARGIN].all()


def test_as_much_of_a_small_prints_crop_counts_as_of_any_other(tmp_path):
    write_page(tmp_path, "masked-1", a_page(320, 320, scale=2))
    (stored,) = find_pages([tmp_path])["masked"]
    for seed in range(10):
        sample = draw_sample(stored, np.random.default_rng(seed), 1, 64)
        assert sample.weight[0, MARGIN // 2 : -MARGIN // 2, MARGIN // 2 : -MARGIN // 2].all()


def test_a_page_of_a_crop_and_a_little_is_cut_to_no_less_than_a_crop(tmp_path):
    write_page(tmp_path, "masked-1", a_page(16 * 22, 16 * 21))
    (stored,) = find_pages([tmp_path])["masked"]
    for seed in range(6):
        sample = draw_sample(stored, np.random.default_rng(seed), 1, 320)
        assert min(sample.summary.shape[1:]) >= 20


def test_a_page_smaller_than_a_crop_is_filled_with_what_does_not_count(tmp_path):
    write_page(tmp_path, "rendered-1", a_page(48, 32))
    (stored,) = find_pages([tmp_path])["rendered"]
    sample = draw_sample(stored, np.random.default_rng(0), 2, 64)
    assert sample.dirty.shape == (2, 64, 64, 3)
    assert np.count_nonzero(sample.weight[0]) == 48 * 32


def test_small_print_is_cut_at_its_own_size_and_seen_enlarged(tmp_path):
    write_page(tmp_path, "masked-1", a_page(160, 128, scale=2))
    (stored,) = find_pages([tmp_path])["masked"]
    sample = draw_sample(stored, np.random.default_rng(0), 2, 64)
    assert sample.dirty.shape == (2, 32, 32, 3)
    assert sample.summary.shape[1:] == (16, 16)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("scale", [1, 2, 4])
def test_a_scan_without_truth_is_seen_in_two_ways_that_show_the_same(tmp_path, scale, seed):
    page = a_page(320, 256, scale)
    write_page(tmp_path, "scan-1", replace(page, weight=np.zeros_like(page.weight)))
    (stored,) = find_pages([tmp_path])["scan"]
    sample = draw_sample(stored, np.random.default_rng(seed), 3, 64)
    assert sample.twin is not None
    turned, quarters = sample.twin
    assert (quarters, turned.summary.shape) != (0, sample.summary.shape)
    for crop, twin in zip(sample.dirty, turned.dirty, strict=True):
        assert np.array_equal(crop, np.rot90(twin, -quarters))
    for (row, column), (of_row, of_column) in zip(sample.places, turned.places, strict=True):
        own = sample.summary[:, row : row + 4, column : column + 4]
        other = turned.summary[:, of_row : of_row + 4, of_column : of_column + 4]
        assert np.array_equal(own, np.rot90(other, -quarters, (1, 2)))


def test_what_is_set_around_a_twin_is_a_white_page(tmp_path):
    write_page(tmp_path, "scan-1", a_page(96, 96))
    (stored,) = find_pages([tmp_path])["scan"]
    white = summarise_page(np.full((BLOCK, BLOCK), 255, np.uint8))
    found = 0
    for seed in range(20):
        sample = draw_sample(stored, np.random.default_rng(seed), 1, 64)
        assert sample.twin is not None
        turned = sample.twin.sample
        margins = np.all(turned.summary == white, axis=0)
        assert np.count_nonzero(~margins) == sample.summary[0].size
        found += margins.any()
    assert found > 5


def test_a_scan_smaller_than_a_crop_has_no_twin(tmp_path):
    write_page(tmp_path, "scan-1", a_page(48, 128))
    (stored,) = find_pages([tmp_path])["scan"]
    assert draw_sample(stored, np.random.default_rng(0), 2, 64).twin is None


@pytest.mark.parametrize(
    ("colour", "may_be_grey"), [((150, 120, 120), True), ((200, 30, 30), False)]
)
def test_a_page_that_is_made_grey_is_to_come_out_grey_and_none_in_bright_colours_is(
    tmp_path, colour, may_be_grey
):
    page = a_page()
    page.clean[::2] = colour
    write_page(tmp_path, "rendered-1", page)
    (stored,) = find_pages([tmp_path])["rendered"]
    samples = [draw_sample(stored, np.random.default_rng(seed), 1, 64) for seed in range(40)]
    grey = [np.ptp(sample.clean.astype(int), axis=-1).max() == 0 for sample in samples]
    assert sum(grey) < 20
    assert any(grey) == may_be_grey


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_a_page_that_is_made_grey_has_the_summary_of_a_grey_page(tmp_path, monkeypatch, scale):
    monkeypatch.setattr(page_samples, "_draw_tone", lambda *_: None)
    monkeypatch.setattr(page_samples, "as_jpeg", lambda crop, quality: crop)
    page = a_page(128 // scale, 128 // scale, scale)
    noise = np.random.default_rng(0).integers(0, 60, page.dirty.shape, np.uint8)
    page.dirty[:] = page.dirty + noise  # of which each primary has its own
    write_page(tmp_path, "rendered-1", page)
    (stored,) = find_pages([tmp_path])["rendered"]
    samples = [draw_sample(stored, np.random.default_rng(seed), 1, 128) for seed in range(40)]
    grey = [sample for sample in samples if not np.ptp(sample.dirty, axis=-1).any()]
    assert grey
    for sample in grey:
        seen = as_seen(np.ascontiguousarray(sample.dirty[0, ..., 0]), scale)
        assert np.abs(sample.summary - summarise_page(seen)).max() < 2 / 255


@pytest.fixture
def always(monkeypatch):
    """Every page wears, is a fine scan, and gets margins, a band, a picture, bright colours."""
    for share in SHARES_OF_WEAR:
        monkeypatch.setattr(wearing, share, 1)


def stored_page(folder, height=320, width=256, scale=1):
    write_page(folder, "rendered-1", a_page(height, width, scale))
    (stored,) = find_pages([folder])["rendered"]
    return stored


def check_tone_of_paper(page, printed):
    """What is printed, (N, 7), is as dark on the scan as the paper makes it."""
    dirty, clean = (printed[:, part] / 255 for part in (DIRTY, CLEAN))
    assert np.allclose(dirty, clean * page.summary[PAPER, 0, 0], atol=0.01)


def check_summary(page, pixels, summary, scale):
    """The summary is that of what is seen, and the paper is what it was."""
    assert np.allclose(
        summary[SUMMARY], summarise_page(as_seen(pixels[..., DIRTY], scale)), atol=1e-3
    )
    assert np.array_equal(summary[PAPER], page.summary[PAPER])


@pytest.mark.parametrize("scale", [1, 2, 4])
@pytest.mark.parametrize("seed", range(12))
def test_a_worn_page_has_the_summary_of_what_it_then_looks_like(tmp_path, always, scale, seed):
    page = stored_page(tmp_path, scale=scale)
    pixels, summary = worn(page.pixels, page.summary, scale, np.random.default_rng(seed))
    assert not np.array_equal(pixels[..., :3], page.pixels[..., :3])
    assert np.array_equal(pixels[..., 3:], page.pixels[..., 3:])  # what should come out stays
    assert np.allclose(summary[SUMMARY], summarise_page(as_seen(pixels[..., :3], scale)), atol=1e-3)
    assert np.array_equal(summary[BLOCKS], page.summary[BLOCKS])


@pytest.mark.parametrize("unevenly", [0, 1])
def test_wear_changes_the_paper_that_is_told_as_it_changes_the_paper_that_is_seen(
    tmp_path, always, monkeypatch, unevenly
):
    monkeypatch.setattr(wearing, "UNEVENLY", unevenly)
    monkeypatch.setattr(wearing, "FADED", 1)
    for share in ("NOISY", "SHINING", "BLEACHED"):
        monkeypatch.setattr(wearing, share, 0)
    page = stored_page(tmp_path)
    white = page.pixels[..., 3] == 255  # a_page's paper has one level
    for seed in range(12):
        pixels, summary = worn(page.pixels, page.summary, 1, np.random.default_rng(seed))
        seen = np.where(white[..., None], pixels[..., :3], np.nan)
        blocks = np.nanmean(seen.reshape(20, 16, 16, 16, 3), (1, 3)).transpose(2, 0, 1) / 255
        assert np.abs(blocks - summary[PAPER]).mean() < 0.01


def test_a_bleached_page_has_white_paper_and_weak_ink_that_is_to_come_out_as_it_was(
    tmp_path, always, monkeypatch
):
    monkeypatch.setattr(wearing, "BLEACHED", 1)
    monkeypatch.setattr(wearing, "FADED", 1)
    monkeypatch.setattr(wearing, "ON_PAPER", (lambda light, *_: light,))
    for share in ("NOISY", "SHINING", "PATCHED"):
        monkeypatch.setattr(wearing, share, 0)
    page = stored_page(tmp_path)
    paper = page.pixels[..., 3] == 255
    for seed in range(12):
        pixels, summary = worn(page.pixels, page.summary, 1, np.random.default_rng(seed))
        seen = pixels[..., DIRTY]
        assert (seen[paper] == 255).mean() > 0.3  # texture, if there is some, takes the rest
        assert 80 < np.median(seen[~paper]) < 245
        assert (summary[PAPER] <= 1).all()
        assert summary[PAPER].mean() > 0.97


def test_a_page_of_unknown_paper_is_not_bleached():
    unknown = np.full((3, 4, 4), np.nan, np.float32)
    assert np.array_equal(wearing._whitening(unknown, np.random.default_rng(1)), np.ones(3))


def test_scans_in_black_and_white_get_black_edges_that_go_and_take_the_ink_under_them(
    tmp_path, always
):
    page = a_page(320, 256)
    page.dirty[:] = page.clean
    write_page(tmp_path, "rendered-1", page)
    (stored,) = find_pages([tmp_path])["rendered"]
    blackened = 0
    for seed in range(12):
        pixels, summary = edged(stored.pixels, stored.summary, 1, np.random.default_rng(seed))
        dirty, clean = pixels[..., DIRTY], pixels[..., CLEAN]
        added = (dirty != stored.pixels[..., DIRTY]).any(2)
        assert (dirty[added] == 0).all()
        assert (clean[added] == 255).all()
        assert (clean[dirty != 0] == 255).all()  # nothing is asked for that is not there
        assert not added[80:-80, 80:-80].any()
        assert np.allclose(summary[SUMMARY], summarise_page(dirty), atol=1e-3)
        blackened += bool(added.any())
    assert blackened > 8


@pytest.mark.parametrize("is_bilevel", [True, False])
def test_dust_falls_on_pages_away_from_what_is_written_and_is_to_go(tmp_path, always, is_bilevel):
    page = a_page(320, 256)
    page.clean[:] = 255
    page.clean[100:140, 60:200] = 0
    page.dirty[:] = page.clean if is_bilevel else page.clean // 2 + 100
    write_page(tmp_path, "rendered-1", page)
    (stored,) = find_pages([tmp_path])["rendered"]
    near = np.zeros((320, 256), bool)
    near[100 - 8 : 140 + 8, 60 - 8 : 200 + 8] = True
    dusty = 0
    for seed in range(12):
        pixels, summary = specked(stored.pixels, stored.summary, 1, np.random.default_rng(seed))
        specks = (pixels != stored.pixels).any(2)
        assert np.array_equal(pixels[..., 3:], stored.pixels[..., 3:])
        assert not specks[near].any()
        assert (pixels[specks, :3] <= 160).all()
        assert not is_bilevel or (pixels[specks, :3] == 0).all()
        assert np.allclose(summary[SUMMARY], summarise_page(pixels[..., :3]), atol=1e-3)
        dusty += bool(specks.any())
    assert dusty > 4


def test_only_scans_in_black_and_white_get_black_edges(tmp_path, always):
    page = stored_page(tmp_path)
    pixels, summary = edged(page.pixels, page.summary, 1, np.random.default_rng(1))
    assert np.array_equal(pixels, page.pixels)
    assert np.array_equal(summary, page.summary, equal_nan=True)


def test_the_other_side_that_shines_through_is_mirrored_and_weaker_than_the_ink(
    tmp_path, always, monkeypatch
):
    for share in ("NOISY", "FADED", "PATCHED"):
        monkeypatch.setattr(wearing, share, 0)
    monkeypatch.setattr(wearing, "SHINING", 1)
    monkeypatch.setattr(wearing, "ON_PAPER", (lambda light, *_: light,))
    page = a_page(320, 256)
    page.clean[:], page.dirty[:] = 255, 240
    page.clean[100:180, 20:60], page.dirty[100:180, 20:60] = 0, 30
    write_page(tmp_path, "rendered-1", page)
    (stored,) = find_pages([tmp_path])["rendered"]
    darkest = []
    for seed in range(12):
        pixels, _ = worn(stored.pixels, stored.summary, 1, np.random.default_rng(seed))
        ink, other = pixels[110:170, 25:55, DIRTY], pixels[130:150, 210:220, DIRTY]
        assert ink.mean() < other.mean()
        darkest.append(other.mean())
    assert min(darkest) < 225


@pytest.mark.parametrize("harm", wearing.LIKE_PICTURES)
def test_what_could_be_a_picture_darkens_none_but_written_places(
    tmp_path, always, monkeypatch, harm
):
    monkeypatch.setattr(wearing, "ON_PAPER", (harm,))
    for share in ("NOISY", "FADED", "PATCHED"):
        monkeypatch.setattr(wearing, share, 0)
    written = stored_page(tmp_path)
    blank = written.pixels.copy()
    blank[..., :3], blank[..., 3:6] = blank[0, 0, :3], 255

    def darkened(pixels, seed):
        worn_pixels, _ = worn(pixels, written.summary, 1, np.random.default_rng(seed))
        return pixels[..., :3].mean() - worn_pixels[..., :3].mean()

    assert max(darkened(written.pixels, seed) for seed in range(6)) > 10
    assert max(darkened(blank, seed) for seed in range(6)) < 1


def test_a_fine_scans_grain_is_halved_in_what_is_seen_of_it(tmp_path, always, monkeypatch):
    monkeypatch.setattr(wearing, "COARSEST_GRAIN", 0.05)
    page = stored_page(tmp_path)
    between = page.pixels.copy()
    between[..., DIRTY] = between[..., DIRTY].clip(80, 170)  # white and black cut nothing off
    for seed in range(4):
        pixels, summary = grained(between, page.summary, 1, np.random.default_rng(seed))
        seen, finer = (
            pixels[..., part] - between[..., DIRTY].astype(float) for part in (DIRTY, FINER)
        )
        assert seen.std() == pytest.approx(finer.std() / 2, rel=0.1, abs=0.5)
        assert np.array_equal(pixels[..., 3:7], between[..., 3:7])
        check_summary(page, pixels, summary, 1)


def test_noise_that_white_cuts_off_darkens_what_is_seen_of_a_fine_scan(tmp_path, always):
    page = stored_page(tmp_path)
    white = page.pixels.copy()
    white[..., DIRTY] = 255
    pixels, _ = grained(white, page.summary, 1, np.random.default_rng(1))
    deviation = (255 - pixels[..., FINER].astype(float)).mean() * (2 * np.pi) ** 0.5
    assert deviation > 5
    assert 255 - pixels[..., DIRTY].mean() == pytest.approx(0.4 * deviation, rel=0.05)


def test_small_print_has_no_finer_scan(tmp_path, always):
    page = stored_page(tmp_path, scale=2)
    pixels, _ = grained(page.pixels, page.summary, 2, np.random.default_rng(0))
    assert pixels is page.pixels


def test_pixels_of_a_fine_scan_lie_around_what_is_seen_of_them(tmp_path, unharmed, monkeypatch):
    monkeypatch.setattr(wearing, "GRAINED", 1)
    page = stored_page(tmp_path)
    for seed in range(6):
        sample = draw_sample(page, np.random.default_rng(seed), 3, 64)
        assert sample.finer.shape == sample.dirty.shape
        assert abs(sample.finer.mean() - sample.dirty.mean()) < 3
        assert not np.array_equal(sample.finer, sample.dirty)


def test_a_large_page_wears_in_a_part_of_it(tmp_path, always, monkeypatch):
    monkeypatch.setattr(wearing, "LONGEST", 12)
    page = stored_page(tmp_path)
    pixels, summary = worn(page.pixels, page.summary, 1, np.random.default_rng(1))
    assert pixels.shape == (192, 192, 7)
    assert summary.shape == (15, 12, 12)


@pytest.mark.parametrize("scale", [1, 2, 4])
@pytest.mark.parametrize("seed", range(8))
def test_margins_are_whole_blocks_and_white_once_clean(tmp_path, always, scale, seed):
    page = stored_page(tmp_path, scale=scale)
    pixels, summary = framed(page.pixels, page.summary, scale, np.random.default_rng(seed))
    assert np.array_equal(np.array(pixels.shape[:2]) * scale, 16 * np.array(summary.shape[1:]))
    off = np.abs(summary[SUMMARY] - summarise_page(as_seen(pixels[..., :3], scale)))
    assert np.median(off) < 1e-3  # enlarging mixes what meets at the page's edge
    assert off.max() < 1e-3 or scale > 1
    added = pixels.shape[0] * pixels.shape[1] - page.pixels.shape[0] * page.pixels.shape[1]
    white = np.count_nonzero((pixels[..., 3:6] == 255).all(2))
    assert white == added + np.count_nonzero((page.pixels[..., 3:6] == 255).all(2))


@pytest.mark.parametrize("scale", [1, 2, 4])
@pytest.mark.parametrize("seed", range(12))
def test_a_band_of_colour_stays_as_it_is_seen(tmp_path, always, scale, seed):
    page = stored_page(tmp_path, scale=scale)
    pixels, summary = banded(page.pixels, page.summary, scale, np.random.default_rng(seed))
    dirty, clean, weight = pixels[..., :3], pixels[..., 3:6], pixels[..., 6]
    differs = (dirty != page.pixels[..., :3]).any(2)
    top, bottom, left, right = differs[0], differs[-1], differs[:, 0], differs[:, -1]
    assert top.any() or bottom.any() or left.any() or right.any()
    band = clean[differs & (page.pixels[..., 3:6] == 255).all(2)]
    assert np.median(np.ptp(band.astype(int), axis=1)) > 20
    assert band.max(1).min() > 90
    assert np.array_equal(weight, page.pixels[..., 6])
    assert np.allclose(summary[SUMMARY], summarise_page(as_seen(dirty, scale)), atol=1e-3)
    unit = 16 // scale
    means = clean.reshape(-1, unit, clean.shape[1] // unit, unit, 3).mean((1, 3)) / 255
    assert np.allclose(summary[BLOCKS], means.transpose(2, 0, 1), atol=4e-3)


@pytest.mark.parametrize("scale", [1, 2, 4])
@pytest.mark.parametrize("seed", range(6))
def test_a_picture_is_shown_as_a_page_of_its_own(tmp_path, always, scale, seed):
    page = a_page(64 * 16 // scale, 80 * 16 // scale, scale)
    page.paper[:] = 0.95
    page.clean[:] = 255
    page.clean[20 * 16 // scale : 40 * 16 // scale, 30 * 16 // scale : 60 * 16 // scale] = 90
    write_page(tmp_path, "rendered-1", page)
    (stored,) = find_pages([tmp_path])["rendered"]
    pixels, summary = zoomed(stored.pixels, stored.summary, scale, np.random.default_rng(seed))
    assert np.array_equal(np.array(pixels.shape[:2]) * scale, 16 * np.array(summary.shape[1:]))
    assert max(summary.shape[1:]) < 42
    assert (pixels[..., CLEAN] == 90).mean() > 0.2


@pytest.mark.parametrize("scale", [1, 2, 4])
@pytest.mark.parametrize("seed", range(6))
def test_a_picture_that_is_printed_takes_the_tone_of_its_paper(tmp_path, always, scale, seed):
    page = stored_page(tmp_path, scale=scale)
    rng = np.random.default_rng(seed)
    pixels, summary = illustrated(page.pixels, page.summary, scale, rng)
    printed = (pixels != page.pixels).any(2)
    assert 0.02 < printed.mean() < 0.75
    check_tone_of_paper(page, pixels[printed])
    check_summary(page, pixels, summary, scale)


def test_a_picture_on_a_scan_in_black_and_white_is_in_black_and_white_and_stays(tmp_path, always):
    page = a_page(320, 256)
    page.dirty[:], page.paper[:] = page.clean, 1
    write_page(tmp_path, "rendered-1", page)
    (stored,) = find_pages([tmp_path])["rendered"]
    printed = 0
    for seed in range(12):
        pixels, _ = illustrated(stored.pixels, stored.summary, 1, np.random.default_rng(seed))
        added = (pixels[..., CLEAN] != stored.pixels[..., CLEAN]).any(2)
        assert np.isin(pixels[..., DIRTY][added], (0, 255)).all()
        assert np.array_equal(pixels[..., DIRTY][added], pixels[..., CLEAN][added])
        printed += bool(added.any())
    assert printed > 3


def test_a_picture_takes_the_tone_of_paper_that_is_not_told_from_the_brightest_of_its_blocks(
    tmp_path, always
):
    page = a_page(320, 256)
    page.paper[:] = np.nan
    page.dirty[:], page.clean[:] = 150, 255
    write_page(tmp_path, "laidover-1", page)
    (stored,) = find_pages([tmp_path])["laidover"]
    for seed in range(4):
        rng = np.random.default_rng(seed)
        pixels, _ = illustrated(stored.pixels, stored.summary, 1, rng)
        printed = pixels[(pixels != stored.pixels).any(2)] / 255
        assert len(printed)
        assert np.allclose(printed[:, DIRTY], printed[:, CLEAN] * 150 / 255, atol=0.01)


@pytest.mark.parametrize("scale", [1, 2, 4])
@pytest.mark.parametrize("seed", range(12))
def test_bright_shapes_and_letters_stay_as_they_are_seen(tmp_path, always, scale, seed):
    page = stored_page(tmp_path, scale=scale)
    rng = np.random.default_rng(seed)
    pixels, summary = coloured(page.pixels, page.summary, scale, rng)
    white = (page.pixels[..., CLEAN] == 255).all(2)
    printed = (pixels != page.pixels).any(2) & white
    check_tone_of_paper(page, pixels[printed])
    assert np.ptp(pixels[printed][:, CLEAN] / 255, axis=1).max() > 0.1
    assert np.array_equal(pixels[..., WEIGHT], page.pixels[..., WEIGHT])
    check_summary(page, pixels, summary, scale)


def test_a_picture_on_dark_paper_is_shown_with_it(tmp_path, always):
    page = a_page(640, 640)
    page.clean[160:480, 160:480] = 90
    page.paper[:] = 0.7
    write_page(tmp_path, "rendered-1", page)
    (stored,) = find_pages([tmp_path])["rendered"]
    rng = np.random.default_rng(0)
    assert zoomed(stored.pixels, stored.summary, 1, rng)[0] is stored.pixels


def test_no_band_is_printed_where_a_bed_lies(tmp_path, always):
    page = a_page(320, 256)
    page.dirty[:] = 10  # nothing but a bed, which goes
    page.clean[:] = 255
    write_page(tmp_path, "rendered-1", page)
    (stored,) = find_pages([tmp_path])["rendered"]
    for seed in range(6):
        pixels, _ = banded(stored.pixels, stored.summary, 1, np.random.default_rng(seed))
        assert np.array_equal(pixels, stored.pixels)


def test_what_is_clean_already_is_not_worn(tmp_path, always):
    page = a_page(320, 256)
    write_page(tmp_path, "rendered-1", replace(page, dirty=page.clean))
    (stored,) = find_pages([tmp_path])["rendered"]
    pixels, _ = worn(stored.pixels, stored.summary, 1, np.random.default_rng(0))
    assert pixels is stored.pixels


def test_pages_that_are_spared_are_not_copied(tmp_path):
    page = stored_page(tmp_path)
    rng = np.random.default_rng(0)
    assert worn(page.pixels, page.summary, 1, rng)[0] is page.pixels
    assert framed(page.pixels, page.summary, 1, rng)[0] is page.pixels
    assert banded(page.pixels, page.summary, 1, rng)[0] is page.pixels
    assert zoomed(page.pixels, page.summary, 1, rng)[0] is page.pixels
    assert illustrated(page.pixels, page.summary, 1, rng)[0] is page.pixels
    assert coloured(page.pixels, page.summary, 1, rng)[0] is page.pixels


@pytest.mark.parametrize("seed", range(4))
def test_few_shapes_of_pages_occur(tmp_path, seed):
    page = stored_page(tmp_path, 16 * 21, 16 * 43)
    sample = draw_sample(page, np.random.default_rng(seed), 1, 64)
    assert not any(blocks % 8 for blocks in sample.summary.shape[1:])
    small = stored_page(tmp_path, 48, 16 * 9)
    assert sorted(draw_sample(small, np.random.default_rng(seed), 1, 64).summary.shape[1:])[0] == 3


@pytest.mark.parametrize("seed", range(6))
def test_a_page_with_a_picture_is_spared(tmp_path, always, seed):
    page = a_page(320, 256)
    page.clean[96:192, 64:192] = np.random.default_rng(0).integers(40, 200, (96, 128, 1))
    write_page(tmp_path, "rendered-1", page)
    (stored,) = find_pages([tmp_path])["rendered"]
    pixels, summary = worn(stored.pixels, stored.summary, 1, np.random.default_rng(seed))
    assert np.array_equal(pixels, stored.pixels)
    assert np.array_equal(summary, stored.summary, equal_nan=True)


@pytest.mark.parametrize(("level", "darkest"), [(255, 0.3), (160, 0.75)])
def test_tones_deepen_on_paper_and_not_on_pages_that_are_all_picture(tmp_path, level, darkest):
    page = a_page(320, 256)
    page.dirty[:] = page.clean[:] = level
    write_page(tmp_path, "rendered-1", page)
    (stored,) = find_pages([tmp_path])["rendered"]
    samples = [draw_sample(stored, np.random.default_rng(seed), 1, 64) for seed in range(150)]
    found = min(sample.dirty.max() / level for sample in samples)
    assert 0.84 * darkest < found < darkest + 0.15  # one channel may be darker still
