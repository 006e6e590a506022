"""The process that opens documents for a run, one after the other, until the run has gone.

    python -P -m pagewash.isolation.worker < requests > answers

A decoder that crashes, hangs or asks for gigabytes takes this process with it, and nothing else.
"""

import os
import signal
from contextlib import suppress
from typing import Any, BinaryIO

import cv2

from pagewash.documents.reading import too_much_memory
from pagewash.errors import PagewashError, UnreadableError
from pagewash.inference.heap import keep_freed_memory
from pagewash.isolation.limits import be_first_to_go
from pagewash.isolation.messages import receive, send
from pagewash.isolation.session import Session


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until nobody asks any more.

    A request is the name of a method of `Session` and its arguments; "begin" has those of
    `Session` itself. An answer is what it returned, or the error that it raised.
    """
    session: Session | None = None
    with suppress(EOFError, BrokenPipeError):
        while True:
            name, *arguments = receive(requests, trusted=True)
            if name == "begin":
                session = Session(*arguments)
                send(answers, None)
                continue
            assert session is not None
            send(answers, _answer(session, name, tuple(arguments)))


def _answer(session: Session, name: str, arguments: tuple[Any, ...]) -> Any:
    try:
        return session.call(name, arguments)
    except PagewashError as error:
        return error
    except MemoryError:
        return too_much_memory(session.name, session.limits)
    except Exception as error:
        return UnreadableError(f"{session.name}: {type(error).__name__}: {error}")


def main() -> None:
    """Serve the run that started this process, over its standard input and output."""
    requests, answers = os.fdopen(os.dup(0), "rb", 0), os.fdopen(os.dup(1), "wb", 0)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):  # a library that prints must not disturb the answers
        os.dup2(nothing, descriptor)
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # the run hears them too, and decides
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    keep_freed_memory()
    be_first_to_go()
    cv2.setNumThreads(1)
    serve(requests, answers)


if __name__ == "__main__":
    main()
