"""A page cut into tiles and put together again is the page, also with a network in between."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import SMALL, small_network

from pagewash.errors import OptionError
from pagewash.inference.regions import Array, Region, cut_window
from pagewash.inference.tiles import TileOptions, TilePlan, plan_tiles, round_up
from pagewash.models.page_autoencoder import (
    BLOCK,
    PageAutoencoder,
    PageAutoencoderOptions,
    combine,
)

lengths = st.integers(1, 300)
shapes = st.tuples(lengths, lengths)


def random_page(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def cut(page: Array, plan: TilePlan) -> Iterator[Array]:
    """Cut a page's tiles, one at a time, each with its halo."""
    for tile in plan.tiles:
        yield cut_window(page, tile.window)


def stitch(tiles: Iterable[Array], plan: TilePlan) -> Array:
    """Put tiles, in the plan's order and with their halos, together again.

    Returns:
        The page, with the dtype and channels of the tiles.
    """
    page: Array | None = None
    for tile, pixels in zip(plan.tiles, tiles, strict=True):
        if page is None:
            page = np.empty((*plan.shape, *pixels.shape[2:]), pixels.dtype)
        page[tile.core.slices] = pixels[tile.core.within(tile.window).slices]
    if page is None:
        raise ValueError("a plan without tiles has no page")
    return page


@pytest.mark.parametrize("shape", [(64, 64), (65, 200), (500, 333), (40, 9), (1, 1), (1, 300)])
@pytest.mark.parametrize("halo", [0, 1, 16, 31])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_a_network_that_changes_nothing_returns_the_same_page(shape, halo, channels):
    page = random_page(shape + channels)
    plan = plan_tiles(shape, TileOptions(size=64, halo=halo))
    assert np.array_equal(stitch(cut(page, plan), plan), page)


