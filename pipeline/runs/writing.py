"""A cleaned document on its way to disk: its pages in order, and a row about each."""

import dataclasses
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pagewash.documents.document import DocumentWriter, WriteOptions, create_document
from pagewash.measuring.records import PageRecord
from pagewash.options import parse_pages
from pagewash.pages import Page, UntouchedPage
from pagewash.runs.conflicts import refuse_to_overwrite
from pagewash.runs.open_document import OpenDocument
from pagewash.runs.outcome import Run


@dataclasses.dataclass(frozen=True)
class FinishedPage:
    """A page as it goes into the output, and its row."""

    page: Page | UntouchedPage
    row: PageRecord
    blank: bool = False
    """Whether there surely is nothing on it."""


@contextmanager
def new_output(opened: OpenDocument, run: Run) -> Iterator["Output"]:
    """The output of a document: it appears when the block ends, whole, or not at all.

    Raises:
        PagewashError: it cannot be written, or would replace what must stay.
    """
    if opened.document is None:
        raise opened.error or RuntimeError("it was never opened")
    job = opened.job
    refuse_to_overwrite(job.source, job.output, job.output_folder)
    options, wanted = WriteOptions(format=run.options.format), parse_pages(run.options.pages)
    with create_document(opened.document, job.output, options, wanted) as writer:
        output = Output(writer, drop_blank=run.options.blank == "drop")
        yield output
        if opened.error is not None:
            raise opened.error
        output.keep_one_page()


class Output:
    """The pages of one document as they are written, and the rows about them."""

    def __init__(self, writer: DocumentWriter, drop_blank: bool) -> None:
        self.rows: list[PageRecord] = []
        """One for each page so far, in order."""

        self.holds_many = writer.holds_many
        """Whether it can have more than one page."""

        self._writer = writer
        self._drop_blank = drop_blank
        self._places: dict[int, int] = {}  # in the output, by page
        self._pages = 0
        self._dropped: tuple[int, FinishedPage] | None = None  # the first, and its row's number

    def add(self, finished: FinishedPage) -> None:
        """Write a page, or leave a blank one out; its row says which."""
        if finished.blank and self._drop_blank:
            self._dropped = self._dropped or (len(self.rows), finished)
            row = dataclasses.replace(
                finished.row, status="skipped", message="it is blank, and left out"
            )
        else:
            row = self._write(finished.page, finished.row)
        self.rows.append(row)

    def keep_one_page(self) -> None:
        """Write the first page of a document of nothing but blank ones."""
        if not self._pages and self._dropped is not None:
            number, finished = self._dropped
            row = dataclasses.replace(
                self.rows[number],
                status="review",
                message="it is blank, as all pages are; a document keeps one",
            )
            self.rows[number] = self._write(finished.page, row)

    def _write(self, page: Page | UntouchedPage, row: PageRecord) -> PageRecord:
        start = time.perf_counter()
        stays = self._writer.add(page)
        if stays is not None:
            row = dataclasses.replace(row, status="skipped", message=stays)
        if page.index not in self._places:
            self._places[page.index] = self._pages + 1
            self._pages += len(page.transform.boxes) or 1 if isinstance(page, Page) else 1
        seconds = time.perf_counter() - start
        place = self._places[page.index]
        return dataclasses.replace(row, output_page=place, seconds_write=seconds)
