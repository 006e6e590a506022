"""One recipe from an empty folder to a checkpoint: paper, pages, training, choice, calibration.

A recipe with a start goes on with that model on the user's own pages, and needs no other data.

Every stage leaves its result in the folder of the run, so that a run that was stopped goes on
where it stood. All pages are there before the first step: the same recipe on the same machine
gives the same weights.

    FOLDER/recipe.json            what is being made, and from what
    FOLDER/paper, paper-held-back banks of real paper
    FOLDER/pages                  what the network learns from
    FOLDER/validation             pages held back
    FOLDER/state.safetensors      network, average, optimizer and step
    FOLDER/validation.json        errors of every candidate
    FOLDER/best.safetensors       weights of the best one so far
    FOLDER/NAME.safetensors       the checkpoint, with its card beside it
"""

import json
import logging
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import ClassVar

import safetensors.torch
import torch

from pagewash.errors import InputError, MissingError, OptionError
from pagewash.evaluation.cases import Case, find_transcribed
from pagewash.evaluation.evaluate import EvaluationOptions, evaluate
from pagewash.evaluation.scores import CLEANED, UNCLEANED
from pagewash.evaluation.text import require_languages
from pagewash.files import write_atomically
from pagewash.inference.checkpoint import (
    Checkpoint,
    ModelCard,
    load_checkpoint,
    ranges_for_card,
    read_card,
    save_checkpoint,
    write_card,
)
from pagewash.inference.int8 import ActivationRanges
from pagewash.inference.int8_tiles import RangeMeasure, recording
from pagewash.models.page_autoencoder import PageAutoencoder
from pagewash.training.laid_over_pages import write_laid_over_pages
from pagewash.training.own_pages import OwnPages, find_own_pairs, write_own_pages
from pagewash.training.page_corpus import HELD_BACK, WITHOUT_TRUTH, find_pages
from pagewash.training.page_loop import Run, clean_samples, sample_step, train_pages
from pagewash.training.photograph_pages import find_photographs, write_photograph_pages
from pagewash.training.real_pages import write_real_pages
from pagewash.training.recipes import Recipe, digest_of, sources_at
from pagewash.training.rendering.leaves import write_leaves
from pagewash.training.scanned_pages import write_scanned_pages
from pagewash.training.surrounded_pages import write_surrounded_pages
from pagewash.training.synthesis.real_paper import write_bank
from pagewash.training.validation import ValidationLog, validation_errors

log = logging.getLogger(__name__)

MARGINS = (0, 12, 24)
"""White around pages that are read, in pixels: one reading order must not decide."""


@dataclass(frozen=True)
class Resources:
    """What there is to learn from; the recipe knows nothing of it."""

    # Prefect's form for a run shows the sentences below
    __pydantic_config__: ClassVar[dict[str, bool]] = {"use_attribute_docstrings": True}

    data: Path = Path("../shared/data")
    """The folder with `pairs`, `noisyoffice`, `scans`, `textures`, and `ocr2` to read; a recipe
    that learns your own pages does without."""

    fonts: tuple[Path, ...] = (Path("/usr/share/fonts"),)
    """Folders of fonts to set pages in."""

    photographs: tuple[Path, ...] = (Path("/usr/share/backgrounds"), Path("/usr/share/wallpapers"))
    """Folders of photographs to print on pages; only a recipe from nothing needs them."""

    own: OwnPages = OwnPages()
    """Pages of the user's."""

    processes: int = 1
    """How many make pages at a time."""


