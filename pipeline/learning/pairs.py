"""Dirty and clean crops to learn from: rendered and corrupted, or cut from real pairs.

Sample number i of a seed is always the same, so a resumed run sees what an
undisturbed one would have seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pipeline.cleaning.checkpoint import ModelCard
from pipeline.cleaning.scale import choose_scale, resample
from pipeline.errors import InputError
from pipeline.learning.corruption import CorruptionOptions, Pair, corrupt
from pipeline.learning.fonts import Typeface
from pipeline.learning.noise import Image, from_bytes, to_bytes
from pipeline.learning.typesetting import Sheet, TypesettingOptions, set_sheet

Grey = NDArray[np.uint8]


@dataclass(frozen=True)
class PairOptions:
    """Where crops come from."""

    # Prefect's form for a run shows the sentences below
    __pydantic_config__: ClassVar[dict[str, bool]] = {"use_attribute_docstrings": True}

    crop: int = 256
    """Side of a crop in pixels; a multiple of the network's stride."""

    real: float = 0.35
    """Share of crops cut from real pairs, where there are any."""

    real_corrupted: float = 0.15
    """Share of the real crops whose clean page is corrupted anew."""

    typesetting: TypesettingOptions = TypesettingOptions()
    """What rendered pages look like."""

    corruption: CorruptionOptions = CorruptionOptions()
    """What happens to them."""


@dataclass(frozen=True)
class RealPair:
    """A scan and its clean page, held in memory at the size at which the network sees them."""

    dirty: Grey
    clean: Grey


def read_pairs(dirty: Path, clean: Path) -> list[RealPair]:
    """Read every image of `dirty` with the image of the same stem in `clean`, as grey.

    Raises:
        InputError: there is no pair, or two images of a pair differ in size.
    """
    truths = {path.stem: path for path in sorted(clean.iterdir())}
    pairs = []
    for path in sorted(dirty.iterdir()):
        if path.stem not in truths:
            continue
        dirty_page, clean_page = _read_grey(path), _read_grey(truths[path.stem])
        if dirty_page.shape != clean_page.shape:
            raise InputError(
                f"{path} has {dirty_page.shape[::-1]} pixels but {truths[path.stem]} has "
                f"{clean_page.shape[::-1]}; pairs must match pixel by pixel"
            )
        pairs.append(_as_seen(dirty_page, clean_page))
    if not pairs:
        raise InputError(f"no image under {dirty} has one of the same name under {clean}")
    return pairs


def read_clean(folder: Path) -> list[RealPair]:
    """Read every image of a folder as a clean page, which stands for its own scan.

    Raises:
        InputError: there is none, or one cannot be read.
    """
    pages = [_read_grey(path) for path in sorted(folder.iterdir()) if path.is_file()]
    if not pages:
        raise InputError(f"there is no image in {folder}; name a folder of clean pages")
    return [_as_seen(page, page) for page in pages]


@dataclass(frozen=True)
class PairSource:
    """All pairs of a training run, by number."""

    seed: int
    options: PairOptions
    faces: Sequence[Typeface]
    real: Sequence[RealPair] = ()

    def pair(self, number: int) -> Pair:
        """Make pair `number`, (crop, crop) each; the same number gives the same pair."""
        rng = np.random.default_rng((self.seed, number))
        if self.real and rng.random() < self.options.real:
            return self._real(rng)
        return self._rendered(rng)

    def batch(self, numbers: Sequence[int]) -> tuple[Grey, Grey]:
        """Make several pairs: two (N, 1, crop, crop) uint8 arrays, dirty and clean."""
        pairs = [self.pair(number) for number in numbers]
        dirty = np.stack([to_bytes(pair.dirty)[None] for pair in pairs])
        clean = np.stack([to_bytes(pair.clean)[None] for pair in pairs])
        return dirty, clean

    def _rendered(self, rng: Generator) -> Pair:
        sheet = self._sheet(rng)
        # mostly, a leaf bears the same print or the same hand on both sides
        verso = self._sheet(rng, like=sheet if rng.random() < 0.6 else None)
        return corrupt(sheet, verso, rng, self.options.corruption)

    def _sheet(self, rng: Generator, like: Sheet | None = None) -> Sheet:
        side = self.options.crop
        return set_sheet(rng, side, side, self.faces, self.options.typesetting, like)

    def _real(self, rng: Generator) -> Pair:
        pair = self.real[int(rng.integers(0, len(self.real)))]
        dirty, clean = self._crop(pair, rng)
        if rng.random() >= self.options.real_corrupted:
            return Pair(dirty, clean)
        sheet = Sheet(1 - clean, np.ones_like(clean), None, 20)
        return corrupt(sheet, self._sheet(rng), rng, self.options.corruption)

    def _crop(self, pair: RealPair, rng: Generator) -> tuple[Image, Image]:
        side = self.options.crop
        height, width = pair.dirty.shape
        top, left = (int(rng.integers(0, max(length - side, 0) + 1)) for length in (height, width))
        window = np.s_[top : top + side, left : left + side]
        return _filled(pair.dirty[window], side), _filled(pair.clean[window], side)


def _as_seen(dirty: Grey, clean: Grey) -> RealPair:
    """Bring a pair to the size at which the cleaner will show such a page to the network."""
    scale = choose_scale(dirty, None, ModelCard.text_heights)
    return RealPair(resample(dirty, scale), resample(clean, scale))


def _filled(page: Grey, side: int) -> Image:
    """Reflect a page that is smaller than a crop, as the cleaner does at its edges."""
    below, right = side - page.shape[0], side - page.shape[1]
    return from_bytes(np.pad(page, ((0, below), (0, right)), mode="reflect"))


def _read_grey(path: Path) -> Grey:
    pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if pixels is None:
        raise InputError(f"{path} is not an image that can be read; remove it, or save it again")
    return np.asarray(pixels, np.uint8)
