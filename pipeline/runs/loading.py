"""The network of a run, loaded once per process, and the threads that it shares with the others."""

import functools
import threading

import cv2

from pagewash.options import CleanOptions
from pagewash.runs.outcome import Run
from pagewash.runs.stream import Cleans

_lock = threading.Lock()


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
