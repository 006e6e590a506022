"""Memory that is kept between pages."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.cleaning import heap

ROOT = Path(__file__).parents[1]

FAULTS = """
import resource, sys
from pipeline.cleaning.heap import keep_freed_memory
if sys.argv[1] == "kept":
    assert keep_freed_memory()
for _ in range(2):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    b"x" * 2**26
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    """How many pages of memory the system hands out for a second block of 64 MiB."""
    child = subprocess.run(
        [sys.executable, "-c", FAULTS, how], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return int(child.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_a_block_that_was_freed_is_not_asked_for_again():
    assert faults("kept") < 100
    assert faults("as usual") > 1000


def test_other_allocators_are_left_alone(monkeypatch):
    monkeypatch.setattr(heap.platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(heap.ctypes, "CDLL", None)
    assert not heap.keep_freed_memory()
