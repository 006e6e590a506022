"""One size for the pages of a document that are nearly of one size.

Pages come one by one and are written as they come, so that the first page of a size sets it for
those that follow: each shows a little more or less of its margins than its own box.
"""

import numpy as np
from numpy.typing import NDArray

from pagewash.geometry.transform import Box, PageTransform, straightened

NEARLY = 0.015
"""Sizes are nearly the same where their sides differ by no more than this share."""

Size = tuple[int, int]
"""Width and height in pixels of a page as it is read, quarter turns included."""


def with_common_size(
    transform: PageTransform,
    shape: tuple[int, ...],
    ink: NDArray[np.floating],
    sizes: list[Size],
) -> PageTransform:
    """Show a page in the size of a page before it, if that is nearly its own.

    Args:
        transform: what was chosen for the page; one of two pages stays as it is.
        shape: height and width of its scan.
        ink: (N, 2) x and y of pixels of the scan that must not be cut off, if they are shown now.
        sizes: of the pages before; gets the page's own where it is a new one.

    Returns:
        The same where the page is the first of its size, or would lose ink.
    """
    if len(transform.boxes) > 1:
        return transform
    box = transform.boxes[0] if transform.boxes else (0, 0, shape[1], shape[0])
    own = _size(box, transform.quarters)
    common = next((size for size in sizes if _are_near(own, size)), None)
    if common is None:
        sizes.append(own)
        return transform
    resized = _resized(box, common if transform.quarters % 2 == 0 else common[::-1])
    places = straightened(ink, shape, transform.angle)
    if resized == box or not _within(places[_within(places, box)], resized).all():
        return transform
    return PageTransform(transform.angle, transform.quarters, (resized,))


def _size(box: Box, quarters: int) -> Size:
    width, height = box[2] - box[0], box[3] - box[1]
    return (height, width) if quarters % 2 else (width, height)


def _are_near(one: Size, other: Size) -> bool:
    return all(abs(a - b) <= NEARLY * b for a, b in zip(one, other, strict=True))


def _resized(box: Box, size: Size) -> Box:
    """A box of another size around the same middle."""
    left, top, right, bottom = box
    left += (right - left - size[0]) // 2
    top += (bottom - top - size[1]) // 2
    return left, top, left + size[0], top + size[1]


def _within(points: NDArray[np.float64], box: Box) -> NDArray[np.bool_]:
    left, top, right, bottom = box
    return np.asarray(((points >= (left, top)) & (points <= (right, bottom))).all(1))
