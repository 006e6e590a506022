"""What the network says of itself is measured: stride, reach, cost, and what folding changes."""

from dataclasses import replace
from itertools import product

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from pagewash.models import autoencoder
from pagewash.models.autoencoder import Autoencoder, AutoencoderOptions, combine, detail, look

# a rectifier could be at rest all over so small a network
SHAPES = [
    AutoencoderOptions(patch, channels, layers, code, skips, activation="silu")
    for patch, channels, layers, code, skips in [
        (1, (3,), (1,), 0, True),
        (2, (3, 4), (1, 1), 0, True),
        (4, (3, 4), (2, 1), 2, True),
        (2, (3, 4, 5), (1, 2, 1), 0, True),
        (1, (3, 4, 5), (1, 1, 3), 0, False),
        (4, (3, 4, 5), (1, 1, 2), 3, False),
    ]
]
SHAPES += [
    replace(SHAPES[3], sharpening=False),
    replace(SHAPES[1], finish_channels=3, finish_layers=1),
    replace(SHAPES[2], finish_channels=5, finish_layers=2),
]


def network(options: AutoencoderOptions, *, history: bool = True) -> Autoencoder:
    """A random network in eval mode; with history, its normalisation is not the identity."""
    torch.manual_seed(0)
    made = Autoencoder(options)
    for module in made.modules():
        if history and isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.3, 2)
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    return made.eval()


def positive(options: AutoencoderOptions) -> Autoencoder:
    """A network in which no path cancels another: all weights are positive."""
    made = network(options, history=False)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.abs_().add_(0.01)
        made.head.weight.mul_(1e-3)
        if made.finish:
            made.finish.head.weight.mul_(1e-3)
    return made.double()


def reach(made: Autoencoder, position: int, side: int) -> int:
    """How far from an output pixel on the diagonal input pixels still change it."""
    page = torch.full((1, 1, side, side), 0.5, dtype=torch.float64, requires_grad=True)
    gain, offset = made.predict_affine(page)
    (gain + offset)[0, 0, position, position].backward()
    rows, columns = page.grad[0, 0].abs().nonzero(as_tuple=True)
    return max(int(line.sub(position).abs().max()) for line in (rows, columns))


