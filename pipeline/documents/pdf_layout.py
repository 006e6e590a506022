"""What stands where on a page of a PDF: its images, and whether anything else is drawn.

Reads content streams as far as that needs; decodes no image.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pikepdf
from pikepdf import Matrix, Name

_SMALLEST_SIDE = 100  # px; less is a logo, an icon, or a strip too thin to clean alone
_SMALLEST_SHARE = 0.05  # of the page's area
_WHOLE_SHARE = 0.9  # from here on an image is the page
_DEEPEST = 64  # branches in a tree of pages; one that goes deeper goes in circles
_PAINT = {"f", "F", "f*", "B", "B*", "b", "b*", "S", "s", "sh"}
_TEXT = {"Tj", "TJ", "'", '"'}
_INVISIBLE = 3  # text rendering mode, in which OCR programs write
_OPERATORS = " ".join(["q", "Q", "cm", "Do", "Tr", "BI", "ID", "EI", *_PAINT, *_TEXT])


@dataclass(frozen=True)
class Placement:
    """One image where a page draws it."""

    image: pikepdf.Stream
    matrix: Matrix
    """From the unit square to points of the page."""

    share: float
    """Of the page's area, 0 to 1, that it covers."""

    unit: float
    """Of the page: how many 1/72 inch a point is."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return int(self.image.Width), int(self.image.Height)

    @property
    def dpi(self) -> tuple[float, float] | None:
        """Pixels per inch along the image's own width and height; None if it is drawn flat."""
        width, height = self.size
        across = (self.matrix.a**2 + self.matrix.b**2) ** 0.5 * self.unit / 72
        down = (self.matrix.c**2 + self.matrix.d**2) ** 0.5 * self.unit / 72
        return (round(width / across, 2), round(height / down, 2)) if across and down else None

    @property
    def is_large(self) -> bool:
        """Whether it is large enough to be a page's image, and not an ornament."""
        return min(self.size) >= _SMALLEST_SIDE and self.share >= _SMALLEST_SHARE

    @property
    def is_upright(self) -> bool:
        """Whether it is neither turned nor mirrored nor skewed."""
        matrix = self.matrix
        level = abs(matrix.b) + abs(matrix.c) < 1e-3 * (abs(matrix.a) + abs(matrix.d))
        return level and matrix.a > 0 and matrix.d > 0


@dataclass(frozen=True)
class Layout:
    """What a page draws."""

    placements: list[Placement]
    """In the order of drawing."""

    inline_images: bool
    """Whether it has images that stand in its content, and not beside it."""

    other_marks: bool
    """Whether it draws lines, areas, visible text or annotations."""

    rotation: int
    """By which the page is turned to be seen: 0, 90, 180 or 270 degrees, clockwise."""

    @property
    def images(self) -> list[Placement]:
        """The large images, each once, at its largest."""
        largest: dict[tuple[int, int], Placement] = {}
        for placement in self.placements:
            known = largest.get(placement.image.objgen)
            if placement.is_large and (known is None or placement.share > known.share):
                largest[placement.image.objgen] = placement
        return list(largest.values())

    @property
    def whole_image(self) -> Placement | None:
        """The one upright image that is all there is to see on the page, or None."""
        if len(self.placements) != 1 or self.inline_images or self.other_marks or self.rotation:
            return None
        (only,) = self.placements
        return only if only.share >= _WHOLE_SHARE and only.is_upright else None


def read_layout(page: pikepdf.Page) -> Layout:
    """Follow a page's content, and that of the forms that it draws."""
    box = [float(edge) for edge in page.cropbox.as_list()]
    unit = float(page.obj.get(Name.UserUnit, 1))
    placements, inline, marks = [], False, _has_annotations(page)
    for seen in _walk(page.obj, _inherited(page, Name.Resources), Matrix(), frozenset()):
        if isinstance(seen, tuple):
            image, matrix = seen
            placements.append(Placement(image, matrix, _share(matrix, box), unit))
        elif seen == "inline":
            inline = True
        else:
            marks = True
    rotation = int(_inherited(page, Name.Rotate) or 0) % 360
    return Layout(placements, inline, marks, rotation)


