"""Real pages: what a mask and its scan make of the clean page, and which pages are held back."""

import cv2
import numpy as np
import pytest

from pagewash.errors import AccessError, InputError
from pagewash.models.page_autoencoder import BLOCK
from pagewash.training import real_pages
from pagewash.training.laid_over_pages import laid_over_page, write_laid_over_pages
from pagewash.training.page_corpus import find_pages
from pagewash.training.real_pages import (
    DOUBTFUL,
    ScanAndTruth,
    at_view,
    blurred_where,
    page_of_mask,
    page_without_shadow,
    write_real_pages,
)
from pagewash.training.synthesis import real_paper

BROWN_PAPER = np.array((214, 190, 150), np.uint8)
RED_INK, FAINT_INK = np.array((170, 60, 50), np.uint8), np.array((190, 167, 130), np.uint8)


def a_scan(ink=RED_INK):
    """Bars of ink on brown paper, each 24 px high as words are, and the mask of them."""
    scan = np.empty((192, 160, 3), np.uint8)
    scan[:] = BROWN_PAPER
    mask = np.zeros(scan.shape[:2], bool)
    for top in range(24, 160, 48):
        mask[top : top + 24, 24:136:3] = True
        mask[top : top + 24, 25:136:3] = True
    scan[mask] = ink
    return scan, mask


def as_stored(page, mask):
    return np.pad(mask, [(0, added) for added in np.subtract(page.weight.shape, mask.shape)])


def test_a_page_of_a_mask_has_white_paper_and_ink_of_its_own_hue():
    scan, mask = a_scan()
    page = page_of_mask(scan, mask)
    mask = as_stored(page, mask)
    far = cv2.dilate(mask.astype(np.uint8), np.ones((9, 9), np.uint8)) == 0
    assert (page.clean[far] == 255).all()
    ink = page.clean[cv2.erode(mask.astype(np.uint8), np.ones((3, 1), np.uint8)) > 0]
    red, green, blue = ink.mean(axis=0)
    assert red > green + 60
    assert abs(green - blue) < 40


def test_the_weakest_ink_comes_back_strong():
    scan, mask = a_scan(FAINT_INK)
    page = page_of_mask(scan, mask)
    mask = as_stored(page, mask)
    middle = cv2.erode(mask.astype(np.uint8), np.ones((5, 1), np.uint8)) > 0
    assert page.dirty[middle].mean() > 155
    assert page.clean[middle].mean() < 150


def test_the_paper_of_a_page_of_a_mask_is_known_block_by_block():
    scan, mask = a_scan()
    page = page_of_mask(scan, mask)
    height, width = page.weight.shape
    assert page.paper.shape == (3, height * page.scale // BLOCK, width * page.scale // BLOCK)
    assert np.abs(page.paper * 255 - BROWN_PAPER[:, None, None]).max() < 6


def test_what_a_partial_mask_may_have_left_out_hardly_counts():
    scan, mask = a_scan()
    lone = mask.copy()
    lone[100:] = False
    weight = page_of_mask(scan, lone, partial=True).weight
    assert (weight[124:140, 40:100] == DOUBTFUL).all()
    assert (page_of_mask(scan, lone).weight[124:140, 40:100] == 255).all()


def test_a_page_without_its_shadow_is_white_and_its_ink_stays():
    lit, mask = a_scan()
    scan = lit.copy()
    scan[:, 80:] = scan[:, 80:] // 2
    page = page_without_shadow(scan, lit)
    mask = as_stored(page, mask)
    far = cv2.dilate(mask.astype(np.uint8), np.ones((9, 9), np.uint8)) == 0
    assert page.clean[far[:192, :160].nonzero()].min() > 245
    assert page.clean[mask].mean() < 130
    assert page.weight.max() < 255


@pytest.mark.parametrize("size", [(64, 64), (70, 65), (33, 100)])
def test_a_page_fills_whole_blocks_and_what_was_added_does_not_count(size):
    scan = np.full((*size, 3), 255, np.uint8)
    page = at_view(scan, scan, np.full(size, 255, np.uint8))
    unit = BLOCK // page.scale
    assert all(length % unit == 0 for length in page.weight.shape)
    assert np.count_nonzero(page.weight) == size[0] * size[1]


@pytest.mark.parametrize("scale", [0.25, 0.5, 1, 2, 4])
def test_a_page_is_learned_at_the_size_at_which_the_cleaner_shows_it(monkeypatch, scale):
    monkeypatch.setattr(real_pages, "choose_scale", lambda *_: float(scale))
    scan = np.full((64, 128, 3), 255, np.uint8)
    page = at_view(scan, scan, scan[..., 0], np.ones(scan.shape, np.float32))
    height, width = page.weight.shape
    assert (height * page.scale, width * page.scale) == (64 * scale, 128 * scale)
    assert page.paper.shape == (3, 64 * scale / BLOCK, 128 * scale / BLOCK)


def test_what_is_known_stays_and_spreads():
    values = np.zeros((60, 60, 3), np.float32)
    values[:, :30], values[:, 30:] = 0.2, 0.8
    known = np.zeros((60, 60), bool)
    known[:, :10] = known[:, 50:] = True
    spread = blurred_where(values, known, (1.5, 4, 16))
    assert np.allclose(spread[:, :6], 0.2, atol=0.03)
    assert np.allclose(spread[:, 54:], 0.8, atol=0.03)
    assert spread[0, 20, 0] < spread[0, 40, 0]


def write_rgb(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), pixels[..., ::-1])


