"""Cleaned images back into a copy of their PDF, and such a copy made flat page by page.

What a PDF holds besides its page images passes through: text, bookmarks, links, metadata.
"""

import math
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import replace
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
import pikepdf
from pikepdf import Name

from pagewash.documents import pdf_images
from pagewash.documents.decoding import grey_if_grey
from pagewash.documents.pdf import PdfDocument
from pagewash.documents.pdf_encoding import encode_like, grows
from pagewash.documents.pdf_frames import Frame, area_of, frame_of, goes_beyond
from pagewash.documents.pdf_layout import Layout, Placement, image_slots, read_layout
from pagewash.documents.pdf_objects import number
from pagewash.documents.pdf_pixels import images_of
from pagewash.documents.pdf_placeholders import fill_placeholders, make_placeholder
from pagewash.documents.pdf_scans import SMALLEST_SHARE, find_scans, lay_scans_out
from pagewash.documents.pdf_transform import transform_page
from pagewash.documents.pdf_writing import EncodedImage, encode_in_layers, paint, size_of
from pagewash.documents.pdfium import render_page
from pagewash.documents.reading import check_size, reading_errors
from pagewash.documents.sinks import PageSink, in_dots
from pagewash.files import access_errors
from pagewash.geometry.transform import UNCHANGED, PageTransform
from pagewash.leftovers import working_folder
from pagewash.pages import Page, Pixels, ReadLimits, Stored, UntouchedPage

_STAYS = "cleaned, its image would take more bytes than it does"
_LETTER = 612.0 * 792.0  # points: what is shown of a page without any area
_NEARLY_BLACK, _CUT, _NEARLY_WHITE = 64, 128, 191  # levels of a page that may become one bit
_LEAST_TONE = 12  # px; the tip of a letter that is smoothed has fewer
_VECTOR_DPI = 300.0  # for pages without an image to set it


