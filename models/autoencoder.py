"""The convolutional denoising autoencoder: dirty grey pages in, clean grey pages out.

Convolutions only, so that a page cleaned in tiles equals the page cleaned whole:
nothing here looks at more than `receptive_radius` pixels around a pixel.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

CONTEXT = 16
"""Channels in which a finish is told what the outermost level knows."""

BAND = 64
"""Rows of the outermost level that a finish works on at once, but in training."""

Activation = Literal["relu", "leaky_relu", "silu", "gelu"]


@dataclass(frozen=True)
class AutoencoderOptions:
    """The shape of the network: everything that rebuilds it, weights aside."""

    patch: int = 4
    """Input scale: patches of this side become channels (space-to-depth)."""

    channels: tuple[int, ...] = (48, 80, 112, 128)
    """Channels per level, outermost first; each level halves the resolution."""

    layers: tuple[int, ...] = (1, 2, 1, 1)
    """3x3 convolutions per level; all but the last level have as many on the way up."""

    code: int = 0
    """Channels of the bottleneck; 0 keeps those of the innermost level."""

    skips: bool = True
    """Add each encoder level to the decoder level of its size."""

    activation: Activation = "relu"
    """What follows every normalised convolution."""

    sharpening: bool = True
    """Have a third map say how much of its fine detail each pixel gets back."""

    finish_channels: int = 0
    """Channels of a finish, which sees the dirty and the cleaned page together, in patches of half
    the side, and corrects the offset; 0 does without one."""

    finish_layers: int = 3
    """3x3 convolutions of the finish between its first and its last."""

    def __post_init__(self) -> None:
        if self.patch < 1 or not self.channels or min(self.channels) < 1 or self.code < 0:
            raise ValueError(f"patch, channels and code must be positive, not {self}")
        if self.finish_channels < 0 or self.finish_layers < 1:
            raise ValueError(f"a finish has channels, and a layer at least: {self}")
        if self.finish_channels and self.patch % 2:
            raise ValueError(f"a finish halves patches, and those of {self.patch} px have no half")
        if len(self.layers) != len(self.channels) or min(self.layers) < 1:
            raise ValueError(
                f"each level needs at least one layer: channels {self.channels} "
                f"and layers {self.layers} do not match"
            )


class ConvUnit(nn.Module):
    """Convolution, batch normalisation, activation; the normalisation can be folded away."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int,
        activation: str,
        *,
        norm: bool = True,
    ):
        super().__init__()
        self.conv = nn.Conv2d(
            inputs, outputs, kernel, stride, padding=(kernel - 1) // 2, bias=not norm
        )
        self.norm: nn.BatchNorm2d | None = nn.BatchNorm2d(outputs) if norm else None
        self.activation = _activation(activation)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        if self.norm is not None:
            x = self.norm(x)
        activated: Tensor = self.activation(x)
        return activated

    def fold(self) -> None:
        """Multiply the normalisation into the convolution; needs eval mode."""
        if self.norm is not None:
            self.conv = fuse_conv_bn_eval(self.conv, self.norm)
            self.norm = None


