"""A Dask cluster as the executor of a run: found or started, checked, and left afterwards.

Knows Dask, and Prefect's task runner for it. What a worker does is told in
`pagewash.flows.dask.worker`.
"""

import logging
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, cast

from distributed import Client, Event, KilledWorker, LocalCluster, Worker, WorkerPlugin
from distributed.comm.addressing import parse_address, parse_host_port
from prefect import get_client
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    get_current_settings,
    temporary_settings,
)
from prefect.task_runners import TaskRunner
from prefect_dask.task_runners import DaskTaskRunner

from pagewash.errors import MissingError, OptionError
from pagewash.files import access_errors
from pagewash.flows.dask.worker import WorkerRequirements, missing_requirement, stop_name
from pagewash.flows.prefect.executor import POLL, Future
from pagewash.inference.heap import one_heap_in_children
from pagewash.leftovers import open_temporary
from pagewash.options import available_processors
from pagewash.runs.balance import balanced_shards, megapixels_of
from pagewash.runs.outcome import Run, ShardReport
from pagewash.runs.planning import Job, RunPlan
from pagewash.versions import version_of

log = logging.getLogger(__name__)

LOCAL = "local"

PATIENCE = 15.0
"""Seconds in which a scheduler has to answer, and then to have a worker."""

API_PATIENCE = 120
"""Seconds in which a temporary Prefect server has to start."""

NO_WORKER_PATIENCE = 300.0
"""Seconds that a run waits for another worker after it has lost the last one."""

PROCESSORS_EACH = 4
"""For each worker of a local cluster; one network has less and less use for more."""


class Cluster:
    """The workers of a Dask cluster: a `ShardExecutor`."""

    on_dask = True

    def __init__(self, address: str, client: Any, stop: threading.Event) -> None:
        """Take note of a cluster.

        Args:
            address: of its scheduler.
            client: connected to it.
            stop: stops a run, wherever its shards are cleaned.
        """
        self._address = address
        self._client = client
        self._stop = stop
        self._last_seen = time.monotonic()

    @property
    def task_runner(self) -> TaskRunner[Any]:
        """What makes a flow's tasks run there."""
        # its own type is narrower than what a flow takes
        return cast("TaskRunner[Any]", DaskTaskRunner(address=self._address))

    @property
    def capacity(self) -> int:
        """Threads of all workers; each cleans a shard."""
        return max(1, sum(self._threads().values()))

    def begin(self, plan: RunPlan, run: Run) -> list[tuple[Job, ...]]:
        """Ask every worker whether it can take part, and balance the work; see `ShardExecutor`."""
        self._check(plan)
        return balanced_shards(plan.jobs, megapixels_of(plan.jobs, plan.options), self.capacity)

    def check_health(self, run: Run) -> None:
        """Pass a stop on, and give up when no worker is left to wait for; see `ShardExecutor`."""
        if self._stop.is_set():
            self.cancel(run)
        if self._threads():
            self._last_seen = time.monotonic()
        elif time.monotonic() > self._last_seen + NO_WORKER_PATIENCE:
            raise MissingError(
                f"no worker has come to the Dask scheduler at {self._address} for "
                f"{NO_WORKER_PATIENCE:.0f} s; start some, and run the same command again to go on"
            )

    def report(self, future: Future) -> ShardReport | None:
        """What an ended shard came to; None if its workers died; see `ShardExecutor`."""
        try:
            return future.result()
        except KilledWorker as error:
            log.warning("%s", error)
            return None
        except CancelledError as error:
            raise self._gone() from error

    def cancel(self, run: Run) -> None:
        """Stop what is still being cleaned for a run; see `ShardExecutor`."""
        with suppress(OSError):  # nobody is left to hear it
            if self._client.status == "running":
                Event(stop_name(run), self._client).set()

    def _threads(self) -> dict[str, int]:
        """Threads of each worker, by its address."""
        try:
            return dict(self._client.nthreads())
        except (OSError, CancelledError) as error:
            raise self._gone() from error

    def _gone(self) -> MissingError:
        return MissingError(
            f"the Dask scheduler at {self._address} has gone; start it and its "
            "workers, and run the same command again to go on"
        )

    def _check(self, plan: RunPlan) -> None:
        """Refuse workers that would fail, before anything is cleaned.

        Raises:
            MissingError: a worker lacks what the run needs.
        """
        with _mark(plan) as mark:
            requirements = WorkerRequirements(
                version=version_of("pagewash"),
                model=plan.options.model,
                model_sha256=plan.output_key.model_sha256,
                source=plan.jobs[0].source,
                mark=mark,
                api=str(get_current_settings().api.url),
            )
            answers = self._client.run(missing_requirement, requirements, on_error="return")
        for worker, answer in answers.items():
            if isinstance(answer, Exception):
                raise MissingError(
                    f"the worker {worker} cannot run pagewash ({type(answer).__name__}: {answer}); "
                    "run there: pip install 'pagewash[dask]'"
                ) from answer
            if answer is not None:
                raise MissingError(f"the worker {worker} {answer}")


