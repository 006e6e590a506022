"""The page autoencoder at work: tiles equal the page, integers equal floats, colour stays."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from networks import needs_integers, small_network

from pagewash.cleaning.cleaner import Cleaner, CleanOptions
from pagewash.inference import page_network
from pagewash.inference.checkpoint import (
    ModelCard,
    load_checkpoint,
    ranges_for_card,
    save_checkpoint,
)
from pagewash.inference.int8_tiles import RangeMeasure, recording
from pagewash.inference.network import TileView
from pagewash.inference.page_network import PageNetwork
from pagewash.inference.regions import Region
from pagewash.models.page_autoencoder import BLOCK, PageAutoencoder, PageAutoencoderOptions
from pagewash.pages import Page
from pagewash.training.calibration import calibrate

OPTIONS = PageAutoencoderOptions(
    channels=(16, 16, 16, 16), layers=(1, 1, 1, 1), context_channels=(8, 8), features=4
)


def a_network():
    return small_network(OPTIONS)


def a_page(height=300, width=250, seed=0):
    rng = np.random.default_rng(seed)
    page = np.full((height, width, 3), (230, 210, 170), np.uint8)
    page[rng.random((height, width)) < 0.1] = (60, 40, 90)
    return page


def ranges_of(network, pages):
    measure = RangeMeasure()
    runner = PageNetwork(network, torch.device("cpu"), torch.float32, {})
    with recording(network.tiles, measure.see):
        for page in pages:
            window = Region(range(page.shape[0]), range(page.shape[1]))
            runner.predict_affine([TileView(page, window, context=runner.look(page))])
    return measure.ranges()


@pytest.mark.parametrize("tile", [448, 512])
def test_a_page_cleaned_in_tiles_equals_the_page_cleaned_whole(tile):
    page = a_page(700, 620)
    whole, parts = (
        Cleaner(a_network(), CleanOptions(precision="fp32", tile=size)).clean(page)
        for size in (2048, tile)
    )
    assert np.abs(whole.astype(int) - parts).max() <= 1


def test_of_a_page_without_colour_is_said_what_is_said_of_one_whose_colours_are_all_grey():
    # at another size than the page's, gain and offset each count alone, not only together
    runner = PageNetwork(a_network(), torch.device("cpu"), torch.float32, {})
    grey = np.ascontiguousarray(a_page(16 * BLOCK, 20 * BLOCK)[..., 0])
    window, said = Region(range(16 * BLOCK), range(20 * BLOCK)), []
    for page in (grey, np.repeat(grey[..., None], 3, axis=2)):
        context = runner.look(page)
        context = replace(context, paper=np.ones_like(context.paper))
        said += runner.predict_affine([TileView(page, window, context=context)])
    in_grey, in_colour = said
    torch.testing.assert_close(in_colour.gain, in_grey.gain.expand(3, -1, -1))
    torch.testing.assert_close(in_colour.offset, in_grey.offset, atol=1e-5, rtol=1e-5)


def test_what_changes_nothing_of_a_page_without_colour_does_not_make_it_novel():
    network, page = a_network(), np.ascontiguousarray(a_page(128, 128)[..., 0])
    in_colour, told = np.repeat(page[..., None], 3, axis=2), []
    for saturation, shown in ((0.0, page), (3.0, page), (0.0, in_colour)):
        with torch.no_grad():
            network.tiles.head.bias[3 * network.options.patch**2 :] = saturation
        runner = PageNetwork(network, torch.device("cpu"), torch.float32, {})
        context = runner.look(shown)
        context = replace(context, paper=np.ones_like(context.paper))
        tile = TileView(shown, Region(range(128), range(128)), context=context)
        (maps,) = runner.predict_affine([tile], features=True)
        told.append(maps.features)
    plain, saturated, coloured = told
    assert np.ptp(plain[..., -3]) > 0.001  # the gain, which is not the same everywhere
    np.testing.assert_allclose(saturated, plain, atol=1e-4)
    np.testing.assert_allclose(coloured, plain, atol=1e-4)


def test_what_is_said_of_a_tile_is_what_is_said_of_the_page():
    network = a_network()
    runner = PageNetwork(network, torch.device("cpu"), torch.float32, {})
    page = a_page(16 * BLOCK, 20 * BLOCK) // 2
    bright = np.random.default_rng(1).random(page.shape[:2]) < 0.005  # far above the paper
    page[bright] = 255
    context = runner.look(page)
    with torch.inference_mode():
        expected = network.clean(
            torch.from_numpy(page).permute(2, 0, 1)[None] / 255,
            context.features,
            torch.from_numpy(
                context.paper_under(Region(range(16 * BLOCK), range(20 * BLOCK)))
            ).permute(2, 0, 1)[None],
        )
    window = Region(range(16 * BLOCK), range(20 * BLOCK))
    (maps,) = runner.predict_affine([TileView(page, window, context=context)])
    cleaned = maps.gain * torch.from_numpy(page).permute(2, 0, 1) / 255 + maps.offset
    rest = torch.from_numpy(~bright)  # what the gain makes of bright specks is cut off at white
    assert torch.allclose(cleaned[:, rest], expected[0][:, rest], atol=1e-4)


def test_a_grey_page_and_three_equal_channels_are_cleaned_alike():
    grey = a_page()[..., 0]
    cleaner = Cleaner(a_network(), CleanOptions(precision="fp32"))
    in_colour = cleaner.clean(np.repeat(grey[..., None], 3, 2))
    assert in_colour.shape == (*grey.shape, 3)
    assert np.array_equal(in_colour[..., 0], in_colour[..., 2])
    assert np.array_equal(cleaner.clean(grey), in_colour[..., 0])


@needs_integers
def test_integers_say_nearly_what_floats_say():
    network, page = a_network(), a_page()
    card = ModelCard(
        "page", activation_ranges=ranges_for_card(ranges_of(network, [a_page(320, 256)]))
    )
    floats, integers = (
        Cleaner(network, CleanOptions("cpu", name), card).clean(page).astype(int)
        for name in ("fp32", "int8")
    )
    assert np.abs(floats - integers).mean() < 0.1 * floats.std()


@needs_integers
def test_integers_take_one_channel_for_three_equal_ones():
    network, grey = a_network(), a_page()[..., 0]
    ranges = ranges_of(network, [a_page(320, 256), a_page(320, 256)[..., 0]])
    card = ModelCard("page", activation_ranges=ranges_for_card(ranges))
    floats, integers = (
        Cleaner(network, CleanOptions("cpu", name), card).clean(grey).astype(int)
        for name in ("fp32", "int8")
    )
    assert np.abs(floats - integers).mean() < 0.1 * floats.std()


@needs_integers
def test_integers_are_tiled_exactly_too():
    network, page = a_network(), a_page(700, 620)
    card = ModelCard(
        "page", activation_ranges=ranges_for_card(ranges_of(network, [a_page(320, 256)]))
    )
    whole, parts = (
        Cleaner(network, CleanOptions("cpu", "int8", tile=size), card).clean(page).astype(int)
        for size in (2048, 448)
    )
    assert np.abs(whole - parts).max() <= 1


@needs_integers
def test_tiles_of_several_pages_share_a_batch_on_integers():
    network, pages = a_network(), [a_page(128, 128, seed) for seed in range(3)]
    runner = PageNetwork(network, torch.device("cpu"), torch.uint8, ranges_of(network, pages))
    window = Region(range(128), range(128))
    tiles = [TileView(page, window, context=runner.look(page)) for page in pages]
    together = runner.predict_affine(tiles, features=True)
    for tile, said in zip(tiles, together, strict=True):
        (alone,) = runner.predict_affine([tile], features=True)
        assert torch.equal(said.gain, alone.gain)
        assert np.array_equal(said.features, alone.features)


@pytest.mark.parametrize("channels", [(), (3,)])
def test_bands_in_which_maps_become_gain_and_offset_do_not_show(monkeypatch, channels):
    page = a_page(160, 128) if channels else a_page(160, 128)[..., 0]
    runner = PageNetwork(a_network(), torch.device("cpu"), torch.float32, {})
    tile = TileView(page, Region(range(160), range(128)), context=runner.look(page))
    (whole,) = runner.predict_affine([tile])
    monkeypatch.setattr(page_network, "BAND_PIXELS", 5 * 128)
    (banded,) = runner.predict_affine([tile])
    assert torch.equal(whole.gain, banded.gain)
    assert torch.equal(whole.offset, banded.offset)


@needs_integers
def test_integers_make_a_page_whiter_by_what_rounding_may_darken(monkeypatch):
    network, page = a_network(), a_page(128, 128)
    runner = PageNetwork(network, torch.device("cpu"), torch.uint8, ranges_of(network, [page]))
    tile = TileView(page, Region(range(128), range(128)), context=runner.look(page))
    (usual,) = runner.predict_affine([tile])
    monkeypatch.setattr(page_network, "WHITER", 0.0)
    (plain,) = runner.predict_affine([tile])
    assert torch.equal(usual.gain, plain.gain)
    assert torch.allclose(usual.offset, plain.offset + 1 / 255)


@pytest.mark.parametrize("scale_dpi", [600, 300, 100])
def test_pages_of_all_resolutions_keep_their_shape(scale_dpi):
    page = a_page(301, 251)
    assert (
        Cleaner(a_network(), CleanOptions(precision="fp32")).clean(page, dpi=scale_dpi).shape
        == page.shape
    )


def test_a_grey_result_can_be_asked_for():
    cleaner = Cleaner(a_network(), CleanOptions(precision="fp32", color="gray"))
    assert cleaner.clean(a_page()).shape == (300, 250)


def test_a_checkpoint_names_its_architecture_and_comes_back(tmp_path):
    network = a_network()
    save_checkpoint(tmp_path / "page.safetensors", network, ModelCard("page"))
    loaded = load_checkpoint(tmp_path / "page.safetensors", fold=False)
    assert loaded.card.architecture == "page-autoencoder"
    assert loaded.card.options == OPTIONS
    assert all(
        torch.equal(value, loaded.network.state_dict()[name])
        for name, value in network.state_dict().items()
    )


def test_paper_of_two_colours_is_white_and_its_ink_neutral():
    network = PageAutoencoder(replace(OPTIONS)).eval()  # as it begins: the paper is the brightest
    page = np.zeros((256, 256, 3), np.uint8)
    page[:, :128], page[:, 128:] = (150, 190, 230), (230, 190, 140)
    page[100:110] = page[100:110] // 5  # a line of black ink on both
    context = PageNetwork(network, torch.device("cpu"), torch.float32, {}).look(page)
    paper = context.paper_under(Region(range(256), range(256)))
    relative = page / 255 / paper
    inner = np.r_[8:116, 140:248]  # away from where the colours meet
    assert np.abs(relative[20:90][:, inner] - 1).max() < 0.03
    ink = relative[100:110][:, inner]
    assert np.ptp(ink, axis=2).max() < 8 / 255


def test_novelty_and_embeddings_of_a_page_do_not_hang_on_its_tiles():
    network = a_network()
    usual = calibrate(network, [a_page(128, 96, seed)[..., 1] for seed in range(20)])
    card = ModelCard("page", text_heights=(1, 1000), calibration=usual.for_card())
    page = Page(a_page(620, 560, seed=3), (300, 300))
    whole, parts = (
        next(
            Cleaner(
                network, CleanOptions(precision="fp32", tile=tile, embeddings=True), card
            ).clean_pages([page])
        )
        for tile in (2048, 448)
    )
    assert parts.novelty == pytest.approx(whole.novelty, abs=0.01)
    assert float(parts.embedding @ whole.embedding) == pytest.approx(1, abs=1e-3)


@needs_integers
def test_integers_tell_the_features_that_floats_tell():
    network, page = a_network(), a_page(256, 256)
    window = Region(range(256), range(256))
    of_floats, of_integers = (
        runner.predict_affine([TileView(page, window, context=runner.look(page))], features=True)[0]
        for runner in (
            PageNetwork(network, torch.device("cpu"), torch.float32, {}),
            PageNetwork(network, torch.device("cpu"), torch.uint8, ranges_of(network, [page])),
        )
    )
    assert of_floats.features.shape == (256 // BLOCK, 256 // BLOCK, OPTIONS.features + 3)
    assert np.abs(of_floats.features - of_integers.features).max() < 0.05


def test_a_folded_network_cleans_as_it_did():
    network, page = a_network(), a_page()
    for part in network.tiles.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(part.weight, 0.5, 2)
            torch.nn.init.normal_(part.running_mean)
            torch.nn.init.uniform_(part.running_var, 0.5, 2)
    options = CleanOptions(precision="fp32")
    before = Cleaner(network, options).clean(page)
    after = Cleaner(network.fold(), options).clean(page)
    assert np.abs(before.astype(int) - after).max() <= 1


@needs_integers
def test_beyond_the_page_integers_are_told_nothing_as_floats_are():
    network, page = a_network(), a_page(15 * BLOCK, 13 * BLOCK)
    ranges = ranges_of(network, [a_page(320, 256)])
    runner = PageNetwork(network, torch.device("cpu"), torch.uint8, ranges)
    integers = runner._on_integers
    assert integers is not None
    nothing = integers.context(torch.zeros(1, OPTIONS.features, 2, 2))
    assert (nothing == integers.no_context).all()
    told = runner.look(page).told(Region(range(16 * BLOCK), range(14 * BLOCK)))
    assert (told[..., 15, :] == integers.no_context).all()
    assert (told[..., 13] == integers.no_context).all()
