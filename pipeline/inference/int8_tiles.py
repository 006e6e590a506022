"""The tile network on 8-bit integers; the convolutions themselves are `pagewash.inference.int8`'s.

Tensors only: knows neither pages nor devices.
"""

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from pagewash.inference.int8 import (
    ActivationRanges,
    BytePath,
    Int8Convolution,
    Quantisation,
    blocks_to_channels,
    channels_to_blocks,
    kernels_work,
    range_of,
    separate_maps,
    through,
)
from pagewash.inference.openmp import ask_for_certain_threads
from pagewash.models.page_autoencoder import BRIGHTEST, ConvUnit, TileNetwork

INPUT = Quantisation(
    BRIGHTEST / 255, round(255 * (BRIGHTEST - 1) / BRIGHTEST), torch.ones(1), torch.zeros(1)
)
"""How bytes stand for ink, 1 less a colour relative to the paper: 0 for the brightest, 255 for
black."""

_SAMPLES = 4096
"""Places of a batch, at most, that a range is measured from."""


def can_run_int8_tiles(network: object, ranges: ActivationRanges) -> bool:
    """Say whether a network can run on integers, here and with what is known of its ranges."""
    if not isinstance(network, TileNetwork) or not kernels_work():
        return False
    channels = {name: unit.conv.out_channels for name, unit in _units(network).items()}
    channels |= dict(zip(_sums(network), network.options.channels, strict=False))
    channels["context"] = network.context.out_channels
    known = {name: tuple(span.shape) for name, span in ranges.items()}
    return known.items() >= {name: (3, count) for name, count in channels.items()}.items()


class Int8TileNetwork:
    """A tile network on integers: the same pages, but for a grey level or two.

    Source:
        B. Jacob et al., Quantization and Training of Neural Networks for Efficient
        Integer-Arithmetic-Only Inference, CVPR 2018.
    """

    def __init__(self, network: TileNetwork, ranges: ActivationRanges):
        """Round a network that `can_run_int8_tiles`; it stays as it is."""
        network = _folded(network)
        self._patch = patch = network.options.patch
        self._context_level = network.context_level
        self._levels: list[Quantisation] = []
        self._encoder, self._down, self._up, self._decoder = [], [], [], []
        innermost = len(network.down)
        path = BytePath(ranges, _bytes_of(3 * patch**2))
        self._stems = {3: path.unit("stem", _place_by_place(network.stem, patch))}
        of_grey = BytePath(ranges, _bytes_of(patch**2))
        self._stems[1] = of_grey.unit("stem", _of_equal_channels(network.stem, patch))
        for level in range(innermost):
            joined = f"decoder.{level}.input"
            self._encoder.append(path.stack(f"encoder.{level}", network.encoder[level], joined))
            self._levels.append(path.at)
            self._down.append(path.unit(f"down.{level}", network.down[level]))
            if level + 1 == self._context_level:
                self._context = Quantisation.covering(ranges["context"], path.at.unit)
        self._inner = path.stack(f"encoder.{innermost}", network.encoder[innermost])
        for name in ("squeeze", "expand"):
            if unit := getattr(network, name):
                self._inner.append(path.unit(name, unit))
        for level in reversed(range(innermost)):
            unit = self._levels[level].unit
            self._up.append(path.up(f"decoder.{level}.input", network.up[level], unit))
            self._decoder.append(path.stack(f"decoder.{level}", network.decoder[level]))
        self._head = Int8Convolution(network.head, path.at, None, relu=False)
        self._weight = network.context.weight.detach().float()

    @property
    def no_context(self) -> int:
        """The byte that adds nothing, as beyond the page."""
        return int(self._context.zero)

    def context(self, features: Tensor) -> Tensor:
        """(1, C, h, w) uint8 of a page, or of a part of it: what its features add, as bytes."""
        added = torch.nn.functional.conv2d(features.float(), self._weight)
        scale = self._context
        added = added / (scale.step * scale.unit.view(-1, 1, 1)) + scale.zero
        quantised: Tensor = added.round_().clamp_(0, 255).to(torch.uint8)
        return quantised

    def __call__(self, x: Tensor, context: Tensor) -> list[Tensor]:
        """Return the maps, each (N, 1, H, W) float32.

        Args:
            x: (N, 3, H, W) uint8 in channels_last, as `INPUT` says; or (N, 1, H, W), which
                stands for three equal channels.
            context: (N, C, h, w) uint8, of the blocks under it, from `context`.
        """
        ask_for_certain_threads()
        x = self._stems[x.shape[1]](blocks_to_channels(x, self._patch))
        levels = []
        for level, (stack, down) in enumerate(zip(self._encoder, self._down, strict=True)):
            x = through(stack, x)
            levels.append(x)
            if level + 1 == self._context_level:
                # the sum takes its memory
                own = context.contiguous(memory_format=torch.channels_last).clone()
                x = down.onto(x, own, self._context)
            else:
                x = down(x)
        x = through(self._inner, x)
        steps = zip(self._up, self._decoder, reversed(range(len(levels))), strict=True)
        for up, stack, level in steps:
            x = up.onto(x, blocks_to_channels(levels[level], 2), self._levels[level])
            x = through(stack, channels_to_blocks(x, 2))
        return separate_maps(self._head(x), self._patch)


