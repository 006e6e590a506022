"""A page to learn from, made of random numbers."""

import numpy as np

from pagewash.models.page_autoencoder import BLOCK
from pagewash.training.page_corpus import TrainingPage


def a_page(height=160, width=128, scale=1, seed=0):
    rng = np.random.default_rng(seed)
    clean = np.where(rng.random((height, width, 1)) < 0.2, 0, 255).astype(np.uint8)
    clean = np.repeat(clean, 3, 2)
    dirty = (clean // 2 + 60).astype(np.uint8)
    paper = np.full((3, height * scale // BLOCK, width * scale // BLOCK), 187 / 255, np.float32)
    return TrainingPage(dirty, clean, np.full((height, width), 255, np.uint8), paper, scale)
