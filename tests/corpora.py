"""What tests of training need: a page made of random numbers, and a font."""

from pathlib import Path

import numpy as np
from PIL import ImageFont

from pagewash.models.page_autoencoder import BLOCK
from pagewash.training.page_corpus import TrainingPage

SHARES_OF_WEAR = (
    "ILLUSTRATED", "SCREENED", "ZOOMED", "BANDED", "COLOURED", "WORN", "EDGED", "SPECKED", "FRAMED",
    "GRAINED",
)  # fmt: skip
"""Of `pagewash.training.wearing`: how many pages each befalls."""


def a_page(height=160, width=128, scale=1, seed=0):
    rng = np.random.default_rng(seed)
    clean = np.where(rng.random((height, width, 1)) < 0.2, 0, 255).astype(np.uint8)
    clean = np.repeat(clean, 3, 2)
    dirty = (clean // 2 + 60).astype(np.uint8)
    paper = np.full((3, height * scale // BLOCK, width * scale // BLOCK), 187 / 255, np.float32)
    return TrainingPage(dirty, clean, np.full((height, width), 255, np.uint8), paper, scale)


def write_font(folder: Path, name: str = "plain.ttf") -> Path:
    """Write the one face that Pillow carries into a folder, so that no test needs others."""
    (folder / name).write_bytes(ImageFont.load_default(20).font_bytes)
    return folder
