"""Documents on their way through a run: opened, and read page by page.

An error belongs to one document: it travels with it to its end, and the others go on. On which
threads documents are read is decided elsewhere.
"""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pagewash.documents.document import Document
from pagewash.errors import InputError
from pagewash.files import harmless, sha256_of
from pagewash.isolation.document import IsolatedDocument
from pagewash.options import RunOptions, parse_pages
from pagewash.pages import Page, UntouchedPage
from pagewash.runs.ledger import Source
from pagewash.runs.planning import Job

if TYPE_CHECKING:
    from pagewash.cleaning.cleaner import CleanedPage  # brings torch, loaded while pages are read

log = logging.getLogger(__name__)


@dataclass(eq=False)
class OpenDocument:
    """A document on its way through the run."""

    job: Job
    document: Document | None = None
    """Open from its first page to its last writing."""

    found: Source | None = None
    """As it lay there when its reading began; None before, and where nothing lay there."""

    sha256: str | None = None
    error: Exception | None = None
    """Why it fails; its other pages need not be read or cleaned any more."""

    pages_done: int = 0
    """Pages that have been measured and encoded."""

    def fail(self, error: Exception) -> None:
        """Give it up, for the first reason that anyone has."""
        self.error = self.error or error

    def refuse_mixture(self) -> None:
        """Make sure that what is read of the document once more is of the one that was read.

        Raises:
            InputError: another lies under its name, or it was written to.
        """
        source = self.job.source
        if _found(source) in (None, self.found) or sha256_of(source) == self.sha256:
            return
        raise InputError(f"{source} changed while it was read; run the same command again")

    def indices(self, options: RunOptions) -> list[int]:
        """Pages of it that were asked for, from 0; [] while it is not open."""
        count = self.document.page_count if self.document else 0
        wanted = parse_pages(options.pages)
        return [index for index in range(count) if wanted is None or index in wanted]

    def close(self) -> None:
        """Close the document, if it is open."""
        document, self.document = self.document, None
        if document is not None:
            document.close()


@dataclass(eq=False)
class RunPage:
    """A page on its way through the run."""

    opened: OpenDocument
    page: Page | UntouchedPage
    """As it was read; one to be left untouched passes by the network."""

    seconds: float = 0.0
    """To read and decode it."""

    cleaned: "CleanedPage | None" = None
    """What the network made of it, once it has been there."""


@dataclass(frozen=True)
class Ended:
    """The last of a document: all its pages have come, or it failed."""

    opened: OpenDocument


def read_document(opened: OpenDocument, options: RunOptions) -> Iterator[RunPage | Ended]:
    """Open a document and yield its pages; the last item is always its end. Raises nothing."""
    job = opened.job
    try:
        if opened.error is not None:
            raise opened.error
        opened.found = _found(job.source)
        opened.sha256 = sha256_of(job.source)
        opened.document = IsolatedDocument(job.source, options.limits)
        for note in opened.document.notes:
            log.warning(harmless(note))
        if not opened.indices(options):
            raise InputError(
                f"{job.source} has {opened.document.page_count} pages, none of --pages "
                f"{options.pages}; ask for pages that it has"
            )
        start = time.perf_counter()
        for page in opened.document.pages(parse_pages(options.pages)):
            yield RunPage(opened, page, time.perf_counter() - start)
            if opened.error is not None:
                break
            start = time.perf_counter()
    except Exception as error:
        opened.fail(error)
    yield Ended(opened)


def _found(path: Path) -> Source | None:
    """How a document lies there; None where it went away, which is no document to be mixed in."""
    try:
        return Source.of(path.stat())
    except OSError:
        return None
