"""What stands where on a page of a PDF: its images, and what else is drawn.

Reads content streams as far as that needs, and as viewers do: what makes no sense in them is passed
over, and what comes after it counts; what lies in a layer that is switched off is not drawn.
Decodes no image.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pikepdf
from pikepdf import Matrix, Name

from pagewash.documents.decoding import quiet
from pagewash.documents.pdf_expansion import check_expansion, content_streams
from pagewash.documents.pdf_objects import dictionary, inherited, last_name, number, stream
from pagewash.documents.pdf_objects import matrix as to_matrix
from pagewash.documents.pdf_optional import Groups, groups_off, is_off
from pagewash.errors import UnreadableError

_MOST_FORMS = 20_000  # drawn by a page
_MOST_CONTENT = 100 * 10**6  # bytes of a stream
_LARGE_SIDE = 100  # px; less is an ornament
WHOLE = 0.9
"""Share of a page from which on an image is the page."""

_PAINT = {"f", "F", "f*", "B", "B*", "b", "b*", "S", "s", "sh"}
_TEXT = {"Tj", "TJ", "'", '"'}
_UNSEEN = {3, 7}  # text rendering modes: invisible, in which OCR programs write, and clipping
_FILL = {"f", "F", "f*", "B", "B*", "b", "b*"}
_COLOURS = {"scn", "sc", "cs", "g", "rg", "k"}  # of what is filled
_MARKED = {"BDC", "BMC", "EMC"}  # content that belongs together, as that of an optional layer
_FEW = ["q", "Q", "cm", "gs", "Do", "Tr", "BI", "ID", "EI"]
_OPERATORS = " ".join([*_FEW, *_PAINT, *_TEXT, *_COLOURS, *_MARKED])
_PLAIN_BLENDING = {"/Normal", "/Compatible"}
_HIDDEN = 2 | 32  # flags of an annotation that is not shown: Hidden, NoView

Rectangle = tuple[float, float, float, float]
"""Left, bottom, right and top in points of a page."""


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

    veiled: bool = False
    """Whether it is blended with what lies below, or translucent, or shown at choice alone."""

    black: bool = True
    """Whether a stencil paints in plain black."""

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
    def across(self) -> tuple[float, float]:
        """From a pixel to the next of its row, in points of the page (y up)."""
        width = self.size[0]
        return self.matrix.a / width, self.matrix.b / width

    @property
    def down(self) -> tuple[float, float]:
        """From a pixel to the one below, in points of the page."""
        height = self.size[1]
        return -self.matrix.c / height, -self.matrix.d / height

    @property
    def origin(self) -> tuple[float, float]:
        """The corner of its first pixel, in points of the page."""
        return self.matrix.c + self.matrix.e, self.matrix.d + self.matrix.f

    @property
    def box(self) -> Rectangle:
        """Left, bottom, right and top in points of the page."""
        return _bounding_box(self.matrix)

    @property
    def is_stencil(self) -> bool:
        """Whether it paints with the colour at hand, and spares the rest of the page."""
        flag: object = self.image.get(Name.ImageMask)
        return flag is True

    @property
    def mask(self) -> Any | None:
        """The image that says where it is transparent: soft, or a stencil; None without one."""
        return stream(self.image, Name.SMask) or stream(self.image, Name.Mask)

    @property
    def is_opaque(self) -> bool:
        """Whether it hides all that was drawn where it stands."""
        return self.is_solid and not self.veiled

    @property
    def is_solid(self) -> bool:
        """Whether all of it has colour: neither it nor a mask spares any of its area."""
        keyed = isinstance(self.image.get(Name.Mask), pikepdf.Array)
        own = keyed or number(self.image.get(Name.SMaskInData)) != 0
        return self.mask is None and not own and not self.is_stencil

    @property
    def finest_size(self) -> tuple[int, int]:
        """Width and height in pixels, or of its mask if that has more."""
        mask = self.mask
        if mask is None:
            return self.size
        other = int(number(mask.get(Name.Width))), int(number(mask.get(Name.Height)))
        return max(self.size[0], other[0]), max(self.size[1], other[1])

    @property
    def is_whole(self) -> bool:
        """Whether it is the page, upright."""
        return self.share >= WHOLE and self.is_upright

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

    inline_share: float
    """Of the page's area, 0 to 1, that images in its content cover, and not beside it."""

    patterns: bool
    """Whether it paints with a pattern that holds an image."""

    marks: int
    """Characters, lines and areas that are seen: not those that a whole image covers."""

    annotated: bool
    """Whether annotations are drawn on it; links are not."""

    rotation: int
    """By which the page is turned to be seen: 0, 90, 180 or 270 degrees, clockwise."""

    fault: str | None = None
    """What is broken about its images, as a clause."""

    optional: Any = None
    """What the document says of its layers, in a viewer's sense; None if nothing."""

    @property
    def whole_image(self) -> Placement | None:
        """The one upright image that is all there is to see on the page, or None."""
        if not self.is_only_image or self.rotation:
            return None
        (only,) = self.placements
        return only if only.is_whole and not only.veiled else None

    @property
    def is_only_image(self) -> bool:
        """Whether one image is all there is to see on the page."""
        others = self.inline_share or self.patterns or self.marks or self.annotated
        return len(self.placements) == 1 and not others


