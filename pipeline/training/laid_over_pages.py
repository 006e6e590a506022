"""Clean pages laid over other dirty paper, nothing more: what a network learns to be exact by.

The NoisyOffice corpus was made that way, of four papers; here it has as many as there are.
"""

from pathlib import Path

import numpy as np
from numpy.random import Generator

from pagewash.grey import luminance
from pagewash.training.page_corpus import Bytes, TrainingPage, write_numbered
from pagewash.training.real_pages import ScanAndTruth, at_view, find_pairs, full_weight, read_rgb
from pagewash.training.synthesis.corruption import CorruptionOptions, lay_over
from pagewash.training.synthesis.noise import from_bytes, to_bytes
from pagewash.training.synthesis.paper_extraction import RealPaper
from pagewash.training.synthesis.printing_on_paper import cover
from pagewash.training.synthesis.real_paper import read_index, read_paper

REAL_PAPER = 0.5
"""Share of pages that are laid over paper of real scans; paper for the others is made up."""


def write_laid_over_pages(
    data: Path, folder: Path, bank: Path, count: int, seed: int, *, held_back: bool = False
) -> None:
    """Lay clean pages of NoisyOffice's training part over other paper, into a corpus.

    Args:
        data: the folder with `noisyoffice`.
        folder: of the corpus; what is there already stays.
        bank: of real paper.
        count: how many pages.
        seed: it and a page's number decide everything.
        held_back: take the pages of `real_pages.VALIDATION` in place of all others.
    """
    noisy = data / "noisyoffice" / "train"
    pairs = find_pairs(noisy / "noisy", noisy / "clean", "noisyoffice", held_back=held_back)

    def make(number: int, rng: Generator) -> TrainingPage:
        return laid_over_page(pairs[number % len(pairs)], bank, rng)

    write_numbered(folder, "laidover", count, seed, make, held_back=held_back)


def laid_over_page(pair: ScanAndTruth, bank: Path, rng: Generator) -> TrainingPage:
    """Lay the clean page of a pair over other paper, in grey."""
    clean, bare = luminance(from_bytes(read_rgb(pair.truth))), None
    paper = whole_paper(bank, rng) if rng.random() < REAL_PAPER else None
    if paper is not None:
        fitted, page, _ = cover(paper, clean[..., None], clean[..., None], rng)
        clean, bare = np.ascontiguousarray(page[..., 0]), luminance(from_bytes(fitted.paper))
    laid = lay_over(clean, rng, CorruptionOptions(), bare)
    dirty, truth = (_three_channels(to_bytes(image)) for image in (laid.dirty, laid.clean))
    return at_view(dirty, truth, full_weight(dirty))


def whole_paper(bank: Path, rng: Generator) -> RealPaper | None:
    """Some paper with nothing around it; None if luck finds none."""
    index = read_index(bank)
    for _ in range(10):
        paper = read_paper(bank, index[int(rng.integers(len(index)))])
        if not paper.outside.any():
            return paper
    return None


def _three_channels(grey: Bytes) -> Bytes:
    return np.repeat(grey[..., None], 3, axis=2)
