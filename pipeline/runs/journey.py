"""A page's way through a run: read, cleaned, laid out, measured, recorded, written.

`clean_documents` and `finish_document` tell it in whole; each step is a function of its own, in
the module that it is imported from. What happens to a page between reading and being laid out,
the guard included, is told by `pagewash.cleaning.cleaner`.
"""

import dataclasses
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from typing import ParamSpec, TypeVar

from pagewash.errors import OptionError
from pagewash.failures import Failure, describe
from pagewash.geometry.page_size import Size
from pagewash.inference.heap import keep_freed_memory
from pagewash.measuring.definitions import PageMetrics
from pagewash.measuring.metrics import measure
from pagewash.measuring.records import PageRecord
from pagewash.measuring.review import reason_to_look
from pagewash.pages import Pixels, UntouchedPage
from pagewash.runs.layout import lay_out
from pagewash.runs.loading import Cleans
from pagewash.runs.network_stage import clean_stream
from pagewash.runs.open_document import Ended, OpenDocument, RunPage, read_document
from pagewash.runs.outcome import Run
from pagewash.runs.overlap import DroppedError, WriteBehind, read_ahead
from pagewash.runs.planning import Job
from pagewash.runs.rows import failed_rows, page_row, untouched_row
from pagewash.runs.tally import Tally
from pagewash.runs.writing import FinishedPage, new_output

log = logging.getLogger(__name__)

Values = ParamSpec("Values")
Result = TypeVar("Result")

Deliver = Callable[[Job], object]
"""Takes an output that is whole on to where it belongs; what it raises fails that document."""


def stay(job: Job) -> None:
    """Leave an output where it was written."""


@dataclasses.dataclass(frozen=True)
class Written:
    """What became of one document."""

    records: tuple[PageRecord, ...]
    failure: Failure | None = None


def clean_documents(
    documents: Sequence[OpenDocument],
    run: Run,
    network: Callable[[], Cleans],
    tally: Tally,
    deliver: Deliver,
) -> list[Written]:
    """Read documents, clean their pages and finish each document; all three overlap.

    Documents are read and finished on threads, in order, and a bounded number of pages waits on
    either side of the network.

    Returns:
        What became of those that came to their end; when the run stops, the others leave nothing.
    """
    threads = run.options.threads
    read = partial(read_document, options=run.options)

    def close() -> None:
        for opened in documents:
            opened.close()

    finish = partial(finish_document, run=run, tally=tally, deliver=deliver)
    keep_freed_memory()  # now, or the threads to come would have heaps of their own
    try:
        with (
            closing(read_ahead(documents, read, threads, abandon=close)) as pages,
            WriteBehind(finish, threads, most=2 * threads) as finishing,
        ):
            for item in clean_stream(tally.until_stopped(pages, run.options), network):
                if isinstance(item, Ended):
                    finishing.end(item.opened)
                else:
                    finishing.put(item.opened, item)
    finally:
        close()  # those that were dropped
    return list(finishing.results())


def finish_document(
    opened: OpenDocument, pages: Iterator[RunPage], run: Run, tally: Tally, deliver: Deliver
) -> Written:
    """Guard, lay out, record, write and deliver a document's pages as they come from the network.

    Returns:
        A row for each page. An error is not raised but told in rows of status `failed`, and then
        nothing of the document is written.

    Raises:
        DroppedError: the run was stopped before all pages had come, or has nowhere to deliver to;
            nothing is left.
    """
    expected = max(1, len(opened.indices(run.options)))
    sizes: list[Size] = []
    try:
        with new_output(opened, run) as output:
            for page in pages:
                output.add(finish_page(page, run, output.holds_many, sizes))
                tally.page_done(opened, output.rows[-1])
            opened.refuse_mixture()
        size = opened.job.output.stat().st_size
        deliver(opened.job)
        written = Written(tuple(dataclasses.replace(row, output_size=size) for row in output.rows))
    except DroppedError:
        raise
    except Exception as error:
        written = fail_document(opened, run, error)
    finally:
        opened.close()
    tally.document_done(missing=expected - opened.pages_done, failed=written.failure is not None)
    return written


def finish_page(item: RunPage, run: Run, may_split: bool, sizes: list[Size]) -> FinishedPage:
    """Do what lies between the network and the output: lay the page out, and say how it is.

    Args:
        item: a page that was cleaned, or one that passes through untouched.
        run: says how.
        may_split: whether the output can hold more pages than were read.
        sizes: of the document's pages so far, for `--crop`.
    """
    if isinstance(item.page, UntouchedPage):
        return _pass_through(item.opened, item.page, run)
    cleaned, options = item.cleaned, run.options
    assert cleaned is not None, "it has been through the network"
    scan = cleaned.before.pixels
    laid, seconds_geometry = _timed(lay_out, scan, cleaned.page, options, may_split, sizes)
    (metrics, added), seconds_measure = _timed(_judge, scan, cleaned.page.pixels)
    doubt = cleaned.doubt or added
    if laid.is_blank and options.blank == "mark":
        doubt = doubt or "it is blank"
    row = dataclasses.replace(
        page_row(item, run, laid, metrics, doubt),
        seconds_geometry=seconds_geometry,
        seconds_measure=seconds_measure,
    )
    return FinishedPage(laid.page, row, laid.is_blank)


def fail_document(opened: OpenDocument, run: Run, error: Exception) -> Written:
    """Give a document up, and say why."""
    opened.fail(error)
    failure = describe(str(opened.job.source), error)
    log.error(failure.message)
    log.debug("the error", exc_info=error)
    return Written(tuple(failed_rows(opened, run, failure)), failure)


def _pass_through(opened: OpenDocument, page: UntouchedPage, run: Run) -> FinishedPage:
    if page.damaged:
        number = page.index + 1
        log.warning("%s, page %d, stays as it is: %s", opened.job.source, number, page.reason)
    return FinishedPage(page, untouched_row(opened, run, page))


def _judge(scan: Pixels, cleaned: Pixels) -> tuple[PageMetrics | None, str | None]:
    """Metrics of a page, and what was added to it; a page may be too small for any."""
    try:
        metrics = measure(scan, cleaned)
    except OptionError:
        return None, None
    return metrics, reason_to_look(metrics)


def _timed(
    step: Callable[Values, Result], *args: Values.args, **kwargs: Values.kwargs
) -> tuple[Result, float]:
    """What a step returns, and the seconds that it took."""
    start = time.perf_counter()
    result = step(*args, **kwargs)
    return result, time.perf_counter() - start
