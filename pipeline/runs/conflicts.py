"""Outputs that must not be written: over an original, over each other, out of the destination.

A folder may be reached by several paths: links, a mount of a folder elsewhere, a share mounted
twice, a disk that takes no notice of case. So files are compared by what the disk says of them,
not by their names. Nothing is opened.
"""

import os
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from pagewash.errors import OptionError
from pagewash.files import access_errors, printable, real_path


def conflicts(
    outputs: Mapping[Path, Path], source: Path, folder: Path, metrics: Path | None
) -> dict[Path, str]:
    """Documents whose outputs cannot be written where they would go, and why.

    Of those whose outputs meet, the first is none of them.

    Args:
        outputs: each document's output.
        source: the folder of the documents, into which nothing is written; or the one document.
        folder: which all outputs are to stay inside.
        metrics: the folder of the metrics, if there is one.
    """
    reasons: dict[Path, str] = {}
    takers: dict[str, Path] = {}
    originals = _identities(outputs)
    scans = _identities({path.parent for path in outputs} if source.is_dir() else ())
    parents = {path.parent for path in outputs.values()}
    taken = {place: _place_taken(place, folder, scans) for place in parents}
    keys = _keys(outputs.values(), folder)
    for path, output in outputs.items():
        taker = takers.setdefault(keys[output], path)
        if taker != path:
            reasons[path] = (
                f"{taker} and {path} would both become {output}; "
                "rename one of them, or clean them into different folders"
            )
        elif identity(output) & originals:
            reasons[path] = (
                f"{path} would be written over an original, {output}; choose another destination"
            )
        elif metrics is not None and metrics in output.parents:
            reasons[path] = (
                f"{path} would become {output}, inside the folder of the metrics; "
                "choose another folder with --metrics"
            )
        elif taken[output.parent]:
            reasons[path] = f"{path} would become {output}, but {taken[output.parent]}"
    return reasons


def identity(path: Path | int) -> frozenset[tuple[int, ...]]:
    """What tells a file or folder, or an open file, from all others, whatever path leads to it.

    Two views of one thing have something in common here. The device counts where it can; the same
    share mounted twice has two, and then number, size and both times must agree.

    Returns:
        Nothing where there is nothing.
    """
    try:
        found = os.stat(path)  # noqa: PTH116  (this one takes a link in a circle for nothing there)
    except OSError:
        return frozenset()
    times = found.st_mtime_ns, found.st_ctime_ns
    return frozenset({(found.st_dev, found.st_ino), (found.st_ino, found.st_size, *times)})


def refuse_to_overwrite(source: Path, output: Path, folder: Path) -> None:
    """Look once more, just before an output is written, since a run takes its time.

    Raises:
        OptionError: it would go over its own original, or out of the folder.
    """
    reason = conflicts({source: output}, source, folder, None).get(source)
    if reason is not None:
        raise OptionError(reason)


def came_first(path: Path, output: Path) -> bool:
    """Whether a document was there, as it is now, before an output was written: else that is of
    another.

    Raises:
        AccessError: one of them cannot be looked at.
    """
    with access_errors(str(path), "read"):
        came, written = path.stat(), output.lstat()
    return written.st_mtime_ns > max(came.st_mtime_ns, came.st_ctime_ns)


def leads_out(place: Path, folder: Path) -> bool:
    """Whether links on the way to a place lead it out of its folder."""
    return not real_path(place).is_relative_to(real_path(folder))


def overlap(one: Path, other: Path) -> bool:
    """Whether one folder is the other or lies in it, whatever paths they are reached by."""
    return is_among(other, upwards(one)) or is_among(one, upwards(other))


def is_among(folder: Path, places: Iterable[Path]) -> bool:
    """Whether a folder is one of several, whatever paths they are reached by."""
    return any(identity(place) & identity(folder) for place in places)


def upwards(path: Path) -> tuple[Path, ...]:
    """A path and the folders that it really lies in, the innermost first."""
    real = real_path(path)
    return (real, *real.parents)


def _place_taken(place: Path, folder: Path, scans: frozenset[tuple[int, ...]]) -> str | None:
    """Why nothing may be written in a folder, as a clause; None if it may."""
    if identity(place) & scans:
        return f"{place} is a folder of originals under another name; choose another destination"
    if leads_out(place, folder):
        return (
            f"{place} is a link that leads out of {folder}, to {real_path(place)}; "
            "remove the link, or choose another destination"
        )
    return None


def _identities(paths: Iterable[Path]) -> frozenset[tuple[int, ...]]:
    return frozenset().union(*(identity(path) for path in paths))


def _keys(outputs: Iterable[Path], folder: Path) -> dict[Path, str]:
    """What each output is known by: the same for two that would be one file, or one in rows."""
    keys = {output: printable(str(output)) for output in outputs}
    folded = {output: _folded(key) for output, key in keys.items()}
    meet = any(count > 1 for count in Counter(folded.values()).values())
    return folded if meet and folds_names(folder) else keys


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def folds_names(folder: Path) -> bool:
    """Whether a disk takes names for the same that differ in case, or in how accents are put."""
    place = next(parent for parent in (folder, *folder.parents) if parent.exists())
    with suppress(OSError), tempfile.NamedTemporaryFile(dir=place, prefix=".pagewash-é") as file:
        name = Path(file.name).name
        others = name.upper(), unicodedata.normalize("NFD", name)
        return any((place / other).exists() for other in others)
    return False
