"""Whole pages in colour, as they were printed and as they should come out of the cleaner.

A page is made of layers: text of many scripts and directions, tables, rules, tints, stamps, crayon,
highlighter, pencil, watermarks, music, codes, pictures. What a layer looks like on the clean page
is decided kind by kind, in the modules beside this one. Nothing here is dirty.
"""

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from pagewash.training.rendering import marks, tints
from pagewash.training.rendering.illustrations import full_picture, picture
from pagewash.training.rendering.layers import Fonts, RenderedPage, blank_page
from pagewash.training.rendering.text import margin_text, music, set_body

SMALLEST_TEXT, LARGEST_TEXT = 10, 34
"""x-heights of body text in pixels."""

FULL_PICTURES = 0.05
"""Share of pages that a picture fills."""

ALMOST_BLANK = 0.04
"""Share of pages with a mark or two, and no text."""

TINTED, RULED, ILLUSTRATED = 0.35, 0.2, 0.3
"""Shares of pages with tints, on ruled paper, with a picture."""

MARKS: tuple[tuple[Callable[[Generator, RenderedPage, Fonts], None], float], ...] = (
    (marks.stamp, 1), (marks.highlighter, 1), (marks.crayon, 1), (marks.pencil, 1),
    (marks.signature, 1), (margin_text, 1), (tints.rules, 1),
    (marks.watermark, 0.4), (marks.code, 0.4), (music, 0.4),
)  # fmt: skip
"""What may stand on a page besides, and how often against the others."""


def render_page(rng: Generator, height: int, width: int, fonts: Fonts) -> RenderedPage:
    """Render a random page.

    Args:
        rng: decides everything.
        height: in pixels.
        width: likewise.
        fonts: for its text.
    """
    text = float(np.exp(rng.uniform(np.log(SMALLEST_TEXT), np.log(LARGEST_TEXT))))
    page = blank_page(height, width, text)
    chance = rng.random()
    if chance < FULL_PICTURES:
        full_picture(rng, page)
    if chance < FULL_PICTURES + ALMOST_BLANK:
        _add_marks(rng, page, fonts, 0.35)
        return page
    if rng.random() < TINTED:
        tints.tints(rng, page)
    if rng.random() < RULED:
        tints.ruled_paper(rng, page)
    set_body(rng, page, fonts)
    if rng.random() < ILLUSTRATED:
        picture(rng, page)
    _add_marks(rng, page, fonts, 0.2)
    return page


def _add_marks(rng: Generator, page: RenderedPage, fonts: Fonts, chance: float) -> None:
    for mark, share in MARKS:
        if rng.random() < chance * share:
            mark(rng, page, fonts)
