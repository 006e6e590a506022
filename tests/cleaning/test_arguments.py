"""What callers hand over as a page: what is taken, and what is said of all else."""

import multiprocessing
import pickle

import numpy as np
import pytest
import torch
from networks import small_network
from PIL import Image
from scans import scan

from pagewash.cleaning.arguments import page_of
from pagewash.cleaning.cleaner import Cleaner, CleanOptions
from pagewash.errors import InputError, OptionError

OPTIONS = CleanOptions(device="cpu", precision="fp32")


@pytest.fixture
def tiny(tiny_model) -> Cleaner:
    return Cleaner.from_pretrained(tiny_model, OPTIONS)


def test_a_resolution_is_a_number_or_the_pair_that_pillow_gives(tmp_path):
    Image.fromarray(scan()).save(tmp_path / "a.png", dpi=(300, 200))
    with Image.open(tmp_path / "a.png") as image:
        dpi = page_of(np.asarray(image), image.info["dpi"]).dpi
    assert dpi == pytest.approx((300, 200), abs=0.01)
    assert page_of(scan(), 300).dpi == (300.0, 300.0)
    assert page_of(scan(), np.float32(300)).dpi == (300.0, 300.0)
    assert page_of(scan()).dpi is None


@pytest.mark.parametrize("dpi", [0, (0, 0), (300, 0), -300, float("nan"), "fine", (1, 2, 3), ()])
def test_what_is_no_resolution_is_refused_by_its_name(dpi):
    with pytest.raises(OptionError, match="is no resolution; give pixels per inch"):
        page_of(scan(), dpi)


@pytest.mark.parametrize(
    ("thing", "said"),
    [
        (Image.new("RGB", (9, 9)), r"not a PIL image; convert it by numpy.asarray\(image.convert"),
        ([scan()], "not a list; clean its pages one by one"),
        (None, "not a NoneType; convert it by numpy.asarray"),
        (torch.zeros(9, 9, dtype=torch.uint8), "not a torch.Tensor; convert it by numpy.asarray"),
    ],
)
def test_what_is_no_array_is_named_with_the_way_to_make_one(tiny, thing, said):
    with pytest.raises(OptionError, match=said):
        tiny.clean(thing)


def _clean(cleaner: Cleaner, pixels: np.ndarray) -> np.ndarray:
    torch.set_num_threads(1)
    return cleaner.clean(pixels, 300)


def test_a_cleaner_goes_to_a_new_process_and_cleans_there_alike(tiny):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        there = pool.apply(_clean, (tiny, scan()))
    assert np.array_equal(there, tiny.clean(scan(), 300))


def test_a_cleaner_travels_as_the_name_of_its_weights(tiny):
    assert len(pickle.dumps(tiny)) < 2000


def test_a_network_that_was_never_on_disk_travels_whole():
    torch.manual_seed(0)
    network = small_network()
    cleaner = Cleaner(network, OPTIONS)
    again = pickle.loads(pickle.dumps(cleaner))
    assert np.array_equal(again.clean(scan()), cleaner.clean(scan()))


def test_weights_that_changed_on_the_way_are_not_taken_for_the_same(tiny, tiny_model, tmp_path):
    for path in tiny_model.parent.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    moved = Cleaner.from_pretrained(tmp_path / tiny_model.name, OPTIONS)
    parcel = pickle.dumps(moved)
    weights = tmp_path / tiny_model.name
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(InputError):
        pickle.loads(parcel)
