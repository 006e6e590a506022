"""A page comes out the same, however many threads OpenMP may start."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
from networks import needs_integers

from pagewash.inference import openmp
from pagewash.inference.int8 import Int8Convolution, Quantisation

TESTS = Path(__file__).parents[1]

CLEAN = """
import hashlib, numpy as np
from lines import set_line
from pagewash.cleaning.cleaner import Cleaner, CleanOptions
page = np.full((500, 700), 190, np.uint8)
for row in range(60, 460, 40):
    set_line(page, "as many threads as start", (20, row), 36, 60, bold=0.5)
cleaner = Cleaner.from_pretrained("fast", CleanOptions(device="cpu", precision="int8"))
print(hashlib.sha256(cleaner.clean(page, dpi=300)).hexdigest())
"""


def cleaning(**variables: str) -> subprocess.Popen[str]:
    """A process with these variables that cleans a page on integers, and says its hash."""
    environment = {name: value for name, value in os.environ.items() if "OMP_" not in name}
    return subprocess.Popen(
        [sys.executable, "-c", CLEAN],
        cwd=TESTS,
        env=environment | {"OMP_NUM_THREADS": "2"} | variables,
        stdout=subprocess.PIPE,
        text=True,
    )


@needs_integers
def test_a_limit_on_threads_leaves_no_part_of_a_page_out():
    limits = {}, {"OMP_THREAD_LIMIT": "1"}, {"OMP_MAX_ACTIVE_LEVELS": "0"}
    children = [cleaning(**limit) for limit in limits]
    free, *limited = (child.communicate()[0] for child in children)
    assert free
    assert limited == [free, free]


@pytest.fixture
def threads():
    """The number that torch asks for, put back in the end."""
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    openmp._certain_threads.cache_clear()
    yield torch.get_num_threads
    openmp._certain_threads.cache_clear()
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("variable", "value", "left"),
    [
        ("OMP_THREAD_LIMIT", "3", 3),
        ("OMP_THREAD_LIMIT", " 1 ", 1),
        ("OMP_THREAD_LIMIT", "0", 1),
        ("OMP_THREAD_LIMIT", "many", 4),
        ("OMP_THREAD_LIMIT", "8", 4),
        ("OMP_DYNAMIC", "TRUE", 1),
        ("OMP_DYNAMIC", "false", 4),
        ("OMP_MAX_ACTIVE_LEVELS", "0", 1),
        ("OMP_MAX_ACTIVE_LEVELS", "1", 4),
    ],
)
def test_no_more_threads_are_asked_for_than_are_sure_to_start(
    threads, monkeypatch, variable, value, left
):
    for name in ("OMP_THREAD_LIMIT", "OMP_DYNAMIC", "OMP_MAX_ACTIVE_LEVELS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, value)
    openmp.ask_for_certain_threads()
    assert threads() == left


@needs_integers
def test_weights_too_are_put_in_order_by_threads_that_are_sure_to_start(threads, monkeypatch):
    # on AVX2, what the others were to order stayed whatever lay in memory
    monkeypatch.setenv("OMP_THREAD_LIMIT", "1")
    scale = Quantisation(1 / 255, 0, torch.ones(4), torch.zeros(4))
    Int8Convolution(torch.nn.Conv2d(4, 4, 3), scale, scale, relu=True)
    assert threads() == 1


def test_a_thread_that_comes_while_another_computes_alone_has_all_of_them_after(threads):
    found = []

    def come():
        with openmp.one_thread():
            pass
        found.append(torch.get_num_threads())

    with openmp.one_thread():
        comer = threading.Thread(target=come)
        comer.start()
        comer.join(0.2)
    comer.join()
    assert found == [threads()]