def run_recipe(
    folder: Path,
    recipe: Recipe,
    resources: Resources,
    *,
    until: Callable[[], bool] = lambda: False,
    on_step: Callable[[int, float], None] = lambda step, loss: None,
) -> Path | None:
    """Do what is left of a recipe.

    Args:
        folder: of the run.
        recipe: what to do.
        resources: what there is to make pages of.
        until: asked after each stage and each step whether to stop.
        on_step: told the steps done and the loss of the last one.

    Returns:
        The path of the checkpoint; None if the run was stopped before.

    Raises:
        InputError: the folder holds a run of another recipe, or a page cannot be read.
        AccessError: a folder is not there, or cannot be written.
        MissingError: there is no font.
        OptionError: own pages with a recipe that takes none, or the other way round.
    """
    start = _start(recipe, resources)
    if start:
        recipe = replace(recipe, network=start.card.options, text_heights=start.card.text_heights)
    _claim(folder, recipe, resources)
    checkpoint = folder / f"{recipe.name}.safetensors"
    if checkpoint.exists() and checkpoint.with_suffix(".json").exists():  # its card comes last
        return checkpoint
    for stage in OWN_STAGES if start else STAGES:
        stage(folder, recipe, resources)
        if until():
            return None
    _make_leaves(folder, recipe, resources, until)
    if until():
        return None
    _make_surrounded_pages(folder, recipe, resources)
    weights = start.network.state_dict() if start else None
    run = Run(folder, recipe.network, recipe.loop, weights)
    _train(run, recipe, until, on_step)
    if run.step < recipe.loop.steps:
        return None
    _write_checkpoint(checkpoint, recipe, resources, start)
    return checkpoint


def _start(recipe: Recipe, resources: Resources) -> Checkpoint | None:
    """The model that a recipe begins with, if it does, and has something to learn from."""
    if not recipe.start:
        if resources.own != OwnPages():
            raise OptionError(
                f"the recipe {recipe.name} learns no pages of yours; leave out --dirty and "
                "--clean, or choose one that does: --recipe own"
            )
        return None
    find_own_pairs(resources.own)  # an error comes before the work
    start = load_checkpoint(recipe.start, fold=False)
    if not isinstance(start.network, PageAutoencoder):
        raise OptionError(
            f"{recipe.start} is a {start.card.architecture}, and a recipe trains page-autoencoders"
        )
    return start


def _claim(folder: Path, recipe: Recipe, resources: Resources) -> None:
    """Note in the folder what it is for; refuse one that is for something else."""
    found = replace(
        recipe, sources=sources_at(recipe, resources.data, resources.fonts, resources.photographs)
    )
    wanted = json.dumps(asdict(found) | _own_sources(resources.own), indent=1) + "\n"
    noted = folder / "recipe.json"
    if noted.exists() and noted.read_text("utf-8") != wanted:
        raise InputError(
            f"{folder} holds a run of another recipe, or of other data or fonts; "
            "name an empty folder, or give the same options as before"
        )
    write_atomically(noted, wanted.encode())


def _make_paper(folder: Path, recipe: Recipe, resources: Resources) -> None:
    for split, bank in (("training", "paper"), ("validation", "paper-held-back")):
        if not (folder / bank / "index.json").exists():
            log.info("taking print off real scans, for %s", split)
            write_bank(resources.data, folder / bank, split)


def _make_real_pages(folder: Path, recipe: Recipe, resources: Resources) -> None:
    for corpus, held_back in (("pages", False), ("validation", True)):
        done = folder / f"{corpus}.real"
        if not done.exists():
            log.info("preparing real pages of known truth, for %s", corpus)
            count = write_real_pages(resources.data, folder / corpus, held_back=held_back)
            write_atomically(done, f"{count} real pages are written\n".encode())


def _make_laid_over_pages(folder: Path, recipe: Recipe, resources: Resources) -> None:
    corpus, seed = recipe.corpus, recipe.loop.seed
    for name, bank, count, held_back in (
        ("pages", "paper", corpus.laid_over, False),
        ("validation", "paper-held-back", corpus.validation_laid_over, True),
    ):
        write_laid_over_pages(
            resources.data, folder / name, folder / bank, count, seed, held_back=held_back
        )


