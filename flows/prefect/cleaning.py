"""Cleaning as a Prefect flow: the same shards as on the command line, with retries and artifacts.

Tasks carry paths and options in and small reports out; pixels, networks and rows stay where the
work is. What a shard does is `pagewash.runs.shards`'s.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from prefect import flow, get_run_logger, task
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TaskRunContext
from prefect.exceptions import TerminationSignal
from prefect.runtime import flow_run
from prefect.states import Completed, Failed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from prefect.tasks import Task

from pagewash.errors import AccessError, MissingError
from pagewash.failures import exit_code
from pagewash.flows.prefect.api import courtesy, keep_quiet, server_errors, wait_for_server
from pagewash.flows.prefect.events import tell_jump, tell_run_ended
from pagewash.flows.prefect.executor import Future, InProcessExecutor, ShardExecutor, clean_shards
from pagewash.flows.tables import as_markdown, as_rows, headline
from pagewash.inference.model_files import absolute_model
from pagewash.options import RunOptions
from pagewash.runs.holding import planned_run
from pagewash.runs.outcome import Run, RunReport, ShardReport
from pagewash.runs.planning import Job, RunPlan
from pagewash.runs.shards import clean_shard

if TYPE_CHECKING:
    from pagewash.flows.dask.cluster import Cluster  # needs Dask

DEFAULTS = RunOptions()

RETRIES = 2
"""Further tries of a shard whose files could not be read or written."""

LOGGED_FAILURES = 100
"""Failed documents that the log of a flow run names."""

_stop: ContextVar[threading.Event | None] = ContextVar("stop", default=None)
"""Set by who runs the flow in this process and wants to be able to stop it; task threads see it."""


@contextmanager
def stop_event() -> Iterator[threading.Event]:
    """What tells this run to stop, and its tasks with it.

    Runners pickle a flow with all that it names: a function, but not a context variable.
    """
    stop = _stop.get() or threading.Event()
    before = _stop.set(stop)
    try:
        yield stop
    finally:
        _stop.reset(before)


_executor: ContextVar[ShardExecutor | None] = ContextVar("executor", default=None)
"""Set by who runs the flow in this process, to have its shards cleaned elsewhere."""


def executor(stop: threading.Event) -> ShardExecutor:
    """Who cleans the shards of this run."""
    return _executor.get() or InProcessExecutor(stop)


class ShardIncompleteError(AccessError):
    """Documents of a shard met errors that may pass; the shard is tried again."""


def _may_pass(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Whether to retry: a full disk or a lost share may pass, a corrupt file or option never."""
    error = state.data
    return isinstance(error, Exception) and exit_code(error) == AccessError.exit_code


@task(
    name="clean-shard",
    retries=RETRIES,
    retry_delay_seconds=10,
    retry_condition_fn=_may_pass,
    cache_policy=NO_CACHE,
    persist_result=False,
)
def clean_shard_task(
    jobs: Sequence[Job], run: Run, part: Path | None, may_fail: int, on_dask: bool = False
) -> ShardReport:
    """Clean a shard; a try after the first cleans only what failed in the one before."""
    if on_dask:
        from pagewash.flows.dask.worker import clean_shard_on_worker

        report = clean_shard_on_worker(jobs, run, part, may_fail)
    else:
        with stop_event() as stop:
            report = clean_shard(jobs, run, part, may_fail=may_fail, stop=stop)
    passing = [failure for failure in report.failures if failure.may_pass]
    context = TaskRunContext.get()
    if passing and not report.stopped and context and context.task_run.run_count <= RETRIES:
        raise ShardIncompleteError(f"{len(passing)} documents; the first: {passing[0].message}")
    return report


def _run_name() -> str:
    """What a run is about, for Prefect's lists: from where to where."""
    asked = flow_run.parameters
    source, destination = (Path(str(asked[name])) for name in ("source", "destination"))
    return f"{source.name or source} to {destination.name or destination}"


def _shard_name(jobs: Sequence[Job]) -> str:
    """What a task is about: its documents."""
    return jobs[0].name if len(jobs) == 1 else f"{len(jobs)} documents from {jobs[0].name}"


@flow(
    name="clean-documents",
    flow_run_name=_run_name,
    # its own type is narrower than what the decorator takes
    task_runner=cast(
        "TaskRunner[Any]", ThreadPoolTaskRunner(max_workers=InProcessExecutor.capacity)
    ),
    persist_result=False,
)
def clean_documents(
    source: Path,
    destination: Path,
    options: RunOptions = DEFAULTS,
    metrics: Path | None = None,
    only: list[str] | None = None,
) -> State[RunReport]:
    """Clean every scan in a folder, or one document.

    Does only what is missing or has changed since the last run.

    Args:
        source: Folder of scans, or one document.
        destination: Folder for the cleaned documents, or one file for one document.
        options: How to clean.
        metrics: Folder for a row of metrics per page, in Parquet; by default `metrics` in the
            destination.
        only: Documents in the source folder to leave the others alone for, by their paths below
            it; by default all of them.

    Returns:
        Completed, or Failed once more documents failed than the options allow.
    """
    began = time.monotonic()
    with planned_run(source, destination, options, metrics, only) as plan, stop_event() as stop:
        run = Run.begin(plan)
        shards = _clean(plan, run, executor(stop)) if plan.jobs else []
    report = RunReport.of(plan, run, shards, time.monotonic() - began, stop.is_set())
    if plan.jobs:
        with courtesy():
            _publish(report)
    get_run_logger().info(headline(report))
    bad = report.failed or report.left
    return (Failed if bad else Completed)(message=headline(report), data=report)