@pytest.mark.parametrize("options", SHAPES, ids=str)
def test_the_receptive_radius_is_what_perturbation_measures(options):
    made = positive(options)
    stride, radius = made.stride, made.receptive_radius
    middle = (radius // stride + 2) * stride
    side = 2 * middle + stride
    measured = max(reach(made, middle + shift, side) for shift in range(stride))
    assert measured == radius


@pytest.mark.parametrize("options", SHAPES, ids=str)
def test_nothing_beyond_the_receptive_radius_changes_a_pixel(options):
    made = network(options)
    middle = (made.receptive_radius // made.stride + 2) * made.stride
    side = 2 * middle + made.stride
    page = torch.rand(1, 1, side, side)
    with torch.inference_mode():
        before = made(page)
        page[0, 0, middle, middle] = 1 - page[0, 0, middle, middle]
        changed = (made(page) != before)[0, 0].nonzero()
    assert len(changed) > 1
    assert changed.sub(middle).abs().max() <= made.receptive_radius


@pytest.mark.parametrize("options", SHAPES, ids=str)
def test_a_page_shifted_by_the_stride_gives_a_shifted_result(options):
    made = network(options)
    stride = made.stride
    halo = (made.receptive_radius // stride + 1) * stride
    page = torch.rand(1, 1, 2 * halo + 3 * stride, 2 * halo + 3 * stride)
    with torch.inference_mode():
        whole, part = made(page), made(page[..., stride:, stride:])
    inner = slice(halo, 2 * halo - stride)
    shifted = slice(halo + stride, 2 * halo)
    assert torch.allclose(whole[..., shifted, shifted], part[..., inner, inner], atol=1e-5)


@pytest.mark.parametrize("options", [shape for shape in SHAPES if len(shape.channels) > 1], ids=str)
def test_a_smaller_shift_than_the_stride_does_not(options):
    made = network(options)
    step = made.stride // 2
    halo = (made.receptive_radius // made.stride + 1) * made.stride
    side = 2 * halo + 3 * made.stride
    page = torch.rand(1, 1, side + made.stride, side + made.stride)
    with torch.inference_mode():
        whole = made(page[..., :side, :side])
        part = made(page[..., step : side + step, step : side + step])
    inner, shifted = slice(halo, halo + step), slice(halo + step, halo + 2 * step)
    assert not torch.allclose(whole[..., shifted, shifted], part[..., inner, inner], atol=1e-5)


@pytest.mark.parametrize("options", SHAPES, ids=str)
def test_the_stated_cost_is_that_of_the_convolutions_that_run(options):
    made, counted = network(options), 0

    def count(layer: nn.Conv2d, _inputs: object, output: torch.Tensor) -> None:
        nonlocal counted
        counted += output[0].numel() * layer.weight[0].numel()

    for module in made.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(count)
    side = 2 * made.stride
    made(torch.rand(1, 1, side, side))
    assert made.macs_per_pixel == pytest.approx(counted / side**2)


@pytest.mark.parametrize(
    ("options", "activation"),
    list(product([SHAPES[2], SHAPES[3]], ["relu", "leaky_relu", "silu", "gelu"])),
    ids=str,
)
def test_folding_changes_nothing_but_the_layers(options, activation):
    made = network(replace(options, activation=activation))
    page = torch.rand(2, 1, 4 * made.stride, 3 * made.stride)
    with torch.inference_mode():
        before = made(page)
        after = made.fold()(page)
    assert not [module for module in made.modules() if isinstance(module, nn.BatchNorm2d)]
    assert torch.allclose(before, after, atol=1e-5)


def test_folding_twice_is_folding_once():
    made = network(SHAPES[1]).fold()
    page = torch.rand(1, 1, 8, 8)
    with torch.inference_mode():
        assert torch.equal(made(page), made.fold()(page))


@pytest.mark.parametrize("options", SHAPES, ids=str)
def test_the_code_has_the_channels_and_size_that_were_asked_for(options):
    made = network(options)
    code = made.encode(torch.rand(2, 1, 3 * made.stride, 5 * made.stride))
    assert code.shape == (2, options.code or options.channels[-1], 3, 5)


def test_gain_and_offset_are_the_whole_of_the_output():
    made = network(SHAPES[3])
    page = torch.rand(1, 1, 16, 24)
    with torch.inference_mode():
        gain, offset = made.predict_affine(page)
        assert gain.shape == offset.shape == page.shape
        assert gain.min() >= 0
        assert gain.max() <= 1
        assert torch.equal(made(page), gain * page + offset)


def test_detail_is_what_a_pixel_has_beyond_its_four_neighbours():
    page = torch.rand(2, 1, 9, 12)
    kernel = np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]], np.float32) / 4
    for one, found in zip(page[:, 0], detail(page)[:, 0], strict=True):
        expected = cv2.filter2D(one.numpy(), -1, kernel, borderType=cv2.BORDER_REPLICATE)
        assert found.numpy() == pytest.approx(expected, abs=1e-6)


def test_sharpening_gives_a_blurred_stroke_its_edges_back():
    page = torch.ones(1, 1, 8, 8)
    page[..., 3:5] = 0
    side = 0.07  # of the ink runs into each of four neighbours
    blurred = page - 4 * side * detail(page)
    passed, nothing = torch.full_like(page, 50.0), torch.zeros_like(page)
    before, after = (
        (gain * blurred + offset - page).square().mean()
        for gain, offset in (
            combine([passed, nothing, torch.full_like(page, much)], blurred)
            for much in (0, 4 * side)
        )
    )
    assert after < before / 4


def test_a_finish_changes_nothing_before_it_has_learned():
    plain = network(SHAPES[1])
    made = network(replace(SHAPES[1], finish_channels=4))
    made.load_state_dict(plain.state_dict(), strict=False)
    page = torch.rand(1, 1, 16, 24)
    with torch.inference_mode():
        assert torch.equal(made(page), plain(page))


def test_a_finish_corrects_the_offset_alone_of_the_answer_before_it():
    made = network(replace(SHAPES[1], finish_channels=4))
    page = torch.rand(1, 1, 16, 24)
    with torch.inference_mode():
        made.finish.head.bias.fill_(0.25)
        code, levels = made.encode_levels(page)
        before, after = made.answers(code, levels, page)
        assert torch.equal(before[0], after[0])
        assert torch.allclose(before[1] + 0.25, after[1])


@pytest.mark.parametrize("band", [1, 2, 5])
@pytest.mark.parametrize("options", SHAPES[-2:], ids=str)
def test_bands_of_a_finish_do_not_show(options, band, monkeypatch):
    made = network(options)
    made.finish.head.weight.data.normal_()
    page = torch.rand(2, 1, 6 * made.stride, 3 * made.stride)
    whole = made(page)  # with gradients, in one piece
    monkeypatch.setattr(autoencoder, "BAND", band)
    with torch.inference_mode():
        assert torch.allclose(made(page), whole, atol=1e-5)


def test_a_finish_sees_dirty_and_cleaned_ink_and_the_gain_where_paper_is_nothing():
    page, gain = torch.full((1, 1, 2, 2), 0.75), torch.full((1, 1, 2, 2), 0.5)
    seen = look(page, gain, torch.full((1, 1, 2, 2), 0.25))
    assert seen[0, :, 0, 0].tolist() == [0.25, 0.375, 0.5]
    assert look(page, gain, torch.ones(1, 1, 2, 2))[0, 1].max() == 0


def test_gain_and_offset_stay_in_float32_under_autocast():
    made = network(SHAPES[1])
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        gain, offset = made.predict_affine(torch.rand(1, 1, 8, 8))
    assert gain.dtype == offset.dtype == torch.float32


@pytest.mark.parametrize("shape", [(1, 1, 7, 8), (1, 1, 8, 10)])
def test_a_size_that_the_stride_does_not_divide_is_refused(shape):
    with pytest.raises(ValueError, match="multiples of 4"):
        network(SHAPES[1])(torch.rand(shape))


@pytest.mark.parametrize(
    "wrong",
    [
        {"patch": 0},
        {"channels": ()},
        {"channels": (8, 0), "layers": (1, 1)},
        {"channels": (8, 8), "layers": (1,)},
        {"channels": (8,), "layers": (0,)},
        {"code": -1},
        {"finish_channels": -1},
        {"finish_channels": 8, "finish_layers": 0},
        {"finish_channels": 8, "patch": 1},
    ],
)
def test_options_that_describe_no_network_are_refused(wrong):
    with pytest.raises(ValueError, match=r"must be positive|at least one layer|a finish"):
        AutoencoderOptions(**wrong)


def test_an_unknown_activation_is_refused_with_those_that_exist():
    with pytest.raises(ValueError, match="choose relu, leaky_relu, silu or gelu"):
        Autoencoder(AutoencoderOptions(activation="tanh"))


def test_every_layer_learns():
    shape = AutoencoderOptions(
        patch=2, channels=(3, 4), layers=(1, 1), code=2, finish_channels=3, finish_layers=1
    )
    made = Autoencoder(shape)
    made(torch.rand(2, 1, 8, 8)).square().mean().backward()
    assert all(parameter.grad is not None for parameter in made.parameters())