def image_slots(page: pikepdf.Page) -> Iterator[tuple[pikepdf.Dictionary, str]]:
    """Each place in the resources of a page and its forms that names an image."""
    yield from _slots(_inherited(page, Name.Resources), set())


def _slots(resources: Any, seen: set[tuple[int, int]]) -> Iterator[tuple[Any, str]]:
    named = resources.get(Name.XObject, {})
    for name in list(named.keys()):
        drawn = named[name]
        if not isinstance(drawn, pikepdf.Stream):
            continue
        if drawn.get(Name.Subtype) == Name.Image:
            yield named, name
        elif drawn.objgen not in seen:
            seen.add(drawn.objgen)
            yield from _slots(drawn.get(Name.Resources, {}), seen)


def _walk(
    content: Any, resources: Any, matrix: Matrix, inside: frozenset[tuple[int, int]]
) -> Iterator[Any]:
    """Yield (image, matrix) for images, "inline" for inline ones, "mark" for other marks.

    Args:
        content: a page or a form.
        resources: where its names are looked up.
        matrix: from its own space to the page's.
        inside: the forms that it is drawn by, lest it draws one of them again, endlessly.
    """
    saved: list[tuple[Matrix, int]] = []
    text_mode = 0
    for instruction in pikepdf.parse_content_stream(content, _OPERATORS):
        operator, operands = str(instruction.operator), instruction.operands
        if operator == "q":
            saved.append((matrix, text_mode))
        elif operator == "Q" and saved:
            matrix, text_mode = saved.pop()
        elif operator == "cm":
            matrix = Matrix(*map(float, operands)) @ matrix
        elif operator == "Tr":
            text_mode = int(operands[0])
        elif operator == "Do":
            yield from _draw(resources, str(operands[0]), matrix, inside)
        elif operator == "INLINE IMAGE":
            yield "inline"
        elif operator in _PAINT or (operator in _TEXT and text_mode != _INVISIBLE):
            yield "mark"


def _draw(
    resources: Any, name: str, matrix: Matrix, inside: frozenset[tuple[int, int]]
) -> Iterator[Any]:
    drawn = resources.get(Name.XObject, {}).get(name)
    if not isinstance(drawn, pikepdf.Stream) or drawn.objgen in inside:
        return
    if drawn.get(Name.Subtype) == Name.Image:
        yield drawn, matrix
    elif drawn.get(Name.Subtype) == Name.Form:
        inner = Matrix(*map(float, drawn.get(Name.Matrix, [1, 0, 0, 1, 0, 0]))) @ matrix
        form_resources = drawn.get(Name.Resources, resources)
        yield from _walk(drawn, form_resources, inner, inside | {drawn.objgen})


def _inherited(page: pikepdf.Page, key: Name) -> Any:
    """What a page has itself, or from a branch that it hangs on; an empty dictionary if neither."""
    node: Any = page.obj
    for _ in range(_DEEPEST):
        if key in node:
            return node[key]
        if Name.Parent not in node:
            break
        node = node.Parent
    return pikepdf.Dictionary()


def _share(matrix: Matrix, box: list[float]) -> float:
    """Share of the page box that the bounding box of the drawn unit square covers."""
    xs = sorted([0, matrix.a, matrix.c, matrix.a + matrix.c])
    ys = sorted([0, matrix.b, matrix.d, matrix.b + matrix.d])
    left, right = sorted((box[0], box[2]))
    bottom, top = sorted((box[1], box[3]))
    wide = min(xs[-1] + matrix.e, right) - max(xs[0] + matrix.e, left)
    high = min(ys[-1] + matrix.f, top) - max(ys[0] + matrix.f, bottom)
    area = (right - left) * (top - bottom)
    return max(wide, 0) * max(high, 0) / area if area else 0.0


def _has_annotations(page: pikepdf.Page) -> bool:
    """Whether annotations are drawn on it; links are not."""
    annotations: Any = page.obj.get(Name.Annots, [])
    return any(Name.AP in annotation for annotation in annotations)
