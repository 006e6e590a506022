"""Recipes: what they may say, and a run of a tiny one from an empty folder to a checkpoint."""

import json
from dataclasses import asdict, replace
from itertools import count
from pathlib import Path

import cv2
import numpy as np
import pytest
import safetensors.torch
import torch
from corpora import a_page, write_font
from networks import SMALL

from pagewash.errors import AccessError, InputError, MissingError, OptionError
from pagewash.flows.cli import main
from pagewash.inference.checkpoint import load_checkpoint, read_ranges
from pagewash.inference.int8 import kernels_work
from pagewash.inference.int8_tiles import can_run_int8_tiles
from pagewash.models.page_autoencoder import PageAutoencoder, PageAutoencoderOptions
from pagewash.training import real_pages, recipe_run
from pagewash.training.page_corpus import find_pages, write_page
from pagewash.training.recipe_run import Resources, run_recipe
from pagewash.training.recipes import (
    SHIPPED,
    at_share,
    differing_sources,
    digest_of,
    read_recipe,
    with_seed,
)
from pagewash.training.synthesis import real_paper
from pagewash.training.validation import ValidationLog, validation_errors

TINY = """
name = "tiny"
seed = 3

[network]
channels = [8, 8, 8]
layers = [1, 1, 1]
context_channels = [8, 8]
features = 4

[loop]
steps = 4
pages = 2
crops = 2
crop = 64
warmup = 1

[shares]
rendered = 0.5
masked = 0.4
scan = 0.1

[corpus]
leaves = 2
laid_over = 2
photographs = 1
validation_leaves = 1
validation_laid_over = 1
validation_photographs = 1
leaf = { heights = [96, 97], widths = [128, 129], a4 = 0.0 }

[choice]
every = 2
crops = 1
calibration_steps = 1

[sources.data]
pairs = "as it was"
"""


@pytest.fixture
def recipe_file(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


def write_scan(path: Path, seed: int) -> None:
    """Bars on paper of a page of 400 px and more, which a bank takes."""
    rng = np.random.default_rng(seed)
    scan = np.full((416, 416, 3), (200, 220, 230), np.uint8) - rng.integers(0, 6, (416, 416, 1))
    for top in range(40, 380, 40):
        scan[top : top + 14, 40:380:5] = 40
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), scan.astype(np.uint8))


@pytest.fixture
def resources(tmp_path, monkeypatch):
    """Data of two pages for each purpose, one of which is held back, and one font."""
    data, notes = tmp_path / "data", {}
    for number in range(2):
        write_scan(data / f"scans/s/{number}.png", number)
        notes[f"scans/s/{number}.png"] = {
            "outline": "whole",
            "usable_as_paper": True,
            "kind": "print",
        }
        for folder, name in (
            ("pairs/own", f"H0{number}"),
            ("noisyoffice/train", f"Font{number}_N_TR"),
        ):
            parts = ("img", "gt") if folder.startswith("pairs") else ("noisy", "clean")
            write_scan(data / folder / parts[0] / f"{name}.png", number)
            scan = cv2.imread(str(data / folder / parts[0] / f"{name}.png"))
            mask = np.where(scan < 100, 0, 255).astype(np.uint8)
            (data / folder / parts[1]).mkdir(exist_ok=True)
            cv2.imwrite(str(data / folder / parts[1] / f"{name}.png"), mask)
    outlines = tmp_path / "outlines.json"
    outlines.write_text(json.dumps(notes))
    monkeypatch.setattr(real_paper, "_OUTLINES", outlines)
    monkeypatch.setattr(real_pages, "VALIDATION", {"own": ("H00",), "noisyoffice": ("Font0",)})
    fonts = tmp_path / "fonts"
    fonts.mkdir()
    for number in range(8):
        write_scan(tmp_path / f"photographs/{number}.jpg", number)
    return Resources(data, (write_font(fonts),), (tmp_path / "photographs",))


def weights(folder):
    return safetensors.torch.load_file(folder / "tiny.safetensors")


