"""Folders to learn from, and a run from there."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from pagewash.errors import AccessError, InputError, MissingError, OptionError
from pagewash.inference.checkpoint import load_checkpoint
from pagewash.models.autoencoder import AutoencoderOptions
from pagewash.training.loop import TrainingOptions
from pagewash.training.material import Material, learn
from pagewash.training.pairs import PairOptions

REAL = TrainingOptions(
    network=AutoencoderOptions(patch=2, channels=(4, 4), layers=(1, 1)),
    pairs=PairOptions(crop=32, real=1, real_corrupted=0),
    batch=1, steps=1, workers=0,
)  # fmt: skip


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """A folder with one dirty page and its clean one."""
    page = np.full((40, 50), 255, np.uint8)
    page[10:14] = 0
    for name, pixels in (("dirty", page // 2), ("clean", page)):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "page.png"), pixels)
    return tmp_path


def test_pairs_need_no_fonts(scans):
    material = Material(scans / "dirty", scans / "clean", fonts=(scans,), attribution="A. Scanner")
    card = load_checkpoint(learn(scans / "run", REAL, material)).card
    assert card.training_data == "1 pairs of its user's"
    assert card.attribution == "A. Scanner"


def test_a_start_brings_its_own_network(scans):
    material = Material(scans / "dirty", scans / "clean", fonts=(scans,))
    first = learn(scans / "first", REAL, material)
    other = replace(REAL, network=AutoencoderOptions())
    second = learn(scans / "second", other, replace(material, start=str(first)))
    assert load_checkpoint(second).card.options == REAL.network


def test_clean_pages_alone_are_corrupted_and_that_takes_fonts(scans):
    with pytest.raises(MissingError, match="fonts"):
        learn(scans / "run", REAL, Material(clean=scans / "clean", fonts=(scans,)))


def test_dirty_pages_without_clean_ones_are_refused():
    with pytest.raises(OptionError, match="needs --clean"):
        Material(dirty=Path("dirty"))


def test_an_empty_folder_is_reported(scans):
    (scans / "empty").mkdir()
    with pytest.raises(InputError, match="no image"):
        learn(scans / "run", REAL, Material(clean=scans / "empty"))


@pytest.mark.parametrize(
    ("dirty", "clean"), [(None, "gone"), ("dirty", "gone"), ("gone", "clean"), (None, "page.png")]
)
def test_what_is_no_folder_is_reported_by_its_name(scans, dirty, clean):
    (scans / "page.png").touch()
    material = Material(scans / dirty if dirty else None, scans / clean)
    with pytest.raises(AccessError, match=r"(gone|page\.png) is not a folder; name one"):
        learn(scans / "run", REAL, material)
