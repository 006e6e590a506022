"""Pictures of a training run: its error over time, and what it makes of some crops.

Arrays only: who wants a file writes it.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

_BLUE, _ORANGE, _GREY = (31, 78, 160), (214, 112, 20), (200, 200, 200)


def draw_curve(
    steps: Sequence[int], loss: Sequence[float], rmse: Sequence[float], size: int = 640
) -> Picture:
    """Draw loss and validation error over steps, the error on a logarithmic scale.

    Args:
        steps: where each value stands, rising.
        loss: mean training loss; blue.
        rmse: validation error; orange.
        size: width in pixels; the height is five eighths of it.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    height, left, bottom = size * 5 // 8, 60, 30
    canvas = np.full((height, size, 3), 255, np.uint8)
    values = np.log10(np.maximum(np.concatenate([loss, rmse]), 1e-6))
    low, high = np.floor(values.min() * 5) / 5, np.ceil(values.max() * 5) / 5 + 1e-9
    area = (left, 10, size - 15, height - bottom)
    for level in np.arange(low, high + 0.01, 0.2):
        y = _place(level, low, high, area[3], area[1])
        cv2.line(canvas, (area[0], y), (area[2], y), _GREY, 1)
        _label(canvas, f"{10**level:.3f}", (4, y + 4))
    for series, colour in ((loss, _BLUE), (rmse, _ORANGE)):
        points = [
            (
                _place(step, 0, max(steps), area[0], area[2]),
                _place(value, low, high, area[3], area[1]),
            )
            for step, value in zip(steps, np.log10(np.maximum(series, 1e-6)), strict=True)
        ]
        cv2.polylines(canvas, [np.array(points, np.int32)], False, colour, 2, cv2.LINE_AA)
        cv2.circle(canvas, points[-1], 3, colour, -1, cv2.LINE_AA)
    _label(
        canvas,
        f"{max(steps)} steps; blue: training loss, orange: validation RMSE",
        (left, height - 8),
    )
    return canvas


def draw_strips(dirty: Picture, cleaned: Picture, clean: Picture, columns: int = 8) -> Picture:
    """Set crops side by side: what came in, what the network made of it, what was wanted.

    Args:
        dirty: (N, 1, H, W) uint8.
        cleaned: likewise.
        clean: likewise.
        columns: how many of the N to show.

    Returns:
        (3 H, columns W) uint8 grey.
    """
    rows = [np.concatenate(list(row[:columns, 0]), axis=1) for row in (dirty, cleaned, clean)]
    return np.concatenate(rows)


def _place(value: float, low: float, high: float, start: int, end: int) -> int:
    return round(start + (value - low) / max(high - low, 1e-9) * (end - start))


def _label(canvas: Picture, text: str, at: tuple[int, int]) -> None:
    cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.4, (60, 60, 60), 1, cv2.LINE_AA)