def _folded(network: TileNetwork) -> TileNetwork:
    """A copy without normalisation."""
    copied = copy.deepcopy(network).eval()
    for unit in _units(copied).values():
        unit.fold()
    return copied


def _bytes_of(channels: int) -> Quantisation:
    return Quantisation(INPUT.step, INPUT.zero, torch.ones(channels), torch.zeros(channels))


def _place_by_place(stem: ConvUnit, patch: int) -> ConvUnit:
    """The stem, for colours side by side in each place, where `pixel_unshuffle` has places side by
    side in each colour.
    """
    order = torch.arange(stem.conv.in_channels).view(3, patch**2).T.reshape(-1)
    return _with_inputs(stem, lambda weight: weight[:, order])


def _of_equal_channels(stem: ConvUnit, patch: int) -> ConvUnit:
    """The stem, for one channel in the place of three equal ones: a third of the work."""
    return _with_inputs(stem, lambda weight: weight.unflatten(1, (3, patch**2)).sum(1))


def _with_inputs(unit: ConvUnit, change: Callable[[Tensor], Tensor]) -> ConvUnit:
    """A unit with the inputs of its convolution changed."""
    changed = copy.deepcopy(unit)
    changed.conv.weight = nn.Parameter(change(unit.conv.weight.detach()), requires_grad=False)
    return changed


@contextmanager
def recording(network: TileNetwork, see: Callable[[str, Tensor], None]) -> Iterator[None]:
    """Show what leaves each unit, what goes into each level of the decoder, and the context."""

    def out(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        return lambda module, inputs, result: see(name, result)

    def coming_in(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        return lambda module, inputs: see(name, inputs[0])

    hooks = [unit.register_forward_hook(out(name)) for name, unit in _units(network).items()]
    hooks += [
        stack.register_forward_pre_hook(coming_in(name)) for name, stack in _sums(network).items()
    ]
    hooks.append(network.context.register_forward_hook(out("context")))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


class RangeMeasure:
    """Ranges of activations, from all batches that were seen."""

    def __init__(self) -> None:
        self._seen: dict[str, list[Tensor]] = {}

    def see(self, name: str, values: Tensor) -> None:
        """Take some places of an activation, (N, C, H, W)."""
        places = values.detach().movedim(1, 0).flatten(1)
        step = -(-places.shape[1] // _SAMPLES)
        while math.gcd(step, values.shape[3]) > 1:  # or it would see the same columns in each row
            step += 1
        few = places[:, ::step]
        self._seen.setdefault(name, []).append(few.to("cpu", torch.float32, copy=True))

    def ranges(self) -> ActivationRanges:
        """What `Int8TileNetwork` needs."""
        return {name: range_of(torch.cat(values, 1)) for name, values in self._seen.items()}


def _units(network: TileNetwork) -> dict[str, ConvUnit]:
    return {name: part for name, part in network.named_modules() if isinstance(part, ConvUnit)}


def _sums(network: TileNetwork) -> dict[str, nn.Module]:
    return {f"decoder.{level}.input": part for level, part in enumerate(network.decoder)}
