"""A tiny network that says of a window of letters how it was turned."""

import torch
from torch import Tensor, nn


class OrientationNetwork(nn.Module):
    """Convolutions over a window, and means over what they found."""

    def __init__(self) -> None:
        """Make one with random weights."""
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 24, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(24, 48, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(48, 64, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(64, 64, 3, padding=1),
            nn.ReLU(),
        )
        self.head = nn.Linear(2 * 64, 4)

    def forward(self, window: Tensor) -> Tensor:
        """Say how windows were turned.

        Args:
            window: (N, 1, H, W), 44 px to a side; 0 is paper, 1 is ink.

        Returns:
            (N, 4) logits, for windows turned clockwise by 0, 90, 180 and 270 degrees.
        """
        found = self.layers(window)
        turns: Tensor = self.head(torch.cat([found.mean((2, 3)), found.amax((2, 3))], 1))
        return turns
