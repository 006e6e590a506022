"""A user's own pages: what is learned of them, what is held back, and a run from there."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from corpora import write_font
from networks import SMALL, small_network

from pagewash.errors import AccessError, InputError, OptionError
from pagewash.flows.cli import main
from pagewash.inference.checkpoint import ModelCard, load_checkpoint, save_checkpoint
from pagewash.training import real_pages
from pagewash.training.own_pages import OwnPages, find_own_pairs, write_own_pages
from pagewash.training.page_corpus import find_pages
from pagewash.training.recipe_run import Resources, run_recipe
from pagewash.training.recipes import Recipe, read_recipe
from pagewash.training.validation import ValidationLog


def write_pages(folder: Path, count: int = 6) -> OwnPages:
    """Bars on white, and the same on grey."""
    for part in ("dirty", "clean"):
        (folder / part).mkdir(parents=True)
    for number in range(count):
        page = np.full((96, 128), 255, np.uint8)
        page[20 + number : 80 : 20, 10:110:4] = 0
        cv2.imwrite(str(folder / "clean" / f"{number}.png"), page)
        cv2.imwrite(str(folder / "dirty" / f"{number}.jpg"), page // 2 + 60)
    return OwnPages(folder / "dirty", folder / "clean", "A. Scanner")


@pytest.fixture
def recipe(tmp_path) -> Recipe:
    """The recipe `own`, made tiny, on a model that is so, too."""
    start = tmp_path / "start.safetensors"
    card = ModelCard("start", training_data="nothing", licence="MIT", attribution="B. Maker")
    save_checkpoint(start, small_network(), card)
    own = read_recipe("own")
    leaf = replace(own.corpus.leaf, heights=(96, 97), widths=(128, 129))
    return replace(
        own,
        start=str(start),
        loop=replace(own.loop, steps=2, pages=2, crops=1, crop=64),
        corpus=replace(own.corpus, leaves=1, validation_leaves=1, own_copies=1, leaf=leaf),
        choice=replace(own.choice, every=1, crops=1, calibration_steps=1),
    )


@pytest.fixture
def fonts(tmp_path) -> Path:
    (tmp_path / "fonts").mkdir()
    return write_font(tmp_path / "fonts")


def test_every_fifth_page_is_held_back_and_no_training_sees_it(tmp_path):
    own = write_pages(tmp_path / "own", 11)
    assert write_own_pages(own, tmp_path / "pages", 2, 1) == 9
    assert write_own_pages(own, tmp_path / "held", 2, 1, held_back=True) == 2
    kinds = {kind: len(pages) for kind, pages in find_pages([tmp_path / "pages"]).items()}
    assert kinds == {"own": 9, "aged": 18}
    names = [
        {page.path.stem.split("-")[1] for pages in find_pages([folder]).values() for page in pages}
        for folder in (tmp_path / "pages", tmp_path / "held")
    ]
    assert not names[0] & names[1]


def test_a_clean_page_alone_is_aged_and_the_same_number_ages_alike(tmp_path):
    own = replace(write_pages(tmp_path / "own", 1), dirty=None)
    for folder in ("a", "b"):
        write_own_pages(own, tmp_path / folder, 8, 1)
    pages, again = (find_pages([tmp_path / folder])["aged"] for folder in ("a", "b"))
    assert all(np.array_equal(x.pixels, y.pixels) for x, y in zip(pages, again, strict=True))
    assert len({page.pixels.tobytes() for page in pages}) > 4
    clean = cv2.imread(str(own.clean / "0.png"), 0)
    kept = [page.pixels[..., 3] for page in pages if page.pixels.shape[:2] == clean.shape]
    assert any(np.abs(page.astype(int) - clean).mean() < 12 for page in kept)


def test_a_clean_page_of_small_print_is_aged_at_the_size_at_which_the_cleaner_shows_it(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(real_pages, "choose_scale", lambda *_: 2.0)
    own = replace(write_pages(tmp_path / "own", 1), dirty=None)
    write_own_pages(own, tmp_path / "pages", 4, 1)
    for page in find_pages([tmp_path / "pages"])["aged"]:
        height, width = page.pixels.shape[:2]
        assert (height * page.scale, width * page.scale) == (2 * 96, 2 * 128)


def test_a_model_goes_on_with_the_users_pages_and_its_card_tells_of_both(tmp_path, recipe, fonts):
    resources = Resources(fonts=(fonts,), own=write_pages(tmp_path / "own"))
    path = run_recipe(tmp_path / "run", recipe, resources)
    checkpoint = load_checkpoint(path)
    assert checkpoint.card.options == SMALL
    assert checkpoint.card.training_data == "nothing; then 6 pairs of its user's, " + (
        "beside rendered pages"
    )
    assert checkpoint.card.attribution == "B. Maker; A. Scanner"
    assert checkpoint.card.licence == "MIT"
    assert checkpoint.card.activation_ranges
    candidates = ValidationLog(tmp_path / "run/validation.json").read()
    assert list(candidates) == [0, 1, 2], "the model as it was is a candidate"
    assert set(candidates[0]) == {"aged", "own", "rendered"}


def test_a_run_that_makes_it_worse_ships_what_it_began_with(tmp_path, recipe, fonts, monkeypatch):
    errors = iter([{"own": 0.1}, {"own": 0.2}, {"own": 0.3}])
    monkeypatch.setattr(
        "pagewash.training.recipe_run.validation_errors", lambda *args, **more: next(errors)
    )
    resources = Resources(fonts=(fonts,), own=write_pages(tmp_path / "own", 2))
    path = run_recipe(tmp_path / "run", recipe, resources)
    ours = load_checkpoint(path, fold=False).network.state_dict()
    theirs = load_checkpoint(recipe.start, fold=False).network.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_run_killed_before_its_card_was_written_is_finished(tmp_path, recipe, fonts, monkeypatch):
    resources = Resources(fonts=(fonts,), own=write_pages(tmp_path / "own", 2))

    def killed(path, card):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pagewash.inference.checkpoint.write_card", killed)
        with pytest.raises(KeyboardInterrupt):
            run_recipe(tmp_path / "run", recipe, resources)
    load_checkpoint(run_recipe(tmp_path / "run", recipe, resources))


def test_other_pages_are_another_run(tmp_path, recipe, fonts):
    resources = Resources(fonts=(fonts,), own=write_pages(tmp_path / "own", 2))
    run_recipe(tmp_path / "run", recipe, resources, until=lambda: True)
    other = replace(resources, own=write_pages(tmp_path / "other", 3))
    with pytest.raises(InputError, match="of other data"):
        run_recipe(tmp_path / "run", recipe, other, until=lambda: True)


def test_pages_that_do_not_fit_are_refused_by_name(tmp_path):
    own = write_pages(tmp_path / "own", 2)
    cv2.imwrite(str(own.dirty / "1.jpg"), np.zeros((20, 21), np.uint8))
    with pytest.raises(InputError, match=r"1\.jpg has 21 x 20 pixels but .*1\.png has 128 x 96"):
        write_own_pages(own, tmp_path / "pages", 1, 1)


def test_what_is_no_page_is_refused_by_name(tmp_path):
    own = write_pages(tmp_path / "own", 1)
    (own.clean / "0.png").write_text("no image")
    with pytest.raises(InputError, match=r"0\.png cannot be read"):
        write_own_pages(own, tmp_path / "pages", 1, 1)


def test_dirty_pages_without_clean_ones_are_refused():
    with pytest.raises(OptionError, match="needs --clean"):
        OwnPages(dirty=Path("dirty"))


def test_folders_that_have_nothing_in_common_are_refused(tmp_path):
    own = write_pages(tmp_path / "own", 1)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="of the same name"):
        find_own_pairs(replace(own, dirty=tmp_path / "empty"))
    with pytest.raises(InputError, match="no image"):
        find_own_pairs(OwnPages(clean=tmp_path / "empty"))
    with pytest.raises(AccessError, match="is not a folder"):
        find_own_pairs(OwnPages(clean=tmp_path / "gone"))


def test_training_without_any_pages_says_what_to_give(tmp_path, capsys):
    assert main(["train", str(tmp_path / "run")]) == OptionError.exit_code
    assert "--clean" in capsys.readouterr().err
