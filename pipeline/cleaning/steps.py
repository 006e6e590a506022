"""The steps after the network: what only the whole page can tell, once its tiles are done.

Each is a function of the page as the network was given it and of the page so far; what each is
worth stands in the table of `pagewash.evaluation.ablation`.
"""

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from pagewash.cleaning.despeckling import find_specks, is_bilevel
from pagewash.cleaning.spotless import what_stays
from pagewash.grey import luminance
from pagewash.pages import Pixels

Step = Callable[[Pixels, Pixels], Pixels]
"""From the page as it was scanned, (H, W) or (H, W, 3), and as it is cleaned so far, of the same
shape and free to be changed, to the page that comes out."""


def keep_spotless(scan: Pixels, cleaned: Pixels) -> Pixels:
    """Leave ink on spotless paper as it was scanned."""
    stays = what_stays(scan, cleaned)
    return cleaned if stays is None else np.asarray(cv2.copyTo(scan, stays, cleaned), np.uint8)


def remove_specks(scan: Pixels, cleaned: Pixels) -> Pixels:
    """Paint over the dust of a page of one bit."""
    grey = luminance(scan)
    specks = find_specks(grey) if is_bilevel(grey) else None
    if specks is not None:
        cleaned[specks > 0] = 255
    return cleaned


STEPS: tuple[Step, ...] = (keep_spotless, remove_specks)
"""In the order in which they are taken."""


def after_network(scan: Pixels, cleaned: Pixels, steps: Sequence[Step] = STEPS) -> Pixels:
    """Take a page's stitched tiles to the page that comes out, step by step."""
    for step in steps:
        cleaned = step(scan, cleaned)
    return cleaned
