"""White that was set around a scan: it tells nothing of the page, and the network does without it.

A program that lays scans onto sheets, or a margin for an OCR engine, must not change what becomes
of the page inside. Arrays only.
"""

import numpy as np

from pagewash.grey import darkest
from pagewash.inference.regions import Region
from pagewash.pages import Pixels

WHITE = 255
"""Nothing else was set around a scan; a JPEG's ripples at its edge count as the scan's."""

WIDEST = 12
"""White wider than this part of the side inside is a page's own, around a picture on it."""

DEPTH = 20
"""Part of the shorter side, along each edge of what may be a scan, that is looked at."""

FILLED = 0.75
"""Share of that which is darker than white on a scan, of toned paper or what lies around it. Text
and frames on a white page fill less, and white around them is their paper."""


def inside_of_white(pixels: Pixels) -> Region | None:
    """Find the scan that narrow white was set around; nothing but 255 is outside.

    Args:
        pixels: (H, W) or (H, W, 3) uint8.

    Returns:
        Where it lies; None where there is no such white, or the page's own.
    """
    if all((line < WHITE).any() for line in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])):
        return None
    dark = darkest(pixels) < WHITE
    filled = [np.flatnonzero(dark.any(axis)) for axis in (1, 0)]
    if not filled[0].size:
        return None
    rows, columns = (range(int(lines[0]), int(lines[-1]) + 1) for lines in filled)
    scan = Region(rows, columns)
    inner = dark[scan.slices]
    depth = max(1, min(inner.shape) // DEPTH)
    edges = (
        (rows.start, len(rows), inner[:depth]),
        (len(dark) - rows.stop, len(rows), inner[-depth:]),
        (columns.start, len(columns), inner[:, :depth]),
        (dark.shape[1] - columns.stop, len(columns), inner[:, -depth:]),
    )
    around = [(white, side, edge) for white, side, edge in edges if white]
    if not around or any(white * WIDEST > side for white, side, _ in around):
        return None
    return scan if all(edge.mean() >= FILLED for _, _, edge in around) else None


def back_in_white(cleaned: Pixels, scan: Region, shape: tuple[int, ...]) -> Pixels:
    """Put white back around a cleaned scan; returns an array of that height and width."""
    whole = np.full((*shape[:2], *cleaned.shape[2:]), 255, np.uint8)
    whole[scan.slices] = cleaned
    return whole
