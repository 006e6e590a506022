"""Cleaning a shard: some documents through the network, then one Parquet part about them.

The one function that the command line and the Prefect tasks share. Reading, the network and
writing overlap; what is in memory depends on the page size and the number of threads alone.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import replace
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from pagewash.inference.heap import keep_freed_memory
from pagewash.measuring.accepted import read_accepted
from pagewash.measuring.records import (
    SCHEMA,
    PageRecord,
    read_records,
    records_table,
    write_table,
)
from pagewash.options import RunOptions
from pagewash.runs.loading import load_cleaner
from pagewash.runs.outcome import Run, RunReport, ShardReport, may_still_fail
from pagewash.runs.overlap import WriteBehind, read_ahead
from pagewash.runs.planning import Job, RunPlan, plan_shards
from pagewash.runs.stream import (
    Cleans,
    Ended,
    OpenDocument,
    PageIn,
    PageOut,
    PagePassed,
    read_document,
    through_network,
)
from pagewash.runs.writing import Written, fail_document, provenance, write_document

log = logging.getLogger(__name__)

Progress = Callable[[int, int], object]
"""Told of pages that are done, and of pages that were found beyond one per document."""


Around = Callable[[Sequence[Job], Path | None], AbstractContextManager[object]]
"""A block around the cleaning of a shard, given its jobs and its part."""


class Stop(Protocol):
    """What tells a run to stop; a `threading.Event` is one."""

    def is_set(self) -> bool:
        """Whether to stop."""
        ...


def clean_shard(
    jobs: Sequence[Job],
    run: Run,
    part: Path | None = None,
    *,
    progress: Progress = lambda done, found: None,
    stop: Stop | None = None,
    may_fail: int | None = None,
    load: Callable[[Run], Cleans] = load_cleaner,
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

    Raises:
        PagewashError: the network cannot be loaded, or the part cannot be written. Documents that
            fail do not raise: they are in the report, and in the part.
    """
    finished, todo = _split(jobs, part)
    tally = _Tally(progress, stop or threading.Event(), may_fail)
    written, cleaner = _clean(todo, run, tally, load)
    how = provenance(run, cleaner)
    accepted = read_accepted(run.options.accepted_file)
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
    written = [fail_document(job, run, error) for job in todo]
    records = [record for document in written for record in document.records]
    return _report(_record(part, finished, records), written, stopped=False)


def _clean(
    jobs: Sequence[Job], run: Run, tally: "_Tally", load: Callable[[Run], Cleans]
) -> tuple[list[Written], Cleans | None]:
    """The journey of documents: read ahead, through the network, measured and written behind.

    Returns:
        Those that came to their end, in order, and the network if any page asked for it.
    """
    opened_documents: list[OpenDocument] = []
    cleaners: list[Cleans] = []

    def read(job: Job) -> Iterator[PageIn | PagePassed | Ended]:
        opened_documents.append(OpenDocument(job))
        return read_document(opened_documents[-1], run.options)

    def network() -> Cleans:
        cleaners.append(load(run))
        return cleaners[-1]

    def write(opened: OpenDocument, pages: Iterator[PageOut | PagePassed]) -> Written:
        expected = max(1, len(opened.indices(run.options)))
        written = write_document(opened, pages, run, lambda: tally.tell(1, 0))
        tally.count(written, expected - opened.pages_done)
        return written

    threads = run.options.threads
    keep_freed_memory()  # now, or the threads to come would have heaps of their own
    try:
        with (
            closing(read_ahead(jobs, read, threads)) as reading,
            WriteBehind(write, threads, most=2 * threads) as writing,
        ):
            cleaned = through_network(tally.watch(reading, run.options), network)
            for opened, items in groupby(cleaned, key=attrgetter("opened")):
                writing.begin(opened)
                for item in items:
                    if isinstance(item, Ended):
                        writing.end()  # without it, as when the run stops, all of it is dropped
                    else:
                        writing.put(item)
    finally:
        for opened in opened_documents:
            opened.close()  # those that were dropped
    return list(writing.results()), next(iter(cleaners), None)


class _Tally:
    """Counts what is done while it is being done, and says when to stop."""

    def __init__(self, progress: Progress, stop: Stop, may_fail: int | None) -> None:
        self._progress = progress
        self._stop = stop
        self._may_fail = may_fail
        self._failures = 0
        self._lock = threading.Lock()

    def watch(
        self, items: Iterator[PageIn | PagePassed | Ended], options: RunOptions
    ) -> Iterator[PageIn | PagePassed | Ended]:
        """Pass items on until it is time to stop, and tell of the pages that they bring."""
        last = None
        for item in items:
            if self._stop.is_set() or self._too_many_failed():
                return
            if item.opened is not last:
                last = item.opened
                self.tell(0, max(0, len(last.indices(options)) - 1))
            yield item

    def tell(self, done: int, found: int) -> None:
        """Report progress; callers are on several threads. The work goes on if nobody can hear."""
        with self._lock:
            try:
                self._progress(done, found)
            except Exception:
                log.debug("progress could not be told", exc_info=True)

    def count(self, written: Written, missing: int) -> None:
        """Take note of a document that has come to its end, `missing` pages of it unfinished."""
        with self._lock:
            self._failures += written.failure is not None
        self.tell(missing, 0)

    def _too_many_failed(self) -> bool:
        return self._may_fail is not None and self._failures > self._may_fail


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
    around: Around = lambda jobs, part: nullcontext(),
) -> RunReport:
    """Clean a planned run shard by shard, here and now; arguments as for `clean_shard`.

    `around` is a block around each shard, given its jobs and its part: it fetches what the shard
    needs and takes away what it came to.
    """
    run, began = Run.begin(plan), time.monotonic()
    stop = stop or threading.Event()
    reports: list[ShardReport] = []
    for number, jobs in enumerate(plan_shards(plan.jobs)):
        with around(jobs, run.part(number)):
            report = clean_shard(
                jobs,
                run,
                run.part(number),
                progress=progress,
                stop=stop,
                may_fail=may_still_fail(plan, reports),
                load=load,
            )
        reports.append(report)
        if report.stopped:
            break
    return RunReport.of(plan, run, reports, time.monotonic() - began, stop.is_set())
