"""Noise that a scanner, a printer or a file format adds, and the classical noises of a DAE.

Every function takes a page, a random generator and a level, and returns a new
page of the same shape. Pages are (H, W) or (H, W, 3) float32, 0 is black, 1 is
white; a level of 0 is barely visible, 1 is as bad as paper gets and still read.
"""

from typing import TypeVar

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pagewash.grey import luminance

Image = NDArray[np.float32]
"""A page while it is corrupted: (H, W) grey or (H, W, 3) RGB, float32 in 0..1."""


Value = TypeVar("Value", bound=np.generic)


def normal(rng: Generator, shape: tuple[int, ...]) -> Image:
    """Independent standard normal values."""
    return rng.standard_normal(shape, dtype=np.float32)


def smooth_field(rng: Generator, shape: tuple[int, ...], cell: float) -> Image:
    """Return (H, W) random values that vary over `cell` pixels, mean 0, deviation about 1."""
    height, width = shape[:2]
    rows, columns = (max(int(np.ceil(side / max(cell, 1))) + 3, 4) for side in (height, width))
    grid = normal(rng, (rows, columns))
    big = cv2.resize(
        grid,
        (int(columns * cell) + 1, int(rows * cell) + 1),
        interpolation=cv2.INTER_CUBIC,
    )
    top, left = (
        int(rng.integers(0, side + 1)) for side in (big.shape[0] - height, big.shape[1] - width)
    )
    return np.ascontiguousarray(big[top : top + height, left : left + width])


def fractal_field(rng: Generator, shape: tuple[int, ...], cell: float, octaves: int = 4) -> Image:
    """Sum smooth fields, each of half the cell and 0.55 of the weight of the one before."""
    total = np.zeros(shape[:2], np.float32)
    weight = 1.0
    for _ in range(octaves):
        total += np.float32(weight) * smooth_field(rng, shape, cell)
        cell, weight = cell / 2, weight * 0.55
        if cell < 2:
            break
    return total / np.float32(1.2)


def soften(page: Image, sigma: float, sigma_y: float | None = None) -> Image:
    """Blur by a Gaussian of `sigma` pixels, or another deviation from top to bottom."""
    blurred = cv2.GaussianBlur(page, (0, 0), float(sigma), sigmaY=float(sigma_y or sigma))
    return np.asarray(blurred, np.float32)


def spread(field: NDArray[Value], page: Image) -> NDArray[Value]:
    """Give an (H, W) field the channels of the page, so that the two multiply."""
    return field[..., None] if page.ndim == 3 else field


def masking(page: Image, rng: Generator, level: float) -> Image:
    """Paint a share of all pixels white: the masking noise of a denoising autoencoder.

    Source:
        P. Vincent et al., Stacked Denoising Autoencoders, JMLR 11, 2010.
    """
    keep = rng.random(page.shape[:2], dtype=np.float32) >= 0.02 + 0.4 * level
    return np.where(spread(keep, page), page, np.float32(1))


def gaussian(page: Image, rng: Generator, level: float) -> Image:
    """Add normal noise, of a deviation from 1 to 20 % of full scale."""
    return page + np.float32(0.01 + 0.19 * level) * normal(rng, page.shape)


def salt_and_pepper(page: Image, rng: Generator, level: float) -> Image:
    """Turn a share of all pixels black or white."""
    chance = rng.random(page.shape[:2], dtype=np.float32)
    share = np.float32((0.005 + 0.145 * level) / 2)
    page = np.where(spread(chance < share, page), np.float32(0), page)
    return np.where(spread(chance > 1 - share, page), np.float32(1), page)


def impulse(page: Image, rng: Generator, level: float) -> Image:
    """Give a share of all pixels a random value."""
    chosen = rng.random(page.shape[:2], dtype=np.float32) < 0.005 + 0.195 * level
    return np.where(spread(chosen, page), rng.random(page.shape, dtype=np.float32), page)


def speckle(page: Image, rng: Generator, level: float) -> Image:
    """Multiply by normal noise around 1: stronger on paper than in ink."""
    return page * (1 + np.float32(0.02 + 0.28 * level) * normal(rng, page.shape))


