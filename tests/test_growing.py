"""A finer network that starts from a coarser one."""

import sys

import pytest
import torch

from models.autoencoder import Autoencoder, AutoencoderOptions
from pipeline.cleaning.checkpoint import ModelCard, load_checkpoint, save_checkpoint
from pipeline.errors import OptionError
from pipeline.learning import growing
from pipeline.learning.growing import grow

SMALL = AutoencoderOptions(patch=4, channels=(4, 6), layers=(1, 2))


def test_a_grown_network_sees_half_the_patches_at_the_same_stride():
    network = Autoencoder(SMALL)
    grown = grow(network, channels=3, layers=2)
    assert (grown.options.patch, grown.options.channels) == (2, (3, 4, 6))
    assert grown.options.layers == (2, 1, 2)
    assert grown.stride == network.stride
    assert grown(torch.rand(1, 1, 16, 16)).shape == (1, 1, 16, 16)


def test_all_levels_of_the_start_are_taken_over_one_level_farther_in():
    network = Autoencoder(SMALL)
    grown = grow(network, channels=3, layers=1)
    coarse = torch.rand(1, 4, 8, 8)

    def inner(net: Autoencoder, first: int) -> torch.Tensor:
        net.eval()
        skip = net.encoder[first](coarse.clone())
        deep = net.encoder[first + 1](net.down[first](skip))
        x = torch.nn.functional.pixel_shuffle(net.up[first](deep), 2) + skip
        return net.decoder[first](x)

    with torch.no_grad():
        assert torch.equal(inner(grown, 1), inner(network, 0))


def test_the_start_stays_as_it_was():
    network = Autoencoder(SMALL)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    grow(network, channels=3, layers=1)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_patches_of_an_odd_side_cannot_be_halved():
    with pytest.raises(OptionError, match="patches of 1 px cannot be halved"):
        grow(Autoencoder(AutoencoderOptions(patch=1, channels=(4,), layers=(1,))), 4, 1)


def test_the_command_keeps_only_what_is_still_true_on_the_card(tmp_path, monkeypatch):
    start, out = tmp_path / "start.safetensors", tmp_path / "out.safetensors"
    card = ModelCard("mine", scores={"of the start": 1.0}, attribution="somebody")
    save_checkpoint(start, Autoencoder(SMALL), card)
    monkeypatch.setattr(sys, "argv", ["growing", str(out), str(start), "3", "2"])
    growing.main()
    grown = load_checkpoint(out, fold=False)
    assert (grown.card.attribution, grown.card.scores) == ("somebody", {})
    assert grown.network.options.channels == (3, 4, 6)
