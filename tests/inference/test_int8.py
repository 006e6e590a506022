"""Networks on 8-bit integers: exact convolutions of rounded numbers, pages that hardly differ."""

import copy
import logging
from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scans import scan
from torch import nn
from torch.nn import functional as F

from pagewash.cleaning.cleaner import Cleaner, CleanOptions
from pagewash.errors import InputError
from pagewash.inference import int8
from pagewash.inference.checkpoint import (
    ModelCard,
    load_checkpoint,
    ranges_for_card,
    read_ranges,
    save_checkpoint,
)
from pagewash.inference.features import FeatureRecorder
from pagewash.inference.int8 import (
    Int8Autoencoder,
    Int8Convolution,
    Quantisation,
    can_run_int8,
    kernels_work,
    measure_ranges,
)
from pagewash.models.autoencoder import Autoencoder, AutoencoderOptions, combine

SMALL = AutoencoderOptions(patch=2, channels=(16, 24, 32), layers=(1, 2, 1))


@cache
def network(options: AutoencoderOptions = SMALL) -> Autoencoder:
    """A network that was never trained, but has met pages."""
    torch.manual_seed(3)
    born = Autoencoder(options)
    with torch.no_grad():
        for _ in range(3):
            born(pages())
    return born.fold()


@cache
def pages(count: int = 4) -> torch.Tensor:
    grey = np.random.default_rng(0).normal(170, 50, (count, 64, 96)).clip(0, 255).astype(np.uint8)
    return torch.from_numpy(grey)[:, None].float() / 255


pytestmark = pytest.mark.skipif(
    not can_run_int8(network(), measure_ranges(network(), pages())),
    reason="this torch has no integer convolutions for this machine",
)


def numbers(values: torch.Tensor, scale: Quantisation) -> torch.Tensor:
    """What bytes stand for."""
    return (values.float() - scale.zero) * scale.step * scale.unit.view(-1, 1, 1)


def to_bytes(values: torch.Tensor, scale: Quantisation) -> torch.Tensor:
    rounded = (values / scale.unit.view(-1, 1, 1) / scale.step).round() + scale.zero
    return rounded.clamp(0, 255).to(torch.uint8).contiguous(memory_format=torch.channels_last)


@given(
    count=st.integers(1, 3), side=st.integers(1, 8), height=st.integers(1, 5),
    width=st.integers(1, 5), dtype=st.sampled_from([torch.uint8, torch.float32]),
)  # fmt: skip
@settings(deadline=None)
def test_blocks_and_channels_are_laid_out_as_torch_lays_them_out(count, side, height, width, dtype):
    page = torch.randint(0, 256, (2, count, side * height, side * width)).to(dtype)
    channels = F.pixel_unshuffle(page, side).contiguous(memory_format=torch.channels_last)

    assert torch.equal(torch.cat(int8._maps(channels, side), 1), page)

    # here they go place by place, there channel by channel
    places = channels.unflatten(1, (count, -1)).transpose(1, 2).flatten(1, 2)
    nearby = page.contiguous(memory_format=torch.channels_last)
    assert torch.equal(int8._blocks_to_channels(nearby, side), places)
    assert torch.equal(int8._channels_to_blocks(places, side), page)


