"""One document, open in a process that may die of it: what that process is asked to do.

Runs in the worker. It keeps the budgets of the document that it has open.
"""

import math
import os
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pagewash.documents.containers import Container
from pagewash.documents.document import Document, open_document
from pagewash.documents.pdf import PdfDocument
from pagewash.documents.pdf_replacing import FlatteningSink, ReplacingSink
from pagewash.documents.reading import check_total, reading_errors, too_slow
from pagewash.documents.sinks import PageSink
from pagewash.documents.viewing import view_page
from pagewash.files import access_errors
from pagewash.isolation.limits import has_stayed_small, limit_memory, limit_processor_time
from pagewash.pages import Page, Pixels, ReadLimits, UntouchedPage

_BYTES_PER_BUDGET = 100e6
"""Stored bytes for which a document gets its seconds once more."""

_BLOCK_BYTES = 512  # of st_blocks, whatever the disk has

_MPIXELS_PER_BUDGET = 1000.0
"""Megapixels for which it does."""


def stored_bytes(found: os.stat_result) -> float:
    """Bytes that a file takes on the disk; a sparse one may say that it has many more."""
    blocks = getattr(found, "st_blocks", math.inf)  # Windows does not tell
    return min(found.st_size, blocks * _BLOCK_BYTES)


@dataclass(frozen=True)
class Header:
    """What is known of a document once it is open."""

    container: Container
    page_count: int
    notes: tuple[str, ...]


class Session:
    """A document from its opening to its end, in this process."""

    def __init__(self, source: Path, limits: ReadLimits, folder: Path) -> None:
        """Open nothing yet.

        Args:
            source: the document.
            limits: what it may ask for.
            folder: in which the run stands, for a source that is not absolute.
        """
        with suppress(OSError):  # one may stand in a folder that one may not enter
            os.chdir(folder)
        self.name = str(source)
        self.limits = limits
        self._source = source
        self._seconds = limits.max_document_seconds
        self._mpixels = 0.0
        self._open = ExitStack()
        self._document: Document
        self._pages: Iterator[Page | UntouchedPage] = iter(())
        self._sink: PageSink
        limit_memory(limits.max_document_gigabytes)

    def call(self, name: str, arguments: tuple[Any, ...]) -> Any:
        """Do one of the things below within what is left of the document's time.

        Raises:
            InputError: the document cannot be read, or asks for too much.
        """
        if self._seconds <= 0:
            raise too_slow(self.name, self.limits)
        before = time.process_time()
        with limit_processor_time(self._seconds):
            result = getattr(self, name)(*arguments)
        self._seconds -= time.process_time() - before
        return result

    def open(self) -> Header:
        """Open the document."""
        with access_errors(self.name, "read"):
            found = self._source.stat()
        self._earn(stored_bytes(found) / _BYTES_PER_BUDGET)
        self._document = self._open.enter_context(open_document(self._source, self.limits))
        document = self._document
        return Header(document.container, document.page_count, tuple(document.notes))

    def megapixels(self, wanted: Collection[int] | None) -> float:
        """See `Document.megapixels`."""
        return self._document.megapixels(wanted)

    def turn_to(self, wanted: Collection[int] | None) -> None:
        """Begin with its pages; a TIFF that holds too much is refused before the first one."""
        if self._document.container == "tiff":
            check_total(self.name, self._document.megapixels(wanted), self.limits)
        self._pages = self._document.pages(wanted)
        self._mpixels = 0.0

    def next_page(self) -> Page | UntouchedPage | None:
        """The next page; None after the last."""
        page = next(self._pages, None)
        if isinstance(page, Page):
            self._mpixels += page.area / 1e6
            check_total(self.name, self._mpixels, self.limits)
            self._earn(page.area / 1e6 / _MPIXELS_PER_BUDGET)
        return page

    def begin_copy(self, folder: Path, flat: bool) -> None:
        """Begin a copy of a PDF.

        Args:
            folder: takes all that is written on the way.
            flat: whether its pages will be wanted as images.
        """
        tempfile.tempdir = str(folder)
        document = self._document
        assert isinstance(document, PdfDocument)
        with self._named():
            if flat:
                self._sink = self._open.enter_context(closing(FlatteningSink(document)))
            else:
                file = self._open.enter_context((folder / "copy").open("w+b"))
                self._sink = self._open.enter_context(closing(ReplacingSink(document, file)))

    def add(self, page: Page | UntouchedPage) -> str | None:
        """Put a cleaned page into the copy; returns why its image stays, if so."""
        if isinstance(page, Page):
            self._earn(page.area / 1e6 / _MPIXELS_PER_BUDGET)
        with self._named():
            return self._sink.add(page)

    def finish(self) -> None:
        """Finish the copy; it is in its folder, or `next_page` gives its pages."""
        with self._named():
            self._sink.finish()
        if isinstance(self._sink, FlatteningSink):
            self._pages = self._sink.pages()

    def view(self, index: int) -> Pixels:
        """See `view_page`."""
        return view_page(self._source, index, self.limits)

    def close(self) -> bool:
        """Close all that is open; returns whether this process can go on with another document."""
        self._open.close()
        tempfile.tempdir = None
        return has_stayed_small()

    def _earn(self, share: float) -> None:
        self._seconds += share * self.limits.max_document_seconds

    @contextmanager
    def _named(self) -> Iterator[None]:
        with reading_errors(self.name, "pdf", "make it again"):
            yield
