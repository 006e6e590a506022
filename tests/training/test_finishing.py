"""A finish given to a network, and taken away."""

import sys

import pytest
import torch

from pagewash.inference.checkpoint import (
    ModelCard,
    load_checkpoint,
    ranges_for_card,
    save_checkpoint,
)
from pagewash.inference.int8 import measure_ranges
from pagewash.models.autoencoder import Autoencoder, AutoencoderOptions
from pagewash.training import finishing
from pagewash.training.finishing import with_finish

SMALL = AutoencoderOptions(patch=4, channels=(4, 6), layers=(1, 2))


def answer(network: Autoencoder, page: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return network.eval()(page)


def test_a_network_with_a_new_finish_answers_as_before():
    network, page = Autoencoder(SMALL), torch.rand(1, 1, 16, 24)
    finished = with_finish(network, channels=3, layers=2)
    assert (finished.options.finish_channels, finished.options.finish_layers) == (3, 2)
    assert torch.equal(answer(finished, page), answer(network, page))


def test_without_its_finish_a_network_answers_as_it_did_before_the_finish():
    page = torch.rand(1, 1, 16, 24)
    finished = with_finish(Autoencoder(SMALL), channels=3, layers=1).eval()
    with torch.inference_mode():
        finished.finish.head.bias.fill_(0.5)
        (gain, offset), _ = finished.answers(*finished.encode_levels(page), page)
    plain = with_finish(finished, channels=0, layers=1)
    assert plain.finish is None
    assert torch.equal(answer(plain, page), gain * page + offset)
    assert not torch.equal(answer(plain, page), answer(finished, page))


def test_the_start_stays_as_it_was():
    network = Autoencoder(SMALL)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    finished = with_finish(network, channels=3, layers=1)
    with torch.no_grad():
        finished.head.weight.zero_()
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


@pytest.mark.parametrize("channels", [0, 3])
def test_the_command_keeps_only_what_is_still_true_on_the_card(tmp_path, monkeypatch, channels):
    start, out = tmp_path / "start.safetensors", tmp_path / "out.safetensors"
    network = with_finish(Autoencoder(SMALL), channels=5, layers=1).eval()
    ranges = measure_ranges(network, torch.rand(2, 1, 64, 64))
    card = ModelCard(
        "mine",
        scores={"of the start": 1.0},
        attribution="somebody",
        activation_ranges=ranges_for_card(ranges),
    )
    save_checkpoint(start, network, card)
    monkeypatch.setattr(sys, "argv", ["finishing", str(out), str(start), str(channels), "2"])
    finishing.main()
    made = load_checkpoint(out, fold=False)
    assert (made.card.attribution, made.card.scores) == ("somebody", {})
    assert made.network.options.finish_channels == channels
    # a new finish has yet to be measured; what is left after it is gone has been
    assert bool(made.card.activation_ranges) == (not channels)
    assert not [name for name in made.card.activation_ranges if name.startswith("finish.")]
