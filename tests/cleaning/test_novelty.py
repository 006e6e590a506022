"""How unlike the usual a page is, and what stands where on it: both beside cleaning."""

import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import ImageFont
from scans import scan, write_scan

from pagewash.cleaning.cleaner import Cleaner, CleanOptions
from pagewash.cleaning.embedding import page_embedding
from pagewash.cleaning.novelty import Calibration
from pagewash.errors import InputError, OptionError
from pagewash.inference.architectures import architecture_of
from pagewash.inference.checkpoint import ModelCard, load_checkpoint, save_checkpoint
from pagewash.measuring.records import read_records
from pagewash.options import RunOptions
from pagewash.pages import Page
from pagewash.runs.planning import plan_run
from pagewash.runs.shards import clean_run
from pagewash.training import calibration
from pagewash.training.calibration import calibrate

ANY_TEXT = (1.0, 1000.0)
"""x-heights that no page is resampled for."""

SCANS = [scan(seed, (128, 96)) for seed in range(60)]


@pytest.fixture(scope="module")
def usual(tiny_model) -> Calibration:
    return calibrate(load_checkpoint(tiny_model).network, SCANS[:40])


@pytest.fixture(scope="module")
def card(usual) -> ModelCard:
    return ModelCard("tiny", text_heights=ANY_TEXT, calibration=usual.for_card())


def made(tiny_model: Path, card: ModelCard, **options: object) -> Cleaner:
    chosen = CleanOptions(device="cpu", precision="fp32", **options)
    return Cleaner(load_checkpoint(tiny_model).network, chosen, card)


def cleaned(cleaner: Cleaner, *pages: np.ndarray):
    return list(cleaner.clean_pages(Page(page, (300, 300)) for page in pages))


def test_usual_pages_lie_at_all_percentiles_and_strange_ones_at_the_top(tiny_model, card):
    noise = np.random.default_rng(0).integers(0, 256, (128, 96), dtype=np.uint8)
    blank = np.full((128, 96), 200, np.uint8)
    *others, static, empty = cleaned(made(tiny_model, card), *SCANS[40:], noise, blank)
    percentiles = [page.novelty for page in others]
    assert np.ptp(percentiles) > 30
    assert static.novelty == empty.novelty == 100 > np.median(percentiles)


def test_tiles_and_batches_do_not_change_novelty(tiny_model, card):
    page = scan(77, (400, 300))
    whole = cleaned(made(tiny_model, card, tile=4000), page)
    tiled = cleaned(made(tiny_model, card, tile=208, batch=3), page)
    assert tiled[0].novelty == pytest.approx(whole[0].novelty, abs=0.01)


def test_being_watched_does_not_change_what_a_network_does(tiny_model, card):
    page = scan(5, (300, 200))
    alone = made(tiny_model, ModelCard("tiny", text_heights=ANY_TEXT)).clean(page, 300)
    assert np.array_equal(made(tiny_model, card).clean(page, 300), alone)


def test_a_model_that_is_not_calibrated_has_neither_novelty_nor_embeddings(tiny_model):
    (page,) = cleaned(made(tiny_model, ModelCard("tiny")), SCANS[0])
    assert page.novelty is page.embedding is None
    with pytest.raises(OptionError, match="calibrate it: python -m"):
        made(tiny_model, ModelCard("tiny"), embeddings=True)


def test_the_code_of_a_second_scan_is_nearer_than_that_of_another_page(tiny_model, usual):
    checkpoint = load_checkpoint(tiny_model)
    build = architecture_of(checkpoint.network).ready
    network = build(checkpoint.network, torch.device("cpu"), torch.float32, {})
    page = np.where(scan(1, (240, 192)) < 100, 0, 255).astype(np.uint8)
    page[120:, 96:] = 255
    again = np.roll(cv2.GaussianBlur(page, (3, 3), 0), 1, axis=0)
    first, second, other = (
        page_embedding(network.layout(each), usual.layout) for each in (page, again, page[::-1])
    )
    assert float(first @ first) == pytest.approx(1, abs=1e-5)
    assert float(first @ second) > 0.8 > float(first @ other)


def test_a_calibration_survives_the_card(usual):
    back = Calibration.from_card(usual.for_card())
    for name, values in vars(usual).items():
        assert np.array_equal(getattr(back, name), values), name


@pytest.mark.parametrize("damage", [{"mean": "?"}, {"mean": "AAAA"}, {"distances": ""}])
def test_a_damaged_calibration_is_reported_with_the_way_out(tiny_model, card, damage):
    damaged = replace(card, calibration={**card.calibration, **damage})
    with pytest.raises(InputError, match="calibration on the model's card cannot be used"):
        made(tiny_model, damaged)


def test_the_command_calibrates_a_checkpoint_and_leaves_its_weights_alone(
    tiny_model, tmp_path, monkeypatch
):
    path = tmp_path / "own.safetensors"
    save_checkpoint(path, load_checkpoint(tiny_model, fold=False).network, ModelCard("own"))
    weights = path.read_bytes()
    (tmp_path / "plain.ttf").write_bytes(ImageFont.load_default(20).font_bytes)
    monkeypatch.setattr(calibration, "PAGES", 3)
    monkeypatch.setattr(sys, "argv", ["calibration", str(path), str(tmp_path)])
    calibration.main()
    assert path.read_bytes() == weights
    assert cleaned(Cleaner.from_pretrained(path), SCANS[0])[0].novelty is not None


def test_a_model_is_calibrated_on_pages_of_the_size_at_which_the_cleaner_shows_them(
    tiny_model, usual, tmp_path, monkeypatch
):
    path, seen = tmp_path / "own.safetensors", []
    save_checkpoint(path, load_checkpoint(tiny_model, fold=False).network, ModelCard("own"))
    (tmp_path / "plain.ttf").write_bytes(ImageFont.load_default(20).font_bytes)
    monkeypatch.setattr(calibration, "PAGES", 3)
    monkeypatch.setattr(calibration, "choose_scale", lambda *_: 2.0)
    monkeypatch.setattr(calibration, "calibrate", lambda _, pages: seen.extend(pages) or usual)
    monkeypatch.setattr(sys, "argv", ["calibration", str(path), str(tmp_path)])
    calibration.main()
    assert {page.shape for page in seen} == {(2 * calibration.HEIGHT, 2 * calibration.WIDTH)}


def test_a_run_records_novelty_always_and_codes_on_request(tiny_model, card, tmp_path):
    path = tmp_path / "own.safetensors"
    save_checkpoint(path, load_checkpoint(tiny_model, fold=False).network, card)
    write_scan(tmp_path / "scans" / "a.png")
    for embeddings in (False, True):
        options = RunOptions(model=str(path), device="cpu", embeddings=embeddings, force=True)
        report = clean_run(plan_run(tmp_path / "scans", tmp_path / "out", options))
        (row,) = read_records(report.run.folder).to_pylist()
        assert 0 <= row["novelty"] <= 100
        assert (row["embedding"] is not None) == embeddings
    assert np.linalg.norm(row["embedding"]) == pytest.approx(1, abs=1e-4)
