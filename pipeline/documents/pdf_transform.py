"""A page of a PDF made straight, upright, cropped or split: by a matrix, /Rotate and boxes.

Nothing is resampled, and all that stands on the page moves along: its image, a text layer, links.
Destinations of bookmarks keep their places, which may then be off by what the page was turned.
"""

from typing import Any

import numpy as np
import pikepdf
from numpy.typing import NDArray
from pikepdf import Array, Matrix, Name

from pagewash.documents.pdf_frames import Frame
from pagewash.documents.pdf_objects import inherited, number
from pagewash.geometry.transform import Box, PageTransform, straightening


def transform_page(pdf: pikepdf.Pdf, index: int, frame: Frame, transform: PageTransform) -> int:
    """Change the geometry of a page whose whole image was looked at.

    Args:
        pdf: is changed.
        index: of the page, from 0.
        frame: of its scan.
        transform: in pixels of that scan, as a viewer shows it.

    Returns:
        How many pages there are now in its place, 1 or 2.
    """
    page = pdf.pages[index]
    to_points = frame.to_points
    if transform.angle:
        turn = to_points.inverse() @ _turn(frame, transform) @ to_points
        _move_content(pdf, page, turn)
        _move_annotations(page, turn)
    if transform.quarters:
        turned = number(inherited(page, Name.Rotate)) + 90 * transform.quarters
        page.obj.Rotate = round(turned / 90) * 90 % 360
    for copy in transform.boxes[1:]:
        pdf.pages.insert(index + 1, page)
        _show(pdf.pages[index + 1], _box(copy, to_points))
    for own in transform.boxes[:1]:
        _show(page, _box(own, to_points))
    return max(1, len(transform.boxes))


def _turn(frame: Frame, transform: PageTransform) -> Matrix:
    """From pixels of the scan to those of the straightened scan."""
    width, height = frame.size
    (a, c, e), (b, d, f) = straightening((height, width), transform.angle).tolist()
    return Matrix(a, b, c, d, e, f)


def _box(box: Box, to_points: Matrix) -> list[float]:
    left, top, right, bottom = box
    (x0, y1), (x1, y0) = to_points.transform((left, top)), to_points.transform((right, bottom))
    return [round(edge, 3) for edge in (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))]


def _show(page: pikepdf.Page, box: list[float]) -> None:
    """Show a box of a page, which grows where the box goes beyond it."""
    media = [float(edge) for edge in page.mediabox.as_list()]
    left, right = sorted((media[0], media[2]))
    bottom, top = sorted((media[1], media[3]))
    page.obj.MediaBox = Array(
        [min(left, box[0]), min(bottom, box[1]), max(right, box[2]), max(top, box[3])]
    )
    page.obj.CropBox = Array(box)
    for key in (Name.TrimBox, Name.ArtBox, Name.BleedBox):
        if key in page.obj:  # they must lie within what is shown
            del page.obj[key]


def _move_content(pdf: pikepdf.Pdf, page: pikepdf.Page, turn: Matrix) -> None:
    numbers = " ".join(f"{value:.8f}" for value in turn.shorthand)
    # no q before it: content that begins with a Q too many, which viewers pass over, would undo it
    page.contents_add(pdf.make_stream(f"{numbers} cm\n".encode()), prepend=True)


def _move_annotations(page: pikepdf.Page, turn: Matrix) -> None:
    """Move what lies on a page along with it: small turns move, and hardly turn."""
    annotations: Any = page.obj.get(Name.Annots)
    if not isinstance(annotations, Array):
        return
    for annotation in annotations:
        if not isinstance(annotation, pikepdf.Dictionary):
            continue
        rectangle = _points(annotation.get(Name.Rect))
        if len(rectangle) == 2:
            middle = rectangle.mean(0)
            moved = rectangle + (np.array(turn.transform(tuple(middle))) - middle)
            annotation.Rect = Array([float(value) for value in moved.ravel()])
        corners = _points(annotation.get(Name.QuadPoints))
        if len(corners):
            moved = np.array([turn.transform(tuple(corner)) for corner in corners])
            annotation.QuadPoints = Array([float(value) for value in moved.ravel()])


def _points(numbers: Any) -> NDArray[np.float64]:
    """(N, 2) x and y; none for what is no list of them."""
    if not isinstance(numbers, Array) or len(numbers) % 2:
        return np.zeros((0, 2))
    return np.array([number(value) for value in numbers]).reshape(-1, 2)
