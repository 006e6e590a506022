"""Originals that have been cleaned, moved out of the inbox: whole or not at all, over nothing.

Whenever the process is killed, every document is in the archive, whole and kept by the disk, or in
the inbox under a name that the next look finds: none is hidden.
"""

import errno
import hashlib
import itertools
import os
import secrets
import shutil
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pagewash.errors import AccessError, OptionError
from pagewash.files import access_errors, real_path, sha256_of
from pagewash.leftovers import open_temporary
from pagewash.runs.conflicts import is_among, overlap, upwards

NO_LINKS = (errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
"""What systems say where a file can have no second name there."""

NOT_KEPT = (errno.EIO, errno.ENOSPC, errno.EDQUOT)
"""What they say of a disk that failed to keep a name; all else means that it cannot be asked."""


def check_archive(archive: Path, inbox: Path, destination: Path) -> None:
    """Refuse an archive that would be watched, or mixed with the outputs.

    Raises:
        OptionError: it lies in the inbox or the destination, or around one of them.
    """
    place = real_path(archive)
    for other in (inbox, destination):
        real = real_path(other)
        nested = place == real or place in real.parents or real in place.parents
        if nested or overlap(archive, other):  # also as a mount, or on a disk that folds names
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
    if is_among(inbox, upwards(place.parent)):  # the copy there would be the document itself
        raise AccessError(
            f"{place.parent} leads back into {inbox}, so that {path} stays; remove the link or the "
            "mount from the archive"
        )
    target, archived = _give_name(path, place)
    with access_errors(str(target), "written"):
        for folder in target.parents[: len(place.relative_to(archive).parts) + 1]:
            _flush(folder)  # up to the one that holds the archive: some may be new
    with access_errors(str(path), "removed"):
        aside = _set_aside(path)
        found = aside.lstat()
        if _is_unchanged(found, archived):
            aside.unlink()
            return target
        _put_back(aside, path)
        if os.path.samestat(found, target.lstat()):  # whoever writes to it writes to the archive
            target.unlink()
            raise AccessError(f"{path} changed while it was archived; it stays")
    return target


def name_apart(path: Path, is_taken: Callable[[Path], bool]) -> Path:
    """Number a document in the inbox, since its name is taken.

    Args:
        path: a document below the inbox, whole.
        is_taken: asked of each name that it might have.

    Returns:
        Where it is now.

    Raises:
        AccessError: it cannot be renamed; it stays where it was.
    """
    for number in itertools.count(2):
        target = _numbered(path, number)
        if is_taken(target):
            continue
        with access_errors(str(path), "renamed"):
            if _rename(path, target):
                break
    return target


def _numbered(path: Path, number: int) -> Path:
    return path if number == 1 else path.with_stem(f"{path.stem} ({number})")


def _give_name(path: Path, place: Path) -> tuple[Path, os.stat_result]:
    """Give a file a name there, with a number if another has it.

    Returns:
        The name, and which file it was that has it.
    """
    for number in itertools.count(1):
        target = _numbered(place, number)
        with access_errors(str(target), "written"):
            try:
                given = _link(path, target)
            except FileExistsError:
                given = path.lstat()
                if not _is_copy(target, path):
                    continue
        break
    return target, given


def _is_copy(target: Path, path: Path) -> bool:
    """Whether a name there is that of the same document: an archiving was killed that gave it."""
    there, here = target.lstat(), path.lstat()
    if os.path.samestat(there, here):
        return True
    alike = (there.st_size, there.st_mtime_ns) == (here.st_size, here.st_mtime_ns)
    return alike and sha256_of(target) == sha256_of(path)


def _set_aside(path: Path) -> Path:
    """Take its name from whatever file has it now: only then can it be told which one that is.

    A scanner may give every scan the same name, so that another may have come. Whichever it is, it
    stays a document that is found in the inbox, should this process be killed.
    """
    aside = path.with_name(f"pagewash-{secrets.token_hex(8)}{path.suffix}")
    path.rename(aside)
    return aside


def _put_back(aside: Path, path: Path) -> None:
    """Give a file the name back that it had, with a number if that is taken."""
    for number in itertools.count(1):
        if _rename(aside, _numbered(path, number)):
            break


def _rename(path: Path, target: Path) -> bool:
    """Give a file another name in its folder; False if that is taken.

    It stays the same file, and is never copied: a scanner may still be writing to it.
    """
    try:
        os.link(path, target, follow_symlinks=False)
    except FileExistsError:
        return False
    except OSError:  # a disk without links
        if os.path.lexists(target):
            return False
        path.rename(target)
        return True
    aside = _set_aside(path)
    if os.path.samestat(aside.lstat(), target.lstat()):
        aside.unlink()
    else:  # another has come under the old name
        _put_back(aside, path)
    return True


def _is_unchanged(now: os.stat_result, then: os.stat_result) -> bool:
    """Whether it is the same file, to which nobody has written since."""
    written = (now.st_size, now.st_mtime_ns) != (then.st_size, then.st_mtime_ns)
    return os.path.samestat(now, then) and not written


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
            original.seek(0)  # not by its name, which another may have by now
            same = hashlib.file_digest(original, "sha256").hexdigest() == sha256_of(temporary)
            if not same or not _is_unchanged(os.fstat(original.fileno()), found):
                raise AccessError(f"{path} changed while it was copied to {target}; it stays")
        try:
            os.link(temporary, target)
        except OSError as error:
            if isinstance(error, FileExistsError):
                raise
            target.touch(exist_ok=False)  # a file system without links: nobody else takes the name
            temporary.rename(target)
    finally:
        with suppress(OSError):
            file.close()
        temporary.unlink(missing_ok=True)
    return found


def _flush(folder: Path) -> None:
    """Have the disk keep the names in a folder, where it can be asked to.

    Raises:
        OSError: it fails to keep them.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno in NOT_KEPT:
            raise
