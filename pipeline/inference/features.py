"""What a network makes of a page while it cleans it, averaged over places. Knows no pages."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from pagewash.inference.int8 import Int8Autoencoder
from pagewash.inference.network import Features
from pagewash.models.autoencoder import Autoencoder

ROWS = 4
"""Rows that are looked at of every place's: their averages say as much as those of all."""


class FeatureRecorder:
    """A network whose inner life is watched for one batch."""

    def __init__(self, network: Autoencoder | Int8Autoencoder):
        self._network = network
        self._seen: list[Tensor] = []
        self.stride = network.stride
        self.receptive_radius = network.receptive_radius

    def predict_affine(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Gain and offset, as the network's own."""
        code, levels = self._network.encode_levels(x)
        height, width = code.shape[-2:]
        size = height, width
        outermost = _averaged(_some_rows(levels[0] if levels else code, height), size)
        if isinstance(self._network, Int8Autoencoder):
            outermost *= self._network.level_steps
        gain, offset = self._network.decode(code, levels, x)
        some_gain, some_offset, some_x = (_some_rows(each, height) for each in (gain, offset, x))
        ink = 1 - torch.addcmul(some_offset, some_gain, some_x).clamp_(0, 1)
        maps = some_gain, ink, ink.square()
        self._seen = [outermost, *(_averaged(each, size) for each in maps)]
        return gain, offset

    def features(self) -> Features:
        """What was seen of the batch, averaged over places of one stride.

        Returns:
            (N, h, w, C): channels of the encoder's outermost level, gain, ink, and ink squared.
        """
        seen = torch.cat(self._seen, dim=1).movedim(1, -1)
        return np.asarray(seen.cpu().numpy(), np.float32)


def _averaged(values: Tensor, size: tuple[int, int]) -> Tensor:
    return F.adaptive_avg_pool2d(values.float(), size)


def _some_rows(values: Tensor, places: int) -> Tensor:
    """Take the rows of (N, C, H, W) that are looked at, of so many places one above the other."""
    return values[..., :: max(values.shape[-2] // places // ROWS, 1), :]
