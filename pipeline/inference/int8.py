"""A network on 8-bit integers: twice as fast as fp32, also on processors that have no bf16.

Convolutions run on oneDNN's integer kernels, which torch brings along for x86. Between them,
numbers are kept as bytes; what range each byte has to cover was measured when the network was
trained, and stands on its card. Tensors only: knows neither pages nor devices.
"""

import copy
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import product

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from pagewash.inference.openmp import ask_for_certain_threads
from pagewash.models.autoencoder import Autoencoder, ConvUnit

log = logging.getLogger(__name__)

ActivationRanges = Mapping[str, Tensor]
"""(3, C): from where to where the channels of an activation reach, and their mean between, by the
name of the module that makes it. The sums that go into a level of the decoder bear its name with
`.input`."""

COVERED = 0.998
"""Share of an activation that its range covers, in the middle. What is beyond is cut off: it is
rare, far out, and says nothing but 'certainly'; to cover it makes all else coarse."""

WEIGHT_LIMIT = 63
"""Largest weight. Processors without VNNI add products in pairs, in 16 bits, which 127 would
overflow; one limit for all of them lets pages come out the same everywhere."""

BAND_PIXELS = 2**18
"""Of a page, that go through the head at once: its floats, and the maps that come of them, take
five times the memory of all bytes before, and are to stay in the cache."""

BEYOND_NEIGHBOURS = np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]], np.float32) / 4

WHITER = 1 / 255
"""Added to every offset, whose errors of rounding are about as large. What is whiter than white is
cut off, and so are errors to that side; those to the other would leave paper at 254, which packs
badly."""

_SAMPLES = 4096
"""Places of a batch, at most, that a range is measured from."""


def can_run_int8(network: object, ranges: ActivationRanges) -> bool:
    """Say whether a network can run on integers, here and with what is known of its ranges."""
    if (
        not kernels_work()
        or not isinstance(network, Autoencoder)
        or network.options.activation != "relu"
    ):
        return False
    if network.finish:  # which is there for more exactness than a byte has
        return False
    channels = {name: unit.conv.out_channels for name, unit in _units(network).items()}
    channels |= dict(zip(_sums(network), network.options.channels, strict=False))
    known = {name: tuple(span.shape) for name, span in ranges.items()}
    return known.items() >= {name: (3, count) for name, count in channels.items()}.items()


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


