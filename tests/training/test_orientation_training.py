"""Training of the orientation network, in few steps, on pages made here."""

import cv2
import numpy as np
import pytest
import torch
from lines import lines_page

from pagewash.errors import InputError
from pagewash.geometry.orientation import WINDOW
from pagewash.training.orientation import OrientationTraining, _varied, train


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "page.png"
    assert cv2.imwrite(str(path), lines_page((500, 600)))
    return path


def test_the_same_seed_gives_the_same_weights_and_another_gives_others(page):
    options = [OrientationTraining(2, 8, rendered_pages=0, seed=seed) for seed in (0, 0, 1)]
    one, same, other = (train([page], chosen).head.weight for chosen in options)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("seed", range(12))
def test_windows_keep_their_size_and_ink_however_they_are_varied(seed):
    window = torch.zeros(3, 1, WINDOW, WINDOW)
    window[:, :, 15:30, 20:24] = 1
    varied = _varied(np.random.default_rng(seed), window)
    assert varied.shape == window.shape
    assert 0.3 < varied.sum() / window.sum() < 3


def test_pages_without_letters_teach_nothing(tmp_path):
    path = tmp_path / "page.png"
    assert cv2.imwrite(str(path), np.full((300, 300), 255, np.uint8))
    with pytest.raises(InputError, match="no page has letters"):
        train([path], OrientationTraining(steps=1, rendered_pages=0))
