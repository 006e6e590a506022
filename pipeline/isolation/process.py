"""Worker processes: how one is started, asked and ended, and those that wait for the next document.

Knows nothing of what they are asked.
"""

import atexit
import os
import subprocess
import sys
import threading
from contextlib import suppress
from typing import Any

from pagewash.errors import PagewashError
from pagewash.isolation.messages import receive, send

COMMAND = (sys.executable, "-P", "-m", "pagewash.isolation.worker")
"""Starts a worker. -P: nothing is imported from the folder that the user stands in."""

_PIPE_BYTES = 1 << 20
_SET_PIPE_SIZE = 1031  # F_SETPIPE_SZ of Linux

_waiting: dict[int, list["Worker"]] = {}  # by the process that started them: a fork has none
_lock = threading.Lock()


class Worker:
    """A process that opens one document at a time."""

    def __init__(self) -> None:
        """Start it."""
        one_thread = dict.fromkeys(
            ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MALLOC_ARENA_MAX"), "1"
        )
        self.lost_patience = False
        """Whether it was killed for taking too long."""
        self._process = subprocess.Popen(
            COMMAND,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # libraries print what a document told them to
            env={**os.environ, **one_thread},
        )
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(ImportError, OSError, AttributeError):
                import fcntl

                fcntl.fcntl(pipe, _SET_PIPE_SIZE, _PIPE_BYTES)  # type: ignore[arg-type]

    @property
    def pid(self) -> int:
        """Its number for the system."""
        return self._process.pid

    def ask(self, patience: float, *request: Any) -> Any:
        """Put a question and wait for the answer.

        Args:
            patience: seconds of waiting after which it is killed.
            request: name of a method of `Session` and its arguments.

        Raises:
            EOFError: it ended without an answer; so it did after that many seconds.
            PagewashError: the error that it answers with.
        """
        answered = threading.Event()
        threading.Thread(target=self._watch, args=(answered, patience), daemon=True).start()
        try:
            send(self._process.stdin, request)  # type: ignore[arg-type]
            answer = receive(self._process.stdout, trusted=False)  # type: ignore[arg-type]
        except BrokenPipeError as error:
            raise EOFError from error
        finally:
            answered.set()
        if isinstance(answer, PagewashError):
            raise answer
        return answer

    def _watch(self, answered: threading.Event, patience: float) -> None:
        """Count seconds awake: those that the whole run was stopped for are not meant."""
        while patience > 0:
            if answered.wait(min(1.0, patience)):
                return
            patience -= 1
        self.lost_patience = True
        self._process.kill()

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def end(self, patience: float = 0.0) -> int:
        """End it; returns what it ended with: a signal's number, below zero.

        Args:
            patience: seconds in which it may end by itself.
        """
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                pipe.close()  # type: ignore[union-attr]
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(patience)
        self._process.kill()
        return self._process.wait()


def borrow() -> Worker:
    """A worker that has nothing to do: one that waits, or a new one."""
    with _lock:
        waiting = _waiting.setdefault(os.getpid(), [])
        while waiting:
            worker = waiting.pop()
            if worker.is_alive:
                return worker
            worker.end()
    return Worker()


def give_back(worker: Worker) -> None:
    """Have a worker wait for the next document; there are never more than were busy at once."""
    with _lock:
        _waiting.setdefault(os.getpid(), []).append(worker)


@atexit.register
def end_all() -> None:
    """End the workers that wait."""
    with _lock:
        for worker in _waiting.pop(os.getpid(), []):
            worker.end()
