"""Numbers about a page for which the clean original is known.

Pure functions on arrays: (H, W) uint8 grey or (H, W, 3) uint8 RGB, both of one shape. What has a
bilevel truth is in ``dibco``.
"""

import cv2
import numpy as np

from pagewash.errors import OptionError


def rmse(page: np.ndarray, truth: np.ndarray) -> float:
    """Root mean square error of the pixels, where 1.0 is the step from black to white.

    Raises:
        OptionError: the shapes differ.
    """
    return float(np.sqrt(_mean_square(page, truth)))


def psnr(page: np.ndarray, truth: np.ndarray, data_range: float = 255.0) -> float:
    """Peak signal-to-noise ratio in dB: higher is closer, infinite for equal pages.

    Args:
        page: what is measured.
        truth: what it should be.
        data_range: the step from black to white, in the pages' units.

    Raises:
        OptionError: the shapes differ.
    """
    mean_square = _mean_square(page, truth) * (255 / data_range) ** 2
    return float("inf") if mean_square == 0 else float(-10 * np.log10(mean_square))


def ssim(page: np.ndarray, truth: np.ndarray) -> float:
    """Structural similarity: 1.0 for equal pages, the mean over pixels and channels.

    Gaussian window with sigma 1.5 cut at 5 px (11 x 11), K1 0.01, K2 0.03, range 255, no margin.
    Paper that is white in both counts as equal, so sparse pages score high.

    Raises:
        OptionError: the shapes differ, or a side is shorter than 11 px.

    Source:
        Z. Wang et al., Image Quality Assessment: From Error Visibility to Structural Similarity,
        IEEE TIP 13(4), 2004.
    """
    _check(page, truth)
    if min(page.shape[:2]) < 11:
        raise OptionError(f"a page of shape {page.shape} is too small for SSIM; 11 px at least")
    x, y = page.astype(np.float32), truth.astype(np.float32)
    mean_x, mean_y = _window(x), _window(y)
    spread_x = _window(x * x) - mean_x * mean_x
    spread_y = _window(y * y) - mean_y * mean_y
    shared = _window(x * y) - mean_x * mean_y
    c1, c2 = np.float32((0.01 * 255) ** 2), np.float32((0.03 * 255) ** 2)
    top = (2 * mean_x * mean_y + c1) * (2 * shared + c2)
    bottom = (mean_x * mean_x + mean_y * mean_y + c1) * (spread_x + spread_y + c2)
    return float((top / bottom)[5:-5, 5:-5].mean(dtype=np.float64))


def _window(image: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(image, (11, 11), 1.5, borderType=cv2.BORDER_REFLECT)


def _mean_square(page: np.ndarray, truth: np.ndarray) -> float:
    _check(page, truth)
    return cv2.norm(page, truth, cv2.NORM_L2SQR) / page.size / 255**2


def _check(page: np.ndarray, truth: np.ndarray) -> None:
    if page.shape != truth.shape:
        raise OptionError(
            f"a page of shape {page.shape} cannot be compared with one of {truth.shape}; "
            "both must be of one size, both grey or both colour"
        )
