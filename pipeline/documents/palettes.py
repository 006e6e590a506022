"""Pages of few colours: cleaned pixels as indices into a palette, packed as tightly as before.

A page of two colours stays one of two, at one bit for a pixel, whatever its colours are.
"""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pagewash.pages import Pixels

_AT_ONCE = 1 << 14  # colours that are compared together

Colours = NDArray[np.uint8]
"""(N, 3) RGB, N from 1 to 256."""


@dataclass(frozen=True, eq=False)
class Indexed:
    """Pixels as places in a palette."""

    indices: NDArray[np.uint8]
    """(H, W), each below the number of colours."""

    colours: Colours

    @property
    def bits(self) -> int:
        """Bits for a pixel: 1, 2, 4 or 8."""
        return bits_for(len(self.colours))


def bits_for(count: int) -> int:
    """Bits that so many colours take, as files hold them: 1, 2, 4 or 8."""
    return next(bits for bits in (1, 2, 4, 8) if count <= 1 << bits)


def to_indices(pixels: Pixels, colours: Colours) -> NDArray[np.uint8]:
    """The place of the nearest colour for each pixel.

    Args:
        pixels: (H, W) or (H, W, 3).
        colours: what there is.
    """
    distinct, places, _ = _distinct(pixels)
    nearest: NDArray[np.uint8] = _nearest(distinct, colours)[places]
    return nearest


def index_page(pixels: Pixels, colours: Colours) -> Indexed:
    """A cleaned page in as many colours as it had; each moves to what cleaning made of it.

    Paper of a tint has turned white, and so does its entry in the palette; the entry of an ink
    stays where the ink stays.

    Args:
        pixels: cleaned, (H, W) or (H, W, 3).
        colours: before.
    """
    distinct, places, counts = _distinct(pixels)
    moved = _medians(distinct, counts, _nearest(distinct, colours), colours)
    return Indexed(_nearest(distinct, moved)[places], moved)


def pack(indices: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
    """Rows of so many bits for each pixel, the first pixel in the highest bits.

    Args:
        indices: (H, W), below 2 ** bits.
        bits: 1, 2, 4 or 8.

    Returns:
        (H, bytes of a row).
    """
    if bits == 8:
        return indices
    planes = (indices[..., None] >> np.arange(bits - 1, -1, -1, dtype=np.uint8)) & 1
    return np.packbits(planes.reshape(len(indices), -1), axis=1)


def to_palette_image(page: Indexed) -> Image.Image:
    """The page for Pillow, in mode P."""
    image = Image.fromarray(page.indices, "L")
    image.putpalette(page.colours.tobytes())
    return image


def encode_bmp(page: Indexed, dpi: tuple[float, float] | None) -> bytes:
    """A BMP of 1, 4 or 8 bits, which Pillow writes in 8 alone.

    Args:
        page: its pixels.
        dpi: pixels per inch, horizontal and vertical; None says nothing.
    """
    bits = 4 if page.bits == 2 else page.bits
    rows = pack(page.indices, bits)[::-1]
    rows = np.pad(rows, ((0, 0), (0, -rows.shape[1] % 4)))
    table = np.pad(page.colours[:, ::-1], ((0, 0), (0, 1)))  # blue, green, red, nothing
    height, width = page.indices.shape
    across, down = (round(value / 0.0254) for value in dpi or (0, 0))
    start = 14 + 40 + table.size
    file = io.BytesIO()
    file.write(b"BM" + _words(start + rows.size, 0, start))
    file.write(_words(40, width, height) + b"\1\0" + bytes([bits, 0]))
    file.write(_words(0, rows.size, across, down, len(table), 0))
    file.write(table.tobytes() + rows.tobytes())
    return file.getvalue()


def _words(*numbers: int) -> bytes:
    return np.array(numbers, "<u4").tobytes()


def _distinct(pixels: Pixels) -> tuple[Colours, NDArray[np.integer], NDArray[np.integer]]:
    """The colours of a page, the place of each pixel's among them, and how often each occurs."""
    if pixels.ndim == 2:
        levels = np.arange(256, dtype=np.uint8)[:, None].repeat(3, 1)
        return levels, pixels, np.bincount(pixels.ravel(), minlength=256)
    red, green, blue = (pixels[..., channel].astype(np.uint32) for channel in range(3))
    packed = red << 16 | green << 8 | blue
    counts = np.bincount(packed.ravel(), minlength=1 << 24)
    seen = np.flatnonzero(counts)
    places = np.zeros(1 << 24, np.uint32)
    places[seen] = np.arange(len(seen))
    colours = np.stack([seen >> 16, (seen >> 8) & 255, seen & 255], axis=1).astype(np.uint8)
    return colours, places[packed], counts[seen]


def _medians(
    distinct: Colours, counts: NDArray[np.integer], nearest: NDArray[np.uint8], colours: Colours
) -> Colours:
    """The median, channel by channel, of the pixels that are nearest to each colour."""
    moved = colours.copy()
    for channel in range(3):
        levels = np.zeros((len(colours), 256), np.int64)
        np.add.at(levels, (nearest, distinct[:, channel]), counts)
        total = levels.sum(1)
        medians = (levels.cumsum(1) * 2 >= total[:, None]).argmax(1)
        moved[total > 0, channel] = medians[total > 0]
    return moved


def _nearest(distinct: Colours, colours: Colours) -> NDArray[np.uint8]:
    """The place of the nearest colour."""
    result = np.empty(len(distinct), np.uint8)
    wanted = colours.astype(np.float32)
    for start in range(0, len(distinct), _AT_ONCE):
        part = distinct[start : start + _AT_ONCE].astype(np.float32)
        # |part - wanted| ** 2, less what does not depend on the colour
        result[start : start + _AT_ONCE] = ((wanted**2).sum(1) - 2 * part @ wanted.T).argmin(1)
    return result
