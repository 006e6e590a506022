"""How many threads torch asks OpenMP for, and is sure to get.

oneDNN's integer kernels share a layer, or the weights that they put in order for it, out among as
many threads as torch asks for. Where variables of the environment let OpenMP start fewer, parts of
it are never computed, and nobody says so. They are common: Tesseract is kept to one thread by
`OMP_THREAD_LIMIT`. Knows no network.
"""

import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch

log = logging.getLogger(__name__)

_changing = threading.RLock()


def ask_for_certain_threads() -> None:
    """Let torch ask for no more threads than OpenMP is sure to start, for the calling thread."""
    most = _certain_threads()
    if torch.get_num_threads() > most:
        torch.set_num_threads(most)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute on the calling thread alone: sums of floats hang on how many share them.

    One thread does so at a time: torch takes the number that was set last for that of threads to
    come, too, and one that came meanwhile would keep it.
    """
    with _changing:
        own = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(own)


@cache
def _certain_threads() -> int:
    """Look at what OpenMP looked at when it was loaded."""
    limits = {"OMP_THREAD_LIMIT": max(_number("OMP_THREAD_LIMIT"), 1)}
    if os.environ.get("OMP_DYNAMIC", "").strip().lower() not in ("", "false"):
        limits["OMP_DYNAMIC"] = 1  # fewer as the machine gets busy
    if _number("OMP_MAX_ACTIVE_LEVELS") == 0:
        limits["OMP_MAX_ACTIVE_LEVELS"] = 1
    name = min(limits, key=lambda each: limits[each])
    if limits[name] < torch.get_num_threads():
        log.info("%d of torch's threads, as %s says", limits[name], name)
    return limits[name]


def _number(variable: str) -> int:
    """Return what a variable is set to; a very large number where that is none."""
    text = os.environ.get(variable, "").strip()
    return int(text) if text.isdecimal() else sys.maxsize
