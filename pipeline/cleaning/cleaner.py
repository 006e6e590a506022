"""Pages through a network: the only place that chooses device, precision, tiles and batches.

A page becomes a view at the scale that the network was trained for, which looks at it once as a
whole. The view is cut into tiles, tiles of one or many pages run in batches, and what the network
says about the view (a gain and an offset for every pixel) is applied to the page's own pixels. A
few steps come after that only the whole page can tell, and the guard. Knows no files and no
Prefect.
"""

import math
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pagewash.cleaning.arguments import Resolution, page_of
from pagewash.cleaning.embedding import page_embedding
from pagewash.cleaning.giving_back import guard
from pagewash.cleaning.novelty import Calibration
from pagewash.cleaning.scale import LARGEST, choose_scale, resample
from pagewash.cleaning.steps import STEPS, after_network
from pagewash.cleaning.surround import back_in_white, inside_of_white
from pagewash.errors import InputError, OptionError
from pagewash.geometry.bilevel import one_bit
from pagewash.grey import is_grey, luminance
from pagewash.inference.batches import PageState, TileTask, pack
from pagewash.inference.checkpoint import ModelCard, load_checkpoint
from pagewash.inference.memory import MemoryBudget
from pagewash.inference.model_files import absolute_model
from pagewash.inference.network import Features, Network
from pagewash.inference.parallel import ParallelBatches
from pagewash.inference.regions import Region
from pagewash.inference.session import clean_tiles, open_session
from pagewash.inference.tile_choice import Setting, kept_tile
from pagewash.inference.tiles import TileOptions, TilePlan, plan_tiles, round_up
from pagewash.options import CleanOptions
from pagewash.pages import Page, Pixels

__all__ = ["CleanOptions", "CleanedPage", "Cleaner"]

CPU_BATCH_PIXELS = 1536**2
"""Of small tiles that run together on a CPU; a larger tile runs alone."""


@dataclass(frozen=True, eq=False)
class CleanedPage:
    """A page before and after."""

    page: Page
    """Cleaned, with everything else as it was."""

    before: Page
    """As it came in."""

    scale: float
    """Size at which the network saw it: 0.5 is half its height and width."""

    seconds: float
    """Spent in the network, by all threads that it ran on side by side; pages that shared a batch
    share its time by their pixels."""

    given_back: float = 0.0
    """Share of the page's area that is the scan's again, since it was lost, 0 to 1."""

    doubt: str | None = None
    """Why a person should look at it; None if nothing was lost, or it was given back."""

    novelty: float | None = None
    """Percentage of usual pages that are less unlike what the network was trained on, 0 to 100;
    None where the model is not calibrated, as in `embedding`."""

    embedding: NDArray[np.float32] | None = None
    """(N,) of length 1: what stands where on the page, see `pagewash.cleaning.embedding`; None
    unless asked for by `CleanOptions.embeddings`."""