def _make_photograph_pages(folder: Path, recipe: Recipe, resources: Resources) -> None:
    corpus, seed = recipe.corpus, recipe.loop.seed
    for name, bank, count, held_back in (
        ("pages", "paper", corpus.photographs, False),
        ("validation", "paper-held-back", corpus.validation_photographs, True),
    ):
        if count:
            photographs = find_photographs(resources.photographs, held_back=held_back)
            write_photograph_pages(
                photographs, folder / name, folder / bank, count, seed, held_back=held_back
            )


def _make_scanned_pages(folder: Path, recipe: Recipe, resources: Resources) -> None:
    if WITHOUT_TRUTH in recipe.shares:
        write_scanned_pages(resources.data, folder / "pages")


def _make_surrounded_pages(folder: Path, recipe: Recipe, resources: Resources) -> None:
    corpus, seed = recipe.corpus, recipe.loop.seed
    for name, count, held_back in (
        ("pages", corpus.surrounded, False),
        ("validation", corpus.validation_surrounded, True),
    ):
        if count:
            photographs = find_photographs(resources.photographs, held_back=held_back)
            write_surrounded_pages(photographs, folder / name, count, seed, held_back=held_back)


def _make_own_pages(folder: Path, recipe: Recipe, resources: Resources) -> None:
    corpus, seed = recipe.corpus, recipe.loop.seed
    for name, held_back in (("pages", False), ("validation", True)):
        log.info("preparing pages of yours, for %s", name)
        write_own_pages(resources.own, folder / name, corpus.own_copies, seed, held_back=held_back)


Stage = Callable[[Path, Recipe, Resources], None]

STAGES: tuple[Stage, ...] = (
    _make_paper, _make_real_pages, _make_laid_over_pages, _make_photograph_pages,
    _make_scanned_pages,
)  # fmt: skip
"""Before leaves are rendered, of a recipe from nothing."""

OWN_STAGES: tuple[Stage, ...] = (_make_own_pages,)
"""The same, of one that goes on with a model."""


def _make_leaves(
    folder: Path, recipe: Recipe, resources: Resources, until: Callable[[], bool]
) -> None:
    corpus = recipe.corpus
    for name, bank, first, count in (
        ("pages", "paper", 0, corpus.leaves),
        ("validation", "paper-held-back", HELD_BACK, corpus.validation_leaves),
    ):
        log.info("rendering %d leaves, those that are not there yet", count)
        write_leaves(
            folder / name,
            range(first, first + count),
            resources.fonts,
            None if recipe.start else folder / bank,
            corpus.leaf,
            processes=resources.processes,
            until=until,
        )


def _train(
    run: Run,
    recipe: Recipe,
    until: Callable[[], bool],
    on_step: Callable[[int, float], None],
) -> None:
    """Train to the end, and keep the best of the candidates on the way."""
    held_back = find_pages([run.folder / "validation"])
    candidates = ValidationLog(run.folder / "validation.json")

    def judge() -> None:
        if run.step % recipe.choice.every and run.step < recipe.loop.steps:
            return
        errors = validation_errors(
            run.average, held_back, crops=recipe.choice.crops, side=recipe.loop.crop
        )
        log.info("step %d: %s", run.step, ", ".join(f"{k} {e:.4f}" for k, e in errors.items()))
        if candidates.add(run.step, errors):
            state = run.average.state_dict()
            packed = safetensors.torch.save({k: value.contiguous() for k, value in state.items()})
            write_atomically(run.folder / "best.safetensors", packed)

    if recipe.start and run.step == 0:
        judge()  # a run that makes it worse ships what it began with
    train_pages(
        run, [run.folder / "pages"], recipe.shares, until=until, on_step=on_step, judge=judge
    )