@given(
    inputs=st.integers(1, 20), outputs=st.integers(1, 20), side=st.integers(2, 9),
    kernel=st.sampled_from([1, 3]), relu=st.booleans(), low=st.sampled_from([0.0, -0.7, -3.0]),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_a_convolution_is_that_of_its_rounded_numbers(inputs, outputs, side, kernel, relu, low):
    torch.manual_seed(inputs * outputs + side)
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
    source = Quantisation.covering(torch.tensor([[low] * inputs, [1.0] * inputs, [0.3] * inputs]))
    x = torch.randint(0, 256, (2, inputs, side, side), dtype=torch.uint8)
    x = x.contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        largest = conv.weight.abs().amax((1, 2, 3), keepdim=True)
        conv.weight.copy_((conv.weight / largest * 63).round() / 63 * largest)
        expected = conv(numbers(x, source))
    expected = expected.relu() if relu else expected
    assert torch.allclose(Int8Convolution(conv, source, None, relu)(x), expected, atol=1e-4)


def test_rounded_weights_do_not_shift_the_mean_of_what_comes_out():
    torch.manual_seed(4)
    conv = nn.Conv2d(32, 8, 1)
    x = torch.randint(0, 256, (1, 32, 20, 20), dtype=torch.uint8)
    x = x.contiguous(memory_format=torch.channels_last)
    unknown = Quantisation.covering(torch.tensor([[0.0], [2.0], [0.0]]).repeat(1, 32))
    known = replace(unknown, mean=numbers(x, unknown).mean((0, 2, 3)))
    with torch.no_grad():
        exact = conv(numbers(x, known))
    off, still_off = (
        (Int8Convolution(conv, source, None, relu=False)(x) - exact).mean((0, 2, 3)).abs()
        for source in (known, unknown)
    )
    assert off.max() < 1e-4 < 0.1 * still_off.max()


def test_bytes_that_go_out_stand_for_the_same_numbers_as_floats_would():
    torch.manual_seed(1)
    conv = nn.Conv2d(8, 12, 3, padding=1)
    source = Quantisation.covering(torch.rand(3, 8) * torch.tensor([[0.0], [3.0], [1.0]]))
    x = torch.randint(0, 256, (1, 8, 10, 10), dtype=torch.uint8)
    x = x.contiguous(memory_format=torch.channels_last)
    exact = Int8Convolution(conv, source, None, relu=False)(x)
    span = torch.stack([exact.amin((0, 2, 3)), exact.amax((0, 2, 3)), exact.mean((0, 2, 3))])
    result = Quantisation.covering(span)
    found = numbers(Int8Convolution(conv, source, result, relu=False)(x), result)
    # half a step of each channel, and a little for the weights, which are rounded anew
    step = (result.step * result.unit).view(-1, 1, 1)
    assert ((found - exact).abs() < 2.5 * step).all()


def test_another_activation_can_be_added_to_a_convolution():
    torch.manual_seed(2)
    conv = nn.Conv2d(4, 6, 1)
    source, other = (
        Quantisation.covering(torch.tensor([[0.0], [2.0], [1.0]]).repeat(1, n)) for n in (4, 6)
    )
    result = Quantisation.covering(torch.tensor([[-4.0], [6.0], [1.0]]).repeat(1, 6), other.unit)
    x, y = (
        torch.randint(0, 256, (1, n, 7, 7), dtype=torch.uint8).contiguous(
            memory_format=torch.channels_last
        )
        for n in (4, 6)
    )
    expected = Int8Convolution(conv, source, None, relu=False)(x) + numbers(y, other)
    convolution = Int8Convolution(conv, source, result, relu=False)
    found = numbers(convolution.onto(x, y, other), result)
    assert (found - expected).abs().max() < 1.5 * result.step * result.unit.max()


@pytest.mark.parametrize(
    "options",
    [
        SMALL,
        replace(SMALL, skips=False),
        replace(SMALL, code=8),
        replace(SMALL, sharpening=False),
        AutoencoderOptions(patch=4, channels=(16,), layers=(2,)),
    ],
)
def test_a_network_on_integers_says_what_it_says_on_floats(options):
    assert_alike_on_integers(network(options))


def assert_alike_on_integers(floats: Autoencoder) -> None:
    integers = Int8Autoencoder(floats, measure_ranges(floats, pages()))
    with torch.inference_mode():
        x = pages(6)[4:]
        for exact, rounded in zip(
            floats.predict_affine(x), integers.predict_affine(x), strict=True
        ):
            assert exact.shape == rounded.shape
            error = (exact - rounded).square().mean() / exact.var()
            assert 10 * error.log10() < -20


@pytest.mark.parametrize("band", [1, 3, 7])
def test_bands_of_the_head_do_not_show(band, monkeypatch):
    rounded = Int8Autoencoder(network(), measure_ranges(network(), pages()))
    with torch.inference_mode():
        whole = rounded.predict_affine(pages(2))
        monkeypatch.setattr(int8, "BAND_PIXELS", band * pages().shape[-1] * SMALL.patch)
        banded = rounded.predict_affine(pages(2))
    assert all(torch.equal(one, other) for one, other in zip(whole, banded, strict=True))


def test_the_end_says_what_the_network_would_have_made_of_its_head(monkeypatch):
    rounded = Int8Autoencoder(network(), measure_ranges(network(), pages()))
    page = pages(2)
    with torch.inference_mode():
        code, levels = rounded.encode_levels(page)
        said, head = [], rounded._head
        monkeypatch.setattr(rounded, "_head", lambda x: said.append(head(x)) or said[-1])
        gain, offset = rounded.decode(code, levels, page)
        maps = F.pixel_shuffle(torch.cat(said), SMALL.patch).split(1, dim=1)
        own_gain, own_offset = combine(maps, page)
    assert torch.allclose(gain, own_gain, atol=1e-5)
    assert torch.allclose(offset, own_offset + int8.WHITER, atol=1e-5)


def test_a_channel_that_a_level_hardly_uses_does_not_make_its_sum_coarse():
    floats = copy.deepcopy(network())
    with torch.no_grad():
        floats.encoder[0][-1].conv.bias[0] = -100
    assert_alike_on_integers(floats)


def test_what_is_watched_of_a_network_is_the_same_on_integers():
    floats = network()
    integers = Int8Autoencoder(floats, measure_ranges(floats, pages()))
    exact, rounded = FeatureRecorder(floats), FeatureRecorder(integers)
    with torch.inference_mode():
        for recorder in (exact, rounded):
            recorder.predict_affine(pages())
    assert exact.features() == pytest.approx(rounded.features(), rel=0.1, abs=0.05)


def test_the_network_that_was_rounded_stays_as_it_is():
    floats = network()
    before = {name: value.clone() for name, value in floats.state_dict().items()}
    Int8Autoencoder(floats, measure_ranges(floats, pages()))
    assert all(torch.equal(before[name], value) for name, value in floats.state_dict().items())


def test_ranges_are_the_same_whether_normalisations_are_folded_or_not():
    torch.manual_seed(3)
    born = Autoencoder(SMALL)
    with torch.no_grad():
        born(pages())
    plain = measure_ranges(born.eval(), pages())
    folded = measure_ranges(born.fold(), pages())
    assert plain.keys() == folded.keys()
    assert all(torch.allclose(plain[name], folded[name], atol=1e-4) for name in plain)


def test_an_activations_range_leaves_out_what_is_far_and_rare():
    born = network()
    calm = measure_ranges(born, pages())
    with torch.no_grad():
        speck = torch.ones(1, 1, 64, 96)
        speck[..., 30, 30] = -1e4
        shaken = measure_ranges(born, torch.cat([pages(), speck]))
    assert float(shaken["stem"].max()) < 3 * float(calm["stem"].max())


@pytest.fixture
def checkpoint(tmp_path):
    """A checkpoint that says by which ranges it can run on integers."""
    torch.manual_seed(3)
    born = Autoencoder(SMALL)
    with torch.no_grad():
        for _ in range(3):
            born(pages())
    ranges = ranges_for_card(measure_ranges(born.eval(), pages()))
    save_checkpoint(tmp_path / "it.safetensors", born, ModelCard("it", activation_ranges=ranges))
    return tmp_path / "it.safetensors"


def cleaned(path, page, **options):
    return Cleaner.from_pretrained(path, CleanOptions(device="cpu", **options)).clean(page)


def test_a_cleaner_runs_on_integers_if_the_card_has_the_ranges(checkpoint):
    page = scan(shape=(150, 220))
    exact = cleaned(checkpoint, page, precision="fp32").astype(float)
    rounded = cleaned(checkpoint, page, precision="int8")
    assert 0 < np.abs(exact - rounded).mean() < 2


@given(st.integers(1, 150), st.integers(1, 150))
@settings(max_examples=6, deadline=None)
def test_tiles_do_not_show_on_integers(height, width):
    card = ModelCard("it", activation_ranges=ranges_for_card(measure_ranges(network(), pages())))
    page = np.random.default_rng(0).integers(0, 256, (height, width), dtype=np.uint8)
    whole, tiled = (
        Cleaner(network(), CleanOptions("cpu", "int8", tile=tile), card).clean(page)
        for tile in (4000, 168)
    )
    assert np.array_equal(whole, tiled)


def test_a_network_of_another_activation_or_without_ranges_cannot_run_on_integers():
    ranges = measure_ranges(network(), pages())
    assert can_run_int8(network(), ranges)
    assert not can_run_int8(network(replace(SMALL, activation="silu")), ranges)
    assert not can_run_int8(network(), {})
    assert not can_run_int8(network(), {name: span[:2] for name, span in ranges.items()})
    assert not can_run_int8(network(replace(SMALL, layers=(2, 2, 1))), ranges)
    assert not can_run_int8(object(), ranges)
    exact = network(replace(SMALL, finish_channels=4))
    assert not can_run_int8(exact, measure_ranges(exact, pages()))


@pytest.mark.parametrize(
    ("kernel", "said"),
    [
        (None, "no attribute 'qconv2d_pointwise'"),
        (lambda *arguments: arguments[0], "they give"),
    ],
    ids=["missing", "changed"],
)
def test_kernels_that_torch_took_away_or_changed_leave_bf16_or_fp32_with_a_word(
    monkeypatch, caplog, kernel, said
):
    monkeypatch.setattr(logging.getLogger("pagewash"), "propagate", True)
    ranges = measure_ranges(network(), pages())
    kernels = SimpleNamespace(qconv_prepack=torch.ops.onednn.qconv_prepack)
    if kernel is not None:
        kernels.qconv2d_pointwise = kernel
        kernel.binary = kernel
    monkeypatch.setattr(torch.ops, "onednn", kernels)
    kernels_work.cache_clear()
    try:
        assert not can_run_int8(network(), ranges)
    finally:
        kernels_work.cache_clear()
    assert said in caplog.text
    assert "bf16 or fp32 is used" in caplog.text


def test_ranges_survive_a_card(checkpoint):
    loaded = load_checkpoint(checkpoint)
    measured = measure_ranges(loaded.network, pages())
    found = read_ranges(loaded.card)
    assert found.keys() == measured.keys()
    assert all(torch.allclose(found[name], measured[name], atol=1e-4) for name in found)


def test_damaged_ranges_are_reported_with_the_way_out():
    with pytest.raises(InputError, match="Copy it again"):
        read_ranges(ModelCard("it", activation_ranges={"stem": "nonsense!"}))
