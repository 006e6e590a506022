"""What callers from Python may hand over as a page, and what is said of anything else."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pagewash.errors import OptionError
from pagewash.pages import Page, Pixels

Resolution = float | tuple[float, float] | None
"""Pixels per inch, or both ways as Pillow's `info["dpi"]` has them; None where nobody knows."""


def page_of(pixels: NDArray[Any], dpi: Resolution = None) -> Page:
    """Make a page of a caller's array.

    Args:
        pixels: (H, W) or (H, W, 3) RGB uint8, or (H, W) bool where True is paper.
        dpi: its resolution.

    Raises:
        OptionError: anything else, with the way to make an array of it.
    """
    return Page(_pixels(pixels), _resolution(dpi))


def _pixels(pixels: Any) -> Pixels:
    if not isinstance(pixels, np.ndarray):
        raise OptionError(f"a page is a NumPy array, not {_kind(pixels)}; {_conversion(pixels)}")
    if pixels.dtype == np.bool_ and pixels.ndim == 2:
        pixels = pixels.astype(np.uint8) * np.uint8(255)
    flat = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)
    if pixels.dtype != np.uint8 or not flat or not pixels.size:
        raise OptionError(
            f"a page is (H, W) or (H, W, 3) uint8, or (H, W) bool, not {pixels.shape} "
            f"{pixels.dtype}; convert it first"
        )
    return np.asarray(pixels, np.uint8)


def _kind(thing: Any) -> str:
    """How people call it: PIL.Image.Image, torch.Tensor, list."""
    kind = type(thing)
    if _is_image(thing):
        return "a PIL image"
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    return f"a {name}"


def _conversion(thing: Any) -> str:
    if _is_image(thing):
        return 'convert it by numpy.asarray(image.convert("RGB"))'
    if isinstance(thing, list | tuple):
        return "clean its pages one by one"
    return "convert it by numpy.asarray"


def _is_image(thing: Any) -> bool:
    return any(kind.__module__ == "PIL.Image" for kind in type(thing).__mro__)


def _resolution(dpi: Any) -> tuple[float, float] | None:
    if dpi is None:
        return None
    try:
        across, down = dpi if isinstance(dpi, tuple | list) else (dpi, dpi)
        found = float(across), float(down)
    except (TypeError, ValueError):
        found = (math.nan, math.nan)
    if not all(math.isfinite(value) and value > 0 for value in found):
        raise OptionError(
            f"dpi={dpi!r} is no resolution; give pixels per inch, such as 300 or (300, 300), "
            "or leave it out: the height of letters is measured then"
        )
    return found
