"""The precision that `auto` has come to on a kind of processor: measured once, then kept.

A timing at each start would give a page other pixels from one run to the next. What was found holds
for a processor, a version of torch and a model, and can be told without importing torch.
"""

import platform
from functools import cache
from pathlib import Path

from pagewash.inference.machine_notes import keep_note, kept_note
from pagewash.versions import version_of

_NAME = "precisions"


def keep_precision(model: str, name: str, reason: str) -> None:
    """Keep what was found for a model.

    Args:
        model: SHA-256 of its weights, or whatever tells it from others.
        name: of the precision.
        reason: why, in a sentence.

    Raises:
        AccessError: the cache folder cannot be written.
    """
    keep_note(_NAME, _key(model), [name, reason])


def kept_precision(model: str) -> tuple[str, str] | None:
    """Name and reason that were kept for a model; None where nothing was."""
    match kept_note(_NAME, _key(model), "what is fastest here is measured again"):
        case [str(name), str(reason)] if name in ("fp32", "bf16", "int8"):
            return name, reason
    return None


def _key(model: str) -> str:
    return f"{_processor()}, torch {version_of('torch')}, {model[:16]}"


@cache
def _processor() -> str:
    """Its name; homes are shared between machines, and containers change theirs."""
    try:
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
