"""What happens on a Dask worker: shards are cleaned with its share of the machine, until the run
is stopped from where it was begun.

Knows Dask and no Prefect. How a cluster is found, and who gets which shard, is decided elsewhere.
"""

import functools
import logging
import math
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from distributed import Event, get_client, get_worker
from distributed.comm.addressing import get_address_host

from pagewash.errors import OptionError, PagewashError
from pagewash.files import sha256_of
from pagewash.inference.model_files import find_model
from pagewash.options import available_processors
from pagewash.runs.loading import Cleans, load_cleaner
from pagewash.runs.outcome import Run, ShardReport
from pagewash.runs.planning import Job
from pagewash.runs.settling import settle_precision
from pagewash.runs.shards import clean_shard
from pagewash.runs.tally import Stop
from pagewash.versions import version_of

log = logging.getLogger(__name__)

API_PATIENCE = 10.0
"""Seconds in which Prefect's API has to answer a worker."""

STOP_ASKED = 0.5
"""Seconds after which a worker asks again whether to stop."""


@dataclass(frozen=True)
class WorkerRequirements:
    """What a worker must have to take part in a run."""

    version: str
    """Of pagewash."""

    model: str
    model_sha256: str

    source: Path
    """A document that it must see."""

    mark: Path
    """A file that lies for a moment where the outputs go."""

    api: str
    """Address of Prefect's API."""


def missing_requirement(requirements: WorkerRequirements) -> str | None:
    """Say why the worker that this runs on cannot take part in a run, and the way out.

    Returns:
        A sentence without the worker's name; None if it can.
    """
    version = version_of("pagewash")
    if version != requirements.version:
        return (
            f"has pagewash {version}, and the run {requirements.version}; install the same on both"
        )
    try:
        if sha256_of(find_model(requirements.model)) != requirements.model_sha256:
            return f"has another model under the name {requirements.model}; copy the run's there"
    except PagewashError as error:
        return f"has no model: {error}"
    source, mark = requirements.source, requirements.mark
    for seen, place, role in (
        (source, source, "the scans"),
        (mark, mark.parent, "the outputs"),
    ):
        if not seen.exists():
            return (
                f"does not see {role} at {place}; put them on a disk that all machines share, "
                "under the same path"
            )
    if not _answers(requirements.api):
        return (
            f"cannot reach Prefect's API at {requirements.api}; start 'prefect server start --host "
            "0.0.0.0', and set PREFECT_API_URL to its address as all machines see it"
        )
    return None


def _answers(api: str) -> bool:
    try:
        urllib.request.urlopen(f"{api.rstrip('/')}/health", timeout=API_PATIENCE).close()
    except urllib.error.HTTPError:
        return True  # it wants to know who asks, and the tasks will say so
    except OSError:
        return False
    return True


def clean_shard_on_worker(
    jobs: Sequence[Job], run: Run, part: Path | None, may_fail: int
) -> ShardReport:
    """Clean a shard as `clean_shard` does, as a task of Dask; the network stays for the next one.

    Done again by another worker after this one was lost, it leaves the same files and rows.
    """
    worker, client = get_worker(), get_client()
    share = share_of_machine(worker.address, client.nthreads(), available_processors())
    run = as_possible_here(run, share)
    options = replace(run.options, jobs=run.options.jobs or min(run.options.threads, share))
    return clean_shard(
        jobs,
        replace(run, options=options),
        part,
        may_fail=may_fail,
        stop=PolledStop(Event(stop_name(run), client)),
        load=functools.partial(_load, share),
    )


def as_possible_here(run: Run, share: int) -> Run:
    """The run in the precision that was chosen where it began, or, if this machine cannot compute
    in that, in its own, with a word; rows and the identity of outputs name what is used.

    A precision that was asked for is never replaced.
    """
    if not run.why_precision:
        return run
    try:
        _load(share, run)
    except OptionError as error:
        options = replace(run.options, precision="auto")
        options, why = settle_precision(options, run.output_key.model_sha256)
        log.warning("%s; this worker cleans in %s: %s", error, options.precision, why)
        key = replace(run.output_key, options_hash=options.fingerprint)
        return replace(run, options=options, output_key=key, why_precision=why)
    return run


class PolledStop:
    """A `Stop` that is far away: to ask it at every page took a tenth of a run on small ones."""

    def __init__(self, stop: Stop) -> None:
        """Ask nothing yet."""
        self._stop, self._answer, self._asked = stop, False, -math.inf

    def is_set(self) -> bool:
        """What the other one said, `STOP_ASKED` seconds ago at most."""
        now = time.monotonic()
        if now >= self._asked + STOP_ASKED:
            self._answer, self._asked = self._stop.is_set(), now
        return self._answer


def stop_name(run: Run) -> str:
    """The event of the cluster that stops a run."""
    return f"pagewash-stop-{run.run_id}"


def share_of_machine(address: str, threads: Mapping[str, int], processors: int) -> int:
    """Processors for one shard, where workers on one machine clean several at once.

    Args:
        address: of a worker.
        threads: of every worker, by its address; each thread cleans a shard.
        processors: of its machine.
    """
    host = get_address_host(address)
    at_once = sum(count for other, count in threads.items() if get_address_host(other) == host)
    return max(1, processors // max(1, at_once))


def _load(share: int, run: Run) -> Cleans:
    """The run's network, once per process, with torch's threads for the calling thread."""
    import torch

    # Dask starts its workers with OMP_NUM_THREADS=1, which would leave the rest idle
    torch.set_num_threads(share)
    return load_cleaner(run)
