"""A scan in layers: what a reader sees of it, and what cleaning that means for its paper.

Scanners, archives and DjVu conversions keep a page as an image of paper and, above it, ink behind
masks (MRC, ISO/IEC 16485). The network sees all of it together, at the finest layer's resolution;
the layer of paper follows, and ink and masks stay as they are.
"""

import io
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import pikepdf
from numpy.typing import NDArray
from pikepdf import Name

from pagewash.documents import pdf_images
from pagewash.documents.pdf_layout import Layout, Placement, Rectangle, read_layout
from pagewash.documents.pdf_objects import inherited
from pagewash.documents.pdf_scans import Scan
from pagewash.documents.pdf_tiles import Tile
from pagewash.documents.pdfium import render_whole
from pagewash.grey import darkest, luminance
from pagewash.pages import Pixels

_VISIBLE = 0.97  # of a layer's own colour; what shows less of it is an edge, or ink above it
_GLEAM = 0.1  # of a layer's own colour; less tells nothing of it
_COVERS = 0.5  # of the page: a masked layer that paints as much is the paper, whatever lies below
_SAME_BOX = 0.01  # of the paper's width and height
_WHITE, _BLACK = b"\xff", b"\0"


def composite_size(layout: Layout, scan: Scan) -> tuple[int, int]:
    """Width and height of what a reader sees, in pixels of the finest layer."""
    left, bottom, right, top = scan.box
    scale = _scale(layout, scan)
    width, height = round((right - left) * scale), round((top - bottom) * scale)
    return (height, width) if layout.rotation % 180 else (width, height)


def render_scan(page: pikepdf.Page, layout: Layout, scan: Scan) -> Pixels:
    """All layers as a viewer shows them, over the extent of the lowest.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        UnreadableError: it cannot be rendered.
    """
    return _render(page, layout, scan, (), b"")


def find_paper(layout: Layout, scan: Scan) -> tuple[Tile, ...]:
    """The layer that is paper: the lowest, or one above it that paints most of the page."""
    for at in reversed(scan.layers):
        layer = layout.placements[at]
        lies_there = layer.mask is not None and _same_box(layer.box, scan.box)
        if lies_there and coverage(layer) >= _COVERS:
            return (Tile(layer),)
    return scan.tiles


def coverage(layer: Placement) -> float:
    """Share, 0 to 1, of an image that its mask lets through; 1 without a mask.

    Raises:
        UnreadableError: the mask cannot be decoded.
    """
    if layer.mask is None:
        return 1.0
    light = float(np.mean(pdf_images.decode(layer.mask))) / 255
    # a stencil's black is what is painted
    return 1 - light if layer.mask.get(Name.ImageMask) is True else light


def revise_paper(
    page: pikepdf.Page,
    layout: Layout,
    scan: Scan,
    paper: tuple[Tile, ...],
    pixels: Pixels,
    cleaned: Pixels,
) -> Pixels:
    """The layer of paper as it has to be for a reader to see the cleaned scan.

    Args:
        page: of the layout.
        layout: what stands on it.
        scan: in layers.
        paper: the layer, as `find_paper` gives it.
        pixels: of that layer, as they are stored.
        cleaned: of the shape of `render_scan`, or grey.

    Returns:
        The layer's new pixels, as they are stored.
    """
    own = {id(tile.placement) for tile in paper}
    painted = [at for at in scan.layers if id(layout.placements[at]) in own]
    seen = render_scan(page, layout, scan)
    light, dark = (_render(page, layout, scan, painted, level) for level in (_WHITE, _BLACK))
    share = darkest(cv2.subtract(light, dark)).astype(np.float32) / np.float32(255)
    return scan.turn.undo(revise(scan.turn.apply(pixels), seen, cleaned, share))


def revise(layer: Pixels, seen: Pixels, cleaned: Pixels, share: NDArray[np.float32]) -> Pixels:
    """Change the pixels of a layer where cleaning has changed what is seen of them.

    A pixel of the layer covers a cell of the composite, and becomes the mean of what is visible
    in its cell. One that is seen through others alone, as below a watermark, moves as far as the
    composite has to. One that nothing is seen of follows its neighbours; far from any it stays,
    since a viewer may switch off what hides it.

    Args:
        layer: (h, w) or (h, w, 3).
        seen: (H, W, 3), H >= h and W >= w: the composite before.
        cleaned: (H, W) or (H, W, 3): after.
        share: (H, W), 0 to 1: of this layer's colour in that of the composite.
    """
    if layer.ndim == 2:
        seen, cleaned = (luminance(image) for image in (seen, cleaned))
    elif cleaned.ndim == 2:
        cleaned = np.asarray(cv2.cvtColor(cleaned, cv2.COLOR_GRAY2RGB), np.uint8)
    shape, visible = layer.shape[:2], share >= _VISIBLE
    weight = _cell_sums(visible.astype(np.float32), shape)
    change = _cell_sums(_weighted(np.asarray(cv2.absdiff(seen, cleaned), np.uint8), visible), shape)
    means = _cell_sums(_weighted(cleaned, visible), shape)
    known = weight > 0
    scale = (1 / np.maximum(weight, 1)).reshape(*shape, *([1] * (layer.ndim - 2)))
    changed = known & (change.reshape(*shape, -1).max(axis=2) > 0)
    result = layer.copy()
    result[changed] = np.rint(means * scale)[changed]
    result[~known] = _from_neighbours(result, known)[~known]
    if not known.all():
        moved, partly = _moved(layer, seen, cleaned, share)
        result[partly & ~known] = moved[partly & ~known]
    return result


