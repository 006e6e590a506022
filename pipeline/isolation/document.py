"""A document that is open in a process of its own, for those who read it page by page here.

What a hostile document can do is to end its worker, or to have it ended; it fails then, as any
other that cannot be read.
"""

import os
import shutil
import signal
import threading
from collections.abc import Collection, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, BinaryIO, Self

from pagewash.documents.containers import Container
from pagewash.documents.reading import too_slow
from pagewash.documents.sinks import PageSink, image_sink
from pagewash.errors import PagewashError, TooLargeError, UnreadableError
from pagewash.isolation.process import Worker, borrow, give_back
from pagewash.isolation.session import Header
from pagewash.leftovers import working_folder
from pagewash.pages import DEFAULT_LIMITS, Page, Pixels, ReadLimits, UntouchedPage

_PATIENCE = 4.0
"""How many times its processor time a document may take by the clock for one answer; a decoder
that sleeps for ever uses none."""


_ENDING = 1.0
"""Seconds that the system may take to say what a process has ended by."""


class _Conversation:
    """One document and the worker that has it open."""

    def __init__(self, source: Path, limits: ReadLimits) -> None:
        self._source = source
        self._limits = limits
        self._patience = _PATIENCE * limits.max_document_seconds
        self._lock = threading.Lock()
        self._worker: Worker | None = borrow()
        self._may_return = True
        self.ask("begin", source, limits, _working_folder())

    def ask(self, *request: Any) -> Any:
        """Ask the worker; see `Session`.

        Raises:
            PagewashError: what it answers with, or why there is no answer.
        """
        with self._lock:
            worker = self._worker
            if worker is None:
                raise UnreadableError(f"{self._source} is closed")
            try:
                return worker.ask(self._patience, *request)
            except EOFError:
                self._worker = None
                raise self._reason(worker) from None
            except PagewashError as error:
                # what filled its memory may fill it still
                self._may_return = self._may_return and not isinstance(error, TooLargeError)
                raise
            except BaseException:  # its answer may still be on its way, and must meet nobody else
                self._worker = None
                worker.end()
                raise

    def _reason(self, worker: Worker) -> PagewashError:
        """Why a worker has ended before its time."""
        code = worker.end(_ENDING)
        if worker.lost_patience or -code == getattr(signal, "SIGXCPU", None):
            return too_slow(str(self._source), self._limits)
        ended = signal.Signals(-code).name if code < 0 else f"code {code}"
        return UnreadableError(
            f"{self._source} has ended the process that was reading it ({ended}). It may be "
            "damaged, or made to do so, or ask for more memory than there is: make it again, or "
            "remove the file."
        )

    @property
    def pid(self) -> int | None:
        """The worker's number for the system; None once it has gone."""
        return self._worker.pid if self._worker else None

    def close(self) -> None:
        """Let the worker go; where a thread still waits for an answer, that ends with an error."""
        worker = self._worker
        if worker is None:
            return
        if not self._lock.acquire(blocking=False):
            worker.end()
            return
        self._lock.release()
        try:
            self._may_return = self.ask("close") and self._may_return
        except PagewashError:
            self._may_return = False
        with self._lock:
            worker, self._worker = self._worker, None
        if worker is not None and self._may_return:
            give_back(worker)
        elif worker is not None:
            worker.end()


def _working_folder() -> Path:
    try:
        return Path.cwd()
    except OSError:  # it was removed under the run; absolute paths lead on from anywhere
        return Path(os.sep)


class IsolatedDocument:
    """A document that is open for reading elsewhere: a `Document`."""

    def __init__(self, source: Path, limits: ReadLimits = DEFAULT_LIMITS) -> None:
        """Open it; see `open_document`.

        Args:
            source: a file.
            limits: what it may ask for.

        Raises:
            InputError: it cannot be read, or asks for too much.
            AccessError: it is not there, or may not be read.
        """
        self.source: Path | None = source
        self.limits = limits
        self._path = source
        self._reading: _Conversation | None = None
        self._is_closed = False
        header = self._open()
        self.container: Container = header.container
        self.page_count = header.page_count
        self.notes = header.notes

    @property
    def worker_pid(self) -> int | None:
        """The process that has it open; None where none has."""
        return self._reading.pid if self._reading else None

    def pages(self, wanted: Collection[int] | None = None) -> Iterator[Page | UntouchedPage]:
        """Its pages in order, decoded as they are asked for; see `Document.pages`.

        Raises:
            TooLargeError: they hold more than the limit together.
        """
        self._ask("turn_to", wanted)
        while (page := self._ask("next_page")) is not None:
            yield page
        self._let_go()

    def megapixels(self, wanted: Collection[int] | None = None) -> float:
        """Millions of pixels that its pages hold together; see `Document.megapixels`."""
        return float(self._ask("megapixels", wanted))

    def copy_sink(self, container: Container, file: BinaryIO) -> "IsolatedCopy | None":
        """What makes a cleaned copy of a PDF; None for an image file, of which nothing stays."""
        if self.container != "pdf":
            return None
        return IsolatedCopy(
            self._path,
            self.limits,
            file,
            None if container == "pdf" else image_sink(container, file),
        )

    def _open(self) -> Header:
        self._reading = _Conversation(self._path, self.limits)
        try:
            header: Header = self._reading.ask("open")
        except BaseException:
            self._let_go()
            raise
        return header

    def _ask(self, *request: Any) -> Any:
        if self._is_closed:
            raise UnreadableError(f"{self._path} is closed")
        if self._reading is None:
            self._open()
        assert self._reading is not None
        return self._reading.ask(*request)

    def _let_go(self) -> None:
        """Its worker is free for the next document as soon as its last page is here."""
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.close()

    def close(self) -> None:
        """Close it."""
        self._is_closed = True
        self._let_go()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class IsolatedCopy:
    """A cleaned copy of a PDF, made where the PDF is open; a `PageSink`."""

    def __init__(
        self, source: Path, limits: ReadLimits, file: BinaryIO, images: PageSink | None
    ) -> None:
        """Open the PDF once more.

        Args:
            source: the PDF.
            limits: what it may ask for.
            file: takes the copy.
            images: takes its pages as images instead.
        """
        self._file = file
        self._images = images
        with ExitStack() as undo:
            self._folder = undo.enter_context(working_folder())
            self._writing = _Conversation(source, limits)
            undo.callback(self._writing.close)
            self._writing.ask("open")
            self._writing.ask("begin_copy", self._folder, images is not None)
            self._open = undo.pop_all()

    def add(self, page: Page | UntouchedPage) -> str | None:
        """Take a cleaned image, or note that a page stays; returns why its image stays, if so."""
        stays: str | None = self._ask("add", page)
        return stays

    def finish(self) -> None:
        """Put the images in their places and take the copy over."""
        self._ask("finish")
        if self._images is None:
            with (self._folder / "copy").open("rb") as copy:
                shutil.copyfileobj(copy, self._file)
            return
        while (page := self._ask("next_page")) is not None:
            self._images.add(page)
        self._images.finish()

    def _ask(self, *request: Any) -> Any:
        return self._writing.ask(*request)

    def close(self) -> None:
        """Let the worker go and drop what was written on the way."""
        self._open.close()


def view_page(path: Path, index: int, limits: ReadLimits = DEFAULT_LIMITS) -> Pixels:
    """One page as a reader sees it; see `pagewash.documents.viewing.view_page`."""
    with closing(_Conversation(path, limits)) as viewing:
        pixels: Pixels = viewing.ask("view", index)
    return pixels
