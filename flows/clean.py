"""Cleaning as a Prefect flow: the same shards as on the command line, with retries and artifacts.

Tasks carry paths and options in and small reports out; pixels, networks and rows stay where the
work is. What a shard does is `pipeline.runs.shards`'s.
"""

import threading
import time
from collections import deque
from collections.abc import Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any, cast

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
from prefect.futures import PrefectFuture
from prefect.states import Completed, Failed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from prefect.tasks import Task

from flows.reports import as_markdown, as_rows, headline
from pipeline.errors import AccessError
from pipeline.failures import exit_code
from pipeline.options import RunOptions
from pipeline.runs.outcome import Run, RunReport, ShardReport, may_still_fail
from pipeline.runs.planning import Job, RunPlan, plan_run, plan_shards
from pipeline.runs.shards import clean_shard

DEFAULTS = RunOptions()

SHARDS_AT_ONCE = 1
"""One machine has one network, and a shard keeps all its processors busy."""

RETRIES = 2
"""Further tries of a shard whose files could not be read or written."""

_stop: ContextVar[threading.Event | None] = ContextVar("stop", default=None)
"""Set by who runs the flow in this process and wants to be able to stop it; task threads see it."""


def stop_event() -> threading.Event | None:
    """What tells this run to stop.

    Runners pickle a flow with all that it names: a function, but not a context variable.
    """
    return _stop.get()


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
    jobs: Sequence[Job], run: Run, part: Path | None, may_fail: int
) -> ShardReport:
    """Clean a shard; a try after the first cleans only what failed in the one before."""
    report = clean_shard(jobs, run, part, may_fail=may_fail, stop=stop_event())
    passing = [failure for failure in report.failures if failure.may_pass]
    context = TaskRunContext.get()
    if passing and not report.stopped and context and context.task_run.run_count <= RETRIES:
        raise ShardIncompleteError(f"{len(passing)} documents; the first: {passing[0].message}")
    return report


@flow(
    name="clean-documents",
    # its own type is narrower than what the decorator takes
    task_runner=cast("TaskRunner[Any]", ThreadPoolTaskRunner(max_workers=SHARDS_AT_ONCE)),
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
    plan, began = plan_run(source, destination, options, metrics, only), time.monotonic()
    run = Run.begin(plan)
    shards = _clean(plan, run) if plan.jobs else []
    stop = stop_event()
    told_to_stop = stop is not None and stop.is_set()
    report = RunReport.of(plan, run, shards, time.monotonic() - began, told_to_stop)
    if plan.jobs:
        _publish(report)
    get_run_logger().info(headline(report))
    bad = report.failed or report.left
    return (Failed if bad else Completed)(message=headline(report), data=report)


def _clean(plan: RunPlan, run: Run) -> list[ShardReport]:
    """Clean shard after shard, and show how far it is."""
    progress: Any = create_progress_artifact(0.0, key="pagewash-progress", description="Documents")
    waiting: deque[PrefectFuture[ShardReport]] = deque()
    reports: list[ShardReport] = []

    def collect() -> None:
        reports.append(waiting.popleft().result())
        done = sum(report.documents for report in reports)
        update_progress_artifact(progress, 100 * done / len(plan.jobs))

    for number, jobs in enumerate(plan_shards(plan.jobs)):
        if len(waiting) == SHARDS_AT_ONCE:
            collect()
            if reports[-1].stopped:
                break
        may_fail = may_still_fail(plan, reports)
        waiting.append(clean_shard_task.submit(jobs, run, run.part(number), may_fail))
    while waiting:
        collect()
    return reports


def _publish(report: RunReport) -> None:
    """One markdown summary of the run, and one table of the pages that need a look."""
    create_markdown_artifact(as_markdown(report), key="pagewash-summary")
    create_table_artifact(as_rows(report), key="pagewash-look")


def run_flow(
    source: Path,
    destination: Path,
    options: RunOptions,
    metrics: Path | None,
    stop: threading.Event,
    only: list[str] | None = None,
) -> RunReport:
    """Run the flow in this process, and wait for it.

    Raises:
        PagewashError: as the flow did.
        KeyboardInterrupt: it was ended from outside.
    """
    token = _stop.set(stop)
    try:
        state: Any = clean_documents(source, destination, options, metrics, only, return_state=True)
    except TerminationSignal as error:
        raise KeyboardInterrupt from error
    finally:
        _stop.reset(token)
    result: RunReport | BaseException = state.result(raise_on_failure=False)
    if isinstance(result, BaseException):
        raise result
    return result
