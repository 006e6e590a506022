"""The size of tiles that is fastest on this machine: `pagewash bench` finds it, later runs take it.

Caches and memory differ from machine to machine, and measuring takes longer than cleaning a page,
so what was found is kept in the user's cache folder. No output depends on it. Files only.
"""

import json
import logging
import os
import platform
from dataclasses import dataclass
from pathlib import Path

from pagewash.files import access_errors, write_atomically

log = logging.getLogger(__name__)


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
    path = _path()
    sizes = _read(path) | {setting.key: size}
    with access_errors(str(path), "written"):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(sizes, indent=1).encode())
    return path


def kept_tile(setting: Setting) -> int | None:
    """Return what was kept for a setting on this machine; None where nothing is, or not legible."""
    return _read(_path()).get(setting.key)


def _path() -> Path:
    """A file for each machine: homes may be shared between several."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111
    return Path(cache) / "pagewash" / f"tiles-{platform.node()}.json"


def _read(path: Path) -> dict[str, int]:
    try:
        sizes = json.loads(path.read_bytes())
        return {str(key): int(size) for key, size in sizes.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        log.warning(
            "%s is no list of tile sizes (%s); `pagewash bench` writes a new one", path, error
        )
        return {}
