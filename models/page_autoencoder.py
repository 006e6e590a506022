"""The network that sees the whole page: a context network over its summary, and a tile network.

The context network looks once at a summary of the page and says, block by block, what colour the
paper has and what the tile network should know of the rest of the page. The tile network is
convolutional and local, so that a page cleaned in tiles equals the page cleaned whole: it looks at
no more than `receptive_radius` pixels around a pixel.

Colours are RGB in 0 (black) to 1 (white). A *block* is a square of `BLOCK` pixels.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

BLOCK = 16
"""Side of a block of the summary, in pixels of the network's view."""

SUMMARY_CHANNELS = 9
"""Mean R, G, B; brightest R, G, B; darkest luminance; spread of luminance; 1 where the page is."""

MAPS = 4
"""What the tile network says of each pixel: gain, offset, sharpening, saturation."""

DARKEST_PAPER = 0.1
"""What is darker than this is not taken for paper: no colour is raised more than tenfold."""

MOST_SATURATION = 6.0
"""Where the saturation is cut off: colours become no more than four times as strong."""

BRIGHTEST = 1.25
"""Where colours relative to the paper are cut off: some headroom above the paper's own."""


@dataclass(frozen=True)
class PageAutoencoderOptions:
    """The shape of the network: everything that rebuilds it, weights aside."""

    patch: int = 4
    """Input scale: patches of this side become channels (space-to-depth)."""

    channels: tuple[int, ...] = (48, 64, 96, 128)
    """Channels per level, outermost first; each level halves the resolution."""

    layers: tuple[int, ...] = (1, 2, 2, 1)
    """3x3 convolutions per level; all but the last level have as many on the way up."""

    embedding: int = 0
    """Channels of the bottleneck; 0 keeps those of the innermost level."""

    context_channels: tuple[int, ...] = (32, 48, 64, 96, 128)
    """Channels per level of the context network, from single blocks on; each level halves."""

    features: int = 32
    """Channels in which the context network tells the tile network what it knows of a block."""

    def __post_init__(self) -> None:
        if self.patch < 1 or not self.channels or min(self.channels) < 1 or self.embedding < 0:
            raise ValueError(f"patch, channels and embedding must be positive, not {self}")
        if len(self.layers) != len(self.channels) or min(self.layers) < 1:
            raise ValueError(
                f"each level needs at least one layer: channels {self.channels} "
                f"and layers {self.layers} do not match"
            )
        scales = [self.patch << level for level in range(len(self.channels))]
        if BLOCK not in scales[1:]:
            raise ValueError(f"no level has the context's stride of {BLOCK} px: {scales}")
        if not self.context_channels or min(self.context_channels) < 1 or self.features < 3:
            raise ValueError(f"a context network has channels, and three features or more: {self}")


class Context(NamedTuple):
    """What the context network says of a page, block by block."""

    features: Tensor
    """(N, F, h, w): for the tile network."""

    paper: Tensor
    """(N, 3, h, w) in `DARKEST_PAPER`..1: colour of the paper under whatever stands on it."""

    @property
    def ink(self) -> Tensor:
        """(N, 3, h, w): the first features, 1 less the colour that a block will have once clean.

        They are taught directly: what the rest of the page says of a block (that it lies outside,
        in a picture, on a tint) would otherwise reach the context network late and faintly.
        """
        return self.features[:, :3]


def _draw(weight: Tensor) -> None:
    """Draw the first weights of a convolution before a ReLU.

    Not where there is nothing to draw: torch would import its compilers for it, a second of every
    start, as a checkpoint's shapes are compared on its meta device.
    """
    if not weight.is_meta:
        nn.init.kaiming_normal_(weight, nonlinearity="relu")


class ConvUnit(nn.Module):
    """Convolution, batch normalisation and ReLU.

    Without normalisation, biases drift until no input makes a channel answer any more: half of the
    channels died within a thousand steps, and whole levels with them.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1):
        super().__init__()
        padding = (kernel - 1) // 2
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        self.norm: nn.BatchNorm2d | None = nn.BatchNorm2d(outputs)
        _draw(self.conv.weight)

    def forward(self, x: Tensor, more: Tensor | None = None) -> Tensor:
        """Of (N, C, H, W); `more`, of the output's shape, is added before the ReLU."""
        x = self.conv(x)
        if self.norm is not None:
            x = self.norm(x)
        return F.relu(x if more is None else x + more)

    def fold(self) -> None:
        """Multiply the normalisation into the convolution; needs eval mode."""
        if self.norm is not None:
            self.conv = fuse_conv_bn_eval(self.conv, self.norm)
            self.norm = None


