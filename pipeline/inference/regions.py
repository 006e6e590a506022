"""Rectangles of a page: where they lie in arrays, at other sizes, and what is in them.

Integers and arrays only. Positions are in pixels from the page's top left corner; beyond its edges
the page goes on as its own reflection.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Region:
    """A rectangle of a page, which may reach beyond it."""

    rows: range
    columns: range

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return len(self.rows), len(self.columns)

    @property
    def pixels(self) -> int:
        """Height times width."""
        return len(self.rows) * len(self.columns)

    @property
    def slices(self) -> tuple[slice, slice]:
        """Where it lies in an array; not for one that reaches beyond it."""
        rows, columns = self.rows, self.columns
        return slice(rows.start, rows.stop), slice(columns.start, columns.stop)

    def within(self, outer: "Region") -> "Region":
        """The same rectangle, counted from the corner of another."""
        return Region(
            _shifted(self.rows, -outer.rows.start), _shifted(self.columns, -outer.columns.start)
        )

    def scaled(self, factor: float) -> "Region":
        """The same rectangle at another size of the page.

        Args:
            factor: a power of two; one below 1 must divide the edges.
        """
        return Region(_scaled(self.rows, factor), _scaled(self.columns, factor))

    def in_strides(self, stride: int) -> "Region":
        """What it touches of a map that has one position for every `stride` pixels."""
        return Region(
            range(self.rows.start // stride, -(-self.rows.stop // stride)),
            range(self.columns.start // stride, -(-self.columns.stop // stride)),
        )

    def clipped(self, shape: tuple[int, ...]) -> "Region":
        """What of it lies on a page of this height and width."""
        return Region(_clipped(self.rows, shape[0]), _clipped(self.columns, shape[1]))


def cut_window(page: Array, window: Region) -> Array:
    """Cut a window; what of it lies outside the page is the page's reflection.

    Args:
        page: (H, W) or (H, W, C).
        window: some or all of it lies on the page.

    Returns:
        (height, width) or (height, width, C) of the window; a view of the page where it lies
        inside.
    """
    return _taken(_taken(page, window.rows, 0), window.columns, 1)


def reflect(positions: NDArray[np.intp], length: int) -> NDArray[np.intp]:
    """Turn positions along an axis into positions on the page, mirrored at both of its ends.

    Mirrors as often as it takes, as `numpy.pad(mode="reflect")` does; the outermost pixels are not
    repeated, and a page of one pixel repeats that.
    """
    period = max(2 * (length - 1), 1)
    folded = np.abs(positions) % period
    return np.minimum(folded, period - folded) if length > 1 else np.zeros_like(positions)


def _taken(page: Array, span: range, axis: int) -> Array:
    """Take a span of an axis, reflected where it leaves the page."""
    length = page.shape[axis]
    inside = _clipped(span, length)
    middle = page[inside.start : inside.stop] if axis == 0 else page[:, inside.start : inside.stop]
    if inside == span:
        return middle
    # picking all columns of a 600-dpi page one by one took 95 ms, its ends alone take 10
    ends = (range(span.start, inside.start), range(inside.stop, span.stop))
    before, after = (page.take(reflect(np.arange(e.start, e.stop), length), axis) for e in ends)
    return np.concatenate((before, middle, after), axis)


def _shifted(span: range, by: int) -> range:
    return range(span.start + by, span.stop + by)


def _scaled(span: range, factor: float) -> range:
    return range(int(span.start * factor), int(span.stop * factor))


def _clipped(span: range, length: int) -> range:
    return range(max(span.start, 0), min(span.stop, length))
