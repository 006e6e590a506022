"""What is done to a page's geometry, and doing it to pixels: once, by one resampling.

Coordinates are (left, top, right, bottom) in pixels of the straightened scan: the scan turned
about its middle by the small angle, and nothing else. Quarters come last.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Box = tuple[int, int, int, int]
"""Left, top, right, bottom; right and bottom lie outside. Parts of it may lie off the scan."""


@dataclass(frozen=True)
class PageTransform:
    """How a scan becomes one page, or two."""

    angle: float = 0.0
    """Degrees by which the scan is turned clockwise to be straight."""

    quarters: int = 0
    """Quarter turns clockwise after that, 0 to 3."""

    boxes: tuple[Box, ...] = ()
    """What of the straightened scan each page shows, in reading order; () is one page, of the
    scan's own frame."""

    @property
    def changes(self) -> bool:
        """Whether a page will lie otherwise than its scan."""
        return self != UNCHANGED


UNCHANGED = PageTransform()


def transformed(pixels: NDArray[np.uint8], transform: PageTransform) -> list[NDArray[np.uint8]]:
    """The pages that a scan becomes; what was not on the scan is white.

    Args:
        pixels: (H, W) grey or (H, W, 3) RGB.
        transform: what to do.
    """
    height, width = pixels.shape[:2]
    boxes = transform.boxes or ((0, 0, width, height),)
    return [
        np.ascontiguousarray(np.rot90(_shown(pixels, transform.angle, box), -transform.quarters))
        for box in boxes
    ]


def frame(shape: tuple[int, ...], angle: float, ink: NDArray[np.floating]) -> Box:
    """The scan's own frame where all ink is inside it once turned, else all of the turned scan.

    Args:
        shape: height and width of the scan.
        angle: of `PageTransform`.
        ink: (N, 2) x and y of pixels that must not be cut off.
    """
    height, width = shape[:2]
    own = (0, 0, width, height)
    if not angle:
        return own
    turned = straightened(ink, shape, angle)
    if not len(ink) or ((turned >= 0) & (turned <= (width, height))).all():
        return own
    corners = np.array([(0, 0), (width, 0), (0, height), (width, height)], float)
    corners = straightened(corners, shape, angle)
    (left, top), (right, bottom) = corners.min(0), corners.max(0)
    return math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom)


def straightened(
    points: NDArray[np.floating], shape: tuple[int, ...], angle: float
) -> NDArray[np.float64]:
    """Where points of a scan, (N, 2) x and y, are once it has been turned clockwise."""
    matrix = straightening(shape, angle)
    return points @ matrix[:, :2].T + matrix[:, 2]


def straightening(shape: tuple[int, ...], angle: float) -> NDArray[np.float64]:
    """(2, 3): turns x and y, in pixels from the scan's corner, about its middle, clockwise."""
    x, y = shape[1] / 2, shape[0] / 2
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    return np.array([[cos, -sin, x - cos * x + sin * y], [sin, cos, y - sin * x - cos * y]])


def _shown(pixels: NDArray[np.uint8], angle: float, box: Box) -> NDArray[np.uint8]:
    """A box of the straightened scan."""
    left, top, right, bottom = box
    if not angle:
        return _cut(pixels, box)
    matrix = straightening(pixels.shape, angle)
    # OpenCV counts from the middles of pixels, which lie half a pixel from their corners
    matrix[:, 2] += matrix[:, :2] @ (0.5, 0.5) - (0.5 + left, 0.5 + top)
    turned = cv2.warpAffine(
        pixels,
        matrix,
        (right - left, bottom - top),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(255, 255, 255),
    )
    return np.asarray(turned, np.uint8)


def _cut(pixels: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    """A box of the scan as it is, white where the box goes beyond it."""
    left, top, right, bottom = box
    height, width = pixels.shape[:2]
    inside = pixels[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    beyond = [(max(-top, 0), max(bottom - height, 0)), (max(-left, 0), max(right - width, 0))]
    if not np.any(beyond):
        return inside
    return np.pad(inside, beyond + [(0, 0)] * (pixels.ndim - 2), constant_values=255)
