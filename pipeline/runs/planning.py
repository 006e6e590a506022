"""Planning a run: which documents, where their outputs go, and what is done already.

Everything that can be said before a page is read is said here, before anything is written.
Names, times and hashes only: no pixels, and no torch but where a precision has to be measured.
"""

import tempfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pagewash.documents.containers import (
    WriteOptions,
    container_of_name,
    find_documents,
    output_path,
)
from pagewash.errors import AccessError, InputError, OptionError
from pagewash.files import access_errors, as_text, printable, real_path, sha256_of
from pagewash.inference.model_files import find_model
from pagewash.measuring.accepted import read_accepted
from pagewash.options import RunOptions
from pagewash.places import object_url
from pagewash.runs.conflicts import (
    came_first,
    conflicts,
    identity,
    is_among,
    leads_out,
    overlap,
    upwards,
)
from pagewash.runs.ledger import Entry, Ledger, OutputKey, Source, read_ledger, routes_of, unchanged
from pagewash.runs.settling import settle_precision

SHARD_DOCUMENTS = 128
"""Most documents in a shard: what a killed run may have to do again."""

SHARD_BYTES = 256 * 2**20
"""Where a shard ends earlier, in bytes of its documents."""


@dataclass(frozen=True)
class Job:
    """One document to clean."""

    source: Path
    name: str
    """Path below the source, with slashes."""

    output: Path
    output_name: str
    """Path below the destination, with slashes."""

    found: Source
    """As it lay there when the run was planned."""

    @property
    def source_folder(self) -> Path:
        """What `name` counts from."""
        return self.source.parents[self.name.count("/")]

    @property
    def output_folder(self) -> Path:
        """What `output_name` counts from."""
        return self.output.parents[self.output_name.count("/")]


@dataclass(frozen=True)
class RunPlan:
    """What a run will do."""

    jobs: tuple[Job, ...]
    """To be cleaned, in order; those that failed before, and are as they were, come last."""

    done: int
    """Documents that an earlier run has cleaned, and that are as they were."""

    options: RunOptions
    """With the precision that will be used in the place of auto."""

    output_key: OutputKey

    metrics: Path | None
    """Folder of the Parquet parts; None for a single output without one."""

    why_precision: str = ""
    """Why auto has come to that precision; empty where it was asked for."""


def plan_run(
    source: Path,
    destination: Path,
    options: RunOptions,
    metrics: Path | None = None,
    only: Collection[str] | None = None,
    called: str | None = None,
) -> RunPlan:
    """Find the documents to clean, and check that cleaning them can work.

    Nothing is written.

    Args:
        source: a folder, or one document.
        destination: a folder, or for one document also the file to make.
        options: what to do.
        metrics: folder of the metrics; None is `destination/metrics` for a folder, and no metrics
            for a single file.
        only: documents in the source folder, by their paths below it; None is all of them.
        called: what rows call the source; None is its absolute path.

    Raises:
        OptionError: folders that lie in each other, outputs that would meet or are of other scans,
            or a path in `only` that leads out of the source.
        InputError: the source is not there.
        AccessError: the destination cannot be written.
        MissingError: there is no such model.
    """
    if metrics is not None and (url := object_url(metrics)):
        raise OptionError(
            f"{url} lies in an object store, and --metrics takes a folder on a disk; left out, the "
            "metrics lie beside the outputs, in a store too"
        )
    check_places(source, destination, options)
    read_accepted(options.accepted_file)  # what is wrong with it is told before anything is done
    model_sha256 = sha256_of(find_model(options.model))
    options, why_precision = settle_precision(options, model_sha256)
    output_key = OutputKey(model_sha256, options.fingerprint)
    if source.is_file() and names_a_file(destination):
        outputs, folder = {source: destination}, destination.parent
    else:
        documents = find_documents(source) if only is None else _named(source, only)
        outputs, folder = plan_outputs(documents, source, destination, options), destination
        metrics = metrics or _metrics_in(destination)
    _check_way_round(source, folder, metrics)
    for reason in conflicts(outputs, source, folder, metrics).values():
        raise OptionError(reason)
    for written in (folder, metrics):
        if written is not None:
            check_writable(written)
    jobs = plan_jobs(outputs, source, folder)
    ledger = {} if options.force else read_ledger(metrics, folder)
    if not options.force:
        _check_unknown(jobs, ledger, source, metrics)
        for reason in taken(jobs, ledger, called).values():
            raise OptionError(reason)
    todo = [job for job in jobs if not _is_done(job, ledger, output_key)]
    # a run that too many of them stop has cleaned the others before
    todo.sort(key=lambda job: _failed_before(job, ledger))
    done = len(jobs) - len(todo)
    return RunPlan(tuple(todo), done, options, output_key, metrics, why_precision)


