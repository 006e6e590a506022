"""Leaves of a corpus by number: two pages each, of which each shines through the other.

Leaf number i of a seed is always the same, so that several processes can write a corpus, and one
that was interrupted is completed.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator

from pagewash.models.page_autoencoder import BLOCK
from pagewash.training.page_corpus import TrainingPage, is_written, write_page
from pagewash.training.rendering.layers import Fonts
from pagewash.training.rendering.rendered_page import render_page
from pagewash.training.rendering.scanned_page import scan_page
from pagewash.training.synthesis.fonts import find_typefaces
from pagewash.training.synthesis.paper_extraction import RealPaper
from pagewash.training.synthesis.real_paper import read_index, read_paper
from pagewash.training.synthesis.scripts import find_script_fonts

log = logging.getLogger(__name__)

TOLD_EVERY = 50
"""Leaves after which the log says how many are rendered."""

A4 = 3504, 2480
"""Height and width of a page at 300 dpi."""


@dataclass(frozen=True)
class LeafOptions:
    """What leaves are made of. Lengths are in pixels of the network's view."""

    seed: int = 1
    """Decides all leaves."""

    heights: tuple[int, int] = (900, 1700)
    """Smallest and largest height of most of them."""

    widths: tuple[int, int] = (700, 1300)
    """Smallest and largest width."""

    a4: float = 0.06
    """Share of leaves in A4 at 300 dpi, as most scans are."""

    landscape: float = 0.2
    """Share of leaves that are wider than high."""

    real_paper: float = 0.6
    """Share of the pages that are printed on paper of real scans, where there is a bank of it."""


@cache
def find_fonts(folders: tuple[Path, ...]) -> Fonts:
    """Find all that text can be set in; looked for once in a process.

    Raises:
        MissingError: there is no Latin font.
    """
    return Fonts(find_typefaces(folders), find_script_fonts(folders))


def make_leaf(
    number: int, fonts: Fonts, bank: Path | None, options: LeafOptions
) -> tuple[TrainingPage, TrainingPage]:
    """Make the two pages of a leaf.

    Args:
        number: of the leaf; it and the seed decide everything.
        fonts: for its text.
        bank: of real paper; None does without.
        options: what it is made of.
    """
    rng = np.random.default_rng((options.seed, number))
    height, width = _size(rng, options)
    recto, verso = (render_page(rng, height, width, fonts) for _ in range(2))
    return (
        scan_page(recto, verso, rng, _some_paper(bank, rng, options)),
        scan_page(verso, recto, rng, _some_paper(bank, rng, options)),
    )


def write_leaves(
    folder: Path,
    numbers: Sequence[int],
    fonts: Sequence[Path],
    bank: Path | None,
    options: LeafOptions,
    *,
    processes: int = 1,
    until: Callable[[], bool] = lambda: False,
) -> None:
    """Write those leaves of a corpus that are not there yet.

    Args:
        folder: of the corpus.
        numbers: of the leaves.
        fonts: folders of fonts.
        bank: of real paper, or None.
        options: what leaves are made of.
        processes: how many work at it.
        until: asked after each leaf whether to stop.

    Raises:
        MissingError: there is no Latin font.
    """
    missing = [number for number in numbers if not is_written(folder, _name(number, "verso"))]
    write = partial(_write_leaf, folder=folder, fonts=tuple(fonts), bank=bank, options=options)
    if processes == 1 or len(missing) < 2:
        _finish(map(write, missing), len(missing), until)
        return
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        _finish(pool.map(write, missing), len(missing), until)
        pool.shutdown(cancel_futures=True)


def _finish(written: Iterable[None], count: int, until: Callable[[], bool]) -> None:
    for done, _ in enumerate(written, 1):
        if done % TOLD_EVERY == 0:
            log.info("%d of %d leaves are rendered", done, count)
        if until():
            return


def _write_leaf(
    number: int, *, folder: Path, fonts: tuple[Path, ...], bank: Path | None, options: LeafOptions
) -> None:
    cv2.setNumThreads(1)
    leaf = make_leaf(number, find_fonts(fonts), bank, options)
    for side, page in zip(("recto", "verso"), leaf, strict=True):
        write_page(folder, _name(number, side), page)


def _name(number: int, side: str) -> str:
    return f"rendered-{number:06d}-{side}"


def _size(rng: Generator, options: LeafOptions) -> tuple[int, int]:
    if rng.random() < options.a4:
        height, width = A4
    else:
        height, width = (
            max(int(rng.uniform(*span)) // BLOCK * BLOCK, BLOCK)
            for span in (options.heights, options.widths)
        )
    return (width, height) if rng.random() < options.landscape else (height, width)


def _some_paper(bank: Path | None, rng: Generator, options: LeafOptions) -> RealPaper | None:
    if bank is None or rng.random() >= options.real_paper:
        return None
    index = read_index(bank)
    return read_paper(bank, index[int(rng.integers(len(index)))])
