"""What cleaning does to clean pages: as they are, and to their ink on coloured paper.

    python -m pagewash.evaluation.clean_pages ../shared/data/ocr/fondue_en_print --model fast

cleans every image below the folders, as it is and printed on coloured grounds, in one or in two
colours, and prints how close the first comes out, and how much colour black ink has on the others.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pagewash.cleaning.cleaner import Cleaner
from pagewash.evaluation.cases import find_images, read_image
from pagewash.evaluation.truth import psnr
from pagewash.grey import luminance
from pagewash.options import CleanOptions

Pixels = NDArray[np.uint8]

GROUNDS = {
    "white": (250, 250, 250),
    "yellowed": (235, 215, 170),
    "brown": (175, 135, 95),
    "blue": (150, 190, 225),
    "pink": (240, 180, 190),
    "green": (170, 210, 160),
    "grey": (160, 160, 160),
}
"""RGB of paper."""

PAIRS = [("white", "yellowed"), ("yellowed", "blue"), ("brown", "white"), ("pink", "green")]
"""Grounds that share a page, the second in a box in its middle."""

BLACK = 30
"""Grey level of ink on a scan."""

INK = 64
"""What is darker than this grey level is the inside of a stroke of a clean page."""


def print_on(page: Pixels, ground: Pixels) -> Pixels:
    """Print a page on coloured paper.

    Args:
        page: (H, W) uint8 grey levels, on white.
        ground: (H, W, 3) RGB, or (3,) for one colour.

    Returns:
        (H, W, 3) RGB.
    """
    ink = BLACK + page[..., None] * np.float32((255 - BLACK) / 255)
    return np.asarray(np.rint(ink * (ground / np.float32(255))), np.uint8)


def chroma(pixels: Pixels, where: NDArray[np.bool_]) -> float:
    """Grey levels between the primaries, the mean of some pixels of (H, W, 3); 0 of a grey page, or
    of none.
    """
    if pixels.ndim == 2 or not where.any():
        return 0.0
    chosen = pixels[where].astype(np.int16)
    return float((chosen.max(1) - chosen.min(1)).mean())


def grounds(shape: tuple[int, ...]) -> Iterator[tuple[str, Pixels]]:
    """Paper of one colour, and of two: name, and (H, W, 3) of a page of such a height and width."""
    for name, colour in GROUNDS.items():
        yield name, np.broadcast_to(np.array(colour, np.uint8), (*shape[:2], 3))
    for outer, inner in PAIRS:
        ground = np.empty((*shape[:2], 3), np.uint8)
        ground[:] = GROUNDS[outer]
        rows, columns = (slice(length // 4, 3 * length // 4) for length in shape[:2])
        ground[rows, columns] = GROUNDS[inner]
        yield f"{outer} and {inner}", ground


def report(pages: list[Pixels], cleaner: Cleaner) -> Iterator[str]:
    """Lines of a table: how close pages come out, and chroma of ink by ground, the worst page's."""
    found: dict[str, list[float]] = {}
    for page in pages:
        yield f"as it is: {psnr(cleaner.clean(page), page):.1f} dB"
        grey = luminance(page)
        for name, ground in grounds(page.shape):
            cleaned = cleaner.clean(print_on(grey, ground))
            found.setdefault(name, []).append(chroma(cleaned, grey < INK))
    for name, levels in found.items():
        yield f"chroma of ink, {name}: {np.mean(levels):.1f}, worst {max(levels):.1f}"
    yield f"chroma of ink, worst of all: {max(map(max, found.values())):.1f}"


def main() -> None:
    """Measure pages below some folders, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m pagewash.evaluation.clean_pages")
    parser.add_argument("folders", nargs="+", type=Path, help="of clean pages")
    parser.add_argument("--model", default="fast", help="a shipped model, or a checkpoint's path")
    asked = parser.parse_args()
    cleaner = Cleaner.from_pretrained(asked.model, CleanOptions(on_review="cleaned"))
    pages = [read_image(path)[0] for folder in asked.folders for path in find_images(folder)]
    for line in report(pages, cleaner):
        print(line, flush=True)


if __name__ == "__main__":
    main()