def check_places(source: Path, destination: Path, options: RunOptions) -> None:
    """Check what can be said of a run by the two places alone; as for `plan_run`."""
    for url in filter(None, map(object_url, (source, destination))):
        raise OptionError(
            f"{url} lies in an object store, and only 'pagewash clean' goes there, without --flow, "
            "--cluster and --dry-run. On a schedule, have cron run that command; or mount the "
            "store (as with rclone mount) and name the folder"
        )
    with access_errors(str(source), "read"):
        there, usual = source.exists(), source.is_file() or source.is_dir()
    if not there:
        raise InputError(f"{source} is not there; check the path of what to clean")
    if not usual:
        raise InputError(
            f"{source} is neither a file nor a folder; a pipe is read from standard input, "
            f"as in: pagewash clean - {destination} < {source}"
        )
    if source.is_file() and names_a_file(destination):
        _check_format(destination, options)
    else:
        _check_folders(source, destination)


def _metrics_in(destination: Path) -> Path:
    """The usual folder of the metrics."""
    metrics = destination / "metrics"
    if leads_out(metrics, destination):
        raise OptionError(
            f"{metrics} is a link that leads out of {destination}, to {real_path(metrics)}; remove "
            "the link, or name that folder by --metrics"
        )
    return metrics


def _check_way_round(source: Path, folder: Path, metrics: Path | None) -> None:
    """Refuse to write over the scans of which the source, or what it lies in, was cleaned."""
    around, there = upwards(source), upwards(folder)
    routes = {(scans, place) for place in around for scans, _ in routes_of(place / "metrics")}
    if metrics is not None and metrics != folder / "metrics":  # what lies there went into it
        routes |= routes_of(metrics)
    for scans, cleaned in routes:
        if identity(scans) & identity(cleaned):  # of single documents, beside them
            continue
        if is_among(cleaned, around) and is_among(scans, there):
            raise OptionError(
                f"{source} was cleaned from {scans}, and its scans would be written over; name "
                "the two the other way round, or another destination"
            )


def _check_unknown(jobs: Sequence[Job], ledger: Ledger, source: Path, metrics: Path | None) -> None:
    """Refuse to write over what may be another scan: files in a folder that never was a
    destination, a file beside a single document, of which no row tells, and one that is older than
    what it would be cleaned from, where nothing else tells of the destination.
    """
    there = metrics is not None and metrics.is_dir()
    for job in jobs:
        in_it = metrics == job.output_folder / "metrics"  # and not one that others share
        if source.is_dir() and there and (ledger or in_it):
            return
        entry = ledger.get(job.output_name)
        recorded = entry is not None and not entry.failed
        if recorded or job.output == job.source or not job.output.is_file():
            continue
        beside = identity(job.output.parent) & identity(source.parent)
        never = metrics is not None and not there
        if never or beside or not _may_be_own(job):
            raise OptionError(_may_be_scan(job))


def unknown(jobs: Iterable[Job], ledger: Ledger) -> dict[Path, str]:
    """Documents whose outputs are there already, with no row to tell of what, and older than they
    are; and why they would not be written.
    """
    return {
        job.source: _may_be_scan(job)
        for job in jobs
        if job.output_name not in ledger and job.output.is_file() and not _may_be_own(job)
    }


def _may_be_scan(job: Job) -> str:
    return (
        f"{job.output} is there already, and may be another scan; name another place, or --force "
        "to write over it"
    )


def _may_be_own(job: Job) -> bool:
    with suppress(AccessError):
        return came_first(job.source, job.output)
    return True  # the document has gone, and so nothing will be written


def taken(jobs: Iterable[Job], ledger: Ledger, called: str | None = None) -> dict[Path, str]:
    """Documents whose outputs are there already, of other scans of their names, and why.

    A scan that was changed, or that lies elsewhere now and is the same, is no other.

    Args:
        jobs: the documents.
        ledger: of their destination.
        called: as for `plan_run`.
    """
    reasons = {}
    for job in jobs:
        entry = ledger.get(job.output_name)
        if entry is None or unchanged(job.found, entry):  # nearly all of them
            continue
        document = f"{called or as_text(job.source_folder)}/{job.name}"
        if _is_of_another(job, document, entry) and job.output.is_file():
            reasons[job.source] = (
                f"{job.output_name} was cleaned from {entry.document}, and {document} would be "
                "written over it; name another destination, or --force if the former is not needed"
            )
    return reasons


