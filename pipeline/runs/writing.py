"""A cleaned document on its way to disk: measured, written whole, and put into rows."""

import dataclasses
import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pagewash.documents.document import DocumentWriter, WriteOptions, create_document
from pagewash.errors import OptionError
from pagewash.failures import Failure, describe
from pagewash.measuring.definitions import PageMetrics
from pagewash.measuring.metrics import measure
from pagewash.measuring.records import PageRecord, Provenance
from pagewash.measuring.review import reason_to_look
from pagewash.options import parse_pages
from pagewash.pages import Page, UntouchedPage
from pagewash.runs.conflicts import refuse_to_overwrite
from pagewash.runs.layout import LaidOut, lay_out
from pagewash.runs.outcome import Run
from pagewash.runs.overlap import DroppedError
from pagewash.runs.planning import Job
from pagewash.runs.stream import Cleans, OpenDocument, PageOut, PagePassed
from pagewash.versions import version_of

if TYPE_CHECKING:
    from pagewash.cleaning.cleaner import CleanedPage


log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Written:
    """What became of one document."""

    records: tuple[PageRecord, ...]
    failure: Failure | None = None


def write_document(
    opened: OpenDocument,
    pages: Iterator[PageOut | PagePassed],
    run: Run,
    tick: Callable[[], object],
) -> Written:
    """Write a document's pages as they come, and measure them; it appears when all have come.

    Args:
        opened: the document. If it has failed by the time its pages end, nothing is left of it.
        pages: its pages in order.
        run: says the format.
        tick: called after each page.

    Returns:
        A row for each page. An error is not raised but told in rows of status `failed`.

    Raises:
        DroppedError: the run was stopped before all pages had come; nothing is left.
    """
    try:
        return Written(tuple(_write(opened, pages, run, tick)))
    except DroppedError:
        raise
    except Exception as error:
        return _fail(opened, run, error)
    finally:
        opened.close()


def fail_document(job: Job, run: Run, error: Exception) -> Written:
    """The row of a document that could not be tried here."""
    return _fail(OpenDocument(job), run, error)


def provenance(run: Run, cleaner: Cleans | None) -> Provenance:
    """How a run cleans its pages; without a cleaner, as long as none was needed."""
    return Provenance(
        run_id=run.run_id,
        started=run.started,
        model_id=cleaner.model_id if cleaner else run.options.model,
        model_sha256=run.output_key.model_sha256,
        pagewash_version=version_of("pagewash"),
        torch_version=version_of("torch"),
        device=cleaner.device if cleaner else "none",
        precision=cleaner.precision if cleaner else "none",
        precision_reason=cleaner.precision_reason if cleaner else "no page reached the network",
        tile=cleaner.tile if cleaner else 0,
        halo=cleaner.halo if cleaner else 0,
        options_hash=run.output_key.options_hash,
    )


def _write(
    opened: OpenDocument,
    pages: Iterator[PageOut | PagePassed],
    run: Run,
    tick: Callable[[], object],
) -> list[PageRecord]:
    document = opened.document
    if document is None:
        raise opened.error or RuntimeError("it was never opened")
    options = WriteOptions(format=run.options.format)
    wanted = parse_pages(run.options.pages)
    refuse_to_overwrite(
        opened.job.source, opened.job.output, _root(opened.job.output, opened.job.output_name)
    )
    with create_document(document, opened.job.output, options, wanted) as writer:
        out = _Output(writer, opened, run)
        for item in pages:
            row = out.add(item)
            if row.part == 0:  # a page of a PDF may hold several images
                opened.pages_done += 1
                tick()
        if opened.error is not None:
            raise opened.error
        return out.finish()


