"""Pages of a corpus once more, on a table, a carpet or a lap: real photographs lie around them.

What surrounds a sheet goes white, what is printed on it stays. A network that sees photographs on
paper alone takes the wood around a receipt for one.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator

from pagewash.blocks import block_means
from pagewash.models.page_autoencoder import BLOCK
from pagewash.training.page_corpus import (
    CLEAN,
    DIRTY,
    PAPER,
    Bytes,
    StoredPage,
    TrainingPage,
    find_pages,
    write_numbered,
)
from pagewash.training.photograph_pages import part_of_photograph, read_photograph
from pagewash.training.real_pages import full_weight
from pagewash.training.rendering.surroundings import surround
from pagewash.training.synthesis.noise import from_bytes, to_bytes
from pagewash.training.synthesis.printing_on_paper import LaidPage

SMALLEST = 0.6
"""Share of the scan's sides that a sheet has, at least: on a smaller one letters are smaller than
the cleaner shows any, since it enlarges such pages."""


def write_surrounded_pages(
    photographs: Sequence[Path], folder: Path, count: int, seed: int, *, held_back: bool = False
) -> None:
    """Lay rendered pages of a corpus on photographs, into the same corpus.

    Args:
        photographs: to choose from.
        folder: of the corpus, with its leaves; what is there already stays.
        count: how many pages.
        seed: it and a page's number decide everything.
        held_back: they are for validation, as the photographs and the leaves are.
    """
    sheets = [page for page in find_pages([folder])["rendered"] if _is_whole(page)]

    def make(number: int, rng: Generator) -> TrainingPage:
        photograph = read_photograph(photographs[int(rng.integers(len(photographs)))])
        return surrounded_page(sheets[int(rng.integers(len(sheets)))], photograph, rng)

    count = count if sheets else 0
    write_numbered(folder, "surrounded", count, seed, make, held_back=held_back)


def surrounded_page(sheet: StoredPage, photograph: Bytes, rng: Generator) -> TrainingPage:
    """Lay a page on a photograph.

    Args:
        sheet: with nothing around it, as large as the network sees it.
        photograph: (H, W, 3) RGB.
        rng: decides everything.
    """
    height, width = sheet.pixels.shape[:2]
    paper = cv2.resize(np.moveaxis(sheet.summary[PAPER], 0, 2), (width, height))
    laid = surround(
        LaidPage(
            from_bytes(sheet.pixels[..., DIRTY]),
            from_bytes(sheet.pixels[..., CLEAN]),
            np.zeros((height, width), np.bool_),
            np.asarray(paper, np.float32),
        ),
        rng,
        part_of_photograph(photograph, (height, width), rng),
        SMALLEST,
    )
    dirty = to_bytes(laid.dirty)
    known = np.where(laid.outside[..., None], np.float32(np.nan), laid.paper)
    told = np.moveaxis(block_means(known, BLOCK), 2, 0)
    return TrainingPage(dirty, to_bytes(laid.clean), full_weight(dirty), told)


def _is_whole(page: StoredPage) -> bool:
    """Whether a page has paper everywhere, and its own size."""
    return page.scale == 1 and not np.isnan(page.summary[PAPER]).any()
