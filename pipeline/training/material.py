"""What a training run learns from, and the run itself from there: folders in, a checkpoint out."""

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from pagewash.errors import MissingError, OptionError
from pagewash.inference.checkpoint import ModelCard, load_checkpoint
from pagewash.models.autoencoder import Autoencoder
from pagewash.training.loop import LogLine, TrainingOptions, train
from pagewash.training.pairs import PairSource, RealPair, read_clean, read_pairs
from pagewash.training.synthesis.fonts import Typeface, find_typefaces


@dataclass(frozen=True)
class Material:
    """Folders to learn from. Rendered pages come from the fonts, besides whatever is given here."""

    # Prefect's form for a run shows the sentences below
    __pydantic_config__: ClassVar[dict[str, bool]] = {"use_attribute_docstrings": True}

    dirty: Path | None = None
    """Scans, each with its clean page of the same stem under `clean`."""

    clean: Path | None = None
    """Clean pages; without `dirty` they are corrupted, as rendered pages are."""

    fonts: tuple[Path, ...] = (Path("/usr/share/fonts"),)
    """Folders with fonts to set pages in."""

    start: str = ""
    """A shipped model or a checkpoint to go on from; empty starts anew."""

    name: str = "own"
    """What the checkpoint calls itself."""

    attribution: str = ""
    """Whom the data asks to name."""

    def __post_init__(self) -> None:
        if self.dirty and not self.clean:
            raise OptionError(
                f"--dirty {self.dirty} needs --clean, a folder of clean pages of the same names"
            )


def learn(
    folder: Path,
    options: TrainingOptions,
    material: Material,
    *,
    on_line: Callable[[LogLine], None] = lambda line: None,
) -> Path:
    """Train on some material, or go on with the run that stands in the folder.

    Args:
        folder: of the run; see `pagewash.training.loop.train`.
        options: how; a start from a checkpoint takes its network from there.
        material: from what.
        on_line: called after each line of the log.

    Returns:
        The path of the checkpoint.

    Raises:
        InputError: pairs do not match.
        OptionError: the checkpoint to start from is of a network that recipes train.
        MissingError: neither fonts nor pages, or no such checkpoint to start from.
    """
    start = _start(material.start) if material.start else None
    if start is not None:
        options = replace(options, network=start.options)
    if material.clean and not material.dirty:
        # what a clean page alone can teach is to be given back from damage
        options = replace(options, pairs=replace(options.pairs, real_corrupted=1.0))
    real = _real(material)
    faces = _faces(material, options, real)
    source = PairSource(options.seed, options.pairs, faces, real)
    card = ModelCard(
        material.name,
        training_data=_described(material, faces, real),
        git_revision=revision(),
        attribution=material.attribution,
    )
    return train(folder, options, source, card, start=start, on_line=on_line)


def _start(name_or_path: str) -> Autoencoder:
    network = load_checkpoint(name_or_path, fold=False).network
    if not isinstance(network, Autoencoder):
        raise OptionError(
            f"--start {name_or_path}: such a network is trained from nothing, "
            "by a recipe (--recipe)"
        )
    return network


def _real(material: Material) -> list[RealPair]:
    if material.clean is None:
        return []
    if material.dirty is None:
        return read_clean(material.clean)
    return read_pairs(material.dirty, material.clean)


def _faces(material: Material, options: TrainingOptions, real: list[RealPair]) -> list[Typeface]:
    """Fonts, which a run on real pairs alone can do without."""
    try:
        return find_typefaces(material.fonts)
    except MissingError:
        if real and options.pairs.real >= 1 and options.pairs.real_corrupted == 0:
            return []
        raise


def _described(material: Material, faces: list[Typeface], real: list[RealPair]) -> str:
    parts = [f"pages rendered in {len(faces)} faces and corrupted"] if faces else []
    if material.start:
        parts.insert(0, f"started from {material.start}")
    if real:
        parts.append(f"{len(real)} {'pairs' if material.dirty else 'clean pages'} of its user's")
    return "; ".join(parts)


def revision() -> str:
    """The revision of the code, where it runs from its repository."""
    try:
        command = ["git", "-C", os.fspath(Path(__file__).parent), "rev-parse", "HEAD"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
