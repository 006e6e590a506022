"""What the system lets this process take: memory, processor time, and no dump of its memory.

Linux keeps all of them, macOS the processor time; elsewhere they do nothing.
"""

import math
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]


def be_first_to_go() -> None:
    """Where memory is short, let the system end this process before others; leave no dump."""
    if resource is not None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def limit_memory(gigabytes: float) -> None:
    """Limit what this process may allocate from now on, all together."""
    if resource is not None:
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        with suppress(OSError, ValueError, OverflowError):  # of infinity
            wanted = int(gigabytes * 1e9)
            soft = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
            resource.setrlimit(resource.RLIMIT_DATA, (soft, most))


@contextmanager
def limit_processor_time(seconds: float) -> Iterator[None]:
    """Have the system end this process if the block takes longer; the signal is SIGXCPU."""
    if resource is None or not math.isfinite(seconds):
        yield
        return
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    end = math.ceil(time.process_time() + seconds)
    soft = end if most == resource.RLIM_INFINITY else min(end, most)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_CPU, (most, most))


def has_stayed_small(gigabytes: float = 1.0) -> bool:
    """Whether this process has never had more memory than that; what it had, it keeps."""
    peak = peak_memory()
    return peak is None or peak * 2**20 < gigabytes * 1e9


def peak_memory() -> float | None:
    """Most memory this process has had, in MiB; None where the system does not tell."""
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss would begin with what the parent process had
        found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text(encoding="utf-8"))
        return int(found[1]) / 2**10 if found else None
    if sys.platform == "darwin":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return None
