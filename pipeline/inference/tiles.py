"""Where tiles lie on a page, and what each is responsible for.

Integers and arrays only: no files, no network. Tiles show no seams because of what is decided
here. They lie on the network's grid, and each brings a halo that is dropped afterwards. Tiles end
where the page ends, filled up to the grid by reflection, so that the network pads them there with
its own zeros as it would the whole page, and as it did the crops that it learned from.
"""

from dataclasses import dataclass, field
from itertools import product

from pagewash.errors import OptionError
from pagewash.inference.regions import Region


@dataclass(frozen=True)
class TileOptions:
    """How a page is cut. Lengths are in pixels.

    The halo is what tiling costs. Pixels through the network for each pixel of the page, with a
    halo of 192 px and a stride of 32 px; a page of 600 dpi is seen at half its size:

        size    540x420   A4, 300 dpi   A4, 600 dpi
        1024       1.07          2.18          0.55
        1536       1.07          1.43          0.36
        2560       1.07          1.12          0.28
        3584       1.07          1.01          0.25

    A CPU runs tiles of all these sizes at about the same speed per pixel, as long as the memory of
    one is there for the next (`heap`): on 8-bit integers, with a network of nearly the same cost,
    A4 took twice the processor time in tiles of 1024 px that it took in tiles of 2560, of which two
    as wide as the page do. In one piece it took as much, and 150 MiB more.
    """

    size: int = 2560
    """Longest side of a tile, halo included."""

    halo: int = 192
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
    """One tile of a page."""

    core: Region
    """What it is responsible for."""

    window: Region
    """What the network sees of it: the core, and around it a halo or all of the page."""


@dataclass(frozen=True)
class TilePlan:
    """All tiles of one page; their cores cover it and do not overlap."""

    shape: tuple[int, int]
    """Height and width of the page."""

    halo: int
    """Context around a core, a multiple of the stride."""

    stride: int
    """Every core starts at a multiple of it, and every window starts and ends at one."""

    tiles: tuple[Tile, ...] = field(repr=False)
    """Row by row, with windows of one size."""

    @property
    def pixels(self) -> int:
        """Pixels that go through the network."""
        return sum(tile.window.pixels for tile in self.tiles)

    def halves(self, tile: Tile) -> tuple[Tile, Tile] | None:
        """Halve a tile across the longer side of its core; None if that is one stride long.

        Near the ends of a page, the window of a half may still be that of the tile.
        """
        rows, columns = tile.core.rows, tile.core.columns
        if max(tile.core.shape) <= self.stride:
            return None
        if len(rows) >= len(columns):
            one, other = (Region(half, columns) for half in _halves(rows, self.stride))
        else:
            one, other = (Region(rows, half) for half in _halves(columns, self.stride))
        return Tile(one, self._window(one)), Tile(other, self._window(other))

    def _window(self, core: Region) -> Region:
        return Region(
            self._with_halo(core.rows, self.shape[0]), self._with_halo(core.columns, self.shape[1])
        )

    def _with_halo(self, core: range, length: int) -> range:
        return range(
            max(core.start - self.halo, 0),
            min(round_up(core.stop, self.stride) + self.halo, round_up(length, self.stride)),
        )


def plan_tiles(shape: tuple[int, int], options: TileOptions, stride: int = 1) -> TilePlan:
    """Share a page out among tiles of one size, as few as will do.

    Args:
        shape: height and width of the page.
        options: tile size and halo, which is rounded up to the stride.
        stride: the network's total stride.

    Raises:
        OptionError: a tile of this size has no room for one stride between its halos.
    """
    halo = round_up(options.halo, stride)
    longest = options.size // stride * stride
    if longest < 2 * halo + stride:
        raise OptionError(
            f"a tile of {options.size} px has no room for {stride} px between two halos of "
            f"{halo} px; choose tiles of at least {2 * halo + stride} px"
        )
    rows, columns = (_plan_axis(length, longest, halo, stride) for length in shape)
    tiles = tuple(
        Tile(Region(core_rows, core_columns), Region(window_rows, window_columns))
        for (core_rows, window_rows), (core_columns, window_columns) in product(rows, columns)
    )
    return TilePlan(shape, halo, stride, tiles)


def _plan_axis(length: int, longest: int, halo: int, stride: int) -> list[tuple[range, range]]:
    """Return core and window of every tile along one axis."""
    whole = round_up(length, stride)
    if whole <= longest:
        return [(range(length), range(whole))]
    shared = whole - 2 * halo  # all but the outermost halos, which lie inside the page
    count = -(-shared // (longest - 2 * halo))
    step = round_up(-(-shared // count), stride)
    window = step + 2 * halo
    spans = []
    for start in range(0, shared, step):
        first = min(start, whole - window)  # the last one ends with the page
        core_start = start + halo if start else 0
        core_stop = start + step + halo if start + step < shared else length
        spans.append((range(core_start, core_stop), range(first, first + window)))
    return spans


def round_up(length: int, step: int) -> int:
    """The smallest multiple of `step` that is no less than `length`."""
    return -(-length // step) * step


def _halves(span: range, stride: int) -> tuple[range, range]:
    """Cut a span that is longer than a stride on the grid, near its middle."""
    middle = span.start + round_up(len(span) // 2, stride)
    return range(span.start, middle), range(middle, span.stop)
