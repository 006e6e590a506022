"""Pages on disk, and crops of them: what goes in comes out, both sides turned and toned alike."""

import numpy as np
import pytest
from corpora import a_page

from pagewash.cleaning.page_summary import summarise_page
from pagewash.errors import InputError
from pagewash.training.page_corpus import MARGIN, draw_sample, find_pages, write_page


def test_a_page_comes_back_from_disk_as_it_was(tmp_path):
    page = a_page()
    write_page(tmp_path, "rendered-1", page)
    (stored,) = find_pages([tmp_path])["rendered"]
    assert np.array_equal(stored.pixels[..., :3], page.dirty)
    assert np.array_equal(stored.pixels[..., 3:6], page.clean)
    assert np.array_equal(stored.pixels[..., 6], page.weight)
    assert np.allclose(stored.summary[:9], summarise_page(page.dirty), atol=1e-3)
    assert np.allclose(stored.summary[9:12], page.paper, atol=1e-3)
    first = page.clean[:16, :16].mean((0, 1)) / 255
    assert np.allclose(stored.summary[12:, 0, 0], first, atol=1e-3)


def test_blocks_of_which_the_truth_is_not_known_are_not_foretold(tmp_path):
    page = a_page()
    page.weight[20, 5] = 0
    write_page(tmp_path, "rendered-1", page)
    (stored,) = find_pages([tmp_path])["rendered"]
    unknown = np.isnan(stored.summary[12:]).all(0)
    assert np.argwhere(unknown).tolist() == [[1, 0]]


def test_a_folder_without_pages_is_named(tmp_path):
    with pytest.raises(InputError, match=str(tmp_path)):
        find_pages([tmp_path])


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
    assert sorted(sample.summary.shape[1:]) == [16, 20]


def test_a_page_that_is_made_grey_is_to_come_out_grey(tmp_path):
    page = a_page()
    page.clean[::2] = 200, 30, 30
    write_page(tmp_path, "rendered-1", page)
    (stored,) = find_pages([tmp_path])["rendered"]
    samples = [draw_sample(stored, np.random.default_rng(seed), 1, 64) for seed in range(40)]
    grey = [np.ptp(sample.clean.astype(int), axis=-1).max() == 0 for sample in samples]
    assert 0 < sum(grey) < 20
