"""Originals that have been cleaned, moved out of the inbox: whole or not at all, over nothing."""

import errno
import itertools
import os
import secrets
import shutil
import stat
from contextlib import suppress
from pathlib import Path

from pagewash.errors import AccessError, OptionError
from pagewash.files import access_errors, real_path, sha256_of
from pagewash.leftovers import open_temporary

NO_LINKS = (errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
"""What systems say where a file can have no second name there."""


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
    target, archived = _give_name(path, place)
    with access_errors(str(path), "removed"):
        _remove(path, archived)
    return target


def name_apart(path: Path, inbox: Path, archive: Path) -> Path:
    """Number a document in the inbox that has the name of an archived one.

    A scanner may give every scan the same name, and what becomes of it would take the place of what
    became of the scan before.

    Args:
        path: a document below the inbox, whole.
        inbox: the folder that its place counts from.
        archive: where documents go that are done.

    Returns:
        Where it is now: where it was, unless the archive has its name.

    Raises:
        AccessError: it cannot be renamed; it stays where it was.
    """
    place = path.relative_to(inbox)
    if not os.path.lexists(archive / place):
        return path
    for number in itertools.count(2):
        name = _numbered(place, number)
        if os.path.lexists(archive / name):
            continue
        with access_errors(str(path), "renamed"):
            try:
                given = _link(path, inbox / name)
            except FileExistsError:
                continue
            _remove(path, given)
        break
    return inbox / name


def _numbered(path: Path, number: int) -> Path:
    return path if number == 1 else path.with_stem(f"{path.stem} ({number})")


def _give_name(path: Path, place: Path) -> tuple[Path, os.stat_result]:
    """Give a file a name there, with a number if it is taken, and have the disk keep it.

    Returns:
        The name, and which file it was that has it.
    """
    for number in itertools.count(1):
        target = _numbered(place, number)
        with access_errors(str(target), "written"):
            try:
                given = _link(path, target)
            except FileExistsError:
                continue
            _flush(target.parent)
        break
    return target, given


def _remove(path: Path, archived: os.stat_result) -> None:
    """Remove a document that is archived; another that has come under its name stays.

    A scanner may give every scan the same name. So the name is taken away first, and then looked
    at who had it.
    """
    aside = path.with_name(f".pagewash-{secrets.token_hex(8)}.original")
    path.rename(aside)
    if not os.path.samestat(aside.lstat(), archived):
        _give_name(aside, path)
    aside.unlink()


def _link(path: Path, target: Path) -> os.stat_result:
    """Give a file a second name, on another disk as a copy; never that of another file.

    Returns:
        Which file it was.
    """
    try:
        os.link(path, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        return _copy(path, target)
    return target.lstat()


def _copy(path: Path, target: Path) -> os.stat_result:
    if target.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    temporary, file = open_temporary(target)
    try:
        os.fchmod(file.fileno(), stat.S_IRUSR | stat.S_IWUSR)  # until it is as its original
        with path.open("rb") as original:
            found = os.fstat(original.fileno())
            shutil.copyfileobj(original, file)
        file.flush()
        shutil.copystat(path, temporary)
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
            file.close()
        temporary.unlink(missing_ok=True)
    return found


def _flush(folder: Path) -> None:
    """Have the disk keep the names in a folder, where it can be asked to."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
