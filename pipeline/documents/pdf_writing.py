"""A PDF of page images, written as the pages come.

Bytes and PDF syntax only, no PDF library: those keep every image in memory until the end.
"""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np

from pagewash.documents.encoders import (
    encode_g4,
    encode_jpeg,
    encode_png,
    is_bilevel,
    lossy_wins,
    to_image,
    was_lossy,
)
from pagewash.documents.jbig2 import encode_jbig2
from pagewash.documents.palettes import Indexed, pack
from pagewash.documents.sinks import laid_out
from pagewash.geometry.layers import split_layers
from pagewash.geometry.transform import Box
from pagewash.pages import Page, UntouchedPage, fitting_profile

_DEFAULT_DPI = 300.0  # where the page does not say; most archives scan at it
_HEADER = b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n"
_PAGES, _CATALOG = 1, 2  # object numbers


@dataclass(frozen=True)
class EncodedImage:
    """An image as a PDF stores it."""

    data: bytes
    coding: str
    """Its /Filter and /DecodeParms, in PDF syntax."""

    bits: int
    """Per component."""


@dataclass(frozen=True)
class PlacedImage:
    """An image and its place on a page."""

    samples: Page
    """As they are stored."""

    encoded: EncodedImage
    box: Box
    """In pixels of the page."""


def encode_in_layers(page: Page) -> list[PlacedImage]:
    """Text in one bit, and above it pictures as they are, where a page may have layers and they are
    smaller; else its one image.

    Args:
        page: the cleaned page.
    """
    height, width = page.pixels.shape[:2]
    everywhere = 0, 0, width, height
    whole = _placed(page, everywhere)
    layers = split_layers(page.pixels) if page.layers else None
    if layers is None:
        return [whole]
    text = replace(page.replace_pixels(layers.text), mode="1")
    tones = replace(page, stored=replace(page.stored, size=None))  # that is the size of all of it
    layered = [_placed(text, everywhere), *(_placed(tones, box) for box in layers.pictures)]
    return layered if size_of(layered) < size_of([whole]) else [whole]


def size_of(images: Sequence[PlacedImage]) -> int:
    """Bytes of the encoded images."""
    return sum(len(image.encoded.data) for image in images)


def _placed(page: Page, box: Box) -> PlacedImage:
    """What a box cuts out of a page."""
    left, top, right, bottom = box
    part = page.replace_pixels(np.ascontiguousarray(page.pixels[top:bottom, left:right]))
    return PlacedImage(part, encode_for_pdf(part), box)


def paint(images: Sequence[PlacedImage], height: int, units: tuple[float, float]) -> bytes:
    """PDF operators that paint images named Image0, Image1 and so on.

    Args:
        images: the lowest first.
        height: of the page, in pixels.
        units: of what is painted on, to a pixel across and down.
    """
    across, down = units
    lines = []
    for number, image in enumerate(images):
        left, top, right, bottom = image.box
        size = _number((right - left) * across), _number((bottom - top) * down)
        place = _number(left * across), _number((height - bottom) * down)
        matrix = f"{size[0]} 0 0 {size[1]} {place[0]} {place[1]}"
        lines.append(f"q {matrix} cm /Image{number} Do Q")
    return "\n".join(lines).encode()


def encode_for_pdf(page: Page, lossless: bool = False) -> EncodedImage:
    """One bit in JBIG2 or G4, whichever is smaller; else Flate, or JPEG after a lossy original
    where that is smaller.

    Args:
        page: the cleaned page.
        lossless: never take JPEG.
    """
    if is_bilevel(page):
        return _one_bit(page)
    if not lossless and was_lossy(page):
        jpeg = EncodedImage(encode_jpeg(replace(page, dpi=None, icc=None)), "/Filter /DCTDecode", 8)
        if lossy_wins(page, len(jpeg.data)):
            return jpeg
        return min(_flate(page), jpeg, key=lambda image: len(image.data))
    return _flate(page)


def _one_bit(page: Page) -> EncodedImage:
    """JBIG2 where its program is installed, or G4; Flate where both would grow the page."""
    height, width = page.pixels.shape[:2]
    (strip,) = encode_g4(page).strips
    parms = f"<< /K -1 /Columns {width} /Rows {height} >>"
    best = EncodedImage(strip, f"/Filter /CCITTFaxDecode /DecodeParms {parms}", 1)
    jbig2 = encode_jbig2(to_image(page))
    if jbig2 is not None and len(jbig2) < len(best.data):
        best = EncodedImage(jbig2, "/Filter /JBIG2Decode", 1)
    if page.stored.size is None or len(best.data) <= page.stored.size:
        return best
    bits = pack((page.pixels >= 128).view(np.uint8), 1)  # G4 grows dots
    flate = EncodedImage(zlib.compress(bits.tobytes(), 9), "/Filter /FlateDecode", 1)
    return min(best, flate, key=lambda image: len(image.data))