@pytest.fixture
def data(tmp_path):
    """Two pages of a set and three of NoisyOffice, of which one of each is for training."""
    folder, (scan, mask) = tmp_path / "data", a_scan()
    truth = np.where(mask, 0, 255).astype(np.uint8)[..., None].repeat(3, 2)
    for name in ("H04", "H05"):
        write_rgb(folder / f"pairs/dibco2012/img/{name}.png", scan)
        write_rgb(folder / f"pairs/dibco2012/gt/{name}.png", truth)
    for name in ("Fontnse_Noisec_TR", "Fontfte_Noisec_TR", "Fontnre_Noisec_TR"):
        write_rgb(folder / f"noisyoffice/train/noisy/{name}.png", scan)
        write_rgb(folder / f"noisyoffice/train/clean/{name}.png", truth)
    return folder


def names(folder):
    return {page.path.stem for pages in find_pages([folder]).values() for page in pages}


def test_training_and_validation_share_no_page(data, tmp_path):
    assert write_real_pages(data, tmp_path / "training") == 2
    assert write_real_pages(data, tmp_path / "validation", held_back=True) == 3
    assert names(tmp_path / "training") == {"masked-dibco2012-H04", "noisyoffice-Fontnre_Noisec_TR"}
    assert names(tmp_path / "validation") == {
        "masked-dibco2012-H05", "noisyoffice-Fontfte_Noisec_TR", "noisyoffice-Fontnse_Noisec_TR",
    }  # fmt: skip


def test_a_set_that_lacks_a_page_to_hold_back_is_refused(data, tmp_path):
    (data / "pairs/dibco2012/img/H05.png").unlink()
    with pytest.raises(InputError, match="H05, which is held back"):
        write_real_pages(data, tmp_path / "corpus")


def test_a_page_without_truth_or_that_is_no_image_is_named(data, tmp_path):
    (data / "pairs/dibco2012/gt/H04.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"gt/H04\.png"):
        write_real_pages(data, tmp_path / "corpus")
    (data / "pairs/dibco2012/gt/H04.png").unlink()
    with pytest.raises(InputError, match=r"img/H04\.png has no truth"):
        write_real_pages(data, tmp_path / "corpus")
    with pytest.raises(AccessError):
        write_real_pages(tmp_path, tmp_path / "corpus")


@pytest.fixture
def bank(tmp_path):
    """A bank of one paper with a gradient."""
    tones = np.tile(np.linspace(120, 220, 300, dtype=np.uint8)[None, :, None], (300, 1, 3))
    folder = tmp_path / "bank"
    write_rgb(folder / "0000.png", tones)
    write_rgb(folder / "0000.outside.png", np.zeros_like(tones))
    (folder / "index.json").write_text(
        '[{"number": 0, "source": "a", "sha256": "", "scale": 1.0, "kind": "print",'
        ' "black": 0.1, "blur": 0.7, "tileable": true}]'
    )
    assert len(real_paper.read_index(folder)) == 1
    return folder


def test_a_clean_page_laid_over_other_paper_comes_back_as_it_was(data, bank):
    name = "Fontnre_Noisec_TR.png"
    pair = ScanAndTruth(*(data / "noisyoffice/train" / part / name for part in ("noisy", "clean")))
    truth = cv2.imread(str(pair.truth))
    for seed in range(6):
        page = laid_over_page(pair, bank, np.random.default_rng(seed))
        assert np.array_equal(page.clean[:192, :160], truth)
        assert (page.dirty[..., :1] == page.dirty).all()
        assert page.dirty[page.clean == 0].mean() < page.dirty[page.clean == 255].mean() - 30


def test_pages_laid_over_are_the_same_for_the_same_number(data, bank, tmp_path):
    for folder, count in (("one", 3), ("other", 2), ("other", 3)):
        write_laid_over_pages(data, tmp_path / folder, bank, count, seed=4)
    one, other = (find_pages([tmp_path / folder])["laidover"] for folder in ("one", "other"))
    assert len(one) == len(other) == 3
    for page, same in zip(one, other, strict=True):
        assert np.array_equal(page.pixels, same.pixels)
