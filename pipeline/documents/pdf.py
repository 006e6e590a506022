"""A PDF as a document: its large page images come out as pages, one by one.

Knows which images are worth cleaning and why the others are not; how an image is decoded and
put back is told in `pdf_images` and `pdf_replacing`.
"""

import io
import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Self

import pikepdf
from pikepdf import Name

from pagewash.documents import pdf_images
from pagewash.documents.containers import Container
from pagewash.documents.jpeg import is_arithmetic
from pagewash.documents.pdf_frames import dpi_as_seen, is_whole, size_as_seen
from pagewash.documents.pdf_layout import Layout
from pagewash.documents.pdf_objects import dictionary, number
from pagewash.documents.pdf_pixels import read_scan, reason_to_leave
from pagewash.documents.pdf_scans import (
    Scan,
    ScanKey,
    find_scans,
    lay_scans_out,
    reason_without_scan,
)
from pagewash.documents.reading import check_size, reading_errors
from pagewash.errors import EncryptedError, TooLargeError, UnreadableError
from pagewash.files import is_text
from pagewash.pages import Page, ReadLimits, UntouchedPage, fitting_profile

log = logging.getLogger(__name__)

_LOSES = ("file is damaged", "Pages tree")
"""What qpdf's warnings hold where objects or pages may be lost; it has many of lesser things."""


class PdfDocument:
    """A PDF that is open for reading: a `Document`."""

    container: Container = "pdf"

    def __init__(
        self,
        file: BinaryIO,
        source: Path | None,
        limits: ReadLimits,
        notes: tuple[str, ...] = (),
    ) -> None:
        """Open it, with the empty password if it is encrypted.

        Args:
            file: seekable; closed with the document.
            source: where it lies; None for standard input.
            limits: what its images may ask for.
            notes: what was seen on the way here.

        Raises:
            EncryptedError: it asks for a password.
            UnreadableError: it is broken beyond repair, or has no pages.
        """
        self.source = source
        self.limits = limits
        self._file = file
        self._name = str(source or "standard input")
        self._pdf = self.reopen()
        with self._understood():
            self.page_count = len(self._pdf.pages)
        if not self.page_count:
            raise UnreadableError(f"{self._name} is a PDF without pages. Remove it.")
        with self._understood():
            self.notes = (*notes, *_notes(self._pdf, self._name))

    def reopen(self) -> pikepdf.Pdf:
        """The same PDF once more, to be changed and closed by the caller, in any thread."""
        with self._understood():
            if self.source and is_text(self.source):
                return pikepdf.open(self.source)
            self._file.seek(0)
            return pikepdf.open(io.BytesIO(self._file.read()))

    def pages(self, wanted: Collection[int] | None = None) -> Iterator[Page | UntouchedPage]:
        """Its page images in order of pages, decoded as they are asked for.

        A page may have several large images: they come one after the other, with the same index
        and their part. An image that several pages share comes once. A page that has none to give
        comes as an `UntouchedPage`. See `Document.pages`.
        """
        done: dict[ScanKey, int] = {}
        for index in range(self.page_count):
            if wanted is None or index in wanted:
                yield from self._page(index, done)

    def megapixels(self, wanted: Collection[int] | None = None) -> float:
        """What its large images hold together, each once; see `Document.megapixels`."""
        sizes: dict[ScanKey, tuple[int, int]] = {}
        with self._understood():
            for index, page in enumerate(self._pdf.pages):
                if wanted is None or index in wanted:
                    with suppress(UnreadableError), _page_errors(self._name, index):
                        layout = lay_scans_out(self._pdf, page)
                        for scan in find_scans(layout):
                            sizes[scan.key] = size_as_seen(scan, layout)
        return sum(width * height for width, height in sizes.values()) / 1e6

    def _page(self, index: int, done: dict[ScanKey, int]) -> Iterator[Page | UntouchedPage]:
        """The images of a page; the page itself, untouched, if it has none that can be cleaned."""
        try:
            with _page_errors(self._name, index):
                layout = lay_scans_out(self._pdf, self._pdf.pages[index])
                scans = find_scans(layout)
        except UnreadableError:
            yield UntouchedPage(index, "its content is damaged", self.source, damaged=True)
            return
        reason, damaged = reason_without_scan(layout), layout.fault is not None
        given = False
        single = len(scans) == 1
        for part, scan in enumerate(scans):
            before = done.get(scan.key)
            if before is not None:
                reason = f"its image is that of page {before + 1}, and was cleaned there"
                continue
            try:
                page = self._scan(scan, layout, index, part)
            except UnreadableError:
                reason, damaged = _why_not_decoded(scan), True
                continue
            if isinstance(page, Page):
                done[scan.key] = index
                given = True
                whole = single and is_whole(scan, self._pdf.pages[index])
                yield replace(page, whole=whole, alone=layout.is_only_image)
            else:
                reason = page
        if not given:
            yield UntouchedPage(index, reason, self.source, damaged)

    def _scan(self, scan: Scan, layout: Layout, index: int, part: int) -> Page | str:
        """A scan as a page, or why it is left alone.

        Raises:
            UnreadableError: it cannot be decoded.
            TooLargeError: it has more pixels than the limit.
        """
        with _page_errors(self._name, index):
            reason = reason_to_leave(scan)
            if reason is not None:
                return reason
            check_size(self._name, size_as_seen(scan, layout), self.limits)
            pixels = read_scan(self._pdf.pages[index], layout, scan)
            check_size(self._name, pixels.shape[1::-1], self.limits)  # it may be larger than told
            image = scan.placement.image
            if scan.placement.is_stencil and pdf_images.paints_most(pixels):
                return "its image is a stencil that paints the background"
            return Page(
                pixels=pixels,
                dpi=dpi_as_seen(scan, layout),
                icc=fitting_profile(pdf_images.profile(image), 1 if pixels.ndim == 2 else 3),
                mode=pdf_images.mode(image, pixels),
                source=self.source,
                index=index,
                part=part,
                stored=pdf_images.stored(image),
            )

    @contextmanager
    def _understood(self) -> Iterator[None]:
        """Name the file in whatever goes wrong."""
        with reading_errors(self._name, self.container, "make it again"):
            try:
                yield
            except pikepdf.PasswordError as error:
                raise EncryptedError(
                    f"{self._name} asks for a password. "
                    "Remove it with: qpdf --decrypt --password=PASSWORD IN.pdf OUT.pdf"
                ) from error

    def close(self) -> None:
        """Close the file."""
        self._pdf.close()
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


