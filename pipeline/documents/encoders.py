"""From a cleaned page to the bytes of an image file, none larger than it needs to be.

Knows Pillow's encoders and how a page was stored; no files, no documents.
"""

import io
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from PIL import ExifTags, Image

from pagewash.documents import palettes
from pagewash.documents.jp2 import add_boxes
from pagewash.documents.palettes import Indexed, index_page, pack, to_palette_image
from pagewash.documents.png import encode_pixels, encode_tightly
from pagewash.documents.tiff import (
    THUMBNAIL,
    Directory,
    jpeg_directory,
    palette_tags,
    read_directory,
)
from pagewash.errors import OptionError
from pagewash.pages import Page, Stored, fitting_profile

_PHOTOMETRIC, _ROWS_PER_STRIP, _PREDICTOR = 262, 278, 317
_WHITE_IS_ZERO, _DIFFERENCES = 0, 2
_LOSSY = {"jpeg", "tiff_jpeg", "jp2", "webp"}
_DEFAULT_QUALITY = 90
POOR_QUALITY = 30
"""Of a JPEG: below it a page is not worth its smaller size, and may grow."""


def to_image(page: Page) -> Image.Image:
    """The page for Pillow: one bit per pixel where it had one, black below 128."""
    if is_bilevel(page):
        return Image.fromarray(page.pixels >= 128)
    return Image.fromarray(np.ascontiguousarray(page.pixels))


def is_bilevel(page: Page) -> bool:
    """Whether the page is to be written with one bit per pixel."""
    return page.mode == "1" and page.channels == 1


def to_indexed(page: Page) -> Indexed | None:
    """The page in the colours of the palette that it had; None if it had none."""
    if page.stored.palette is None or is_bilevel(page):
        return None
    return index_page(page.pixels, np.frombuffer(page.stored.palette, np.uint8).reshape(-1, 3))


def was_lossy(page: Page) -> bool:
    """Whether the page came from a lossy encoder, so that another one loses little."""
    return page.stored.codec in _LOSSY


def encode_png(page: Page) -> bytes:
    """The page as PNG, with one bit, grey or RGB."""

    def small() -> bytes:
        return _save(to_image(page), "PNG", compress_level=6, **_beside(page))

    indexed = to_indexed(page)
    if indexed is not None:
        beside = {**_dpi(page), "icc_profile": page.icc}
        return _save(to_palette_image(indexed), "PNG", compress_level=9, **beside)
    if is_bilevel(page):
        return small()  # an eighth of the bytes takes an eighth of the time
    if was_lossy(page):  # nothing lossless would be as small
        return encode_pixels(page.pixels, page.dpi, _icc(page))
    return _no_larger(
        page,
        lambda: encode_pixels(page.pixels, page.dpi, _icc(page)),
        small,
        lambda: encode_tightly(page.pixels, page.dpi, _icc(page)),
    )


def encode_bmp(page: Page) -> bytes:
    """The page as BMP, which holds no profile."""
    indexed = to_indexed(page)
    if indexed is not None:
        return palettes.encode_bmp(indexed, page.dpi)
    # without a resolution Pillow would write one of 96 dpi
    return _save(to_image(page), "BMP", dpi=page.dpi or (0, 0))


def encode_jpeg(page: Page) -> bytes:
    """The page as JPEG, at its former quality or better, and no larger than it was."""
    image = Image.fromarray(page.pixels)
    options = {"subsampling": page.stored.subsampling, **_beside(page)}

    def encode(quality: int) -> bytes:
        try:
            return _save(image, "JPEG", quality=quality, optimize=True, **options)
        except OptionError:  # noise in fine colour is more than Pillow has room for at once
            return _save(image, "JPEG", quality=quality, **options)

    return within_size(page, encode)


def encode_webp(page: Page) -> bytes:
    """The page as WebP, lossless if it was; its resolution stands in EXIF, where it must."""
    image = Image.fromarray(page.pixels)
    exif = image.getexif()
    if page.dpi is not None:
        exif[ExifTags.Base.XResolution], exif[ExifTags.Base.YResolution] = page.dpi
        exif[ExifTags.Base.ResolutionUnit] = 2
    beside = {"exif": exif.tobytes(), "icc_profile": _icc(page)}
    if not was_lossy(page):
        return _save(image, "WEBP", lossless=True, **beside)
    return within_size(page, lambda quality: _save(image, "WEBP", quality=quality, **beside))


def encode_jp2(page: Page) -> bytes:
    """The page as JPEG 2000: lossless where that is no larger than what came in."""
    image = Image.fromarray(page.pixels)
    data = _save(image, "JPEG2000")
    size = page.stored.size
    if was_lossy(page) and size is not None and len(data) > size:
        rate = page.pixels.nbytes / (0.98 * size)  # the boxes come on top
        data = _save(
            image, "JPEG2000", irreversible=True, quality_mode="rates", quality_layers=[rate]
        )
    return add_boxes(data, page.dpi, _icc(page))


_RARE = ("lzma", "zstd")
"""Compressions of TIFF that few programs read, and that beat those that all do."""