def encode_indexed(page: Indexed) -> EncodedImage:
    """Places in a palette, packed: G4 for two colours where that is smaller, else Flate."""
    data = zlib.compress(pack(page.indices, page.bits).tobytes(), 9)
    flate = EncodedImage(data, "/Filter /FlateDecode", page.bits)
    if page.bits > 1:
        return flate
    g4 = encode_for_pdf(Page(page.indices * np.uint8(255), mode="1"))
    return min(flate, g4, key=lambda image: len(image.data))


def _flate(page: Page) -> EncodedImage:
    """Flate: as a PNG has it, or without differences where that would grow the page."""
    parms = f"<< /Predictor 15 /Colors {page.channels} /Columns {page.pixels.shape[1]} >>"
    coding = f"/Filter /FlateDecode /DecodeParms {parms}"
    png = EncodedImage(_png_data(encode_png(page)), coding, 8)
    if was_lossy(page) or page.stored.size is None or len(png.data) <= page.stored.size:
        return png
    plain = EncodedImage(zlib.compress(page.pixels.tobytes(), 9), "/Filter /FlateDecode", 8)
    return min(png, plain, key=lambda image: len(image.data))


def _png_data(png: bytes) -> bytes:
    """The compressed pixels of a PNG, which are a PDF's Flate with predictor 15 as they stand."""
    parts, place = [], 8
    while place < len(png):
        size, kind = struct.unpack_from(">I4s", png, place)
        if kind == b"IDAT":
            parts.append(png[place + 8 : place + 8 + size])
        place += 12 + size
    return b"".join(parts)


class PdfSink:
    """A PDF of page images; a `PageSink`."""

    def __init__(self, file: BinaryIO) -> None:
        """Begin a file that is empty."""
        self._file = file
        self._places = [0, 0, 0]  # of the objects, by number; the first one is never used
        self._kids: list[int] = []
        self._profiles: dict[bytes, int] = {}
        file.write(_HEADER)

    def add(self, page: Page | UntouchedPage) -> None:
        """Write the page's image and the page around it; two pages where it is split."""
        for image in laid_out(page):
            self._add(image)

    def _add(self, page: Page) -> None:
        across, down = page.dpi or (_DEFAULT_DPI, _DEFAULT_DPI)
        height, width = page.pixels.shape[:2]
        images = encode_in_layers(page)
        named = " ".join(
            f"/Image{number} {self._image(image)} 0 R" for number, image in enumerate(images)
        )
        content = self._stream("", paint(images, height, (72 / across, 72 / down)))
        box = f"{_number(width * 72 / across)} {_number(height * 72 / down)}"
        self._kids.append(
            self._object(
                f"<< /Type /Page /Parent {_PAGES} 0 R /MediaBox [0 0 {box}] "
                f"/Resources << /XObject << {named} >> >> "
                f"/Contents {content} 0 R >>".encode()
            )
        )

    def finish(self) -> None:
        """Write the list of pages and the table of objects."""
        kids = " ".join(f"{kid} 0 R" for kid in self._kids)
        tree = f"<< /Type /Pages /Count {len(self._kids)} /Kids [{kids}] >>"
        self._object(tree.encode(), _PAGES)
        self._object(f"<< /Type /Catalog /Pages {_PAGES} 0 R >>".encode(), _CATALOG)
        start = self._file.tell()
        table = "".join(f"{place:010d} 00000 n \n" for place in self._places[1:])
        count = len(self._places)
        self._file.write(
            f"xref\n0 {count}\n0000000000 65535 f \n{table}"
            f"trailer\n<< /Size {count} /Root {_CATALOG} 0 R >>\n"
            f"startxref\n{start}\n%%EOF\n".encode()
        )

    def _image(self, image: PlacedImage) -> int:
        page, encoded = image.samples, image.encoded
        height, width = page.pixels.shape[:2]
        return self._stream(
            f"/Type /XObject /Subtype /Image /Width {width} /Height {height} "
            f"/BitsPerComponent {encoded.bits} /ColorSpace {self._colours(page)} {encoded.coding}",
            encoded.data,
        )

    def _colours(self, page: Page) -> str:
        """Colour space: by the page's profile, which pages with the same one share."""
        icc = fitting_profile(page.icc, page.channels)
        device = "/DeviceGray" if page.channels == 1 else "/DeviceRGB"
        if icc is None or is_bilevel(page):
            return device
        if icc not in self._profiles:
            entries = f"/N {page.channels} /Alternate {device} /Filter /FlateDecode"
            self._profiles[icc] = self._stream(entries, zlib.compress(icc))
        return f"[/ICCBased {self._profiles[icc]} 0 R]"

    def _stream(self, entries: str, data: bytes) -> int:
        head = f"<< {entries} /Length {len(data)} >>\nstream\n".encode()
        return self._object(head + data + b"\nendstream")

    def _object(self, body: bytes, number: int | None = None) -> int:
        if number is None:
            number = len(self._places)
            self._places.append(0)
        self._places[number] = self._file.tell()
        self._file.write(b"%d 0 obj\n" % number + body + b"\nendobj\n")
        return number


def _number(value: float) -> str:
    return f"{value:.4f}".rstrip("0").rstrip(".")
