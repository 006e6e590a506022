"""Training of the orientation network, in few steps, on pages made here."""

from pathlib import Path

import numpy as np
import pytest
import torch
from lines import lines_page

from pagewash.errors import InputError
from pagewash.evaluation.parts import CHOOSING, part_of
from pagewash.geometry.orientation import WINDOW, windows
from pagewash.training.orientation import (
    OrientationTraining,
    _varied,
    images_to_learn_from,
    read_recipe,
    train,
)


@pytest.fixture
def letters():
    return windows(lines_page((500, 600)))


def test_the_same_seed_gives_the_same_weights_and_another_gives_others(letters):
    options = [OrientationTraining(2, 8, rendered_pages=0, seed=seed) for seed in (0, 0, 1)]
    one, same, other = (train([letters], [], chosen)[0].head.weight for chosen in options)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_windows_held_back_are_told_by_chance_before_anything_is_learned(letters):
    _, share = train([letters], [letters], OrientationTraining(1, 8, rendered_pages=0))
    assert 0.05 < share < 0.6


@pytest.mark.parametrize("seed", range(12))
def test_windows_keep_their_size_and_ink_however_they_are_varied(seed):
    window = torch.zeros(3, 1, WINDOW, WINDOW)
    window[:, :, 15:30, 20:24] = 1
    varied = _varied(np.random.default_rng(seed), window)
    assert varied.shape == window.shape
    assert 0.3 < varied.sum() / window.sum() < 3


def test_pages_without_letters_teach_nothing():
    none = windows(np.full((300, 300), 255, np.uint8))
    with pytest.raises(InputError, match="no page has letters"):
        train([none], [], OrientationTraining(steps=1, rendered_pages=0))


def test_the_recipe_that_ships_leaves_what_is_for_reporting_alone(tmp_path):
    recipe = read_recipe()
    names = [f"scans/page-{number}.png" for number in range(40)]
    for name in names:
        path = tmp_path / "scans" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    found = {path.name for path in images_to_learn_from(tmp_path, recipe.folders)}
    assert found == {Path(name).name for name in names if part_of(Path(name).name) == CHOOSING}
    assert set(recipe.turned.values()) <= {90, 180, 270}