def encode_tiff(page: Page) -> Directory:
    """The page for a TIFF: G4 for one bit; else LZW or deflate, or JPEG after a lossy original
    where that is smaller.
    """
    directory = _encode_tiff(page)
    if page.stored.thumbnail:
        directory.tags.update(THUMBNAIL)
    return directory


def _encode_tiff(page: Page) -> Directory:
    if is_bilevel(page):
        return encode_bilevel_tiff(page)
    indexed = to_indexed(page)
    if indexed is not None:
        return _indexed_tiff(page, indexed)
    if not was_lossy(page):
        return _lossless_tiff(page)
    jpeg = encode_jpeg(replace(page, dpi=None, icc=None))
    sampling = page.stored.subsampling
    lossy = jpeg_directory(jpeg, page.pixels.shape, page.dpi, _icc(page), subsampling=sampling)
    if lossy_wins(page, lossy.size):
        return lossy
    return min(lossy, _lossless_tiff(page), key=lambda directory: directory.size)


def _lossless_tiff(page: Page) -> Directory:
    image = Image.fromarray(page.pixels)
    options = {"tiffinfo": {_PREDICTOR: _DIFFERENCES}, **_beside(page)}
    # LZW takes a fifth of the time, and a tenth more space; what few can read only where it was
    compressions = ["tiff_lzw", "tiff_adobe_deflate"]
    if page.stored.codec in _RARE:
        compressions.append(page.stored.codec)
    tiff = _no_larger(
        page, *(partial(_save, image, "TIFF", compression=each, **options) for each in compressions)
    )
    return read_directory(tiff)


def _indexed_tiff(page: Page, indexed: Indexed) -> Directory:
    """Packed rows as Pillow compresses grey ones, with what says that they are none."""
    bits = 4 if indexed.bits == 2 else indexed.bits
    rows = Image.fromarray(pack(indexed.indices, bits))
    beside = {**_dpi(page), "icc_profile": page.icc}
    tiff = _no_larger(
        page,
        lambda: _save(rows, "TIFF", compression="tiff_lzw", **beside),
        lambda: _save(rows, "TIFF", compression="tiff_adobe_deflate", **beside),
    )
    directory = read_directory(tiff)
    directory.tags.update(palette_tags(page.pixels.shape[1], bits, indexed.colours))
    return directory


def encode_bilevel_tiff(page: Page) -> Directory:
    """One bit per pixel in G4, or in deflate where G4 would grow the page, as it does dots."""
    g4 = encode_g4(page)
    if page.stored.size is None or g4.size <= page.stored.size:
        return g4
    deflate = read_directory(
        _save(to_image(page), "TIFF", compression="tiff_adobe_deflate", **_beside(page))
    )
    return min(g4, deflate, key=lambda directory: directory.size)


def encode_g4(page: Page) -> Directory:
    """The page for a TIFF in one G4 strip, in which white is 0, as fax machines have it."""
    tags = {_PHOTOMETRIC: _WHITE_IS_ZERO, _ROWS_PER_STRIP: page.pixels.shape[0]}
    image = to_image(page)
    tiff = _save(image, "TIFF", compression="group4", tiffinfo=tags, **_beside(page))
    return read_directory(tiff)


def within_size(page: Page, encode: Callable[[int], bytes]) -> bytes:
    """Encode at a good quality, or at the page's former one where the good one would grow it.

    Args:
        page: says its former size and quality; it may grow where that was poor to begin with.
        encode: from a quality of 1 to 100 to bytes.
    """
    if not was_lossy(page):
        return encode(_DEFAULT_QUALITY)
    former = page.stored.quality or 75
    good = max(former, 85)  # what was coarser shows its blocks on clean paper
    data = encode(good)
    for quality in (95, former, former - 15):
        if page.stored.size is None or len(data) <= page.stored.size:
            break
        if POOR_QUALITY <= quality < good:
            data = encode(quality)
    return data


def lossy_wins(page: Page, size: int) -> bool:
    """Whether a lossless encoding has no hope to be as small, judged by an eighth of the page."""
    height = page.pixels.shape[0]
    sample = page.replace_pixels(page.pixels[height * 3 // 8 : height // 2 + 1])
    return 8 * len(encode_png(replace(sample, mode="", stored=Stored()))) > 1.2 * size


def _no_larger(page: Page, fast: Callable[[], bytes], *slower: Callable[[], bytes]) -> bytes:
    """Encode the fast way, and in slower ones as long as the page would grow."""
    data = fast()
    for encode in slower:
        if page.stored.size is None or len(data) <= page.stored.size:
            break
        data = min(data, encode(), key=len)
    return data


def _dpi(page: Page) -> dict[str, Any]:
    return {} if page.dpi is None else {"dpi": page.dpi}


def _icc(page: Page) -> bytes | None:
    return fitting_profile(page.icc, page.channels)


def _beside(page: Page) -> dict[str, Any]:
    return {**_dpi(page), "icc_profile": _icc(page)}


def _save(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    try:
        image.save(file, kind, **options)
    except (OSError, ValueError, OverflowError) as error:
        raise OptionError(
            f"a page of {image.width} x {image.height} pixels cannot be written as {kind}: "
            f"{error}. Choose another --format: png, tiff or pdf."
        ) from error
    return file.getvalue()