class ReplacingSink:
    """A copy of a PDF with its page images replaced; a `PageSink`.

    The cleaned images wait on disk, and in the PDF a placeholder for each: a PDF library would
    keep them all in memory.
    """

    def __init__(self, document: PdfDocument, file: BinaryIO, lossless: bool = False) -> None:
        """Open the original once more.

        Args:
            document: where the pages come from.
            file: empty and seekable.
            lossless: never take JPEG.
        """
        self._file = file
        self._lossless = lossless
        self._name = str(document.source or "standard input")
        self._pdf = document.reopen()
        self._closing = ExitStack()
        with _space_to_work():
            self._folder = self._closing.enter_context(working_folder())
        self._cleaned: dict[tuple[int, int], pikepdf.Stream] = {}  # by the original's number
        self._placeholders: list[tuple[pikepdf.Stream, Path]] = []  # each with its data
        self._kept: set[int] = set()
        self._transforms: dict[int, tuple[Frame, PageTransform]] = {}  # by page
        self.shown: dict[int, int] = {}
        """Pages of the copy for each page that has come; more than one where it is split."""

    def add(self, page: Page | UntouchedPage) -> str | None:
        """Take a cleaned image, or note that a page stays; returns why its image stays, if so."""
        self._kept.add(page.index)
        if not isinstance(page, Page):
            return None
        page = in_dots(page)
        own = self._pdf.pages[page.index]
        layout = lay_scans_out(self._pdf, own)
        scan = find_scans(layout)[page.part]
        if page.transform.changes:
            self._transforms[page.index] = frame_of(scan, layout), page.transform
        images = images_of(own, layout, scan, page.pixels)
        if page.layers and len(images) == 1 and self._replace_by_layers(*images[0]):
            return None
        modes = [
            "1" if scan.layers and pdf_images.is_one_bit(one) else page.mode for one, _ in images
        ]
        took = [
            self._replace(image, pixels, mode)
            for (image, pixels), mode in zip(images, modes, strict=True)
        ]
        return None if any(took) else _STAYS

    def is_image(self, page: Page) -> bool:
        """Whether there is nothing to see on a page but its image, which comes out as it is."""
        whole = _layout(self._pdf, self._pdf.pages[page.index]).whole_image
        return whole is not None and _is_seen_as_stored(whole)

    def _replace(self, original: Any, pixels: Pixels, mode: str) -> bool:
        """Put cleaned pixels in the place of an image, wherever the document shows it.

        Returns:
            Whether the document shows them now; an image that cleaning would enlarge stays.
        """
        if original.objgen in self._cleaned:  # a strip that several scans have, as an empty one
            return True
        new = encode_like(original, pixels, mode, self._lossless)
        if not self._lossless and grows(len(new.encoded.data), pdf_images.stored(original)):
            return bool(np.array_equal(pdf_images.decode(original), pixels))
        placeholder = self._placeholder(new.encoded, new.samples)
        pdf_images.take_over(placeholder, original)
        if new.space is not None:
            placeholder.ColorSpace = new.space
        self._cleaned[original.objgen] = placeholder
        return True

    def _replace_by_layers(self, original: Any, pixels: Pixels) -> bool:
        """Put a form that paints text in one bit, and pictures above it, in the place of an image.

        Returns:
            Whether that was done: not where it would take more bytes, nor where pixels are to come
            out as they are, or mean something else than grey or colour.
        """
        if self._lossless or not _holds_tones(original):
            return False
        if original.objgen in self._cleaned:
            return True
        stored = pdf_images.stored(original)
        images = encode_in_layers(Page(pixels, stored=stored, layers=True))
        if len(images) == 1 or grows(size_of(images), stored):
            return False
        height, width = pixels.shape[:2]
        form: Any = self._pdf.make_stream(paint(images, height, (1, 1)))
        form.Type, form.Subtype = Name.XObject, Name.Form
        form.BBox = pikepdf.Array([0, 0, width, height])
        across, down = (Decimal(f"{1 / length:.12f}") for length in (width, height))
        form.Matrix = pikepdf.Array([across, 0, 0, down, 0, 0])  # an image is one unit square
        form.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary())
        for place, image in enumerate(images):
            placeholder = self._placeholder(image.encoded, image.samples)
            if image.encoded.bits > 1:
                pdf_images.take_over(placeholder, original)
            form.Resources.XObject[f"/Image{place}"] = placeholder
        if Name.OC in original:  # the layer, in a viewer's sense, that it is shown or hidden with
            form.OC = original.OC
        self._cleaned[original.objgen] = form
        return True

    def _placeholder(self, encoded: EncodedImage, samples: Page) -> Any:
        """An image object whose data waits on disk."""
        data = Path(self._folder, str(len(self._placeholders)))
        with _space_to_work():
            data.write_bytes(encoded.data)
        placeholder = make_placeholder(self._pdf, encoded, samples)
        self._placeholders.append((placeholder, data))
        return placeholder

    def finish(self) -> None:
        """Put the images in their places and write the PDF, without the pages that never came."""
        with reading_errors(self._name, "pdf", "make it again"):
            labels = _labels(self._pdf)
            self._drop_pages()
            for page in self._pdf.pages:
                for named, name in image_slots(page):
                    named[name] = self._cleaned.get(named[name].objgen, named[name])
            self._transform_pages()
            self._label_pages(labels)
            whole = fill_placeholders(self._pdf, self._placeholders, self._folder)
        with whole.open("rb") as file:
            shutil.copyfileobj(file, self._file)
        self._file.flush()  # whoever reads it by its name must find all of it

    def _transform_pages(self) -> None:
        for place, index in reversed(list(enumerate(sorted(self._kept)))):
            self.shown[index] = 1
            if index in self._transforms:
                self.shown[index] = transform_page(self._pdf, place, *self._transforms[index])

    def _label_pages(self, labels: list[str]) -> None:
        """Let pages keep their labels, such as iv, where others have gone or come before them."""
        if not labels:
            return
        kept = [labels[index] for index in sorted(self._kept) for _ in range(self.shown[index])]
        if kept != labels:
            named = [each for place, label in enumerate(kept) for each in (place, _labelled(label))]
            self._pdf.Root.PageLabels = pikepdf.Dictionary(Nums=pikepdf.Array(named))

    def _drop_pages(self) -> None:
        for index in reversed(range(len(self._pdf.pages))):
            if index not in self._kept:
                page = self._pdf.pages[index].obj
                del self._pdf.pages[index]
                for key in (Name.Contents, Name.Resources, Name.Annots):
                    if key in page:  # a bookmark may still lead to the page, and would keep it all
                        del page[key]

    def close(self) -> None:
        """Close the original and drop what waits."""
        self._pdf.close()
        self._closing.close()


