"""One run holds a destination at a time, by a lock that the system releases after a crash.

A run into a folder holds it alone. One that writes a single file shares its folder with others of
its kind, and holds the file.
"""

import datetime
import errno
import hashlib
import json
import logging
import os
import socket
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import BinaryIO

from pagewash import locks
from pagewash.errors import HeldError, OptionError
from pagewash.files import access_errors, real_path
from pagewash.leftovers import clear_leftovers, clear_working_folders
from pagewash.options import RunOptions
from pagewash.runs.planning import RunPlan, check_places, check_writable, names_a_file, plan_run

log = logging.getLogger(__name__)

LOCK = ".pagewash.lock"
"""Name of the file in a folder that says who holds it."""

POLL = 0.5
"""Seconds after which a run that waits tries again."""

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP}
_ALONE = "do not let two runs write there at once"

_mine: ContextVar[frozenset[Path]] = ContextVar("mine", default=frozenset())
"""Places that are held already by who asks: a watch holds its destination for all its batches."""


@contextmanager
def planned_run(
    source: Path,
    destination: Path,
    options: RunOptions,
    metrics: Path | None = None,
    only: Collection[str] | None = None,
    called: str | None = None,
) -> Iterator[RunPlan]:
    """Plan a run that nobody comes in the way of; what killed runs left there goes.

    Args and errors as for `plan_run`.

    Raises:
        HeldError: another run is at work there.
    """
    check_places(source, destination, options)
    with hold(source, destination, options, metrics):
        yield plan_run(source, destination, options, metrics, only, called)


@contextmanager
def hold(
    source: Path,
    destination: Path,
    options: RunOptions,
    metrics: Path | None = None,
    stop: threading.Event | None = None,
) -> Iterator[None]:
    """Keep other runs from a destination, for as long as the block.

    Its folder is made if need be, and goes again if nothing came into it. What killed runs left
    there, among the metrics and in the temporary folder, goes first.

    Args:
        source: a folder, or one document.
        destination: a folder, or for one document also the file to make.
        options: say whether to wait for another run.
        metrics: folder of the metrics, if it is not in the destination.
        stop: ends the waiting, once it is set.

    Raises:
        HeldError: another run holds it.
        OptionError: the destination shows up in the source: it is the same, mounted twice.
        AccessError: its folder cannot be written to.
        KeyboardInterrupt: it was told to stop while it waited.
    """
    place = real_path(destination)
    if place in _mine.get():
        yield
        return
    single = source.is_file() and names_a_file(destination)
    folder = place.parent if single else place
    wanted = {folder / LOCK: single}
    if single:
        name = hashlib.sha256(os.fsencode(place.name)).hexdigest()[:16]
        wanted[place.with_name(f".pagewash-{name}.lock")] = False
    with ExitStack() as stack:
        check_writable(folder)
        stack.enter_context(_folder(folder))
        around = [path for path in _around(folder) if path.exists()]
        for path, shared in (dict.fromkeys(around, True) | wanted).items():
            stack.enter_context(_held(path, shared, destination, options.wait, stop))
        for path in _around(folder):
            if path not in around and path.exists():  # it has come meanwhile
                raise _refusal(path, destination)
        if source.is_dir() and _same(source / LOCK, folder / LOCK):
            raise OptionError(
                f"{destination} is {source} under another name, so that originals would be written "
                "over; choose another destination"
            )
        in_use = clear_leftovers(folder, below=not single)
        if not single:
            _wait_for_those_inside({*in_use} - {*wanted}, destination, options.wait, stop)
        if metrics is not None:
            clear_leftovers(metrics)
        clear_working_folders()
        stack.callback(clear_working_folders)  # a killed run's processes may outlive it by a moment
        stack.callback(_mine.reset, _mine.set(_mine.get() | {place}))
        yield


def _around(folder: Path) -> list[Path]:
    """Locks of runs whose destination a folder lies in, the outermost first."""
    return [parent / LOCK for parent in reversed(folder.parents)]


def _wait_for_those_inside(
    in_use: Collection[Path], destination: Path, wait: bool, stop: threading.Event | None
) -> None:
    """See that no other run has a folder inside this one for its destination."""
    for path in in_use:
        if path.suffix == ".lock":
            with _held(path, False, destination, wait, stop):
                pass


@contextmanager
def _folder(folder: Path) -> Iterator[None]:
    """A folder that is there; those that had to be made go again where they stay empty."""
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    with access_errors(str(folder), "written"):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        with suppress(OSError):
            for place in made:
                place.rmdir()


@contextmanager
def _held(
    path: Path, shared: bool, destination: Path, wait: bool, stop: threading.Event | None
) -> Iterator[None]:
    """Hold the lock in a file; where there are no locks, say so and go on."""
    told = False
    while (file := _take(path, shared)) is None:
        if not wait:
            raise _refusal(path, destination)
        if not told:
            log.warning(f"{_refusal(path, destination)} Waiting for it.")
        told = True
        time.sleep(POLL)
        if stop is not None and stop.is_set():
            raise KeyboardInterrupt
    try:
        yield
    finally:
        with file, suppress(OSError):
            if locks.take(file):  # whoever shares it removes it when the last one is done
                path.unlink(missing_ok=True)


def _take(path: Path, shared: bool) -> BinaryIO | None:
    """The open file of a lock that was taken; None if another run has it."""
    with access_errors(str(path), "written"):
        while True:
            file = _open(path)
            try:
                if not locks.take(file, shared=shared):
                    file.close()
                    return None
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    file.close()
                    raise
                log.warning(f"{path.parent} is on a disk that knows no locks; {_ALONE}")
                return file
            if locks.is_at(file, path):  # else it was just let go, and removed
                if file.writable():
                    break
                if shared:  # of another user, who may be gone; to share it takes no writing
                    return file
                with file:
                    path.unlink()
            file.close()
        file.truncate(0)
        file.write(json.dumps(_who()).encode())
        file.flush()
    if locks.seen_here_only(path.parent):
        log.warning(f"{path.parent} is a share whose locks other machines do not see; {_ALONE}")
    return file


def _open(path: Path) -> BinaryIO:
    while True:
        try:
            return open(path, "a+b", opener=_open_no_link)
        except PermissionError:
            return open(path, "rb", opener=_open_no_link)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)  # its holder took it along


def _open_no_link(path: str, flags: int) -> int:
    """Open a file of that name itself: through a link, one elsewhere would be made or held."""
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)


def _who() -> dict[str, str | int]:
    since = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return {"host": socket.gethostname(), "process": os.getpid(), "since": since}


def _refusal(path: Path, destination: Path) -> HeldError:
    try:
        held = json.loads(path.read_text("utf-8"))
        by = f"process {held['process']} on {held['host']}, since {held['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        by = "somebody"  # who has just come, or gone
    return HeldError(
        f"{destination} is held by another run ({by}). Wait for it with --wait, or choose another "
        "destination."
    )


def _same(one: Path, other: Path) -> bool:
    try:
        return one.read_bytes() == other.read_bytes()
    except OSError:
        return False
