"""Counts what is done while it is being done, and says when to stop."""

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Protocol

from pagewash.measuring.records import PageRecord
from pagewash.options import RunOptions
from pagewash.runs.open_document import Ended, OpenDocument, RunPage

log = logging.getLogger(__name__)

Progress = Callable[[int, int], object]
"""Told of pages that are done, and of pages that were found beyond one per document."""


class Stop(Protocol):
    """What tells a run to stop; a `threading.Event` is one."""

    def is_set(self) -> bool:
        """Whether to stop."""
        ...


class Tally:
    """What a shard has come to so far; for many threads."""

    def __init__(self, progress: Progress, stop: Stop, may_fail: int | None) -> None:
        """Begin with nothing; `may_fail` is the number of failures after which to stop."""
        self._progress = progress
        self._stop = stop
        self._may_fail = may_fail
        self._failures = 0
        self._lock = threading.Lock()

    def until_stopped(
        self, items: Iterator[RunPage | Ended], options: RunOptions
    ) -> Iterator[RunPage | Ended]:
        """Pass items on until it is time to stop, and tell of the pages that they bring."""
        last = None
        for item in items:
            if self._stop.is_set() or self._too_many_failed():
                return
            if item.opened is not last:
                last = item.opened
                self._tell(0, max(0, len(last.indices(options)) - 1))
            yield item

    def page_done(self, opened: OpenDocument, row: PageRecord) -> None:
        """Take note of a page that is written; one of a PDF may hold several images."""
        if row.part == 0:
            opened.pages_done += 1
            self._tell(1, 0)

    def document_done(self, missing: int, failed: bool) -> None:
        """Take note of a document that has come to its end, `missing` pages of it unfinished."""
        with self._lock:
            self._failures += failed
        self._tell(missing, 0)

    def _tell(self, done: int, found: int) -> None:
        """Report progress; callers are on several threads. The work goes on if nobody can hear."""
        with self._lock:
            try:
                self._progress(done, found)
            except Exception:
                log.debug("progress could not be told", exc_info=True)

    def _too_many_failed(self) -> bool:
        return self._may_fail is not None and self._failures > self._may_fail
