"""What a person at a terminal sees and does: messages, a progress bar, and Ctrl-C."""

import io
import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from pagewash.errors import PagewashError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from pagewash.runs.planning import RunPlan


class _AboveTheBar(logging.Handler):
    """Writes to standard error without tearing a progress bar apart."""

    def emit(self, record: logging.LogRecord) -> None:
        from tqdm import tqdm

        tqdm.write(f"pagewash: {self.format(record)}", file=sys.stderr)


def set_up_logging(*, quiet: bool, verbose: bool) -> None:
    """Send the project's messages to standard error: errors, warnings too, or everything."""
    logger = logging.getLogger("pagewash")
    logger.setLevel(logging.DEBUG if verbose else logging.ERROR if quiet else logging.WARNING)
    logger.handlers = [_AboveTheBar()]
    logger.propagate = False


def say(line: str, *, quiet: bool = False) -> None:
    """Tell the user something that is not a result, on standard error."""
    if not quiet:
        print(f"pagewash: {line}", file=sys.stderr)


def show(what: "RenderableType", *, to_stdout: bool = True) -> None:
    """Print a result, as wide as the terminal; where output goes to a file, wide enough."""
    from rich.console import Console

    file = sys.stdout if to_stdout else sys.stderr
    if isinstance(file, io.TextIOWrapper):
        file.reconfigure(errors="backslashreplace")  # no name must end a command that has done all
    console = Console(file=file, width=None if file.isatty() else 120, highlight=False)
    console.print(what)


def nothing_to_do(plan: "RunPlan") -> str:
    """Say why a run has nothing to do."""
    if plan.done:
        return f"nothing to do: {plan.done} documents are clean already (--force cleans them again)"
    return "nothing to do: no documents found; scans are known by their extension (.tif, .pdf …)"


@contextmanager
def progress_bar(documents: int, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar of pages on standard error, which begins with one page per document."""
    from tqdm import tqdm

    look = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_noinv_fmt}]"
    with tqdm(
        total=documents, unit=" pages", bar_format=look, disable=quiet, file=sys.stderr
    ) as bar:

        def tell(done: int, found: int) -> None:
            bar.total += found
            bar.update(done)

        yield tell


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set; a second one raises KeyboardInterrupt at once."""
    stop = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        say("stopping: documents in hand are finished or dropped whole; once more to leave at once")

    if threading.current_thread() is not threading.main_thread():
        yield stop  # only the main thread hears signals
        return
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_on_sigterm() -> None:
    """Let SIGTERM end the process as Ctrl-C does, so that temporary files go with it."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def explain(error: Exception) -> str:
    """What a command says of the error that ended it."""
    logging.getLogger("pagewash").debug("the error", exc_info=error)
    if isinstance(error, PagewashError):
        return str(error)
    if isinstance(error, ImportError):
        return f"{error.name or error} is not installed; run: pip install --upgrade pagewash"
    if isinstance(error, OSError):
        return f"{error}. Check the permissions and the space on that disk."
    return (
        f"{type(error).__name__}: {error}. This is a defect of pagewash; with --verbose it says "
        "more, which helps in a report."
    )