def _is_of_another(job: Job, document: str, entry: Entry) -> bool:
    if entry.document is None or entry.document == document:
        return False
    if identity(Path(entry.document)) & identity(job.source):
        return False  # by another path
    if entry.source.size != job.found.size:
        return True
    with suppress(AccessError):
        return entry.source.sha256 != sha256_of(job.source)
    return False  # it cannot be read, and so nothing will be written


def plan_outputs(
    documents: Iterable[Path], source: Path, destination: Path, options: RunOptions
) -> dict[Path, Path]:
    """Where the output of each document in a folder goes."""
    write = WriteOptions(format=options.format)
    return {path: output_path(path, source, destination, write) for path in documents}


def plan_shards(
    jobs: Sequence[Job], most: int = SHARD_DOCUMENTS, most_bytes: int = SHARD_BYTES
) -> list[tuple[Job, ...]]:
    """Cut jobs into shards of about equal work, in order.

    Bytes stand for work: to know the megapixels of a document one would have to open it. A larger
    document than `most_bytes` is a shard of its own.
    """
    shards: list[list[Job]] = []
    size = 0
    for job in jobs:
        if not shards or len(shards[-1]) == most or size + job.found.size > most_bytes:
            shards.append([])
            size = 0
        shards[-1].append(job)
        size += job.found.size
    return [tuple(shard) for shard in shards]


def _named(source: Path, names: Iterable[str]) -> list[Path]:
    """Documents of a folder by their paths below it."""
    paths = [source / name for name in names]
    for path in paths:
        if not real_path(path).is_relative_to(real_path(source)):
            raise OptionError(f"{path} lies outside {source}; name documents inside it")
    return paths


def names_a_file(destination: Path) -> bool:
    """Whether a destination is a file to make, and no folder."""
    if destination.exists():
        return destination.is_file()
    return container_of_name(destination) is not None


def plan_jobs(outputs: Mapping[Path, Path], source: Path, folder: Path) -> list[Job]:
    """Documents as they lie there now, with their outputs below a folder."""
    return [_job(path, source, output, folder) for path, output in outputs.items()]


def _job(path: Path, root: Path, output: Path, folder: Path) -> Job:
    name = path.name if path == root else path.relative_to(root).as_posix()
    try:
        found = Source.of(path.stat())
    except OSError:
        found = Source(0, 0)  # it went away since it was listed; reading it says so, in a row
    output_name = output.relative_to(folder).as_posix()
    return Job(path, printable(name), output, printable(output_name), found)


def _is_done(job: Job, ledger: Ledger, output_key: OutputKey) -> bool:
    entry = ledger.get(job.output_name)
    if entry is None or entry.failed or entry.output_key != output_key:
        return False
    if not job.output.is_file():
        return False
    if entry.output_size not in (None, job.output.stat().st_size):
        return False
    return unchanged(job.found, entry)


def _failed_before(job: Job, ledger: Ledger) -> bool:
    entry = ledger.get(job.output_name)
    return entry is not None and entry.failed and unchanged(job.found, entry)


def _check_format(destination: Path, options: RunOptions) -> None:
    """Refuse a file name that contradicts --format."""
    named = container_of_name(destination)
    if options.format != "keep" and named not in (None, options.format):
        raise OptionError(
            f"{destination} names a {named} file, but --format {options.format} was asked for; "
            "leave out --format, or choose a name that fits"
        )


def _check_folders(source: Path, destination: Path) -> None:
    """Refuse folders that lie in each other: outputs would be taken for inputs."""
    if destination.is_file() or (source.is_dir() and names_a_file(destination)):
        raise OptionError(
            f"{destination} names a file, but {source} is a folder; name a folder for the outputs"
        )
    one, other = real_path(source), real_path(destination)
    if source.is_dir() and (one == other or one in other.parents or other in one.parents):
        where = "is" if one == other else "lies inside" if one in other.parents else "contains"
        raise OptionError(
            f"{destination} {where} {source}, so that cleaned pages and scans would mix; "
            "choose a destination beside it"
        )
    if source.is_dir() and overlap(source, destination):
        raise OptionError(
            f"{destination} and {source} lie in each other under another name, so that cleaned "
            "pages and scans would mix; choose a destination beside it"
        )


def check_writable(folder: Path) -> None:
    """Try to write where the folder is, or will be made; nothing stays.

    Raises:
        AccessError: it cannot be written to.
    """
    place = next(parent for parent in (folder, *folder.parents) if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise AccessError(
            f"{folder} cannot be written to: {error.strerror or error}. "
            "Choose another folder, or change its permissions."
        ) from error
