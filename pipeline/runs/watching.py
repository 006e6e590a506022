"""Watching an inbox: what has arrived whole is cleaned, batch after batch, until told to stop.

Nothing that lies in the inbox ends the watch. How a batch is cleaned, here or as a flow, is the
caller's.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

from pagewash.errors import AccessError, OptionError, PagewashError
from pagewash.failures import describe
from pagewash.files import access_errors, printable, sha256_of
from pagewash.options import RunOptions
from pagewash.runs.archive import name_apart
from pagewash.runs.conflicts import came_first, conflicts, identity
from pagewash.runs.inbox import Inbox
from pagewash.runs.ledger import Entry, Ledger, read_ledger
from pagewash.runs.outcome import RunReport
from pagewash.runs.planning import (
    SHARD_DOCUMENTS,
    plan_jobs,
    plan_outputs,
    plan_run,
    taken,
    unknown,
)

log = logging.getLogger(__name__)

Clean = Callable[[RunOptions, list[str]], RunReport]
"""Cleans documents, named by their paths below the inbox."""


@dataclass(frozen=True)
class WatchOptions:
    """When the inbox is looked at, and what counts as whole."""

    settle: float = 10.0
    """Seconds in which size and time of a document must not change before it is cleaned."""

    every: float = 5.0
    """Seconds between two looks at the inbox."""

    archive: Path | None = None
    """Folder that documents move to once they are cleaned; without one they stay in the inbox."""

    heartbeat: Path | None = None
    """File whose time changes with every look and every page, for health checks."""

    def __post_init__(self) -> None:
        if not self.settle >= 0 or not self.every > 0:  # nor what is no number
            raise OptionError(
                f"--settle {self.settle} must be 0 or more seconds, and --every {self.every} "
                "more than 0"
            )

    def beat(self, done: int = 0, found: int = 0) -> None:
        """Show health checks that the watch goes on; takes what a `Progress` is told.

        Raises:
            AccessError: its file cannot be made.
        """
        if self.heartbeat is not None:
            with access_errors(f"--heartbeat {self.heartbeat}", "written"):
                self.heartbeat.touch()


@dataclass(frozen=True)
class Route:
    """From where to where, and how."""

    source: Path
    destination: Path
    options: RunOptions
    metrics: Path | None = None
    """None is `destination/metrics`."""

    def refused(self, inbox: Inbox) -> dict[Path, str]:
        """Documents in the inbox that have no place of their own to go to, and why."""
        outputs = plan_outputs(inbox.documents, self.source, self.destination, self.options)
        return conflicts(outputs, self.source, self.destination, self._metrics)

    def output(self, path: Path) -> Path:
        """Where the output of a document goes."""
        return plan_outputs([path], self.source, self.destination, self.options)[path]

    def ledger(self, paths: Sequence[Path]) -> Ledger:
        """What is recorded of the outputs of documents, by `output_name`.

        Raises:
            PagewashError: the metrics cannot be read.
        """
        names = [self.output_name(path) for path in paths]
        return read_ledger(self._metrics, self.destination, names)

    def taken(self, paths: Iterable[Path]) -> dict[Path, str]:
        """Documents whose places hold what is not of them, for all that is known, and why.

        Raises:
            PagewashError: the metrics cannot be read.
        """
        there = [path for path in paths if self.output(path).is_file()]
        if not there or self.options.force:
            return {}
        outputs = plan_outputs(there, self.source, self.destination, self.options)
        jobs, ledger = plan_jobs(outputs, self.source, self.destination), self.ledger(there)
        return unknown(jobs, ledger) | taken(jobs, ledger)

    def output_name(self, path: Path) -> str:
        """What the output of a document is called in rows."""
        return printable(self.output(path).relative_to(self.destination).as_posix())

    @property
    def _metrics(self) -> Path:
        return self.metrics or self.destination / "metrics"

    def names(self, paths: Sequence[Path]) -> list[str]:
        """Documents by their paths below the inbox, with slashes."""
        return [path.relative_to(self.source).as_posix() for path in paths]


def open_inbox(
    route: Route, settle: float, cleaned: Callable[[Path], object] = lambda path: None
) -> Inbox:
    """Look at an inbox for the first time, and leave alone what earlier runs have cleaned.

    Args:
        route: the inbox, where outputs go, and how.
        settle: seconds, as in `WatchOptions`.
        cleaned: told of each document that is clean already.

    Raises:
        PagewashError: documents cannot be cleaned from there to there; as for `plan_run`.
    """
    if route.source.is_file():
        raise OptionError(f"{route.source} is a file; name the folder that documents arrive in")
    inbox = Inbox(route.source, settle)
    inbox.look(time.monotonic())
    refused = route.refused(inbox)
    known = [path for path in inbox.documents if path not in refused]
    others = route.taken(known)  # of those it is told when their turn comes
    known = [path for path in known if path not in others]
    plan = plan_run(
        route.source, route.destination, route.options, route.metrics, route.names(known)
    )
    for path in set(known) - {job.source for job in plan.jobs}:
        inbox.done(path)
        if inbox.is_as_found(path):  # another may have come under its name
            cleaned(path)
    return inbox


def watch_inbox(
    inbox: Inbox,
    route: Route,
    watching: WatchOptions,
    clean: Clean,
    stop: threading.Event,
    tell: Callable[[RunReport], object] = lambda report: None,
    cleaned: Callable[[Path], object] = lambda path: None,
) -> None:
    """Clean what arrives in an inbox until told to stop.

    A document that cannot be cleaned is recorded like any other, and tried again when it changes;
    where its error may pass, as on a full disk, it is tried again later.

    Args:
        inbox: as `open_inbox` gives it.
        route: the same; its failure budget does not count here.
        watching: when to look, and what to show; with an archive, the next document of a name gets
            a number, under which the next look finds it.
        clean: cleans a batch.
        stop: ends the watch, after the documents in hand.
        tell: told of each batch.
        cleaned: told of each document that came out clean and is as it was before, to
            move it where there is an archive.

    Raises:
        AccessError: the heartbeat's file cannot be made; later that ends nothing.
    """
    # the inbox knows what is new, and each batch goes to its end, whatever fails
    options = replace(route.options, force=True, max_failures="100%")
    watching.beat()  # whether it can is told at once
    while not stop.is_set():
        with suppress(AccessError):  # whoever looks at it sees that it is old
            watching.beat()
        for batch in _batches(inbox, route, watching.archive):
            if stop.is_set():
                break
            came_to = _clean(batch, route, lambda names: clean(options, names), tell)
            for path in batch:
                if path in came_to.again:
                    inbox.put_off(path, time.monotonic())
                else:
                    inbox.done(path)
                if path in came_to.cleaned and inbox.is_as_found(path):
                    cleaned(path)
        _wait(stop, watching.every)


def _batches(inbox: Inbox, route: Route, archive: Path | None) -> list[list[Path]]:
    """What is ready, in batches; whatever was put off comes alone, lest it spoil another batch."""
    now = time.monotonic()
    ready = inbox.look(now)
    refused = route.refused(inbox) if ready else {}
    for path in refused.keys() & set(ready):
        log.error(refused[path])
        if archive is None:
            inbox.done(path)
        else:
            inbox.put_off(path, now)  # the one that has its place will leave the inbox
    ready = [path for path in ready if path not in refused]
    if archive is None:
        ready = _not_taken(ready, inbox, route)
    else:
        ledger = cache(partial(route.ledger, ready))  # read once, if at all
        ready = [path for path in ready if _keeps_its_name(path, inbox, route, archive, ledger)]
    fresh = [path for path in ready if not inbox.was_put_off(path)]
    starts = range(0, len(fresh), SHARD_DOCUMENTS)
    tried = [[path] for path in ready if inbox.was_put_off(path)]
    return [fresh[start : start + SHARD_DOCUMENTS] for start in starts] + tried


def _not_taken(paths: Sequence[Path], inbox: Inbox, route: Route) -> list[Path]:
    """Those that would not be written over outputs of other scans; of the others it is told."""
    try:
        taken = route.taken(paths)
    except PagewashError as error:
        log.error(str(error))
        for path in paths:
            inbox.put_off(path, time.monotonic())
        return []
    for path, reason in taken.items():
        log.error(reason)
        inbox.done(path)
    return [path for path in paths if path not in taken]


def _keeps_its_name(
    path: Path, inbox: Inbox, route: Route, archive: Path, ledger: Callable[[], Ledger]
) -> bool:
    """Whether a document can be cleaned as it is called; else it gets a number, or is put off.

    A scanner may give every scan the same name, and two names may become one output. Neither the
    archive nor the destination is to lose what is there; scans leave the inbox, and so it is not
    enough that their names differ there.
    """

    def is_archived(place: Path) -> bool:
        there = archive / place.relative_to(route.source)
        return os.path.lexists(there) and not identity(there) & identity(place)

    if path.is_symlink():  # it stays in the inbox, under its own name
        return True
    try:
        output = route.output(path)
        if not is_archived(path) and (
            not os.path.lexists(output)
            or _is_output_of(path, output, ledger().get(route.output_name(path)))
        ):
            return True
        name_apart(path, lambda place: is_archived(place) or os.path.lexists(route.output(place)))
    except PagewashError as error:
        log.error(str(error))
        inbox.put_off(path, time.monotonic())
    return False


def _is_output_of(path: Path, output: Path, entry: Entry | None) -> bool:
    """Whether an output is of a document as it is now, and may be written over.

    Without a row it is what a run has left that was killed, or failed later: of this document, if
    that was there first.

    Raises:
        AccessError: one of them cannot be read.
    """
    if entry is not None:
        return entry.source.sha256 == sha256_of(path)
    return came_first(path, output)


@dataclass(frozen=True)
class _Batch:
    """What became of a batch."""

    again: frozenset[Path] = frozenset()
    """To try again, since what failed may pass."""

    cleaned: frozenset[Path] = frozenset()


def _clean(
    batch: Sequence[Path],
    route: Route,
    clean: Callable[[list[str]], RunReport],
    tell: Callable[[RunReport], object],
) -> _Batch:
    try:
        report = clean(route.names(batch))
    except Exception as error:
        # no document's own, which is in the report: the disk, the model, the Prefect server
        log.error(f"{describe(str(route.source), error).message} {len(batch)} documents wait.")
        log.debug("the error", exc_info=True)
        return _Batch(again=frozenset(batch))
    tell(report)
    again = {Path(failure.source) for failure in report.failures if failure.may_pass}
    if report.left:  # which ones is not told; the next watch sees what is clean
        return _Batch(frozenset(again))
    failed = {Path(failure.source) for failure in report.failures}
    return _Batch(frozenset(again), frozenset(batch) - failed)


def _wait(stop: threading.Event, seconds: float) -> None:
    """Wait in short sleeps: a signal handler that sets an event which is waited for may hang."""
    end = time.monotonic() + seconds
    while not stop.is_set() and time.monotonic() < end:
        time.sleep(min(0.2, seconds))
