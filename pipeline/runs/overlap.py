"""Threads on either side of a slow middle: read ahead of it, write behind it, in order.

Knows nothing of pages. What waits is bounded by threads and queue lengths, never by how much
there is to do.
"""

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, Self, TypeVar

Job = TypeVar("Job")
Item = TypeVar("Item")
Key = TypeVar("Key")
Result = TypeVar("Result")

POLL = 0.1
"""Seconds after which a thread that waits looks whether it is still wanted."""


class DroppedError(Exception):
    """What is being written will not be finished: leave nothing."""


@dataclass(frozen=True)
class _Raised:
    error: BaseException


_END, _DROPPED = object(), object()


def read_ahead(
    jobs: Iterable[Job],
    read: Callable[[Job], Iterator[Item]],
    threads: int,
    abandon: Callable[[], object] = lambda: None,
) -> Generator[Item, None, None]:
    """Yield what `read` yields for each job, in order, while threads read the next jobs.

    Close it, or use it up: its threads end with it.

    Args:
        jobs: taken one by one, as threads become free.
        read: called on a thread; what it raises is raised here, in its turn.
        threads: jobs that are read at once; each keeps one item waiting.
        abandon: called where it is not used up, and ends whatever `read` still waits for.
    """
    todo = iter(jobs)
    ahead: deque[queue.Queue[Any]] = deque()
    unwanted = threading.Event()
    with ThreadPoolExecutor(threads, "read") as pool:

        def begin(count: int) -> None:
            for job in islice(todo, count):
                ahead.append(queue.Queue(maxsize=1))
                pool.submit(_fill, ahead[-1], read, job, unwanted)

        try:
            begin(threads)
            while ahead:
                item = _next(ahead[0])
                if item is _END:
                    ahead.popleft()
                    begin(1)
                elif isinstance(item, _Raised):
                    raise item.error
                else:
                    yield item
        except BaseException:
            unwanted.set()
            abandon()
            raise


def _next(waiting: "queue.Queue[Any]") -> Any:
    """The next item; waits in short turns, since a signal that comes between the look at the queue
    and the wait for it is not heard before the wait ends.
    """
    while True:
        with suppress(queue.Empty):
            return waiting.get(timeout=POLL)


def _fill(
    waiting: "queue.Queue[Any]",
    read: Callable[[Job], Iterator[Item]],
    job: Job,
    unwanted: threading.Event,
) -> None:
    def put(item: object) -> bool:
        while not unwanted.is_set():
            try:
                waiting.put(item, timeout=POLL)
            except queue.Full:
                continue
            return True
        return False

    try:
        all(put(item) for item in read(job))
    except BaseException as error:
        put(_Raised(error))
    put(_END)


class WriteBehind(Generic[Key, Item, Result]):
    """Hands items to threads: all items of a key, in order, to one call of `write`.

    On leaving the `with` block all threads have ended. A key that has not ended by then is
    dropped: its `write` meets a `DroppedError` where it waits for an item.
    """

    def __init__(
        self, write: Callable[[Key, Iterator[Item]], Result], threads: int, most: int
    ) -> None:
        """Start nothing yet.

        Args:
            write: called on a thread with a key and its items, as they come.
            threads: keys that are written at once.
            most: items that wait or are being written, of all keys together.
        """
        self._write = write
        self._room = threading.Semaphore(most)
        self._lane: _Lane[Item] | None = None
        self._futures: list[Future[Result]] = []
        self._pool = ThreadPoolExecutor(threads, "write")

    def put(self, key: Key, item: Item) -> None:
        """Hand over the next item of a key; waits while there is no room.

        The items of a key come one after the other, and `end` after the last.
        """
        lane = self._lane_of(key)
        self._room.acquire()
        lane.items.put(item)

    def end(self, key: Key) -> None:
        """Say that a key has no more items; it may have had none."""
        self._lane_of(key).items.put(_END)
        self._lane = None

    def _lane_of(self, key: Key) -> "_Lane[Item]":
        if self._lane is None:
            self._lane = _Lane(self._room)
            self._futures.append(self._pool.submit(self._run, key, self._lane))
        return self._lane

    def results(self) -> Iterator[Result]:
        """What `write` returned for each key, in order; dropped keys are left out."""
        for future in self._futures:
            try:
                yield future.result()
            except DroppedError:
                continue

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._lane is not None:
            self._lane.items.put(_DROPPED)
        self._pool.shutdown()

    def _run(self, key: Key, lane: "_Lane[Item]") -> Result:
        items = lane.take()
        try:
            return self._write(key, items)
        finally:
            items.close()  # an error on its way up would keep the last item, and its room
            lane.empty()


class _Lane(Generic[Item]):
    """The items of one key, on their way to a thread."""

    def __init__(self, room: threading.Semaphore) -> None:
        self.items: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._room = room
        self._open = True

    def take(self) -> Generator[Item, None, None]:
        """Yield items as they come; an item's room is free again when the next is asked for."""
        while self._open:
            item = self.items.get()
            if item is _DROPPED:
                self._open = False
                raise DroppedError
            if item is _END:
                self._open = False
                return
            try:
                yield item
            finally:
                self._room.release()

    def empty(self) -> None:
        """Throw away what is still to come: nobody wants it, but it takes up room."""
        with suppress(DroppedError):
            for _ in self.take():
                pass
