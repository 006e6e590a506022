"""Pictures of a page before and after, small enough to stand in an HTML file.

Reads documents and encodes pixels; knows nothing of HTML, but for data URIs.
"""

import base64
import io
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from PIL import Image

from pagewash.geometry.transform import PageTransform, transformed
from pagewash.isolation.document import view_page
from pagewash.pages import Pixels
from pagewash.reporting.closeup import find_closeup
from pagewash.reporting.places import Places

log = logging.getLogger(__name__)

SIDE = 1600
"""Longer side of a whole page, in pixels: the print of an A4 page can be read."""

WHOLE_BYTES, CLOSEUP_BYTES = 120_000, 60_000
"""What one picture may take; noisy scans would take half a megabyte."""

QUALITIES = (60, 30, 10)
"""WebP's, 0 to 100: the first that keeps to the limit, or else the last."""

THUMBNAIL, THUMBNAIL_BYTES = 112, 2_500
"""Longer side of a thumbnail, and what it may take."""


@dataclass(frozen=True)
class BeforeAfter:
    """The same view before and after, as data URIs; None for what is not to be had."""

    width: int
    height: int
    before: str | None = None
    after: str | None = None


@dataclass(frozen=True)
class PagePictures:
    """What can be shown of one page."""

    whole: BeforeAfter | None = None
    """None where neither the scan nor the cleaned page is to be had."""

    closeup: BeforeAfter | None = None
    """Where most ink was lost or added, pixel by pixel."""

    thumbnail: str | None = None
    """Of the cleaned page, or else of the scan."""

    notes: tuple[str, ...] = ()
    """Why something is missing."""


def picture_page(row: Mapping[str, Any], output_index: int, places: Places) -> PagePictures:
    """Take pictures of the page of a row; what cannot be read is told in a note.

    Args:
        row: in the columns of ``records.SCHEMA``; it has a page.
        output_index: of the page in the cleaned document, from 0: that holds chosen pages only.
        places: where to find both.
    """
    notes: list[str] = []
    before = _read(places.scan(row), row["page"] - 1, "scan", "--scans", notes)
    before = None if before is None else as_laid_out(before, row, notes)
    after = _read(places.output(row), output_index, "cleaned page", "--cleaned", notes)
    shown = after if after is not None else before
    if shown is None:
        return PagePictures(notes=tuple(notes))
    if before is not None and after is not None and before.shape[:2] != after.shape[:2]:
        after = _resize(after, before.shape[1], before.shape[0])
    return PagePictures(
        _pair(_within(before, SIDE), _within(after, SIDE), WHOLE_BYTES),
        _closeup(before, after),
        _webp(_shrink(shown, THUMBNAIL), THUMBNAIL_BYTES),
        tuple(notes),
    )


def as_laid_out(scan: Pixels, row: Mapping[str, Any], notes: list[str]) -> Pixels:
    """The scan laid as the cleaned page lies, so that both can be compared; a note says how."""
    boxes = np.reshape(row.get("shown") or [], (-1, 4)).astype(int).tolist()
    angle, turned = row.get("straightened") or 0.0, row.get("turned") or 0
    transform = PageTransform(angle, turned // 90, tuple(map(tuple, boxes)))
    if not transform.changes:
        return scan
    if angle:
        notes.append(f"It leaned by {angle:.2f}°, and was laid straight.")
    if turned:
        notes.append(f"It was turned by {turned}° clockwise.")
    if len(boxes) == 2:
        notes.append("It was split into two pages; the first is shown.")
    elif boxes:
        notes.append(f"It was cut from {row['width']} × {row['height']} px.")
    return transformed(scan, transform)[0]


def _read(path: Any, index: int, what: str, option: str, notes: list[str]) -> Pixels | None:
    if path is None:
        notes.append(f"The {what} is not where it was; name its folder with {option}.")
        return None
    try:
        return view_page(path, index)
    except Exception as error:  # a report tells what went wrong, and must not go wrong with it
        log.debug("no picture of %s", path, exc_info=True)
        notes.append(f"The {what} cannot be shown: {error}")
        return None


def _closeup(before: Pixels | None, after: Pixels | None) -> BeforeAfter | None:
    if before is None or after is None:
        return None
    window = find_closeup(before, after)
    if window is None:
        return None
    return _pair(before[window], after[window], CLOSEUP_BYTES)


def _pair(before: Pixels | None, after: Pixels | None, most: int) -> BeforeAfter:
    one = before if before is not None else after
    assert one is not None
    uris = (None if pixels is None else _webp(pixels, most) for pixels in (before, after))
    return BeforeAfter(one.shape[1], one.shape[0], *uris)


def _within(pixels: Pixels | None, side: int) -> Pixels | None:
    return None if pixels is None else _shrink(pixels, side)


def _shrink(pixels: Pixels, side: int) -> Pixels:
    """The picture with its longer side at most that long."""
    height, width = pixels.shape[:2]
    factor = side / max(height, width)
    if factor >= 1:
        return pixels
    return _resize(pixels, max(1, round(width * factor)), max(1, round(height * factor)))


def _resize(pixels: Pixels, width: int, height: int) -> Pixels:
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _webp(pixels: Pixels, most: int) -> str:
    """A data URI of at most that many bytes before base64, if that can be had."""
    image = Image.fromarray(pixels)
    for quality in QUALITIES:
        file = io.BytesIO()
        image.save(file, "WEBP", quality=quality, method=2)
        if file.tell() <= most:
            break
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"
