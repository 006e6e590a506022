"""The frame of a scan as a viewer shows it: its size, its resolution, and where it lies.

Geometry only: nothing is decoded.
"""

from dataclasses import dataclass

import pikepdf
from pikepdf import Matrix

from pagewash.documents.pdf_layers import composite_size
from pagewash.documents.pdf_layout import WHOLE, Layout
from pagewash.documents.pdf_scans import Scan

_LARGER = 1.02  # times the area of what is shown, within which an image is all of it
_LEVEL = 1e-3  # of an axis, by which it may lean
_BACK = {  # by quarters: from upright pixels to stored ones, x and y of both in units of a side
    0: Matrix(),
    1: Matrix(0, 1, -1, 0, 1, 0),
    2: Matrix(-1, 0, 0, -1, 1, 1),
    3: Matrix(0, -1, 1, 0, 0, 1),
}
_MIRRORED = Matrix(-1, 0, 0, 1, 1, 0)


@dataclass(frozen=True)
class Frame:
    """Upright pixels on a page."""

    size: tuple[int, int]
    """Width and height in pixels."""

    to_points: Matrix
    """From pixels, counted to the right and down, to points of the page."""


def frame_of(scan: Scan, layout: Layout) -> Frame:
    """The frame of a scan of that layout."""
    width, height = size = size_as_seen(scan, layout)
    to_unit = Matrix(1 / width, 0, 0, 1 / height, 0, 0) @ _BACK[scan.turn.quarters]
    if scan.turn.mirrored:
        to_unit = to_unit @ _MIRRORED
    return Frame(size, to_unit @ _unit_to_points(scan))


def size_as_seen(scan: Scan, layout: Layout) -> tuple[int, int]:
    """Width and height in pixels of a scan as a viewer shows it."""
    if scan.layers:
        return composite_size(layout, scan)
    width, height = scan.size
    return (height, width) if scan.turn.quarters % 2 else (width, height)


def dpi_as_seen(scan: Scan, layout: Layout) -> tuple[float, float] | None:
    """Pixels per inch of a scan as a viewer shows it, horizontal and vertical."""
    dpi = scan.placement.dpi
    if dpi is None:
        return None
    across, down = scan.turn.swap(dpi)
    if not scan.layers:
        return across, down
    size, own = composite_size(layout, scan), scan.turn.swap(scan.size)
    return round(across * size[0] / own[0], 2), round(down * size[1] / own[1], 2)


def is_whole(scan: Scan, page: pikepdf.Page) -> bool:
    """Whether a scan is its page, all of it, turned by nothing but quarters."""
    matrix = scan.placement.matrix
    straight = abs(matrix.b) + abs(matrix.c) < _LEVEL * (abs(matrix.a) + abs(matrix.d))
    aside = abs(matrix.a) + abs(matrix.d) < _LEVEL * (abs(matrix.b) + abs(matrix.c))
    return scan.share >= WHOLE and (straight or aside) and not goes_beyond(matrix, page)


def goes_beyond(matrix: Matrix, page: pikepdf.Page) -> bool:
    """Whether an image, drawn by a matrix, is larger than what is shown of its page."""
    return abs(matrix.a * matrix.d - matrix.b * matrix.c) > _LARGER * area_of(page.cropbox)


def area_of(box: pikepdf.Array) -> float:
    """The area of a page's box, in its units."""
    left, bottom, right, top = (float(edge) for edge in box.as_list())
    return abs((right - left) * (top - bottom))


def _unit_to_points(scan: Scan) -> Matrix:
    """From stored pixels, in units of the whole's width and height, to points of the page."""
    width, height = scan.size
    (ax, ay), (dx, dy), first = scan.placement.across, scan.placement.down, scan.tiles[0]
    x, y = first.placement.origin
    origin = x - first.x * ax - first.y * dx, y - first.x * ay - first.y * dy
    return Matrix(ax * width, ay * width, dx * height, dy * height, *origin)
