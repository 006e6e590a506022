"""A user's own pages as pages of a corpus: scans with their clean pages, or clean pages alone.

A clean page is also aged anew, several times over, as rendered pages are: on made-up paper, with
all that may happen to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from pagewash.errors import InputError, OptionError
from pagewash.files import require_folder
from pagewash.training.page_corpus import Bytes, as_seen, is_written, write_page
from pagewash.training.real_pages import at_view, full_weight, read_rgb
from pagewash.training.rendering.layers import RenderedPage, blank_page
from pagewash.training.rendering.scanned_page import scan_page
from pagewash.training.synthesis.noise import from_bytes

EVERY = 5
"""One page in so many is held back, to choose by; of fewer, none."""

TEXT_HEIGHT = 20.0
"""x-height of an average page at the network's view, in pixels."""


@dataclass(frozen=True)
class OwnPages:
    """Folders of your own pages to learn from."""

    # Prefect's form for a run shows the sentences below
    __pydantic_config__: ClassVar[dict[str, bool]] = {"use_attribute_docstrings": True}

    dirty: Path | None = None
    """Scans, each with its clean page of the same stem under `clean`."""

    clean: Path | None = None
    """Clean pages; without `dirty` they are aged, as rendered pages are."""

    attribution: str = ""
    """Whom the pages ask to name."""

    def __post_init__(self) -> None:
        if self.dirty and not self.clean:
            raise OptionError(
                f"--dirty {self.dirty} needs --clean, a folder of clean pages of the same names"
            )


def write_own_pages(
    own: OwnPages, folder: Path, copies: int, seed: int, *, held_back: bool = False
) -> int:
    """Write a user's pages into a corpus: pairs as they are, and clean pages aged.

    Args:
        own: where they are.
        folder: of the corpus; what is there already stays.
        copies: how often each clean page is aged.
        seed: it and a page's number decide everything.
        held_back: write those that are held back in place of all others.

    Returns:
        How many pages of the user's these are.

    Raises:
        InputError: there are none, one cannot be read, or two of a pair differ in size.
        AccessError: there is no such folder.
    """
    pairs = find_own_pairs(own)
    chosen = [number for number in range(len(pairs)) if _is_held_back(number) == held_back]
    for number in chosen:
        scan, truth = pairs[number]
        if scan is not None and not is_written(folder, name := f"own-{number:06d}"):
            dirty, clean = _read_pair(scan, truth)
            write_page(folder, name, at_view(dirty, clean, full_weight(clean)))
        for copy in range(copies):
            if not is_written(folder, name := f"aged-{number:06d}-{copy}"):
                rng = np.random.default_rng((seed, number, copy))
                page = _at_view(truth)
                verso = blank_page(page.height, page.width, page.text_height)
                write_page(folder, name, scan_page(page, verso, rng, None))
    return len(chosen)


def find_own_pairs(own: OwnPages) -> list[tuple[Path | None, Path]]:
    """Find scans and clean pages, sorted by name; without scans, None stands for each.

    Raises:
        InputError: there are none.
        AccessError: there is no such folder.
    """
    if own.clean is None:
        raise OptionError(
            "there is nothing to learn from; give --clean, a folder of clean pages, and --dirty "
            "if you have their scans, or choose what ships: --recipe fast"
        )
    truths = _files(own.clean)
    if own.dirty is None:
        if not truths:
            raise InputError(f"no image under {own.clean}; name a folder of clean pages")
        return [(None, truth) for truth in truths]
    by_stem = {path.stem: path for path in truths}
    pairs: list[tuple[Path | None, Path]] = [
        (path, by_stem[path.stem]) for path in _files(own.dirty) if path.stem in by_stem
    ]
    if not pairs:
        raise InputError(f"no image under {own.dirty} has one of the same name under {own.clean}")
    return pairs


def _is_held_back(number: int) -> bool:
    return number % EVERY == EVERY - 1


def _read_pair(scan: Path, truth: Path) -> tuple[Bytes, Bytes]:
    dirty, clean = read_rgb(scan), read_rgb(truth)
    if dirty.shape != clean.shape:
        raise InputError(
            f"{scan} has {dirty.shape[1]} x {dirty.shape[0]} pixels but {truth} has "
            f"{clean.shape[1]} x {clean.shape[0]}; pairs must match pixel by pixel"
        )
    return dirty, clean


def _at_view(path: Path) -> RenderedPage:
    """A clean page at the size at which the network would see it."""
    clean = read_rgb(path)
    page = at_view(clean, clean, full_weight(clean))
    shown = from_bytes(as_seen(page.clean, page.scale))
    return RenderedPage(shown, shown.copy(), TEXT_HEIGHT)


def _files(folder: Path) -> Sequence[Path]:
    require_folder(folder)
    return sorted(path for path in folder.iterdir() if path.is_file())
