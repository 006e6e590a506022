"""What runs leave that were killed: told from what others are at work on, and removed.

Whoever writes a temporary file or has a working folder holds a lock on it, which goes with the
process. Where a disk knows no locks, age has to tell.
"""

import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from pagewash import locks

ABANDONED = 24 * 3600.0
"""Seconds after which nobody is at a temporary file any more, where locks cannot tell."""

_TEMPORARY = re.compile(r"\.pagewash-[0-9a-f]{16}\.(part|lock)|\.pagewash\.lock")
_WORKING = re.compile(r"pagewash-work-[0-9a-z_]+")
_IN_WORKING = re.compile(rf"\S*/{_WORKING.pattern}/(?=\w)")


def temporary_path(path: Path) -> Path:
    """A hidden name beside a path, for a file that `clear_leftovers` may remove some day."""
    return path.with_name(f".pagewash-{secrets.token_hex(8)}.part")


def open_temporary(path: Path) -> tuple[Path, BinaryIO]:
    """Begin a temporary file beside a path; it is known to be in use until it is closed.

    Raises:
        OSError: it cannot be made.
    """
    while True:
        temporary = temporary_path(path)
        file = temporary.open("x+b")
        if _claim(file, temporary):
            return temporary, file
        file.close()  # it was taken for a leftover, in the moment before it was locked


@contextmanager
def working_folder() -> Iterator[Path]:
    """A folder for what would take too much memory; it goes with the block, or the next run.

    Raises:
        OSError: it cannot be made: a full disk.
    """
    folder, lock = _make_working_folder()
    try:
        yield folder
    finally:
        _remove_working_folder(folder)
        lock.close()


def _make_working_folder() -> tuple[Path, BinaryIO]:
    """A folder, and the file beside it by which it is known to be in use until it is closed.

    The file is there before the folder, and after it: a folder without one is nobody's.
    """
    while True:
        folder = Path(tempfile.gettempdir(), f"pagewash-work-{secrets.token_hex(8)}")
        lock = _lock_of(folder).open("x+b")
        if _claim(lock, _lock_of(folder)):
            folder.mkdir(mode=0o700)
            return folder, lock
        lock.close()  # it was taken for a leftover, as in `open_temporary`


def _lock_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")


def _remove_working_folder(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        _lock_of(folder).unlink()


def without_working_folders(text: str) -> str:
    """A message in which files of a working folder have their bare names, as "standard input"."""
    return _IN_WORKING.sub("", text)


def clear_leftovers(folder: Path, *, below: bool = True) -> list[Path]:
    """Remove the temporary files of writers that were killed, or lost their power.

    What cannot be removed stays: it is hidden, and does no harm.

    Args:
        folder: where to look.
        below: look into its folders too, but for hidden ones, and links.

    Returns:
        Such files that stay, since somebody is at work on them.
    """
    in_use: list[Path] = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if below and not name.startswith(".")]
        found = (Path(place, name) for name in names if _TEMPORARY.fullmatch(name))
        in_use += [path for path in found if not _remove_if_left(path)]
    return in_use


def clear_working_folders() -> None:
    """Remove the working folders of this user's killed runs: they hold page images."""
    with suppress(OSError):
        found = {
            path.with_suffix("")
            for path in Path(tempfile.gettempdir()).iterdir()
            if _WORKING.fullmatch(path.stem) and path.suffix in ("", ".lock")
        }
        for folder in found:
            _remove_folder_if_left(folder)


def _claim(file: BinaryIO, path: Path) -> bool:
    """Show that a file is in use; False if somebody is removing it."""
    try:
        return locks.take(file) and locks.is_at(file, path)
    except OSError:
        return True  # no locks here


def _remove_if_left(path: Path) -> bool:
    """Remove a file that nobody is at work on; False where somebody is."""
    with suppress(OSError), _opened(path) as file:
        if not _is_left(file):
            return False
        path.unlink()
        if path.parent.name.startswith("run="):  # of a run that had nothing else to say
            path.parent.rmdir()
    return True


def _opened(path: Path) -> BinaryIO:
    """A file by which somebody, of another user maybe, shows to be at work."""
    try:
        return path.open("r+b")
    except PermissionError:
        return path.open("rb")


def _remove_folder_if_left(folder: Path) -> None:
    with suppress(OSError):
        if any(not _is_mine(path) for path in (folder, _lock_of(folder)) if path.exists()):
            return
        try:
            file = _lock_of(folder).open("r+b")
        except FileNotFoundError:
            _remove_working_folder(folder)
            return
        with file:
            if _is_left(file):
                _remove_working_folder(folder)


def _is_mine(path: Path) -> bool:
    return not path.is_symlink() and path.stat().st_uid == os.getuid()


def _is_left(file: BinaryIO) -> bool:
    try:
        return locks.take(file)
    except OSError:
        return time.time() - os.fstat(file.fileno()).st_mtime > ABANDONED