def _labels(pdf: pikepdf.Pdf) -> list[str]:
    """What a viewer calls each page; none where it counts them."""
    with suppress(Exception):  # as a library fails of every kind where labels are damaged
        if Name.PageLabels in pdf.Root:
            return [page.label for page in pdf.pages]
    return []


def _labelled(label: str) -> pikepdf.Dictionary:
    return pikepdf.Dictionary(P=pikepdf.String(label))


def _space_to_work() -> AbstractContextManager[None]:
    """Name the place in what goes wrong there."""
    return access_errors(f"a working folder in {tempfile.gettempdir()} (TMPDIR)", "written")


class FlatteningSink:
    """The pages of a cleaned PDF as images; a `PageSink` before another one.

    A page that is one image comes out at its own resolution, untouched by any rendering. The
    others are rendered with all that stands on them.
    """

    def __init__(self, document: PdfDocument, sink: PageSink | None = None) -> None:
        """Prepare the cleaned PDF.

        Args:
            document: where the pages come from.
            sink: takes the images; without one they are asked for by `pages`.
        """
        self._limits = document.limits
        self._sink = sink
        self._closing = ExitStack()
        with _space_to_work():
            self._folder = self._closing.enter_context(working_folder())
        self._path = Path(self._folder, "cleaned.pdf")
        self._file = self._path.open("wb")
        self._replacing = ReplacingSink(document, self._file, lossless=True)
        self._stored: dict[int, Stored] = {}  # by page, in the order of pages
        self._later: dict[int, tuple[PageTransform, bool]] = {}  # and dots, of pages of one image

    def add(self, page: Page | UntouchedPage) -> str | None:
        """Take a cleaned image, or note that a page stays."""
        self._stored.setdefault(page.index, page.stored if isinstance(page, Page) else Stored())
        if isinstance(page, Page) and page.transform.changes and self._replacing.is_image(page):
            self._later[page.index] = page.transform, page.dots
            mode = "L" if page.dots else page.mode  # it is cut at no level on the way to its dots
            page = replace(page, transform=UNCHANGED, dots=False, mode=mode)
        return self._replacing.add(page)

    def finish(self) -> None:
        """Make the PDF, then its pages."""
        self._replacing.finish()
        self._file.flush()
        if self._sink is not None:
            for page in self.pages():
                self._sink.add(page)
            self._sink.finish()

    def pages(self) -> Iterator[Page]:
        """The pages of the finished PDF as images."""
        with pikepdf.open(self._path) as pdf:
            places = iter(range(len(pdf.pages)))
            for index, stored in self._stored.items():
                transform, dots = self._later.get(index, (UNCHANGED, False))
                for place in islice(places, self._replacing.shown[index]):
                    page = flat_page(self._path, pdf, place, self._limits)
                    yield replace(page, stored=stored, transform=transform, dots=dots)

    def close(self) -> None:
        """Close what it holds."""
        self._replacing.close()
        self._file.close()
        self._closing.close()


