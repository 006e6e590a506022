"""Memory that is kept between pages."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from pipeline import heap

ROOT = Path(__file__).parents[1]

FAULTS = """
import resource, sys
from concurrent.futures import ThreadPoolExecutor
from pipeline.heap import keep_freed_memory
if sys.argv[1] == "kept":
    assert keep_freed_memory()

def take():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    b"x" * 2**25
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

take()
with ThreadPoolExecutor(1) as threads:
    print(threads.submit(take).result() if sys.argv[2] == "another" else take())
"""


def faults(how: str, thread: str) -> int:
    """How many pages of memory the system hands out for a second block of 32 MiB."""
    code = [sys.executable, "-c", FAULTS, how, thread]
    child = subprocess.run(code, cwd=ROOT, check=True, capture_output=True, text=True)
    return int(child.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
@pytest.mark.parametrize("thread", ["the same", "another"])
def test_a_block_that_a_thread_freed_is_not_asked_for_again(thread):
    assert faults("kept", thread) < 100
    assert faults("as usual", thread) > 1000


HEAPS = """
import ctypes, sys
from flows.cli import main
scan, cleaned, told = sys.argv[1:]
assert main(["clean", scan, cleaned]) == 0
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(libc.fopen(told.encode(), b"w"))
assert libc.malloc_info(0, file) == 0
libc.fclose(file)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_all_threads_of_a_run_share_one_heap(tmp_path):
    scan, told = tmp_path / "scan.png", tmp_path / "heaps.xml"
    Image.new("L", (64, 64), 255).save(scan)
    code = [sys.executable, "-c", HEAPS, str(scan), str(tmp_path / "clean.png"), str(told)]
    subprocess.run(code, cwd=ROOT, check=True, capture_output=True)
    assert told.read_text().count("<heap ") == 1


def test_other_allocators_are_left_alone(monkeypatch):
    monkeypatch.setattr(heap.platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(heap.ctypes, "CDLL", None)
    assert not heap.keep_freed_memory()