class _Output:
    """The pages of one document as they are written, and the rows about them."""

    def __init__(self, writer: DocumentWriter, opened: OpenDocument, run: Run) -> None:
        self._writer = writer
        self._opened = opened
        self._run = run
        self._rows: list[PageRecord] = []
        self._places: dict[int, int] = {}  # in the output, by page
        self._pages = 0
        self._dropped: tuple[int, LaidOut] | None = None  # the first, and its row

    def add(self, item: PageOut | PagePassed) -> PageRecord:
        """Write a page, or leave a blank one out, and say so in a row."""
        start = time.perf_counter()
        laid = self._lay_out(item)
        found_in = time.perf_counter() - start
        row = _row(self._opened, self._run, item, laid)
        row = dataclasses.replace(row, seconds_geometry=found_in if laid else None)
        if laid is not None and laid.is_blank and self._run.options.blank == "drop":
            self._dropped = self._dropped or (len(self._rows), laid)
            row = dataclasses.replace(row, status="skipped", message="it is blank, and left out")
        else:
            untouched = item.page if isinstance(item, PagePassed) else None
            page = laid.page if laid is not None else untouched
            assert page is not None, "a page is laid out, or passes through"
            row = self._write(page, row)
        self._rows.append(row)
        return row

    def finish(self) -> list[PageRecord]:
        """The rows; of a document of nothing but blank pages the first is written."""
        if not self._pages and self._dropped is not None:
            number, laid = self._dropped
            row = dataclasses.replace(
                self._rows[number],
                status="review",
                message="it is blank, as all pages are; a document keeps one",
            )
            self._rows[number] = self._write(laid.page, row)
        return self._rows

    def _lay_out(self, item: PageOut | PagePassed) -> LaidOut | None:
        if isinstance(item, PagePassed):
            return None
        cleaned = item.cleaned
        return lay_out(
            cleaned.before.pixels, cleaned.page, self._run.options, self._writer.holds_many
        )

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


def _row(
    opened: OpenDocument, run: Run, item: PageOut | PagePassed, laid: LaidOut | None
) -> PageRecord:
    """A row about a page that goes into the output, measured."""
    base = _document_row(opened, run)
    if isinstance(item, PagePassed):
        page = item.page.index + 1
        if item.page.damaged:
            log.warning(
                "%s, page %d, stays as it is: %s", opened.job.source, page, item.page.reason
            )
        return dataclasses.replace(base, page=page, status="skipped", message=item.page.reason)
    assert laid is not None, "what was cleaned is laid out"
    cleaned = item.cleaned
    before = cleaned.before
    start = time.perf_counter()
    metrics = _measure(cleaned)
    doubt = None if metrics is None else reason_to_look(metrics)
    if laid.is_blank and run.options.blank == "mark":
        doubt = doubt or "it is blank"
    dpi_x, dpi_y = before.dpi or (None, None)
    return dataclasses.replace(
        base,
        page=before.index + 1,
        part=before.part,
        status="review" if doubt else "cleaned",
        message=doubt,
        width=before.pixels.shape[1],
        height=before.pixels.shape[0],
        dpi_x=dpi_x,
        dpi_y=dpi_y,
        mode=before.mode,
        scale=cleaned.scale,
        metrics=metrics,
        geometry=laid.found,
        transform=laid.transform,
        novelty=cleaned.novelty,
        embedding=cleaned.embedding,
        seconds_read=item.seconds,
        seconds_clean=cleaned.seconds,
        seconds_measure=time.perf_counter() - start,
    )


def _document_row(opened: OpenDocument, run: Run) -> PageRecord:
    """What every row about a document has."""
    job = opened.job
    return PageRecord(
        how=provenance(run, None),
        source=job.name,
        status="cleaned",
        sha256=opened.sha256,
        size=job.found.size,
        modified=job.found.modified,
        document_pages=opened.document.page_count if opened.document else None,
        output=job.output_name,
        source_folder=_folder(job.source, job.name),
        output_folder=_folder(job.output, job.output_name),
    )


def _folder(path: Path, name: str) -> str:
    """The folder that a name with slashes counts from, as an absolute path.

    What of it is no Unicode is replaced: Parquet takes no other text, and a run must not end here.
    """
    return os.fsencode(_root(path, name).absolute()).decode("utf-8", "replace")


def _root(path: Path, name: str) -> Path:
    return path.parents[name.count("/")]


def _fail(opened: OpenDocument, run: Run, error: Exception) -> Written:
    opened.fail(error)
    failure = describe(str(opened.job.source), error)
    log.error(failure.message)
    log.debug("the error", exc_info=error)
    return Written(tuple(_failed(opened, run, failure)), failure)


def _failed(opened: OpenDocument, run: Run, failure: Failure) -> list[PageRecord]:
    """Rows about a document that is not written: all its pages fail, for one reason."""
    base = dataclasses.replace(
        _document_row(opened, run), status="failed", error=failure.error, message=failure.message
    )
    pages = [index + 1 for index in opened.indices(run.options)]
    return [dataclasses.replace(base, page=page) for page in pages] or [base]


def _measure(cleaned: "CleanedPage") -> PageMetrics | None:
    """Metrics of a page; None for one that is too small to have any."""
    try:
        return measure(cleaned.before.pixels, cleaned.page.pixels)
    except OptionError:
        return None
