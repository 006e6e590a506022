"""Convolutions on 8-bit integers: twice as fast as fp32, also on processors that have no bf16.

They run on oneDNN's integer kernels, which torch brings along for x86. Between them, numbers are
kept as bytes; what range each byte has to cover was measured when the network was trained, and
stands on its card. Tensors only: knows no network, neither pages nor devices.
"""

import copy
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn

from pagewash.inference.openmp import ask_for_certain_threads

log = logging.getLogger(__name__)

ActivationRanges = Mapping[str, Tensor]
"""(3, C): from where to where the channels of an activation reach, and their mean between, by the
name of the module that makes it. The sums that go into a level of the decoder bear its name with
`.input`."""

COVERED = 0.9999
"""Share of an activation that lies below the upper end of its range, and as much above the lower.
What is beyond is cut off: to cover it makes all else coarse. What is rare on pages is to be covered
yet: solid black, as around a photographed page, drives activations farther than anything else, and
cut off at 0.998 it came back as a light grey where floats leave white."""

WEIGHT_LIMIT = 63
"""Largest weight. Processors without VNNI add products in pairs, in 16 bits, which 127 would
overflow; one limit for all of them lets pages come out the same everywhere."""


@dataclass(frozen=True, eq=False)
class Quantisation:
    """Quantisation parameters: a byte in channel c stands for (byte - zero) * step * unit[c].

    The kernels know one step for all channels. Their ranges are made alike by units, which the
    weights before and after take up; ReLU does not mind.

    Source:
        M. Nagel et al., Data-Free Quantization through Weight Equalization and Bias Correction,
        ICCV 2019.
    """

    step: float
    zero: int
    unit: Tensor
    """(C,) float32, above 0."""

    mean: Tensor
    """(C,): what they stand for on average."""

    @classmethod
    def covering(cls, span: Tensor, unit: Tensor | None = None) -> "Quantisation":
        """Return bytes for channels of these ranges, (3, C); each one's own unit if none."""
        unit = span[:2].abs().amax(0) if unit is None else unit
        unit = unit.clamp(min=1e-3 * float(unit.max()) + 1e-9)
        low, high = float((span[0] / unit).min()), float((span[1] / unit).max())
        low, high = min(low, 0.0), max(high, 1e-3)
        step = (high - low) / 255
        return cls(step, round(-low / step), unit, span[2])


