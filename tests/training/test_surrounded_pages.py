"""Pages on photographs: what lies around a sheet goes, what is on it stays."""

import cv2
import numpy as np
import pytest
from corpora import a_page

from pagewash.training.page_corpus import find_pages, write_page
from pagewash.training.surrounded_pages import surrounded_page, write_surrounded_pages


def stored(folder, page, name="rendered-1"):
    write_page(folder, name, page)
    return find_pages([folder])["rendered"][0]


@pytest.mark.parametrize("seed", range(6))
def test_around_the_sheet_is_white_once_clean_and_its_paper_is_told_where_it_lies(tmp_path, seed):
    sheet = stored(tmp_path, a_page(320, 256))
    wood = np.full((300, 400, 3), (90, 60, 30), np.uint8)
    page = surrounded_page(sheet, wood, np.random.default_rng(seed))
    assert page.dirty.shape == page.clean.shape == (320, 256, 3)
    told = ~np.isnan(page.paper).any(0)
    assert 0.1 < told.mean() < 1
    assert np.allclose(page.paper[:, told], 187 / 255, atol=0.01)
    wooden = page.dirty[..., 0] > page.dirty[..., 2] + 20  # pages are grey, wood is brown
    assert wooden.any()
    assert (
        page.clean[wooden & (cv2.erode(wooden.astype(np.uint8), np.ones((5, 5))) > 0)] == 255
    ).all()
    assert (page.weight == 255).all()


def test_only_sheets_with_nothing_around_them_are_laid_down(tmp_path):
    page = a_page()
    page.paper[:, 0, 0] = np.nan
    stored(tmp_path / "corpus", page)
    photograph = tmp_path / "wood.png"
    cv2.imwrite(str(photograph), np.full((60, 80, 3), 90, np.uint8))
    write_surrounded_pages([photograph], tmp_path / "corpus", 2, seed=1)
    assert set(find_pages([tmp_path / "corpus"])) == {"rendered"}
    stored(tmp_path / "corpus", a_page(), "rendered-2")
    write_surrounded_pages([photograph], tmp_path / "corpus", 2, seed=1)
    assert len(find_pages([tmp_path / "corpus"])["surrounded"]) == 2
