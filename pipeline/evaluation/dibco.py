"""How well ink was told from paper: the measures of the DIBCO competitions.

Pure functions on masks: (H, W) bool, True is ink. All are percentages or dB as the competitions
print them, except DRD.
"""

import cv2
import numpy as np

from pagewash.errors import OptionError


def ink_by_otsu(page: np.ndarray) -> np.ndarray:
    """(H, W) bool: the ink of a grey page by Otsu's threshold.

    Args:
        page: (H, W) uint8 grey levels, 0 is black.

    Source:
        N. Otsu, A Threshold Selection Method from Gray-Level Histograms, 1979.
    """
    return _as_mask(cv2.threshold(page, 0, 1, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)[1])


def f_measure(ink: np.ndarray, truth: np.ndarray) -> float:
    """Harmonic mean of recall and precision of ink pixels, 0 to 100.

    Raises:
        OptionError: the shapes differ.
    """
    _check(ink, truth)
    return _harmonic(_share(ink, truth), _share(truth, ink))


def pseudo_f_measure(ink: np.ndarray, truth: np.ndarray) -> float:
    """The same with the recall of the true ink's skeleton, 0 to 100.

    This is the definition of DIBCO 2010 to 2012: ink that is too thin by a pixel still covers the
    skeleton and costs no recall. It is not the weighted one of 2013 and later (Ntirogiannis et al.,
    IEEE TIP 22(2), 2013): compare with printed figures of those years' tables only.

    Raises:
        OptionError: the shapes differ.

    Source:
        I. Pratikakis, B. Gatos, K. Ntirogiannis, H-DIBCO 2010, ICFHR 2010.
    """
    _check(ink, truth)
    return _harmonic(_share(ink, skeleton(truth)), _share(truth, ink))


def bilevel_psnr(ink: np.ndarray, truth: np.ndarray) -> float:
    """Peak signal-to-noise ratio of two masks in dB; infinite for equal ones.

    Raises:
        OptionError: the shapes differ.
    """
    _check(ink, truth)
    wrong = np.count_nonzero(ink != truth) / truth.size
    return float("inf") if wrong == 0 else float(-10 * np.log10(wrong))


def drd(ink: np.ndarray, truth: np.ndarray) -> float:
    """Distance reciprocal distortion: how visible the wrong pixels are; 0 for equal masks.

    Each wrong pixel costs the weighted share of the true pixels around it (5 x 5, weights by the
    reciprocal of the distance) that differ from it; the sum is divided by the number of 8 x 8
    blocks of the truth that are not of one colour. A page without such a block counts one.

    Raises:
        OptionError: the shapes differ.

    Source:
        H. Lu, A. C. Kot, Y. Q. Shi, Distance-Reciprocal Distortion Measure for Binary Document
        Images, IEEE SPL 11(2), 2004.
    """
    _check(ink, truth)
    offsets = np.arange(-2, 3)
    distance = np.hypot(offsets[:, None], offsets[None])
    weights = np.zeros_like(distance)
    np.divide(1, distance, out=weights, where=distance > 0)
    kernel = (weights / weights.sum()).astype(np.float32)
    inked = cv2.filter2D(truth.astype(np.float32), -1, kernel, borderType=cv2.BORDER_REPLICATE)
    missing, extra = truth & ~ink, ink & ~truth
    cost = inked[missing].sum(dtype=np.float64) + (1 - inked[extra]).sum(dtype=np.float64)
    return float(cost / max(1, _mixed_blocks(truth)))


def skeleton(mask: np.ndarray) -> np.ndarray:
    """(H, W) bool: a mask thinned to lines one pixel wide, connected as it was.

    Source:
        Z. Guo, R. W. Hall, Parallel Thinning with Two-Subiteration Algorithms, CACM 32(3), 1989.
    """
    thin: np.ndarray = np.pad(mask.astype(np.uint8), 1)
    left, before = cv2.countNonZero(thin), 0
    while left != before:
        for table in _DROPPED:
            codes = cv2.filter2D(thin, -1, _NEIGHBOURS, borderType=cv2.BORDER_CONSTANT)
            thin = cv2.subtract(thin, cv2.LUT(codes, table))
        left, before = cv2.countNonZero(thin), left
    return _as_mask(thin[1:-1, 1:-1])


_NEIGHBOURS = np.array([[8, 4, 2], [16, 0, 1], [32, 64, 128]], np.float32)
"""Bit of each neighbour, from the one on the right against the clock: x1 to x8 of Guo and Hall."""


def _dropped(first: int) -> np.ndarray:
    """(256,) uint8: 1 where a pixel with such neighbours goes in one half of a round.

    Args:
        first: index of the neighbour that the half starts with: 0 for one, 4 for the other.
    """
    x = np.array([[code >> bit & 1 for bit in range(8)] for code in range(256)], bool)
    edges, corners, following = x[:, ::2], x[:, 1::2], np.roll(x[:, ::2], -1, axis=1)
    crossings = (~edges & (corners | following)).sum(axis=1)
    pairs = np.minimum((edges | corners).sum(axis=1), (corners | following).sum(axis=1))
    x1, x2, x3, x8 = (x[:, (first + step) % 8] for step in (0, 1, 2, 7))
    open_side = ~((x2 | x3 | ~x8) & x1)
    drop: np.ndarray = (crossings == 1) & (pairs >= 2) & (pairs <= 3) & open_side
    return drop.astype(np.uint8)


_DROPPED = (_dropped(0), _dropped(4))


def _as_mask(zeros_and_ones: np.ndarray) -> np.ndarray:
    return zeros_and_ones.astype(bool)


def _share(mask: np.ndarray, of: np.ndarray) -> float:
    """How much of ``of`` lies in ``mask``, 0 to 1; all of nothing."""
    area = np.count_nonzero(of)
    return float(np.count_nonzero(mask & of) / area) if area else 1.0


def _harmonic(recall: float, precision: float) -> float:
    both = recall + precision
    return 200 * recall * precision / both if both else 0.0


def _mixed_blocks(truth: np.ndarray) -> int:
    height, width = (length // 8 * 8 for length in truth.shape)
    blocks = truth[:height, :width].reshape(height // 8, 8, width // 8, 8)
    ink = blocks.sum(axis=(1, 3))
    return int(np.count_nonzero((ink > 0) & (ink < 64)))


def _check(ink: np.ndarray, truth: np.ndarray) -> None:
    if ink.shape != truth.shape:
        raise OptionError(
            f"a mask of shape {ink.shape} cannot be compared with one of {truth.shape}"
        )
