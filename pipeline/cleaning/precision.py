"""Which device a network runs on and in which precision, chosen once and explained in a sentence.

The reason is logged and recorded with every page. Knows torch, but no network and no page.
"""

import logging
import time
from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

import torch

from pipeline.errors import MissingError, OptionError

log = logging.getLogger(__name__)

PrecisionName = Literal["auto", "fp32", "bf16", "fp16"]

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Precision:
    """What convolutions compute in; a page's own pixels stay in float32."""

    dtype: torch.dtype
    reason: str
    """One sentence for the log and the records."""

    @property
    def name(self) -> str:
        """As on the command line: fp32, bf16 or fp16."""
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


def choose_precision(name: str, device: torch.device) -> Precision:
    """Return the precision of that name, or the fastest one whose output is as good.

    Raises:
        OptionError: no such name, or the device cannot compute in it.
    """
    if name not in get_args(PrecisionName):
        raise OptionError(f"there is no precision {name!r}; choose auto, fp32, bf16 or fp16")
    if name == "fp16" and device.type == "cpu":
        raise OptionError(
            "fp16 is slow and inexact on a CPU; choose --precision auto, or a GPU with --device"
        )
    if name == "bf16" and device.type == "cuda" and not _cuda_has_bf16(device):
        raise OptionError(
            f"{torch.cuda.get_device_name(device)} cannot compute in bf16; choose --precision fp16"
        )
    if name != "auto":
        precision = Precision(_DTYPES[name], f"{name} was asked for")
    elif device.type == "cuda":
        precision = _best_on_cuda(device)
    elif device.type == "cpu":
        precision = _best_on_cpu()
    else:
        precision = Precision(torch.float32, f"fp32 is what is tried on {device.type}")
    log.info("%s on %s: %s", precision.name, device, precision.reason)
    return precision


def _best_on_cuda(device: torch.device) -> Precision:
    name = torch.cuda.get_device_name(device)
    major, minor = torch.cuda.get_device_capability(device)
    if _cuda_has_bf16(device):
        return Precision(torch.bfloat16, f"{name} multiplies bf16 in its tensor cores")
    if major >= 7:
        return Precision(torch.float16, f"{name} multiplies fp16 in its tensor cores, but not bf16")
    return Precision(torch.float32, f"{name} (capability {major}.{minor}) has no tensor cores")


@cache
def _best_on_cpu() -> Precision:
    """Choose for this processor; measures for some ten milliseconds, once per process."""
    unit = "AMX" if torch.cpu._is_amx_tile_supported() else "AVX512-BF16"
    if unit != "AMX" and not torch.cpu._is_avx512_bf16_supported():
        # elsewhere bf16 is emulated, up to a hundred times slower
        return Precision(torch.float32, "this processor has neither AVX512-BF16 nor AMX for bf16")
    ratio = _seconds(torch.float32) / _seconds(torch.bfloat16)
    if ratio < 1.1:
        return Precision(
            torch.float32,
            f"bf16 gains nothing here despite {unit} (measured {ratio:.1f} times fp32)",
        )
    return Precision(
        torch.bfloat16, f"{unit} computes bf16 at {ratio:.1f} times the speed of fp32, as measured"
    )


def _seconds(dtype: torch.dtype) -> float:
    """Shortest time of a few convolutions like those of the network, after one to warm up."""
    page, weight = (
        torch.zeros(shape, dtype=dtype).to(memory_format=torch.channels_last)
        for shape in ((1, 64, 96, 96), (64, 64, 3, 3))
    )
    times = []
    with torch.inference_mode():
        for _ in range(4):
            start = time.perf_counter()
            torch.nn.functional.conv2d(page, weight, padding=1)
            times.append(time.perf_counter() - start)
    return min(times[1:])


def _cuda_has_bf16(device: torch.device) -> bool:
    return torch.cuda.get_device_capability(device) >= (8, 0)


def _has_mps() -> bool:
    return torch.backends.mps.is_available()
