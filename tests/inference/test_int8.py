"""Convolutions on 8-bit integers: exact ones of rounded numbers, where torch still has them."""

import logging
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import needs_integers
from torch import nn
from torch.nn import functional as F

from pagewash.errors import InputError
from pagewash.inference.checkpoint import ModelCard, ranges_for_card, read_ranges
from pagewash.inference.int8 import (
    Int8Convolution,
    Quantisation,
    blocks_to_channels,
    channels_to_blocks,
    kernels_work,
    range_of,
    separate_maps,
)

pytestmark = needs_integers


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
def test_blocks_and_channels_are_laid_out_as_torch_lays_them_out(count, side, height, width, dtype):
    page = torch.randint(0, 256, (2, count, side * height, side * width)).to(dtype)
    channels = F.pixel_unshuffle(page, side).contiguous(memory_format=torch.channels_last)

    assert torch.equal(torch.cat(separate_maps(channels, side), 1), page)

    # here they go place by place, there channel by channel
    places = channels.unflatten(1, (count, -1)).transpose(1, 2).flatten(1, 2)
    nearby = page.contiguous(memory_format=torch.channels_last)
    assert torch.equal(blocks_to_channels(nearby, side), places)
    assert torch.equal(channels_to_blocks(places, side), page)


@given(
    inputs=st.integers(1, 20), outputs=st.integers(1, 20), side=st.integers(2, 9),
    kernel=st.sampled_from([1, 3]), relu=st.booleans(), low=st.sampled_from([0.0, -0.7, -3.0]),
)  # fmt: skip
@settings(max_examples=40)
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
    kernels = SimpleNamespace(qconv_prepack=torch.ops.onednn.qconv_prepack)
    if kernel is not None:
        kernels.qconv2d_pointwise = kernel
        kernel.binary = kernel
    monkeypatch.setattr(torch.ops, "onednn", kernels)
    kernels_work.cache_clear()
    try:
        assert not kernels_work()
    finally:
        kernels_work.cache_clear()
    assert said in caplog.text
    assert "bf16 or fp32 is used" in caplog.text


def test_a_range_leaves_out_what_is_far_and_rare():
    torch.manual_seed(0)
    values = torch.rand(2, 20_000) + 1
    values[0, 7], values[1, 9] = 1e4, -1e4
    low, high, mean = range_of(values)
    assert ((low >= 1) & (high <= 2)).all()
    assert torch.allclose(mean, torch.full((2,), 1.5), atol=0.05)


def test_a_range_covers_what_one_page_in_a_thousand_has():
    values = torch.rand(1, 20_000)
    values[0, ::1000] = 5.0  # as of solid black
    _, high, _ = range_of(values)
    assert float(high) == 5


def test_ranges_survive_a_card():
    ranges = {"stem": torch.rand(3, 5), "context": torch.rand(3, 2)}
    found = read_ranges(ModelCard("it", activation_ranges=ranges_for_card(ranges)))
    assert found.keys() == ranges.keys()
    assert all(torch.equal(found[name], ranges[name]) for name in ranges)


def test_damaged_ranges_are_reported_with_the_way_out():
    with pytest.raises(InputError, match="Copy it again"):
        read_ranges(ModelCard("it", activation_ranges={"stem": "nonsense!"}))
