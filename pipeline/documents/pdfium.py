"""pdfium, which decodes what a PDF holds, one call at a time.

The library is not thread-safe: every call into it, and every release, is behind one lock.
"""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pypdfium2

from pagewash.errors import UnreadableError
from pagewash.pages import Pixels

_PDFIUM = threading.Lock()
_NO_PIXEL_MORE = 1 - 1e-7  # pypdfium2 rounds sizes up, and 900.0000001 pixels are 900


def decode_only_image(pdf: bytes) -> Pixels:
    """The pixels of the first image on the first page, as stored: neither scaled nor masked.

    Returns:
        (H, W) uint8 or (H, W, 3) uint8 RGB.

    Raises:
        UnreadableError: it cannot be decoded.
    """
    with _PDFIUM:
        document = pypdfium2.PdfDocument(pdf)
        try:
            page = document[0]
            image = next(iter(page.get_objects()))
            return _pixels(image.get_bitmap())
        except (pypdfium2.PdfiumError, StopIteration) as error:
            raise UnreadableError("one of its images cannot be decoded") from error
        finally:
            document.close()


def render_page(path: Path, index: int, dpi: float) -> Pixels:
    """A page as one sees it, its rotation applied.

    Args:
        path: the PDF.
        index: of the page, from 0.
        dpi: pixels per inch.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        UnreadableError: it cannot be rendered.
    """
    with _PDFIUM:
        document = pypdfium2.PdfDocument(path)
        try:
            document.init_forms()  # or annotations to be filled in are not drawn
            return _pixels(document[index].render(scale=dpi / 72 * _NO_PIXEL_MORE))
        except pypdfium2.PdfiumError as error:
            raise UnreadableError("one of its pages cannot be rendered") from error
        finally:
            document.close()


def render_whole(pdf: bytes, size: tuple[int, int]) -> Pixels:
    """The first page of a PDF in so many pixels.

    Args:
        pdf: without annotations.
        size: width and height; the page has their proportions, or nearly.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        UnreadableError: it cannot be rendered.
    """
    with _PDFIUM:
        document = pypdfium2.PdfDocument(pdf)
        try:
            page = document[0]
            width, height = page.get_size()
            scale = max(size[0] / width, size[1] / height)
            pixels = _pixels(page.render(scale=scale * _NO_PIXEL_MORE))
        except pypdfium2.PdfiumError as error:
            raise UnreadableError("one of its pages cannot be rendered") from error
        finally:
            document.close()
    return np.ascontiguousarray(pixels[: size[1], : size[0]])


def _pixels(bitmap: Any) -> Pixels:
    """A copy of a bitmap's pixels; the bitmap is released, here behind the lock."""
    bitmap.warn_on_close = False  # nothing looks at its memory any more
    try:
        pixels = bitmap.to_numpy()
        if pixels.ndim == 2 or pixels.shape[2] == 1:
            return np.array(pixels.reshape(pixels.shape[:2]))
        return np.ascontiguousarray(pixels[..., 2::-1])  # blue, green, red, and perhaps a filler
    finally:
        bitmap.close()
