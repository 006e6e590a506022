"""How much goes through a network at once, and how that shrinks where memory is short.

The batch is halved, then its only tile, and what did not fit is not tried again. Knows neither
the network nor the device that it runs on, but their error.
"""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import cv2
import torch

from pagewash.errors import PagewashError
from pagewash.inference.batches import TileTask, batch_pixels

log = logging.getLogger(__name__)

Result = TypeVar("Result")

SHORT = ("can't allocate memory", "could not create a primitive")
"""What torch, and oneDNN under it, say on a processor where memory is short."""


@dataclass
class MemoryBudget:
    """What fits a device, as far as is known."""

    device: str
    """Its name, for messages."""

    tile: int
    """Longest side of a tile, halo included."""

    batch_pixels: int
    """Pixels of a batch."""

    _said: bool = field(default=False, init=False)

    def run(
        self, batch: Sequence[TileTask], work: Callable[[Sequence[TileTask]], list[Result]]
    ) -> list[Result]:
        """Call `work` with a batch, or with smaller parts of it until they fit.

        Returns:
            What it returned, of all parts.

        Raises:
            PagewashError: the smallest of tiles does not fit.
        """
        try:
            return work(batch)
        except (RuntimeError, MemoryError, cv2.error) as error:
            if not _is_short_of_memory(error):
                raise
            said = str(error)
            # the error must be gone before the next try: it holds on to the memory
        parts = _halves(batch, self.device, said)
        self._shrink(batch, parts)
        return [result for part in parts for result in self.run(part, work)]

    def _shrink(self, batch: Sequence[TileTask], parts: Sequence[Sequence[TileTask]]) -> None:
        """Take note that a batch did not fit: nothing larger than its parts is tried again."""
        if not self._said:
            self._said = True
            log.warning(
                "%s has too little memory for %d x %d x %d px at once; going on with less",
                self.device, len(batch), *batch[0].tile.window.shape,
            )  # fmt: skip
        self.batch_pixels = min(self.batch_pixels, *map(batch_pixels, parts))
        if len(batch) == 1:
            plan = batch[0].state.plan
            side = math.isqrt(max(part[0].tile.window.pixels for part in parts))
            side = max(side // plan.stride * plan.stride, 2 * plan.halo + plan.stride)
            self.tile = min(self.tile, side)


def _is_short_of_memory(error: Exception) -> bool:
    """Whether a device, NumPy, OpenCV, or torch on a processor said that memory is short."""
    if isinstance(error, cv2.error):
        return "nsufficient memory" in str(error)
    known = isinstance(error, torch.OutOfMemoryError | MemoryError)
    return known or any(words in str(error) for words in SHORT)


def _halves(
    batch: Sequence[TileTask], device: str, said: str
) -> tuple[Sequence[TileTask], Sequence[TileTask]]:
    if len(batch) > 1:
        middle = len(batch) // 2
        return batch[:middle], batch[middle:]
    task = batch[0]
    halves = task.state.plan.halves(task.tile)
    if halves is None:
        height, width = task.tile.window.shape
        other = "" if device == "cpu" else ", or choose --device cpu"
        raise PagewashError(
            f"{device} has no memory left for a tile of {height} x {width} px ({said}); "
            f"end what else is using it{other}"
        )
    return [TileTask(task.state, halves[0])], [TileTask(task.state, halves[1])]