class Int8Autoencoder:
    """An autoencoder on integers: the same pages, but for a grey level or two.

    Source:
        B. Jacob et al., Quantization and Training of Neural Networks for Efficient
        Integer-Arithmetic-Only Inference, CVPR 2018.
    """

    def __init__(self, network: Autoencoder, ranges: ActivationRanges):
        """Round a network that `can_run_int8` so.

        Args:
            network: folded, on the CPU; it stays as it is.
            ranges: from `measure_ranges`.
        """
        self.stride, self.receptive_radius = network.stride, network.receptive_radius
        self._patch, self._skips = network.options.patch, network.options.skips
        self._levels: list[Quantisation] = []
        self._encoder, self._down, self._up, self._decoder = [], [], [], []
        innermost = len(network.down)

        patch = self._patch**2
        path = _Path(ranges, Quantisation(1 / 255, 0, torch.ones(patch), torch.zeros(patch)))
        self._stem = path.unit("stem", network.stem)
        for level, (stack, down) in enumerate(zip(network.encoder, network.down, strict=False)):
            joined = f"decoder.{level}.input" if self._skips else None
            self._encoder.append(path.stack(f"encoder.{level}", stack, joined))
            self._levels.append(path.at)
            self._down.append(path.unit(f"down.{level}", down))
        self._inner = path.stack(f"encoder.{innermost}", network.encoder[innermost])
        for name in ("squeeze", "expand"):
            if unit := getattr(network, name):
                self._inner.append(path.unit(name, unit))
        self._levels.append(path.at)
        for level in reversed(range(innermost)):
            unit = self._levels[level].unit if self._skips else None
            self._up.append(path.up(f"decoder.{level}.input", network.up[level], unit))
            self._decoder.append(path.stack(f"decoder.{level}", network.decoder[level]))
        self._head = Int8Convolution(network.head, path.at, None, relu=False)

    @property
    def level_steps(self) -> Tensor:
        """(C, 1, 1): what a step of a byte is worth in the encoder's outermost level."""
        return (self._levels[0].step * self._levels[0].unit).view(-1, 1, 1)

    def predict_affine(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Gain and offset, as the network's own."""
        return self.decode(*self.encode_levels(x), x)

    def encode_levels(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """What the decoder wants, and the encoder's levels that skip it, outermost first: bytes."""
        ask_for_certain_threads()
        x = self._stem(_blocks_to_channels(_ink(x), self._patch))
        levels = []
        for stack, down in zip(self._encoder, self._down, strict=True):
            x = _through(stack, x)
            levels.append(x)
            x = down(x)
        return _through(self._inner, x), levels

    def decode(self, x: Tensor, levels: list[Tensor], page: Tensor) -> tuple[Tensor, Tensor]:
        """Return gain and offset from what `encode_levels` returned, and the page it was given."""
        steps = zip(self._up, self._decoder, reversed(range(len(levels))), strict=True)
        for up, stack, level in steps:
            if self._skips:
                x = up.onto(x, _blocks_to_channels(levels[level], 2), self._levels[level])
            else:
                x = up(x)
            x = _through(stack, _channels_to_blocks(x, 2))
        return self._end(x, page)

    def _end(self, x: Tensor, page: Tensor) -> tuple[Tensor, Tensor]:
        """Return gain and offset from what the last level says, image by image, band by band.

        The same as `pagewash.models.autoencoder.combine`, in three quarters of the time.
        """
        patch, (rows, columns) = self._patch, x.shape[2:]
        height = max(BAND_PIXELS // (columns * patch**2), 1)
        gain, offset = torch.empty_like(page), torch.empty_like(page)
        for image, start in product(range(len(x)), range(0, rows, height)):
            stop = min(start + height, rows)
            # a row more on each side for the head, and a pixel for the sharpening
            first, last = max(start - 1, 0), min(stop + 1, rows)
            seen = x[image : image + 1, :, first:last]
            said = self._head(seen.contiguous(memory_format=torch.channels_last))
            maps = _maps(said[:, :, start - first : stop - first], patch)
            logit, level, *sharpening = (values[0, 0] for values in maps)
            for much in sharpening:
                fine = _detail(page[image, 0, first * patch : last * patch])
                level.addcmul_(much, fine[(start - first) * patch : (stop - first) * patch])
            band = image, 0, slice(start * patch, stop * patch)
            torch.sigmoid(logit, out=gain[band])
            torch.add(level, WHITER, out=offset[band])
        return gain, offset


class _Path:
    """How bytes stand for numbers along a network, from one convolution to the next."""

    def __init__(self, ranges: ActivationRanges, at: Quantisation):
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


def _ink(x: Tensor) -> Tensor:
    """Return what is not white in (N, 1, H, W), as bytes: as in the network, ink is 1 inside."""
    rows = x.numpy().reshape(-1, x.shape[-1])
    return torch.from_numpy(cv2.convertScaleAbs(rows, alpha=-255, beta=255).reshape(x.shape))


def _through(convolutions: list[Int8Convolution], x: Tensor) -> Tensor:
    for convolution in convolutions:
        x = convolution(x)
    return x


def _padding(conv: nn.Conv2d) -> list[int]:
    assert not isinstance(conv.padding, str)
    return list(conv.padding)


def _blocks_to_channels(x: Tensor, side: int) -> Tensor:
    """(N, C, H, W) to (N, side * side * C, H / side, W / side) in channels_last: place by place.

    `pixel_unshuffle` orders them channel by channel instead, for which it moves single bytes.
    """
    n, c, height, width = x.shape
    rows, columns = height // side, width // side
    blocks = _swapped(x.permute(0, 2, 3, 1).contiguous().view(n, rows, side, columns, side * c))
    return blocks.view(n, rows, columns, side * side * c).permute(0, 3, 1, 2)


def _channels_to_blocks(x: Tensor, side: int) -> Tensor:
    """Undo `_blocks_to_channels`."""
    n, c, rows, columns = x.shape
    blocks = _swapped(x.permute(0, 2, 3, 1).contiguous().view(n, rows, columns, side, c // side))
    return blocks.view(n, rows * side, columns * side, c // side**2).permute(0, 3, 1, 2)


def _maps(x: Tensor, side: int) -> list[Tensor]:
    """(N, M * side * side, H, W) to M maps of (N, 1, side * H, side * W), as `pixel_shuffle`."""
    n, _, rows, columns = x.shape
    maps = x.permute(0, 2, 3, 1).contiguous().view(n, rows, columns, -1, side, side).unbind(3)
    return [_swapped(values).view(n, 1, rows * side, columns * side) for values in maps]


def _detail(page: Tensor) -> Tensor:
    """Of (h, w), what `pagewash.models.autoencoder.detail` says, in a third of the time."""
    border = cv2.BORDER_REPLICATE
    return torch.from_numpy(cv2.filter2D(page.numpy(), -1, BEYOND_NEIGHBOURS, borderType=border))


def _swapped(x: Tensor) -> Tensor:
    """Lay out five dimensions with the third and the fourth swapped; the last is contiguous.

    It is seen as few large elements meanwhile, for torch moves them one by one.
    """
    size = x.shape[-1] * x.element_size()
    larger = (torch.complex128, torch.int64, torch.int32, torch.int16)
    runs = x.view(next((dtype for dtype in larger if size % dtype.itemsize == 0), x.dtype))
    return runs.transpose(2, 3).contiguous().view(x.dtype)


@torch.no_grad()
def measure_ranges(network: Autoencoder, pages: Tensor) -> ActivationRanges:
    """Measure the ranges of a network's activations.

    Args:
        network: in eval mode, on any device; normalisations may be folded or not.
        pages: (N, 1, H, W) float32 in 0..1 beside it, of all the kinds that it will meet.
    """
    seen: dict[str, list[Tensor]] = {}

    def see(name: str, values: Tensor) -> None:
        places = values.movedim(1, 0).flatten(1)
        few = places[:, :: -(-places.shape[1] // _SAMPLES)]
        seen.setdefault(name, []).append(few.to("cpu", torch.float32, copy=True))

    with _recording(network, see):
        for page in pages.split(1):
            network.predict_affine(page)
    return {name: _range(torch.cat(values, 1)) for name, values in seen.items()}


def _range(values: Tensor) -> Tensor:
    """Return (3, C) of the values, (C, n), of an activation."""
    low, high = (_quantile(values, share) for share in (1 - COVERED, COVERED))
    mean = values.clamp(low[:, None], high[:, None]).mean(1)
    return torch.stack([low, high, mean])


def _quantile(values: Tensor, share: float) -> Tensor:
    """Return the quantile of each row of (C, n), which is one of its values."""
    return values.kthvalue(1 + round(share * (values.shape[1] - 1)), dim=1).values


@contextmanager
def _recording(network: Autoencoder, see: Callable[[str, Tensor], None]) -> Iterator[None]:
    """Show what goes out of each unit, and what goes into each level of the decoder."""

    def going_out(name: str) -> Callable[[nn.Module, tuple[Tensor], Tensor], None]:
        return lambda module, inputs, result: see(name, result)

    def coming_in(name: str) -> Callable[[nn.Module, tuple[Tensor]], None]:
        return lambda module, inputs: see(name, inputs[0])

    hooks = [
        *(unit.register_forward_hook(going_out(name)) for name, unit in _units(network).items()),
        *(
            stack.register_forward_pre_hook(coming_in(name))
            for name, stack in _sums(network).items()
        ),
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _units(network: Autoencoder) -> dict[str, ConvUnit]:
    """Whatever ends in an activation, by name; a finish never runs on integers."""
    return {
        name: part
        for name, part in network.named_modules()
        if isinstance(part, ConvUnit) and not name.startswith("finish.")
    }


def _sums(network: Autoencoder) -> dict[str, nn.Module]:
    """Whatever takes in a sum, by the name of that sum."""
    return {f"decoder.{level}.input": part for level, part in enumerate(network.decoder)}
