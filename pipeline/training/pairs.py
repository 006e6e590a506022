"""Examples to learn from, as the cleaner shows pages: rendered and corrupted, or of real pairs.

Sample number i of a seed is always the same, so a resumed run sees what an
undisturbed one would have seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, NamedTuple

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pagewash.cleaning.scale import choose_scale, resample
from pagewash.errors import InputError
from pagewash.files import require_folder
from pagewash.inference.checkpoint import ModelCard
from pagewash.training.synthesis.corruption import (
    CorruptionOptions,
    DirtyAndClean,
    bare_paper,
    corrupt,
    lay_over,
)
from pagewash.training.synthesis.fonts import Typeface
from pagewash.training.synthesis.noise import Image, from_bytes, to_bytes
from pagewash.training.synthesis.typesetting import CleanPage, TypesettingOptions, set_page

Grey = NDArray[np.uint8]


@dataclass(frozen=True)
class PairOptions:
    """Where crops come from."""

    # Prefect's form for a run shows the sentences below
    __pydantic_config__: ClassVar[dict[str, bool]] = {"use_attribute_docstrings": True}

    crop: int = 384
    """Side of a crop in pixels; a multiple of the network's stride."""

    real: float = 0.5
    """Share of crops cut from real pairs, where there are any."""

    real_corrupted: float = 0.1
    """Share of the real crops whose clean page is corrupted anew."""

    real_laid_over: float = 0.4
    """Share of the real crops whose clean page is laid over other dirty paper, nothing more:
    half of the time, that of another real page."""

    small_print: float = 0.2
    """Share of rendered crops in print so small that the cleaner enlarges it for the network."""

    blank: float = 0.12
    """Share of rendered crops whose text ends, so that the other side shines through alone."""

    typesetting: TypesettingOptions = TypesettingOptions()
    """What rendered pages look like."""

    corruption: CorruptionOptions = CorruptionOptions()
    """What happens to them."""


@dataclass(frozen=True)
class RealPair:
    """A scan and its clean page in memory, not larger than the network would see them."""

    dirty: Grey
    clean: Grey

    scale: int = 1
    """How many times larger the cleaner shows the scan to the network."""


@dataclass(frozen=True)
class Example:
    """One crop as the network meets it, and as its answer is judged: where the cleaner uses it.

    What the network says of an enlarged crop is averaged over blocks of pixels and applied to the
    page's own pixels, of which each fills a block here.
    """

    seen: Grey
    """(crop, crop): what the network sees."""

    page: Grey
    """(crop, crop): what its gain and offset are applied to."""

    clean: Grey
    """(crop, crop): what should come out."""

    scale: int
    """Side of those blocks; 1 where the network sees the page as it is."""


