"""Networks that see luminance, and nothing of the page but a tile, at work.

`pagewash.models.autoencoder.Autoencoder` is one; in floats or on integers.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from pagewash.cleaning.embedding import thumbnail
from pagewash.cleaning.scale import LARGEST
from pagewash.inference.features import FeatureRecorder
from pagewash.inference.int8 import ActivationRanges, Int8Autoencoder
from pagewash.inference.network import Network, TileMaps, TileView
from pagewash.models.autoencoder import Autoencoder
from pagewash.pages import Pixels


class PredictsAffine(Network, Protocol):
    """What is asked of such a network."""

    def predict_affine(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Gain and offset for every pixel of (N, 1, H, W) in 0..1, where 1 is white."""


class LuminanceNetwork:
    """Such a network, ready for inference."""

    sees_colour = False

    def __init__(
        self,
        network: PredictsAffine,
        device: torch.device,
        dtype: torch.dtype,
        ranges: ActivationRanges,
    ):
        """Take a network.

        Args:
            network: in eval mode, on the device.
            device: where it runs.
            dtype: what its convolutions compute in; uint8 is for integers.
            ranges: what integers need.
        """
        self._floats, self._device, self._dtype = network, device, dtype
        self._network = network
        if dtype == torch.uint8 and isinstance(network, Autoencoder):
            self._network = Int8Autoencoder(network, ranges)
        # one with a finish is there for exact edges, and small print wants them most
        self._twice = isinstance(network, Autoencoder) and network.finish is not None
        self.stride = network.stride
        # an enlarged view may be shifted
        self.receptive_radius = network.receptive_radius + (round(LARGEST) - 1) * self._twice

    def look(self, view: Pixels) -> None:
        """It knows nothing of the page."""

    @torch.inference_mode()
    def predict_affine(
        self, tiles: Sequence[TileView], *, features: bool = False
    ) -> list[TileMaps]:
        """Say how tiles become clean; see `pagewash.inference.network.ReadyNetwork`."""
        view = load(np.stack([tile.pixels for tile in tiles])[:, None], self._device)
        network, scale = self._network, tiles[0].scale
        recorder = None
        if features and isinstance(network, Autoencoder | Int8Autoencoder):
            network = recorder = FeatureRecorder(network)
        halved = self._dtype in (torch.bfloat16, torch.float16)
        with torch.autocast(self._device.type, self._dtype, enabled=halved):
            view = view.float().div_(255)
            gain, offset = network.predict_affine(view)
            if self._twice and scale > 1:
                _average((gain, offset), network, view, round(scale))
        seen = recorder.features() if recorder else [None] * len(tiles)
        return [TileMaps(*maps) for maps in zip(gain, offset, seen, strict=True)]

    @torch.inference_mode()
    def layout(self, cleaned: Pixels) -> NDArray[np.float32] | None:
        """What it sees where on a page; see `pagewash.inference.network.ReadyNetwork`."""
        network = self._floats
        if not isinstance(network, Autoencoder):
            return None
        small = thumbnail(cleaned, network.options.patch)
        x = torch.from_numpy(small)[None, None].to(self._device).float().div(255)
        beyond = [-side % network.stride for side in small.shape]
        code, levels = network.encode_levels(F.pad(x, (0, beyond[1], 0, beyond[0]), value=1.0))
        outermost = (levels[0] if levels else code)[0].flatten(1)
        return np.asarray(outermost.cpu().numpy(), np.float32)


def load(pixels: Pixels, device: torch.device) -> Tensor:
    """Return pixels that nobody else has as a tensor on the device."""
    tensor = torch.from_numpy(pixels)
    if device.type == "cuda":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def _average(maps: Sequence[Tensor], network: PredictsAffine, view: Tensor, by: int) -> None:
    """Average maps of a view, in place, with those that it gets when it is shifted.

    What hangs on how letters lie to the blocks that a network sees is noise (cycle spinning,
    Coifman and Donoho 1995).

    Args:
        maps: (N, 1, H, W) each.
        network: they are from.
        view: (N, 1, H, W) in 0..1.
        by: pixels of the view, downward and to the right; that many last rows and columns of the
            maps stay as they are.
    """
    shifted = F.pad(view[..., :-by, :-by], (by, 0, by, 0), mode="replicate")
    for values, again in zip(maps, network.predict_affine(shifted), strict=True):
        values[..., :-by, :-by].lerp_(again[..., by:, by:], 0.5)
