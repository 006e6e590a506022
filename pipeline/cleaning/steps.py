"""The steps after the network: what only the whole page can tell, once its tiles are done."""

import cv2
import numpy as np

from pagewash.cleaning.colour import recolour
from pagewash.cleaning.despeckling import find_specks, is_bilevel
from pagewash.cleaning.faint import keep_faint
from pagewash.cleaning.pictures import find_pictures, on_white_paper
from pagewash.cleaning.spotless import Mask, what_stays
from pagewash.grey import luminance
from pagewash.inference.batches import PageState
from pagewash.options import ColorName
from pagewash.pages import Page, Pixels


def after_network(state: PageState, sees_colour: bool, color: ColorName) -> Pixels:
    """Take a page's stitched tiles to the page that comes out.

    Args:
        state: the page, its tiles done; their pixels may be changed here.
        sees_colour: whether the network cleaned its colours too. If it saw luminance alone, faint
            strokes, pictures and hues are seen to here.
        color: what the page is to keep; all but "keep" is grey.

    Returns:
        (H, W) or (H, W, 3), as the page came in unless `color` says otherwise.
    """
    scan, cleaned, pictures = state.pixels, state.cleaned, []
    if not sees_colour:
        cleaned = keep_faint(scan, cleaned)
        pictures = find_pictures(scan, cleaned)
    grey = luminance(state.pixels)
    stays = what_stays(grey, luminance(cleaned), pictures)
    if not sees_colour and color == "keep" and state.page.channels == 3:
        scan, cleaned = state.page.pixels, recolour(state.page.pixels, cleaned)
    cleaned = _give_back(scan, cleaned, stays)
    for picture in pictures:
        cleaned[picture] = on_white_paper(scan, cleaned, picture)
    specks = find_specks(grey) if is_bilevel(grey) else None
    if specks is not None:
        cleaned[specks > 0] = 255
    return _in_channels(cleaned, state.page, color)


def _give_back(scan: Pixels, cleaned: Pixels, stays: Mask | None) -> Pixels:
    """The cleaned page, as it was scanned where it is to stay so."""
    return cleaned if stays is None else np.asarray(cv2.copyTo(scan, stays, cleaned), np.uint8)


def _in_channels(cleaned: Pixels, page: Page, color: ColorName) -> Pixels:
    """Grey where that was asked for, otherwise in as many channels as the page had."""
    if color != "keep":
        return luminance(cleaned)
    if page.channels == 3 and cleaned.ndim == 2:
        return np.repeat(cleaned[..., None], 3, axis=2)
    return cleaned
