"""A batch of tiles through a network: what it says of them is applied to their pages.

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

from pagewash.cleaning.scale import LARGEST
from pagewash.inference.batches import TileTask
from pagewash.inference.checkpoint import ModelCard, read_ranges
from pagewash.inference.heap import keep_freed_memory
from pagewash.inference.int8 import ActivationRanges, Int8Autoencoder, can_run_int8
from pagewash.inference.int8_tiles import can_run_int8_tiles
from pagewash.inference.page_network import PageNetwork
from pagewash.inference.precision import Precision, choose_device, choose_precision
from pagewash.inference.regions import Region
from pagewash.inference.tiles import round_up
from pagewash.models.autoencoder import Autoencoder
from pagewash.models.page_autoencoder import PageAutoencoder
from pagewash.options import PrecisionName
from pagewash.pages import Pixels

BAND_PIXELS = 2500 * 64
"""Of the view, whose cleaned pixels are computed at once: few enough to stay in the cache. Enlarged
maps of a whole tile would pass through memory ten times."""


class Network(Protocol):
    """What a cleaner asks of a network that sees luminance, and nothing of the page but a tile;
    `pagewash.models.autoencoder.Autoencoder` is one.
    """

    @property
    def stride(self) -> int:
        """Heights and widths must be multiples of it."""

    @property
    def receptive_radius(self) -> int:
        """Farthest pixel, in rows or columns, that can change an output pixel."""

    def predict_affine(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Gain and offset for every pixel of (N, 1, H, W) in 0..1, where 1 is white."""


@dataclass(frozen=True)
class InferenceSession:
    """A network that is ready for inference."""

    network: Network | PageNetwork
    """What to run."""

    device: torch.device
    """Where."""

    precision: Precision
    """What its convolutions compute in, and why."""

    twice: bool
    """Whether it looks twice at what is enlarged: a network with a finish is there for exact edges,
    and small print wants them most."""


def open_session(
    network: Network | PageAutoencoder, card: ModelCard, device: str, precision: PrecisionName
) -> InferenceSession:
    """Choose device and precision, and bring a network there.

    On a CPU, this process keeps the memory that it frees from here on (see `heap`).

    Args:
        network: a module is moved and switched to eval mode.
        card: has the activation ranges for int8.
        device: auto, cpu, cuda, cuda:N or mps.
        precision: what it computes in; auto is the fastest that the device does well.

    Raises:
        OptionError: a device or a precision that cannot work here, or with this network.
        MissingError: the device is not there.
    """
    where = choose_device(device)
    ranges = read_ranges(card)
    if isinstance(network, PageAutoencoder):
        int8 = can_run_int8_tiles(network.tiles, ranges)
    else:
        int8 = can_run_int8(network, ranges)
    chosen = choose_precision(precision, where, int8=int8)
    twice = isinstance(network, Autoencoder) and network.finish is not None
    return InferenceSession(_bring(network, where, chosen.dtype, ranges), where, chosen, twice)


def _bring(
    network: Network | PageAutoencoder,
    device: torch.device,
    dtype: torch.dtype,
    ranges: ActivationRanges,
) -> Network | PageNetwork:
    """Move a network to a device; returns what to run there."""
    if device.type == "cpu":
        keep_freed_memory()
    if isinstance(network, torch.nn.Module):
        network.eval()
        network.to(device)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if isinstance(network, PageAutoencoder):
        return PageNetwork(network, device, dtype, ranges)
    if dtype == torch.uint8 and isinstance(network, Autoencoder):
        return Int8Autoencoder(network, ranges)
    return network


def clean_tiles(
    network: Network | PageNetwork, batch: Sequence[TileTask], session: InferenceSession
) -> None:
    """Clean tiles of one kind, and fill in their pixels.

    Args:
        network: that of `session`, or one that watches it.
        batch: tiles with windows of one size, seen at one scale.
        session: says where to compute, and in what: the page's own pixels stay in float32.

    Raises:
        torch.OutOfMemoryError: the batch does not fit the device.
    """
    device, dtype, scale = session.device, session.precision.dtype, batch[0].state.scale
    with torch.inference_mode():
        if isinstance(network, PageNetwork):
            views = [task.cut_view() for task in batch]
            contexts = [task.state.context for task in batch if task.state.context]
            windows = [task.tile.window for task in batch]
            for task, maps in zip(
                batch, network.predict_affine(views, contexts, windows), strict=True
            ):
                _apply(maps, task, device)
            return
        view = _load(np.stack([task.cut_view() for task in batch])[:, None], device)
        with torch.autocast(device.type, dtype, enabled=dtype in (torch.bfloat16, torch.float16)):
            view = view.float().div_(255)
            gain, offset = network.predict_affine(view)
            if session.twice and scale > 1:
                _average((gain, offset), network, view, round(scale))
        for task, *said in zip(batch, gain, offset, strict=True):
            _apply(said, task, device)


