"""A scan of a PDF page to the pixels that a viewer shows, and such pixels back to its images."""

from typing import Any

import numpy as np
import pikepdf

from pagewash.documents import pdf_images, pdf_layers
from pagewash.documents.decoding import grey_if_grey
from pagewash.documents.pdf_layout import Layout
from pagewash.documents.pdf_scans import Scan
from pagewash.documents.pdf_tiles import Tile, whole_size
from pagewash.pages import Pixels

_INK_ALONE = 0.5  # coverage of a mask; one that lets less through paints ink


def reason_to_leave(scan: Scan) -> str | None:
    """Why a scan must not be cleaned, as a clause; None if it may.

    Raises:
        UnreadableError: its mask cannot be decoded.
    """
    for tile in scan.tiles:
        reason = pdf_images.reason_to_leave(tile.placement.image)
        if reason is not None:
            return reason
    if pdf_layers.coverage(scan.placement) < _INK_ALONE:
        return "its ink stands behind a mask, with no paper below it"
    return None


def read_scan(page: pikepdf.Page, layout: Layout, scan: Scan) -> Pixels:
    """The pixels of a scan as a viewer shows it.

    Returns:
        (H, W) uint8, or (H, W, 3) uint8 RGB.

    Raises:
        UnreadableError: it cannot be decoded.
    """
    if scan.layers:
        return grey_if_grey(pdf_layers.render_scan(page, layout, scan))
    return scan.turn.apply(_joined(scan.tiles))


def images_of(
    page: pikepdf.Page, layout: Layout, scan: Scan, cleaned: Pixels
) -> list[tuple[Any, Pixels]]:
    """The images that show a cleaned scan.

    Args:
        page: of the layout.
        layout: what stands on it.
        scan: one of its scans.
        cleaned: of the size of `read_scan`.

    Returns:
        Each image object that changes, with its new pixels as they are stored.
    """
    if scan.layers:
        tiles = pdf_layers.find_paper(layout, scan)
        pixels = _joined(tiles)
        stored = pdf_layers.revise_paper(page, layout, scan, tiles, pixels, cleaned)
    else:
        tiles, stored = scan.tiles, scan.turn.undo(cleaned)
    return [(tile.placement.image, _cut(stored, tile)) for tile in tiles]


def _joined(tiles: tuple[Tile, ...]) -> Pixels:
    """Tiles as one image, as they are stored."""
    if len(tiles) == 1:
        return pdf_images.decode(tiles[0].placement.image)
    decoded = [(tile, pdf_images.decode(tile.placement.image)) for tile in tiles]
    width, height = whole_size(tiles)
    colour = any(pixels.ndim == 3 for _, pixels in decoded)
    whole = np.full((height, width, 3) if colour else (height, width), 255, np.uint8)
    for tile, pixels in decoded:
        whole[tile.rows, tile.columns] = pixels[..., None] if pixels.ndim < whole.ndim else pixels
    return whole


def _cut(whole: Pixels, tile: Tile) -> Pixels:
    return np.ascontiguousarray(whole[tile.rows, tile.columns])
