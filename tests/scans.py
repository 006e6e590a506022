"""Small dirty pages, made here, and a cleaner that needs no network."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np

from pagewash.cleaning.cleaner import CleanedPage
from pagewash.pages import Page


def scan(seed: int = 0, shape: tuple[int, int] = (120, 90)) -> np.ndarray:
    """A dirty page: lines of dark strokes on toned, noisy paper."""
    random = np.random.default_rng(seed)
    page = random.normal(200, 8, shape).clip(0, 255).astype(np.uint8)
    for top in range(15, shape[0] - 15, 12):
        for left in range(10, shape[1] - 12, 7):
            if random.random() < 0.8:
                page[top : top + 6, left : left + 2] = 40
    return page


def write_scan(path: Path, seed: int = 0, shape: tuple[int, int] = (120, 90)) -> Path:
    """Write a dirty page in the format of its extension."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), scan(seed, shape))
    return path


class FakeCleaner:
    """Adds 10 to every grey level, two pages at a time; a page of one grey level makes it fail."""

    model_id = "fake"
    model_sha256 = "0" * 64
    device = "cpu"
    precision = "fp32"
    precision_reason = "it is no network"
    tile = 64
    halo = 0

    def clean_pages(self, pages: Iterable[Page]) -> Iterator[CleanedPage]:
        """Clean pages two by two, so that pages wait in it as they do in the real one."""
        batch: list[Page] = []
        for page in pages:
            batch.append(page)
            if len(batch) == 2:
                yield from [self._clean(page) for page in batch]
                batch = []
        yield from [self._clean(page) for page in batch]

    def _clean(self, page: Page) -> CleanedPage:
        if page.pixels.min() == page.pixels.max():
            raise RuntimeError("the network chokes")
        pixels = cv2.add(page.pixels, np.full_like(page.pixels, 10))
        return CleanedPage(page.replace_pixels(pixels), page, scale=1.0, seconds=0.01)