def read_layout(pdf: pikepdf.Pdf, page: pikepdf.Page) -> Layout:
    """Follow a page's content, and that of the forms that it draws.

    Args:
        pdf: says which of its layers are switched off.
        page: one of its pages.

    Raises:
        PdfError: its content is no content.
    """
    box = [float(edge) for edge in page.cropbox.as_list()]
    optional = dictionary(pdf.Root, Name.OCProperties)
    walker = _Walker(box, number(page.obj.get(Name.UserUnit), 1.0), groups_off(optional))
    resources = inherited(page, Name.Resources)
    walker.walk(page.obj, resources, _State(Matrix()), frozenset())
    rotation = round(number(inherited(page, Name.Rotate)) / 90) * 90 % 360
    return Layout(
        walker.placements,
        min(walker.inline_share, 1.0),
        walker.patterns,
        walker.marks,
        _has_annotations(page),
        rotation,
        walker.fault,
        optional if len(optional) else None,
    )


def image_slots(page: pikepdf.Page) -> Iterator[tuple[pikepdf.Dictionary, str]]:
    """Each place in the resources of a page, its forms and patterns that names an image."""
    yield from _slots(inherited(page, Name.Resources), set())


def _slots(resources: Any, seen: set[tuple[int, int]]) -> Iterator[tuple[Any, str]]:
    for kind in (Name.XObject, Name.Pattern):
        named = dictionary(resources, kind)
        for name in list(named.keys()):
            drawn = named[name]
            if not isinstance(drawn, pikepdf.Stream):
                continue
            if drawn.get(Name.Subtype) == Name.Image:
                yield named, name
            elif drawn.objgen not in seen:
                seen.add(drawn.objgen)
                yield from _slots(drawn.get(Name.Resources), seen)


@dataclass(frozen=True)
class _State:
    """What decides how something is drawn, as far as it matters here."""

    matrix: Matrix
    text_mode: int = 0
    pattern: Any = None
    """That holds an image, and areas are filled with."""

    black: bool = True
    """Whether areas and stencils are."""

    veils: frozenset[str] = frozenset()
    """Why an image hides nothing for certain: keys of a graphics state, or what it lies in."""

    def inside(self, matrix: Matrix) -> "_State":
        """Where a form begins that is drawn so, by its own matrix."""
        veils = frozenset({"form"}) if self.veils else self.veils
        return _State(matrix @ self.matrix, black=self.black, veils=veils)


