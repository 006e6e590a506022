"""Weights and cards survive a round trip, and damage is reported by name."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from networks import SMALL, small_network

from pagewash.errors import AccessError, InputError, MissingError
from pagewash.inference import model_files as modelfiles
from pagewash.inference.checkpoint import (
    ModelCard,
    load_checkpoint,
    read_ranges,
    save_checkpoint,
    shipped_models,
)
from pagewash.models.page_autoencoder import BLOCK, SUMMARY_CHANNELS, PageAutoencoder

DRAWN = torch.Generator().manual_seed(0)
PAGES = (
    torch.rand(2, 3, 2 * BLOCK, 3 * BLOCK, generator=DRAWN),
    torch.rand(2, SUMMARY_CHANNELS, 2, 3, generator=DRAWN),
)
"""Two small ones, and their summaries."""


@pytest.fixture
def network() -> PageAutoencoder:
    network = small_network().train()
    network(*PAGES)  # moves the statistics of batch normalisation
    return network.eval()


@pytest.fixture
def saved(tmp_path: Path, network: PageAutoencoder) -> Path:
    path = tmp_path / "mine.safetensors"
    save_checkpoint(path, network, ModelCard("mine", licence="MIT", scores={"psnr": 20.5}))
    return path


def test_a_network_comes_back_with_its_options_and_weights(saved, network):
    loaded = load_checkpoint(saved, fold=False)
    assert loaded.network.options == SMALL
    assert torch.equal(loaded.network(*PAGES), network(*PAGES))


def test_batch_normalisation_is_folded_on_loading(saved, network):
    folded = load_checkpoint(saved).network
    assert not [part for part in folded.modules() if isinstance(part, torch.nn.BatchNorm2d)]
    assert torch.allclose(folded(*PAGES), network(*PAGES), atol=1e-5)


def test_an_unfolded_network_can_be_trained_and_saved_again(saved):
    loaded = load_checkpoint(saved, fold=False)
    loaded.network.train()(*PAGES).mean().backward()
    save_checkpoint(saved, loaded.network, loaded.card)


def test_the_card_comes_back_as_it_was_with_options_and_hash_filled_in(saved):
    card = load_checkpoint(str(saved)).card
    expected = ModelCard("mine", options=SMALL, licence="MIT", scores={"psnr": 20.5})
    assert replace(card, sha256="") == expected


def test_the_hash_is_that_of_the_weights_file(saved):
    loaded = load_checkpoint(saved)
    assert loaded.sha256 == hashlib.sha256(saved.read_bytes()).hexdigest() == loaded.card.sha256


def test_fields_of_a_newer_card_are_left_out(saved):
    card = saved.with_suffix(".json")
    card.write_text(json.dumps(json.loads(card.read_text()) | {"flavour": "mint"}))
    assert load_checkpoint(saved).card.name == "mine"


def test_a_network_that_only_a_newer_pagewash_can_build_is_reported(saved):
    card = saved.with_suffix(".json")
    content = json.loads(card.read_text())
    content["options"]["wavelets"] = 3
    card.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"mine\.json.*wavelets"):
        load_checkpoint(saved)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"name": "x", "options": 3}'])
def test_a_card_that_is_none_is_reported_by_name(saved, text):
    saved.with_suffix(".json").write_text(text)
    with pytest.raises(InputError, match=r"mine\.json is not a model card"):
        load_checkpoint(saved)


def test_a_card_that_names_no_architecture_is_of_a_pagewash_too_old(saved):
    card = saved.with_suffix(".json")
    content = json.loads(card.read_text())
    del content["architecture"]
    card.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"mine\.json is not a model card"):
        load_checkpoint(saved)


def test_a_missing_card_is_reported(saved):
    saved.with_suffix(".json").unlink()
    with pytest.raises(InputError, match=r"mine\.json is missing"):
        load_checkpoint(saved)


@pytest.mark.parametrize("keep_hash", [True, False])
@pytest.mark.parametrize("length", [0, 5, 600])
def test_truncated_weights_are_reported_by_name(saved, length, keep_hash):
    saved.write_bytes(saved.read_bytes()[:length])
    if not keep_hash:
        _edit_card(saved, sha256="")
    with pytest.raises(InputError, match=r"mine\.safetensors"):
        load_checkpoint(saved)


def test_a_flipped_bit_in_the_weights_is_noticed(saved):
    content = bytearray(saved.read_bytes())
    content[-1] ^= 1
    saved.write_bytes(content)
    with pytest.raises(InputError, match="changed or damaged"):
        load_checkpoint(saved)


def test_weights_of_another_network_are_reported(saved):
    other = small_network(replace(SMALL, channels=(8, 8, 16)))
    save_checkpoint(saved.with_name("other.safetensors"), other, ModelCard("other"))
    saved.write_bytes(saved.with_name("other.safetensors").read_bytes())
    _edit_card(saved, sha256="")
    with pytest.raises(InputError, match="does not hold the weights of the network on its card"):
        load_checkpoint(saved)


def test_an_unknown_model_is_reported_with_the_shipped_ones(saved, monkeypatch):
    monkeypatch.setattr(modelfiles, "SHIPPED", saved.parent)
    with pytest.raises(MissingError, match=r"no model 'fastest'.*\(mine\)"):
        load_checkpoint("fastest")
    with pytest.raises(MissingError, match="no model"):
        load_checkpoint(saved.with_name("gone.safetensors"))


def test_a_shipped_model_is_found_by_its_name(saved, monkeypatch):
    monkeypatch.setattr(modelfiles, "SHIPPED", saved.parent)
    assert shipped_models() == ["mine"]
    assert load_checkpoint("mine").card.name == "mine"


@pytest.mark.parametrize("name", shipped_models())
def test_every_shipped_model_loads_and_says_who_made_what_it_learned_from(name):
    loaded = load_checkpoint(name)
    assert loaded.card.name == name
    assert loaded.card.training_data
    assert loaded.card.licence
    assert loaded.card.sha256 == loaded.sha256


def test_a_folded_network_is_not_saved(tmp_path, network):
    with pytest.raises(ValueError, match="folded"):
        save_checkpoint(tmp_path / "x.safetensors", network.fold(), ModelCard("x"))
    assert not list(tmp_path.iterdir())


def test_nothing_but_the_two_files_is_left_behind(saved):
    assert sorted(path.name for path in saved.parent.iterdir()) == ["mine.json", "mine.safetensors"]


def test_a_folder_that_cannot_be_written_is_reported(saved, network):
    with pytest.raises(AccessError, match="cannot be written"):
        save_checkpoint(saved / "below-a-file" / "x.safetensors", network, ModelCard("x"))


def _edit_card(path: Path, **values: object) -> None:
    card = path.with_suffix(".json")
    card.write_text(json.dumps(json.loads(card.read_text()) | values))


@pytest.mark.parametrize(
    "options",
    [
        {"channels": [10**9, 8, 8]},
        {"channels": [8] * 10**6, "layers": [1] * 10**6},
        {"layers": [10**6, 1, 1]},
        {"channels": [8192] * 3, "layers": [64] * 3},
        {"context_channels": [8] * 10**6},
        {"features": 10**9},
        {"patch": 8192},
        {"layers": [1.0, 1, 1]},
        {"channels": [8.0, 8, 8]},
        {"features": 4.0},
    ],
)
def test_a_card_that_asks_for_more_than_its_weights_is_refused_at_once(saved, options):
    known = json.loads(saved.with_suffix(".json").read_text())["options"]
    _edit_card(saved, options=known | options)
    with pytest.raises(InputError, match=r"mine\.(json|safetensors)"):
        load_checkpoint(saved)


@pytest.mark.parametrize("ranges", [None, [1], {"tiles": 3}])
def test_ranges_that_are_none_are_told(saved, ranges):
    _edit_card(saved, activation_ranges=ranges)
    with pytest.raises(InputError, match="ranges"):
        read_ranges(load_checkpoint(saved).card)


def test_a_card_of_a_hundred_thousand_brackets_is_none(saved):
    saved.with_suffix(".json").write_text("[" * 100_000)
    with pytest.raises(InputError, match=r"mine\.json is not a model card"):
        load_checkpoint(saved)
