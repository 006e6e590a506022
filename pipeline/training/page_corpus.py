"""Pages to learn from, on disk: dirty and clean side by side, and crops of them by number.

A page is written once and cropped many times; each time it is turned, toned and, now and then,
made grey or packed as a JPEG anew. The same number always gives the same sample, so a resumed run
sees what an undisturbed one would have seen.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pagewash.cleaning.page_summary import summarise_page
from pagewash.errors import InputError
from pagewash.files import write_atomically
from pagewash.grey import LUMA
from pagewash.models.page_autoencoder import BLOCK

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]

MARGIN = 16
"""Pixels along inner edges of a crop that do not count: the network misses what is beyond them."""


@dataclass(frozen=True)
class TrainingPage:
    """A page before and after, as the corpus keeps it; H and W are multiples of `BLOCK / scale`."""

    dirty: Bytes
    """(H, W, 3) RGB: the scan."""

    clean: Bytes
    """(H, W, 3) RGB: what should come out."""

    weight: Bytes
    """(H, W): how much an error counts, 255 in full; 0 where the truth is not known."""

    paper: Floats | None = None
    """(3, h, w) in 0..1: its colour in each block of the network's view, NaN where unknown."""

    scale: int = 1
    """How many times larger the network sees the page."""


def write_page(folder: Path, name: str, page: TrainingPage) -> None:
    """Add a page to a corpus; its name begins with its kind and a hyphen."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / f"{name}.summary.npy", _summary_and_truth(page))
    stacked = np.concatenate([page.dirty, page.clean, page.weight[..., None]], axis=2)
    np.save(folder / f"{name}.part.npy", stacked)
    write_atomically(folder / f"{name}.json", json.dumps({"scale": page.scale}).encode())
    (folder / f"{name}.part.npy").replace(folder / f"{name}.npy")  # now it counts


def _summary_and_truth(page: TrainingPage) -> Floats:
    """(15, h, w): a page's summary, its paper's colour, and what its blocks are once clean."""
    summary = summarise_page(_enlarged(page.dirty, page.scale))
    unknown = np.full((3, *summary.shape[1:]), np.nan, np.float32)
    paper = unknown if page.paper is None else page.paper
    side = BLOCK // page.scale
    blocks = [length // side for length in page.clean.shape[:2]]
    shape = blocks[0], side, blocks[1], side
    known = page.weight.reshape(shape).min((1, 3)) > 0
    clean = page.clean.reshape(*shape, 3).mean((1, 3), dtype=np.float32).transpose(2, 0, 1) / 255
    return np.concatenate([summary, paper, np.where(known, clean, unknown)], dtype=np.float16)


def is_written(folder: Path, name: str) -> bool:
    """Say whether a page is in a corpus, all of it."""
    return (folder / f"{name}.npy").exists()


@dataclass(frozen=True)
class StoredPage:
    """A page of a corpus on disk."""

    path: Path

    @cached_property
    def scale(self) -> int:
        """How many times larger the network sees the page."""
        return int(json.loads(self.path.with_suffix(".json").read_text("utf-8"))["scale"])

    @cached_property
    def pixels(self) -> Bytes:
        """(H, W, 7): dirty, clean, weight; read as they are asked for."""
        pixels: Bytes = np.load(self.path, mmap_mode="r")
        return pixels

    @cached_property
    def summary(self) -> Floats:
        """(15, h, w): the summary, the paper's colour, and the clean page's; NaN where unknown."""
        return np.asarray(np.load(self.path.with_suffix(".summary.npy")), np.float32)


@dataclass(frozen=True)
class PageSample:
    """A page's summary and some crops of it."""

    summary: Floats
    """(9, h, w) in 0..1, of the whole page."""

    paper: Floats
    """(3, h, w) in 0..1, NaN where unknown."""

    blocks: Floats
    """(3, h, w) in 0..1: mean colour of each block of the clean page, NaN where unknown."""

    places: list[tuple[int, int]]
    """First block, row and column, of each crop."""

    dirty: Bytes
    """(N, side, side, 3): the crops as the page has them; side is the crop's by the scale."""

    clean: Bytes
    """(N, side, side, 3)."""

    weight: Bytes
    """(N, side, side)."""

    scale: int
    """How many times larger the network sees them."""