@dataclass
class _Walker:
    """What has been seen on the way through a page's content."""

    box: list[float]
    unit: float
    off: Groups
    """Layers that are switched off."""

    placements: list[Placement] = field(default_factory=list)
    inline_share: float = 0.0
    patterns: bool = False
    marks: int = 0
    fault: str | None = None
    forms: int = 0
    """Drawn so far: forms that draw each other ten times would come to billions."""

    def walk(
        self, content: Any, resources: Any, state: _State, inside: frozenset[tuple[int, int]]
    ) -> None:
        """Follow one content stream.

        Args:
            content: a page or a form.
            resources: where its names are looked up.
            state: at its beginning; its matrix is from its own space to the page's.
            inside: the forms that it is drawn by, lest it draws one of them again, endlessly.
        """
        outer, saved = state, list[_State]()
        # for each marked content around, the innermost last: whether it belongs to a layer, and
        # whether that is switched off
        optional, off = list[bool](), list[bool]()
        for part in content_streams(content):
            check_expansion(part, _MOST_CONTENT, "its content")
        with quiet():
            instructions = pikepdf.parse_content_stream(content, _OPERATORS)
        for instruction in instructions:
            operator, operands = str(instruction.operator), instruction.operands
            if operator == "q":
                saved.append(state)
            elif operator == "Q" and saved:
                state = saved.pop()
            elif operator == "cm":
                state = replace(state, matrix=to_matrix(operands) @ state.matrix)
            elif operator == "gs":
                state = replace(state, veils=_veils(resources, operands, state.veils))
            elif operator == "Tr":
                mode = int(number(next(iter(operands), None), state.text_mode))
                state = replace(state, text_mode=mode)
            elif operator == "EMC":
                del optional[-1:], off[-1:]
            elif operator in _MARKED:
                optional.append(next(iter(operands), None) == Name.OC)
                off.append(optional[-1] and self._is_off(resources, operands))
            elif operator in _COLOURS:
                pattern = _pattern_of_an_image(resources, operands)
                state = replace(state, pattern=pattern, black=_is_black(operator, operands))
            elif any(off):
                continue
            elif operator == "Do":
                self._draw(
                    resources, operands, _optional(state) if any(optional) else state, inside
                )
            elif operator == "INLINE IMAGE":
                self.inline_share += _share(state.matrix, self.box)
            elif operator in _FILL and state.pattern is not None:
                self.patterns = True
                cell = _State(outer.matrix, veils=outer.veils)
                self._draw_form(state.pattern, resources, cell, inside)
            elif operator in _PAINT:
                self.marks += 1
            elif operator in _TEXT and state.text_mode not in _UNSEEN:
                self.marks += _characters(operands)

    def _is_off(self, resources: Any, operands: Any) -> bool:
        """Whether marked content belongs to what is switched off."""
        name = last_name(operands)
        named = dictionary(resources, Name.Properties)
        return name is not None and is_off(dictionary(named, name), self.off)

    def _draw(
        self, resources: Any, operands: Any, state: _State, inside: frozenset[tuple[int, int]]
    ) -> None:
        name = last_name(operands)
        drawn = stream(dictionary(resources, Name.XObject), name) if name else None
        if drawn is None:
            if name is not None:  # as in a file that was cut: what is missing is null
                self.fault = "it draws an image that is not there"
            return
        if is_off(drawn.get(Name.OC), self.off):
            return
        if Name.OC in drawn:
            state = _optional(state)
        if drawn.get(Name.Subtype) == Name.Image:
            self._place(drawn, state)
        elif drawn.get(Name.Subtype) == Name.Form:
            self._draw_form(drawn, resources, state, inside)

    def _draw_form(
        self, form: Any, resources: Any, state: _State, inside: frozenset[tuple[int, int]]
    ) -> None:
        """Follow a form, or the cell of a pattern."""
        if form.objgen in inside:
            return
        self.forms += 1
        if self.forms > _MOST_FORMS:
            raise UnreadableError(f"it draws more than {_MOST_FORMS:,} forms")
        inner = state.inside(to_matrix(form.get(Name.Matrix)))
        self.walk(form, form.get(Name.Resources, resources), inner, inside | {form.objgen})

    def _place(self, image: pikepdf.Stream, state: _State) -> None:
        if min(number(image.get(Name.Width)), number(image.get(Name.Height))) < 1:
            self.fault = "one of its images does not state its size"
            return
        share = _share(state.matrix, self.box)
        veiled = bool(state.veils)
        placement = Placement(image, state.matrix, share, self.unit, veiled, state.black)
        self.placements.append(placement)
        if placement.share >= WHOLE and placement.is_opaque:
            self.marks = 0  # it hides them: some OCR programs write below their scan


def _optional(state: _State) -> _State:
    """The state of what a viewer shows or does not, as its reader likes."""
    return replace(state, veils=state.veils | {"optional"})