class Cleaner:
    """Cleans pages with one network; safe to share between threads."""

    def __init__(
        self,
        network: Network,
        options: CleanOptions = CleanOptions(),
        card: ModelCard | None = None,
        sha256: str = "",
    ):
        """Take a network that is in memory; `from_pretrained` takes one from disk.

        Args:
            network: of an architecture in `pagewash.inference.architectures`, or a
                `pagewash.inference.network.ReadyNetwork`; a module is moved to the device and
                switched to eval mode.
            options: device, precision, colour and tiles.
            card: what the network is; without it, its text heights are the usual ones.
            sha256: hash of its weights, for the records.

        Raises:
            OptionError: an option that cannot work with this network or on this machine.
            MissingError: the device is not there.
        """
        card = card or ModelCard(type(network).__name__)
        self._options, self._card, self._sha256 = options, card, sha256
        self._origin: str | None = None
        self._session = open_session(network, card, options.device, options.precision, sha256)
        on_gpu = self._session.device.type != "cpu"
        self._network = network
        self._color = options.color
        self._on_review = options.on_review
        self._embeddings = options.embeddings
        self.steps = STEPS
        self._text_heights = card.text_heights
        self.calibration = Calibration.from_card(card.calibration) if card.calibration else None
        if options.embeddings and self.calibration is None:
            raise OptionError(
                f"--embeddings needs a calibrated model, which {card.name} is not; calibrate it: "
                "python -m pagewash.training.calibration MODEL.safetensors /usr/share/fonts"
            )

        self.model_id = card.name
        self.model_sha256 = sha256
        self.device = str(self._session.device)
        self.precision = self._session.precision.name
        self.precision_reason = self._session.precision.reason
        # tiles of a resampled page must fall on its own pixels too
        self._grid = math.lcm(network.stride, round(LARGEST))
        # a pixel more than the network sees, for the interpolation of its maps
        self.halo = round_up(self._session.network.receptive_radius + 1, self._grid)
        self.setting = Setting(sha256, self.device, self.precision, torch.get_num_threads())
        kept = kept_tile(self.setting) if sha256 and not options.tile else None
        tile = options.tile or kept or (2048 if on_gpu else TileOptions.size)
        plan_tiles((1, 1), TileOptions(tile, self.halo), self._grid)  # an error comes at once
        usual = 8 * tile**2 if on_gpu else min(tile**2, CPU_BATCH_PIXELS)
        # two batches at once would take too much memory in fp32
        alone = on_gpu or self.precision == "fp32"
        self._parallel = ParallelBatches(1 if alone else torch.get_num_threads())
        self._memory = MemoryBudget(
            self.device, tile, options.batch * tile**2 if options.batch else usual
        )

    @property
    def batches_at_once(self) -> int:
        """Batches of tiles that run side by side; they share torch's threads."""
        return self._parallel.count

    @property
    def tile(self) -> int:
        """Longest side of a tile, halo included; it shrinks where memory is short."""
        return self._memory.tile

    @classmethod
    def from_pretrained(
        cls, model: str | Path = "fast", options: CleanOptions = CleanOptions()
    ) -> "Cleaner":
        """Load a shipped model by its name, or a checkpoint by its path.

        Raises:
            MissingError: there is no such model or device.
            InputError: the checkpoint is damaged.
            OptionError: an option that cannot work.
        """
        checkpoint = load_checkpoint(model)
        cleaner = cls(checkpoint.network, options, checkpoint.card, checkpoint.sha256)
        cleaner._origin = absolute_model(str(model))
        return cleaner

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel to another process as a name: the network is loaded again there.

        One that was never on disk travels whole.
        """
        if self._origin is not None:
            return _load_again, (self._origin, self._options, self._sha256)
        return Cleaner, (self._network, self._options, self._card, self._sha256)

    def clean(self, pixels: NDArray[Any], dpi: Resolution = None) -> NDArray[Any]:
        """Clean one page.

        Args:
            pixels: (H, W) or (H, W, 3) RGB uint8, or (H, W) bool where True is paper.
            dpi: its resolution, as a number or as Pillow's pair; without it, the size of its text
                is measured.

        Returns:
            An array of the same shape and dtype; with `color="gray"`, (H, W); with
            `color="bilevel"`, (H, W) of 0 and 255 alone, where pages with pictures become dots.

        Raises:
            OptionError: another shape or dtype, no array, or no resolution.
            PagewashError: the device has too little memory for the smallest of tiles.
        """
        cleaned = next(self.clean_pages([page_of(pixels, dpi)])).page.pixels
        if self._color == "bilevel":
            cleaned = one_bit(cleaned)
        return cleaned > 127 if pixels.dtype == np.bool_ else cleaned

    def plan(self, page: Page) -> TilePlan:
        """Say how a page is cut, at the size at which the network sees it."""
        return self._start(page).plan

    def clean_pages(self, pages: Iterable[Page]) -> Iterator[CleanedPage]:
        """Clean pages one after the other, as they are asked for, and in their order.

        Small pages share batches, and on a CPU batches run side by side, so a few are read ahead:
        as many as fill three batches. An error ends the iteration, whichever page it came from.
        Under `color="bilevel"` they come in grey, too, so that they may be laid straight before
        they are cut to one bit (`pagewash.geometry.bilevel`).
        """
        states: deque[PageState] = deque()

        def tiles() -> Iterator[TileTask]:
            for page in pages:
                state = self._start(page)
                states.append(state)
                yield from (TileTask(state, tile) for tile in state.plan.tiles)

        batches = pack(tiles(), lambda: self._memory.batch_pixels)
        for tasks in self._parallel.map(self._through_network, batches):
            for task, seconds, features in tasks:
                task.done(seconds, features)
            while states and not states[0].waiting:
                yield self._finish(states.popleft())

    def _start(self, page: Page) -> PageState:
        """Do all that depends on the whole page, once: scale, view, tiles and summary."""
        network = self._session.network
        scan = inside_of_white(page.pixels)
        inner = np.ascontiguousarray(_inside(page, scan))
        grey = luminance(inner)
        scale = choose_scale(grey, page.dpi, self._text_heights)
        pixels = grey if is_grey(inner) else inner
        view = resample(pixels, scale)
        plan = plan_tiles(view.shape[:2], TileOptions(self.tile, self.halo), self._grid)
        return PageState(page, scan, pixels, view, scale, plan, context=network.look(view))

    def _through_network(
        self, batch: Sequence[TileTask]
    ) -> list[tuple[TileTask, float, Features | None]]:
        """Clean the tiles of a batch, each in its place on its page, in parts that fit the memory.

        Returns:
            The tiles, the seconds that each took, and its features.
        """
        return self._memory.run(batch, self._run)

    def _run(self, batch: Sequence[TileTask]) -> list[tuple[TileTask, float, Features | None]]:
        start = time.perf_counter()
        features = clean_tiles(batch, self._session, features=self.calibration is not None)
        seconds = (time.perf_counter() - start) / len(batch)
        return [(task, seconds, seen) for task, seen in zip(batch, features, strict=True)]

    def _finish(self, state: PageState) -> CleanedPage:
        """Do what only the whole page can tell, once its tiles are done."""
        novelty, embedding = self._judge(state)
        cleaned = after_network(state.pixels, state.cleaned, self.steps)
        # in colour, whatever was asked for: what is lost may be one
        scan = _inside(state.page, state.scan)
        guarded = guard(scan, _in_channels(cleaned, state.page), self._on_review)
        pixels, share = guarded.pixels, scan.size / state.page.pixels.size
        if state.scan is not None:
            pixels = back_in_white(pixels, state.scan, state.page.pixels.shape)
        if self._color != "keep":
            pixels = luminance(pixels)
        return CleanedPage(
            state.page.replace_pixels(pixels),
            state.page,
            state.scale,
            state.seconds,
            guarded.given_back * share,
            guarded.doubt,
            novelty,
            embedding,
        )

    def _judge(self, state: PageState) -> tuple[float | None, NDArray[np.float32] | None]:
        """Novelty and embedding of a page; None where they cannot be had, or nobody asked."""
        if self.calibration is None or not state.features:
            return None, None
        novelty = self.calibration.novelty(np.concatenate(state.features))
        if not self._embeddings:
            return novelty, None
        layout = self._session.network.layout(state.cleaned)
        return novelty, None if layout is None else page_embedding(layout, self.calibration.layout)


def _inside(page: Page, scan: Region | None) -> Pixels:
    """What of a page is cleaned: all of it, or the scan that white was set around."""
    return page.pixels if scan is None else page.pixels[scan.slices]


def _in_channels(cleaned: Pixels, page: Page) -> Pixels:
    """In as many channels as the page has: one without colour was cleaned in grey."""
    if page.channels == 3 and cleaned.ndim == 2:
        return np.repeat(cleaned[..., None], 3, axis=2)
    return cleaned


def _load_again(model: str, options: CleanOptions, sha256: str) -> Cleaner:
    """A cleaner that has arrived in another process, with the weights that it had."""
    cleaner = Cleaner.from_pretrained(model, options)
    if cleaner.model_sha256 != sha256:
        raise InputError(f"{model} has changed since it was loaded; load it in the first process")
    return cleaner
