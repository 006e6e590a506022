"""Tiles of one or many pages, packed into batches.

Tiles of one size share a batch, whichever page they are of, so pages are under way together and
are finished in their order. Geometry and bookkeeping only: no network and no device.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pagewash.inference.network import Features, TileView
from pagewash.inference.regions import Region, cut_window
from pagewash.inference.tiles import Tile, TilePlan
from pagewash.pages import Page, Pixels

Kind = tuple[float, tuple[int, int], int]
"""Scale of a page, height and width of a window, dimensions of what is seen."""


@dataclass(eq=False)
class PageState:
    """A page while its tiles are under way."""

    page: Page

    scan: Region | None
    """The part of it that is cleaned, where white was set around that; None for all of it."""

    pixels: Pixels
    """(H, W) or (H, W, 3): what is cleaned, the page itself or its luminance."""

    view: Pixels
    """(h, w) or (h, w, 3): what the network sees, `pixels` at `scale`."""

    scale: float
    """A power of two."""

    plan: TilePlan
    """Of the view."""

    context: Any = None
    """What the network said of the whole page, if it looks at that."""

    cleaned: Pixels = field(init=False)
    """Of the shape of `pixels`, filled in tile by tile."""

    features: list[NDArray[np.float32]] = field(default_factory=list, init=False)
    """(n, C) of each tile's core, for `pagewash.cleaning.novelty`; none unless it asks."""

    waiting: int = field(init=False)
    """Pixels of the view that are not cleaned yet."""

    seconds: float = 0.0
    """Spent in the network."""

    def __post_init__(self) -> None:
        # not like a view of a caller's array, which OpenCV could not fill
        self.cleaned = np.empty(self.pixels.shape, np.uint8)
        self.waiting = self.view.shape[0] * self.view.shape[1]


@dataclass(frozen=True, eq=False)
class TileTask:
    """One tile of a page."""

    state: PageState
    tile: Tile

    @property
    def kind(self) -> Kind:
        """What it has in common with the other tiles of its batch."""
        return self.state.scale, self.tile.window.shape, self.state.view.ndim

    @cached_property
    def pixels(self) -> int:
        """Pixels it needs room for: of its window on the view or on the page, what is more."""
        window = self.tile.window
        return max(window.pixels, window.scaled(1 / self.state.scale).pixels)

    @property
    def core(self) -> Region:
        """What it is responsible for, within its window of the view."""
        return self.tile.core.within(self.tile.window)

    def cut_view(self) -> TileView:
        """What the network sees of it."""
        state, window = self.state, self.tile.window
        return TileView(cut_window(state.view, window), window, state.scale, state.context)

    @property
    def page(self) -> Pixels:
        """The page's own pixels that it is responsible for."""
        return self.state.pixels[self._on_page.slices]

    @property
    def cleaned(self) -> Pixels:
        """The same pixels of the cleaned page, to be filled."""
        return self.state.cleaned[self._on_page.slices]

    def done(self, seconds: float, features: Features | None = None) -> None:
        """Note that its pixels are filled.

        Args:
            seconds: that took, in the network.
            features: of its window, a place for every stride of the view; its core's are kept.
        """
        if features is not None:
            stride = self.tile.window.shape[0] // features.shape[0]
            inner = self.core.in_strides(stride)
            self.state.features.append(features[inner.slices].reshape(-1, features.shape[2]))
        self.state.seconds += seconds
        self.state.waiting -= self.tile.core.pixels

    @property
    def _on_page(self) -> Region:
        # a page that is seen reduced may end within the last pixel of the view
        return self.tile.core.scaled(1 / self.state.scale).clipped(self.state.pixels.shape)


def batch_pixels(batch: Sequence[TileTask]) -> int:
    """Pixels that a batch needs room for."""
    return sum(task.pixels for task in batch)


def pack(tasks: Iterable[TileTask], budget: Callable[[], int]) -> Iterator[list[TileTask]]:
    """Group tiles of one kind into batches of at most `budget()` pixels, but of one at least.

    Batches of several kinds are gathered side by side, so that pages of two sizes in turn do not
    run one by one. They are given out in the order in which they were begun, full or not, and hold
    no more than the budget all together, so that no page waits long for its last tile. Lazy: no
    further tile is asked for once a batch is full; the budget may change on the way.
    """
    begun: dict[Kind, list[TileTask]] = {}
    for task in tasks:
        if batch_pixels(begun.get(task.kind, ())) + task.pixels > budget():
            yield from _up_to(task.kind, begun)  # the budget has shrunk
        begun.setdefault(task.kind, []).append(task)
        if batch_pixels(begun[task.kind]) + task.pixels > budget():
            yield from _up_to(task.kind, begun)
        while sum(map(batch_pixels, begun.values())) > budget():
            yield begun.pop(next(iter(begun)))
    yield from begun.values()


def _up_to(kind: Kind, begun: dict[Kind, list[TileTask]]) -> Iterator[list[TileTask]]:
    """Take out all batches that were begun up to that of a kind."""
    while kind in begun:
        yield begun.pop(next(iter(begun)))
