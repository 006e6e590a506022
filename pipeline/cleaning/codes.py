"""What stands where on a page, as one vector: two scans of one page have nearly the same.

The cleaned page, no larger than a stamp, goes through the encoder once more; its outermost level
keeps the layout, and what the scans differ in is gone. That costs a thousandth of cleaning an A4
page at 300 dpi. Arrays in, one array out: knows neither files nor whom it is compared with.
"""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from pagewash.models.autoencoder import Autoencoder
from pagewash.pages import Pixels

STAMP = (128, 96)
"""Height and width at which a page is encoded, in pixels, whatever its shape."""

Floats = NDArray[np.float32]


def page_code(network: Autoencoder, cleaned: Pixels, directions: Floats) -> Floats:
    """Describe a cleaned page.

    Args:
        network: in eval mode, on any device.
        cleaned: (H, W).
        directions: (C, D) in which the encoder's outermost level differs most between places,
            from the model's calibration.

    Returns:
        (D * 32 * 24,) of length 1, or of zeros for an empty page: the scalar product of two is
        near 1 for two scans of one page. 32 x 24 is for a network whose patches have 4 pixels.
    """
    code = np.ravel(stamp_levels(network, cleaned).T @ directions)
    length = float(np.linalg.norm(code))
    return np.asarray(code / length if length > 1e-3 else np.zeros_like(code), np.float32)


def stamp_levels(network: Autoencoder, cleaned: Pixels) -> Floats:
    """Encode a page that is reduced to a stamp.

    Returns:
        (C, places): the encoder's outermost level, less its mean over the page.
    """
    height, width = STAMP
    stamp = cv2.resize(cleaned, (width, height), interpolation=cv2.INTER_AREA)
    device = next(network.parameters()).device
    with torch.inference_mode():
        x = torch.from_numpy(np.asarray(stamp))[None, None].to(device).float().div(255)
        beyond = [-side % network.stride for side in STAMP]
        code, levels = network.encode_levels(F.pad(x, (0, beyond[1], 0, beyond[0]), value=1.0))
        level = (levels[0] if levels else code)[0].flatten(1)
        return np.asarray((level - level.mean(1, keepdim=True)).cpu().numpy(), np.float32)
