"""What a person at a terminal sees and does: messages, a progress bar, and Ctrl-C."""

import io
import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, TextIO

from pagewash.errors import InputError, PagewashError
from pagewash.files import access_errors, harmless
from pagewash.flows.streams import give_up_stdout
from pagewash.leftovers import without_working_folders

if TYPE_CHECKING:
    from rich.console import RenderableType

    from pagewash.runs.planning import RunPlan


class _AboveTheBar(logging.Handler):
    """Writes to standard error without tearing a progress bar apart."""

    def emit(self, record: logging.LogRecord) -> None:
        from tqdm import tqdm

        tqdm.write(f"pagewash: {_shown(self.format(record))}", file=sys.stderr)


def set_up_logging(*, quiet: bool, verbose: bool) -> None:
    """Send the project's messages to standard error: errors, warnings too, or everything."""
    logger = logging.getLogger("pagewash")
    logger.setLevel(logging.DEBUG if verbose else logging.ERROR if quiet else logging.WARNING)
    logger.handlers = [_AboveTheBar()]
    logger.propagate = False


def say(line: str, *, quiet: bool = False) -> None:
    """Tell the user something that is not a result, on standard error."""
    if not quiet:
        print(f"pagewash: {_shown(line)}", file=sys.stderr)


def _shown(text: str) -> str:
    """A message of one or more lines as it may go to a terminal."""
    return "\n".join(harmless(line) for line in text.split("\n"))


def show(what: "RenderableType", *, to_stdout: bool = True) -> None:
    """Print a result, as wide as the terminal; where output goes to a file, wide enough.

    A reader who has seen enough, as in `| head`, and a stream that is closed are no errors. A line
    of text is for `tell`: in one, rich would take brackets for commands.

    Raises:
        AccessError: it cannot be written: a full disk.
    """
    from rich.console import Console

    file = sys.stdout if to_stdout else sys.stderr
    if file is None:
        return
    read = file.isatty()
    text = io.StringIO()  # rich itself would end the process where a pipe is broken
    Console(file=text, force_terminal=read, width=None if read else 120, highlight=False).print(
        what
    )
    with _results(file):
        file.write(text.getvalue())


def tell(line: str) -> None:
    """Print a result of one line; as for `show`."""
    write(f"{harmless(line)}\n")


def write(text: str) -> None:
    """Write a result to standard output as it is; as for `show`."""
    if sys.stdout is None:
        return
    with _results(sys.stdout):
        sys.stdout.write(text)


@contextmanager
def _results(file: TextIO) -> Iterator[None]:
    if isinstance(file, io.TextIOWrapper):
        file.reconfigure(errors="backslashreplace")  # no name must end a command that has done all
    with access_errors("standard output", "written"):
        try:
            yield
            file.flush()
        except OSError as error:
            give_up_stdout()
            if not isinstance(error, BrokenPipeError):
                raise


def nothing_to_do(plan: "RunPlan", source: Path) -> str:
    """Say that a run has nothing to do.

    Raises:
        InputError: there are no documents: whoever deletes scans that were cleaned must not go on.
    """
    if plan.done:
        return f"nothing to do: {plan.done} documents are clean already (--force cleans them again)"
    from pagewash.documents.containers import EXTENSIONS

    raise InputError(
        f"{source} holds no documents; scans are known by their extension "
        f"({', '.join(EXTENSIONS)}), and hidden ones are left out"
    )


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
    """An event that Ctrl-C, SIGTERM and SIGHUP set; a second one raises KeyboardInterrupt."""
    stop = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        say("stopping: documents in hand are finished or dropped whole; once more to leave at once")

    if threading.current_thread() is not threading.main_thread():
        yield stop  # only the main thread hears signals
        return
    numbers = _ended_by(signal.SIGINT)
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_on_signals() -> None:
    """Let SIGTERM and SIGHUP end the process as Ctrl-C does, so that temporary files go with it."""
    if threading.current_thread() is threading.main_thread():
        for number in _ended_by():
            signal.signal(number, signal.default_int_handler)


def _ended_by(*more: signal.Signals) -> list[signal.Signals]:
    """What ends a process from outside; a terminal that closes does not, under `nohup`, nor does
    Ctrl-C where a script has put it into the background.
    """
    numbers = [signal.SIGTERM, signal.SIGHUP, *more]
    return [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]


def explain(error: Exception) -> str:
    """What a command says of the error that ended it."""
    logging.getLogger("pagewash").debug("the error", exc_info=error)
    if isinstance(error, PagewashError):
        return without_working_folders(str(error))
    if isinstance(error, ModuleNotFoundError):
        return f"{error.name or error} is not installed; run: pip install --upgrade pagewash"
    if isinstance(error, OSError):
        return f"{error}. Check the permissions and the space on that disk."
    if isinstance(error, ImportError):  # a library of the system's that a package needs
        return (
            f"{error}. Install what it needs; 'When something goes wrong' in flows/README.md "
            "names the packages"
        )
    return (
        f"{type(error).__name__}: {error}. This is a defect of pagewash; please report it, with "
        "what --verbose says where the command has it."
    )