def _average(maps: Sequence[Tensor], network: Network, view: Tensor, by: int) -> None:
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


def _apply(maps: Sequence[Tensor], task: TileTask, device: torch.device) -> None:
    """Apply gain, (C, h, w), and offset, (1, h, w), of a tile's window to its core's pixels."""
    gain, offset = maps
    for channel, (page, cleaned) in enumerate(
        zip(_planes(task.page), _planes(task.cleaned), strict=True)
    ):
        _apply_to_plane([gain[channel : channel + 1], offset], page, cleaned, task, device)


def _planes(pixels: Pixels) -> list[Pixels]:
    """The channels of (H, W) or (H, W, 3)."""
    return [pixels] if pixels.ndim == 2 else [pixels[..., c] for c in range(pixels.shape[2])]


def _apply_to_plane(
    maps: Sequence[Tensor], page: Pixels, cleaned: Pixels, task: TileTask, device: torch.device
) -> None:
    """Apply gain and offset, each (1, h, w), to one channel of a tile's core."""
    core, factor = task.core, 1 / task.state.scale
    height = len(core.rows)
    if device.type == "cpu":  # a band begins where a pixel of the page does
        height = round_up(max(BAND_PIXELS // len(core.columns), 1), round(LARGEST))
    for start in core.rows[::height]:
        band = Region(range(start, min(start + height, core.rows.stop)), core.columns)
        gain, offset = (_rescaled(values, band, factor)[0] for values in maps)
        top = round((start - core.rows.start) * factor)
        own, filled = (pixels[top : top + len(gain)] for pixels in (page, cleaned))
        within = np.s_[: own.shape[0], : own.shape[1]]  # a page may end within a pixel of the view
        _mix(gain[within], offset[within], own, filled)


def _mix(gain: Tensor, offset: Tensor, page: Pixels, cleaned: Pixels) -> None:
    """Fill in gain * page + 255 * offset, rounded to what a pixel can hold; all are (h, w)."""
    if gain.device.type != "cpu":
        mixed = torch.addcmul(255 * offset, gain, _load(page.copy(), gain.device).float())
        cleaned[:] = mixed.round_().clamp_(0, 255).to(torch.uint8).cpu().numpy()
        return
    scaled = page.astype(np.float32)  # numpy and OpenCV take half the time
    scaled *= gain.numpy()
    whole = cleaned if cleaned.strides[1] == 1 else None  # OpenCV fills no channel of several
    filled = cv2.addWeighted(scaled, 1, offset.numpy(), 255, 0, whole, dtype=cv2.CV_8U)
    if whole is None:
        cleaned[:] = filled


def _load(pixels: Pixels, device: torch.device) -> Tensor:
    """Return pixels that nobody else has as a tensor on the device."""
    tensor = torch.from_numpy(pixels)
    if device.type == "cuda":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def _rescaled(values: Tensor, region: Region, factor: float) -> Tensor:
    """Bring a region of a map, (1, h, w), to another size, aligned by the edges of its pixels.

    Returns:
        Equal to the same region of the whole map at that size; may be changed.
    """
    if factor <= 1:
        part = values[..., *region.slices].float()
        return F.avg_pool2d(part, round(1 / factor)) if factor < 1 else part
    # a pixel more on each side to interpolate with, where there is one
    around = Region(
        *(range(span.start - 1, span.stop + 1) for span in (region.rows, region.columns))
    )
    around = around.clipped(values.shape[-2:])
    enlarged = _enlarge(values[..., *around.slices].float(), round(factor))
    return enlarged[..., *region.within(around).scaled(factor).slices]


def _enlarge(values: Tensor, factor: int) -> Tensor:
    """Enlarge a (1, h, w) float32 map bilinearly."""
    if values.device.type != "cpu":
        return F.interpolate(values[None], scale_factor=factor, mode="bilinear")[0]
    # OpenCV takes a fifth of the time
    size = values.shape[-1] * factor, values.shape[-2] * factor
    enlarged = cv2.resize(values[0].numpy(), size, interpolation=cv2.INTER_LINEAR)
    return torch.from_numpy(enlarged)[None]
