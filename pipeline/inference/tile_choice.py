"""The size of tiles that is fastest on this machine: `pagewash bench` finds it, later runs take it.

Caches and memory differ from machine to machine, and measuring takes longer than cleaning a page,
so what was found is kept in the user's cache folder. No output depends on it. Files only.
"""

import platform
from dataclasses import dataclass
from pathlib import Path

from pagewash.inference.machine_notes import keep_note, kept_note


@dataclass(frozen=True)
class Setting:
    """What the fastest size of tiles depends on, besides the machine."""

    model_sha256: str
    device: str
    precision: str
    threads: int
    """Of the network."""

    @property
    def key(self) -> str:
        """As in the file."""
        return f"{self.model_sha256[:16]} {self.device} {self.precision} {self.threads}"


def keep_tile(setting: Setting, size: int) -> Path:
    """Keep the size of tiles, in pixels, that was fastest; returns the file it stands in.

    Raises:
        AccessError: the cache folder cannot be written.
    """
    return keep_note(_name(), setting.key, size)


def kept_tile(setting: Setting) -> int | None:
    """Return what was kept for a setting on this machine; None where nothing is, or not legible."""
    size = kept_note(_name(), setting.key, "`pagewash bench` writes a new one")
    return size if isinstance(size, int) else None


def _name() -> str:
    """A file for each machine: homes may be shared between several."""
    return f"tiles-{platform.node()}"
