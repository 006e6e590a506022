"""What `--precision auto` comes to, told before a run begins: outputs depend on it.

Torch is loaded only where it has to be asked: the first time on a kind of processor, or where
there may be a GPU.
"""

import sys
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import cast

from pagewash.inference.precision_choice import kept_precision
from pagewash.options import CleanOptions, PrecisionName, RunOptions


def settle_precision(options: RunOptions, model_sha256: str) -> tuple[RunOptions, str]:
    """The options with the precision that will be used in the place of auto, and why that one.

    Args:
        options: of a run.
        model_sha256: hash of its model's weights.

    Returns:
        The options, and a sentence; an empty one where a precision was asked for.

    Raises:
        PagewashError: the model or the device cannot be used, where they have to be asked.
    """
    if options.precision != "auto":
        return options, ""
    name, reason = _auto(options.model, options.device, model_sha256)
    return replace(options, precision=cast(PrecisionName, name)), reason


@lru_cache(maxsize=8)
def _auto(model: str, device: str, sha256: str) -> tuple[str, str]:
    kept = None if _may_be_gpu(device) else kept_precision(sha256)
    if kept is not None:
        return kept
    from pagewash.cleaning.cleaner import Cleaner
    from pagewash.inference.precision import choose_device, choose_precision

    where = choose_device(device)
    if where.type != "cpu":
        chosen = choose_precision("auto", where)
        return chosen.name, chosen.reason
    cleaner = Cleaner.from_pretrained(model, CleanOptions(device="cpu"))
    return cleaner.precision, cleaner.precision_reason


def _may_be_gpu(device: str) -> bool:
    """Whether a network might run elsewhere than on the processor; torch knows for certain."""
    if device != "auto":
        return device != "cpu"
    return sys.platform == "darwin" or Path("/dev/nvidiactl").exists() or Path("/dev/kfd").exists()