def _clean(plan: RunPlan, run: Run, workers: ShardExecutor) -> list[ShardReport]:
    """Have all shards cleaned, and show how far it is.

    When the run is ended from outside, by SIGTERM or from Prefect's pages, the shards at work are
    told so, and end with the documents in hand.
    """
    progress: Any = None
    with courtesy():
        progress = create_progress_artifact(0.0, key="pagewash-progress", description="Documents")
    reports: list[ShardReport] = []

    def submit(jobs: Sequence[Job], part: Path | None, may_fail: int) -> Future:
        name = _shard_name(jobs)
        named = clean_shard_task.with_options(task_run_name=lambda: name)  # not a template
        return named.submit(jobs, run, part, may_fail, workers.on_dask)

    with closing(clean_shards(workers, plan, run, submit)) as ended:
        for report in ended:
            reports.append(report)
            _log_failures(report, sum(len(before.failures) for before in reports[:-1]))
            done = sum(report.documents for report in reports)
            with courtesy():
                update_progress_artifact(progress, 100 * done / len(plan.jobs))
    return reports


def _log_failures(report: ShardReport, told: int) -> None:
    """Name the documents that failed in the log of the flow run, as far as anybody reads it."""
    logger = get_run_logger()
    for failure in report.failures[: max(0, LOGGED_FAILURES - told)]:
        logger.error(failure.message)
    if told < LOGGED_FAILURES < told + len(report.failures):
        logger.error("More documents failed; the rows of the run name all of them.")


def _publish(report: RunReport) -> None:
    """One markdown summary of the run, one table of the pages that need a look, and its event."""
    create_markdown_artifact(as_markdown(report), key="pagewash-summary")
    create_table_artifact(as_rows(report), key="pagewash-look")
    tell_run_ended(report)
    tell_jump(report)


def in_any_folder(options: RunOptions) -> RunOptions:
    """Options that mean the same to whoever stands in another folder."""
    marks = options.accepted_file
    accepted = "" if marks is None else str(marks.absolute())
    return replace(options, model=absolute_model(options.model), accepted=accepted)


@server_errors()
def run_flow(
    source: Path,
    destination: Path,
    options: RunOptions,
    metrics: Path | None,
    stop: threading.Event,
    only: list[str] | None = None,
    *,
    cluster: str | None = None,
    quiet: bool = False,
) -> RunReport:
    """Run the flow in this process, and wait for it.

    Args:
        source: as for the flow, like the others of its names.
        destination: the same.
        options: the same.
        metrics: the same.
        stop: stops the run, once it is set.
        only: the same.
        cluster: a Dask cluster whose workers clean the shards: local, or its scheduler's address.
        quiet: whether the terminal hears of errors alone.

    Raises:
        PagewashError: as the flow did, or as `pagewash.flows.dask.cluster.cluster_at`.
        MissingError: the Prefect server does not answer.
        KeyboardInterrupt: it was ended from outside.
    """
    if quiet:
        keep_quiet()
    wait_for_server()
    with ExitStack() as stack:
        stack.callback(_stop.reset, _stop.set(stop))
        chosen = clean_documents
        if cluster is not None:
            workers = stack.enter_context(_cluster(cluster, stop))
            stack.callback(_executor.reset, _executor.set(workers))
            chosen = clean_documents.with_options(task_runner=workers.task_runner)
            # workers stand in folders of their own
            source, destination = source.absolute(), destination.absolute()
            metrics = metrics and metrics.absolute()
            options = in_any_folder(options)
        try:
            state: Any = chosen(source, destination, options, metrics, only, return_state=True)
        except TerminationSignal as error:
            raise KeyboardInterrupt from error
    result: RunReport | BaseException = state.result(raise_on_failure=False)
    if isinstance(result, BaseException):
        raise result
    return result


def _cluster(place: str, stop: threading.Event) -> AbstractContextManager["Cluster"]:
    try:
        from pagewash.flows.dask.cluster import cluster_at
    except ModuleNotFoundError as error:
        raise MissingError(
            f"--cluster needs Dask, and {error.name} is not installed; "
            "run: pip install 'pagewash[dask]'"
        ) from error
    return cluster_at(place, stop)
