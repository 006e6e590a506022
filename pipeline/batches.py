"""Tiles of one or many pages, packed into batches.

Small pages share a batch and large ones take several, so pages are under way together and are
finished in their order. Geometry and bookkeeping only: no network and no device.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from pipeline.pages import Page, Pixels
from pipeline.tiles import Tile, TilePlan, core_of, cut_window

LEAST_FILLED = 0.8
"""Windows of a batch grow to the largest among them; this share of them must not be growth."""


@dataclass(eq=False)
class Job:
    """A page while its tiles are under way."""

    page: Page

    grey: Pixels
    """(H, W): the page's luminance."""

    view: Pixels
    """(h, w): what the network sees, `grey` at `scale`."""

    scale: float
    """A power of two."""

    plan: TilePlan
    """Of the view."""

    cleaned: Pixels = field(init=False)
    """(H, W), filled in tile by tile."""

    waiting: int = field(init=False)
    """Tiles that are not filled in yet."""

    seconds: float = 0.0
    """Spent in the network."""

    def __post_init__(self) -> None:
        self.cleaned = np.empty_like(self.grey)
        self.waiting = len(self.plan.tiles)


@dataclass(frozen=True, eq=False)
class Piece:
    """One tile of a page."""

    job: Job
    tile: Tile

    @property
    def window(self) -> tuple[int, int]:
        """Height and width of the tile on the view, halo included."""
        return self.job.plan.window(self.tile)

    def cut_view(self, window: tuple[int, int]) -> Pixels:
        """What the network sees of it, in a window of at least its own size."""
        return cut_window(self.job.view, self.tile, self.job.plan.halo, window)

    def cut_page(self, window: tuple[int, int]) -> Pixels:
        """The page's own pixels in the same window of the view."""
        height, width = (int(length / self.job.scale) for length in window)
        return cut_window(self.job.grey, self._on_page, self._halo_on_page, (height, width))

    def fill_in(self, cleaned: Pixels) -> None:
        """Put a cleaned window of the page in its place, less its halo."""
        core = core_of(cleaned, self._on_page, self._halo_on_page)
        self.job.cleaned[self._on_page.core] = core
        self.job.waiting -= 1

    @property
    def _on_page(self) -> Tile:
        height, width = self.job.grey.shape
        return self.tile.scaled(1 / self.job.scale, (height, width))

    @property
    def _halo_on_page(self) -> int:
        return int(self.job.plan.halo / self.job.scale)


def largest_window(batch: Sequence[Piece]) -> tuple[int, int]:
    """Height and width that hold every window of a batch."""
    heights, widths = zip(*(piece.window for piece in batch), strict=True)
    return max(heights), max(widths)


def batch_pixels(batch: Sequence[Piece]) -> int:
    """Pixels that a batch puts through the network."""
    return math.prod(largest_window(batch)) * len(batch)


def pack(pieces: Iterable[Piece], room: Callable[[], int]) -> Iterator[list[Piece]]:
    """Group pieces, as they come, into batches of at most `room()` pixels, but of one at least.

    Lazy: no further piece is asked for once a batch is full; the room may change on the way.
    """
    batch: list[Piece] = []
    for piece in pieces:
        if batch and not _fits(piece, batch, room()):
            yield batch
            batch = []
        batch.append(piece)
        if batch_pixels(batch) // len(batch) * (len(batch) + 1) > room():
            yield batch
            batch = []
    if batch:
        yield batch


def _fits(piece: Piece, batch: Sequence[Piece], room: int) -> bool:
    together = [*batch, piece]
    pixels = batch_pixels(together)
    filled = sum(math.prod(other.window) for other in together)
    same_scale = piece.job.scale == batch[0].job.scale
    return same_scale and pixels <= room and filled >= LEAST_FILLED * pixels
