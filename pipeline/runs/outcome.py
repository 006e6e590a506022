"""What a run and its shards came to, in few numbers; the rows are in Parquet.

Small values that travel between machines; no pixels, no torch.
"""

import datetime
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from pagewash.failures import INTERRUPTED, Failure, worst
from pagewash.files import access_errors
from pagewash.measuring.records import part_path
from pagewash.options import FailureBudget, RunOptions
from pagewash.runs.ledger import OutputKey
from pagewash.runs.planning import RunPlan

_IN_IDS = "%Y%m%dT%H%M%S"
"""How a run's id begins: with when it began, in UTC."""


@dataclass(frozen=True)
class Run:
    """What all shards of a run share."""

    run_id: str
    started: datetime.datetime
    """UTC; after the runs before it into the same metrics, also where the clock was set back."""

    options: RunOptions
    output_key: OutputKey
    metrics: Path | None
    why_precision: str = ""
    """As in the plan."""

    @classmethod
    def begin(cls, plan: RunPlan) -> "Run":
        """Give a planned run its name and time, and make the folder of its metrics.

        That is there before the first output, and tells from then on that those are ours.
        """
        if plan.metrics is not None:
            with access_errors(str(plan.metrics), "written"):
                plan.metrics.mkdir(parents=True, exist_ok=True)
        started = _after_last(datetime.datetime.now(datetime.UTC), plan.metrics)
        run_id = f"{started:{_IN_IDS}}-{secrets.token_hex(3)}"
        return cls(run_id, started, plan.options, plan.output_key, plan.metrics, plan.why_precision)

    def part(self, number: int) -> Path | None:
        """Where the rows of a shard belong; None without a folder for metrics."""
        if self.metrics is None:
            return None
        return part_path(self.metrics, self.started.date(), self.run_id, number)

    @property
    def folder(self) -> Path | None:
        """Where this run's rows are."""
        part = self.part(0)
        return part.parent if part else None


def _after_last(now: datetime.datetime, metrics: Path | None) -> datetime.datetime:
    """The time, or a second after that of the last run that the metrics have, if that is later:
    which rows are the last ones is told by their time alone.
    """
    today = f"date={now:%Y-%m-%d}"
    days = [day for day in metrics.glob("date=*") if day.name >= today] if metrics else []
    times = [now]
    for run in (run for day in days for run in day.glob("run=*")):
        with suppress(ValueError, OverflowError):  # of compacted rows, or not named by us
            name = run.name.removeprefix("run=").partition("-")[0]
            began = datetime.datetime.strptime(name, _IN_IDS).replace(tzinfo=datetime.UTC)
            times.append(began + datetime.timedelta(seconds=1))
    return max(times)


@dataclass(frozen=True)
class ShardReport:
    """What one shard came to."""

    documents: int = 0
    """Cleaned or failed; those that were dropped when the run was stopped are neither."""

    pages: int = 0
    review: int = 0
    """Cleaned pages that a person should look at."""

    skipped: int = 0
    """Pages passed through untouched."""

    passed_through: int = 0
    """Documents of which no page was cleaned, and none failed."""

    pages_failed: int = 0
    """Pages that were not cleaned, all those of a failed document."""

    failures: tuple[Failure, ...] = ()
    stopped: bool = False
    """Documents are left, because the run was interrupted or too many failed."""


@dataclass(frozen=True)
class RunReport:
    """What a whole run came to."""

    run: Run
    planned: int
    """Documents that the run set out to clean."""

    done_before: int
    """Documents that an earlier run had cleaned."""

    seconds: float
    shards: tuple[ShardReport, ...] = ()
    interrupted: bool = False
    """It was told to stop, and documents are left."""

    @classmethod
    def of(
        cls,
        plan: RunPlan,
        run: Run,
        shards: Sequence[ShardReport],
        seconds: float,
        told_to_stop: bool = False,
    ) -> "RunReport":
        """Put the shards of a run together."""
        report = cls(run, len(plan.jobs), plan.done, seconds, tuple(shards))
        return replace(report, interrupted=told_to_stop and report.left > 0)

    @property
    def documents(self) -> int:
        """Documents cleaned or failed."""
        return sum(shard.documents for shard in self.shards)

    @property
    def pages(self) -> int:
        """Pages of those documents."""
        return sum(shard.pages for shard in self.shards)

    @property
    def review(self) -> int:
        """Pages that a person should look at."""
        return sum(shard.review for shard in self.shards)

    @property
    def skipped(self) -> int:
        """Pages passed through untouched."""
        return sum(shard.skipped for shard in self.shards)

    @property
    def passed_through(self) -> int:
        """Documents of which no page was cleaned, and none failed."""
        return sum(shard.passed_through for shard in self.shards)

    @property
    def pages_failed(self) -> int:
        """Pages that were not cleaned."""
        return sum(shard.pages_failed for shard in self.shards)

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Documents that were not cleaned."""
        return tuple(failure for shard in self.shards for failure in shard.failures)

    @property
    def failed(self) -> bool:
        """Whether more documents failed than the budget allows, of all that there are.

        What is broken is tried again by every run, and what is clean is not: of those that were
        planned, a few broken ones would soon be most.
        """
        budget = FailureBudget.parse(self.run.options.max_failures)
        return budget.exceeded(len(self.failures), self.planned + self.done_before)

    @property
    def left(self) -> int:
        """Documents that the run did not come to."""
        return self.planned - self.documents

    @property
    def gave_up(self) -> bool:
        """Whether failures stopped the run before its end."""
        return self.left > 0 and not self.interrupted

    @property
    def exit_code(self) -> int:
        """0 if every document is clean, 130 if interrupted, else that of the worst failure.

        One failed document is enough, within the budget too: what depends on a whole folder must
        not go on as if it were clean.
        """
        return INTERRUPTED if self.interrupted else worst(self.failures)


def may_still_fail(plan: RunPlan, shards: Sequence[ShardReport]) -> int:
    """Failures that the rest of a run goes on with, after those of its first shards."""
    budget = FailureBudget.parse(plan.options.max_failures)
    failed = sum(len(shard.failures) for shard in shards)
    return budget.bearable(len(plan.jobs) + plan.done) - failed
