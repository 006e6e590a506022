"""Threads side by side for a network on a CPU, each with its share of torch's own.

Where all of torch's threads work on one layer, they wait for each other after each, and the last
one for a processor that reads or writes a page meanwhile. Two batches at once, on half of the
threads each, need not. Knows neither the network nor pages.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")

COUNT = 2
"""More would each need memory for a batch, and gain nothing on two processors."""


class ParallelBatches:
    """Calls that run side by side; safe to share between threads."""

    def __init__(self, threads: int) -> None:
        """Start nothing yet.

        Args:
            threads: of torch, to be shared out; fewer than `COUNT` run one call at a time, on the
                caller's own thread.
        """
        self._threads = threads
        self._starting = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    @property
    def count(self) -> int:
        """How many there are."""
        return COUNT if self._threads >= COUNT else 1

    def map(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield what `work` returns for each item, in order.

        One more item than run at once is taken before the first result. A lone item is computed
        by the caller, on all of its threads; a caller with fewer threads than that computes all.
        """
        if min(self._threads, torch.get_num_threads()) < COUNT:
            yield from map(work, items)
            return
        items = iter(items)
        first = list(islice(items, COUNT))
        lone, items = len(first) < COUNT, chain(first, items)
        del first  # their pages are not to be kept
        if lone:
            yield from map(work, items)
            return
        pool = self._started()
        begun: deque[Future[Result]] = deque()
        try:
            for item in items:
                begun.append(pool.submit(work, item))
                if len(begun) > COUNT:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for future in begun:
                future.cancel()

    def _started(self) -> ThreadPoolExecutor:
        with self._starting:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(COUNT, "network")
                self._share_threads(self._pool)
            return self._pool

    def _share_threads(self, pool: ThreadPoolExecutor) -> None:
        """Give each thread of the pool its share of torch's threads."""
        all_here, own = threading.Barrier(COUNT), torch.get_num_threads()

        def set_share() -> None:
            all_here.wait()  # or one thread might do this twice
            torch.get_num_threads()  # when it is first asked, torch sets the number of a thread
            torch.set_num_threads(self._threads // COUNT)

        for future in [pool.submit(set_share) for _ in range(COUNT)]:
            future.result()
        # torch takes the number that was set last for that of threads to come
        torch.set_num_threads(own)
