"""Cleaned pixels as an image of the kind that they came from: its bits, its colour space, its size.

A cleaned image never takes more bytes than the one before, by more than a fiftieth; where it
would, the one before stays. The law holds for what was sensibly compressed: a JPEG of quality
below 30 may grow.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from pikepdf import Array, Name, String

from pagewash.documents import pdf_images
from pagewash.documents.encoders import POOR_QUALITY
from pagewash.documents.palettes import index_page, to_indices
from pagewash.documents.pdf_writing import EncodedImage, encode_for_pdf, encode_indexed
from pagewash.pages import Page, Pixels, Stored

_MOST_GROWTH = 1.02
_HEADROOM = 256  # bytes, of headers; tiny images are no matter


@dataclass(frozen=True)
class Replacement:
    """A cleaned image, ready to be written."""

    samples: Page
    """As they are stored: what a colour space makes of them may be something else."""

    encoded: EncodedImage
    space: Any | None = None
    """Its colour space; None for grey or RGB, as the samples are."""


def encode_like(original: Any, pixels: Pixels, mode: str, lossless: bool) -> Replacement:
    """Encode cleaned pixels as the image that they replace.

    Args:
        original: image object.
        pixels: cleaned, as they are stored.
        mode: of the page.
        lossless: never take JPEG.
    """
    stored = pdf_images.stored(original)
    colours = None if mode == "1" else pdf_images.colour_table(original)
    if colours is None:
        samples = Page(pixels, mode=mode, stored=stored)
        return Replacement(samples, encode_for_pdf(samples, lossless))
    if pdf_images.is_indexed(original):
        indexed = index_page(pixels, colours)
        table = String(indexed.colours.tobytes())
        space = Array([Name.Indexed, Name.DeviceRGB, len(indexed.colours) - 1, table])
        return Replacement(Page(indexed.indices), encode_indexed(indexed), space)
    levels = to_indices(pixels, colours)
    bilevel = len(colours) == 2
    if len(colours) < 256:
        levels = (levels * (255 // (len(colours) - 1))).astype(np.uint8)
    samples = Page(levels, mode="1" if bilevel else "L", stored=stored)
    return Replacement(samples, encode_for_pdf(samples, lossless), original.ColorSpace)


def grows(size: int, stored: Stored) -> bool:
    """Whether a cleaned image of so many bytes breaks the law above."""
    if stored.size is None or (stored.quality is not None and stored.quality < POOR_QUALITY):
        return False
    return size > _MOST_GROWTH * stored.size + _HEADROOM
