"""A cleaned document on its way to disk: measured, written whole, and put into rows."""

import dataclasses
import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pagewash.documents.document import WriteOptions, create_document
from pagewash.errors import OptionError
from pagewash.failures import Failure, describe
from pagewash.measuring.metrics import PageMetrics, measure
from pagewash.measuring.records import PageRecord, Provenance
from pagewash.measuring.review import reason_to_look
from pagewash.options import parse_pages
from pagewash.runs.conflicts import refuse_to_overwrite
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
    records = []
    options = WriteOptions(format=run.options.format)
    wanted = parse_pages(run.options.pages)
    refuse_to_overwrite(
        opened.job.source, opened.job.output, _root(opened.job.output, opened.job.output_name)
    )
    with create_document(document, opened.job.output, options, wanted) as writer:
        for item in pages:
            start = time.perf_counter()
            writer.add(item.cleaned.page if isinstance(item, PageOut) else item.page)
            written = time.perf_counter() - start
            row = dataclasses.replace(_row(opened, run, item), seconds_write=written)
            records.append(row)
            if row.part == 0:  # a page of a PDF may hold several images
                opened.pages_done += 1
                tick()
        if opened.error is not None:
            raise opened.error
    return records


def _row(opened: OpenDocument, run: Run, item: PageOut | PagePassed) -> PageRecord:
    """A row about a page that goes into the output, measured."""
    base = _document_row(opened, run)
    if isinstance(item, PagePassed):
        page = item.page.index + 1
        if item.page.damaged:
            log.warning(
                "%s, page %d, stays as it is: %s", opened.job.source, page, item.page.reason
            )
        return dataclasses.replace(base, page=page, status="skipped", message=item.page.reason)
    cleaned = item.cleaned
    before = cleaned.before
    start = time.perf_counter()
    metrics = _measure(cleaned)
    doubt = None if metrics is None else reason_to_look(metrics)
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
