"""Documents as one stream of pages, in order, and that stream through the network.

An error belongs to one document: it travels in the stream, at that document's end, and the others
go on. Where documents are read and written, and on which threads, is decided elsewhere.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Protocol

from pagewash.documents.document import Document
from pagewash.errors import InputError
from pagewash.files import harmless, sha256_of
from pagewash.isolation.document import IsolatedDocument
from pagewash.options import RunOptions, parse_pages
from pagewash.pages import Page, UntouchedPage
from pagewash.runs.planning import Job

if TYPE_CHECKING:
    from pagewash.cleaning.cleaner import (
        CleanedPage,  # brings torch, which is loaded while pages are read
    )

log = logging.getLogger(__name__)


class Cleans(Protocol):
    """What is asked of a cleaner; `pagewash.cleaning.cleaner.Cleaner` is one."""

    model_id: str
    model_sha256: str
    device: str
    precision: str
    precision_reason: str
    halo: int

    @property
    def tile(self) -> int:
        """Longest side of a tile in pixels, as it is now."""
        ...

    def clean_pages(self, pages: Iterable[Page]) -> "Iterator[CleanedPage]":
        """Clean pages, lazily and in order."""
        ...


@dataclass(eq=False)
class OpenDocument:
    """A document on its way through the run."""

    job: Job
    document: Document | None = None
    """Open from its first page to its last writing."""

    sha256: str | None = None
    error: Exception | None = None
    """Why it fails; its other pages need not be read or cleaned any more."""

    pages_done: int = 0
    """Pages that have been measured and encoded."""

    def fail(self, error: Exception) -> None:
        """Give it up, for the first reason that anyone has."""
        self.error = self.error or error

    def indices(self, options: RunOptions) -> list[int]:
        """Pages of it that were asked for, from 0; [] while it is not open."""
        count = self.document.page_count if self.document else 0
        wanted = parse_pages(options.pages)
        return [index for index in range(count) if wanted is None or index in wanted]

    def close(self) -> None:
        """Close the document, if it is open."""
        if self.document is not None:
            self.document.close()
            self.document = None


@dataclass(frozen=True)
class PageIn:
    """A page as it was read."""

    opened: OpenDocument
    page: Page
    seconds: float
    """To read and decode it."""


@dataclass(frozen=True)
class PagePassed:
    """A page that holds nothing to clean."""

    opened: OpenDocument
    page: UntouchedPage


@dataclass(frozen=True)
class PageOut:
    """A page that has been through the network."""

    opened: OpenDocument
    cleaned: "CleanedPage"
    seconds: float
    """To read and decode it."""


@dataclass(frozen=True)
class Ended:
    """The last of a document: all its pages have come, or it failed."""

    opened: OpenDocument


def read_document(
    opened: OpenDocument, options: RunOptions
) -> Iterator[PageIn | PagePassed | Ended]:
    """Open a document and yield its pages; the last item is always its end. Raises nothing."""
    job = opened.job
    try:
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
            if isinstance(page, Page):
                yield PageIn(opened, page, time.perf_counter() - start)
            else:
                yield PagePassed(opened, page)
            if opened.error is not None:
                break
            start = time.perf_counter()
    except Exception as error:
        opened.fail(error)
    yield Ended(opened)


def through_network(
    items: Iterator[PageIn | PagePassed | Ended], load: Callable[[], Cleans]
) -> Iterator[PageOut | PagePassed | Ended]:
    """Clean the pages of a stream; what else is in it keeps its place.

    The network is loaded when the first page comes: a run of nothing but broken files never
    needs it. Where it fails on pages that it took together, each is cleaned alone, so that only
    the document of the page that it cannot clean fails.
    """
    for item in items:
        if isinstance(item, PageIn):
            items = chain([item], items)
            break
        yield item
    else:
        return
    cleaner = load()
    while True:
        waiting: deque[PageIn | PagePassed | Ended] = deque()
        try:
            yield from _together(items, waiting, cleaner)
            return
        except Exception:
            log.warning("the network failed on some pages; each of them is tried alone")
            log.debug("the failure", exc_info=True)
        yield from _alone(waiting, cleaner)


def _together(
    items: Iterator[PageIn | PagePassed | Ended],
    waiting: deque[PageIn | PagePassed | Ended],
    cleaner: Cleans,
) -> Iterator[PageOut | PagePassed | Ended]:
    """Clean pages as the cleaner batches them; what has gone in and not come out is `waiting`."""

    def pages() -> Iterator[Page]:
        for item in items:
            if not isinstance(item, PageIn):
                waiting.append(item)
            elif item.opened.error is None:
                waiting.append(item)
                yield item.page

    def passing() -> Iterator[PagePassed | Ended]:
        while waiting and not isinstance(waiting[0], PageIn):
            yield waiting.popleft()  # type: ignore[misc]

    for cleaned in cleaner.clean_pages(pages()):
        yield from passing()
        item = waiting.popleft()
        assert isinstance(item, PageIn)
        yield PageOut(item.opened, cleaned, item.seconds)
    yield from passing()


def _alone(
    waiting: deque[PageIn | PagePassed | Ended], cleaner: Cleans
) -> Iterator[PageOut | PagePassed | Ended]:
    """Clean pages one by one, and fail the documents of those that cannot be cleaned."""
    while waiting:
        item = waiting.popleft()
        if not isinstance(item, PageIn):
            yield item
            continue
        try:
            (cleaned,) = cleaner.clean_pages([item.page])
        except Exception as error:
            item.opened.fail(error)
        else:
            yield PageOut(item.opened, cleaned, item.seconds)
