"""Pages through a network: exact, in order, lazily, and within the memory that is there."""

import logging
import threading
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lines import set_line
from networks import FakeNetwork, WhiteningNetwork, small_network

from pagewash.cleaning.cleaner import CleanedPage, Cleaner, CleanOptions
from pagewash.errors import MissingError, OptionError, PagewashError
from pagewash.grey import luminance
from pagewash.inference import session as inference
from pagewash.inference.checkpoint import ModelCard, save_checkpoint
from pagewash.inference.parallel import COUNT
from pagewash.pages import Page


def scan(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Grey strokes on toned paper."""
    rng = np.random.default_rng(seed)
    page = np.full((height, width), 190, np.uint8)
    for _ in range(height * width // 900):
        start = rng.integers(0, (width, height))
        end = start + rng.integers(-12, 13, 2)
        cv2.line(page, start.tolist(), end.tolist(), 60, 3, cv2.LINE_AA)
    return page


NETWORK = small_network()
# what the network answers, whatever it loses
CPU = {"device": "cpu", "precision": "fp32", "on_review": "cleaned"}


def cleaner(network: object, **options: object) -> Cleaner:
    return Cleaner(network, CleanOptions(**{**CPU, **options}))


@given(st.integers(1, 330), st.integers(209, 330), st.integers(0, 15), st.integers(1, 4))
@settings(max_examples=20)
def test_tile_size_and_batch_do_not_show(height, width, more, batch):
    page = np.random.default_rng(0).integers(0, 256, (height, width), dtype=np.uint8)
    whole = cleaner(NETWORK, tile=4000).clean(page)
    tiled = cleaner(NETWORK, tile=208 + more, batch=batch).clean(page)
    assert np.abs(whole.astype(int) - tiled).max() <= 1


@pytest.mark.parametrize("dpi", [75, 300, 600, 1200])
def test_bands_in_which_a_tile_is_computed_do_not_show(monkeypatch, dpi):
    page = scan(230, 170)
    cleaned = []
    for band in (8, 10**6):
        monkeypatch.setattr(inference, "BAND_PIXELS", band)
        cleaned.append(Cleaner(FakeNetwork()).clean(page, dpi=dpi))
    assert np.array_equal(*cleaned)


@pytest.mark.parametrize("scale", [0.25, 0.5, 2.0, 4.0])
def test_tiles_do_not_show_on_resampled_pages(monkeypatch, scale):
    monkeypatch.setattr("pagewash.cleaning.cleaner.choose_scale", lambda *page: scale)
    page = scan(round(407 / scale), round(403 / scale))
    in_tiles = cleaner(NETWORK, tile=256)
    assert len(in_tiles.plan(Page(page)).tiles) >= 9
    whole = cleaner(NETWORK, tile=4000).clean(page)
    assert np.abs(whole.astype(int) - in_tiles.clean(page)).max() <= 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (37, 2), (90, 120), (64, 80, 3)])
@pytest.mark.parametrize("dpi", [None, 75, 300, 600])
def test_a_page_keeps_its_shape_and_dtype(shape, dpi):
    page = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    cleaned = cleaner(NETWORK).clean(page, dpi)
    assert (cleaned.shape, cleaned.dtype) == (shape, np.uint8)


def test_a_bilevel_page_stays_bilevel():
    page = scan(80, 60) > 120
    cleaned = cleaner(FakeNetwork()).clean(page)
    assert cleaned.dtype == bool
    assert np.array_equal(cleaned, page)


@pytest.mark.parametrize("shape", [(1, 1), (300, 200), (300, 200, 3)])
def test_one_bit_asked_for_is_one_bit_got(shape):
    page = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    cleaned = cleaner(FakeNetwork(), color="bilevel").clean(page)
    assert (cleaned.shape, cleaned.dtype) == (shape[:2], np.uint8)
    assert set(np.unique(cleaned)) <= {0, 255}


def test_a_page_with_a_picture_becomes_dots_in_one_bit():
    page = np.full((400, 400), 250, np.uint8)
    page[100:300, 100:300] = np.linspace(30, 160, 200, dtype=np.uint8)
    cleaned = cleaner(FakeNetwork(), color="bilevel").clean(page)
    dark, light = cleaned[120:280, 110:150].mean(), cleaned[120:280, 250:290].mean()
    assert set(np.unique(cleaned)) == {0, 255}
    assert 20 < dark < light - 50


def test_the_callers_array_is_left_alone():
    page = scan(80, 60)
    before = page.copy()
    cleaner(FakeNetwork(), tile=72).clean(page)
    assert np.array_equal(page, before)


def test_an_array_that_is_a_view_of_another_can_be_cleaned():
    page = scan(160, 120)
    turned = page[::-2, ::2].T
    expected = cleaner(FakeNetwork()).clean(np.ascontiguousarray(turned))
    assert np.array_equal(cleaner(FakeNetwork()).clean(turned), expected)


@pytest.mark.parametrize(
    "page",
    [
        np.zeros((4, 4), np.float32),
        np.zeros((4, 4), np.uint16),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4), np.uint8),
        np.zeros(4, np.uint8),
        np.zeros((4, 4, 3), bool),
    ],
)
def test_an_array_that_is_no_page_is_refused_with_what_it_is(page):
    with pytest.raises(OptionError, match="a page is"):
        cleaner(FakeNetwork()).clean(page)


def test_paper_turns_white_and_ink_keeps_its_contrast():
    page = scan(120, 100)
    cleaned = cleaner(FakeNetwork()).clean(page)
    assert np.median(cleaned) == 255
    assert cleaned.min() == pytest.approx(60 / 190 * 255, abs=1)


# Scales


def edge_width(page: np.ndarray) -> float:
    """Pixels over which a vertical edge in the middle row rises from 10 % to 90 %."""
    row = page[page.shape[0] // 2].astype(float)
    rise = (row - row.min()) / (row.max() - row.min())
    positions = np.interp([0.1, 0.9], rise, np.arange(len(rise)))
    return positions[1] - positions[0]


@pytest.mark.parametrize("dpi", [600, 1200])
def test_strokes_stay_sharp_on_pages_that_the_network_sees_reduced(dpi):
    page = np.full((2 * dpi, dpi), 180, np.uint8)
    page[:, : dpi // 2] = 40
    page = cv2.GaussianBlur(page, (0, 0), 1)
    cleaned = cleaner(FakeNetwork()).clean(page, dpi)
    assert cleaned.max() == 255
    middle = slice(dpi // 2 - 12, dpi // 2 + 12)
    assert edge_width(cleaned[:, middle]) <= 1.05 * edge_width(page[:, middle])


def test_a_page_at_600_dpi_costs_the_network_what_one_at_300_dpi_does():
    pixels = []
    for dpi in (300, 600):
        network = FakeNetwork()
        cleaner(network, tile=256).clean(np.full((4 * dpi, 3 * dpi), 200, np.uint8), dpi)
        pixels.append(network.pixels)
    assert pixels[1] == pixels[0]


@pytest.mark.parametrize(("dpi", "scale"), [(75, 2), (150, 2), (300, 1), (600, 0.5)])
def test_a_cleaned_page_says_at_what_scale_the_network_saw_it(dpi, scale):
    page = Page(np.full((2 * dpi, dpi), 190, np.uint8), (dpi, dpi))
    (cleaned,) = cleaner(FakeNetwork()).clean_pages([page])
    assert cleaned.scale == scale
    assert np.median(cleaned.page.pixels) == 255


def test_a_network_for_larger_text_sees_pages_larger():
    page = Page(np.full((600, 400), 200, np.uint8), (200, 200))
    card = ModelCard("large print", text_heights=(20.0, 80.0))
    (cleaned,) = Cleaner(FakeNetwork(), CleanOptions(**CPU), card).clean_pages([page])
    assert cleaned.scale == 2


# Many pages


def pages(shapes: list[tuple[int, int]], seen: list[int] | None = None) -> Iterator[Page]:
    for index, shape in enumerate(shapes):
        if seen is not None:
            seen.append(index)
        yield Page(scan(*shape, seed=index), (300, 300), index=index)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_pages_come_back_in_order_and_as_if_each_were_alone(precision):
    shapes = [(40, 60), (300, 200), (41, 61), (40, 60), (130, 30), (40, 60)]
    options = {"tile": 256, "precision": precision}
    together = list(cleaner(NETWORK, batch=3, **options).clean_pages(pages(shapes)))
    assert [cleaned.page.index for cleaned in together] == list(range(len(shapes)))
    alone = cleaner(NETWORK, **options)
    for cleaned, page in zip(together, pages(shapes), strict=True):
        difference = cleaned.page.pixels.astype(int) - alone.clean(page.pixels, 300)
        assert np.abs(difference).max() <= 1


def batches(shapes: list[tuple[int, int]], **options: object) -> list[int]:
    """How many tiles ran together, batch after batch."""
    network = FakeNetwork()
    list(cleaner(network, **options).clean_pages(pages(shapes)))
    return [shape[0] for shape in network.shapes]


def test_small_pages_share_a_batch_if_they_are_the_same_on_the_networks_grid():
    assert batches([(97 + index, 104 - index) for index in range(8)], tile=512) == [8]


def test_pages_of_two_sizes_in_turn_share_batches_with_their_own_kind():
    assert batches([(100, 60), (60, 100)] * 5, tile=512) == [5, 5]


def test_pages_of_different_sizes_are_not_padded_to_one_batch():
    assert batches([(30, 30), (400, 400)], tile=512) == [1, 1]


def test_a_large_page_is_not_waited_for_by_a_small_one_for_ever():
    shapes = [(60, 60), *[(400, 400)] * 20, (60, 60)]
    cleaned = cleaner(FakeNetwork(), tile=256).clean_pages(pages(shapes, seen := []))
    next(cleaned)
    assert seen == [0, 1]


@pytest.mark.parametrize(("precision", "batches"), [("fp32", 1), ("bf16", COUNT + 2)])
def test_what_waits_for_its_batch_is_bounded_by_the_pixels_of_those_under_way(precision, batches):
    shapes = [(40 + 8 * index, 200) for index in range(40)]  # each of another size
    network = cleaner(FakeNetwork(), tile=512, precision=precision)
    cleaned = network.clean_pages(pages(shapes, seen := []))
    for _ in cleaned:
        waiting = [(40 + 8 * index) * 200 for index in seen[1:-1]]
        seen.pop(0)
        assert sum(waiting) <= batches * 512**2


def test_pages_are_read_as_they_are_needed():
    seen: list[int] = []
    cleaned = cleaner(FakeNetwork(), tile=128).clean_pages(pages([(200, 200)] * 50, seen))
    next(cleaned)
    assert len(seen) <= 2


@pytest.mark.parametrize(("precision", "at_once"), [("fp32", 1), ("bf16", COUNT)])
def test_batches_run_side_by_side_but_in_fp32_which_takes_too_much_memory(
    precision, at_once, monkeypatch
):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    assert cleaner(FakeNetwork(), precision=precision).batches_at_once == at_once


def test_no_pages_give_no_pages():
    assert list(cleaner(FakeNetwork()).clean_pages([])) == []


def test_everything_but_the_pixels_of_a_page_stays():
    page = Page(scan(50, 40), (240, 260), mode="1", index=7, part=2)
    (cleaned,) = cleaner(FakeNetwork()).clean_pages([page])
    assert cleaned.before is page
    assert (cleaned.page.dpi, cleaned.page.mode) == ((240, 260), "1")
    assert (cleaned.page.index, cleaned.page.part) == (7, 2)
    assert cleaned.seconds > 0


def test_an_error_of_the_source_of_pages_reaches_the_caller():
    def broken() -> Iterator[Page]:
        yield from pages([(40, 40)])
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        list(cleaner(FakeNetwork()).clean_pages(broken()))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_threads_can_share_a_cleaner(precision):
    shared = cleaner(NETWORK, tile=256, precision=precision)
    scans = [scan(150 + index, 140, seed=index) for index in range(4)]
    expected = [shared.clean(page) for page in scans]
    results: list[list[np.ndarray]] = [[] for _ in scans]

    def work(index: int) -> None:
        results[index].extend(shared.clean(scans[index]) for _ in range(5))

    threads = [threading.Thread(target=work, args=(index,)) for index in range(len(scans))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for cleaned, page in zip(results, expected, strict=True):
        assert len(cleaned) == 5
        assert all(np.array_equal(one, page) for one in cleaned)


# Colour


def test_a_colour_page_can_be_turned_grey():
    page = np.dstack([scan(60, 50)] * 3)
    assert cleaner(FakeNetwork(), color="gray").clean(page).shape == (60, 50)


def test_a_band_in_colour_that_goes_comes_back_in_grey_too():
    page = np.full((400, 300, 3), 255, np.uint8)
    page[:24] = (150, 0, 0)
    lossy = {"on_review": "safe", "tile": 4000}
    kept = cleaner(WhiteningNetwork(), **lossy).clean(page)
    grey = cleaner(WhiteningNetwork(), color="gray", **lossy).clean(page)
    assert np.array_equal(grey, luminance(kept))
    assert (grey[:24] < 80).mean() > 0.9


def test_a_colour_page_stays_in_colour():
    page = np.full((120, 100, 3), (230, 210, 160), np.uint8)
    page[40:60, 20:80] = (60, 70, 150)
    cleaned = cleaner(FakeNetwork()).clean(page)
    assert (cleaned[:20, :20] >= 250).all()
    red, green, blue = cleaned[50, 50].astype(int)
    assert blue > max(red, green) + 30


# Memory


def clean_with_memory_for(pixels: int, page: np.ndarray, **options: object) -> np.ndarray:
    return cleaner(FakeNetwork(pixels), **options).clean(page)


@pytest.mark.parametrize("room", [3 * 128 * 128, 128 * 128, 100 * 100, 73 * 72])
def test_a_page_is_cleaned_in_smaller_parts_where_memory_is_short(room):
    page = scan(250, 230)
    expected = cleaner(FakeNetwork()).clean(page)
    cleaned = clean_with_memory_for(room, page, tile=128, batch=4)
    assert np.array_equal(cleaned, expected)


def test_the_batch_is_halved_before_the_tile():
    network = FakeNetwork(most_pixels=2 * 128 * 128)
    limited = cleaner(network, tile=128, batch=4)
    limited.clean(scan(416, 416))
    assert limited.tile == 128
    assert {shape[0] for shape in network.shapes} == {2}


def test_what_did_not_fit_is_not_tried_again(caplog):
    network = FakeNetwork(most_pixels=150 * 150)
    limited = cleaner(network, tile=256)
    with caplog.at_level(logging.WARNING, "pagewash.inference.memory"):
        limited.clean(scan(416, 416))
        refused = network.refused
        limited.clean(scan(416, 416))
    assert limited.tile == 120
    assert network.refused == refused > 0
    assert caplog.messages == [
        "cpu has too little memory for 1 x 240 x 240 px at once; going on with less"
    ]


def test_tiles_do_not_shrink_below_their_halos():
    network = FakeNetwork(most_pixels=20_000)
    network.receptive_radius = 100
    limited = cleaner(network, tile=512)
    limited.clean(scan(364, 72))  # a strip that is far from square
    assert limited.tile == 2 * limited.halo + network.stride == 216


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to"),
        RuntimeError("could not create a primitive"),
        cv2.error("OpenCV(5.0) alloc.cpp:73: error: (-4:Insufficient memory) Failed to allocate"),
    ],
    ids=["numpy", "torch", "oneDNN", "OpenCV"],
)
def test_a_processor_that_is_short_of_memory_is_one_too(error):
    class Short(FakeNetwork):
        def predict_affine(self, tiles, *, features=False):
            try:
                return super().predict_affine(tiles, features=features)
            except torch.OutOfMemoryError:
                raise error from None

    page = scan(250, 230)
    expected = cleaner(FakeNetwork()).clean(page)
    assert np.array_equal(cleaner(Short(128 * 128), tile=128, batch=4).clean(page), expected)


def test_another_error_of_a_network_is_not_taken_for_a_lack_of_memory():
    class Broken(FakeNetwork):
        def predict_affine(self, tiles, *, features=False):
            raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="do not match"):
        cleaner(Broken()).clean(scan(60, 60))


def test_a_device_without_memory_for_any_tile_is_reported_with_the_way_out():
    with pytest.raises(PagewashError, match=r"no memory left .* end what else is using it$"):
        clean_with_memory_for(10, scan(300, 300), tile=128)


# Options


def test_a_cleaner_says_what_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # no tile that a bench has kept
    network = small_network()
    save_checkpoint(tmp_path / "mine.safetensors", network, ModelCard("mine"))
    loaded = Cleaner.from_pretrained(tmp_path / "mine.safetensors", CleanOptions(**CPU))
    assert (loaded.model_id, loaded.device, loaded.precision) == ("mine", "cpu", "fp32")
    assert loaded.precision_reason == "fp32 was asked for"
    assert len(loaded.model_sha256) == 64
    assert loaded.tile == 2560
    assert network.receptive_radius < loaded.halo <= network.receptive_radius + network.stride


def test_an_unknown_model_is_reported():
    with pytest.raises(MissingError, match="no model 'nonesuch'"):
        Cleaner.from_pretrained("nonesuch")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tile": 40}, "leaves nothing of a tile"),
        ({"tile": 70}, "choose tiles of at least"),
        ({"batch": 0}, "choose 1 or more"),
        ({"color": "sepia"}, "choose keep, gray or bilevel"),
        ({"device": "tpu"}, "choose auto, cpu"),
        ({"precision": "fp16"}, "--precision auto"),
    ],
)
def test_an_option_that_cannot_work_is_refused_at_once(options, message):
    with pytest.raises(OptionError, match=message):
        cleaner(FakeNetwork(), **options)


def test_bf16_changes_next_to_nothing():
    page = scan(64, 64)
    exact, rounded = (
        cleaner(NETWORK, precision=precision).clean(page) for precision in ("fp32", "bf16")
    )
    error = np.square(exact.astype(float) - rounded).mean()
    assert error < 255**2 / 10**4.5, f"{10 * np.log10(255**2 / error):.1f} dB"


def test_a_cleaned_page_can_be_made_by_others():
    page = Page(scan(9, 9))
    assert CleanedPage(page, page, scale=1, seconds=0).novelty is None


def test_what_a_network_loses_comes_back_and_is_counted():
    page = np.full((300, 400), 230, np.uint8)
    for y in range(50, 280, 40):
        set_line(page, "some letters in a row", (20, y), 24, 20, bold=0.5)

    def cleaned(network, **options):
        cleaner = Cleaner(network, CleanOptions(device="cpu", precision="fp32", **options))
        return next(cleaner.clean_pages([Page(page, (150, 150))]))

    safe, asked = cleaned(WhiteningNetwork()), cleaned(WhiteningNetwork(), on_review="cleaned")
    assert asked.page.pixels.min() == 255
    assert "strokes are gone" in asked.doubt
    assert safe.page.pixels.min() < 60
    assert safe.given_back > 0.05
    original = cleaned(WhiteningNetwork(), on_review="original")
    assert np.array_equal(original.page.pixels, page)
    assert not np.shares_memory(original.page.pixels, page)
    assert "the scan stands" in original.doubt
