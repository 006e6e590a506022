"""A batch of tiles through a network: what it says of them is applied to their pages.

The only place that moves pixels to a device and computes in its precision. Knows no order of
pages and no memory limits.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from pagewash.cleaning.scale import LARGEST
from pagewash.inference.architectures import architecture_of
from pagewash.inference.batches import TileTask
from pagewash.inference.checkpoint import ModelCard, read_ranges
from pagewash.inference.heap import keep_freed_memory
from pagewash.inference.network import Features, Network, ReadyNetwork
from pagewash.inference.precision import Precision, choose_device, choose_precision
from pagewash.inference.regions import Region
from pagewash.inference.tiles import round_up
from pagewash.options import PrecisionName
from pagewash.pages import Pixels

BAND_PIXELS = 2500 * 64
"""Of the view, whose cleaned pixels are computed at once: few enough to stay in the cache. Enlarged
maps of a whole tile would pass through memory ten times."""


@dataclass(frozen=True)
class InferenceSession:
    """A network that is ready for inference."""

    network: ReadyNetwork
    """What to run."""

    device: torch.device
    """Where."""

    precision: Precision
    """What its convolutions compute in, and why."""


def open_session(
    network: Network, card: ModelCard, device: str, precision: PrecisionName, sha256: str = ""
) -> InferenceSession:
    """Choose device and precision, and bring a network there.

    On a CPU, this process keeps the memory that it frees from here on (see `heap`).

    Args:
        network: a module is moved and switched to eval mode.
        card: has the activation ranges for int8.
        device: auto, cpu, cuda, cuda:N or mps.
        precision: what it computes in; auto is the fastest that the device does well.
        sha256: hash of its weights; empty for a network that was never on disk.

    Raises:
        OptionError: a device or a precision that cannot work here, or with this network.
        MissingError: the device is not there.
    """
    where, ranges, architecture = choose_device(device), read_ranges(card), architecture_of(network)
    int8 = architecture.can_run_int8(network, ranges)
    chosen = choose_precision(precision, where, int8=int8, model=sha256)
    if where.type == "cpu":
        keep_freed_memory()
    if isinstance(network, torch.nn.Module):
        network.eval()
        network.to(where)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    ready = architecture.ready(network, where, chosen.dtype, ranges)
    return InferenceSession(ready, where, chosen)


def clean_tiles(
    batch: Sequence[TileTask], session: InferenceSession, *, features: bool = False
) -> list[Features | None]:
    """Clean tiles of one kind, and fill in their pixels.

    Args:
        batch: tiles with windows of one size, seen at one scale.
        session: says where to compute, and in what: the page's own pixels stay in float32.
        features: whether those of the tiles are wanted.

    Returns:
        Features of each tile, where they were wanted and the network has any.

    Raises:
        torch.OutOfMemoryError: the batch does not fit the device.
    """
    with torch.inference_mode():
        views = [task.cut_view() for task in batch]
        maps = session.network.predict_affine(views, features=features)
        for of_tile, task in zip(maps, batch, strict=True):
            _apply((of_tile.gain, of_tile.offset), task, session.device)
    return [of_tile.features for of_tile in maps]


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
        own = torch.from_numpy(page.copy())
        if gain.device.type == "cuda":
            own = own.pin_memory()
        own = own.to(gain.device, non_blocking=True)
        mixed = torch.addcmul(255 * offset, gain, own.float())
        cleaned[:] = mixed.round_().clamp_(0, 255).to(torch.uint8).cpu().numpy()
        return
    scaled = page.astype(np.float32)  # numpy and OpenCV take half the time
    scaled *= gain.numpy()
    whole = cleaned if cleaned.strides[1] == 1 else None  # OpenCV fills no channel of several
    filled = cv2.addWeighted(scaled, 1, offset.numpy(), 255, 0, whole, dtype=cv2.CV_8U)
    if whole is None:
        cleaned[:] = filled


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
