"""Which images of a PDF page are a scan: the rule, and what belongs together.

A page counts as a scan by what is drawn beside its images, which are opaque and of at least 100 px
and a twentieth of the page, strips and tiles taken together:

- nothing: each of them is a scan, a receipt on an empty page too;
- up to 200 characters, lines and areas, as stamps and page numbers are: they are a scan if they
  cover half of the page or more;
- more: the page was born digital, and its photographs and logos stay untouched.

What a whole image hides, and text that is not shown, does not count. A scan in layers is an image
of paper with ink above it, behind masks; it is cleaned as a reader sees it. Decodes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pikepdf

from pagewash.documents.pdf_inline import externalise
from pagewash.documents.pdf_layout import WHOLE, Layout, Placement, Rectangle, read_layout
from pagewash.documents.pdf_tiles import Tile, join_tiles, whole_size
from pagewash.documents.turning import Turn, turn_between

ScanKey = tuple[tuple[int, int], ...]
"""The object numbers of a scan's images."""

SMALLEST_SIDE = 100
"""Pixels; less is a logo, an icon, or a strip too thin to clean alone."""

SMALLEST_SHARE = 0.05
"""Of the page's area."""

SHARE_BESIDE_MARKS = 0.5
"""Of the page's area that a scan covers at least if anything is drawn beside it."""

MARKS_OF_A_STAMP = 200
"""Most characters, lines and areas that may be drawn beside a scan."""

_SLACK = 0.001  # of the width and height of an image that hides another one
_COVERS = 10  # of the last whole images of a page are asked whether they hide others
_PAPER_SHARE = 0.5  # of the page, that the paper of a scan in layers covers at least
_PART = 0.5  # of the area of the paper; what is larger and solid is a scan of its own


@dataclass(frozen=True)
class Scan:
    """Images that a reader sees as one."""

    tiles: tuple[Tile, ...]
    """The image, its strips or tiles; of a scan in layers, those of the lowest layer."""

    turn: Turn
    """From stored pixels to those that a viewer shows."""

    layers: tuple[int, ...] = ()
    """Places in the layout's drawing order of the layers of a scan, lowest first; () for one that
    has no layers."""

    @property
    def placement(self) -> Placement:
        """Its first image."""
        return self.tiles[0].placement

    @property
    def key(self) -> ScanKey:
        """What tells it from other scans of the document."""
        return tuple(tile.placement.image.objgen for tile in self.tiles)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, as they are stored."""
        return whole_size(self.tiles)

    @property
    def box(self) -> Rectangle:
        """Left, bottom, right and top in points of the page."""
        left, bottom, right, top = zip(*(tile.placement.box for tile in self.tiles), strict=True)
        return min(left), min(bottom), max(right), max(top)

    @property
    def share(self) -> float:
        """Of the page's area, 0 to 1."""
        return sum(tile.placement.share for tile in self.tiles)


def lay_scans_out(pdf: pikepdf.Pdf, page: pikepdf.Page) -> Layout:
    """What stands on a page; images inline in its content, which may be a scan, become objects.

    The page looks as before, and is changed only where such images cover a part of it. Pages that
    were born digital keep theirs.

    Raises:
        PdfError: its content is no content.
    """
    layout = read_layout(pdf, page)
    if layout.inline_share < SMALLEST_SHARE or layout.marks > MARKS_OF_A_STAMP:
        return layout
    externalise(page)
    return read_layout(pdf, page)


def find_scans(layout: Layout) -> list[Scan]:
    """The scans on a page, by the rule above; see `reason_without_scan` where there are none."""
    if layout.marks > MARKS_OF_A_STAMP:
        return []
    seen = _seen(layout.placements)
    scans = [_scan(tiles, layout) for tiles in join_tiles([layout.placements[at] for at in seen])]
    scans = _each_once(_in_layers(scans, layout, seen))
    large = [scan for scan in scans if scan.layers or _is_large(scan)]
    if layout.marks and sum(scan.share for scan in large) < SHARE_BESIDE_MARKS:
        return []
    return large


