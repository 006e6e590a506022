"""Real photographs as pages: on paper, over all of it or a part, with nothing written beside them.

What is drawn by `pagewash.training.synthesis.pictures` has a photograph's statistics and not its
look, and a network that knows nothing else lightens real ones as if they were stained.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator

from pagewash.errors import MissingError
from pagewash.files import require_folder
from pagewash.grey import LUMA, darkest
from pagewash.training.laid_over_pages import whole_paper
from pagewash.training.page_corpus import Bytes, Floats, TrainingPage, write_numbered
from pagewash.training.real_pages import at_view, full_weight, read_rgb
from pagewash.training.synthesis.noise import from_bytes, to_bytes
from pagewash.training.synthesis.paper_extraction import RealPaper
from pagewash.training.synthesis.printing_on_paper import cover

PHOTOGRAPHS = (".jpg", ".jpeg")
"""Endings; what is drawn comes in other formats."""

SIZE = re.compile(r"_?\d+x\d+")
"""In the name of a file that has others beside it."""

PREVIEW = "screenshot"
"""The name of a small copy, which packages of backgrounds have."""

HELD_BACK = 8
"""Of so many photographs one is held back."""

LARGEST = 2600
"""Pixels of the longer side of a photograph that is cut from; a larger one is reduced."""

DARKEST = 0.65
"""Mean of paper, in 0..1, that photographs are printed on."""

COVERED = 0.95
"""Share of a page from which on a photograph covers all of it."""

LIGHTEST = 0.7
"""Mean of a photograph's darkest primaries, in 0..1, from which on it could as well be stained
paper: it is left out."""


def find_photographs(folders: Sequence[Path], *, held_back: bool) -> list[Path]:
    """Find photographs in some folders, by name, those of training or those held back.

    Of a photograph that a folder has in several sizes (`Autumn/1280x800.jpg`), the largest.

    Raises:
        AccessError: there is no such folder.
        MissingError: there are none in them.
    """
    found: dict[str, Path] = {}
    for folder in folders:
        require_folder(folder)
        for path in sorted(folder.rglob("*"), key=lambda path: path.stat().st_size):
            if path.suffix.lower() in PHOTOGRAPHS and path.stem != PREVIEW:
                found[SIZE.sub("", str(path))] = path
    chosen = [
        path
        for number, path in enumerate(sorted(found.values()))
        if (number % HELD_BACK == HELD_BACK - 1) == held_back
    ]
    if not chosen:
        raise MissingError(
            f"there are too few photographs (JPEG) under {', '.join(map(str, folders))}; install "
            "the packages that the recipe names, or name other folders with --photographs"
        )
    return chosen


def write_photograph_pages(
    photographs: Sequence[Path],
    folder: Path,
    bank: Path,
    count: int,
    seed: int,
    *,
    held_back: bool = False,
) -> None:
    """Write pages with photographs into a corpus.

    Args:
        photographs: to choose from.
        folder: of the corpus; what is there already stays.
        bank: of real paper.
        count: how many pages.
        seed: it and a page's number decide everything.
        held_back: they are for validation, as the photographs and the bank are.
    """

    def make(number: int, rng: Generator) -> TrainingPage:
        return photograph_page(read_photograph(photographs[number % len(photographs)]), bank, rng)

    write_numbered(folder, "photograph", count, seed, make, held_back=held_back)


def photograph_page(photograph: Bytes, bank: Path, rng: Generator) -> TrainingPage:
    """Print a part of a photograph on paper.

    Args:
        photograph: (H, W, 3) RGB.
        bank: of real paper.
        rng: decides everything.
    """
    height, width = rng.integers((700, 600), (1500, 1200))
    clean = np.ones((height, width, 3), np.float32)
    rows, columns = _place(height, rng), _place(width, rng)
    shape = rows.stop - rows.start, columns.stop - columns.start
    part = part_of_photograph(photograph, shape, rng)
    if darkest(part).mean() < LIGHTEST:
        clean[rows, columns] = _in_colours_of_print(part, rng)
    paper = whole_paper(bank, rng) if rng.random() < 0.5 else None
    clean, light = _on_paper(paper, clean, rng)
    if (darkest(clean) < 1).mean() > COVERED:  # nothing tells how dark the paper is
        light = np.ones_like(light)
    truth = to_bytes(clean)
    return at_view(to_bytes(light * clean), truth, full_weight(truth), light)


def read_photograph(path: Path) -> Bytes:
    """(H, W, 3) RGB, its longer side of `LARGEST` pixels at most."""
    pixels = read_rgb(path)
    factor = LARGEST / max(pixels.shape)
    if factor < 1:
        pixels = np.asarray(
            cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8
        )
    return pixels


def _place(length: int, rng: Generator) -> slice:
    """Where a photograph lies along a side: over all of it, to an edge, or between margins."""
    first, last = (
        0 if rng.random() < 0.55 else int(length * rng.uniform(0.02, 0.4)) for _ in range(2)
    )
    return slice(first, length - last)


def part_of_photograph(photograph: Bytes, shape: tuple[int, int], rng: Generator) -> Floats:
    """(H, W, 3) in 0..1: a part of a photograph, turned, mirrored, and scaled to a shape."""
    turned = np.rot90(photograph, int(rng.integers(4)))[:, :: int(rng.choice([-1, 1]))]
    largest = min(np.divide(turned.shape[:2], shape))
    share = largest * rng.uniform(0.4, 1)
    size = [int(share * length) for length in shape]
    top, left = (
        int(rng.integers(whole - part + 1))
        for whole, part in zip(turned.shape[:2], size, strict=False)
    )
    cut = np.ascontiguousarray(turned[top : top + size[0], left : left + size[1]])
    kind = cv2.INTER_AREA if size[0] > shape[0] else cv2.INTER_CUBIC
    return from_bytes(np.asarray(cv2.resize(cut, shape[::-1], interpolation=kind), np.uint8))


def _in_colours_of_print(photograph: Floats, rng: Generator) -> Floats:
    """In colour, in grey or in sepia, and no blacker than ink is."""
    chance = rng.random()
    if chance < 0.6:
        photograph = (photograph @ LUMA)[..., None] * np.ones(3, np.float32)
    if chance < 0.2:
        photograph = photograph ** np.array((0.8, 1.0, rng.uniform(1, 1.5)), np.float32)
    black = np.float32(rng.uniform(0, 0.15))
    return black + (1 - black) * photograph


def _on_paper(paper: RealPaper | None, clean: Floats, rng: Generator) -> tuple[Floats, Floats]:
    """Return a page cut to its paper, and the paper in 0..1, made up where there is none, or a dark
    one: a network that lightens photographs by more does so to those on white paper too.
    """
    if paper is not None and from_bytes(paper.paper).mean() > DARKEST:
        fitted, _, cut = cover(paper, clean, clean, rng)
        return cut, from_bytes(fitted.paper)
    colour = rng.uniform(DARKEST, 1) * rng.uniform(0.92, 1, 3)
    return clean, np.broadcast_to(colour.astype(np.float32), clean.shape)
