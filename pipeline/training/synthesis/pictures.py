"""Pictures that a page may carry and a cleaner must leave alone: all made from random numbers.

Every function returns (height, width) float32 grey levels in 0..1, 0 is black.
"""

import cv2
import numpy as np
from numpy.random import Generator

from pagewash.training.synthesis.noise import Image, fractal_field, soften


def photograph(rng: Generator, height: int, width: int) -> Image:
    """Overlap shaded discs and boxes of all sizes: the statistics of photographs.

    Source:
        A. B. Lee, D. Mumford, J. Huang, Occlusion Models for Natural Images
        (dead leaves), IJCV 41, 2001.
    """
    picture = np.full((height, width), rng.uniform(0.2, 0.9), np.float32)
    side = max(height, width)
    for _ in range(int(rng.integers(20, 160))):
        size = int(side * min(0.02 / rng.uniform(0.02, 1) ** 1.2, 0.6)) + 1
        centre = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        shade = float(rng.beta(0.8, 0.8))
        if rng.random() < 0.7:
            axes = (size, int(size * rng.uniform(0.3, 1)) + 1)
            cv2.ellipse(
                picture, centre, axes, float(rng.uniform(0, 180)), 0, 360, shade, -1, cv2.LINE_AA
            )
        else:
            corner = (centre[0] + size, centre[1] + int(size * rng.uniform(0.2, 1.5)))
            cv2.rectangle(picture, centre, corner, shade, -1)
    picture = soften(picture, rng.uniform(0.4, 2))
    shading = fractal_field(rng, (height, width), side / 2, 6) * np.float32(rng.uniform(0.02, 0.12))
    return np.clip(picture + shading, 0, 1)


def landscape(rng: Generator, height: int, width: int) -> Image:
    """Shade softly from any tone to any other, as skies, faces and walls do, with fine detail.

    Source:
        D. J. Field, Relations between the statistics of natural images and the response
        properties of cortical cells (spectra of 1/f), JOSA A 4, 1987.
    """
    side = max(height, width)
    shading = fractal_field(rng, (height, width), side / rng.uniform(0.7, 3), 9)
    low, high = np.sort(rng.beta(0.8, 0.8, 2))
    spread = np.float32(max(float(np.abs(shading).max()), 1e-3))
    tones = np.float32(low) + np.float32(high - low) * (shading / spread + 1) / 2
    detail = np.float32(rng.uniform(0, 0.06)) * fractal_field(rng, (height, width), 12, 3)
    return np.clip(tones + detail, 0, 1)


def halftone(rng: Generator, height: int, width: int) -> Image:
    """Print a photograph as dots on a screen of 3 to 9 pixels, turned by any angle."""
    tone = photograph(rng, height, width)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    angle, pitch = rng.uniform(0, np.pi / 2), rng.uniform(3, 9)
    turn = np.float32(2 * np.pi / pitch)
    u = np.cos((x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle))) * turn)
    v = np.cos((y * np.float32(np.cos(angle)) - x * np.float32(np.sin(angle))) * turn)
    dots = (u + v) * np.float32(0.25) + np.float32(0.5)
    dotted: Image = np.clip((tone - dots) * np.float32(rng.uniform(2, 6)) + np.float32(0.5), 0, 1)
    return dotted


def woodcut(rng: Generator, height: int, width: int) -> Image:
    """Engrave a photograph in black lines that swell where it is dark."""
    tone = photograph(rng, height, width)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    angle, pitch = rng.uniform(0, np.pi), rng.uniform(4, 14)
    bend = fractal_field(rng, (height, width), max(height, width) / 3, 2) * np.float32(
        rng.uniform(0, 12)
    )
    along = (x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle)) + bend) / np.float32(
        pitch
    )
    lines = np.sin(np.float32(2 * np.pi) * along) * np.float32(0.5) + np.float32(0.5)
    cut: Image = np.clip((tone - lines) * 5 + np.float32(0.5), 0, 1)
    return cut


def solid(rng: Generator, height: int, width: int) -> Image:
    """Fill with black or a dark tone, sometimes with a lighter figure in it."""
    picture = np.full((height, width), rng.choice([0.0, 0.0, rng.uniform(0, 0.35)]), np.float32)
    if rng.random() < 0.6:
        figure = fractal_field(rng, (height, width), max(height, width) / 4, 3)
        cut = np.float32(rng.uniform(0.3, 1.5))
        picture = np.maximum(picture, np.clip((figure - cut) * 4, 0, 1))
    return picture


def picture(rng: Generator, height: int, width: int) -> Image:
    """One of the above, by chance."""
    makers = (photograph, photograph, landscape, halftone, woodcut, solid)
    return makers[int(rng.integers(0, len(makers)))](rng, height, width)
