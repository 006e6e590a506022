"""The tile network on 8-bit integers: it says what it says on floats, and by which ranges."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from networks import SMALL, needs_integers, small_network
from scans import scan
from torch import Tensor

from pagewash.cleaning.cleaner import Cleaner, CleanOptions
from pagewash.errors import OptionError
from pagewash.inference.checkpoint import ModelCard, ranges_for_card, save_checkpoint
from pagewash.inference.int8 import ActivationRanges
from pagewash.inference.int8_tiles import (
    INPUT,
    Int8TileNetwork,
    RangeMeasure,
    can_run_int8_tiles,
    recording,
)
from pagewash.models.page_autoencoder import (
    BLOCK,
    BRIGHTEST,
    PageAutoencoder,
    PageAutoencoderOptions,
    TileNetwork,
)

pytestmark = needs_integers


WIDE = replace(SMALL, channels=(16, 16, 16))


def bytes_and_colours(seed: int = 0, count: int = 16) -> tuple[Tensor, Tensor]:
    """Tiles of dark squares on noisy paper, as integers get them and as floats do."""
    rng = np.random.default_rng(seed)
    values = rng.normal(60, 8, (count, 3, 64, 96))
    values += 140 * np.kron(rng.random((count, 1, 16, 24)) < 0.3, np.ones((4, 4)))
    ink = torch.from_numpy(values.clip(0, 255).astype(np.uint8))
    ink = ink.contiguous(memory_format=torch.channels_last)
    return ink, BRIGHTEST - ink.float() * INPUT.step


def told(seed: int = 0, count: int = 16) -> Tensor:
    """What their pages' context says."""
    drawn = torch.Generator().manual_seed(seed)
    return torch.randn((count, SMALL.features, 64 // BLOCK, 96 // BLOCK), generator=drawn)


def ranges_of(network: TileNetwork) -> ActivationRanges:
    """Measured on some tiles."""
    measure = RangeMeasure()
    with torch.inference_mode(), recording(network, measure.see):
        network(bytes_and_colours()[1], told())
    return measure.ranges()


def met(options: PageAutoencoderOptions = WIDE) -> PageAutoencoder:
    """A network whose normalisations have met tiles."""
    network = small_network(options)
    network.tiles.train()
    with torch.no_grad():
        for seed in range(3):
            network.tiles(bytes_and_colours(seed)[1], told(seed))
    return network.eval()


def assert_alike_on_integers(floats: TileNetwork) -> None:
    integers = Int8TileNetwork(floats, ranges_of(floats))
    ink, colours = bytes_and_colours(seed=9, count=2)
    features = told(seed=9, count=2)
    with torch.inference_mode():
        exact = floats(colours, features)
        rounded = torch.cat(integers(ink, integers.context(features)), 1)
    assert exact.shape == rounded.shape
    error = (exact - rounded).square().mean((0, 2, 3)) / exact.var((0, 2, 3))
    assert (10 * error.log10() < -17).all()


@pytest.mark.parametrize(
    "options",
    [
        WIDE,
        replace(WIDE, layers=(1, 2, 1)),
        replace(WIDE, embedding=4),
        replace(WIDE, patch=8, channels=(16, 16), layers=(1, 2)),
        replace(WIDE, patch=2, channels=(16, 16, 16, 16), layers=(1, 1, 1, 1)),
    ],
    ids=["plain", "deep", "bottleneck", "large patches", "four levels"],
)
def test_a_network_on_integers_says_what_it_says_on_floats(options):
    assert_alike_on_integers(met(options).tiles)


def test_a_channel_that_a_level_hardly_uses_does_not_make_its_sum_coarse():
    floats = met().fold().tiles
    with torch.no_grad():
        floats.encoder[0][-1].conv.bias[0] = -100
    assert_alike_on_integers(floats)


def test_the_network_that_was_rounded_stays_as_it_is():
    floats = met().tiles
    before = copy.deepcopy(floats.state_dict())
    Int8TileNetwork(floats, ranges_of(floats))
    after = floats.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_ranges_are_the_same_whether_normalisations_are_folded_or_not():
    network = met()
    plain, folded = ranges_of(network.tiles), ranges_of(network.fold().tiles)
    assert plain.keys() == folded.keys()
    assert all(torch.allclose(plain[name], folded[name], atol=1e-4) for name in plain)


def test_ranges_are_those_of_all_that_was_seen():
    measure = RangeMeasure()
    measure.see("stem", torch.linspace(0, 1, 1000).view(1, 1, 20, 50))
    measure.see("stem", torch.linspace(1, 3, 1000).view(1, 1, 20, 50))
    assert torch.allclose(measure.ranges()["stem"][:, 0], torch.tensor([0.0, 3.0, 1.25]), atol=0.01)


def test_nothing_is_recorded_any_more_once_that_is_over():
    network, seen = met().tiles, []
    with torch.inference_mode():
        with recording(network, lambda name, values: seen.append(name)):
            network(bytes_and_colours()[1], told())
        before = len(seen)
        network(bytes_and_colours()[1], told())
    assert len(seen) == before == len(set(seen))


def test_a_network_without_all_of_its_ranges_cannot_run_on_integers():
    network = met().tiles
    ranges = ranges_of(network)
    assert can_run_int8_tiles(network, ranges)
    assert not can_run_int8_tiles(network, {})
    for name in ("stem", "decoder.0.input", "context"):
        assert not can_run_int8_tiles(network, {n: r for n, r in ranges.items() if n != name})
    narrower = {**ranges, "stem": ranges["stem"][:, 1:]}
    assert not can_run_int8_tiles(network, narrower)
    assert not can_run_int8_tiles(met(replace(WIDE, layers=(2, 1, 1))).tiles, ranges)
    assert not can_run_int8_tiles(object(), ranges)


def test_a_checkpoint_runs_on_integers_if_its_card_has_the_ranges(tmp_path):
    network, page, options = met(), scan(), CleanOptions("cpu", "int8", on_review="cleaned")
    card = ModelCard("it", activation_ranges=ranges_for_card(ranges_of(network.tiles)))
    expected = Cleaner(network, options, card).clean(page)
    path = tmp_path / "it.safetensors"
    save_checkpoint(path, network, card)
    assert np.array_equal(Cleaner.from_pretrained(path, options).clean(page), expected)
    save_checkpoint(path, network, ModelCard("it"))
    with pytest.raises(OptionError, match="no ranges on this model's card"):
        Cleaner.from_pretrained(path, options)