def test_a_recipe_becomes_a_checkpoint_and_a_stopped_run_the_same_one(
    tmp_path, recipe_file, resources
):
    recipe = read_recipe(str(recipe_file))
    path = run_recipe(tmp_path / "whole", recipe, resources)
    assert path == tmp_path / "whole" / "tiny.safetensors"

    asked = count()
    parts = tmp_path / "parts"
    while run_recipe(parts, recipe, resources, until=lambda: next(asked) in (1, 6, 9)) is None:
        pass
    assert next(asked) > 9, "it was stopped three times"
    whole, resumed = weights(tmp_path / "whole"), weights(parts)
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)

    checkpoint = load_checkpoint(path)
    assert isinstance(checkpoint.network, PageAutoencoder)
    assert checkpoint.card.recipe["loop"]["steps"] == 4
    assert checkpoint.card.recipe["step"] in (2, 4)
    assert {"validation masked, RMSE", "validation rendered, RMSE"} <= checkpoint.card.scores.keys()
    ranges = read_ranges(checkpoint.card)
    assert can_run_int8_tiles(checkpoint.network.tiles, ranges) == kernels_work()


def test_pages_that_choose_are_no_pages_of_training(tmp_path, recipe_file, resources):
    folder = tmp_path / "run"
    run_recipe(folder, read_recipe(str(recipe_file)), resources)
    training, held_back = (
        {page.path.name: page for pages in find_pages([folder / part]).values() for page in pages}
        for part in ("pages", "validation")
    )
    assert {name.split("-")[0] for name in training} == {
        "rendered", "masked", "noisyoffice", "laidover", "photograph", "scan",
    }  # fmt: skip
    assert "masked-own-H01.npy" in training
    assert "masked-own-H00.npy" in held_back
    numbered = ("laidover", "photograph")
    assert not {name for name in training if not name.startswith(numbered)} & set(held_back)
    papers = [
        json.loads((folder / bank / "index.json").read_text())
        for bank in ("paper", "paper-held-back")
    ]
    sources = [{entry["source"] for entry in entries} for entries in papers]
    assert not sources[0] & sources[1]


def test_a_folder_of_another_recipe_is_refused(tmp_path, recipe_file, resources):
    recipe = read_recipe(str(recipe_file))
    run_recipe(tmp_path / "run", recipe, resources, until=lambda: True)
    with pytest.raises(InputError, match="another recipe"):
        run_recipe(tmp_path / "run", with_seed(recipe, 9), resources, until=lambda: True)


def test_the_command_does_a_recipe_and_says_where_sources_differ(
    tmp_path, recipe_file, resources, capsys
):
    arguments = [
        "train", str(tmp_path / "run"), "--recipe", str(recipe_file), "--data", str(resources.data),
        "--fonts", str(resources.fonts[0]), "--photographs", str(resources.photographs[0]),
        "--share", "0.5",
    ]  # fmt: skip
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert "holds other files than the recipe's" in err
    assert "tiny.safetensors" in out
    assert load_checkpoint(tmp_path / "run/tiny.safetensors").card.recipe["loop"]["steps"] == 2


def test_a_recipe_from_nothing_takes_no_pages_of_the_users(
    recipe_file, tmp_path, resources, capsys
):
    arguments = [
        "train", str(tmp_path / "run"), "--recipe", str(recipe_file),
        "--data", str(resources.data), "--clean", str(tmp_path),
    ]  # fmt: skip
    assert main(arguments) == OptionError.exit_code
    assert "--recipe own" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("given", [["--share", "0.5"], ["--seed", "2"], ["--minutes", "1"]])
def test_a_flow_does_a_recipe_as_it_is(recipe_file, tmp_path, given, capsys):
    arguments = ["train", str(tmp_path / "run"), "--recipe", str(recipe_file), "--flow", *given]
    assert main(arguments) == OptionError.exit_code
    assert "copy of the recipe" in capsys.readouterr().err


def test_the_recipe_that_ships_can_be_read_and_shares_add_up():
    recipe = read_recipe("fast")
    assert sum(recipe.shares.values()) == pytest.approx(1)
    assert recipe.loop.seed == recipe.corpus.leaf.seed == 1
    assert recipe.loop.crop % PageAutoencoder(recipe.network).stride == 0
    assert set(recipe.sources.data) == {"noisyoffice/train", "pairs", "scans", "textures"}
    assert recipe.network == PageAutoencoderOptions()
    assert asdict(recipe)["choice"]["every"] < recipe.loop.steps


