"""By how much the lines of a page lean.

Arrays only. The upper and lower edges of strokes are projected along every angle: where the angle
is that of the lines, edges fall on each other, and the profile has its highest peaks (W. Postl,
Detection of Linear Oblique Structures and Skew Scan in Digitized Documents, ICPR 1986). Lines may
run across the page or down it, as in vertical setting.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pagewash.geometry.orientation import LONG_SIDE
from pagewash.measuring.strokes import Strokes, find_strokes, reduce, reduction_to

LARGEST_SKEW = 15.0
"""Degrees to either side that are searched; what leans more was laid down that way."""

COARSE_STEP, FINE_STEP = 0.25, 0.08
"""Degrees between the angles tried, first everywhere, then around the best. Everywhere, every other
one is tried, and the others beside the `HIGHEST`."""

HIGHEST = 3
"""Angles of every other one whose neighbours are tried too."""

LONGEST_EDGE = 100
"""Edge pixels of one stroke that count, at most: a fold or a border is one stroke and does not
outweigh words, of which a line has several."""

SHOULDER = 0.6
"""Angles with more than this share of the highest energy make up the peak, whose middle counts:
lines of one page differ by tenths of a degree."""

MOST_EDGES, FEW_EDGES = 60_000, 15_000
"""Edge pixels that are projected, at most, around the best angle and everywhere."""

FEWEST_EDGES = 400
"""Below so many edge pixels, chance makes peaks as high as lines do."""

WEAK = 4.0
"""Peaks that are so many times as high as at other angles count for nothing; blots make them."""

DISAGREEMENT = 0.8
"""Degrees between the halves of a page from which on its lines have no one angle: a curved page, a
photograph in perspective."""

SURE = 0.6
"""Confidence from which on a page may be turned: peaks ten times as high as at other angles, the
same angle in both halves within 0.3 degrees, and none nearly as strong in the other direction."""


ALIKE, LONE = 6, 0.25
"""Peaks that are higher than the so-many-th highest, and than that share of the highest, count for
no more than these: a fold has two long edges, at whatever angle it lies, and text dozens of lines.
"""


@dataclass(frozen=True)
class Skew:
    """How the lines of a page lean."""

    angle: float
    """Degrees by which lines rise to the right (below 0: fall), -15 to 15. Turned clockwise by as
    much, the page is straight. 0 where nothing was found."""

    confidence: float
    """0 (no lines were found) to 1."""

    vertical: bool = False
    """Lines run down the page; they lean by the same angle."""


NO_SKEW = Skew(0.0, 0.0)


def find_skew(page: np.ndarray, strokes: Strokes | None = None) -> Skew:
    """Measure the angle of the lines on a page.

    Misleads where lines are curved or run in several directions, as on photographs of open books;
    confidence falls there.

    Args:
        page: (H, W) uint8 grey or (H, W, 3) RGB, best cleaned: borders and stains have edges too.
        strokes: those of the page at its working size, where they are known already.

    Returns:
        The angle and how sure it is; `NO_SKEW` for a page without enough strokes.
    """
    factor = reduction_to(max(page.shape[:2]), LONG_SIDE)
    if min(page.shape[:2]) // factor < 32:
        return NO_SKEW
    if strokes is None or max(strokes.mask.shape) <= LONG_SIDE // 2:
        strokes = find_strokes(_at_working_size(page, factor))
    mask, labels = strokes.mask, strokes.components.labels
    across = _search(_edges(mask, labels))
    down = _search(_edges(np.ascontiguousarray(mask.T), labels.T))
    best, other = (across, down) if across.strength >= down.strength else (down, across)
    if not best.strength:
        return NO_SKEW
    peak = _refine(best)
    doubt = _conflict(peak, other)
    vertical = best is down
    return Skew(-peak.angle if vertical else peak.angle, peak.confidence * (1 - doubt), vertical)


def _at_working_size(page: np.ndarray, factor: int) -> np.ndarray:
    """Grey and reduced; a small page enlarged, for edges that lie between pixels."""
    grey = reduce(page, factor)
    if max(grey.shape) > LONG_SIDE // 2:
        return grey
    return cv2.resize(grey, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)


@dataclass(frozen=True)
class _Edges:
    """Edge pixels of strokes: (N,) columns from the middle, rows, and 1 below a stroke, else -1."""

    x: NDArray[np.float32]
    y: NDArray[np.float32]
    sign: NDArray[np.float64]

    def some(self, most: int) -> "_Edges":
        """A regular choice of at most so many."""
        return self.where(slice(None, None, max(1, -(-len(self.x) // most))))

    def where(self, chosen: slice | NDArray[np.bool_]) -> "_Edges":
        """Those that are chosen."""
        return _Edges(self.x[chosen], self.y[chosen], self.sign[chosen])


@dataclass(frozen=True)
class _Peak:
    """The angle at which lines show, along one direction."""

    edges: _Edges
    angle: float
    strength: float
    """How many times as high its peaks are as those of the middle one of all angles; 0 for none."""

    confidence: float = 0.0


def _edges(strokes: np.ndarray, labels: np.ndarray) -> _Edges:
    """Where strokes begin and end along columns; labels tell which stroke a pixel is of."""
    first, last = cv2.subtract(strokes[1:], strokes[:-1]), cv2.subtract(strokes[:-1], strokes[1:])
    places = [cv2.findNonZero(mask) for mask in (first, last)]
    x, y = np.concatenate(
        [place.reshape(-1, 2) for place in places if place is not None] or [_NOWHERE]
    ).T
    sign = np.ones(len(x))
    sign[: 0 if places[0] is None else places[0].size // 2] = -1
    centre = np.float32(strokes.shape[1] / 2)
    edges = _Edges(x.astype(np.float32) - centre, y.astype(np.float32), sign)
    return edges.where(_few_of_each(labels[y + (sign < 0), x])).some(MOST_EDGES)


def _few_of_each(labels: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Choose at most `LONGEST_EDGE` of each label, all along its stroke."""
    counts = np.bincount(labels)
    every = -(-counts // LONGEST_EDGE)
    order = np.argsort(labels, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(labels)) - (np.cumsum(counts) - counts)[labels[order]]
    chosen: NDArray[np.bool_] = rank % np.maximum(every, 1)[labels] == 0
    return chosen


_NOWHERE = np.zeros((0, 2), np.int32)


def _search(edges: _Edges) -> _Peak:
    """Look everywhere, roughly."""
    if len(edges.x) < FEWEST_EDGES:
        return _Peak(edges, 0.0, 0.0)
    some = edges.some(FEW_EDGES)
    angles = np.arange(-LARGEST_SKEW, LARGEST_SKEW + COARSE_STEP, 2 * COARSE_STEP)
    energy = _energies(some, angles)
    usual = max(1.0, np.median(energy))  # edges that cancel out at most angles have none
    highest = angles[np.argsort(energy)[-HIGHEST:]]
    angles = np.unique(highest[:, None] + COARSE_STEP * np.array([-1, 0, 1]))
    angles = angles[np.abs(angles) <= LARGEST_SKEW]
    energy = _energies(some, angles)
    return _Peak(edges, float(angles[energy.argmax()]), float(energy.max() / usual))


def _refine(peak: _Peak) -> _Peak:
    """The angle with all edges, and how far both halves of the lines agree about it."""
    edges, angle = peak.edges, _middle(peak.edges, peak.angle)
    upper = edges.y < np.median(edges.y)
    halves = [_middle(edges.where(half).some(MOST_EDGES // 4), angle) for half in (upper, ~upper)]
    agreement = 1 - abs(halves[0] - halves[1]) / DISAGREEMENT
    certain = max(0.0, min(1 - WEAK / peak.strength, agreement))
    inside = abs(angle) < LARGEST_SKEW - COARSE_STEP
    return _Peak(edges, angle, peak.strength, certain if inside else 0.0)


def _middle(edges: _Edges, near: float) -> float:
    """The middle of the peak near an angle; the angle itself where half a page has no edges."""
    if not len(edges.x):
        return near
    angles = near + np.arange(-10, 11) * FINE_STEP
    energy = _energies(edges, np.asarray(angles, np.float64))
    above = np.maximum(energy - SHOULDER * energy.max(), 0)
    return float(above @ angles / above.sum())


def _conflict(peak: _Peak, other: _Peak) -> float:
    """How much speaks for another angle in the other direction, 0 to 1."""
    if abs(peak.angle + other.angle) < 2 * COARSE_STEP or other.strength < WEAK:
        return 0.0
    return other.strength / peak.strength


def _energies(edges: _Edges, angles: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """How high the peaks of the profile along each angle are."""
    return np.array([_energy(edges, angle) for angle in angles])


def _energy(edges: _Edges, angle: float) -> float:
    rows = edges.x * np.float32(np.tan(np.radians(angle)))
    rows += edges.y
    rows -= rows.min()
    profile = np.bincount(rows.astype(np.intp), edges.sign)
    soft = np.abs(profile[1:] + profile[:-1])  # else rows of pixels would draw angles to 0
    if soft.size > ALIKE:
        most = max(np.partition(soft, -ALIKE)[-ALIKE], LONE * soft.max())
        np.minimum(soft, most, out=soft)
    return float(np.dot(soft, soft))
