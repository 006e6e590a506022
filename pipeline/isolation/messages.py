"""Messages between a run and the processes that open documents for it, over pipes.

A message is a pickle whose large arrays travel beside it, uncopied. What comes back from a process
that held a stranger's document may name the few classes that a page and an error are made of, and
nothing else.
"""

import io
import pickle
import struct
import sys
from dataclasses import is_dataclass
from typing import Any, BinaryIO

import numpy as np

from pagewash.errors import PagewashError

_HEAD = struct.Struct("<QI")  # bytes of the pickle, and how many arrays follow it
_SIZE = struct.Struct("<Q")
_OTHERS = {
    ("pathlib", "PosixPath"),
    ("pathlib", "WindowsPath"),
    ("pathlib._local", "PosixPath"),  # of Python 3.13
    ("pathlib._local", "WindowsPath"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy._core.numeric", "_frombuffer"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
}


def send(stream: BinaryIO, message: object) -> None:
    """Write a message.

    Raises:
        OSError: nobody is at the other end.
    """
    arrays: list[pickle.PickleBuffer] = []
    head = pickle.dumps(message, 5, buffer_callback=arrays.append)
    parts = [array.raw() for array in arrays]
    sizes = b"".join(_SIZE.pack(part.nbytes) for part in parts)
    start = memoryview(_HEAD.pack(len(head), len(parts)) + sizes + head)
    for left in (start, *parts):
        while left:
            left = left[stream.write(left) :]
    stream.flush()


def receive(stream: BinaryIO, *, trusted: bool) -> Any:
    """Read a message.

    Args:
        stream: unbuffered or not.
        trusted: whether it comes from the run itself; else it may hold pages and errors only.

    Raises:
        EOFError: the other end has gone.
        pickle.UnpicklingError: it holds what it may not.
    """
    length, count = _HEAD.unpack(_read(stream, _HEAD.size))
    sizes = [_SIZE.unpack(_read(stream, _SIZE.size))[0] for _ in range(count)]
    head = io.BytesIO(_read(stream, length))
    arrays = [_read(stream, size) for size in sizes]
    return (pickle.Unpickler if trusted else _OfPages)(head, buffers=arrays).load()


def _read(stream: BinaryIO, size: int) -> Any:
    """So many bytes, in memory that nobody has cleared before."""
    data = np.empty(size, np.uint8)
    left = data.data
    while left:
        count = stream.readinto(left)  # type: ignore[attr-defined]
        if not count:
            raise EOFError
        left = left[count:]
    return data


class _OfPages(pickle.Unpickler):
    """Knows pages and errors, and what they are made of."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _OTHERS or _is_ours(getattr(sys.modules.get(module), name, None)):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is part of no page")


def _is_ours(found: Any) -> bool:
    """Whether it is an error or a record of pagewash: making one of these runs nothing."""
    if not isinstance(found, type) or not found.__module__.startswith("pagewash."):
        return False
    return is_dataclass(found) or issubclass(found, PagewashError)
