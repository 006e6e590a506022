"""Pages to learn from, on disk: dirty and clean side by side, and a summary of the whole page.

What a step sees of them is `pagewash.training.page_samples`.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pagewash.cleaning.page_summary import summarise_page
from pagewash.errors import InputError
from pagewash.files import write_atomically
from pagewash.models.page_autoencoder import BLOCK

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]

DIRTY, CLEAN, WEIGHT = slice(0, 3), slice(3, 6), 6
"""Channels of a stored page's pixels: the scan, what should come out, how much an error counts."""

FINER = slice(7, 10)
"""Channels of a page that is seen at half its size, once it is shown: a pixel of the finer scan."""

SUMMARY, PAPER, BLOCKS = slice(0, 9), slice(9, 12), slice(12, 15)
"""Planes of what is stored of its blocks: their summary, the paper's colour, the clean page's."""

BRIGHTEST, SPREAD = slice(3, 6), 7
"""Planes of a summary: the brightest primaries of each block, and the spread, which is 0 on white;
the others are 1 there."""

WITHOUT_TRUTH = "scan"
"""The kind of pages of which nobody knows what should come out."""


@dataclass(frozen=True)
class TrainingPage:
    """A page before and after, as the corpus keeps it; H and W are multiples of `BLOCK / scale`."""

    dirty: Bytes
    """(H, W, 3) RGB: the scan."""

    clean: Bytes
    """(H, W, 3) RGB: what should come out."""

    weight: Bytes
    """(H, W): how much an error counts, 255 in full; 0 where the truth is not known."""

    paper: Floats | None = None
    """(3, h, w) in 0..1: its colour in each block of the network's view, NaN where unknown."""

    scale: int = 1
    """How many times larger the network sees the page."""


def write_page(folder: Path, name: str, page: TrainingPage) -> None:
    """Add a page to a corpus; its name begins with its kind and a hyphen."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / f"{name}.summary.npy", _summary_and_truth(page))
    stacked = np.concatenate([page.dirty, page.clean, page.weight[..., None]], axis=2)
    np.save(folder / f"{name}.part.npy", stacked)
    write_atomically(folder / f"{name}.json", json.dumps({"scale": page.scale}).encode())
    (folder / f"{name}.part.npy").replace(folder / f"{name}.npy")  # now it counts


def _summary_and_truth(page: TrainingPage) -> Floats:
    """(15, h, w): a page's summary, its paper's colour, and what its blocks are once clean."""
    summary = summarise_page(as_seen(page.dirty, page.scale))
    unknown = np.full((3, *summary.shape[1:]), np.nan, np.float32)
    paper = unknown if page.paper is None else page.paper
    side = BLOCK // page.scale
    blocks = [length // side for length in page.clean.shape[:2]]
    shape = blocks[0], side, blocks[1], side
    known = page.weight.reshape(shape).min((1, 3)) > 0
    clean = page.clean.reshape(*shape, 3).mean((1, 3), dtype=np.float32).transpose(2, 0, 1) / 255
    return np.concatenate([summary, paper, np.where(known, clean, unknown)], dtype=np.float16)


def is_written(folder: Path, name: str) -> bool:
    """Say whether a page is in a corpus, all of it."""
    return (folder / f"{name}.npy").exists()


HELD_BACK = 1_000_000
"""Number of the first page of validation; those of training begin at 0."""


def write_numbered(
    folder: Path,
    kind: str,
    count: int,
    seed: int,
    make: Callable[[int, Generator], TrainingPage],
    *,
    held_back: bool = False,
) -> None:
    """Write so many pages of a kind that are not there yet; seed and number decide each of them.

    Args:
        folder: of the corpus.
        kind: of the pages.
        count: how many.
        seed: of all of them.
        make: a page of its number and random numbers.
        held_back: number them as pages of validation, whose random numbers are others.
    """
    first = HELD_BACK if held_back else 0
    for number in range(first, first + count):
        if not is_written(folder, name := f"{kind}-{number:06d}"):
            write_page(folder, name, make(number, np.random.default_rng((seed, number))))


@dataclass(frozen=True)
class StoredPage:
    """A page of a corpus on disk."""

    path: Path

    @property
    def has_truth(self) -> bool:
        """Whether it is known what should come out."""
        return not self.path.name.startswith(f"{WITHOUT_TRUTH}-")

    @cached_property
    def scale(self) -> int:
        """How many times larger the network sees the page."""
        return int(json.loads(self.path.with_suffix(".json").read_text("utf-8"))["scale"])

    @cached_property
    def pixels(self) -> Bytes:
        """(H, W, 7): dirty, clean, weight; read as they are asked for."""
        pixels: Bytes = np.load(self.path, mmap_mode="r")
        return pixels

    @cached_property
    def summary(self) -> Floats:
        """(15, h, w): the summary, the paper's colour, and the clean page's; NaN where unknown."""
        return np.asarray(np.load(self.path.with_suffix(".summary.npy")), np.float32)


def find_pages(folders: Sequence[Path]) -> dict[str, list[StoredPage]]:
    """Find the pages of corpora by kind, sorted by name.

    Raises:
        InputError: there are none.
    """
    found: dict[str, list[StoredPage]] = {}
    for folder in folders:
        for path in sorted(folder.glob("*.npy")):
            if not path.name.endswith((".summary.npy", ".part.npy")):
                found.setdefault(path.name.partition("-")[0], []).append(StoredPage(path))
    if not found:
        raise InputError(f"no pages to learn from under {', '.join(map(str, folders))}")
    return found


def as_seen(pixels: Bytes, scale: int) -> Bytes:
    """Enlarge (H, W) or (H, W, 3) to the network's view."""
    if scale == 1:
        return pixels
    size = pixels.shape[1] * scale, pixels.shape[0] * scale
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_CUBIC), np.uint8)
