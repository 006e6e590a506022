"""A network of another architecture: one row of the table, and everything works with it."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from networks import FakeNetwork
from torch import nn

from pagewash.cleaning.cleaner import Cleaner, CleanOptions
from pagewash.errors import InputError, OptionError
from pagewash.inference.architectures import ARCHITECTURES, Architecture, architecture_name
from pagewash.inference.checkpoint import ModelCard, load_checkpoint, save_checkpoint
from pagewash.inference.network import TileMaps
from pagewash.inference.session import open_session
from pagewash.pages import Page
from pagewash.speed import network_alone

CPU = CleanOptions(device="cpu", precision="fp32", tile=64)


@dataclass(frozen=True)
class WhitenerOptions:
    """As large as its options say."""

    channels: int = 3


class Whitener(nn.Module):
    """Divides by the brightest colour of the page, and does to it what its one weight says."""

    stride, receptive_radius = 8, 0

    def __init__(self, options: WhitenerOptions = WhitenerOptions()):
        super().__init__()
        self.options = options
        self.strength = nn.Parameter(torch.ones(options.channels))


class ReadyWhitener:
    """A `Whitener` at work: what it knows of a page is the colour of its paper."""

    stride, receptive_radius = 8, 0

    def __init__(self, network, device, dtype, ranges):
        self.network, self.looks = network, 0

    def look(self, view):
        self.looks += 1
        brightest = np.atleast_3d(view).max((0, 1))
        return torch.from_numpy(brightest / 255).float()

    def predict_affine(self, tiles, *, features=False):
        strength = self.network.strength
        maps = []
        for tile in tiles:
            gain = (strength[: len(tile.context)] / tile.context)[:, None, None]
            shape = tile.pixels.shape[:2]
            maps.append(TileMaps(gain.expand(-1, *shape), torch.zeros(1, *shape)))
        return maps

    def layout(self, cleaned):
        return None


@pytest.fixture
def whitener(monkeypatch, tmp_path):
    """A checkpoint of an architecture that pagewash knows by one row of the table."""
    row = Architecture(WhitenerOptions, Whitener, ReadyWhitener)
    monkeypatch.setitem(ARCHITECTURES, "whitener", row)
    path = tmp_path / "white.safetensors"
    save_checkpoint(path, Whitener(), ModelCard("white"))
    return path


def brown_page():
    page = np.full((150, 131, 3), (220, 180, 130), np.uint8)
    page[40:50, 20:90] = (60, 50, 40)
    return page


def test_a_checkpoint_brings_its_own_architecture_into_the_cleaner(whitener):
    cleaner = Cleaner.from_pretrained(whitener, CPU)
    cleaned = cleaner.clean(brown_page(), 300)
    assert (cleaned[:30] == 255).all()
    assert np.abs(cleaned[45, 50].astype(int) - (70, 71, 78)).max() <= 1
    assert cleaner.clean(brown_page()[..., 0], 300).shape == (150, 131)


def test_it_looks_once_at_a_page_of_many_tiles(whitener):
    cleaner = Cleaner.from_pretrained(whitener, CPU)
    tiles = cleaner.plan(Page(brown_page(), (300, 300))).tiles
    cleaner.clean(brown_page(), 300)
    assert len(tiles) > 1
    network = cleaner._session.network
    assert isinstance(network, ReadyWhitener)
    assert network.looks == 2  # to plan it, and to clean it


def test_weights_and_options_come_back_from_the_checkpoint(whitener):
    loaded = load_checkpoint(whitener)
    assert loaded.card.architecture == architecture_name(loaded.network) == "whitener"
    assert loaded.card.options == WhitenerOptions(channels=3)
    assert torch.equal(loaded.network.strength, torch.ones(3))


def test_it_is_measured_as_any_other(whitener):
    loaded = load_checkpoint(whitener)
    session = open_session(loaded.network, loaded.card, "cpu", "fp32")
    assert network_alone(session, 3, (64, 64), 0).pixels == 64 * 64


def test_it_runs_on_integers_only_if_its_row_says_so(whitener):
    with pytest.raises(OptionError, match="int8"):
        Cleaner.from_pretrained(whitener, CleanOptions(device="cpu", precision="int8"))


def test_a_card_of_an_architecture_that_is_not_there_is_refused(whitener, monkeypatch):
    monkeypatch.delitem(ARCHITECTURES, "whitener")
    with pytest.raises(InputError, match="update pagewash"):
        load_checkpoint(whitener)


def test_a_network_of_no_architecture_cannot_be_saved(tmp_path):
    with pytest.raises(ValueError, match="Linear is none of the architectures"):
        save_checkpoint(tmp_path / "a.safetensors", nn.Linear(1, 1), ModelCard("a"))


def test_a_network_that_needs_no_row_runs_as_it_is():
    network = FakeNetwork()
    assert open_session(network, ModelCard("fake"), "cpu", "fp32").network is network
    with pytest.raises(OptionError, match="int8"):
        open_session(network, ModelCard("fake"), "cpu", "int8")
