"""Photographs as pages: which are taken, which are held back, and what of them stays."""

import cv2
import numpy as np
import pytest

from pagewash.errors import AccessError, MissingError
from pagewash.training import photograph_pages
from pagewash.training.page_corpus import find_pages
from pagewash.training.photograph_pages import (
    find_photographs,
    photograph_page,
    write_photograph_pages,
)


@pytest.fixture
def no_paper(tmp_path, monkeypatch):
    """A bank in which luck finds no paper, so that all is made up."""
    monkeypatch.setattr(photograph_pages, "whole_paper", lambda bank, rng: None)
    return tmp_path


def write_photographs(folder, names):
    folder.mkdir()
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(exist_ok=True)
        shades = np.random.default_rng(number).integers(0, 200, (6, 8, 3)).astype(np.uint8)
        cv2.imwrite(str(folder / name), cv2.resize(shades, (80 + number, 60)))
    return folder


def test_one_of_eight_photographs_is_held_back(tmp_path):
    folder = write_photographs(tmp_path / "some", [f"{number}.jpg" for number in range(17)])
    training = find_photographs([folder], held_back=False)
    held_back = find_photographs([folder], held_back=True)
    assert (len(training), len(held_back)) == (15, 2)
    assert not set(training) & set(held_back)


def test_a_photograph_in_several_sizes_is_one_and_drawings_are_none(tmp_path):
    sizes = ["sea/80x60.jpg", "sea/640x480.jpg", "wood/80x60.jpeg", "wood/drawn.png"]
    more = ["sea/screenshot.jpg", "elephants.jpg", "elephants_640x480.jpg"]
    folder = write_photographs(tmp_path / "some", [*sizes, *more])
    found = find_photographs([folder], held_back=False)
    elephants, *others = sorted(path.relative_to(folder).as_posix() for path in found)
    assert elephants.startswith("elephants")
    assert others == ["sea/640x480.jpg", "wood/80x60.jpeg"]


def test_no_photographs_say_what_to_do(tmp_path):
    with pytest.raises(MissingError, match="install the packages"):
        find_photographs([tmp_path], held_back=False)
    with pytest.raises(AccessError, match="nowhere"):
        find_photographs([tmp_path / "nowhere"], held_back=False)


@pytest.mark.parametrize("seed", range(12))
def test_only_paper_darkens_a_photograph_and_where_none_shows_nothing_does(no_paper, seed):
    photograph = np.full((300, 400, 3), (40, 90, 140), np.uint8)
    page = photograph_page(photograph, no_paper, np.random.default_rng(seed))
    white = (page.clean == 255).all(2)
    light = np.moveaxis(np.repeat(np.repeat(page.paper, 16, 1), 16, 2), 0, 2)
    assert np.abs(page.dirty - light * page.clean).max() <= 1
    assert light.min() > 0.59
    if not white.any():
        assert np.array_equal(page.dirty, page.clean)
    assert (page.clean[~white] < 190).all(), "it is never lightened beyond itself"


def test_a_light_photograph_could_be_paper_and_is_left_out(no_paper):
    light = np.full((300, 400, 3), 230, np.uint8)
    page = photograph_page(light, no_paper, np.random.default_rng(1))
    assert (page.clean == 255).all()


def test_pages_are_written_once_and_are_the_same_again(tmp_path, no_paper):
    photographs = sorted(write_photographs(tmp_path / "some", ["a.jpg", "b.jpg"]).iterdir())
    for folder, count in (("once", 3), ("twice", 1), ("twice", 3)):
        write_photograph_pages(photographs, tmp_path / folder, no_paper, count, seed=4)
    once, twice = (find_pages([tmp_path / name])["photograph"] for name in ("once", "twice"))
    assert len(once) == 3
    assert all(
        np.array_equal(page.pixels, again.pixels) for page, again in zip(once, twice, strict=True)
    )
