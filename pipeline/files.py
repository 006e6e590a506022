"""Files that appear whole or not at all, and errors of the file system in words.

Knows nothing of what is written.
"""

import errno
import hashlib
import io
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from pagewash.errors import AccessError
from pagewash.leftovers import open_temporary

_COMMANDS = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")

_WAYS_OUT = {
    errno.ENOSPC: "Free some space, then run the same command again.",
    errno.EDQUOT: "Free some of your quota, then run the same command again.",
    errno.EFBIG: "Choose a file system that takes larger files.",
    errno.EROFS: "Choose a folder on a disk that may be written to.",
    errno.ENOENT: "Check its name, and that it is still there.",
    errno.EISDIR: "It is a folder; name a file.",
    errno.ENAMETOOLONG: "Shorten its name.",
    errno.ELOOP: "It is a link, or one that leads in a circle; remove it.",
    errno.EPIPE: "The program that was reading it has ended.",
}


def real_path(path: Path) -> Path:
    """Where a path leads through all links; one in a circle leads to itself.

    `Path.resolve` fails on circles up to Python 3.12.
    """
    return Path(os.path.realpath(path))


def require_folder(folder: Path) -> None:
    """Refuse what is no folder of pages.

    Raises:
        AccessError: it is not there, or a file.
    """
    if not folder.is_dir():
        raise AccessError(f"{folder} is not a folder; name one that holds pages")


def printable(name: str) -> str:
    r"""A file's name as text for people and records: what is not UTF-8 becomes like \xff.

    Such names come from old archives and foreign disks; Python keeps their bytes in characters
    that nothing can encode.
    """
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def as_text(path: Path) -> str:
    """A path as Parquet takes it, absolute: what of it is no Unicode is replaced."""
    return os.fsencode(path.absolute()).decode("utf-8", "replace")


def is_text(path: Path) -> bool:
    """Whether a name can be encoded; libraries in C++ and JSON refuse one that is not UTF-8."""
    return printable(str(path)) == str(path)


def harmless(text: str) -> str:
    r"""Text that cannot command a terminal: what is no character to see becomes like \x1b.

    A name or a library's message may hold escape sequences, line ends, or marks that turn the
    direction of writing.
    """
    return _COMMANDS.sub(lambda found: repr(found[0])[1:-1], printable(text))


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal.

    Raises:
        AccessError: it cannot be read, or is no file.
    """
    with access_errors(str(path), "read"), _open_at_once(path) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise AccessError(f"{path} cannot be read: it is no file any more.")
        return hashlib.file_digest(file, "sha256").hexdigest()


def _open_at_once(path: Path) -> io.BufferedReader:
    """Open a file to read; what has become a pipe does not keep one waiting for a writer."""
    return open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))


@contextmanager
def access_errors(name: str, done: str) -> Iterator[None]:
    """Turn what the operating system refuses inside the block into an `AccessError`.

    An OSError without a number is not the system's: Pillow raises such for corrupt images.

    Args:
        name: of the file, for people.
        done: "read" or "written".
    """
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        way_out = _WAYS_OUT.get(error.errno, "Check its permissions and those of its folder.")
        raise AccessError(f"{name} cannot be {done}: {error.strerror}. {way_out}") from error


@contextmanager
def whole_file(path: Path, like: Collection[Path] = ()) -> Iterator[BinaryIO]:
    """A file to write and read back, which takes its name when the block ends well.

    It is written under a temporary, hidden name in the same folder, flushed to disk, then
    renamed. After an exception, a KeyboardInterrupt too, nothing is left of it, and a file
    that stood there before still stands.

    Args:
        path: where it goes; its folder is made if need be.
        like: files that may be private: the new one is no more readable to others than each.

    Raises:
        AccessError: it cannot be made, flushed or renamed; what the block itself writes is the
            block's to guard.
    """
    with access_errors(str(path), "written"):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary, file = open_temporary(path)
    try:
        for other in like:
            _keep_private(file, other)
        yield file
        with access_errors(str(path), "written"):
            file.flush()
            os.fsync(file.fileno())
            temporary.replace(path)  # before it is closed: until then it is known to be in use
    finally:
        with suppress(OSError):  # closing flushes again, and must not hide what went wrong
            file.close()
        temporary.unlink(missing_ok=True)


def _keep_private(file: BinaryIO, like: Path) -> None:
    """Take away from a new file what others may not do with another one.

    Where the two belong to different groups, a group counts as everybody.
    """
    with suppress(OSError):  # a disk without permissions, or a file that has gone
        new, old = os.fstat(file.fileno()), like.stat()
        allowed = stat.S_IMODE(old.st_mode) | stat.S_IRWXU
        if new.st_gid != old.st_gid:
            allowed &= ~stat.S_IRWXG | (old.st_mode & stat.S_IRWXO) << 3
        os.fchmod(file.fileno(), stat.S_IMODE(new.st_mode) & allowed)


@contextmanager
def whole_stream(stream: BinaryIO, name: str) -> Iterator[BinaryIO]:
    """The same for a stream such as standard output: it gets everything at the end, or nothing."""
    with tempfile.TemporaryFile() as file:
        yield file
        with access_errors(name, "written"):
            file.seek(0)
            shutil.copyfileobj(file, stream)
            stream.flush()


def write_atomically(path: Path, content: bytes, like: Collection[Path] = ()) -> None:
    """Write a file whole or not at all.

    Raises:
        AccessError: it cannot be written.
    """
    with whole_file(path, like) as file, access_errors(str(path), "written"):
        file.write(content)
