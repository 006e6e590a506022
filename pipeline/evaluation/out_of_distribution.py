"""Material that is no page of print: to see whether it is told from pages that are.

Pages to be aged and scanned as pages are, so that what stands on them is new, and not how they
were scanned. Lengths are in pixels.
"""

import cv2
import numpy as np
from numpy.random import Generator

from pagewash.training.synthesis.noise import Image, fractal_field, from_bytes
from pagewash.training.synthesis.typesetting import CleanPage

TEXT_HEIGHT = 20.0
"""What damage that depends on the size of the type goes by where there is no type."""


def blank_page(height: int, width: int) -> CleanPage:
    """Paper with nothing on it."""
    return _of_ink(np.zeros((height, width), np.float32))


def filled_page(rng: Generator, height: int, width: int, picture: Image) -> CleanPage:
    """A piece of a picture from edge to edge, at any size at which it is not much enlarged.

    Args:
        rng: chooses the piece.
        height: of the page.
        width: of the page.
        picture: (H, W) grey levels in 0..1.
    """
    most = min(picture.shape[0] / height, picture.shape[1] / width)
    high, wide = (int(length * most * rng.uniform(0.6, 1)) for length in (height, width))
    top, left = (
        int(rng.integers(0, length - side + 1))
        for length, side in zip(picture.shape, (high, wide), strict=True)
    )
    piece = cv2.resize(
        picture[top : top + high, left : left + wide], (width, height), interpolation=cv2.INTER_AREA
    )
    tones = np.clip(piece, 0, 1).astype(np.float32)
    ink = np.zeros_like(tones)
    return CleanPage(ink, tones, (0, 0, width, height), TEXT_HEIGHT)


def music_page(rng: Generator, height: int, width: int) -> CleanPage:
    """Staves with notes at random."""
    ink = np.zeros((height, width), np.uint8)
    gap = int(rng.integers(7, 14))
    y = int(rng.integers(10, 60))
    while y + 5 * gap < height:
        for line in range(5):
            cv2.line(ink, (20, y + line * gap), (width - 20, y + line * gap), 255, gap // 6 + 1)
        for x in np.cumsum(rng.uniform(1.7, 5, width // gap) * gap) + 5 * gap:
            if x < width - 30:
                _draw_note(ink, rng, int(x), y, gap)
        y += int(gap * rng.uniform(8, 12))
    return _of_ink(from_bytes(ink))


def map_page(rng: Generator, height: int, width: int) -> CleanPage:
    """Contour lines of hills, as on a map."""
    hills = fractal_field(rng, (height, width), max(height, width) / rng.uniform(2, 5), 4)
    slope = np.maximum(np.hypot(*np.gradient(hills)), 1e-4)
    step = np.float32(np.ptp(hills) / rng.integers(12, 30))
    away = np.abs(hills / step - np.round(hills / step)) * step / slope
    wide = rng.uniform(0.7, 1.6)
    return _of_ink(np.clip(wide + 0.5 - away, 0, 1).astype(np.float32))


def graph_page(rng: Generator, height: int, width: int) -> CleanPage:
    """Curves on squared paper, as recorders draw them."""
    ink = np.zeros((height, width), np.uint8)
    pitch = int(rng.integers(12, 30))
    for at in range(pitch, max(height, width), pitch):
        cv2.line(ink, (at, 0), (at, height), 110, 1)
        cv2.line(ink, (0, at), (width, at), 110, 1)
    for _ in range(int(rng.integers(1, 5))):
        steps = np.cumsum(rng.normal(0, rng.uniform(0.5, 4), width))
        curve = np.stack([np.arange(width), rng.uniform(0, height) + steps], axis=1)
        cv2.polylines(ink, [curve.astype(np.int32)], False, 255, 2, cv2.LINE_AA)
    return _of_ink(from_bytes(ink))


def _draw_note(ink: np.ndarray, rng: Generator, x: int, staff: int, gap: int) -> None:
    y = staff + int(rng.integers(-1, 10) * gap / 2)
    axes = (int(gap * 0.62), int(gap * 0.45))
    cv2.ellipse(ink, (x, y), axes, -20, 0, 360, 255, -1 if rng.random() < 0.7 else 2, cv2.LINE_AA)
    up = -1 if y > staff + 2 * gap else 1
    stem = x - up * int(gap * 0.6)
    cv2.line(ink, (stem, y), (stem, y + up * int(3.3 * gap)), 255, max(gap // 6, 1), cv2.LINE_AA)


def _of_ink(ink: Image) -> CleanPage:
    return CleanPage(ink, np.ones_like(ink), None, TEXT_HEIGHT)
