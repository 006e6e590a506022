"""What stands where on a page, as one vector: two scans of one page have nearly the same.

A thumbnail of the cleaned page goes through the encoder once more; its outermost level
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

THUMBNAIL_SHAPE = (128, 96)
"""Height and width at which a page is encoded, in pixels, whatever its shape."""

Floats = NDArray[np.float32]


def page_embedding(network: Autoencoder, cleaned: Pixels, directions: Floats) -> Floats:
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
    embedding = np.ravel(thumbnail_levels(network, cleaned).T @ directions)
    length = float(np.linalg.norm(embedding))
    return np.asarray(embedding / length if length > 1e-3 else np.zeros_like(embedding), np.float32)


def thumbnail_levels(network: Autoencoder, cleaned: Pixels) -> Floats:
    """Encode a page that is reduced to a thumbnail.

    Returns:
        (C, places): the encoder's outermost level, less its mean over the page.
    """
    height, width = THUMBNAIL_SHAPE
    thumbnail = cv2.resize(cleaned, (width, height), interpolation=cv2.INTER_AREA)
    device = next(network.parameters()).device
    with torch.inference_mode():
        x = torch.from_numpy(np.asarray(thumbnail))[None, None].to(device).float().div(255)
        beyond = [-side % network.stride for side in THUMBNAIL_SHAPE]
        embedding, levels = network.encode_levels(F.pad(x, (0, beyond[1], 0, beyond[0]), value=1.0))
        level = (levels[0] if levels else embedding)[0].flatten(1)
        return np.asarray((level - level.mean(1, keepdim=True)).cpu().numpy(), np.float32)