def read_pairs(dirty: Path, clean: Path) -> list[RealPair]:
    """Read every image of `dirty` with the image of the same stem in `clean`, as grey.

    Raises:
        InputError: there is no pair, or two images of a pair differ in size.
        AccessError: there is no such folder.
    """
    truths = {path.stem: path for path in _files(clean)}
    pairs = []
    for path in _files(dirty):
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
        AccessError: there is no such folder.
    """
    pages = [_read_grey(path) for path in _files(folder)]
    if not pages:
        raise InputError(f"there is no image in {folder}; name a folder of clean pages")
    return [_as_seen(page, page) for page in pages]


class Batch(NamedTuple):
    """Several examples: arrays of (N, 1, crop, crop) uint8, and (N,) int64."""

    seen: Grey
    page: Grey
    clean: Grey
    scale: NDArray[np.int64]


@dataclass(frozen=True)
class PairSource:
    """All examples of a training run, by number."""

    seed: int
    options: PairOptions
    faces: Sequence[Typeface]
    real: Sequence[RealPair] = ()

    def example(self, number: int) -> Example:
        """Make example `number`; the same number gives the same one."""
        rng = np.random.default_rng((self.seed, number))
        if self.real and rng.random() < self.options.real:
            return self._real(rng)
        scale = 2 if rng.random() < self.options.small_print else 1
        return _shown(self._rendered(rng, scale), scale)

    def batch(self, numbers: Sequence[int]) -> Batch:
        """Make several examples."""
        examples = [self.example(number) for number in numbers]
        seen, page, clean = (
            np.stack([getattr(example, name)[None] for example in examples])
            for name in ("seen", "page", "clean")
        )
        return Batch(seen, page, clean, np.array([example.scale for example in examples]))

    def _rendered(self, rng: Generator, scale: int) -> DirtyAndClean:
        clean_page = self._clean_page(rng, scale)
        # mostly, a leaf bears the same print or the same hand on both sides
        verso = self._clean_page(rng, scale, like=clean_page if rng.random() < 0.6 else None)
        if rng.random() < self.options.blank:
            clean_page = _ended(clean_page, rng)
        return corrupt(clean_page, verso, rng, self.options.corruption)

    def _clean_page(self, rng: Generator, scale: int, like: CleanPage | None = None) -> CleanPage:
        side, settings = self.options.crop // scale, self.options.typesetting
        if scale > 1:
            small = settings.smallest_text, settings.common_text[0]
            settings = replace(settings, common_text=small)
        return set_page(rng, side, side, self.faces, settings, like)

    def _real(self, rng: Generator) -> Example:
        pair = self.real[int(rng.integers(0, len(self.real)))]
        dirty, clean = self._crop(pair, rng)
        chance = rng.random() - self.options.real_corrupted
        if chance >= self.options.real_laid_over:
            return _shown(DirtyAndClean(dirty, clean), pair.scale)
        if chance >= 0:
            bare = self._bare_paper(pair.scale, rng) if rng.random() < 0.5 else None
            return _shown(lay_over(clean, rng, self.options.corruption, bare), pair.scale)
        clean_page = CleanPage(1 - clean, np.ones_like(clean), None, 20 / pair.scale)
        verso = self._clean_page(rng, pair.scale)
        return _shown(corrupt(clean_page, verso, rng, self.options.corruption), pair.scale)

    def _bare_paper(self, scale: int, rng: Generator) -> Image | None:
        """Paper of a real pair of this scale; none, where clean pages are all there is."""
        pairs = [pair for pair in self.real if pair.scale == scale]
        dirty, clean = self._crop(pairs[int(rng.integers(0, len(pairs)))], rng)
        return None if np.array_equal(dirty, clean) else bare_paper(dirty, clean, rng)

    def _crop(self, pair: RealPair, rng: Generator) -> tuple[Image, Image]:
        side = self.options.crop // pair.scale
        height, width = pair.dirty.shape
        top, left = (int(rng.integers(0, max(length - side, 0) + 1)) for length in (height, width))
        window = np.s_[top : top + side, left : left + side]
        return _filled(pair.dirty[window], side), _filled(pair.clean[window], side)


def _ended(clean_page: CleanPage, rng: Generator) -> CleanPage:
    """Let the text end, or begin, somewhere on the leaf; the rest of it is blank."""
    ink, end = clean_page.ink.copy(), int(rng.uniform(0.1, 1.5) * len(clean_page.ink))
    ink[slice(-end, None) if rng.random() < 0.5 else slice(end)] = 0
    return replace(clean_page, ink=ink)


def _shown(pair: DirtyAndClean, scale: int) -> Example:
    """Show a crop to the network as the cleaner does."""
    dirty, clean = to_bytes(pair.dirty), to_bytes(pair.clean)
    block = np.ones((scale, scale), np.uint8)
    return Example(resample(dirty, scale), np.kron(dirty, block), np.kron(clean, block), scale)


def _as_seen(dirty: Grey, clean: Grey) -> RealPair:
    """Reduce a pair to the size at which the cleaner would show it, or note that it enlarges it."""
    scale = choose_scale(dirty, None, ModelCard.text_heights)
    if scale > 1:
        return RealPair(dirty, clean, int(scale))
    return RealPair(resample(dirty, scale), resample(clean, scale))


def _filled(page: Grey, side: int) -> Image:
    """Reflect a page that is smaller than a crop, as the cleaner does at its edges."""
    below, right = side - page.shape[0], side - page.shape[1]
    return from_bytes(np.pad(page, ((0, below), (0, right)), mode="reflect"))


def _files(folder: Path) -> list[Path]:
    require_folder(folder)
    return sorted(path for path in folder.iterdir() if path.is_file())


def _read_grey(path: Path) -> Grey:
    pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if pixels is None:
        raise InputError(f"{path} is not an image that can be read; remove it, or save it again")
    return np.asarray(pixels, np.uint8)
