"""Where tiles sit on a page, how they are cut from it, and how they become a page again.

Integers and arrays only: no files, no network. Tiles show no seams because of three things that
are decided here: they lie on the network's grid, each brings a halo that is dropped afterwards,
and where a halo leaves the page, the page is reflected, never the tile.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import OptionError

Array = NDArray[Any]


@dataclass(frozen=True)
class TileOptions:
    """How a page is cut. Lengths are in pixels.

    Large tiles waste less on their halo, small ones stay in the processor's cache. With a halo of
    160 px and the speeds of one network (float32, two cores, 1536 interpolated), in Mpx/s:

        size   network alone   kept of a tile   large page   A4 at 300 dpi
        1024             6.9             0.47          3.3             3.0
        1536             5.9             0.63          3.7             3.4
        2048             4.8             0.71          3.4             3.4

    Strips as wide as a page have a halo on two sides only, but are lower: one of an A4 page with
    the pixels of 1536 squared keeps 0.55. So tiles are about square, and a page is shared out
    evenly among as few as will do.
    """

    size: int = 1536
    """Longest side of a tile, halo included. A page that is no longer than this is not cut along
    that side, and its halo comes on top."""

    halo: int = 160
    """Context on every side of a tile, dropped after inference; at least the network's
    receptive field radius, or tiles would show."""

    def __post_init__(self) -> None:
        if not 0 <= 2 * self.halo < self.size:
            raise OptionError(
                f"a halo of {self.halo} px leaves nothing of a tile of {self.size} px; "
                f"choose tiles of more than {2 * self.halo} px"
            )


@dataclass(frozen=True)
class Tile:
    """The part of a page that one tile is responsible for, its core. The halo comes around it."""

    top: int
    left: int
    height: int
    width: int

    @property
    def core(self) -> tuple[slice, slice]:
        """Where the core lies on the page."""
        return (
            slice(self.top, self.top + self.height),
            slice(self.left, self.left + self.width),
        )

    def scaled(self, factor: float, shape: tuple[int, int]) -> "Tile":
        """The same part of the page at another size.

        Args:
            factor: a power of two; one below 1 must divide the core's edges.
            shape: height and width of the page at that size; it may end within the last tiles.
        """
        top, left = int(self.top * factor), int(self.left * factor)
        height, width = int(self.height * factor), int(self.width * factor)
        return Tile(top, left, min(height, shape[0] - top), min(width, shape[1] - left))


@dataclass(frozen=True)
class TilePlan:
    """All tiles of one page; their cores cover it and do not overlap."""

    shape: tuple[int, int]
    """Height and width of the page."""

    halo: int
    """Context on every side of a core, a multiple of the stride."""

    stride: int
    """Every core starts at a multiple of it, and so does every window."""

    tiles: tuple[Tile, ...]
    """Row by row."""

    def window(self, tile: Tile) -> tuple[int, int]:
        """Height and width of a tile with its halo, rounded up to the stride."""
        margin = 2 * self.halo
        return (
            round_up(tile.height, self.stride) + margin,
            round_up(tile.width, self.stride) + margin,
        )


def plan_tiles(shape: tuple[int, int], options: TileOptions, stride: int = 1) -> TilePlan:
    """Share a page out among tiles of about equal size.

    Args:
        shape: height and width of the page.
        options: tile size and halo; the halo is rounded up to the stride.
        stride: the network's total stride.

    Raises:
        OptionError: a tile of this size has no room for one stride between its halos.
    """
    halo = round_up(options.halo, stride)
    longest = (options.size - 2 * halo) // stride * stride
    if longest < 1:
        raise OptionError(
            f"a tile of {options.size} px has no room for {stride} px between two halos of "
            f"{halo} px; choose tiles of at least {2 * halo + stride} px"
        )
    rows, columns = (_plan_axis(length, options.size, longest, stride) for length in shape)
    tiles = tuple(Tile(top, left, height, width) for top, height in rows for left, width in columns)
    return TilePlan(shape, halo, stride, tiles)


def _plan_axis(length: int, whole: int, longest: int, stride: int) -> list[tuple[int, int]]:
    """Return start and length of every core along one axis, all of one length but the last."""
    if length <= whole:
        return [(0, length)]
    count = -(-length // longest)
    core = round_up(-(-length // count), stride)
    return [(start, min(core, length - start)) for start in range(0, length, core)]


def split(tile: Tile, stride: int) -> tuple[Tile, Tile] | None:
    """Halve a tile's core across its longer side, on the grid; None if it is one stride long."""
    half = round_up(max(tile.height, tile.width) // 2, stride)
    if half >= max(tile.height, tile.width):
        return None
    top, left, height, width = tile.top, tile.left, tile.height, tile.width
    if height >= width:
        return Tile(top, left, half, width), Tile(top + half, left, height - half, width)
    return Tile(top, left, height, half), Tile(top, left + half, height, width - half)


def cut_window(page: Array, tile: Tile, halo: int, window: tuple[int, int]) -> Array:
    """Cut a tile with its halo; what lies outside the page is the page's reflection.

    Args:
        page: (H, W) or (H, W, C).
        tile: its core lies on the page.
        halo: context above and to the left of the core.
        window: height and width to cut, from the halo's first pixel on.

    Returns:
        (height, width) or (height, width, C); a view of the page where it lies inside.
    """
    rows = _within(tile.top - halo, window[0], page.shape[0])
    columns = _within(tile.left - halo, window[1], page.shape[1])
    return page[rows][:, columns]


def cut(page: Array, plan: TilePlan) -> Iterator[Array]:
    """Cut a page's tiles, one at a time, each with its halo."""
    for tile in plan.tiles:
        yield cut_window(page, tile, plan.halo, plan.window(tile))


def stitch(tiles: Iterable[Array], plan: TilePlan) -> Array:
    """Put tiles, in the plan's order and with their halos, together again.

    Returns:
        The page, with the dtype and channels of the tiles.
    """
    page: Array | None = None
    for tile, window in zip(plan.tiles, tiles, strict=True):
        if page is None:
            page = np.empty((*plan.shape, *window.shape[2:]), window.dtype)
        page[tile.core] = core_of(window, tile, plan.halo)
    if page is None:
        raise ValueError("a plan without tiles has no page")
    return page


def core_of(window: Array, tile: Tile, halo: int) -> Array:
    """Drop the halo of a tile, and what its window holds beyond its core."""
    return window[halo : halo + tile.height, halo : halo + tile.width]


def reflect(positions: NDArray[np.intp], length: int) -> NDArray[np.intp]:
    """Turn positions along an axis into positions on the page, mirrored at both of its ends.

    Mirrors as often as it takes, as `numpy.pad(mode="reflect")` does; the outermost pixels are not
    repeated, and a page of one pixel repeats that.
    """
    period = max(2 * (length - 1), 1)
    folded = np.abs(positions) % period
    return np.minimum(folded, period - folded) if length > 1 else np.zeros_like(positions)


def round_up(length: int, step: int) -> int:
    """The smallest multiple of `step` that is no less than `length`."""
    return -(-length // step) * step


def _within(start: int, count: int, length: int) -> slice | NDArray[np.intp]:
    """Rows `start` to `start + count` of an axis: a slice, or the reflected rows if it leaves."""
    if start >= 0 and start + count <= length:
        return slice(start, start + count)
    return reflect(np.arange(start, start + count), length)
