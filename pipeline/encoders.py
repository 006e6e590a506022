"""From a cleaned page to the bytes of an image file, none larger than it needs to be.

Knows Pillow's encoders and how a page was stored; no files, no documents.
"""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import ExifTags, Image

from pipeline.errors import OptionError
from pipeline.jp2 import add_boxes
from pipeline.pages import Page, fitting_profile

_RUN_LENGTHS = 3  # zlib's Z_RLE: on clean paper it beats level 6, at the time of level 1
_PHOTOMETRIC, _ROWS_PER_STRIP, _PREDICTOR = 262, 278, 317
_WHITE_IS_ZERO = 0
_LOSSY = {"jpeg", "tiff_jpeg", "jp2", "webp"}
_DEFAULT_QUALITY = 90


def to_image(page: Page) -> Image.Image:
    """The page for Pillow: one bit per pixel where it had one, black below 128."""
    if is_bilevel(page):
        return Image.fromarray(page.pixels >= 128)
    return Image.fromarray(np.ascontiguousarray(page.pixels))


def is_bilevel(page: Page) -> bool:
    """Whether the page is to be written with one bit per pixel."""
    return page.mode == "1" and page.channels == 1


def was_lossy(page: Page) -> bool:
    """Whether the page came from a lossy encoder, so that another one loses little."""
    return page.stored.codec in _LOSSY


def encode_png(page: Page) -> bytes:
    """The page as PNG, with one bit, grey or RGB; the slower way if the fast one would grow it."""
    image = to_image(page)
    data = _save(image, "PNG", compress_type=_RUN_LENGTHS, **_beside(page))
    if page.stored.codec == "png" and len(data) > (page.stored.size or 0):
        return min(data, _save(image, "PNG", compress_level=6, **_beside(page)), key=len)
    return data


def encode_bmp(page: Page) -> bytes:
    """The page as BMP, which holds no profile."""
    return _save(to_image(page), "BMP", **_dpi(page))


def encode_jpeg(page: Page) -> bytes:
    """The page as JPEG, at its former quality or better, and no larger than it was."""
    image = Image.fromarray(page.pixels)
    return within_size(
        page, lambda quality: _save(image, "JPEG", quality=quality, optimize=True, **_beside(page))
    )


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


def encode_tiff(page: Page) -> bytes:
    """The page as a TIFF of one image: G4 for one bit, else deflate, or JPEG after a JPEG if
    that is smaller.
    """
    if is_bilevel(page):
        return encode_g4(page)
    image = Image.fromarray(page.pixels)
    lossless = _save(
        image, "TIFF", compression="tiff_adobe_deflate", tiffinfo={_PREDICTOR: 2}, **_beside(page)
    )
    if not was_lossy(page):
        return lossless
    lossy = within_size(
        page,
        lambda quality: _save(image, "TIFF", compression="jpeg", quality=quality, **_beside(page)),
    )
    return min(lossless, lossy, key=len)


def encode_g4(page: Page) -> bytes:
    """The page as a TIFF of one G4 strip, in which white is 0, as fax machines have it."""
    tags = {_PHOTOMETRIC: _WHITE_IS_ZERO, _ROWS_PER_STRIP: page.pixels.shape[0]}
    return _save(to_image(page), "TIFF", compression="group4", tiffinfo=tags, **_beside(page))


def within_size(page: Page, encode: Callable[[int], bytes]) -> bytes:
    """Encode at a good quality, or at the page's former one where the good one would grow it.

    Args:
        page: says its former size and quality.
        encode: from a quality of 1 to 100 to bytes.
    """
    if not was_lossy(page):
        return encode(_DEFAULT_QUALITY)
    former = page.stored.quality or 75
    good = min(max(former, 85), 95)  # what was coarser shows its blocks on clean paper
    data = encode(good)
    if page.stored.size is not None and len(data) > page.stored.size and former < good:
        return encode(former)
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
