"""Memory that is kept between pages."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from pagewash.inference import heap

ROOT = Path(__file__).parents[2]

FAULTS = """
import resource, sys
from concurrent.futures import ThreadPoolExecutor
from pagewash.inference.heap import keep_freed_memory
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


CLEAN = """
from pagewash.flows.cli import main
assert main(["clean", *sys.argv[2:]]) == 0
"""

THREAD = """
from threading import Thread
thread = Thread(target=lambda: bytes(2**20))
thread.start()
thread.join()
"""

COUNT = """
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(libc.fopen(sys.argv[1].encode(), b"w"))
assert libc.malloc_info(0, file) == 0
libc.fclose(file)
"""


def heaps(told: Path, work: str, *arguments: Path) -> int:
    """How many heaps a process has in the end that does this work."""
    code = f"import ctypes, sys{work}{COUNT}"
    child = [sys.executable, "-c", code, *map(str, (told, *arguments))]
    subprocess.run(child, cwd=ROOT, check=True, capture_output=True)
    return told.read_text().count("<heap ")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_all_threads_of_a_run_share_one_heap(tmp_path):
    scan, cleaned, told = (tmp_path / name for name in ("scan.png", "clean.png", "heaps.xml"))
    Image.new("L", (64, 64), 255).save(scan)
    assert heaps(told, CLEAN, scan, cleaned) == 1


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_children_share_one_heap_among_threads_that_know_nothing_of_it(tmp_path, monkeypatch):
    monkeypatch.setenv("MALLOC_ARENA_MAX", "8")
    heap.one_heap_in_children()
    assert heaps(tmp_path / "heaps.xml", THREAD) == 2  # as the user wants it
    monkeypatch.delenv("MALLOC_ARENA_MAX")
    heap.one_heap_in_children()
    assert heaps(tmp_path / "heaps.xml", THREAD) == 1


def test_other_allocators_are_left_alone(monkeypatch):
    monkeypatch.setattr("pagewash.inference.heap.platform.libc_ver", lambda: ("", ""))
    monkeypatch.setattr("pagewash.inference.heap.ctypes.CDLL", None)
    assert not heap.keep_freed_memory()
