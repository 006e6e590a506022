"""What was measured once on a machine and is kept in the user's cache folder. Files only."""

import json
import logging
import os
from pathlib import Path
from typing import Any

from pagewash.files import access_errors, write_atomically

log = logging.getLogger(__name__)


def keep_note(name: str, key: str, value: Any) -> Path:
    """Keep a value that JSON can hold; returns the file it stands in.

    Args:
        name: of the file.
        key: what the value depends on.
        value: anything but null.

    Raises:
        AccessError: the cache folder cannot be written.
    """
    path = _path(name)
    notes = _read(path, "it is written anew") | {key: value}
    with access_errors(str(path), "written"):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(notes, indent=1).encode())
    return path


def kept_note(name: str, key: str, remedy: str) -> Any:
    """What was kept under a key; None where nothing is, or nothing legible.

    Args:
        name: of the file.
        key: what the value depends on.
        remedy: for a file that is not legible, as a clause.
    """
    return _read(_path(name), remedy).get(key)


def _path(name: str) -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111
    return Path(cache) / "pagewash" / f"{name}.json"


def _read(path: Path, remedy: str) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_bytes()).items())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError) as error:
        log.warning("%s is not legible (%s); %s", path, error, remedy)
        return {}
