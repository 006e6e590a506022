"""Originals that have been cleaned, moved out of the inbox: whole or not at all, over nothing."""

import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path

from pagewash.errors import AccessError, OptionError
from pagewash.files import access_errors, real_path, sha256_of
from pagewash.leftovers import temporary_path


def check_archive(archive: Path, inbox: Path, destination: Path) -> None:
    """Refuse an archive that would be watched, or mixed with the outputs.

    Raises:
        OptionError: it lies in the inbox or the destination, or around one of them.
    """
    place = real_path(archive)
    for other in (inbox, destination):
        real = real_path(other)
        if place == real or place in real.parents or real in place.parents:
            raise OptionError(
                f"--archive {archive} and {other} lie in each other; name a folder beside it"
            )


def move_to_archive(path: Path, inbox: Path, archive: Path) -> Path:
    """Move a document to its place below the archive; the original goes when the other is whole.

    A name that is taken there gets a number: nothing is written over.

    Args:
        path: a document below the inbox.
        inbox: the folder that its place counts from.
        archive: may be on another disk.

    Returns:
        Where it is now.

    Raises:
        AccessError: it cannot be moved; it stays where it was.
    """
    place = archive / path.relative_to(inbox)
    with access_errors(str(place), "written"):
        place.parent.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        target = place if number == 1 else place.with_stem(f"{place.stem} ({number})")
        with access_errors(str(target), "written"):
            try:
                _link(path, target)
            except FileExistsError:
                number += 1
                continue
        with access_errors(str(path), "removed"):
            path.unlink()
        return target


def _link(path: Path, target: Path) -> None:
    """Give a file a second name, on another disk as a copy; never that of another file."""
    try:
        os.link(path, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK):
            raise
        _copy(path, target)


def _copy(path: Path, target: Path) -> None:
    if target.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    temporary = temporary_path(target)
    try:
        shutil.copy2(path, temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        if sha256_of(temporary) != sha256_of(path):
            raise AccessError(f"{path} changed while it was copied to {target}; it stays")
        try:
            os.link(temporary, target)
        except OSError as error:
            if isinstance(error, FileExistsError):
                raise
            temporary.rename(target)  # a file system without links; its name was free just now
    finally:
        with suppress(OSError):
            temporary.unlink()
