"""What the cleaner asks of a network, whichever its architecture.

A network that is ready for inference looks at each page once and then says of tiles how they
become clean: a gain and an offset for every pixel. `pagewash.inference.architectures` lists those
that there are. Knows no files, no order of pages and no device.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pagewash.inference.regions import Region
from pagewash.pages import Pixels

Features = NDArray[np.float32]
"""(h, w, C): what a network tells of each place of a window, besides how to clean it."""


class Network(Protocol):
    """What every network states of itself; what else it has, its architecture knows."""

    @property
    def stride(self) -> int:
        """Heights and widths must be multiples of it."""

    @property
    def receptive_radius(self) -> int:
        """Farthest pixel, in rows or columns, that can change an output pixel of a tile."""


@dataclass(frozen=True, eq=False)
class TileView:
    """What a network gets of a tile."""

    pixels: Pixels
    """(h, w) or (h, w, 3) RGB: the window, at the size at which the network sees the page."""

    window: Region
    """Where it lies on the page, at that size."""

    scale: float = 1.0
    """That size: 0.5 is half the page's height and width."""

    context: Any = None
    """What the network's `look` said of the page."""


@dataclass(frozen=True, eq=False)
class TileMaps:
    """What a network says of a tile: `gain * page + offset` is clean, with the page in 0..1."""

    gain: Tensor
    """(C, h, w) on the network's device, for each channel of the view."""

    offset: Tensor
    """(1, h, w), for all channels."""

    features: Features | None = None
    """What else it tells of the window, where that was asked for and it has any."""


class ReadyNetwork(Network, Protocol):
    """A network that is ready for inference, on its device and in its precision."""

    def look(self, view: Pixels) -> Any:
        """Look at a whole page, once; what is returned comes back with each of its tiles.

        Args:
            view: (H, W) or (H, W, 3) RGB, at the size at which it sees pages.
        """

    def predict_affine(
        self, tiles: Sequence[TileView], *, features: bool = False
    ) -> Sequence[TileMaps]:
        """Say how each of some tiles becomes clean.

        Args:
            tiles: of one shape and scale.
            features: whether their features are wanted, too.

        Raises:
            torch.OutOfMemoryError: they do not fit the device.
        """

    def layout(self, cleaned: Pixels) -> NDArray[np.float32] | None:
        """What it sees where on a thumbnail of a page; None if it cannot tell.

        Args:
            cleaned: (H, W) or (H, W, 3) RGB.

        Returns:
            (C, places), see `pagewash.cleaning.embedding.PLACES`.
        """
