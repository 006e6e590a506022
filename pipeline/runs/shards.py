"""Cleaning a shard: some documents through the network, then one Parquet part about them.

The one function that the command line and the Prefect tasks share. Reading, the network and
writing overlap; what is in memory depends on the page size and the number of threads alone.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pagewash.measuring.accepted import read_accepted
from pagewash.measuring.records import (
    SCHEMA,
    PageRecord,
    read_records,
    records_table,
    write_table,
)
from pagewash.runs.journey import Deliver, Written, clean_documents, fail_document, stay
from pagewash.runs.loading import Cleans, LazyNetwork, load_cleaner
from pagewash.runs.open_document import OpenDocument
from pagewash.runs.outcome import Run, RunReport, ShardReport, may_still_fail
from pagewash.runs.planning import Job, RunPlan, plan_shards
from pagewash.runs.rows import provenance
from pagewash.runs.tally import Progress, Stop, Tally

NotFetched = Mapping[Path, Exception]
"""Documents that are not there to be read, and why."""

Around = Callable[[Sequence[Job], Path | None], AbstractContextManager[NotFetched]]
"""A block around the cleaning of a shard, given its jobs and its part."""

ALL_THERE: NotFetched = {}


def clean_shard(
    jobs: Sequence[Job],
    run: Run,
    part: Path | None = None,
    *,
    progress: Progress = lambda done, found: None,
    stop: Stop | None = None,
    may_fail: int | None = None,
    load: Callable[[Run], Cleans] = load_cleaner,
    not_fetched: NotFetched = ALL_THERE,
    deliver: Deliver = stay,
) -> ShardReport:
    """Clean documents, then record them in `part`.

    The part is written last and whole: it exists only if its documents are done. Called again
    with the same part, only those that failed are tried again.

    Args:
        jobs: the documents.
        run: what all shards of the run share.
        part: the Parquet file to make; None for none.
        progress: called from several threads, one at a time.
        stop: once set, no document is begun; one that was read to its end is finished, one that
            was not is dropped whole.
        may_fail: failures after which to stop in the same way; None for no limit.
        load: gives the network; it is called when the first page has been read.
        not_fetched: documents that fail for these reasons.
        deliver: takes outputs to another place, from several threads; by default they stay.

    Raises:
        PagewashError: the network cannot be loaded, or the part cannot be written. Documents that
            fail do not raise: they are in the report, and in the part.
    """
    accepted = read_accepted(run.options.accepted_file)  # now: the work must not end on it
    finished, todo = _split(jobs, part)
    tally = Tally(progress, stop or threading.Event(), may_fail)
    network = LazyNetwork(lambda: load(run))
    documents = [OpenDocument(job, error=not_fetched.get(job.source)) for job in todo]
    written = clean_documents(documents, run, network, tally, deliver)
    how = provenance(run, network.loaded)
    records = [
        accepted.on_record(replace(record, how=how))
        for document in written
        for record in document.records
    ]
    table = _record(part, finished, records)
    return _report(table, written, stopped=len(written) < len(todo))


def fail_shard(jobs: Sequence[Job], run: Run, part: Path | None, error: Exception) -> ShardReport:
    """Record documents as failed that nobody came back from, all for one reason.

    Raises:
        AccessError: the part cannot be written.
    """
    finished, todo = _split(jobs, part)
    written = [fail_document(OpenDocument(job), run, error) for job in todo]
    records = [record for document in written for record in document.records]
    return _report(_record(part, finished, records), written, stopped=False)


def _split(jobs: Sequence[Job], part: Path | None) -> tuple[pa.Table, list[Job]]:
    """The rows of jobs that an earlier try of this shard has finished, and the other jobs."""
    finished = _finished(part)
    names = set(finished["output"].to_pylist())
    return finished, [job for job in jobs if job.output_name not in names]


def _finished(part: Path | None) -> pa.Table:
    if part is None or not part.exists():
        return SCHEMA.empty_table()
    table = read_records(part)
    failed = pc.equal(table["status"], "failed")
    redo = pc.is_in(table["output"], value_set=table.filter(failed)["output"].unique())
    return table.filter(pc.invert(redo))


def _record(part: Path | None, finished: pa.Table, records: Sequence[PageRecord]) -> pa.Table:
    """Put all rows of a shard into its part."""
    table = pa.concat_tables([finished, records_table(records)])
    if part is not None and len(table):
        write_table(part, table)
    return table


def _report(table: pa.Table, written: Sequence[Written], stopped: bool) -> ShardReport:
    rows = list(zip(table["output"].to_pylist(), table["status"].to_pylist(), strict=True))
    status = Counter(status for _, status in rows)
    touched = {output for output, status in rows if status != "skipped"}
    return ShardReport(
        documents=len(set(table["output"].to_pylist())),
        pages=len(table),
        review=status["review"],
        skipped=status["skipped"],
        passed_through=len({output for output, _ in rows} - touched),
        pages_failed=status["failed"],
        failures=tuple(document.failure for document in written if document.failure),
        stopped=stopped,
    )


def clean_run(
    plan: RunPlan,
    *,
    progress: Progress = lambda done, found: None,
    stop: threading.Event | None = None,
    load: Callable[[Run], Cleans] = load_cleaner,
    around: Around = lambda jobs, part: nullcontext(ALL_THERE),
    deliver: Deliver = stay,
) -> RunReport:
    """Clean a planned run shard by shard, here and now; arguments as for `clean_shard`.

    `around` is a block around each shard, given its jobs and its part: it fetches what the shard
    needs and takes away what it came to, its outputs aside, which `deliver` takes.
    """
    run, began = Run.begin(plan), time.monotonic()
    stop = stop or threading.Event()
    reports: list[ShardReport] = []
    for number, jobs in enumerate(plan_shards(plan.jobs)):
        with around(jobs, run.part(number)) as not_fetched:
            report = clean_shard(
                jobs,
                run,
                run.part(number),
                progress=progress,
                stop=stop,
                may_fail=may_still_fail(plan, reports),
                load=load,
                not_fetched=not_fetched,
                deliver=deliver,
            )
        reports.append(report)
        if report.stopped:
            break
    return RunReport.of(plan, run, reports, time.monotonic() - began, stop.is_set())
