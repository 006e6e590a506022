"""Who cleans the shards of a run, in this process or elsewhere, and the shards handed out to them.

Knows Prefect's futures, and no Dask.
"""

import itertools
import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Protocol

from prefect.futures import PrefectFuture

from pagewash.errors import PagewashError
from pagewash.runs.outcome import Run, ShardReport, may_still_fail
from pagewash.runs.planning import Job, RunPlan, plan_shards
from pagewash.runs.shards import fail_shard

Future = PrefectFuture[ShardReport]

Submit = Callable[[Sequence[Job], Path | None, int], Future]
"""Begins a shard: its jobs, its part, and how many of them may fail."""

POLL = 1.0
"""Seconds between two health checks."""


class ShardExecutor(Protocol):
    """Those who clean the shards of a run."""

    on_dask: bool
    """Whether they are workers of Dask."""

    @property
    def capacity(self) -> int:
        """Shards that they can clean at once, as of now; at least 1."""
        ...

    def begin(self, plan: RunPlan, run: Run) -> list[tuple[Job, ...]]:
        """Make sure that they can do it, and cut the run into shards that suit them.

        Raises:
            MissingError: they lack something.
        """
        ...

    def check_health(self, run: Run) -> None:
        """See that all is well; called again and again while shards are being cleaned.

        Raises:
            MissingError: nobody is left to clean them.
        """
        ...

    def report(self, future: Future) -> ShardReport | None:
        """What an ended shard came to; None if everyone who tried it died."""
        ...

    def cancel(self, run: Run) -> None:
        """Stop what is still being cleaned."""
        ...


class InProcessExecutor:
    """One machine has one network, and a shard keeps all its processors busy."""

    on_dask = False
    capacity = 1

    def __init__(self, stop: threading.Event) -> None:
        """Take what tells the shard at work to stop."""
        self._stop = stop

    def begin(self, plan: RunPlan, run: Run) -> list[tuple[Job, ...]]:
        """Cut the run into shards; see `ShardExecutor`."""
        return plan_shards(plan.jobs)

    def check_health(self, run: Run) -> None:
        """Nobody can be lost but all."""

    def report(self, future: Future) -> ShardReport:
        """What an ended shard came to."""
        return future.result()

    def cancel(self, run: Run) -> None:
        """Have the shard finish the documents in hand; they go into its part."""
        self._stop.set()


def clean_shards(
    executor: ShardExecutor, plan: RunPlan, run: Run, submit: Submit
) -> Generator[ShardReport, None, None]:
    """Hand out the shards of a run, and yield what they came to, as they end.

    A shard over which everyone died who tried it comes again document by document, and the one
    that they die over then has failed.

    Raises:
        PagewashError: the run cannot go on.
    """
    todo, numbers = deque(executor.begin(plan, run)), itertools.count()
    at_work: dict[Future, tuple[tuple[Job, ...], Path | None]] = {}
    ended: queue.SimpleQueue[Future] = queue.SimpleQueue()
    reports: list[ShardReport] = []
    try:
        while todo or at_work:
            while todo and len(at_work) < executor.capacity:
                jobs, part = todo.popleft(), run.part(next(numbers))
                future = submit(jobs, part, may_still_fail(plan, reports))
                at_work[future] = jobs, part
                future.add_done_callback(ended.put)
            future = _next(ended, lambda: executor.check_health(run))
            jobs, part = at_work.pop(future)
            report = executor.report(future)
            if report is None and len(jobs) > 1:
                todo.extend((job,) for job in jobs)
                continue
            reports.append(report or fail_shard(jobs, run, part, _deadly(jobs[0])))
            if reports[-1].stopped:
                todo.clear()
            yield reports[-1]
    finally:
        if at_work:
            executor.cancel(run)


def _next(ended: "queue.SimpleQueue[Future]", meanwhile: Callable[[], object]) -> Future:
    while True:
        meanwhile()
        try:
            return ended.get(timeout=POLL)
        except queue.Empty:
            continue


def _deadly(job: Job) -> PagewashError:
    return PagewashError(
        f"{job.source}: every worker that tried to clean it died. Look into the workers' logs: it "
        "may need more memory than they have (--max-image-mpixels refuses large images)."
    )
