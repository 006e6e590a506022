"""Images of a PDF page that lie side by side, as one.

Scanners cut a page into strips or tiles. Geometry only: nothing is decoded.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pagewash.documents.pdf_layout import Placement

_GAP = 2.0  # px between neighbours, or overlap of them
_SAME = 0.01  # relative difference of resolutions
_FILLED = (0.98, 1.1)  # of their bounding box: neighbours may overlap a little
_MOST = 500  # on one page; more are no scan


@dataclass(frozen=True)
class Tile:
    """One image and where it lies among its neighbours."""

    placement: Placement
    x: int = 0
    """Pixels from the left edge of the whole, in the frame of the stored pixels."""

    y: int = 0
    """Pixels from the top."""

    @property
    def rows(self) -> slice:
        """Rows of the whole that it holds."""
        return slice(self.y, self.y + self.placement.size[1])

    @property
    def columns(self) -> slice:
        """Columns of the whole that it holds."""
        return slice(self.x, self.x + self.placement.size[0])


def join_tiles(placements: Sequence[Placement]) -> list[list[Tile]]:
    """Group images that lie edge to edge and fill a rectangle; any other is a group alone."""
    if len(placements) > _MOST:
        return [[Tile(placement)] for placement in placements]
    groups: list[list[Tile]] = []
    for frame in _by_frame(placements):
        for members in _neighbours(frame):
            tiles = _tiles(members)
            groups += [tiles] if _fill_a_rectangle(tiles) else [[Tile(one)] for one in members]
    return groups


def whole_size(tiles: Sequence[Tile]) -> tuple[int, int]:
    """Width and height in pixels of a group."""
    return max(tile.columns.stop for tile in tiles), max(tile.rows.stop for tile in tiles)


def _by_frame(placements: Sequence[Placement]) -> list[list[Placement]]:
    """Images of the same direction, resolution and kind."""
    frames: list[list[Placement]] = []
    for placement in placements:
        for frame in frames:
            if _alike(frame[0], placement):
                frame.append(placement)
                break
        else:
            frames.append([placement])
    return frames


def _alike(one: Placement, other: Placement) -> bool:
    axes = np.array([one.across, one.down]), np.array([other.across, other.down])
    apart = np.abs(axes[0] - axes[1]).max()
    return one.is_stencil == other.is_stencil and bool(apart <= _SAME * np.abs(axes[0]).max())


def _neighbours(frame: list[Placement]) -> Iterator[list[Placement]]:
    """Groups of images that touch, directly or by others."""
    boxes = _boxes(frame)
    left = list(range(len(frame)))
    while left:
        group, border = [], [left.pop(0)]
        while border:
            one = border.pop()
            group.append(one)
            touching = [other for other in left if _touch(boxes[one], boxes[other])]
            left = [other for other in left if other not in touching]
            border += touching
        yield [frame[index] for index in sorted(group)]


def _boxes(frame: Sequence[Placement]) -> np.ndarray:
    """(N, 4) left, top, right, bottom in pixels, in the frame of the first image."""
    first = frame[0]
    axes = np.array([first.across, first.down]).T
    origins = np.array([placement.origin for placement in frame]) - first.origin
    try:
        corners = np.linalg.solve(axes, origins.T).T
    except np.linalg.LinAlgError:  # drawn flat
        corners = np.full((len(frame), 2), np.nan)
    return np.hstack([corners, corners + [placement.size for placement in frame]])


def _touch(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two boxes have an edge in common, or nearly."""
    wide, high = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    width, height = np.minimum(one[2:] - one[:2], other[2:] - other[:2])
    beside = abs(wide) <= _GAP and high > min(_GAP, height / 2)
    return bool(beside or (abs(high) <= _GAP and wide > min(_GAP, width / 2)))


def _tiles(members: list[Placement]) -> list[Tile]:
    boxes = _boxes(members)
    if len(members) == 1 or not np.isfinite(boxes).all():
        return [Tile(member) for member in members]
    corners = np.round(boxes[:, :2] - boxes[:, :2].min(axis=0)).astype(int)
    return [Tile(member, int(x), int(y)) for member, (x, y) in zip(members, corners, strict=True)]


def _fill_a_rectangle(tiles: Sequence[Tile]) -> bool:
    width, height = whole_size(tiles)
    area = sum(tile.placement.size[0] * tile.placement.size[1] for tile in tiles)
    return _FILLED[0] <= area / (width * height) <= _FILLED[1]
