"""A batch of tiles through a network: arrays in, cleaned arrays out.

The only place that moves pixels to a device and computes in its precision. Knows no order of
pages and no memory limits.
"""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from models.autoencoder import Autoencoder
from pipeline.cleaning.batches import Piece
from pipeline.cleaning.heap import keep_freed_memory
from pipeline.cleaning.integers import IntegerAutoencoder, Ranges
from pipeline.pages import Pixels


class Network(Protocol):
    """What a cleaner asks of a network; `models.autoencoder.Autoencoder` is one."""

    @property
    def stride(self) -> int:
        """Heights and widths must be multiples of it."""

    @property
    def receptive_radius(self) -> int:
        """Farthest pixel, in rows or columns, that can change an output pixel."""

    def coefficients(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Gain and offset for every pixel of (N, 1, H, W) in 0..1, where 1 is white."""


def prepare(
    network: Network,
    device: torch.device,
    dtype: torch.dtype,
    ranges: Ranges = MappingProxyType({}),
) -> Network:
    """Bring a network to a device, ready for inference; returns what to run there.

    On a CPU, this process keeps the memory that it frees from here on (see `heap`).

    Args:
        network: a module is moved and switched to eval mode.
        device: where it will run.
        dtype: what convolutions will compute in; uint8 for integers.
        ranges: for integers.
    """
    if device.type == "cpu":
        keep_freed_memory()
    if isinstance(network, torch.nn.Module):
        network.eval()
        network.to(device)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if dtype == torch.uint8 and isinstance(network, Autoencoder):
        return IntegerAutoencoder(network, ranges)
    return network


def clean_windows(
    network: Network, batch: Sequence[Piece], device: torch.device, dtype: torch.dtype
) -> Pixels:
    """Clean the windows of pieces of one kind.

    Args:
        network: on the device.
        batch: pieces with windows of one size, seen at one scale.
        device: where to compute.
        dtype: what convolutions compute in, as for `prepare`; the page's own pixels stay in
            float32.

    Returns:
        (N, H, W) uint8: the windows at the pages' own size, halos included.

    Raises:
        torch.OutOfMemoryError: the batch does not fit the device.
    """
    scale = batch[0].job.scale
    with torch.inference_mode():
        view = _load([piece.cut_view() for piece in batch], device)
        with torch.autocast(device.type, dtype, enabled=dtype in (torch.bfloat16, torch.float16)):
            gain, offset = network.coefficients(view)
        gain, offset = (_rescale(values.float(), 1 / scale) for values in (gain, offset))
        page = view if scale == 1 else _load([piece.cut_page() for piece in batch], device)
        cleaned = offset.addcmul_(gain, page).mul_(255).round_().clamp_(0, 255)
        return np.asarray(cleaned.to(torch.uint8)[:, 0].cpu().numpy(), np.uint8)


def _load(windows: list[Pixels], device: torch.device) -> Tensor:
    """Return windows as (N, 1, H, W) float32 in 0..1 on the device."""
    batch = torch.from_numpy(np.stack(windows)[:, None])
    if device.type == "cuda":
        batch = batch.pin_memory()
    return batch.to(device, non_blocking=True).float().div_(255)


def _rescale(values: Tensor, factor: float) -> Tensor:
    """Bring a map to another size, aligned by the edges of its pixels."""
    if factor > 1:
        return F.interpolate(values, scale_factor=factor, mode="bilinear", align_corners=False)
    return F.avg_pool2d(values, round(1 / factor)) if factor < 1 else values