def flat_page(path: Path, pdf: pikepdf.Pdf, index: int, limits: ReadLimits) -> Page:
    """A page of a PDF as one image: its own where that is all there is, else rendered.

    Args:
        path: where the PDF lies.
        pdf: the same, open.
        index: of the page, from 0; it may be turned, the image is upright.
        limits: a rendered page is made coarser until it keeps them.
    """
    page = pdf.pages[index]
    layout = _layout(pdf, page)
    whole = layout.whole_image
    if whole is not None and _is_seen_as_stored(whole) and not goes_beyond(whole.matrix, page):
        own: Page | None = None
        with suppress(Exception):  # a viewer may make more of it than we
            own = _own_image(whole, index)
        if own is not None:
            check_size(str(path), own.pixels.shape[1::-1], limits)  # it may be larger than told
            return own
    images = [placement for placement in layout.placements if placement.share >= SMALLEST_SHARE]
    known = [max(placement.dpi) for placement in images if placement.dpi]
    dpi = _within(page, max(known, default=_VECTOR_DPI), limits)
    pixels = grey_if_grey(render_page(path, index, dpi * _unit(page)))  # it knows no units
    bits = known and all(pdf_images.is_one_bit(seen.image) for seen in images)
    one_bit = bits and _is_black_and_white(pixels)
    return Page(pixels, (dpi, dpi), mode="1" if one_bit else "RGB", index=index)


def _own_image(whole: Placement, index: int) -> Page:
    """The image that is all of a page, as it is stored."""
    pixels = pdf_images.decode(whole.image)
    page = Page(pixels, whole.dpi, pdf_images.profile(whole.image), index=index)
    return replace(page.replace_pixels(pixels), mode=pdf_images.mode(whole.image, pixels))


def _layout(pdf: pikepdf.Pdf, page: pikepdf.Page) -> Layout:
    """What stands on a page; on one whose content is damaged, something that must be rendered."""
    try:
        return read_layout(pdf, page)
    except Exception:  # as for every page that passes through
        return Layout([], 0.0, patterns=False, marks=1, annotated=False, rotation=0)


def _is_black_and_white(pixels: Pixels) -> bool:
    """Whether a rendered page is no more than that: its greys are smoothed edges.

    One that holds a pale stamp, a hairline or a colour would lose it if it were cut at a level.
    """
    if pixels.ndim == 3:
        return False
    around = np.ones((3, 3), np.uint8)
    edges = (cv2.erode(pixels, around) < _CUT) & (cv2.dilate(pixels, around) > _NEARLY_WHITE)
    tones = ~(edges | (pixels < _NEARLY_BLACK) | (pixels == 255))
    _, _, stats, _ = cv2.connectedComponentsWithStats(tones.view(np.uint8))
    return bool((stats[1:, cv2.CC_STAT_AREA] < _LEAST_TONE).all())


def _is_seen_as_stored(whole: Placement) -> bool:
    """Whether the image of a page is all there, in its own colours or in black."""
    return _is_plain(whole.image) and (whole.black or not whole.is_stencil)


def _is_plain(image: Any) -> bool:
    return Name.SMask not in image and Name.Mask not in image


def _holds_tones(image: Any) -> bool:
    """Whether an image's samples are what is seen: levels or colours, no mask, no palette."""
    stencil = image.get(Name.ImageMask) is True
    return _is_plain(image) and not stencil and pdf_images.colour_table(image) is None


def _within(page: pikepdf.Page, dpi: float, limits: ReadLimits) -> float:
    areas = (area_of(box) for box in (page.cropbox, page.mediabox))  # a viewer shows no empty one
    mpixels = next(filter(None, areas), _LETTER) * (_unit(page) * dpi / 72) ** 2 / 1e6
    return dpi * min(1.0, math.sqrt(limits.max_mpixels / mpixels))


def _unit(page: pikepdf.Page) -> float:
    """How many points a unit of a page's boxes is; pages of large plans have more than one."""
    return number(page.obj.get(Name.UserUnit), 1.0)
