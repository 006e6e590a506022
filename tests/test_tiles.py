"""A page cut into tiles and put together again is the page, also with a network in between."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.autoencoder import Autoencoder, AutoencoderOptions
from pipeline.errors import OptionError
from pipeline.tiles import (
    Tile,
    TileOptions,
    core_of,
    cut,
    cut_window,
    plan_tiles,
    reflect,
    split,
    stitch,
)

lengths = st.integers(1, 300)
shapes = st.tuples(lengths, lengths)


def random_page(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("shape", [(64, 64), (65, 200), (500, 333), (40, 9), (1, 1), (1, 300)])
@pytest.mark.parametrize("halo", [0, 1, 16, 31])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_a_network_that_changes_nothing_returns_the_same_page(shape, halo, channels):
    page = random_page(shape + channels)
    plan = plan_tiles(shape, TileOptions(size=64, halo=halo))
    assert np.array_equal(stitch(cut(page, plan), plan), page)


@given(shapes, st.integers(0, 40), st.integers(0, 80), st.sampled_from([1, 4, 8]))
@settings(deadline=None)
def test_cores_cover_every_pixel_once_and_start_on_the_grid(shape, halo, more, stride):
    plan = plan_tiles(shape, TileOptions(2 * halo + 3 * stride + more, halo), stride)
    covered = np.zeros(shape, int)
    for tile in plan.tiles:
        covered[tile.core] += 1
        assert tile.top % stride == tile.left % stride == 0
    assert (covered == 1).all()
    assert plan.halo >= halo
    assert plan.halo % stride == 0


@given(shapes, st.integers(0, 40), st.integers(0, 80))
def test_no_tile_is_longer_than_its_size_unless_the_page_is_one_tile_there(shape, halo, more):
    size = 2 * halo + 24 + more
    plan = plan_tiles(shape, TileOptions(size, halo), 8)
    for tile in plan.tiles:
        for side, length, window in zip(
            shape, (tile.height, tile.width), plan.window(tile), strict=True
        ):
            assert length == side if side <= size else window <= size
            assert window % 8 == 0


@given(st.integers(100, 5000), st.integers(100, 5000))
def test_a_page_is_shared_out_evenly(height, width):
    plan = plan_tiles((height, width), TileOptions(1024, 96), 16)
    assert max(tile.height for tile in plan.tiles) * len({t.top for t in plan.tiles}) < (
        height + 16 * len({t.top for t in plan.tiles})
    )


def test_a_page_no_larger_than_a_tile_is_one_tile():
    plan = plan_tiles((1000, 64), TileOptions(1000, 96), 16)
    assert plan.tiles == (Tile(0, 0, 1000, 64),)
    assert plan.window(plan.tiles[0]) == (1008 + 192, 64 + 192)


@given(st.integers(1, 20), st.integers(-100, 100), st.integers(1, 60))
def test_reflection_is_that_of_numpy(length, start, count):
    axis = np.arange(length)
    before, after = max(0, -start), max(0, start + count - length)
    padded = np.pad(axis, (before, after), mode="reflect")
    expected = padded[start + before : start + before + count]
    assert np.array_equal(axis[reflect(np.arange(start, start + count), length)], expected)


@given(shapes, st.integers(0, 30), st.integers(0, 60))
@settings(max_examples=50, deadline=None)
def test_a_window_is_a_piece_of_the_page_padded_by_reflection_once(shape, halo, more):
    page = random_page(shape)
    plan = plan_tiles(shape, TileOptions(2 * halo + 24 + more, halo), 8)
    padded = np.pad(page, plan.halo + 8, mode="reflect")
    for tile, window in zip(plan.tiles, cut(page, plan), strict=True):
        height, width = plan.window(tile)
        top, left = tile.top + 8, tile.left + 8
        assert np.array_equal(window, padded[top : top + height, left : left + width])


def test_tiles_inside_the_page_are_not_copied():
    page = random_page((100, 100))
    assert np.shares_memory(cut_window(page, Tile(20, 20, 30, 30), 10, (50, 50)), page)


@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from([1, 4, 16]))
@settings(deadline=None)
def test_a_split_tile_is_covered_by_its_halves(height, width, stride):
    tile = Tile(stride * 3, stride, height, width)
    halves = split(tile, stride)
    if halves is None:
        assert max(height, width) <= stride
        return
    covered = np.zeros((stride * 3 + height, stride + width), int)
    for half in halves:
        covered[half.core] += 1
        assert half.top % stride == half.left % stride == 0
    assert covered.sum() == height * width
    assert (covered[tile.core] == 1).all()


def test_a_tile_of_a_larger_page_stops_at_its_edge():
    assert Tile(8, 16, 10, 10).scaled(2, (35, 100)) == Tile(16, 32, 19, 20)


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


def network_with_history(options: AutoencoderOptions) -> Autoencoder:
    """A random network whose batch normalisation is anything but the identity."""
    torch.manual_seed(1)
    network = Autoencoder(options)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.5, 0.5)
            torch.nn.init.uniform_(module.running_var, 0.3, 2)
            torch.nn.init.uniform_(module.weight, 0.5, 2)
            torch.nn.init.uniform_(module.bias, -0.5, 0.5)
    return network.fold()


NETWORKS = [
    network_with_history(AutoencoderOptions(patch=2, channels=(6, 8), layers=(1, 1))),
    network_with_history(AutoencoderOptions(patch=4, channels=(6, 8), layers=(1, 2), code=5)),
    network_with_history(AutoencoderOptions(1, (4, 4, 4), (1, 1, 1), skips=False)),
]


def clean(network: Autoencoder, window: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        x = torch.from_numpy(np.ascontiguousarray(window))[None, None].float() / 255
        return (network(x)[0, 0] * 255).numpy()


@given(shapes, st.integers(0, 200), st.sampled_from(NETWORKS), st.integers(0, 9))
@settings(max_examples=40, deadline=None)
def test_a_page_cleaned_in_tiles_equals_the_page_cleaned_whole(shape, more, network, seed):
    page = random_page(shape, seed)
    halo, stride = network.receptive_radius, network.stride
    plan = plan_tiles(shape, TileOptions(2 * halo + 3 * stride + more, halo), stride)
    tiled = stitch((clean(network, window) for window in cut(page, plan)), plan)

    whole = Tile(0, 0, *shape)
    padded = cut_window(page, whole, plan.halo, plan.window(whole))
    expected = core_of(clean(network, padded), whole, plan.halo)
    worst = np.abs(tiled - expected).max()
    assert worst <= 0.01, f"{worst} grey levels apart at {len(plan.tiles)} tiles"


def test_a_halo_that_is_one_stride_too_narrow_shows():
    network, page = NETWORKS[0], random_page((200, 200))
    halo = network.receptive_radius // network.stride * network.stride
    plans = [
        plan_tiles(page.shape, TileOptions(2 * narrow + 32, narrow), network.stride)
        for narrow in (halo + network.stride, halo - network.stride)
    ]
    enough, narrow = (
        stitch((clean(network, window) for window in cut(page, plan)), plan) for plan in plans
    )
    assert np.abs(enough - narrow).max() > 0.01
