"""A batch of tiles through a network: arrays in, cleaned arrays out.

The only place that moves pixels to a device and computes in its precision. Knows no order of
pages and no memory limits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from models.autoencoder import Autoencoder
from pipeline.cleaning.batches import Piece
from pipeline.cleaning.checkpoint import ModelCard, read_ranges
from pipeline.cleaning.heap import keep_freed_memory
from pipeline.cleaning.integers import IntegerAutoencoder, Ranges, can_compute
from pipeline.cleaning.precision import Precision, choose_device, choose_precision
from pipeline.options import PrecisionName
from pipeline.pages import Pixels

BAND = 64
"""Rows of the view whose cleaned pixels are computed at once: few enough to stay in the cache.
Enlarged maps of a whole tile would pass through memory ten times."""


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


@dataclass(frozen=True)
class Ready:
    """A network that is ready for inference."""

    network: Network
    """What to run."""

    device: torch.device
    """Where."""

    precision: Precision
    """What its convolutions compute in, and why."""


def prepare(network: Network, card: ModelCard, device: str, precision: PrecisionName) -> Ready:
    """Choose device and precision, and bring a network there.

    On a CPU, this process keeps the memory that it frees from here on (see `heap`).

    Args:
        network: a module is moved and switched to eval mode.
        card: has the ranges for integers.
        device: auto, cpu, cuda, cuda:N or mps.
        precision: what it computes in; auto is the fastest that the device does well.

    Raises:
        OptionError: a device or a precision that cannot work here, or with this network.
        MissingError: the device is not there.
    """
    where = choose_device(device)
    ranges = read_ranges(card)
    chosen = choose_precision(precision, where, integers=can_compute(network, ranges))
    return Ready(_bring(network, where, chosen.dtype, ranges), where, chosen)


def _bring(network: Network, device: torch.device, dtype: torch.dtype, ranges: Ranges) -> Network:
    """Move a network to a device; returns what to run there."""
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
        dtype: what convolutions compute in, uint8 for integers; the page's own pixels stay in
            float32.

    Returns:
        (N, H, W) uint8: the windows at the pages' own size, halos included.

    Raises:
        torch.OutOfMemoryError: the batch does not fit the device.
    """
    scale = batch[0].job.scale
    with torch.inference_mode():
        view = _load([piece.cut_view() for piece in batch], device)
        page = view if scale == 1 else _load([piece.cut_page() for piece in batch], device)
        with torch.autocast(device.type, dtype, enabled=dtype in (torch.bfloat16, torch.float16)):
            gain, offset = network.coefficients(view.float().div_(255))
        offset = offset.float().mul_(255)
        cleaned = torch.empty_like(page)
        for start in range(0, view.shape[-2], BAND):
            stop = min(start + BAND, view.shape[-2])
            gains, result = (_rescale_rows(m, start, stop, 1 / scale) for m in (gain, offset))
            rows = slice(round(start / scale), round(stop / scale))
            result.addcmul_(gains, page[..., rows, :].float())
            cleaned[..., rows, :] = result.round_().clamp_(0, 255)
        return np.asarray(cleaned[:, 0].cpu().numpy(), np.uint8)


def _load(windows: list[Pixels], device: torch.device) -> Tensor:
    """Return windows as (N, 1, H, W) uint8 on the device."""
    batch = torch.from_numpy(np.stack(windows)[:, None])
    if device.type == "cuda":
        batch = batch.pin_memory()
    return batch.to(device, non_blocking=True)


def _rescale_rows(values: Tensor, start: int, stop: int, factor: float) -> Tensor:
    """Bring rows of a map to another size, aligned by the edges of its pixels.

    Returns:
        Equal to the same rows of the whole map at that size; a view of them where it has that size.
    """
    if factor <= 1:
        rows = values[..., start:stop, :].float()
        return F.avg_pool2d(rows, round(1 / factor)) if factor < 1 else rows
    # one row more on either side to interpolate with, where there is one
    first, last = max(start - 1, 0), min(stop + 1, values.shape[-2])
    enlarged = _enlarge(values[..., first:last, :].float(), round(factor))
    return enlarged.narrow(-2, round((start - first) * factor), round((stop - start) * factor))


def _enlarge(values: Tensor, factor: int) -> Tensor:
    """Enlarge (N, 1, h, w) float32 maps bilinearly."""
    if values.device.type != "cpu":
        return F.interpolate(values, scale_factor=factor, mode="bilinear", align_corners=False)
    # OpenCV takes a fifth of the time
    count, _, height, width = values.shape
    enlarged = np.empty((count, 1, height * factor, width * factor), np.float32)
    for one, large in zip(values[:, 0], enlarged[:, 0], strict=True):
        cv2.resize(one.numpy(), large.shape[::-1], large, interpolation=cv2.INTER_LINEAR)
    return torch.from_numpy(enlarged)