class Int8Convolution:
    """A convolution from bytes to bytes, or to float32; the activation, if any, is ReLU.

    Rounded weights shift what comes out on average. The bias takes that back, or paper would
    come out a grey level or two too dark, or the other way round.

    Source:
        Bias correction in M. Nagel et al., as for `Quantisation`.
    """

    def __init__(
        self, conv: nn.Conv2d, source: Quantisation, result: Quantisation | None, relu: bool
    ):
        """Round the weights of a convolution.

        Args:
            conv: without groups or dilation.
            source: what bytes come in.
            result: what bytes go out; None for float32. Where there are several times as many
                output channels as units, channels a whole number of units apart share one.
            relu: what is below 0 becomes 0.
        """
        weight = conv.weight.detach().float() * source.unit.view(-1, 1, 1)
        bias = weight.new_zeros(len(weight)) if conv.bias is None else conv.bias.detach().float()
        if result:
            unit = result.unit.repeat(len(weight) // len(result.unit))
            weight, bias = weight / unit.view(-1, 1, 1, 1), bias / unit
        self._steps = weight.abs().amax((1, 2, 3)).clamp(min=1e-9) / WEIGHT_LIMIT
        rounded = (weight / self._steps.view(-1, 1, 1, 1)).round().to(torch.int8)
        shift = rounded * self._steps.view(-1, 1, 1, 1) - weight
        bias = bias - shift.sum((2, 3)) @ (source.mean / source.unit)
        self._zeros = torch.zeros(len(weight), dtype=torch.int32)
        self._bias, self._source, self._relu = bias, source, "relu" if relu else "none"
        self._result = (result.step, result.zero) if result else (1.0, 0)
        self._dtype = torch.uint8 if result else torch.float32
        self._geometry = list(conv.stride), _padding(conv), [1, 1], 1  # dilation, groups
        ask_for_certain_threads()  # which put the weights in their order, too
        self._weight = torch.ops.onednn.qconv_prepack(
            rounded, self._steps, source.step, source.zero, *self._geometry
        )

    def __call__(self, x: Tensor) -> Tensor:
        """Convolve (N, C, H, W) uint8 in channels_last."""
        source = self._source
        convolved: Tensor = torch.ops.onednn.qconv2d_pointwise(
            x, source.step, source.zero, self._weight, self._steps, self._zeros, self._bias,
            *self._geometry, *self._result, self._dtype, self._relu, [], "",
        )  # fmt: skip
        return convolved

    def onto(self, x: Tensor, other: Tensor, scale: Quantisation) -> Tensor:
        """Convolve, and add `other`, whose memory the sum takes."""
        source = self._source
        summed: Tensor = torch.ops.onednn.qconv2d_pointwise.binary(
            x, source.step, source.zero, self._weight, self._steps, self._zeros, other,
            self._bias, *self._geometry, *self._result, self._dtype, scale.step, scale.zero,
            "sum", 1.0, self._relu, [], "",
        )  # fmt: skip
        return summed


@cache
def kernels_work() -> bool:
    """Whether torch's kernels for integers are here and compute as they did; it promises neither.

    Tried once per process, by a convolution of one pixel; where they have changed, a warning says
    so, and the network runs in bf16 or fp32.
    """
    if not torch.backends.mkldnn.is_available():
        return False
    conv = nn.Conv2d(1, 1, 1)
    with torch.no_grad():
        assert conv.bias is not None
        conv.weight.fill_(0.5)
        conv.bias.fill_(0.25)
    ones = Quantisation.covering(torch.tensor([[0.0], [1.0], [0.5]]))
    black, white = (torch.full((1, 1, 1, 1), level, dtype=torch.uint8) for level in (0, 255))
    try:
        integer = Int8Convolution(conv, ones, ones, relu=True)
        found = int(integer(white)), int(integer.onto(white, black.clone(), ones))
    except (AttributeError, RuntimeError, TypeError, ValueError) as error:
        trouble = str(error).partition("\n")[0]
    else:
        if all(abs(level - 0.75 * 255) <= 1 for level in found):
            return True
        trouble = f"they give {found} in place of 191"
    log.warning(
        "torch %s has other kernels for 8-bit integers than this pagewash knows (%s); "
        "bf16 or fp32 is used, which takes longer",
        torch.__version__,
        trouble,
    )
    return False


class BytePath:
    """How bytes stand for numbers along a network, from one convolution to the next."""

    def __init__(self, ranges: ActivationRanges, at: Quantisation):
        """Begin where bytes stand for numbers as `at` says."""
        self.at, self._ranges = at, ranges

    def stack(
        self, name: str, stack: nn.Module, joined: str | None = None
    ) -> list[Int8Convolution]:
        """Follow a stack of units, whose last result may be added to another activation."""
        parts = list(stack.children())
        convolutions = [self.unit(f"{name}.{index}", part) for index, part in enumerate(parts[:-1])]
        last = f"{name}.{len(parts) - 1}"
        unit = self._between(last, joined) if joined else None
        return [*convolutions, self.unit(last, parts[-1], unit)]

    def unit(self, name: str, unit: nn.Module, units: Tensor | None = None) -> Int8Convolution:
        """Follow a convolution with its activation."""
        assert isinstance(unit.conv, nn.Conv2d)
        return self._to(name, unit.conv, units, relu=True)

    def up(self, name: str, conv: nn.Module, units: Tensor | None) -> Int8Convolution:
        """Follow an up-convolution, with the channels of each place of a block side by side."""
        assert isinstance(conv, nn.Conv2d)
        ordered = copy.deepcopy(conv)
        order = torch.arange(conv.out_channels).view(-1, 4).T.reshape(-1)
        ordered.load_state_dict({key: value[order] for key, value in conv.state_dict().items()})
        return self._to(name, ordered, units, relu=False)

    def _to(self, name: str, conv: nn.Conv2d, units: Tensor | None, relu: bool) -> Int8Convolution:
        source, self.at = self.at, Quantisation.covering(self._ranges[name], units)
        return Int8Convolution(conv, source, self.at, relu)

    def _between(self, *names: str) -> Tensor:
        """Units for activations that have to share them: between those that each would have."""
        own = torch.stack([self._ranges[name][:2].abs().amax(0) for name in names])
        # a channel that one of them hardly uses must not make the other one's numbers huge
        return own.maximum(own.amax(0) / 10).clamp(min=1e-6).log().mean(0).exp()


def through(convolutions: list[Int8Convolution], x: Tensor) -> Tensor:
    """Convolve by one after the other."""
    for convolution in convolutions:
        x = convolution(x)
    return x


def _padding(conv: nn.Conv2d) -> list[int]:
    assert not isinstance(conv.padding, str)
    return list(conv.padding)


def blocks_to_channels(x: Tensor, side: int) -> Tensor:
    """(N, C, H, W) to (N, side * side * C, H / side, W / side) in channels_last: place by place.

    `pixel_unshuffle` orders them channel by channel instead, for which it moves single bytes.
    """
    n, c, height, width = x.shape
    rows, columns = height // side, width // side
    blocks = _swapped(x.permute(0, 2, 3, 1).contiguous().view(n, rows, side, columns, side * c))
    return blocks.view(n, rows, columns, side * side * c).permute(0, 3, 1, 2)


def channels_to_blocks(x: Tensor, side: int) -> Tensor:
    """Undo `blocks_to_channels`."""
    n, c, rows, columns = x.shape
    blocks = _swapped(x.permute(0, 2, 3, 1).contiguous().view(n, rows, columns, side, c // side))
    return blocks.view(n, rows * side, columns * side, c // side**2).permute(0, 3, 1, 2)


def separate_maps(x: Tensor, side: int) -> list[Tensor]:
    """(N, M * side * side, H, W) to M maps of (N, 1, side * H, side * W), as `pixel_shuffle`."""
    n, _, rows, columns = x.shape
    maps = x.permute(0, 2, 3, 1).contiguous().view(n, rows, columns, -1, side, side).unbind(3)
    return [_swapped(values).view(n, 1, rows * side, columns * side) for values in maps]


def _swapped(x: Tensor) -> Tensor:
    """Lay out five dimensions with the third and the fourth swapped; the last is contiguous.

    It is seen as few large elements meanwhile, for torch moves them one by one.
    """
    size = x.shape[-1] * x.element_size()
    larger = (torch.complex128, torch.int64, torch.int32, torch.int16)
    runs = x.view(next((dtype for dtype in larger if size % dtype.itemsize == 0), x.dtype))
    return runs.transpose(2, 3).contiguous().view(x.dtype)


def range_of(values: Tensor) -> Tensor:
    """Return (3, C) of the values, (C, n), of an activation."""
    low, high = (_quantile(values, share) for share in (1 - COVERED, COVERED))
    mean = values.clamp(low[:, None], high[:, None]).mean(1)
    return torch.stack([low, high, mean])


def _quantile(values: Tensor, share: float) -> Tensor:
    """Return the quantile of each row of (C, n), which is one of its values."""
    return values.kthvalue(1 + round(share * (values.shape[1] - 1)), dim=1).values
