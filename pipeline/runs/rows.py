"""Rows about pages and documents, as they go into the metrics."""

import dataclasses

from pagewash.failures import Failure
from pagewash.files import as_text
from pagewash.measuring.definitions import PageMetrics
from pagewash.measuring.records import PageRecord, Provenance
from pagewash.pages import UntouchedPage
from pagewash.runs.layout import LaidOut
from pagewash.runs.loading import Cleans
from pagewash.runs.open_document import OpenDocument, RunPage
from pagewash.runs.outcome import Run
from pagewash.versions import version_of


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
        precision_reason=(run.why_precision or cleaner.precision_reason)
        if cleaner
        else "no page reached the network",
        tile=cleaner.tile if cleaner else 0,
        halo=cleaner.halo if cleaner else 0,
        options_hash=run.output_key.options_hash,
    )


def page_row(
    item: RunPage, run: Run, laid: LaidOut, metrics: PageMetrics | None, doubt: str | None
) -> PageRecord:
    """A row about a page that was cleaned.

    Args:
        item: the page.
        run: the run that cleaned it.
        laid: the page as it is written.
        metrics: None for a page that is too small to have any.
        doubt: why a person should look at it, if so.
    """
    cleaned = item.cleaned
    assert cleaned is not None, "it has been through the network"
    before = cleaned.before
    dpi_x, dpi_y = before.dpi or (None, None)
    return dataclasses.replace(
        document_row(item.opened, run),
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
        given_back=cleaned.given_back,
        geometry=laid.found,
        transform=laid.transform,
        novelty=cleaned.novelty,
        embedding=cleaned.embedding,
        seconds_read=item.seconds,
        seconds_clean=cleaned.seconds,
    )


def untouched_row(opened: OpenDocument, run: Run, page: UntouchedPage) -> PageRecord:
    """A row about a page that passes through as it is."""
    return dataclasses.replace(
        document_row(opened, run), page=page.index + 1, status="skipped", message=page.reason
    )


def failed_rows(opened: OpenDocument, run: Run, failure: Failure) -> list[PageRecord]:
    """Rows about a document that is not written: all its pages fail, for one reason."""
    base = dataclasses.replace(
        document_row(opened, run), status="failed", error=failure.error, message=failure.message
    )
    pages = [index + 1 for index in opened.indices(run.options)]
    return [dataclasses.replace(base, page=page) for page in pages] or [base]


def document_row(opened: OpenDocument, run: Run) -> PageRecord:
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
        source_folder=as_text(job.source_folder),
        output_folder=as_text(job.output_folder),
    )