def test_a_share_scales_steps_and_pages_alike():
    recipe = read_recipe("fast")
    tenth = at_share(recipe, 0.1)
    assert tenth.loop.steps == recipe.loop.steps // 10
    assert tenth.loop.warmup == recipe.loop.warmup // 10
    assert tenth.corpus.leaves == recipe.corpus.leaves // 10
    assert tenth.choice.every == recipe.choice.every // 10
    assert tenth.network == recipe.network
    assert at_share(recipe, 1) == recipe
    for share in (0, -1, 1.5):
        with pytest.raises(OptionError, match="share"):
            at_share(recipe, share)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("name = 3 = 4", "no recipe"),
        (TINY.replace("steps = 4", "stepps = 4"), "stepps"),
        (TINY.replace("[network]", "[netwerk]"), "netwerk"),
        (TINY.replace('name = "tiny"', ""), "name"),
        (TINY.replace("layers = [1, 1, 1]", "layers = [1]"), "layer"),
        (TINY.replace("layers = [1, 1, 1]", "layers = 1"), "layers"),
        (TINY.replace("layers = [1, 1, 1]", "layers = [1, 1, 1.5]"), "layers"),
        (TINY.replace("steps = 4", "steps = 4.5"), "steps = 4.5"),
        (TINY.replace("steps = 4", 'steps = "4"'), "steps = '4'"),
        (TINY.replace('name = "tiny"', "name = 3"), "name = 3"),
        ("name = 'tiny'\nnetwork = 5\n", "network|table"),
        ("name = 'tiny'\ncorpus = 5\n", "no recipe"),
        ("name = 'tiny'\nshares = 5\n", "shares = 5"),
    ],
)
def test_what_is_wrong_with_a_recipe_is_named(tmp_path, wrong, told):
    path = tmp_path / "wrong.toml"
    path.write_text(wrong)
    with pytest.raises(InputError, match=told):
        read_recipe(str(path))


def test_a_recipe_that_is_not_there_is_told_with_those_that_are():
    with pytest.raises(MissingError, match="fast"):
        read_recipe("quick")
    assert (SHIPPED / "fast.toml").is_file()


def test_sources_are_known_by_names_and_sizes(tmp_path, recipe_file):
    data, fonts = tmp_path / "data", tmp_path / "fonts"
    for path in (data / "pairs/a.png", fonts / "a.ttf"):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"123")
    recipe = read_recipe(str(recipe_file))
    known = replace(
        recipe.sources, data={"pairs": digest_of([data / "pairs"])}, fonts=digest_of([fonts])
    )
    recipe = replace(recipe, sources=known)
    assert differing_sources(recipe, data, [fonts], []) == []
    (data / "pairs/a.png").write_bytes(b"1234")
    (fonts / "readme").write_bytes(b"of no account")
    (told,) = differing_sources(recipe, data, [fonts], [])
    assert str(data / "pairs") in told
    (fonts / "b.ttf").write_bytes(b"1")
    assert len(differing_sources(recipe, data, [fonts], [])) == 2
    with pytest.raises(AccessError):
        differing_sources(recipe, tmp_path / "nowhere", [fonts], [])


def test_the_best_candidate_has_the_lowest_mean_over_kinds_and_is_the_first_of_equals(tmp_path):
    log = ValidationLog(tmp_path / "validation.json")
    assert log.add(10, {"a": 0.2, "b": 0.4})
    assert log.add(20, {"a": 0.5, "b": 0.02})
    assert not log.add(30, {"a": 0.26, "b": 0.26})
    assert log.add(20, {"a": 0.5, "b": 0.02}), "a step that is judged again stays the best"
    assert ValidationLog(log.path).best() == 20


def test_validation_errors_are_those_of_what_counts(tmp_path, unharmed):
    page = a_page()
    write_page(tmp_path, "rendered-1", replace(page, dirty=page.clean))
    write_page(tmp_path, "masked-1", replace(page, weight=np.zeros_like(page.weight)))
    network = PageAutoencoder(SMALL)
    errors = validation_errors(network, find_pages([tmp_path]), crops=2, side=64)
    assert errors["masked"] == 0
    assert 0 < errors["rendered"] < 0.9
    assert errors == validation_errors(network, find_pages([tmp_path]), crops=2, side=64)


def test_pages_are_read_only_where_tesseract_can(tmp_path, monkeypatch):
    assert recipe_run.reading_scores(tmp_path / "none.safetensors", tmp_path / "ocr2") == {}
    monkeypatch.setattr("pagewash.training.recipe_run.shutil.which", lambda name: None)
    (tmp_path / "ocr2").mkdir()
    assert recipe_run.reading_scores(tmp_path / "none.safetensors", tmp_path / "ocr2") == {}


def test_the_help_of_training_fits_on_two_screens(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["train", "--help"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert max(map(len, shown)) <= 80
    assert len(shown) <= 2 * 24
    assert any("--recipe" in line for line in shown)
