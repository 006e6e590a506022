"""What a page is: its pixels, and what has to survive beside them.

The type that travels through the pipeline. Knows no files, no containers and no network.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pagewash.errors import OptionError
from pagewash.geometry.transform import UNCHANGED, PageTransform

Pixels = NDArray[np.uint8]
"""(H, W) grey or (H, W, 3) RGB, 0 is black."""

_MOST_DPI = 50_000  # microscopes; formats that count in 16 bits end at 65,535
_PROFILE_SPACES = {1: b"GRAY", 3: b"RGB "}  # by channels; ICC.1:2022, 7.2.8


@dataclass(frozen=True)
class ReadLimits:
    """What a document may ask for before it is refused."""

    max_mpixels: float = 250
    """Most pixels of one image, in millions; more is refused from the header, before decoding."""

    max_document_mpixels: float = 50_000
    """Most pixels of all pages of a document, in millions; kept by `pagewash.isolation`, as the
    two below."""

    max_document_seconds: float = 300
    """Processor time to read a document, and again to copy a PDF; and the same once more for every
    1000 megapixels and every 100 MB that it has."""

    max_document_gigabytes: float = 4
    """Memory to read a document, and again to copy a PDF; 10**9 bytes each."""

    def __post_init__(self) -> None:
        if not self.max_mpixels > 0:
            raise OptionError(
                f"a limit of {self.max_mpixels} megapixels lets no page through; "
                "choose a number above 0 for --max-image-mpixels"
            )
        for name in ("mpixels", "seconds", "gigabytes"):
            limit = getattr(self, f"max_document_{name}")
            if not limit > 0:
                raise OptionError(
                    f"--max-document-{name} {limit} lets no document through; choose more than 0"
                )


DEFAULT_LIMITS = ReadLimits()


@dataclass(frozen=True)
class Stored:
    """How an image was kept in its file, so that the cleaned one does not grow."""

    codec: str = ""
    """As Pillow names it ("jpeg", "group4", "tiff_lzw", "raw"); empty where unknown."""

    size: int | None = None
    """Bytes of the encoded image; None where unknown."""

    quality: int | None = None
    """Of a JPEG: libjpeg's 1 to 100, estimated from its quantisation table."""

    fine_colour: bool = False
    """Whether a JPEG holds the colours of every pixel, not of four together."""

    palette: bytes | None = None
    """Its colours, three bytes of RGB for each, where an image file holds places in a palette."""

    thumbnail: bool = False
    """Whether a TIFF says that it is a smaller copy of another of its pages."""

    half_colour: bool = False
    """Whether a JPEG holds the colours of two pixels side by side together, not of four."""

    @property
    def subsampling(self) -> int:
        """Of a JPEG's colours, as Pillow counts it: 0 for none, 1 across, 2 across and down."""
        return 0 if self.fine_colour else 1 if self.half_colour else 2


@dataclass(frozen=True, eq=False)
class Page:
    """One page image, upright and opaque, in eight bits."""

    pixels: Pixels
    """(H, W) grey or (H, W, 3) RGB, uint8, 0 is black."""

    dpi: tuple[float, float] | None = None
    """Pixels per inch, horizontal and vertical; None where the file does not say, or says what no
    scanner has: less than 1, more than 50,000, no number."""

    icc: bytes | None = None
    """Colour profile of these pixels; None means sRGB, or its grey axis."""

    mode: str = "L"
    """As stored, in Pillow's words: "1", "L", "P", "RGB", "RGBA", "CMYK", "I;16"; a page of
    mode "1" is written with one bit again, whatever greys it holds in between."""

    source: Path | None = None
    """File that it came from; None for standard input and for pages made in memory."""

    index: int = 0
    """Page within its document, from 0."""

    part: int = 0
    """Image within a PDF page, from 0; 0 for everything else."""

    stored: Stored = Stored()
    """How the file kept it."""

    whole: bool = True
    """Whether it is all of its page, and upright on it; else the page's geometry
    is not this image's to change."""

    alone: bool = True
    """Whether there is nothing else to see on its page."""

    layers: bool = False
    """Whether its text may be written in one bit, where a container holds its pictures apart."""

    dots: bool = False
    """Whether it is made of black and white dots when it is written, as it lies then."""

    transform: PageTransform = UNCHANGED
    """What is done to the page's geometry when it is written."""

    def __post_init__(self) -> None:
        if self.dpi is not None and not all(1 <= value <= _MOST_DPI for value in self.dpi):
            object.__setattr__(self, "dpi", None)

    @property
    def channels(self) -> int:
        """1 for grey, 3 for RGB."""
        return 1 if self.pixels.ndim == 2 else 3

    @property
    def area(self) -> int:
        """Height times width, in pixels."""
        return int(self.pixels.shape[0] * self.pixels.shape[1])

    def replace_pixels(self, pixels: Pixels) -> "Page":
        """This page with other pixels, and with its profile only where that still fits them.

        Args:
            pixels: (H, W) or (H, W, 3) uint8; colour may have become grey.

        Raises:
            ValueError: another dtype, or neither grey nor RGB.
        """
        if (
            pixels.dtype != np.uint8
            or pixels.ndim not in (2, 3)
            or pixels.shape[2:] not in ((), (3,))
        ):
            raise ValueError(
                f"a page is (H, W) or (H, W, 3) uint8, not {pixels.shape} {pixels.dtype}"
            )
        page = replace(self, pixels=pixels)
        return replace(page, icc=fitting_profile(self.icc, page.channels))


@dataclass(frozen=True)
class UntouchedPage:
    """A page that passes through: it holds nothing to clean, or something that cannot be read."""

    index: int
    """Page within its document, from 0."""

    reason: str
    """Why it is left alone, as a clause for people: "it has no page image"."""

    source: Path | None = None
    """File that it came from; None for standard input."""

    damaged: bool = False
    """Whether something on it is broken, so that it could not be cleaned."""

    stored: object | None = None
    """The page as its file holds it, for a copy in the same container; None where the copy is made
    from the file itself."""


def fitting_profile(icc: bytes | None, channels: int) -> bytes | None:
    """The profile where it describes pixels of so many channels, else None.

    A page turned grey must not keep an RGB profile, nor one converted from CMYK its own:
    viewers ignore such a profile at best, and refuse the file at worst.
    """
    fits = icc is not None and icc[16:20] == _PROFILE_SPACES[channels]
    return icc if fits else None