def reason_without_scan(layout: Layout) -> str:
    """Why a page has no scan to clean, as a clause for people."""
    if layout.fault:
        return layout.fault
    if layout.marks > MARKS_OF_A_STAMP and layout.placements:
        return "it is a page of text or drawings, and its pictures are no scan"
    if layout.inline_share >= SMALLEST_SHARE:
        return "its images stand inline in a pattern"
    if layout.placements and layout.marks:
        return "its images are too small to be a scan beside what else is drawn"
    if layout.placements:
        return "its images are too small to be a page"
    return "it has no page image"


def _seen(placements: Sequence[Placement]) -> list[int]:
    """Images that no whole one hides, by their places in the order of drawing."""
    whole = [
        (at, placement.box)
        for at, placement in enumerate(placements)
        if placement.share >= WHOLE and placement.is_opaque
    ]
    return [
        at
        for at, placement in enumerate(placements)
        if not any(later > at and _contains(box, placement.box) for later, box in whole[-_COVERS:])
    ]


def _contains(outer: Rectangle, inner: Rectangle) -> bool:
    room = _SLACK * (outer[2] - outer[0]), _SLACK * (outer[3] - outer[1])
    return all(inner[axis] >= outer[axis] - room[axis] for axis in (0, 1)) and all(
        inner[axis + 2] <= outer[axis + 2] + room[axis] for axis in (0, 1)
    )


def _scan(tiles: list[Tile], layout: Layout) -> Scan:
    placement = tiles[0].placement
    across, down = (_as_seen(axis, layout.rotation) for axis in (placement.across, placement.down))
    return Scan(tuple(tiles), turn_between(across, down))


def _as_seen(axis: tuple[float, float], rotation: int) -> tuple[float, float]:
    """A direction on the page (y up) as a viewer shows it (y down)."""
    x, y = axis[0], -axis[1]
    for _ in range(rotation // 90):  # clockwise
        x, y = -y, x
    return x, y


def _is_large(scan: Scan) -> bool:
    return min(scan.size) >= SMALLEST_SIDE and scan.share >= SMALLEST_SHARE


def _each_once(scans: list[Scan]) -> list[Scan]:
    """Scans of the same images once, at their largest."""
    largest: dict[ScanKey, Scan] = {}
    for scan in scans:
        known = largest.get(scan.key)
        if known is None or scan.share > known.share:
            largest[scan.key] = scan
    return list(largest.values())


def _in_layers(scans: list[Scan], layout: Layout, seen: list[int]) -> list[Scan]:
    """The scans, those that lie above paper taken together with it."""
    paper = next((scan for scan in scans if _may_be_paper(scan)), None)
    if paper is None:
        return scans
    own = {id(tile.placement) for tile in paper.tiles}
    lowest = [at for at in seen if id(layout.placements[at]) in own]
    above = [  # strips of paper and of ink may take turns
        at
        for at in seen
        if at > lowest[0] and at not in lowest and _belongs_to(layout.placements[at], paper)
    ]
    taken = {layout.placements[at].image.objgen for at in above}
    joined = any(_is_large(scan) for scan in scans if taken.intersection(scan.key))
    if not (joined or any(_is_large_layer(layout.placements[at]) for at in above)):
        return scans
    layered = Scan(paper.tiles, paper.turn, tuple(sorted([*lowest, *above])))
    others = [scan for scan in scans if scan is not paper and not taken.intersection(scan.key)]
    return [layered, *others]


def _may_be_paper(scan: Scan) -> bool:
    solid = all(tile.placement.is_solid for tile in scan.tiles)
    return scan.share >= _PAPER_SHARE and solid


def _is_large_layer(placement: Placement) -> bool:
    return min(placement.finest_size) >= SMALLEST_SIDE and placement.share >= SMALLEST_SHARE


def _belongs_to(placement: Placement, paper: Scan) -> bool:
    """Whether an image is drawn on paper, as ink or as a picture."""
    left, bottom, right, top = paper.box
    box = placement.box
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    if not (left <= x <= right and bottom <= y <= top):
        return False
    return not placement.is_solid or placement.share < _PART * paper.share
