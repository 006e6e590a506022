"""Object stores as source and destination: `s3://bucket/scans` to `s3://bucket/cleaned`.

The work itself knows files alone. Of a store, a folder in the temporary directory holds what a run
needs to plan (names, sizes and times of the scans, and all metrics), and one shard after the other
is fetched, cleaned, and put back: each output once it is whole, then the rows. A store shows an
object whole or not at all, since an upload counts from its commit on; objects of the source are
only read.

An object that cannot be fetched or uploaded, or has a name that no file can have, costs itself
alone; a store that is gone ends the run.
"""

import logging
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pagewash.documents.containers import container_of_name
from pagewash.errors import AccessError, MissingError, OptionError
from pagewash.failures import Failure, describe
from pagewash.leftovers import working_folder
from pagewash.measuring.records import find_parts, write_table
from pagewash.places import object_url
from pagewash.runs.journey import Deliver, stay
from pagewash.runs.overlap import DroppedError
from pagewash.runs.planning import Job
from pagewash.runs.shards import Around, NotFetched

log = logging.getLogger(__name__)

_MARK = "metrics/.pagewash"
"""An empty object, there before the first output: a store has no folder that tells from then on
that those are ours, should the run break off."""


@dataclass(frozen=True)
class Staged:
    """A run between object stores, on disk."""

    source: Path
    called: str
    """What rows call the source."""

    destination: Path
    around: Around
    deliver: Deliver

    failures: tuple[Failure, ...] = ()
    """Objects of the source that cannot be documents on a disk."""


@contextmanager
def staged(source: Path, destination: Path) -> Iterator[Staged]:
    """Put folders in the place of a source or destination in an object store.

    Raises:
        MissingError: what talks to such a store is not installed.
        AccessError: the store does not answer, or refuses.
        OptionError: source and destination lie in each other.
    """
    urls = object_url(source), object_url(destination)
    with working_folder() as folder:
        scans, outputs = source, destination
        named = [
            url or str(place.absolute())
            for url, place in zip(urls, (source, destination), strict=True)
        ]
        stores: list[_Store] = []
        failures: tuple[Failure, ...] = ()
        deliver: Deliver = stay
        if urls[0] is not None:
            scans = Path(folder, "scans")
            scanned = _Source(urls[0], scans)
            stores.append(scanned)
            failures = tuple(scanned.failures)
        if urls[1] is not None:
            outputs = Path(folder, "cleaned")
            taking = _Destination(urls[1], outputs)
            stores.append(taking)
            deliver = taking.deliver
            if urls[0] is not None and stores[0].meets(stores[1]):
                raise OptionError(f"{urls[0]} and {urls[1]} lie in each other; name a place beside")

        @contextmanager
        def around(jobs: Sequence[Job], part: Path | None) -> Iterator[NotFetched]:
            not_fetched: dict[Path, Exception] = {}
            for store in stores:
                not_fetched |= store.before(jobs, part)
            yield not_fetched
            written = part if part is not None and part in find_parts(part.parent) else None
            if written:
                _name_places(written, *named)
            for store in reversed(stores):
                store.after(jobs, written)

        yield Staged(scans, named[0], outputs, around, deliver, failures)


def _name_places(part: Path, source: str, destination: str) -> None:
    """Have rows name the places of a run, and not the folders that stood for them."""
    table = pq.ParquetFile(part).read()
    for name, place in (("source_folder", source), ("output_folder", destination)):
        at = table.schema.get_field_index(name)
        values = pa.array([place] * len(table), pa.string())
        table = table.set_column(at, table.schema.field(at), values)
    write_table(part, table)


def _inside(path: Path, folder: Path) -> bool:
    """Whether a path stays in a folder: an object may be called `../a`."""
    return path.resolve().is_relative_to(folder.resolve())


class _Store:
    """A place in a store, and the folder that stands for it."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url.rstrip("/"), folder
        folder.mkdir()
        try:
            from fsspec.core import url_to_fs

            self._fs, self._root = url_to_fs(self.url)
        except (ImportError, ValueError) as error:
            raise MissingError(
                f"{self.url} needs a package that is not installed ({error}); "
                "run: pip install 'pagewash[s3]'"
            ) from error
        if "file" in self._fs.protocol:
            raise OptionError(f"{self.url} lies on a disk; name it by its path, without file://")

    def meets(self, other: "_Store") -> bool:
        """Whether one of two places lies in the other, whatever their URLs are called."""
        roots = [f"{store._root.rstrip('/')}/" for store in (self, other)]
        alike = type(self._fs) is type(other._fs)
        return alike and (roots[0].startswith(roots[1]) or roots[1].startswith(roots[0]))

    def before(self, jobs: Sequence[Job], part: Path | None) -> dict[Path, Exception]:
        """Make ready for a shard; returns what cannot be had, and why."""
        return {}

    def after(self, jobs: Sequence[Job], part: Path | None) -> None:
        """Put away what it came to."""

    def found(self) -> dict[str, dict[str, Any]]:
        """What lies there, by its path below the place."""
        with self.errors():
            listed = self._fs.find(self._root, detail=True)
        start = len(self._root.rstrip("/")) + 1
        found = {name[start:]: about for name, about in listed.items() if len(name) > start}
        # in order, so that a folder does not take the place of an object of its name; the store's
        # own marks of folders end with a slash
        return {name: found[name] for name in sorted(found) if not name.endswith("/")}

    def get(self, name: str, path: Path) -> None:
        """Fetch an object."""
        with self.errors():
            self._fs.get_file(f"{self._root}/{name}", str(path))

    def check(self) -> None:
        """See that the store still answers.

        Raises:
            AccessError: it does not, so that what went wrong is not one object's.
        """
        with self.errors():
            self._fs.invalidate_cache()
            self._fs.info(self._root)

    def put(self, path: Path, name: str) -> None:
        """Upload a file; it appears whole, or not at all."""
        with self.errors():
            self._fs.put_file(str(path), f"{self._root}/{name}")

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn what a store says into an `AccessError`, which may pass."""
        try:
            yield
        except Exception as error:
            words = " ".join(str(error).split())
            raise AccessError(
                f"{self.url} cannot be reached or refuses: {words}. Check its name, your "
                "credentials, and AWS_ENDPOINT_URL for a store that is not Amazon's."
            ) from error