def any_plan(shape: tuple[int, int], halo: int, more: int, stride: int) -> TilePlan:
    """A plan with tiles that are `more` pixels longer than they must be, or of 200 tiles at most.

    Hypothesis describes every tile of a plan that it tries, and refuses to where that grows long.
    """
    halo_on_grid = -(-halo // stride) * stride
    core = max(stride + more, max(shape) // 6)
    return plan_tiles(shape, TileOptions(2 * halo_on_grid + core, halo), stride)


plans = st.builds(
    any_plan, shapes, st.integers(0, 40), st.integers(0, 80), st.sampled_from([1, 4, 8])
)


@given(plans)
def test_cores_cover_every_pixel_once_and_start_on_the_grid(plan):
    covered = np.zeros(plan.shape, int)
    for tile in plan.tiles:
        covered[tile.core.slices] += 1
        assert tile.core.rows.start % plan.stride == tile.core.columns.start % plan.stride == 0
    assert (covered == 1).all()


@given(plans)
def test_all_windows_of_a_page_have_one_size_on_the_grid(plan):
    (shape,) = {tile.window.shape for tile in plan.tiles}
    assert shape[0] % plan.stride == shape[1] % plan.stride == 0


@given(shapes, st.integers(0, 40), st.integers(0, 80))
def test_no_tile_is_longer_than_its_size(shape, halo, more):
    size = 2 * halo + 24 + more
    for tile in plan_tiles(shape, TileOptions(size, halo), 8).tiles:
        assert max(tile.window.shape) <= size


@given(plans)
def test_a_core_has_its_halo_or_the_end_of_the_page(plan):
    for tile in plan.tiles:
        for core, window, length in zip(
            (tile.core.rows, tile.core.columns),
            (tile.window.rows, tile.window.columns),
            plan.shape,
            strict=True,
        ):
            end = -(-length // plan.stride) * plan.stride
            assert window.start == 0 or core.start - window.start >= plan.halo
            assert window.stop == end or window.stop - core.stop >= plan.halo
            assert 0 <= window.start < window.stop <= end


@given(st.integers(100, 5000), st.integers(100, 5000))
def test_a_page_is_shared_out_evenly(height, width):
    plan = plan_tiles((height, width), TileOptions(1024, 96), 16)
    for length, spans in (
        (height, {tile.window.rows for tile in plan.tiles}),
        (width, {tile.window.columns for tile in plan.tiles}),
    ):
        together = length + 2 * plan.halo * (len(spans) - 1)
        assert sum(map(len, spans)) < together + 16 * (len(spans) + 1)


def test_a_page_no_larger_than_a_tile_is_one_tile():
    plan = plan_tiles((1000, 60), TileOptions(1000, 96), 8)
    (tile,) = plan.tiles
    assert tile.core == Region(range(1000), range(60))
    assert tile.window == Region(range(1000), range(64))
    assert len(plan_tiles((1001, 60), TileOptions(1000, 96), 8).tiles) == 2


@pytest.mark.parametrize("size", [1024, 1536, 2560, 3584])
@pytest.mark.parametrize(
    ("column", "name", "seen", "scale"),
    [
        (1, "540x420", (420, 540), 1),
        (2, "A4, 300 dpi", (3508, 2480), 1),
        (3, "A4, 600 dpi", (3508, 2480), 0.5),
    ],
)
def test_a_pixel_of_a_page_costs_the_network_what_the_options_say(column, name, seen, scale, size):
    told = TileOptions.__doc__
    assert name in told
    assert f"halo of {TileOptions().halo} px and a stride of 32 px" in " ".join(told.split())
    (row,) = (line.split() for line in told.splitlines() if line.split()[:1] == [str(size)])
    plan = plan_tiles(seen, TileOptions(size), stride=32)
    pixels = plan.pixels / (seen[0] * seen[1]) * scale**2
    assert float(row[column]) == pytest.approx(pixels, abs=0.006)


def test_the_options_of_the_default_network_are_those_of_the_arithmetic():
    network = PageAutoencoder()
    assert network.stride == 32
    assert TileOptions().halo == round_up(network.receptive_radius + 1, 32)


@given(shapes, st.integers(0, 30), st.integers(0, 60))
@settings(max_examples=50)
def test_a_window_is_a_piece_of_the_page_padded_by_reflection_once(shape, halo, more):
    page = random_page(shape)
    plan = any_plan(shape, halo, more, stride=8)
    padded = padded_page(page, plan)
    for tile, pixels in zip(plan.tiles, cut(page, plan), strict=True):
        top, left = tile.window.rows.start, tile.window.columns.start
        height, width = tile.window.shape
        assert np.array_equal(pixels, padded[top : top + height, left : left + width])


def padded_page(page: np.ndarray, plan: TilePlan) -> np.ndarray:
    """The page up to the next stride, as NumPy pads it."""
    return np.pad(page, [(0, -length % plan.stride) for length in page.shape], mode="reflect")


@given(plans)
def test_a_tile_is_covered_by_its_halves(plan):
    tile = plan.tiles[-1]
    halves = plan.halves(tile)
    if halves is None:
        assert max(tile.core.shape) <= plan.stride
        return
    covered = np.zeros(plan.shape, int)
    for half in halves:
        covered[half.core.slices] += 1
        assert half.core.rows.start % plan.stride == half.core.columns.start % plan.stride == 0
        assert half.core.pixels > 0
        assert half.window.pixels <= tile.window.pixels
    assert covered.sum() == tile.core.pixels
    assert (covered[tile.core.slices] == 1).all()


@pytest.mark.parametrize(("size", "halo"), [(64, 32), (64, -1), (0, 0)])
def test_a_halo_that_leaves_nothing_of_a_tile_is_refused(size, halo):
    with pytest.raises(OptionError, match="leaves nothing of a tile"):
        TileOptions(size, halo)


def test_a_tile_without_room_for_a_stride_is_refused_with_the_size_that_works():
    with pytest.raises(OptionError, match="at least 80 px"):
        plan_tiles((500, 500), TileOptions(70, 30), 16)


def test_tiles_that_are_missing_are_noticed():
    plan = plan_tiles((100, 100), TileOptions(64, 8))
    with pytest.raises(ValueError, match="shorter"):
        stitch(list(cut(random_page((100, 100)), plan))[:-1], plan)


# The law that all of this is for.


def network_with_history(options: PageAutoencoderOptions) -> PageAutoencoder:
    """A small network whose batch normalisation is anything but the identity."""
    network = small_network(options)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.5, 0.5)
            torch.nn.init.uniform_(module.running_var, 0.3, 2)
            torch.nn.init.uniform_(module.weight, 0.5, 2)
            torch.nn.init.uniform_(module.bias, -0.5, 0.5)
    return network.fold()


NETWORKS = [
    network_with_history(SMALL),
    network_with_history(replace(SMALL, patch=8, channels=(6, 8), layers=(1, 2), embedding=5)),
    network_with_history(replace(SMALL, patch=2, channels=(4, 4, 4, 4), layers=(1, 1, 1, 1))),
]


class Sheet:
    """A page that is cleaned tile by tile: the network's context knows all of it."""

    def __init__(self, network: PageAutoencoder, page: Array, plan: TilePlan):
        self.network, self.page, self.plan = network, page, plan
        rows, columns = (round_up(length, plan.stride) // BLOCK for length in plan.shape)
        torch.manual_seed(rows * columns)
        self.features = torch.randn(1, SMALL.features, rows, columns)

    def cleaned(self) -> Array:
        """In the plan's tiles."""
        pieces = zip(self.plan.tiles, cut(self.page, self.plan), strict=True)
        return stitch((self._clean(piece, tile.window) for tile, piece in pieces), self.plan)

    def cleaned_whole(self) -> Array:
        """At once."""
        padded = padded_page(self.page, self.plan)
        whole = self._clean(padded, Region(*map(range, padded.shape)))
        return whole[: self.plan.shape[0], : self.plan.shape[1]]

    def _clean(self, piece: Array, window: Region) -> Array:
        x = torch.from_numpy(np.ascontiguousarray(piece))[None, None].float() / 255
        told = self.features[..., *window.in_strides(BLOCK).slices]
        with torch.inference_mode():
            gain, offset = combine(self.network.tiles(x.expand(-1, 3, -1, -1), told).split(1, 1), x)
        return (255 * (gain * x + offset))[0, 0].numpy()


@given(shapes, st.integers(0, 200), st.sampled_from(NETWORKS), st.integers(0, 9))
@settings(max_examples=40)
def test_a_page_cleaned_in_tiles_equals_the_page_cleaned_whole(shape, more, network, seed):
    plan = any_plan(shape, network.receptive_radius, more, network.stride)
    sheet = Sheet(network, random_page(shape, seed), plan)
    worst = np.abs(sheet.cleaned() - sheet.cleaned_whole()).max()
    assert worst <= 0.01, f"{worst} grey levels apart at {len(plan.tiles)} tiles"


@given(shapes, st.integers(0, 100), st.sampled_from(NETWORKS))
@settings(max_examples=20)
def test_a_page_cleaned_in_halves_of_tiles_equals_the_page_cleaned_in_tiles(shape, more, network):
    page = random_page(shape)
    plan = any_plan(shape, network.receptive_radius, more, network.stride)
    halves = [half for tile in plan.tiles for half in plan.halves(tile) or (tile,)]
    one, other = (
        Sheet(network, page, each).cleaned() for each in (plan, replace(plan, tiles=tuple(halves)))
    )
    assert np.abs(one - other).max() <= 0.01


def test_a_halo_that_is_one_stride_too_narrow_shows():
    network, page = NETWORKS[0], random_page((200, 200))
    stride = network.stride
    halo = network.receptive_radius // stride * stride
    enough, narrow = (
        Sheet(network, page, plan_tiles(page.shape, TileOptions(size, width), stride)).cleaned()
        for size, width in ((2 * halo + 3 * stride, halo + stride), (2 * halo, halo - stride))
    )
    assert np.abs(enough - narrow).max() > 0.01
