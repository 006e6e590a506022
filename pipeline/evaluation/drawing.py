"""Draw pages that nobody has set, from what the network sees where on a page.

    python -m pagewash.evaluation.drawing fast /usr/share/fonts --out drawn.png

What a network sees on thumbnails of usual pages is taken for normally distributed; a layout drawn
from that distribution is turned into a picture by a linear decoder. The picture has three rows:
pages, the same pages from their layouts alone, and pages that were drawn.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray

from pagewash.cleaning.embedding import PLACES
from pagewash.inference.architectures import architecture_of
from pagewash.inference.checkpoint import load_checkpoint
from pagewash.inference.network import ReadyNetwork
from pagewash.training.calibration import look_at, usual_scan
from pagewash.training.synthesis.fonts import find_typefaces

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]

PAGES = 300
"""Usual pages that are looked at."""

SEED = 51_001
"""Of those pages; no others have it."""

SIDE = 4
"""Of a place on a thumbnail, in pixels."""

COMPONENTS = 60
"""Directions in which layouts vary that are drawn; what lies beyond them is noise."""

RIDGE = 1.0
"""Weight that keeps the decoder's numbers small, against the places of a page."""

SHOWN = 8
"""Pages in each row of the picture."""


@dataclass(frozen=True)
class Layouts:
    """The distribution of layouts, and how one becomes a picture."""

    mean: Floats
    """(C * places,)."""

    components: Floats
    """(K, C * places): principal components, each as long as layouts deviate along it."""

    decoder: Floats
    """(9 * C + 1, SIDE * SIDE): from a place and its neighbours to its pixels in 0..1."""

    def draw(self, rng: Generator) -> Floats:
        """Draw a layout, (C, places)."""
        strength = rng.standard_normal(len(self.components)).astype(np.float32)
        return (self.mean + strength @ self.components).reshape(-1, PLACES[0] * PLACES[1])

    def decode(self, layout: Floats) -> Pixels:
        """Turn a layout into a thumbnail, (32 * SIDE, 24 * SIDE) grey levels."""
        rows, columns = PLACES
        pixels = _with_neighbours(layout) @ self.decoder
        tiled = pixels.reshape(rows, columns, SIDE, SIDE).transpose(0, 2, 1, 3)
        page = tiled.reshape(rows * SIDE, columns * SIDE)
        return np.asarray(np.rint(255 * page.clip(0, 1)), np.uint8)


def learn_layouts(layouts: Sequence[Floats], thumbnails: Sequence[Pixels]) -> Layouts:
    """Take the distribution of layouts, and fit the decoder.

    Args:
        layouts: (C, places) of each page.
        thumbnails: (32 * SIDE, 24 * SIDE) grey levels of each page, cleaned.
    """
    flat = np.stack([layout.ravel() for layout in layouts])
    mean = flat.mean(0)
    _, lengths, directions = np.linalg.svd(flat - mean, full_matrices=False)
    kept = min(COMPONENTS, len(flat) - 1)
    components = directions[:kept] * (lengths[:kept, None] / np.sqrt(len(flat) - 1))
    return Layouts(mean, np.asarray(components, np.float32), _fit_decoder(layouts, thumbnails))


def _fit_decoder(layouts: Sequence[Floats], thumbnails: Sequence[Pixels]) -> Floats:
    """Ridge regression from places with their neighbours to their pixels."""
    seen = _with_neighbours(layouts[0]).shape[1]
    squares, products = RIDGE * np.eye(seen), np.zeros((seen, SIDE**2))
    for layout, thumbnail in zip(layouts, thumbnails, strict=True):
        x = _with_neighbours(layout).astype(np.float64)
        squares += x.T @ x
        products += x.T @ (_patches(thumbnail) / 255)
    return np.asarray(np.linalg.solve(squares, products), np.float32)


def _patches(thumbnail: Pixels) -> Floats:
    """(places, SIDE * SIDE) of a thumbnail."""
    rows, columns = PLACES
    tiled = thumbnail.reshape(rows, SIDE, columns, SIDE).transpose(0, 2, 1, 3)
    return np.asarray(tiled.reshape(rows * columns, SIDE**2), np.float32)


def _with_neighbours(layout: Floats) -> Floats:
    """(places, 9 * C + 1): what is seen at each place and at the eight around it, and a one."""
    rows, columns = PLACES
    planes = np.pad(layout.reshape(-1, rows, columns), ((0, 0), (1, 1), (1, 1)), mode="edge")
    around = [
        planes[:, down : down + rows, right : right + columns].reshape(len(planes), -1)
        for down in range(3)
        for right in range(3)
    ]
    return np.concatenate([*around, np.ones((1, rows * columns), np.float32)]).T


def see(network: ReadyNetwork, page: Pixels) -> tuple[Floats, Pixels]:
    """The layout of a dirty page, (H, W), and its thumbnail once it is cleaned."""
    looked = look_at(network, page)
    size = PLACES[1] * SIDE, PLACES[0] * SIDE
    small = cv2.resize(looked.cleaned, size, interpolation=cv2.INTER_AREA)
    return looked.layout, np.asarray(small, np.uint8)


def picture(layouts: Layouts, seen: Sequence[tuple[Floats, Pixels]], rng: Generator) -> Pixels:
    """Three rows of thumbnails: pages, the same from their layouts, and pages that were drawn."""
    rows = (
        [thumbnail for _, thumbnail in seen],
        [layouts.decode(layout) for layout, _ in seen],
        [layouts.decode(layouts.draw(rng)) for _ in seen],
    )
    framed = ([np.pad(each, 3, constant_values=160) for each in row] for row in rows)
    return np.vstack([np.hstack(row) for row in framed])


def main() -> None:
    """Look at usual pages, and write the picture."""
    parser = argparse.ArgumentParser(prog="python -m pagewash.evaluation.drawing")
    parser.add_argument("model", help="a shipped model, or a checkpoint's path")
    parser.add_argument("fonts", nargs="+", type=Path, help="folders of fonts")
    parser.add_argument("--out", type=Path, default=Path("drawn.png"), help="the picture")
    asked = parser.parse_args()
    network = load_checkpoint(asked.model).network
    ready = architecture_of(network).ready(network, torch.device("cpu"), torch.float32, {})
    faces = find_typefaces(asked.fonts)
    scans = (usual_scan(np.random.default_rng((SEED, number)), faces) for number in range(PAGES))
    seen = [see(ready, scan) for scan in scans]
    layouts = learn_layouts([layout for layout, _ in seen], [small for _, small in seen])
    drawn = picture(layouts, seen[:SHOWN], np.random.default_rng(SEED))
    cv2.imwrite(str(asked.out), drawn)


if __name__ == "__main__":
    main()
