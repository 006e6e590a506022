"""Memory that one page has had, kept for the next one.

By default glibc asks the system for every block of more than some megabytes, and gives it back when
it is free. The system hands it out cleared, 4 KiB at a time: for the layers of a network on an A4
page that took a quarter of the time. And what one thread has freed, others cannot have, unless all
share one heap. Threads that began before this was asked for have heaps of their own and keep them,
which threads to come share: runs of 150 and 400 pages then took a sixth more memory. So it is
asked for at the very start. Knows no network.
"""

import ctypes
import os
import platform

_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8  # of mallopt(3), in malloc.h
_NEVER, _NONE, _ONE = -1, 0, 1


def keep_freed_memory() -> bool:
    """Let this process keep what it frees, for as long as it runs.

    Its peak stays what it would be; what it has in between pages is its peak too.

    Returns:
        Whether that is so: not on Windows, macOS or musl, which have allocators of their own.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    settings = (_MMAP_MAX, _NONE), (_TRIM_THRESHOLD, _NEVER), (_ARENA_MAX, _ONE)
    return all(mallopt(what, value) for what, value in settings)


def one_heap_in_children() -> None:
    """Have processes that this one starts share one heap among all their threads from the start.

    For those that begin threads before they come to any code of ours. Where the user has set
    another number, it stays.
    """
    os.environ.setdefault("MALLOC_ARENA_MAX", "1")  # glibc reads it before anything else
