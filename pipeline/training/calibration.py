"""What is usual for a model, onto its card: features of usual pages, and how places of them differ.

    python -m pagewash.training.calibration models/weights/fast.safetensors /usr/share/fonts fonts

Usual pages are rendered and corrupted as those of training are, but for the few that suffer much
more. The weights stay as they are; the card beside them gets what `pagewash.cleaning.novelty` and
`pagewash.cleaning.embedding` read.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray

from pagewash.cleaning.embedding import Floats
from pagewash.cleaning.novelty import LAYOUT_DIRECTIONS, Calibration, feature_vector
from pagewash.cleaning.scale import choose_scale, resample
from pagewash.errors import InputError
from pagewash.inference.architectures import architecture_of
from pagewash.inference.checkpoint import load_checkpoint, write_card
from pagewash.inference.model_files import find_model
from pagewash.inference.network import Network, ReadyNetwork, TileView
from pagewash.inference.regions import Region
from pagewash.training.synthesis.corruption import CorruptionOptions, corrupt
from pagewash.training.synthesis.fonts import Typeface, find_typefaces
from pagewash.training.synthesis.noise import to_bytes
from pagewash.training.synthesis.typesetting import CleanPage, set_page

PAGES = 250

HEIGHT, WIDTH = 416, 352
"""Of a usual page, in pixels: some lines of text, and quick to make."""

SEED = 20_011
"""Of the pages; evaluation has others."""

SHRINKAGE = 0.05
"""How far correlations between features are taken for chance: pages are few."""

USUAL_DAMAGE = CorruptionOptions(severe=0)
"""What pages suffer as a rule."""

Grey = NDArray[np.uint8]


def calibrate(network: Network, pages: Sequence[Grey]) -> Calibration:
    """Take the numbers of usual pages.

    Args:
        network: in eval mode, on the CPU; it must tell features of pages.
        pages: (H, W) as it sees them, H and W multiples of its stride.
    """
    build = architecture_of(network).ready
    ready = build(network, torch.device("cpu"), torch.float32, {})
    seen = [look_at(ready, page) for page in pages]
    numbers = np.stack([feature_vector(page.features) for page in seen])
    layouts = (page.layout for page in seen)
    places = np.concatenate([(layout - layout.mean(1, keepdims=True)).T for layout in layouts])
    directions_of_layout = np.linalg.eigh(np.cov(places.T))[1][:, ::-1][:, :LAYOUT_DIRECTIONS]
    mean, directions = numbers.mean(0), _whitening(numbers)
    distances = np.linalg.norm((numbers - mean) @ directions, axis=1)
    percentiles = np.percentile(distances, np.arange(101))
    values = (
        np.asarray(each, np.float32)
        for each in (mean, directions, percentiles, directions_of_layout)
    )
    return Calibration(*values)


class LookedAt(NamedTuple):
    """A page as a network sees it."""

    features: Floats
    """(n, C) of all its places."""

    layout: Floats
    """(C, places) of the cleaned page."""

    cleaned: Grey
    """(H, W)."""


def look_at(network: ReadyNetwork, page: Grey) -> LookedAt:
    """Clean a page whole, and keep what the network tells of it.

    Raises:
        InputError: it tells nothing.
    """
    window = Region(range(page.shape[0]), range(page.shape[1]))
    (maps,) = network.predict_affine(
        [TileView(page, window, 1.0, network.look(page))], features=True
    )
    values = maps.gain[0].float() * torch.from_numpy(page) / 255 + maps.offset[0]
    cleaned = np.asarray(values.mul(255).round().clamp(0, 255).to(torch.uint8).numpy())
    layout = network.layout(cleaned)
    if maps.features is None or layout is None:
        raise InputError("this network tells nothing of pages that could be compared")
    return LookedAt(maps.features.reshape(-1, maps.features.shape[2]), layout, cleaned)


def _whitening(numbers: Floats) -> Floats:
    """Directions in which rows of numbers vary by 1, their correlations shrunk."""
    spread = numbers.std(0) + 1e-6
    related = np.corrcoef(numbers.T / spread[:, None])
    related = (1 - SHRINKAGE) * np.nan_to_num(related) + SHRINKAGE * np.eye(len(spread))
    values, vectors = np.linalg.eigh(related)
    return np.asarray(vectors / np.sqrt(values) / spread[:, None], np.float32)


def usual_page(rng: Generator, faces: Sequence[Typeface], height: int, width: int) -> CleanPage:
    """Set a page as training does, on every other page within margins of its own."""
    if rng.random() < 0.5:
        return set_page(rng, height, width, faces)
    top, bottom = (int(side) for side in rng.uniform(0.02, 0.2, 2) * height)
    left, right = (int(side) for side in rng.uniform(0.02, 0.2, 2) * width)
    clean_page = set_page(rng, height - top - bottom, width - left - right, faces)
    margins = (top, bottom), (left, right)
    box = clean_page.picture_box
    return replace(
        clean_page,
        ink=np.pad(clean_page.ink, margins),
        picture=np.pad(clean_page.picture, margins, constant_values=1),
        picture_box=box and (box[0] + left, box[1] + top, box[2] + left, box[3] + top),
    )


def usual_scan(rng: Generator, faces: Sequence[Typeface]) -> Grey:
    """Render a usual page and let it age, as in training; (HEIGHT, WIDTH)."""
    clean_page, verso = (usual_page(rng, faces, HEIGHT, WIDTH) for _ in range(2))
    return to_bytes(corrupt(clean_page, verso, rng, USUAL_DAMAGE).dirty)


def as_shown(page: Grey, text_heights: tuple[float, float], stride: int) -> Grey:
    """A page at the size at which the cleaner shows it to a network, cut to whole strides."""
    view = resample(page, choose_scale(page, None, text_heights))
    height, width = (max(length // stride, 1) * stride for length in view.shape)
    return view[:height, :width]


def main() -> None:
    """Calibrate a model: its name or path, then folders of fonts, stand on the command line."""
    model, *fonts = sys.argv[1:]
    checkpoint = load_checkpoint(model)
    faces = find_typefaces([Path(font) for font in fonts])
    network, card = checkpoint.network, checkpoint.card
    scans = (usual_scan(np.random.default_rng((SEED, number)), faces) for number in range(PAGES))
    pages = [as_shown(scan, card.text_heights, network.stride) for scan in scans]
    calibration = calibrate(network, pages)
    write_card(find_model(model), replace(card, calibration=calibration.for_card()))


if __name__ == "__main__":
    main()
