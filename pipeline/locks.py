"""Locks on files, which the system lets go of when their process ends, however it ends.

They hold between machines on a share too (NFS, SMB), unless it is mounted so that they do not.
"""

import fcntl
import os
from pathlib import Path
from typing import BinaryIO

_MOUNTS = Path("/proc/self/mountinfo")  # Linux's; elsewhere nothing can be told
_LOCAL_ONLY = {"nolock", "nobrl", "local_lock=all", "local_lock=flock"}
"""Options of a mount whose locks other machines do not see."""


def take(file: BinaryIO, *, shared: bool = False) -> bool:
    """Lock an open file, until it is closed.

    Args:
        file: open for reading and writing, which a share asks for.
        shared: let others share it, who ask for the same.

    Returns:
        False if somebody else holds it.

    Raises:
        OSError: its disk knows no locks.
    """
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_at(file: BinaryIO, path: Path) -> bool:
    """Whether an open file is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.lstat())
    except OSError:
        return False


def seen_here_only(folder: Path) -> bool:
    """Whether locks in a folder are not seen by other machines that may share it."""
    try:
        device = os.stat(folder).st_dev  # noqa: PTH116
        mounts = _MOUNTS.read_text("utf-8", "replace").splitlines()
    except OSError:
        return False
    number = f"{os.major(device)}:{os.minor(device)}"
    options = [line.split() for line in mounts if f" {number} " in line]
    return any(_LOCAL_ONLY & {*words[5].split(","), *words[-1].split(",")} for words in options)