def grain(page: Image, rng: Generator, level: float) -> Image:
    """Add the clumped grain of microfilm, one to three pixels wide."""
    clumps = soften(normal(rng, page.shape[:2]), rng.uniform(0.5, 1.3))
    clumps /= np.float32(clumps.std() + 1e-6)
    return page + spread(np.float32(0.01 + 0.11 * level) * clumps, page)


def blur(page: Image, rng: Generator, level: float) -> Image:
    """Defocus by a Gaussian of 0.4 to 2.6 pixels, not quite the same both ways."""
    sigma = 0.4 + 2.2 * level
    return soften(page, sigma * rng.uniform(0.85, 1.15), sigma * rng.uniform(0.85, 1.15))


def sharpening(page: Image, rng: Generator, level: float) -> Image:
    """Sharpen as scanners and cameras do, with a bright halo around strokes."""
    sigma, amount = rng.uniform(0.7, 2.5), np.float32(0.2 + 1.3 * level)
    return np.asarray(np.clip(page + amount * (page - soften(page, sigma)), 0, 1), np.float32)


def rescaling(page: Image, rng: Generator, level: float) -> Image:
    """Shrink to 90 down to 35 % and enlarge again: a scan at too low a resolution."""
    height, width = page.shape[:2]
    factor = 0.9 - 0.55 * level
    small = cv2.resize(
        page,
        (max(round(width * factor), 1), max(round(height * factor), 1)),
        interpolation=cv2.INTER_AREA,
    )
    kind = cv2.INTER_CUBIC if rng.random() < 0.5 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(small, (width, height), interpolation=kind), np.float32)


def tone(page: Image, rng: Generator, level: float) -> Image:
    """Expose badly: blacks lifted or crushed, whites dulled or burnt out, mid-tones bent."""
    black = rng.uniform(-0.06, 0.3) * level
    white = 1 + rng.uniform(-0.25, 0.12) * level
    gamma = np.exp(rng.uniform(-0.5, 0.5) * level)
    bent = np.clip(page, 0, 1) ** np.float32(gamma)
    return bent * np.float32(white - black) + np.float32(black)


def jpeg(page: Image, rng: Generator, level: float) -> Image:
    """Compress as JPEG of quality 90 down to 15."""
    quality = round(90 - 75 * level)
    encoded = cv2.imencode(".jpg", to_bytes(page), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return from_bytes(np.asarray(cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED), np.uint8))


def as_jpeg(crop: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Pack (H, W, 3) RGB as a JPEG of a quality up to 100, and unpack it."""
    packed = cv2.imencode(".jpg", crop[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.ascontiguousarray(
        np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR))[..., ::-1], np.uint8
    )


def thresholding(page: Image, rng: Generator, level: float) -> Image:
    """Make the page bilevel, by one threshold or a local one; a higher level lets more in."""
    grey = luminance(page)
    if rng.random() < 0.5:
        light, dark = np.percentile(grey[::4, ::4], (85, 2))
        cut = np.float32(dark + (light - dark) * (0.45 + 0.4 * level))
        black = grey < cut
    else:
        window = 2 * int(rng.integers(12, 40)) + 1
        black = grey < cv2.blur(grey, (window, window)) * np.float32(0.8 + 0.14 * level)
    return _like(np.where(black, np.float32(0), np.float32(1)), page)


def dithering(page: Image, rng: Generator, level: float) -> Image:
    """Make the page bilevel by an ordered dither; a higher level dithers lighter tones."""
    bayer = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]], np.float32)
    height, width = page.shape[:2]
    matrix = np.tile((bayer + np.float32(0.5)) / 16, (height // 4 + 1, width // 4 + 1))[
        :height, :width
    ]
    grey = luminance(page)
    stretch = (grey - np.float32(0.5)) * np.float32(2.2 - 1.2 * level) + np.float32(0.5)
    return _like((stretch > matrix).astype(np.float32), page)


def to_bytes(page: Image) -> NDArray[np.uint8]:
    """Round a page in 0..1 to uint8, values outside clipped."""
    return np.asarray(cv2.convertScaleAbs(np.clip(page, 0, 1), alpha=255), np.uint8)


def from_bytes(page: NDArray[np.uint8]) -> Image:
    """Turn uint8 into float32 in 0..1."""
    return page.astype(np.float32) * np.float32(1 / 255)


def _like(grey: Image, page: Image) -> Image:
    return grey if page.ndim == 2 else np.repeat(grey[..., None], 3, axis=2)