class BlockUnit(nn.Module):
    """Convolution, normalisation of each block by its own channels, and leaky ReLU.

    A page is alone here: the statistics of a batch would be those of one page.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, (kernel - 1) // 2)
        self.gain = nn.Parameter(torch.ones(outputs, 1, 1))
        _draw(self.conv.weight)
        nn.init.zeros_(self.conv.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Of (N, C, h, w)."""
        x = self.conv(x)
        size = (x.square().mean(1, keepdim=True) + 1e-4).rsqrt()
        return F.leaky_relu(x * size * self.gain, 0.1)


class ContextNetwork(nn.Module):
    """A small U over the blocks of a page; its innermost level also knows the page's mean.

    It looks at the page four times, turned by quarters, and says the mean of what it saw: so that
    nothing hangs on which way up a page lies. The mean is also wiser than one look.
    """

    def __init__(self, options: PageAutoencoderOptions):
        super().__init__()
        channels = options.context_channels
        self.stem = BlockUnit(SUMMARY_CHANNELS, channels[0])
        self.encoder = nn.ModuleList(BlockUnit(c, c) for c in channels)
        self.down = nn.ModuleList(BlockUnit(a, b, 3, 2) for a, b in pairwise(channels))
        self.everywhere = BlockUnit(channels[-1], channels[-1], 1)
        self.up = nn.ModuleList(BlockUnit(b, a, 1) for a, b in pairwise(channels))
        self.decoder = nn.ModuleList(BlockUnit(a, a) for a in channels[:-1])
        self.features = nn.Conv2d(channels[0], options.features, 1)
        self.paper = nn.Conv2d(channels[0], 3, 1)
        nn.init.zeros_(self.features.bias)  # type: ignore[arg-type]
        nn.init.zeros_(self.paper.weight)
        nn.init.zeros_(self.paper.bias)  # type: ignore[arg-type]

    def forward(self, summary: Tensor) -> Context:
        """Look at a page.

        Args:
            summary: (N, 9, h, w) in 0..1, see `SUMMARY_CHANNELS`; any h and w.
        """
        looks = []
        for quarters in (0, 1):  # what lies across has another shape
            ways = quarters, quarters + 2
            turned = torch.cat([summary.rot90(way, (2, 3)) for way in ways])
            turned = turned.contiguous(memory_format=torch.channels_last)
            seen = self._look(turned).chunk(2)
            looks += [said.rot90(-way, (2, 3)) for way, said in zip(ways, seen, strict=True)]
        features, paper = torch.stack(looks).mean(0).tensor_split((-3,), dim=1)
        # from the brightest of each block, which is the paper's colour nearly everywhere
        brightest = summary[:, 3:6].float().clamp(DARKEST_PAPER, 0.996).logit()
        return Context(features, (brightest + paper.float()).sigmoid().clamp(DARKEST_PAPER))

    def _look(self, summary: Tensor) -> Tensor:
        """Look at it one way; returns (N, F + 3, h, w): the features, and what paper is beside the
        brightest of its block.
        """
        here = summary[:, -1:]
        x = self.stem(summary)
        levels = []
        for level, unit in enumerate(self.encoder):
            x = unit(x)
            if level < len(self.down):
                levels.append(x)
                x = self.down[level](x)  # (N, C, h / 2, w / 2), rounded up
        weight = F.interpolate(here, x.shape[-2:], mode="area")
        mean = (x * weight).sum((2, 3), keepdim=True) / weight.sum((2, 3), keepdim=True).clamp_(
            1e-3
        )
        x = x + self.everywhere(mean)
        for level in reversed(range(len(self.decoder))):
            skipped = levels[level]
            wide = F.interpolate(self.up[level](x), scale_factor=2.0, mode="nearest")
            x = self.decoder[level](skipped + wide[..., : skipped.shape[2], : skipped.shape[3]])
        return torch.cat([self.features(x), self.paper(x)], 1)