def _is_black(operator: str, operands: Any) -> bool:
    """Whether a colour is black for certain: one of a device, in grey, RGB or CMYK."""
    levels = [number(operand, 1.0) for operand in operands]
    if operator == "k":
        return levels == [0, 0, 0, 1]
    return operator in ("g", "rg") and not any(levels)


def _veils(resources: Any, operands: Any, veils: frozenset[str]) -> frozenset[str]:
    """What keeps an image from hiding what lies below, once a graphics state has been set.

    Args:
        resources: where its name is looked up.
        operands: of the operator that sets it.
        veils: the keys that did so before; a state leaves those that it does not have.
    """
    name = last_name(operands)
    state = dictionary(dictionary(resources, Name.ExtGState), name) if name else {}
    for key in ("/BM", "/ca", "/SMask"):
        if key in state:
            veils = veils | {key} if _is_veil(key, state[key]) else veils - {key}
    return veils


def _is_veil(key: str, value: Any) -> bool:
    if key == "/ca":
        return number(value, 1.0) < 1
    if key == "/SMask":
        return isinstance(value, pikepdf.Dictionary)
    modes = list(value) if isinstance(value, pikepdf.Array) else [value]
    return not all(str(mode) in _PLAIN_BLENDING for mode in modes)


def _pattern_of_an_image(resources: Any, operands: Any) -> Any | None:
    """The tiling pattern that a colour is, if it holds a large image."""
    name = last_name(operands)
    pattern = stream(dictionary(resources, Name.Pattern), name) if name else None
    if pattern is None:
        return None
    sizes = [
        min(number(named[slot].get(Name.Width)), number(named[slot].get(Name.Height)))
        for named, slot in _slots(pattern.get(Name.Resources), set())
    ]
    return pattern if max(sizes, default=0) >= _LARGE_SIDE else None


def _characters(operands: Any) -> int:
    """Bytes that an operator shows, which is characters in most fonts."""
    count = 0
    for operand in operands:
        if isinstance(operand, pikepdf.Array):
            count += _characters(operand)
        elif isinstance(operand, pikepdf.String):
            count += len(bytes(operand))
    return count


def _share(matrix: Matrix, box: list[float]) -> float:
    """Share of the page box that the bounding box of the drawn unit square covers."""
    left, right = sorted((box[0], box[2]))
    bottom, top = sorted((box[1], box[3]))
    seen = _bounding_box(matrix)
    wide = min(seen[2], right) - max(seen[0], left)
    high = min(seen[3], top) - max(seen[1], bottom)
    area = (right - left) * (top - bottom)
    return max(wide, 0) * max(high, 0) / area if area else 0.0


def _bounding_box(matrix: Matrix) -> Rectangle:
    """Left, bottom, right and top of the unit square as a matrix draws it."""
    xs = sorted([0, matrix.a, matrix.c, matrix.a + matrix.c])
    ys = sorted([0, matrix.b, matrix.d, matrix.b + matrix.d])
    return xs[0] + matrix.e, ys[0] + matrix.f, xs[-1] + matrix.e, ys[-1] + matrix.f


def _has_annotations(page: pikepdf.Page) -> bool:
    """Whether annotations are drawn on it; links are not."""
    annotations: Any = page.obj.get(Name.Annots)
    if not isinstance(annotations, pikepdf.Array):
        return False
    return any(
        isinstance(annotation, pikepdf.Dictionary) and _is_drawn(annotation)
        for annotation in annotations
    )


def _is_drawn(annotation: Any) -> bool:
    """Whether there is anything to see of an annotation; a viewer draws many that bring no picture
    of their own (/AP), as lines and notes.
    """
    if Name.AP in annotation:
        return True
    kind = annotation.get(Name.Subtype)
    hidden = int(number(annotation.get(Name.F))) & _HIDDEN
    if kind in (Name.Link, Name.Popup) or hidden:
        return False
    return kind != Name.Widget or _is_filled_in(annotation)


def _is_filled_in(field: Any) -> bool:
    """Whether a field of a form has a text or a frame to show; a signature has neither."""
    parent = dictionary(field, Name.Parent)
    kind, value = (field.get(key, parent.get(key)) for key in (Name.FT, Name.V))
    blank = value is None or (isinstance(value, pikepdf.String) and not bytes(value))
    return kind != Name.Sig and (not blank or Name.MK in field)
