"""Which device a network runs on and in which precision, chosen once and explained in a sentence.

The reason is logged and recorded with every page. Knows torch, but no page, and of a network no
more than whether it could run in int8.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import product
from typing import get_args

import torch

from pagewash.errors import AccessError, MissingError, OptionError
from pagewash.inference.int8 import Int8Convolution, Quantisation
from pagewash.inference.openmp import one_thread
from pagewash.inference.precision_choice import keep_precision, kept_precision
from pagewash.options import PrecisionName

log = logging.getLogger(__name__)

_DTYPES = {
    "fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16, "int8": torch.uint8,
}  # fmt: skip

TURNS = 5
"""In which precisions are timed against each other, after one to warm up."""

_NO_INT8 = "no int8 convolutions here, or no ranges on this model's card"


@dataclass(frozen=True)
class Precision:
    """What convolutions compute in; a page's own pixels stay in float32."""

    dtype: torch.dtype
    """Of what goes into them; uint8 for int8."""

    reason: str
    """One sentence for the log and the records."""

    @property
    def name(self) -> str:
        """As on the command line: fp32, bf16, fp16 or int8."""
        return next(name for name, dtype in _DTYPES.items() if dtype == self.dtype)


def choose_device(name: str = "auto") -> torch.device:
    """Return the device of that name, or the fastest one that is there.

    Args:
        name: auto, cpu, cuda, cuda:N or mps.

    Raises:
        OptionError: no such name, or no CUDA device of that number.
        MissingError: this machine or this torch has no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if _has_mps() else "cpu"
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (
        ":" in name and not (kind == "cuda" and number.isdecimal())
    ):
        raise OptionError(f"there is no device {name!r}; choose auto, cpu, cuda, cuda:N or mps")
    if kind == "cuda" and not torch.cuda.is_available():
        raise MissingError(
            "torch finds no CUDA device; check the driver with nvidia-smi, install a CUDA build of "
            f"torch (this one is {torch.__version__}), or choose --device cpu"
        )
    if kind == "mps" and not _has_mps():
        raise MissingError("torch finds no Apple GPU (mps) here; choose --device cpu")
    if kind == "cuda" and number and int(number) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise OptionError(f"there is no device {name}: the last one is cuda:{count - 1}")
    return torch.device(name)


def choose_precision(
    name: str, device: torch.device, *, int8: bool = False, model: str = ""
) -> Precision:
    """Return the precision of that name, or the fastest one whose output is as good.

    Which one that is on a CPU is measured once and kept; see `pagewash.inference.precision_choice`.

    Args:
        name: auto, fp32, bf16, fp16 or int8.
        device: where the network runs.
        int8: whether the network can run in int8, see `pagewash.inference.int8`.
        model: SHA-256 of its weights; empty for one that was never on disk.

    Raises:
        OptionError: no such name, or the device or the network cannot compute in it.
    """
    if name not in get_args(PrecisionName):
        names = ", ".join(get_args(PrecisionName)[:-1])
        raise OptionError(f"there is no precision {name!r}; choose {names} or int8")
    if name == "fp16" and device.type == "cpu":
        raise OptionError(
            "fp16 is slow and inexact on a CPU; choose --precision auto, or a GPU with --device"
        )
    if name == "bf16" and device.type == "cuda" and not multiplies_bf16(device):
        raise OptionError(
            f"{torch.cuda.get_device_name(device)} cannot compute in bf16; choose --precision fp16"
        )
    if name == "int8" and device.type != "cpu":
        raise OptionError(f"int8 is for CPUs, not {device.type}; choose --precision auto")
    if name == "int8" and not int8:
        raise OptionError(f"there are {_NO_INT8}; choose --precision auto")
    if name != "auto":
        precision = Precision(_DTYPES[name], f"{name} was asked for")
    elif device.type == "cuda":
        precision = _best_on_cuda(device)
    elif device.type == "cpu":
        precision = _kept_on_cpu(int8, model)
    else:
        precision = Precision(torch.float32, f"fp32 is what is tried on {device.type}")
    log.info("%s on %s: %s", precision.name, device, precision.reason)
    return precision


def multiplies_bf16(device: torch.device) -> bool:
    """Say whether a CPU or CUDA device multiplies bf16 itself.

    Elsewhere bf16 is emulated, several times to a hundred times slower than fp32.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()


def _best_on_cuda(device: torch.device) -> Precision:
    name = torch.cuda.get_device_name(device)
    major, minor = torch.cuda.get_device_capability(device)
    if multiplies_bf16(device):
        return Precision(torch.bfloat16, f"{name} multiplies bf16 in its tensor cores")
    if major >= 7:
        return Precision(torch.float16, f"{name} multiplies fp16 in its tensor cores, but not bf16")
    return Precision(torch.float32, f"{name} (capability {major}.{minor}) has no tensor cores")