class _Source(_Store):
    """Scans: files of their size and time, which get their bytes shard by shard."""

    def __init__(self, url: str, folder: Path) -> None:
        super().__init__(url, folder)
        self._times: dict[Path, float] = {}
        self._names: dict[Path, str] = {}  # a path has lost double slashes
        self.failures: list[Failure] = []
        for name, about in self.found().items():
            if container_of_name(Path(name)) is None:
                continue
            try:
                self._expect(name, about)
            except (OSError, ValueError) as error:
                self._give_up(name, error)

    def _expect(self, name: str, about: dict[str, Any]) -> None:
        """Let a file stand for an object.

        Raises:
            OSError: its name is too long, or that of a folder, or of another object.
            ValueError: it holds what no name can hold, or leads out of the folder.
        """
        path = self.folder / name
        if not _inside(path, self.folder):
            raise ValueError("it leads out of its folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.truncate(about["size"])
        changed: Any = about.get("LastModified") or about.get("mtime")
        self._times[path] = changed.timestamp() if hasattr(changed, "timestamp") else 0.0
        self._names[path] = name
        os.utime(path, (self._times[path],) * 2)

    def _give_up(self, name: str, error: OSError | ValueError) -> None:
        url = f"{self.url}/{name}"
        why = error.strerror if isinstance(error, OSError) else error
        told = AccessError(f"{url} cannot be a file on this disk: {why}. Give it another name.")
        self.failures.append(describe(url, told))
        log.error(self.failures[-1].message)

    def before(self, jobs: Sequence[Job], part: Path | None) -> dict[Path, Exception]:
        not_fetched: dict[Path, Exception] = {}
        for job in jobs:
            try:
                self.get(self._names[job.source], job.source)
            except AccessError as error:
                self.check()
                not_fetched[job.source] = self._not_fetched(job.source, error)
                job.source.write_bytes(b"")  # what came of it takes no room
            os.utime(job.source, (self._times[job.source],) * 2)
        return not_fetched

    def _not_fetched(self, path: Path, error: AccessError) -> AccessError:
        words = " ".join(str(error.__cause__).split())
        return AccessError(
            f"{self.url}/{self._names[path]} cannot be fetched: {words}. See whether it has to be "
            "restored from an archive first, and whether you may read it."
        )

    def after(self, jobs: Sequence[Job], part: Path | None) -> None:
        for job in jobs:
            os.truncate(job.source, 0)


class _Destination(_Store):
    """Outputs: files of their size, without bytes, for those that are there, and all metrics."""

    def __init__(self, url: str, folder: Path) -> None:
        super().__init__(url, folder)
        self._one_at_a_time = threading.Lock()  # not all that talks to stores knows of threads
        self._gone: AccessError | None = None
        for name, about in self.found().items():
            with suppress(OSError, ValueError):  # of a name that no file has, and so no output
                if self._expect(name, about):
                    self.get(name, folder / name)
        self._has_metrics = (folder / "metrics").is_dir()

    def _expect(self, name: str, about: dict[str, Any]) -> bool:
        """Let a file stand for an object; whether its bytes are needed."""
        path = self.folder / name
        if not _inside(path, self.folder):
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        _stand_for_object(path, about["size"])
        return name.startswith("metrics/") and path.suffix == ".parquet"

    def before(self, jobs: Sequence[Job], part: Path | None) -> dict[Path, Exception]:
        mark = self.folder / _MARK
        if not self._has_metrics and part is not None and part.is_relative_to(self.folder):
            mark.touch()
            self.put(mark, _MARK)
            self._has_metrics = True
        return {}

    def deliver(self, job: Job) -> None:
        """Upload an output.

        Raises:
            AccessError: the store does not take it, and still answers.
            DroppedError: the store is gone, as the end of the shard will say.
        """
        output, name = job.output, job.output.relative_to(self.folder).as_posix()
        with self._one_at_a_time:
            if self._gone is not None:
                raise DroppedError
            size = output.stat().st_size
            try:
                self.put(output, name)
            except AccessError as error:
                output.unlink()  # it takes no room
                self._see_that_it_answers()
                words = " ".join(str(error.__cause__).split())
                raise AccessError(
                    f"{self.url}/{name} cannot be uploaded: {words}. See whether the store takes "
                    "such a name, and whether you may write there."
                ) from error
            _stand_for_object(output, size)

    def _see_that_it_answers(self) -> None:
        try:
            self.check()
        except AccessError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return  # that is an answer: nothing has been uploaded yet
            self._gone = error
            raise DroppedError from error

    def after(self, jobs: Sequence[Job], part: Path | None) -> None:
        if self._gone is not None:
            raise self._gone
        if part is not None and part.is_relative_to(self.folder):  # unless --metrics is a disk's
            self.put(part, part.relative_to(self.folder).as_posix())


def _stand_for_object(path: Path, size: int) -> None:
    """Let a file have its size and no bytes."""
    os.truncate(path, 0)
    os.truncate(path, size)