def find_pages(folders: Sequence[Path]) -> dict[str, list[StoredPage]]:
    """Find the pages of corpora by kind, sorted by name.

    Raises:
        InputError: there are none.
    """
    found: dict[str, list[StoredPage]] = {}
    for folder in folders:
        for path in sorted(folder.glob("*.npy")):
            if not path.name.endswith((".summary.npy", ".part.npy")):
                found.setdefault(path.name.partition("-")[0], []).append(StoredPage(path))
    if not found:
        raise InputError(f"no pages to learn from under {', '.join(map(str, folders))}")
    return found


def draw_sample(page: StoredPage, rng: Generator, crops: int, side: int) -> PageSample:
    """Turn and tone a page, and cut some crops.

    Args:
        page: of a corpus.
        rng: decides everything.
        crops: how many.
        side: of a crop in pixels of the network's view, a multiple of `BLOCK`.
    """
    turned = int(rng.integers(4))
    pixels = np.rot90(page.pixels, turned)
    summary = np.rot90(page.summary, turned, (1, 2)).copy()
    scale, own = page.scale, side // page.scale
    unit = BLOCK // scale
    places, cut = [], []
    for _ in range(crops):
        place = [
            int(rng.integers(0, max((length - own) // unit, 0) + 1)) for length in pixels.shape[:2]
        ]
        places.append((place[0], place[1]))
        cut.append(_cut(pixels, place[0] * unit, place[1] * unit, own))
    stacked = np.stack(cut)
    dirty, clean, weight = stacked[..., :3], stacked[..., 3:6], stacked[..., 6]
    if rng.random() < 0.15:
        dirty, clean = (np.repeat(_grey(each)[..., None], 3, axis=3) for each in (dirty, clean))
        for planes in (summary[0:3], summary[3:6], summary[9:12], summary[12:]):
            planes[:] = np.tensordot(LUMA, planes, 1)
    dirty, summary[:9], summary[9:12] = _toned(dirty, summary[:9], summary[9:12], rng)
    if rng.random() < 0.15 and scale == 1:
        dirty = np.stack([as_jpeg(crop, int(rng.integers(35, 95))) for crop in dirty])
    return PageSample(summary[:9], summary[9:12], summary[12:], places, dirty, clean, weight, scale)


def _cut(pixels: Bytes, top: int, left: int, side: int) -> Bytes:
    """A square of a page; what lies beyond the page repeats its edge, and does not count."""
    part = np.array(pixels[top : top + side, left : left + side])
    margin = MARGIN
    if top > 0:
        part[:margin, :, 6] = 0
    if left > 0:
        part[:, :margin, 6] = 0
    if top + side < pixels.shape[0]:
        part[-margin:, :, 6] = 0
    if left + side < pixels.shape[1]:
        part[:, -margin:, 6] = 0
    below, right = side - part.shape[0], side - part.shape[1]
    if below or right:
        height, width = part.shape[:2]
        part = np.pad(part, ((0, below), (0, right), (0, 0)), mode="edge")
        part[height:, :, 6] = 0
        part[:, width:, 6] = 0
    return part


def _toned(
    dirty: Bytes, summary: Floats, paper: Floats, rng: Generator
) -> tuple[Bytes, Floats, Floats]:
    """Change brightness, contrast and colour by straight lines, which a summary follows exactly."""
    if rng.random() < 0.5:
        return dirty, summary, paper
    gain = np.float32(rng.uniform(0.75, 1.0)) * np.ones(3, np.float32)
    if rng.random() < 0.5:
        gain *= rng.uniform(0.85, 1, 3).astype(np.float32)
    lift = np.float32(rng.uniform(0, 1 - gain.max()) if rng.random() < 0.3 else 0)
    toned = np.rint(dirty * gain + 255 * lift).astype(np.uint8)
    luma = gain @ LUMA
    summary[0:3] = summary[0:3] * gain[:, None, None] + lift
    summary[3:6] = summary[3:6] * gain[:, None, None] + lift
    summary[6] = summary[6] * luma + lift
    summary[7] *= luma
    return toned, summary, paper * gain[:, None, None] + lift


def _grey(pixels: Bytes) -> Bytes:
    return np.asarray(np.rint(pixels @ LUMA), np.uint8)


def as_jpeg(crop: Bytes, quality: int) -> Bytes:
    """Pack (H, W, 3) RGB as a JPEG of a quality up to 100, and unpack it."""
    packed = cv2.imencode(".jpg", crop[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.ascontiguousarray(
        np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR))[..., ::-1], np.uint8
    )


def _enlarged(pixels: Bytes, scale: int) -> Bytes:
    if scale == 1:
        return pixels
    size = pixels.shape[1] * scale, pixels.shape[0] * scale
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_CUBIC), np.uint8)
