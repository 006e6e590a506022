"""Standard streams that never stop the work: closed, broken off, or with nobody who reads on.

Messages and progress are a courtesy. Whether they can be written must change nothing of what is
done, or of the exit code.
"""

import io
import os
import select
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

PATIENCE = 1.0
"""Seconds that a message waits for a reader who is slow; those after it do not wait any more."""

_PIECE = select.PIPE_BUF if hasattr(select, "PIPE_BUF") else 512
"""Bytes that a pipe takes at once, or not at all, when it says that it takes some."""


@contextmanager
def steady_streams() -> Iterator[None]:
    """Have standard error take everything, for as long as the block, whatever becomes of it.

    What was closed from the start is opened on nothing: or else the next file to be opened would
    get its number, and a library's warnings would be written into a document.
    """
    _fill_closed()
    before = sys.stderr
    sys.stderr = Unfailing(before)
    try:
        yield
    finally:
        sys.stderr = before


def give_up_stdout() -> None:
    """Lead standard output nowhere from now on, so that the end of the process does not fail."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _fill_closed() -> None:
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            with suppress(OSError):
                os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free


class Unfailing(io.TextIOBase):
    """Text to a stream that may be missing, break, or take nothing: then it is lost."""

    def __init__(self, stream: TextIO | None) -> None:
        """Take the stream; None is one that was closed from the start."""
        self._stream = stream
        self._stuck = False
        try:
            self._number: int | None = stream.fileno() if stream is not None else None
        except (OSError, ValueError):
            self._number = None  # a stream in memory, such as a test's

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """That of the stream: progress bars ask which characters they may use."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    def fileno(self) -> int:
        """Its number, by which the width of a terminal is asked for."""
        if self._number is None:
            raise OSError("the stream has no number")
        return self._number

    def isatty(self) -> bool:
        """Whether a person reads it."""
        return self._stream is not None and self._stream.isatty()

    def writable(self) -> bool:
        """It always is."""
        return True

    def write(self, text: str) -> int:
        """Write what can be written, and say that all was."""
        with suppress(OSError, ValueError):
            if self._number is not None:
                self._write_bytes(text.encode(self.encoding, "backslashreplace"))
            elif self._stream is not None:
                self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Pass on what waits, if anything does."""
        if self._number is None and self._stream is not None:
            with suppress(OSError, ValueError):
                self._stream.flush()

    def _write_bytes(self, data: bytes) -> None:
        assert self._number is not None
        while data and self._has_room(self._number):
            data = data[os.write(self._number, data[:_PIECE]) :]

    def _has_room(self, number: int) -> bool:
        """Whether writing a piece returns at once: a stopped terminal or a full pipe would wait."""
        if stat.S_ISREG(os.fstat(number).st_mode):
            return True
        poll = select.poll()
        poll.register(number, select.POLLOUT)
        self._stuck = not poll.poll(0 if self._stuck else PATIENCE * 1000)
        return not self._stuck