@contextmanager
def _page_errors(name: str, index: int) -> Iterator[None]:
    """Whatever goes wrong with one page, as an `UnreadableError`, and its cause in the log.

    A PDF library raises of every kind when an object is not what it should be.
    """
    try:
        yield
    except (TooLargeError, MemoryError):
        raise
    except Exception as error:
        log.debug("%s, page %d", name, index + 1, exc_info=True)
        raise UnreadableError(f"{name}, page {index + 1}: {error}") from error


def _why_not_decoded(scan: Scan) -> str:
    """Why one of the images of a scan cannot be decoded, as a clause."""
    images = [tile.placement.image for tile in scan.tiles]
    with suppress(Exception):
        if any(is_arithmetic(pdf_images.jpeg_of(one) or b"") for one in images):
            return "its JPEG is coded arithmetically, which is not read here"
        if any(pdf_images.is_cut_off(one) for one in images):
            return "the data of one of its images is cut off"
    return "one of its images cannot be decoded"


def _notes(pdf: pikepdf.Pdf, name: str) -> Iterator[str]:
    warnings = [str(warning) for warning in pdf.get_warnings()]
    if any(sign in warning for warning in warnings for sign in _LOSES):
        yield (
            f"{name} is damaged, and was repaired as far as that goes; "
            "see whether all its pages are there"
        )
    form = dictionary(pdf.Root, Name.AcroForm)
    if int(number(form.get(Name.SigFlags))) & 1:
        yield f"{name} is signed; the signature does not hold for the cleaned copy"
    if pdf.is_encrypted:
        yield f"{name} restricts its use; the cleaned copy is not encrypted"
