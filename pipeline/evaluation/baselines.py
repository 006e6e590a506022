"""The classical cleaners that an autoencoder has to beat, for side-by-side figures.

Each takes (H, W) uint8 grey levels and returns a page of the same shape; all but background
division return black and white only. The thresholds are doxapy's (optional: it is in pagewash's
extra ``evaluation``), with its default parameters.
"""

import importlib
from typing import Literal, get_args

import cv2
import numpy as np

from pagewash.errors import MissingError, OptionError

Baseline = Literal["otsu", "sauvola", "isauvola", "su", "gatos", "background"]

BASELINES: tuple[Baseline, ...] = get_args(Baseline)


def clean_classically(page: np.ndarray, baseline: Baseline) -> np.ndarray:
    """Clean a grey page the classical way.

    Args:
        page: (H, W) uint8 grey levels, 0 is black.
        baseline: one of ``BASELINES``.

    Raises:
        OptionError: there is no such baseline.
        MissingError: doxapy is needed and not installed.
    """
    if baseline not in BASELINES:
        raise OptionError(f"no baseline is called {baseline!r}; choose from {', '.join(BASELINES)}")
    if baseline == "background":
        return divide_by_background(page)
    return _threshold(page, baseline)


def divide_by_background(page: np.ndarray) -> np.ndarray:
    """Divide a page by its background: strokes dilated away, the rest smoothed by a median.

    Paper becomes white wherever it is even over some 50 px; noise and show-through stay.
    """
    bright = cv2.dilate(page, np.ones((7, 7), np.uint8))
    background = np.maximum(cv2.medianBlur(bright, 51), 1)
    return cv2.divide(page, background, scale=255)


def _threshold(page: np.ndarray, algorithm: str) -> np.ndarray:
    try:
        doxapy = importlib.import_module("doxapy")
    except ImportError as error:
        raise MissingError(
            f"the baseline {algorithm!r} needs doxapy; pip install 'pagewash[evaluation]', or "
            "leave it out"
        ) from error
    threshold = doxapy.Binarization(getattr(doxapy.Binarization.Algorithms, algorithm.upper()))
    whole = np.ascontiguousarray(page)
    threshold.initialize(whole)
    binary = np.empty_like(whole)
    threshold.to_binary(binary, {})
    return binary
