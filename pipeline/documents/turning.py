"""How stored pixels are turned to stand as a viewer shows them, and back."""

from dataclasses import dataclass

import numpy as np

from pagewash.pages import Pixels


@dataclass(frozen=True)
class Turn:
    """A turn by quarters, perhaps of a mirror image."""

    quarters: int = 0
    """Counter-clockwise, 0 to 3."""

    mirrored: bool = False
    """Whether left and right are exchanged before that."""

    def apply(self, pixels: Pixels) -> Pixels:
        """Stored pixels, (H, W) or (H, W, 3), as a viewer shows them."""
        upright = pixels[:, ::-1] if self.mirrored else pixels
        return np.ascontiguousarray(np.rot90(upright, self.quarters))

    def undo(self, pixels: Pixels) -> Pixels:
        """Pixels that a viewer shows, as they are stored."""
        stored = np.rot90(pixels, -self.quarters)
        return np.ascontiguousarray(stored[:, ::-1] if self.mirrored else stored)

    def swap(self, pair: tuple[float, float]) -> tuple[float, float]:
        """What is said of width and height of stored pixels, of those that a viewer shows."""
        return (pair[1], pair[0]) if self.quarters % 2 else pair


def turn_between(across: tuple[float, float], down: tuple[float, float]) -> Turn:
    """The turn of an image whose rows and columns run in these directions.

    Args:
        across: the direction (x to the right, y down) in which a viewer sees a row run.
        down: the same of a column.
    """
    mirrored = across[0] * down[1] - across[1] * down[0] < 0
    x, y = (-across[0], -across[1]) if mirrored else across
    if abs(x) >= abs(y):
        return Turn(0 if x >= 0 else 2, mirrored)
    return Turn(3 if y > 0 else 1, mirrored)