class TileNetwork(nn.Module):
    """Encoder, bottleneck, mirrored decoder, and four maps that turn the dirty page clean."""

    def __init__(self, options: PageAutoencoderOptions):
        super().__init__()
        self.options = options
        channels, layers, patch = options.channels, options.layers, options.patch
        self.stem = ConvUnit(3 * patch**2, channels[0])
        self.encoder = nn.ModuleList(_stack(c, n) for c, n in zip(channels, layers, strict=True))
        self.down = nn.ModuleList(ConvUnit(a, b, 2, 2) for a, b in pairwise(channels))
        self.context = nn.Conv2d(options.features, channels[self.context_level], 1, bias=False)
        inner = options.embedding
        self.squeeze = ConvUnit(channels[-1], inner, 1) if inner else None
        self.expand = ConvUnit(inner, channels[-1], 1) if inner else None
        self.up = nn.ModuleList(nn.Conv2d(b, 4 * a, 1) for a, b in pairwise(channels))
        self.decoder = nn.ModuleList(
            _stack(c, n) for c, n in zip(channels[:-1], layers[:-1], strict=True)
        )
        self.head = nn.Conv2d(channels[0], MAPS * patch**2, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    @property
    def context_level(self) -> int:
        """The level whose positions are blocks: there the context's features are added."""
        return (BLOCK // self.options.patch).bit_length() - 1

    @property
    def stride(self) -> int:
        """Total stride in pixels: heights and widths must be multiples of it."""
        return self.options.patch << (len(self.options.channels) - 1)

    @property
    def receptive_radius(self) -> int:
        """Farthest pixel, in rows or columns, that can change an output pixel.

        Counted along the deepest path: a 3x3 convolution at a scale of s pixels reaches s farther
        to each side; blocks of a stride add at most the total stride.
        """
        scales = [self.options.patch << level for level in range(len(self.options.channels))]
        *outer, deepest = zip(scales, self.options.layers, strict=True)
        reach = 2 * scales[0]  # stem and head
        reach += sum(2 * scale * count for scale, count in outer)
        reach += deepest[0] * deepest[1]
        return reach + self.stride - 1

    def encode(self, x: Tensor, features: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the bottleneck, and the encoder's levels that skip it, outermost first.

        Args:
            x: (N, 3, H, W) relative to the paper, H and W multiples of `stride`.
            features: (N, F, H / 16, W / 16) of the blocks under it.
        """
        if x.shape[-2] % self.stride or x.shape[-1] % self.stride:
            raise ValueError(f"height and width must be multiples of {self.stride}: {x.shape}")
        # ink is 1 inside the network, so that padding with zeros means paper
        x = self.stem(F.pixel_unshuffle(1 - x, self.options.patch))
        levels = []
        for level, stack in enumerate(self.encoder):
            x = stack(x)
            if level < len(self.down):
                levels.append(x)
                here = self.context(features) if level + 1 == self.context_level else None
                x = self.down[level](x, here)
        return (self.squeeze(x) if self.squeeze is not None else x), levels

    def decode(self, x: Tensor, levels: Sequence[Tensor]) -> list[Tensor]:
        """Return the decoder's levels, innermost first, of what `encode` returned."""
        decoded = [self.expand(x) if self.expand is not None else x]
        for level in reversed(range(len(self.decoder))):
            wide = F.pixel_shuffle(self.up[level](decoded[-1]), 2)
            decoded.append(self.decoder[level](wide + levels[level]))
        return decoded

    def maps(self, outermost: Tensor) -> Tensor:
        """Return the maps, (N, MAPS, H, W) float32, of the decoder's outermost level."""
        return F.pixel_shuffle(self.head(outermost).float(), self.options.patch)

    def forward(self, x: Tensor, features: Tensor) -> Tensor:
        """Return the maps of tiles; arguments as for `encode`."""
        return self.maps(self.decode(*self.encode(x, features))[-1])


class PageAutoencoder(nn.Module):
    """Cleans pages: `cleaned = gain * page + offset`, a gain and an offset for every value.

    Colours are seen relative to the paper, which the context network estimates: so paper of any
    colour is white, and black ink is as neutral on brown paper as on blue. The tile network says
    how much of a pixel stays (gain), what is added (offset), how much of its fine detail comes back
    (sharpening, as by unsharp masking) and how much of its colour (saturation).
    """

    def __init__(self, options: PageAutoencoderOptions | None = None):
        super().__init__()
        self.options = options = options or PageAutoencoderOptions()
        self.context = ContextNetwork(options)
        self.tiles = TileNetwork(options)

    @property
    def stride(self) -> int:
        """Heights and widths of tiles must be multiples of it, and of `BLOCK`."""
        return max(self.tiles.stride, BLOCK)

    @property
    def receptive_radius(self) -> int:
        """Farthest pixel of a tile that can change an output pixel, its context aside."""
        return self.tiles.receptive_radius

    def fold(self) -> "PageAutoencoder":
        """Fold every batch normalisation into its convolution; switches to eval mode."""
        self.eval()
        for module in self.modules():
            if isinstance(module, ConvUnit):
                module.fold()
        return self

    @property
    def macs_per_pixel(self) -> float:
        """Multiply-adds per pixel of a page, its context included."""
        side, total = 32 * BLOCK, 0

        def count(conv: nn.Module, inputs: object, result: Tensor) -> None:
            nonlocal total
            assert isinstance(conv, nn.Conv2d)
            total += conv.weight.numel() * result[:, 0].numel()

        alike = copy.deepcopy(self).to("meta").eval()  # which has shapes, and computes nothing
        for part in alike.modules():
            if isinstance(part, nn.Conv2d):
                part.register_forward_hook(count)
        blocks = side // BLOCK
        alike(
            torch.empty(1, 3, side, side, device="meta"),
            torch.empty(1, SUMMARY_CHANNELS, blocks, blocks, device="meta"),
        )
        return total / side**2

    def forward(self, pages: Tensor, summaries: Tensor) -> Tensor:
        """Clean whole pages.

        Args:
            pages: (N, 3, H, W) in 0..1, H and W multiples of `stride`.
            summaries: (N, 9, H / 16, W / 16), see `SUMMARY_CHANNELS`.

        Returns:
            (N, 3, H, W), about 0..1, not clamped: the loss needs what is beyond.
        """
        features, paper = self.context(summaries)
        paper = F.interpolate(
            F.pad(paper, (1, 1, 1, 1), mode="replicate"), scale_factor=BLOCK, mode="bilinear"
        )
        return self.clean(pages, features, paper[..., BLOCK:-BLOCK, BLOCK:-BLOCK])

    def encode_levels(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the bottleneck and the levels before it, of crops of which no page is known.

        Args:
            x: (N, 1, H, W) in 0..1, H and W multiples of `stride`.
        """
        blocks = x.shape[2] // BLOCK, x.shape[3] // BLOCK
        features = x.new_zeros(len(x), self.options.features, *blocks)
        return self.tiles.encode(x.expand(-1, 3, -1, -1), features)

    def clean(self, x: Tensor, features: Tensor, paper: Tensor) -> Tensor:
        """Clean tiles; returns (N, 3, H, W), not clamped.

        Args:
            x: (N, 3, H, W) in 0..1.
            features: (N, F, H / 16, W / 16).
            paper: (N, 3, H, W), its colour at every pixel.
        """
        x = (x / paper).clamp(max=BRIGHTEST)
        gain, offset = combine(self.tiles(x, features).split(1, dim=1), x)
        return gain * x + offset


def combine(maps: Sequence[Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """Return gain and offset, each (N, 1, H, W) for all channels, from the tile network's maps.

    Fine detail is the luminance's, so that sharpening brings no colour into black edges. Colours
    have a gain of their own: less than that of grey where they are dirt, and up to four times as
    much where ink has faded, which would come back black if only its luminance did.

    Of one channel is said what is said of three equal ones. That gain times page and offset come to
    the same is not enough: where the page has another size than what the network sees of it, the
    gain is for its own pixels, and the offset holds what was seen.

    Args:
        maps: the `MAPS` of them, each (N, 1, H, W).
        x: (N, 3 or 1, H, W) relative to the paper.
    """
    gain, offset, sharpening, saturation = maps
    gain = gain.sigmoid()
    grey = luminance(x) if x.shape[1] == 3 else x
    offset = torch.addcmul(offset, sharpening, detail(grey))
    kept = gain * (saturation + 2).sigmoid()  # at first, colours stay
    kept = kept + saturation.clamp(0, MOST_SATURATION) / 2
    return kept, torch.addcmul(offset, gain - kept, grey)


def luminance(x: Tensor) -> Tensor:
    """Return the luma of (N, 3, H, W), (N, 1, H, W), by the weights of ITU-R BT.601."""
    red, green, blue = x.split(1, dim=1)
    luma: Tensor = 0.299 * red + 0.587 * green + 0.114 * blue
    return luma


def detail(x: Tensor) -> Tensor:
    """Return by how much each pixel of (N, C, H, W) exceeds the mean of its four neighbours."""
    padded = F.pad(x, (1, 1, 1, 1), mode="replicate")
    around = padded[..., :-2, 1:-1] + padded[..., 2:, 1:-1]
    around = around + padded[..., 1:-1, :-2] + padded[..., 1:-1, 2:]
    return torch.addcmul(x, around, x.new_tensor(-0.25))


def _stack(channels: int, layers: int) -> nn.Sequential:
    return nn.Sequential(*(ConvUnit(channels, channels) for _ in range(layers)))
