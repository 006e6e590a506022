"""Pages on disk: what goes in comes out."""

import numpy as np
import pytest
from corpora import a_page

from pagewash.cleaning.page_summary import summarise_page
from pagewash.errors import InputError
from pagewash.training.page_corpus import BLOCKS, PAPER, SUMMARY, find_pages, write_page


def test_a_page_comes_back_from_disk_as_it_was(tmp_path):
    page = a_page()
    write_page(tmp_path, "rendered-1", page)
    (stored,) = find_pages([tmp_path])["rendered"]
    assert np.array_equal(stored.pixels[..., :3], page.dirty)
    assert np.array_equal(stored.pixels[..., 3:6], page.clean)
    assert np.array_equal(stored.pixels[..., 6], page.weight)
    assert np.allclose(stored.summary[SUMMARY], summarise_page(page.dirty), atol=1e-3)
    assert np.allclose(stored.summary[PAPER], page.paper, atol=1e-3)
    first = page.clean[:16, :16].mean((0, 1)) / 255
    assert np.allclose(stored.summary[12:, 0, 0], first, atol=1e-3)


def test_blocks_of_which_the_truth_is_not_known_are_not_foretold(tmp_path):
    page = a_page()
    page.weight[20, 5] = 0
    write_page(tmp_path, "rendered-1", page)
    (stored,) = find_pages([tmp_path])["rendered"]
    unknown = np.isnan(stored.summary[BLOCKS]).all(0)
    assert np.argwhere(unknown).tolist() == [[1, 0]]


def test_a_folder_without_pages_is_named(tmp_path):
    with pytest.raises(InputError, match=str(tmp_path)):
        find_pages([tmp_path])
