"""The page autoencoder at work: once per page its context, then what it says of tiles.

Pages and tiles are bytes as they come from a scan; what the network says of them are a gain and an
offset for every value, by which the page's own pixels are cleaned. Knows no files and no order of
pages.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from pagewash.cleaning.embedding import thumbnail
from pagewash.cleaning.page_summary import summarise_page
from pagewash.inference.int8 import ActivationRanges
from pagewash.inference.int8_tiles import INPUT, Int8TileNetwork
from pagewash.inference.network import Features, TileMaps, TileView
from pagewash.inference.openmp import one_thread
from pagewash.inference.page_context import PageContext
from pagewash.models.page_autoencoder import BLOCK, BRIGHTEST, PageAutoencoder, combine
from pagewash.pages import Pixels

Floats = NDArray[np.float32]

ROWS = 4
"""Rows of each block that features are taken from: their averages say as much as those of all."""

BAND_PIXELS = 2**18
"""Of a tile, whose maps become gain and offset at once: few enough to stay in the cache."""

WHITER = 1 / 255
"""Added to every offset on integers, whose errors of rounding are about as large: what is whiter
than white is cut off, and so are errors to that side."""


class PageNetwork:
    """A page autoencoder that is ready for inference, in floats or on integers."""

    def __init__(
        self,
        network: PageAutoencoder,
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
        self.stride, self.receptive_radius = network.stride, network.receptive_radius
        self._network, self._device, self._dtype = network, device, dtype
        self._on_integers = Int8TileNetwork(network.tiles, ranges) if dtype == torch.uint8 else None

    @torch.inference_mode()
    def look(self, view: Pixels) -> PageContext:
        """Look at a page once, at the size at which the network sees it.

        Args:
            view: (H, W) or (H, W, 3) RGB.
        """
        summary = torch.from_numpy(summarise_page(view))[None].to(self._device)
        with one_thread():  # the same bytes, however many threads there are
            context = self._network.context(summary)
        paper = context.paper[0].float().permute(1, 2, 0).cpu().numpy()
        features, described = context.features, context.features[0].float().cpu().numpy()
        nothing = 0
        if self._on_integers:
            features, nothing = self._on_integers.context(features), self._on_integers.no_context
        if view.ndim == 2:
            paper = paper.mean(2, keepdims=True)
        return PageContext(features, paper, described, nothing)

    @torch.inference_mode()
    def predict_affine(
        self, tiles: Sequence[TileView], *, features: bool = False
    ) -> list[TileMaps]:
        """Say how tiles become clean; see `pagewash.inference.network.ReadyNetwork`."""
        papers = [tile.context.paper_under(tile.window) for tile in tiles]
        told = torch.cat([tile.context.told(tile.window) for tile in tiles])
        # relative to the paper
        seen = [
            np.atleast_3d(tile.pixels) * (np.float32(1 / 255) / paper)
            for tile, paper in zip(tiles, papers, strict=True)
        ]
        if self._on_integers:
            maps, whiter = self._on_integers(_as_bytes(seen), told), WHITER
        else:
            maps, whiter = self._maps(seen, told).split(1, dim=1), 0.0
        each = zip(*(of_all.split(1) for of_all in maps), strict=True)
        cleaning = []
        for tile, said, x, paper in zip(tiles, each, seen, papers, strict=True):
            gain, offset = _affine(said, x, paper, whiter)
            seen_in_it = _features(tile, gain, offset, said, paper) if features else None
            cleaning.append(TileMaps(gain, offset, seen_in_it))
        return cleaning

    def layout(self, cleaned: Pixels) -> Floats:
        """What it sees where on a page; see `pagewash.inference.network.ReadyNetwork`."""
        described = self.look(thumbnail(cleaned, BLOCK)).described
        return np.asarray(described.reshape(described.shape[0], -1), np.float32)

    def _maps(self, seen: Sequence[Floats], features: Tensor) -> Tensor:
        """(N, MAPS, H, W) float32 on the device."""
        stacked = torch.from_numpy(np.stack(seen)).permute(0, 3, 1, 2).to(self._device)
        x = stacked.clamp_(max=BRIGHTEST).expand(-1, 3, -1, -1)
        halved = self._dtype in (torch.bfloat16, torch.float16)
        with torch.autocast(self._device.type, self._dtype, enabled=halved):
            maps: Tensor = self._network.tiles(
                x.contiguous(memory_format=torch.channels_last), features
            )
        return maps


def _features(
    tile: TileView, gain: Tensor, offset: Tensor, said: Sequence[Tensor], paper: Floats
) -> Features:
    """(h, w, C) of the blocks of a tile: what its page's context says, gain, ink, ink squared.

    The gain is that of greys, which is the same in one channel and in three, and whatever the
    saturation does.
    """
    described = tile.context.described_under(tile.window)
    rows = slice(None, None, BLOCK // ROWS)
    page = torch.from_numpy(np.atleast_3d(tile.pixels)[rows].transpose(2, 0, 1).copy())
    some_gain, some_offset = gain[:, rows], offset[:, rows]
    cleaned = torch.addcmul(some_offset, some_gain, page.to(gain.device).float().div(255))
    ink = 1 - cleaned.clamp(0, 1).mean(0, keepdim=True)
    light = torch.from_numpy(paper[rows].mean(2)).to(gain.device)
    of_grey = said[0][0, :, rows].sigmoid() / light
    told = torch.cat([of_grey, ink, ink.square()])
    averaged = F.adaptive_avg_pool2d(told, described.shape[1:]).cpu().numpy()
    return np.ascontiguousarray(np.concatenate([described, averaged]).transpose(1, 2, 0))


def _as_bytes(seen: Sequence[Floats]) -> Tensor:
    """(N, 1 or 3, H, W) uint8 in channels_last, as `INPUT` says, of (H, W, 1 or 3) each."""
    inks = [cv2.convertScaleAbs(np.maximum(255 - x * np.float32(1 / INPUT.step), 0)) for x in seen]
    stacked = torch.from_numpy(np.stack([np.atleast_3d(ink) for ink in inks]))
    return stacked.permute(0, 3, 1, 2)


def _affine(
    maps: Sequence[Tensor], seen: Floats, paper: Floats, whiter: float
) -> tuple[Tensor, Tensor]:
    """Gain, (C, H, W), and offset, (1, H, W), of a tile, from its maps, each (1, 1, H, W)."""
    height, width, channels = seen.shape
    device = maps[0].device
    gain, offset = (torch.empty((n, height, width), device=device) for n in (channels, 1))
    rows = max(BAND_PIXELS // width, 1) if device.type == "cpu" else height
    for start in range(0, height, rows):
        stop = min(start + rows, height)
        # a row more on each side, for the sharpening
        first, last = max(start - 1, 0), min(stop + 1, height)
        x = torch.from_numpy(np.ascontiguousarray(seen[first:last].transpose(2, 0, 1)))
        x = x[None].to(device).clamp(max=BRIGHTEST)  # as it was in training
        of_band, shift = combine([each[:, :, first:last] for each in maps], x)
        inner = slice(start - first, stop - first)
        light = torch.from_numpy(np.ascontiguousarray(paper[start:stop].transpose(2, 0, 1)))
        torch.div(of_band[0, :, inner], light.to(device), out=gain[:, start:stop])
        torch.add(shift[0, :, inner], whiter, out=offset[:, start:stop])
    return gain, offset
