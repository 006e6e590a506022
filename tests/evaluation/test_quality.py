"""What the shipped models do to pages: bars that hold for every checkpoint we ship.

Pictures come from scikit-image, text from the evaluation pages; no training saw either.
"""

from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from PIL import Image

from pagewash.cleaning.cleaner import Cleaner, CleanOptions
from pagewash.evaluation.truth import psnr, rmse, ssim
from pagewash.inference.checkpoint import load_checkpoint, read_ranges, shipped_models
from pagewash.inference.int8_tiles import can_run_int8_tiles
from pagewash.options import PrecisionName
from pagewash.speed import draw_page

SAMPLES = Path(__file__).parents[2] / "data/samples"
NOISY_OFFICE = Path(__file__).parents[3] / "shared/data/noisyoffice/val"


@pytest.fixture(scope="module", params=shipped_models())
def cleaner(request) -> Cleaner:
    return Cleaner.from_pretrained(request.param)


def grey_sample(name: str) -> np.ndarray:
    return np.asarray(Image.open(SAMPLES / name).convert("L"))


def test_the_default_costs_at_most_a_tenth_more_multiply_adds_than_the_network_before():
    assert load_checkpoint(Cleaner.from_pretrained().model_id).network.macs_per_pixel <= 1.1 * 9_818


@pytest.mark.parametrize(
    "name", ["title-page.jpg", "book-page.jpg", "typed-letter.jpg", "receipt.jpg"]
)
def test_paper_of_the_samples_turns_white_and_ink_stays(cleaner, name):
    dirty = grey_sample(name)[:600]
    cleaned = cleaner.clean(dirty, dpi=150)
    assert np.percentile(cleaned, 60) > 245 > np.percentile(dirty, 60)
    assert (cleaned < 160).mean() > 0.01


def test_bf16_and_fp32_agree_on_the_samples(cleaner):
    dirty = grey_sample("book-page.jpg")[200:600, 100:600]
    cleaned = [
        Cleaner.from_pretrained(cleaner.model_id, CleanOptions("cpu", name)).clean(dirty, 150)
        for name in ("fp32", "bf16")
    ]
    assert psnr(cleaned[0], cleaned[1], data_range=255) >= 45


@pytest.fixture(scope="module")
def floats_and_integers(cleaner) -> list[Cleaner]:
    """A shipped model in two precisions."""
    shipped = load_checkpoint(cleaner.model_id)
    if not can_run_int8_tiles(shipped.network.tiles, read_ranges(shipped.card)):
        pytest.skip("no integer convolutions for this network, or for this machine")
    precisions: tuple[PrecisionName, ...] = ("fp32", "int8")
    return [
        Cleaner.from_pretrained(cleaner.model_id, CleanOptions("cpu", name)) for name in precisions
    ]


def test_integers_and_fp32_agree_on_the_samples(floats_and_integers):
    dirty = grey_sample("book-page.jpg")[200:600, 100:600]
    cleaned = [cleaner.clean(dirty, 150) for cleaner in floats_and_integers]
    assert psnr(cleaned[0], cleaned[1], data_range=255) >= 38


def test_paper_is_as_white_on_integers_as_in_fp32(floats_and_integers):
    toned = draw_page()[1000:1600]  # darker and darker from left to right
    floats, integers = (cleaner.clean(toned, 300) == 255 for cleaner in floats_and_integers)
    assert integers.mean() > floats.mean() - 0.01


def photographs() -> dict[str, np.ndarray]:
    """Four photographs as grey pages of a width of 512, on a white margin."""
    pages = {}
    for name in ("camera", "astronaut", "chelsea", "coffee"):
        picture = getattr(skimage.data, name)()
        grey = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        height = round(512 * grey.shape[0] / grey.shape[1])
        page = np.full((height + 200, 712), 255, np.uint8)
        page[100:-100, 100:-100] = cv2.resize(grey, (512, height), interpolation=cv2.INTER_AREA)
        pages[name] = page
    return pages


def halftone(page: np.ndarray) -> np.ndarray:
    """The page on a screen of 6 pixels at 45 degrees."""
    y, x = np.mgrid[: page.shape[0], : page.shape[1]]
    screen = (np.cos((x + y) * np.pi / 4.24) + np.cos((x - y) * np.pi / 4.24)) / 4 + 0.5
    dots = np.clip((page / 255 - screen) * 4 + 0.5, 0, 1)
    return np.where(page == 255, 255, dots * 255).astype(np.uint8)


def likeness_inside(cleaner: Cleaner, page: np.ndarray, paper: int) -> float:
    """SSIM of a picture cleaned on paper of a tone and as it was, its margin left out."""
    inside = np.s_[100:-100, 100:-100]
    scan = np.round(page * (paper / 255)).astype(np.uint8)
    return ssim(cleaner.clean(scan, dpi=300)[inside], page[inside])


@pytest.mark.parametrize("paper", [255, 230, 180])
@pytest.mark.parametrize("name", ["camera", "astronaut", "chelsea", "coffee"])
def test_a_halftone_stays(cleaner, name, paper):
    assert likeness_inside(cleaner, halftone(photographs()[name]), paper) >= 0.9


@pytest.mark.parametrize("paper", [255, 230, 180])
@pytest.mark.parametrize("name", ["camera", "astronaut", "chelsea", "coffee"])
def test_a_photograph_stays(cleaner, name, paper):
    assert likeness_inside(cleaner, photographs()[name], paper) >= 0.9


@pytest.mark.parametrize("name", ["camera", "astronaut", "chelsea", "coffee"])
def test_a_photograph_at_the_corner_of_a_page_stays(cleaner, name):
    page = photographs()[name][100:, 100:]
    scan = np.round(page * (230 / 255)).astype(np.uint8)
    inside = np.s_[:-100, :-100]
    assert ssim(cleaner.clean(scan, dpi=300)[inside], page[inside]) >= 0.9


@pytest.mark.skipif(not NOISY_OFFICE.exists(), reason="needs the NoisyOffice pages")
def test_noisy_office_comes_out_clean(cleaner):
    errors = []
    for path in sorted((NOISY_OFFICE / "noisy").glob("*.png"))[::9]:  # all four kinds
        dirty, clean = (cv2.imread(str(p), 0) for p in (path, NOISY_OFFICE / "clean" / path.name))
        errors.append((rmse(dirty, clean), rmse(cleaner.clean(dirty), clean)))
    before, after = np.mean(errors, axis=0)
    assert after < before / 2
