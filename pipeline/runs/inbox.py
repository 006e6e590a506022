"""A folder into which documents arrive: which of them are whole, and not dealt with yet.

Names, sizes and times alone, seen from outside: nothing is opened. Plain looks at the folder, not
the kernel's notices of changes, which network shares do not send. The clock is the caller's.
"""

import logging
from dataclasses import dataclass
from pathlib import Path

from pagewash.documents.containers import find_documents
from pagewash.runs.ledger import Source

log = logging.getLogger(__name__)

PARTIAL = frozenset({".crdownload", ".download", ".filepart", ".part", ".partial", ".temp", ".tmp"})
"""What programs that copy add to a name until the copy is whole."""

EMPTY_SETTLE = 60.0
"""Seconds for an empty file: many scanners make it first, and write when they have scanned."""

FIRST_DELAY, LONGEST_DELAY = 60.0, 3600.0
"""Seconds until a document whose failure may pass is tried again; they double with every try."""


@dataclass
class _Arrival:
    """A document as it lay there, and what is next for it."""

    found: Source
    due: float
    """Not to be cleaned before this time."""

    delay: float = 0.0
    """From the try before to this one; 0 before the first."""

    done: bool = False
    """Nothing is to be done until it changes."""


class Inbox:
    """What is known of a folder's documents; it forgets none of them, should a share go away."""

    def __init__(self, folder: Path, settle: float):
        """Begin to know a folder.

        Args:
            folder: with all folders in it.
            settle: seconds in which size and time of change of a document must stay the same.
        """
        self.folder, self._settle = folder, settle
        self._arrivals: dict[Path, _Arrival] = {}
        self._present: list[Path] = []
        self._told: set[str] = set()

    def look(self, now: float) -> list[Path]:
        """Documents that are whole and wait to be cleaned, those that wait longest first.

        Args:
            now: seconds on a clock that never goes back.
        """
        ready: list[tuple[float, Path]] = []
        self._present = []
        for path in find_documents(self.folder, self._tell):
            found = None if is_partial(path.relative_to(self.folder)) else _stat(path)
            if found is None:
                continue
            self._present.append(path)
            known = self._arrivals.get(path)
            if known is None or known.found != found:
                self._arrivals[path] = _Arrival(found, now + self._patience(found))
            elif not known.done and now >= known.due:
                ready.append((known.due, path))
        return [path for _, path in sorted(ready)]

    @property
    def documents(self) -> list[Path]:
        """What the last look found, whole or not, those that are done first."""
        return sorted(self._present, key=lambda path: (not self._arrivals[path].done, path))

    def done(self, path: Path) -> None:
        """Leave a document alone until it changes."""
        self._arrivals[path].done = True

    def put_off(self, path: Path, now: float) -> None:
        """Have a document come again later, each time after twice as long."""
        known = self._arrivals[path]
        known.delay = min(max(FIRST_DELAY, 2 * known.delay), LONGEST_DELAY)
        known.due = now + known.delay

    def is_as_found(self, path: Path) -> bool:
        """Whether a document lies there as the last look found it."""
        return _stat(path) == self._arrivals[path].found

    def was_put_off(self, path: Path) -> bool:
        """Whether a document, as it is now, has been tried before."""
        return self._arrivals[path].delay > 0

    def _patience(self, found: Source) -> float:
        return self._settle if found.size else max(self._settle, EMPTY_SETTLE)

    def _tell(self, error: OSError) -> None:
        """Say once that a folder cannot be looked into; the others are looked into all the same."""
        if error.filename not in self._told:
            self._told.add(error.filename)
            log.error(f"{error.filename} cannot be read: {error.strerror}. Check its permissions.")


def is_partial(name: Path) -> bool:
    """Whether a path below the inbox is, by its name, of something still on its way.

    Hidden names are not found in the first place.
    """
    stems = [*name.parts[:-1], name.stem]  # scan.tmp.pdf, and folder.download/scan.pdf
    return name.name.startswith("~") or any(Path(stem).suffix.lower() in PARTIAL for stem in stems)


def _stat(path: Path) -> Source | None:
    """How a document lies there; None where it went away, or a link leads nowhere."""
    try:
        return Source.of(path.stat())
    except OSError:
        return None