class Finish(nn.Module):
    """A second look at the edges of letters: what the offset still lacks, pixel by pixel.

    It sees the dirty page, the cleaned one and the gain at twice the resolution of the outermost
    level, and beside them what that level knows of the place. Nothing is normalised here: the
    statistics of a batch are noise, and exactness is all that it is for.
    """

    def __init__(self, options: AutoencoderOptions):
        super().__init__()
        channels, act = options.finish_channels, options.activation
        self.patch = options.patch // 2
        self.context = ConvUnit(options.channels[0], 4 * CONTEXT, 1, 1, act, norm=False)
        pixels = 3 * self.patch**2
        self.stem = ConvUnit(pixels + CONTEXT, channels, 3, 1, act, norm=False)
        self.layers = _stack(channels, options.finish_layers, act, norm=False)
        self.head = nn.Conv2d(channels, self.patch**2, 3, padding=1)
        for part in self.modules():
            if isinstance(part, nn.Conv2d):
                # without normalisation, torch's own weights would let the page fade away
                nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
                assert part.bias is not None
                nn.init.zeros_(part.bias)
        nn.init.zeros_(self.head.weight)  # at first, nothing is amiss

    @property
    def receptive_radius(self) -> int:
        """How much farther a network with this finish sees, in pixels."""
        return self.patch * (len(self.layers) + 2)

    def in_bands(self, page: Tensor, gain: Tensor, offset: Tensor, x: Tensor) -> Tensor:
        """As `forward`, for a few rows at a time: its activations would be the largest of all."""
        unit = 2 * self.patch  # rows of the page for each row of x
        beyond = -(-self.receptive_radius // unit)
        found = torch.empty_like(page)
        for start in range(0, x.shape[2], BAND):
            stop = min(start + BAND, x.shape[2])
            first, last = max(start - beyond, 0), min(stop + beyond, x.shape[2])
            parts = (part[:, :, first * unit : last * unit] for part in (page, gain, offset))
            band = self(*parts, x[:, :, first:last])
            inner = slice((start - first) * unit, (stop - first) * unit)
            found[:, :, start * unit : stop * unit] = band[:, :, inner]
        return found

    def forward(self, page: Tensor, gain: Tensor, offset: Tensor, x: Tensor) -> Tensor:
        """Return what to add to the offset.

        Args:
            page: (N, 1, H, W) in 0..1.
            gain: of the same shape, in 0..1.
            offset: of the same shape.
            x: (N, C, H / patch, W / patch) of the outermost decoder level, the network's patch.
        """
        pixels = F.pixel_unshuffle(look(page, gain, offset), self.patch)
        beside = F.pixel_shuffle(self.context(x), 2)
        x = self.layers(self.stem(torch.cat([pixels.to(beside.dtype), beside], 1)))
        return F.pixel_shuffle(self.head(x).float(), self.patch)


class Autoencoder(nn.Module):
    """Encoder, bottleneck, mirrored decoder, and two maps that turn the dirty page clean.

    The decoder ends in a gain and an offset for every pixel, and the cleaned
    page is `gain * page + offset`: gain 0 paints paper over a stain, gain 1
    leaves a picture alone. Both maps are smooth enough to be computed at a
    smaller scale and applied to the full one, where strokes stay sharp.

    What blur and the spread of ink took from edges comes back by unsharp
    masking, as much of it as the network says pixel by pixel: the offset
    holds that much of the page's `detail`. Exact edges are a matter of a few
    neighbouring pixels, which so coarse a network has no channels for.
    """

    def __init__(self, options: AutoencoderOptions | None = None):
        super().__init__()
        self.options = options = options or AutoencoderOptions()
        channels, layers, act = options.channels, options.layers, options.activation

        self.stem = ConvUnit(options.patch**2, channels[0], 3, 1, act)
        self.encoder = nn.ModuleList(
            _stack(c, n, act) for c, n in zip(channels, layers, strict=True)
        )
        self.down = nn.ModuleList(ConvUnit(a, b, 2, 2, act) for a, b in pairwise(channels))
        self.squeeze = ConvUnit(channels[-1], options.code, 1, 1, act) if options.code else None
        self.expand = ConvUnit(options.code, channels[-1], 1, 1, act) if options.code else None
        self.up = nn.ModuleList(nn.Conv2d(b, 4 * a, 1) for a, b in pairwise(channels))
        self.decoder = nn.ModuleList(
            _stack(c, n, act) for c, n in zip(channels[:-1], layers[:-1], strict=True)
        )
        maps = 3 if options.sharpening else 2
        self.head = nn.Conv2d(channels[0], maps * options.patch**2, 3, padding=1)
        self.finish = Finish(options) if options.finish_channels else None

    @property
    def stride(self) -> int:
        """Total stride in pixels: heights and widths must be multiples of it."""
        return self.options.patch << (len(self.options.channels) - 1)

    @property
    def receptive_radius(self) -> int:
        """Farthest pixel, in rows or columns, that can change an output pixel.

        Counted along the deepest path: a 3x3 convolution at a scale of s pixels
        reaches s farther to each side; pooling by blocks adds at most the
        stride, since a pixel can stand at the far end of its block.
        """
        scales = [self.options.patch << level for level in range(len(self.options.channels))]
        *outer, deepest = zip(scales, self.options.layers, strict=True)
        reach = 2 * scales[0]  # stem and head
        reach += sum(2 * scale * count for scale, count in outer)
        reach += deepest[0] * deepest[1]
        return reach + self.stride - 1 + (self.finish.receptive_radius if self.finish else 0)

    @property
    def macs_per_pixel(self) -> float:
        """Multiply-adds per input pixel."""
        options = self.options
        total: float = 0
        for name, module in self.named_modules():
            if isinstance(module, nn.Conv2d):
                # up-convolutions run at the smaller scale, before the shuffle
                side = self._output_side(name)
                total += module.weight.numel() / (options.patch * side) ** 2
        return total

    def _output_side(self, name: str) -> float:
        """How many patches a side of one output position of the named convolution spans."""
        part, *rest = name.split(".")
        if part in ("stem", "head"):
            return 1
        if part == "finish":
            return 1 if rest[0] == "context" else 0.5
        if part in ("squeeze", "expand"):
            return 1 << (len(self.options.channels) - 1)
        level = int(rest[0])
        return 2 << level if part in ("down", "up") else 1 << level

    def encode(self, x: Tensor) -> Tensor:
        """Return the bottleneck of a page.

        Args:
            x: (N, 1, H, W) in 0..1, H and W multiples of `stride`.

        Returns:
            (N, C, H / stride, W / stride), C the channels of the bottleneck.
        """
        return self.encode_levels(x)[0]

    def predict_affine(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gain, in 0..1, and the offset of every pixel, each shaped as `x`."""
        return self.decode(*self.encode_levels(x), x)

    def forward(self, x: Tensor) -> Tensor:
        """Clean a batch of pages or tiles.

        Args:
            x: (N, 1, H, W) in 0 (black) to 1 (white), H and W multiples of `stride`.

        Returns:
            (N, 1, H, W), about 0..1, not clamped: the loss needs what is beyond.
        """
        gain, offset = self.predict_affine(x)
        return gain * x + offset

    def encode_levels(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the bottleneck, and the encoder's levels that skip it, outermost first."""
        if x.shape[-2] % self.stride or x.shape[-1] % self.stride:
            raise ValueError(f"height and width must be multiples of {self.stride}: {x.shape}")
        # ink is 1 inside the network, so that padding with zeros means paper
        x = self.stem(F.pixel_unshuffle(1 - x, self.options.patch))
        levels = []
        for level, stack in enumerate(self.encoder):
            x = stack(x)
            if level < len(self.down):
                levels.append(x)
                x = self.down[level](x)
        return (self.squeeze(x) if self.squeeze is not None else x), levels

    def decode(self, x: Tensor, levels: list[Tensor], page: Tensor) -> tuple[Tensor, Tensor]:
        """Return gain and offset from what `encode_levels` returned, and the page it was given."""
        return self.answers(x, levels, page)[-1]

    def answers(self, x: Tensor, levels: list[Tensor], page: Tensor) -> list[tuple[Tensor, Tensor]]:
        """As `decode`, but before the finish too, if there is one: what training judges."""
        if self.expand is not None:
            x = self.expand(x)
        for level in reversed(range(len(self.decoder))):
            x = F.pixel_shuffle(self.up[level](x), 2)
            if self.options.skips:
                x += levels[level]  # in place, which on a page saves 100 MiB
            x = self.decoder[level](x)
        maps = F.pixel_shuffle(self.head(x).float(), self.options.patch).split(1, dim=1)
        gain, offset = combine(maps, page)
        if self.finish is None:
            return [(gain, offset)]
        finish = self.finish if torch.is_grad_enabled() else self.finish.in_bands
        return [(gain, offset), (gain, offset + finish(page, gain, offset, x))]

    def fold(self) -> "Autoencoder":
        """Fold every batch normalisation into its convolution; switches to eval mode."""
        self.eval()
        for module in self.modules():
            if isinstance(module, ConvUnit):
                module.fold()
        return self


def combine(maps: Sequence[Tensor], page: Tensor) -> tuple[Tensor, Tensor]:
    """Return gain and offset, each (N, 1, H, W), from the maps that the head ends in.

    Args:
        maps: two or three of (N, 1, H, W): the gain's logit, the offset, the sharpening.
        page: (N, 1, H, W) in 0..1.
    """
    gain, offset, *sharpening = maps
    for much in sharpening:
        offset = torch.addcmul(offset, much, detail(page))
    return gain.sigmoid(), offset


def detail(page: Tensor) -> Tensor:
    """Return by how much each pixel of (N, 1, H, W) exceeds the mean of its four neighbours."""
    found = page.clone()
    for side in (-1, -2):
        least, most = page.narrow(side, 0, 1), page.narrow(side, -1, 1)
        inner = page.size(side) - 1
        # in place, for a tile has many pixels; beyond an edge, a page goes on as it is there
        found.narrow(side, 1, inner).sub_(page.narrow(side, 0, inner), alpha=0.25)
        found.narrow(side, 0, 1).sub_(least, alpha=0.25)
        found.narrow(side, 0, inner).sub_(page.narrow(side, 1, inner), alpha=0.25)
        found.narrow(side, -1, 1).sub_(most, alpha=0.25)
    return found


def look(page: Tensor, gain: Tensor, offset: Tensor) -> Tensor:
    """Return what a finish sees of (N, 1, H, W): (N, 3, H, W) in 0..1, where paper is 0."""
    cleaned = torch.addcmul(offset, gain, page)
    return torch.cat([1 - page, (1 - cleaned).clamp(0, 1), gain], 1)


def _stack(channels: int, layers: int, activation: str, *, norm: bool = True) -> nn.Sequential:
    return nn.Sequential(
        *(ConvUnit(channels, channels, 3, 1, activation, norm=norm) for _ in range(layers))
    )


def _activation(name: str) -> nn.Module:
    match name:
        case "relu":
            return nn.ReLU(inplace=True)
        case "leaky_relu":
            return nn.LeakyReLU(0.1, inplace=True)
        case "silu":
            return nn.SiLU(inplace=True)
        case "gelu":
            return nn.GELU()
    raise ValueError(f"unknown activation {name!r}: choose relu, leaky_relu, silu or gelu")
