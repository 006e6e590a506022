"""Networks that tests can afford: a small one that has learned nothing, and one that is made up."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pagewash.inference.int8 import kernels_work
from pagewash.inference.network import TileMaps, TileView
from pagewash.models.page_autoencoder import PageAutoencoder, PageAutoencoderOptions

SMALL = PageAutoencoderOptions(
    channels=(8, 8, 8), layers=(1, 1, 1), context_channels=(8, 8), features=4
)


needs_integers = pytest.mark.skipif(
    not kernels_work(), reason="this torch has no integer convolutions for this machine"
)


def small_network(options: PageAutoencoderOptions = SMALL, seed: int = 1) -> PageAutoencoder:
    """Untrained, in eval mode, and not shy: what it says differs from place to place."""
    torch.manual_seed(seed)
    network = PageAutoencoder(options).eval()
    for part in (network.context.features, network.context.paper, network.tiles.head):
        nn.init.normal_(part.weight, std=0.1)
    return network


class FakeNetwork:
    """Whitens: divides by the brightest pixel around, which stands for the paper."""

    stride = 8
    receptive_radius = 24

    def __init__(self, most_pixels: int = 10**9):
        self.most_pixels = most_pixels
        self.refused = 0
        self.shapes: list[tuple[int, ...]] = []

    def look(self, view: np.ndarray) -> None:
        """It needs to know nothing of a page."""

    def predict_affine(
        self, tiles: Sequence[TileView], *, features: bool = False
    ) -> list[TileMaps]:
        x = torch.from_numpy(np.stack([np.atleast_3d(tile.pixels) for tile in tiles]))
        x = x.permute(0, 3, 1, 2).float() / 255
        assert x.shape[2] % self.stride == x.shape[3] % self.stride == 0
        if x.numel() > self.most_pixels:
            self.refused += 1
            raise torch.OutOfMemoryError("CUDA out of memory.")
        self.shapes.append(tuple(x.shape))
        return [TileMaps(*maps) for maps in zip(*self.gain_and_offset(x), strict=True)]

    def gain_and_offset(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Of (N, C, H, W): (N, C, H, W) and (N, 1, H, W)."""
        around = 2 * self.receptive_radius + 1
        paper = F.max_pool2d(x, (around, 1), stride=1, padding=(around // 2, 0))
        paper = F.max_pool2d(paper, (1, around), stride=1, padding=(0, around // 2))
        return 1 / paper.clamp(min=0.1), torch.zeros_like(x[:, :1])

    def layout(self, cleaned: np.ndarray) -> None:
        """It sees nothing anywhere."""

    @property
    def pixels(self) -> int:
        """All that it has seen."""
        return sum(math.prod(shape) for shape in self.shapes)


class WhiteningNetwork(FakeNetwork):
    """Leaves nothing of a page."""

    def gain_and_offset(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return torch.zeros_like(x), torch.ones_like(x[:, :1])