def _moved(
    layer: Pixels, seen: Pixels, cleaned: Pixels, share: NDArray[np.float32]
) -> tuple[Pixels, NDArray[np.bool_]]:
    """A layer that is seen through others, as it comes nearest to the cleaned composite.

    What is seen is its share of the layer, and a rest that stays: the move of a pixel is that of
    the least squares over its cell.

    Returns:
        The layer, and where there is enough to be seen of it.
    """
    extra = (1,) * (layer.ndim - 2)
    through = np.where(share >= _GLEAM, share, 0)
    weight = _cell_sums(through**2, layer.shape[:2])
    change = cleaned.astype(np.float32) - seen
    moves = _cell_sums(change * through.reshape(through.shape + extra), layer.shape[:2])
    moves /= np.maximum(weight, _GLEAM**2).reshape(weight.shape + extra)
    return np.rint(layer + moves).clip(0, 255).astype(np.uint8), weight > 0


def _weighted(image: Pixels, visible: NDArray[np.bool_]) -> NDArray[np.float32]:
    return image.astype(np.float32) * visible.reshape(visible.shape + (1,) * (image.ndim - 2))


def _cell_sums(image: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Sums over as many cells as a layer has pixels."""
    for axis, cells in enumerate(shape):
        starts = np.arange(cells) * image.shape[axis] // cells
        image = np.add.reduceat(image, starts, axis=axis)
    return image


def _from_neighbours(layer: Pixels, known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The mean of known pixels nearby; the layer itself where there are none."""
    weight = cv2.blur(known.astype(np.float32), (5, 5))
    total = cv2.blur(_weighted(layer, known), (5, 5))
    extra = (1,) * (layer.ndim - 2)
    near = weight.reshape(weight.shape + extra) > 1e-3
    return np.where(near, total / np.maximum(weight, 1e-3).reshape(weight.shape + extra), layer)


def _scale(layout: Layout, scan: Scan) -> float:
    """Pixels per point of the finest layer."""
    scales = [0.01]
    for layer in (layout.placements[at] for at in scan.layers):
        (width, height), (columns, rows) = layer.size, layer.finest_size
        across, down = np.hypot(*layer.across) * width, np.hypot(*layer.down) * height
        scales += [columns / across, rows / down] if across and down else []
    return float(max(scales))


def _same_box(one: Rectangle, other: Rectangle) -> bool:
    apart = np.abs(np.subtract(one, other)).max()
    return bool(apart <= _SAME_BOX * min(other[2] - other[0], other[3] - other[1]))


def _render(
    page: pikepdf.Page, layout: Layout, scan: Scan, painted: Sequence[int], level: bytes
) -> Pixels:
    """The layers over the extent of the lowest, some of them perhaps in a single grey level."""
    with pikepdf.new() as stage:
        _set_up(stage, page, layout, scan)
        placements = read_layout(stage, stage.pages[0]).placements
        for at in painted:
            _paint(placements[at].image, level)
        file = io.BytesIO()
        stage.save(file, stream_decode_level=pikepdf.StreamDecodeLevel.none, compress_streams=False)
    return render_whole(file.getvalue(), composite_size(layout, scan))


def _set_up(stage: pikepdf.Pdf, page: pikepdf.Page, layout: Layout, scan: Scan) -> None:
    """A page that shows the extent of the lowest layer, and no annotations."""
    copy: Any = stage.add_blank_page()
    copy.MediaBox = pikepdf.Array([round(edge, 4) for edge in scan.box])
    copy.Rotate = layout.rotation
    for key, value in (
        (Name.Contents, page.obj.get(Name.Contents)),
        (Name.Resources, inherited(page, Name.Resources)),
    ):
        if value is not None:
            copy.obj[key] = pdf_images.copied(stage, value)
    if layout.optional is not None:  # what is switched off is not seen
        stage.Root.OCProperties = pdf_images.copied(stage, layout.optional)


def _paint(image: Any, level: bytes) -> None:
    """Give an image one grey level all over; its mask stays."""
    image.write(level)
    for key in (Name.Decode, Name.DecodeParms, Name.Filter):
        if key in image:
            del image[key]
    image.Width = image.Height = 1
    image.ColorSpace, image.BitsPerComponent = Name.DeviceGray, 8
