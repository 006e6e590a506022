"""The mean of several checkpoints."""

import sys
from dataclasses import replace

import pytest
import torch
from PIL import ImageFont

from pagewash.errors import OptionError
from pagewash.inference.checkpoint import ModelCard, load_checkpoint, read_ranges, save_checkpoint
from pagewash.inference.int8 import measure_ranges
from pagewash.models.autoencoder import Autoencoder, AutoencoderOptions
from pagewash.training import averaging
from pagewash.training.averaging import average

SMALL = AutoencoderOptions(patch=4, channels=(4, 4), layers=(1, 1))


def networks(count: int) -> list[Autoencoder]:
    torch.manual_seed(0)
    return [Autoencoder(SMALL) for _ in range(count)]


def test_every_weight_is_the_mean_by_the_shares():
    one, other = networks(2)
    pairs = zip(one.state_dict().items(), other.state_dict().values(), strict=True)
    expected = {n: 0.25 * v + 0.75 * w for (n, v), w in pairs if v.is_floating_point()}
    mean = average([one, other], [0.25, 0.75]).state_dict()
    assert all(torch.allclose(mean[name], value) for name, value in expected.items())


def test_the_mean_of_a_network_with_itself_is_the_network():
    (one,) = networks(1)
    before = {name: value.clone() for name, value in one.state_dict().items()}
    again = Autoencoder(SMALL)
    again.load_state_dict(before)
    mean = average([one, again], [0.5, 0.5]).state_dict()
    assert all(torch.equal(mean[name], value) for name, value in before.items())


def test_shares_that_do_not_add_up_are_refused():
    with pytest.raises(OptionError, match=r"0.5, 0.4 do not add up to 1"):
        average(networks(2), [0.5, 0.4])


def test_networks_of_different_shapes_are_refused():
    other = Autoencoder(replace(SMALL, channels=(4, 8)))
    with pytest.raises(OptionError, match="different shapes"):
        average([*networks(1), other], [0.5, 0.5])


def test_the_command_writes_the_mean_with_ranges_of_its_own(tmp_path, monkeypatch):
    (tmp_path / "plain.ttf").write_bytes(ImageFont.load_default(20).font_bytes)
    monkeypatch.setattr(averaging, "CROPS", 1)
    card = ModelCard("mine", scores={"of old weights": 1.0}, attribution="somebody")
    paths = [tmp_path / f"{name}.safetensors" for name in ("one", "other")]
    for path, network in zip(paths, networks(2), strict=True):
        save_checkpoint(path, network, card)
    arguments = [str(tmp_path / "mean.safetensors"), *(f"{path}=0.5" for path in paths)]
    monkeypatch.setattr(sys, "argv", ["averaging", *arguments, str(tmp_path)])
    averaging.main()
    mean = load_checkpoint(tmp_path / "mean.safetensors", fold=False)
    assert (mean.card.name, mean.card.attribution, mean.card.scores) == ("mine", "somebody", {})
    ranges = read_ranges(mean.card)
    assert ranges.keys() == measure_ranges(mean.network.eval(), torch.rand(1, 1, 64, 64)).keys()
