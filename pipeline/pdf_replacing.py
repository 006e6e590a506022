"""Cleaned images back into a copy of their PDF, and such a copy made flat page by page.

What a PDF holds besides its page images passes through: text, bookmarks, links, metadata.
"""

import io
import tempfile
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np
import pikepdf
from pikepdf import Name

from pipeline import pdf_images
from pipeline.decoding import grey_if_grey
from pipeline.pages import Page, ReadLimits, Stored, UntouchedPage
from pipeline.pdf import PdfDocument
from pipeline.pdf_layout import image_slots, read_layout
from pipeline.pdf_writing import PdfSink
from pipeline.pdfium import render_page
from pipeline.sinks import PageSink

_VECTOR_DPI = 300.0  # for pages without an image to set it


class ReplacingSink:
    """A copy of a PDF with its page images replaced; a `PageSink`.

    The cleaned images wait in a PDF of their own on disk, since a PDF library would keep them
    all in memory; from there they are copied only when the whole is written.
    """

    def __init__(self, document: PdfDocument, file: BinaryIO, lossless: bool = False) -> None:
        """Open the original once more.

        Args:
            document: where the pages come from.
            file: empty and seekable.
            lossless: never take JPEG.
        """
        self._file = file
        self._pdf = document.reopen()
        self._spool_file = tempfile.TemporaryFile()  # noqa: SIM115  (closed by close)
        self._spool = PdfSink(self._spool_file, lossless)
        self._replaced: list[pikepdf.Stream] = []
        self._kept: set[int] = set()

    def add(self, page: Page | UntouchedPage) -> None:
        """Take a cleaned image, or note that a page stays."""
        self._kept.add(page.index)
        if isinstance(page, Page):
            layout = read_layout(self._pdf.pages[page.index])
            self._replaced.append(layout.images[page.part].image)
            self._spool.add(page)

    def finish(self) -> None:
        """Put the images in their places and write the PDF, without the pages that never came."""
        self._spool.finish()
        self._drop_pages()
        with pikepdf.open(self._spool_file) as spool:
            self._replace(spool)
            self._pdf.save(self._file)

    def _replace(self, spool: pikepdf.Pdf) -> None:
        cleaned = {}
        for original, page in zip(self._replaced, spool.pages, strict=True):
            copy: Any = self._pdf.copy_foreign(page.obj.Resources.XObject.Image)
            pdf_images.take_over(copy, original)
            cleaned[original.objgen] = copy
        for page in self._pdf.pages:
            for named, name in image_slots(page):
                if named[name].objgen in cleaned:
                    named[name] = cleaned[named[name].objgen]

    def _drop_pages(self) -> None:
        for index in reversed(range(len(self._pdf.pages))):
            if index not in self._kept:
                page = self._pdf.pages[index].obj
                del self._pdf.pages[index]
                for key in (Name.Contents, Name.Resources, Name.Annots):
                    if key in page:  # a bookmark may still lead to the page, and would keep it all
                        del page[key]

    def close(self) -> None:
        """Close the original and what waits."""
        self._pdf.close()
        self._spool_file.close()


class FlatteningSink:
    """The pages of a cleaned PDF as images; a `PageSink` before another one.

    A page that is one image comes out at its own resolution, untouched by any rendering. The
    others are rendered with all that stands on them.
    """

    def __init__(self, document: PdfDocument, sink: PageSink) -> None:
        """Prepare the cleaned PDF.

        Args:
            document: where the pages come from.
            sink: takes the images.
        """
        self._limits = document.limits
        self._sink = sink
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  (closed by close)
        self._replacing = ReplacingSink(document, self._file, lossless=True)
        self._stored: dict[int, Stored] = {}  # by page, in the order of pages

    def add(self, page: Page | UntouchedPage) -> None:
        """Take a cleaned image, or note that a page stays."""
        self._replacing.add(page)
        self._stored.setdefault(page.index, page.stored if isinstance(page, Page) else Stored())

    def finish(self) -> None:
        """Make the PDF, then its pages."""
        self._replacing.finish()
        with pikepdf.open(self._file) as pdf:
            for page, stored in zip(pdf.pages, self._stored.values(), strict=True):
                self._sink.add(replace(flat_page(page, self._limits), stored=stored))
        self._sink.finish()

    def close(self) -> None:
        """Close what it holds."""
        self._replacing.close()
        self._file.close()


def flat_page(page: pikepdf.Page, limits: ReadLimits) -> Page:
    """A page of a PDF as one image: its own where that is all there is, else rendered.

    Args:
        page: may be turned; the image is upright.
        limits: a rendered page is made coarser until it keeps them.
    """
    layout = read_layout(page)
    whole = layout.whole_image
    if whole is not None and _is_plain(whole.image):
        pixels = pdf_images.decode(whole.image)
        page_image = Page(pixels, whole.dpi, pdf_images.profile(whole.image))
        mode = pdf_images.mode(whole.image, pixels)
        return replace(page_image.replace_pixels(pixels), mode=mode)
    known = [max(placement.dpi) for placement in layout.images if placement.dpi]
    dpi = _within(page, max(known, default=_VECTOR_DPI), limits)
    pixels = grey_if_grey(render_page(_alone(page), dpi))
    one_bit = known and all(pdf_images.is_one_bit(seen.image) for seen in layout.images)
    return Page(pixels, (dpi, dpi), mode="1" if one_bit else "RGB")


def _is_plain(image: Any) -> bool:
    return Name.SMask not in image and Name.Mask not in image


def _within(page: pikepdf.Page, dpi: float, limits: ReadLimits) -> float:
    left, bottom, right, top = (float(edge) for edge in page.cropbox.as_list())
    mpixels = abs((right - left) * (top - bottom)) * (dpi / 72) ** 2 / 1e6
    return dpi * min(1.0, float(np.sqrt(limits.max_mpixels / mpixels))) if mpixels else dpi


def _alone(page: pikepdf.Page) -> bytes:
    pdf = pikepdf.new()
    pdf.pages.append(page)
    file = io.BytesIO()
    pdf.save(file)
    return file.getvalue()