def _write_checkpoint(
    path: Path, recipe: Recipe, resources: Resources, start: Checkpoint | None
) -> None:
    """Write the best candidate with its card, then onto the card how well its pages are read."""
    folder = path.parent
    network = PageAutoencoder(recipe.network)
    network.load_state_dict(safetensors.torch.load_file(folder / "best.safetensors"))
    network.eval()
    candidates = ValidationLog(folder / "validation.json")
    step = candidates.best()
    errors = candidates.read()[step]
    card = ModelCard(
        name=recipe.name,
        text_heights=recipe.text_heights,
        recipe=json.loads((folder / "recipe.json").read_text("utf-8")) | {"step": step},
        training_data=recipe.training_data,
        git_revision=revision(),
        scores={f"validation {kind}, RMSE": round(error, 5) for kind, error in errors.items()},
        activation_ranges=ranges_for_card(activation_ranges(network, folder, recipe)),
        licence=recipe.licence,
        attribution=recipe.attribution,
    )
    if start:
        card = _card_of_own(card, start.card, resources.own)
    save_checkpoint(path, network, card)
    if start:
        return
    if scores := reading_scores(path, resources.data / "ocr2"):
        written = read_card(path)
        write_card(path, replace(written, scores={**written.scores, **scores}))


def _card_of_own(card: ModelCard, start: ModelCard, own: OwnPages) -> ModelCard:
    """Say what a network has from the model that it went on with, and what from its user."""
    pages = len(find_own_pairs(own))
    learned = f"{pages} {'pairs' if own.dirty else 'clean pages'} of its user's"
    named = [text for text in (start.attribution, own.attribution) if text]
    return replace(
        card,
        training_data=f"{start.training_data}; then {learned}, beside rendered pages",
        licence=start.licence,
        attribution="; ".join(named),
    )


def revision() -> str:
    """The revision of the code, where it runs from its repository."""
    try:
        command = ["git", "-C", os.fspath(Path(__file__).parent), "rev-parse", "HEAD"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def activation_ranges(network: PageAutoencoder, folder: Path, recipe: Recipe) -> ActivationRanges:
    """Measure the ranges of activations on pages of training, as many steps' as the recipe says."""
    pages, measure = find_pages([folder / "pages"]), RangeMeasure()
    steps = range(recipe.loop.steps, recipe.loop.steps + recipe.choice.calibration_steps)
    with torch.inference_mode(), recording(network.tiles, measure.see):
        for step in steps:
            clean_samples(network, sample_step(pages, recipe.shares, step, recipe.loop))
    return measure.ranges()


def reading_scores(checkpoint: Path, pages: Path) -> dict[str, float]:
    """Tesseract's error rates on transcribed pages, uncleaned and cleaned, where it can read them.

    Args:
        checkpoint: that cleans.
        pages: folder of pages with their text; if it is not there, there are no scores.
    """
    cases = _readable(pages)
    if not cases:
        log.info("no transcribed pages under %s that Tesseract can read here", pages)
        return {}
    from pagewash.cleaning.cleaner import Cleaner  # which knows what runs networks

    clean = Cleaner.from_pretrained(checkpoint).clean
    means = [evaluate(clean, cases, EvaluationOptions(margin=margin)) for margin in MARGINS]
    scores = {}
    for method in (UNCLEANED, CLEANED):
        for figure, what in (("cer", "characters"), ("bwer", "words in any order")):
            rates = [getattr(mean.mean(method).figures, figure) for mean in means]
            scores[f"{pages.name} {method}, errors in {what}"] = round(fmean(rates), 4)
    return scores


def _readable(pages: Path) -> list[Case]:
    if not pages.is_dir() or shutil.which("tesseract") is None:
        return []
    return [case for case in find_transcribed(pages) if _can_read(case.language)]


def _can_read(language: str) -> bool:
    try:
        require_languages([language])
    except MissingError:
        return False
    return True


def _own_sources(own: OwnPages) -> dict[str, str]:
    """Hashes of the lists of files of a user's folders, as of other data."""
    folders = {"dirty": own.dirty, "clean": own.clean}
    return {name: digest_of([folder]) for name, folder in folders.items() if folder}
