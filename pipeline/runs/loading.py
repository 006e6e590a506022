"""The network of a run, loaded once per process, and the threads that it shares with the others."""

import functools
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

import cv2

from pagewash.options import CleanOptions
from pagewash.pages import Page
from pagewash.runs.outcome import Run

if TYPE_CHECKING:
    from pagewash.cleaning.cleaner import CleanedPage  # brings torch, loaded while pages are read

_lock = threading.Lock()


class Cleans(Protocol):
    """What is asked of a cleaner; `pagewash.cleaning.cleaner.Cleaner` is one."""

    model_id: str
    model_sha256: str
    device: str
    precision: str
    precision_reason: str
    halo: int

    @property
    def tile(self) -> int:
        """Longest side of a tile in pixels, as it is now."""
        ...

    def clean_pages(self, pages: Iterable[Page]) -> "Iterator[CleanedPage]":
        """Clean pages, lazily and in order."""
        ...


class LazyNetwork:
    """The network of a shard, loaded when its first page asks for it."""

    def __init__(self, load: Callable[[], Cleans]) -> None:
        self._load = load
        self.loaded: Cleans | None = None

    def __call__(self) -> Cleans:
        """Return the network; errors as those of `load_cleaner`."""
        self.loaded = self.loaded or self._load()
        return self.loaded


def load_cleaner(run: Run) -> Cleans:
    """Return the run's cleaner; shards of one process share it.

    Raises:
        MissingError: there is no such model or device.
        InputError: the checkpoint is damaged.
        OptionError: an option that cannot work.
    """
    with _lock:  # two shards that begin together must not load it twice
        return _load(run.options.model, run.options.clean, run.output_key.model_sha256)


@functools.lru_cache(maxsize=1)
def _load(model: str, options: CleanOptions, _sha256: str) -> Cleans:
    """Load a cleaner; with the hash in the key, a changed file is loaded again."""
    from pagewash.cleaning.cleaner import Cleaner

    # pages are read and written on threads of our own: OpenCV's would only fight with torch's,
    # which keep their number, one for each processor
    cv2.setNumThreads(1)
    return Cleaner.from_pretrained(model, options)