@cache
def _kept_on_cpu(int8: bool, model: str) -> Precision:
    """What was found on this kind of processor before; else what is found now, if it can be kept.

    Where it cannot, the units of the processor decide, and no timing that the next run would not
    repeat.
    """
    named = model or f"in memory, {'with' if int8 else 'without'} int8"
    kept = kept_precision(named)
    if kept is not None and (int8 or kept[0] != "int8"):
        return Precision(_DTYPES[kept[0]], kept[1])
    found = _best_on_cpu(int8)
    try:
        keep_precision(named, found.name, found.reason)
    except AccessError as error:
        log.debug("the precision is not kept", exc_info=error)
        return _usual_on_cpu(int8)
    return found


def _usual_on_cpu(int8: bool) -> Precision:
    """Choose for this processor by its units alone."""
    usual = "usual here, since no cache folder can keep what would be measured"
    if torch.cpu._is_amx_tile_supported():
        return Precision(torch.bfloat16, f"AMX: bf16 is {usual}")
    if int8:
        return Precision(torch.uint8, f"int8 is {usual}")
    if torch.cpu._is_avx512_bf16_supported():
        return Precision(torch.bfloat16, f"AVX512-BF16: bf16 is {usual}")
    return Precision(torch.float32, f"fp32 is {usual}")


def _best_on_cpu(int8: bool) -> Precision:
    """Choose for this processor; measures for some tens of milliseconds."""
    unit = "AMX" if torch.cpu._is_amx_tile_supported() else "AVX512-BF16"
    has_bf16 = multiplies_bf16(torch.device("cpu"))
    others = [torch.bfloat16] * has_bf16 + [torch.uint8] * int8
    why_no_bf16 = "this processor has neither AVX512-BF16 nor AMX for bf16"
    if not others:
        return Precision(torch.float32, f"{why_no_bf16}, and there are {_NO_INT8}")
    seconds = _seconds([torch.float32, *others])
    ratios = {dtype: seconds[torch.float32] / seconds[dtype] for dtype in others}
    best = max(ratios, key=lambda dtype: ratios[dtype])
    name = next(name for name, dtype in _DTYPES.items() if dtype == best)
    measured = f"{name} runs at {ratios[best]:.1f} times the speed of fp32, as measured"
    if ratios[best] < 1.1:
        return Precision(torch.float32, f"{name} gains nothing here (measured {ratios[best]:.1f})")
    if best == torch.bfloat16:
        return Precision(best, f"{unit}: {measured}")
    return Precision(best, measured if has_bf16 else f"{measured}; {why_no_bf16}")


def _seconds(dtypes: Sequence[torch.dtype]) -> dict[torch.dtype, float]:
    """Shortest time of a few convolutions like those of the network in each precision.

    They run in turn, for a machine that does other things too, and on one thread: where several
    wait for each other, and one of them for a processor, all precisions would look equally slow.
    """
    convolve = {dtype: convolution(torch.device("cpu"), dtype, side=96) for dtype in dtypes}
    times: dict[torch.dtype, list[float]] = {dtype: [] for dtype in dtypes}
    with one_thread(), torch.inference_mode():
        for _, dtype in product(range(1 + TURNS), dtypes):
            start = time.perf_counter()
            convolve[dtype]()
            times[dtype].append(time.perf_counter() - start)
    return {dtype: min(spent[1:]) for dtype, spent in times.items()}  # the first warms up


def convolution(device: torch.device, dtype: torch.dtype, side: int) -> Callable[[], object]:
    """Return a call that computes a 3x3 convolution of 64 channels on a square, channels_last.

    Args:
        device: where.
        dtype: in what; uint8 is for int8.
        side: height and width of the square.
    """
    channels = 64
    with torch.random.fork_rng(devices=[]):  # weights are drawn from the generator of who calls
        conv = torch.nn.Conv2d(channels, channels, 3, padding=1).to(device)
    page = torch.zeros(1, channels, side, side, device=device)
    page = page.to(dtype=dtype, memory_format=torch.channels_last)
    if dtype == torch.uint8:
        scale = Quantisation(1 / 255, 0, torch.ones(channels), torch.zeros(channels))
        return partial(Int8Convolution(conv, scale, scale, relu=True), page)
    conv = conv.to(dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return partial(conv, page)


def _has_mps() -> bool:
    return torch.backends.mps.is_available()