@contextmanager
def cluster_at(place: str, stop: threading.Event) -> Iterator[Cluster]:
    """Connect to a cluster, or start one on this machine; Prefect's API is the same for all of it.

    Args:
        place: "local", or the address of a scheduler, such as tcp://10.0.0.5:8786.
        stop: stops a run that is cleaned there.

    Raises:
        OptionError: no such place.
        MissingError: no scheduler answers there, or it has no worker.
    """
    logging.getLogger("distributed").setLevel(logging.WARNING)  # Prefect would print it all
    found = _local_cluster() if place == LOCAL else nullcontext(_checked(place))
    with (
        _one_api(),
        found as address,
        Client(address, timeout=PATIENCE, set_as_default=False) as client,
    ):
        try:
            client.wait_for_workers(1, PATIENCE)
        except TimeoutError as error:
            raise MissingError(
                f"the Dask scheduler at {address} has no worker; start one on each machine: "
                f"dask worker {address} --nthreads 1 --memory-limit 0"
            ) from error
        yield Cluster(address, client, stop)


def _checked(place: str) -> str:
    """The address of a scheduler that answers."""
    try:
        host, port = parse_host_port(parse_address(place)[1])
    except ValueError as error:
        raise OptionError(
            f"--cluster {place!r} is neither local nor the address of a Dask scheduler, such as "
            "tcp://10.0.0.5:8786"
        ) from error
    until = time.monotonic() + PATIENCE
    while True:  # it may be about to start
        try:
            socket.create_connection((host, port), PATIENCE).close()
        except OSError as error:
            if time.monotonic() > until:
                raise MissingError(
                    f"no Dask scheduler answers at {place} ({error}); start one with: "
                    "dask scheduler"
                ) from error
            time.sleep(POLL)
        else:
            return place


@contextmanager
def _local_cluster() -> Iterator[str]:
    """Workers on this machine, for as long as the block."""
    processors = available_processors()
    one_heap_in_children()  # Dask's threads come before ours
    with LocalCluster(
        n_workers=max(min(2, processors), processors // PROCESSORS_EACH),
        threads_per_worker=1,
        memory_limit=0,  # pages take what they need, and never more with more of them
        dashboard_address=None,
    ) as cluster:
        with Client(cluster, set_as_default=False) as client:
            client.register_plugin(_IgnoreInterrupts())
        yield cluster.scheduler_address
        logging.getLogger("distributed.nanny").setLevel(logging.ERROR)  # how long they take to end


class _IgnoreInterrupts(WorkerPlugin):
    """Ctrl-C and a closed terminal reach every process, but it is this one that stops the run."""

    def setup(self, worker: Worker) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)


@contextmanager
def _one_api() -> Iterator[None]:
    """Have the workers use the API of this process, also where it is one just for the run.

    Raises:
        MissingError: it does not start.
    """
    waiting = {PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS: API_PATIENCE}
    try:
        with temporary_settings(waiting), get_client(sync_client=True) as client:
            api = str(client.api_url)
    except RuntimeError as error:  # Prefect has no class for it
        raise MissingError(
            f"no temporary Prefect server could be started ({error}); start one with 'prefect "
            "server start --background', then "
            "'prefect config set PREFECT_API_URL=http://127.0.0.1:4200/api'"
        ) from error
    with temporary_settings({PREFECT_API_URL: api}):
        yield


@contextmanager
def _mark(plan: RunPlan) -> Iterator[Path]:
    """A file beside the first output, by which workers can tell that it is the same folder."""
    with access_errors(str(plan.jobs[0].output), "written"):
        plan.jobs[0].output.parent.mkdir(parents=True, exist_ok=True)
        mark, file = open_temporary(plan.jobs[0].output)
    try:
        yield mark
    finally:
        mark.unlink(missing_ok=True)
        file.close()
