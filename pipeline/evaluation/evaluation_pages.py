"""Whole pages of known text in faces that no training saw: to judge by, and to show.

    python -m pagewash.evaluation.evaluation_pages degraded 12 77 /usr/share/fonts

writes twelve degraded A4 pages at 300 dpi below `degraded`, by seed 77, for `pagewash evaluate`.

The texts are openings of novels in the public domain, none of them among the
texts that training pages are set in.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from pagewash.errors import AccessError
from pagewash.training.synthesis.corruption import (
    NEVER,
    CorruptionOptions,
    DegradationChance,
    DegradationChances,
    DirtyAndClean,
    corrupt,
)
from pagewash.training.synthesis.fonts import Typeface, find_typefaces
from pagewash.training.synthesis.ink import InkOptions
from pagewash.training.synthesis.noise import Image, to_bytes
from pagewash.training.synthesis.typesetting import CleanPage, x_height_font

PROSE = (
    # Jane Austen, Pride and Prejudice, 1813
    """
    It is a truth universally acknowledged, that a single man in possession of a good
    fortune, must be in want of a wife. However little known the feelings or views of such a
    man may be on his first entering a neighbourhood, this truth is so well fixed in the
    minds of the surrounding families, that he is considered as the rightful property of
    some one or other of their daughters. "My dear Mr. Bennet," said his lady to him one
    day, "have you heard that Netherfield Park is let at last?" Mr. Bennet replied that he
    had not. "But it is," returned she; "for Mrs. Long has just been here, and she told me
    all about it." Mr. Bennet made no answer. "Do not you want to know who has taken it?"
    cried his wife impatiently. "You want to tell me, and I have no objection to hearing
    it." This was invitation enough. "Why, my dear, you must know, Mrs. Long says that
    Netherfield is taken by a young man of large fortune from the north of England; that he
    came down on Monday in a chaise and four to see the place, and was so much delighted
    with it that he agreed with Mr. Morris immediately; that he is to take possession before
    Michaelmas, and some of his servants are to be in the house by the end of next week."
    """,
    # Charles Dickens, A Tale of Two Cities, 1859
    """
    It was the best of times, it was the worst of times, it was the age of wisdom, it was
    the age of foolishness, it was the epoch of belief, it was the epoch of incredulity, it
    was the season of Light, it was the season of Darkness, it was the spring of hope, it
    was the winter of despair, we had everything before us, we had nothing before us, we
    were all going direct to Heaven, we were all going direct the other way. In short, the
    period was so far like the present period, that some of its noisiest authorities
    insisted on its being received, for good or for evil, in the superlative degree of
    comparison only. There were a king with a large jaw and a queen with a plain face, on
    the throne of England; there were a king with a large jaw and a queen with a fair face,
    on the throne of France. In both countries it was clearer than crystal to the lords of
    the State preserves of loaves and fishes, that things in general were settled for ever.
    """,
    # Lewis Carroll, Alice's Adventures in Wonderland, 1865
    """
    Alice was beginning to get very tired of sitting by her sister on the bank, and of
    having nothing to do: once or twice she had peeped into the book her sister was reading,
    but it had no pictures or conversations in it, "and what is the use of a book," thought
    Alice, "without pictures or conversations?" So she was considering in her own mind, as
    well as she could, for the hot day made her feel very sleepy and stupid, whether the
    pleasure of making a daisy-chain would be worth the trouble of getting up and picking
    the daisies, when suddenly a White Rabbit with pink eyes ran close by her. There was
    nothing so very remarkable in that; nor did Alice think it so very much out of the way
    to hear the Rabbit say to itself, when she thought it over afterwards, it occurred to
    her that she ought to have wondered at this, but at the time it all seemed quite
    natural; but when the Rabbit actually took a watch out of its waistcoat-pocket, and
    looked at it, and then hurried on, Alice started to her feet.
    """,
)


SEVERE = CorruptionOptions(
    DegradationChances(
        faded_ink=DegradationChance(0.3, 0.6),
        show_through=DegradationChance(0.8, 0.9, 0.7),
        yellowing=DegradationChance(0.9, 1, 0.7),
        uneven_paper=DegradationChance(0.8, 1, 0.7),
        texture=DegradationChance(0.8),
        stains=DegradationChance(0.7, 1, 0.7),
        folds=DegradationChance(0.4),
        wrinkles=DegradationChance(0.2, 0.8),
        footprints=DegradationChance(0.15, 0.8),
        dust=DegradationChance(0.6),
        uneven_light=DegradationChance(0.6),
        shadow=DegradationChance(0.5),
        blur=DegradationChance(0.5, 0.4),
        grain=DegradationChance(0.4, 0.6),
        gaussian=DegradationChance(0.8, 0.5, 0.7),
        speckle=DegradationChance(0.3, 0.5),
        salt_and_pepper=DegradationChance(0.15, 0.5),
        jpeg=DegradationChance(0.6, 0.7),
        broken_ink=NEVER,
        dark_borders=NEVER,
        streaks=NEVER,
        rescaling=NEVER,
        tone=NEVER,
        impulse=NEVER,
        masking=NEVER,
        thresholding=NEVER,
        dithering=NEVER,
    ),
    clean=0,
    severe=0,
    backing=0,
    ink=InkOptions(hairlines=0, pale=0),
)
"""Damage for pages to judge by: each of them has much more of it than pages usually have. What
training has learned to do since they were first drawn is left out, so that they stay the same."""

A4_AT_300_DPI = (3508, 2480)
"""Height and width in pixels."""


LEGIBLE = 0.5
"""Darkness, in 0..1, that ink has on a clean page at least: where ink spreads unevenly, hairlines
fall apart, and no cleaning could make them legible."""


@dataclass(frozen=True)
class EvaluationPage:
    """A clean page and the text that stands on it."""

    clean_page: CleanPage
    text: str
    """Its lines as on the page, in reading order."""


def set_evaluation_page(
    rng: Generator,
    height: int,
    width: int,
    faces: Sequence[Typeface],
    x_heights: tuple[float, float] = (17.0, 30.0),
) -> EvaluationPage:
    """Set a page of prose in one face and size, both by chance.

    Args:
        rng: chooses text, face, size and leading.
        height: of the page in pixels.
        width: of the page in pixels.
        faces: to choose from; only text and typewriter faces are used.
        x_heights: smallest and largest in pixels; 17 to 30 are 8 to 14 points at 300 dpi.
    """
    readable = [face for face in faces if face.kind in ("text", "mono")]
    x_height = float(rng.uniform(*x_heights))
    font = x_height_font(readable[int(rng.integers(0, len(readable)))], x_height)
    passage = PROSE[int(rng.integers(0, len(PROSE)))]
    canvas = PillowImage.new("L", (width, height))
    draw = ImageDraw.Draw(canvas)
    margin = round(width * 0.1)
    leading = x_height * rng.uniform(2.4, 3.2)
    lines = wrap(f"{passage} " * 12, font, width - 2 * margin)
    lines = lines[: int((height - 2 * margin) / leading)]
    for number, line in enumerate(lines):
        draw.text((margin, margin + number * leading), line, 255, font)
    ink = np.asarray(canvas, np.float32) * np.float32(1 / 255)
    return EvaluationPage(CleanPage(ink, np.ones_like(ink), None, x_height), "\n".join(lines))


def wrap(text: str, font: ImageFont.FreeTypeFont, width: float) -> list[str]:
    """Break text into lines of at most `width` pixels."""
    lines, line = [], ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if font.getlength(longer) > width and line:
            lines.append(line)
            longer = word
        line = longer
    return [*lines, line] if line else lines


def write_evaluation_pages(
    folder: Path,
    count: int,
    seed: int,
    faces: Sequence[Typeface],
    size: tuple[int, int] = A4_AT_300_DPI,
) -> None:
    """Write pages to judge by, with their text: in `folder/dirty`, and clean in `folder/clean`.

    Args:
        folder: gets `dirty/page-NN.png` and `dirty/page-NN.gt.txt`, and the same in `clean/`.
        count: how many pages.
        seed: decides all of them.
        faces: to set them in; for a fair judgement those held back from training.
        size: height and width in pixels; sizes of type are those of A4 at 300 dpi.

    Raises:
        AccessError: a file cannot be written.
    """
    dirty, clean = folder / "dirty", folder / "clean"
    for target in (dirty, clean):
        target.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        page, pair = _legible_page((seed, number), faces, size)
        for target, pixels in ((dirty, pair.dirty), (clean, pair.clean)):
            _write(target / f"page-{number:02d}.png", pixels)
            (target / f"page-{number:02d}.gt.txt").write_text(page.text, encoding="utf-8")


def _legible_page(
    seed: Sequence[int], faces: Sequence[Typeface], size: tuple[int, int]
) -> tuple[EvaluationPage, DirtyAndClean]:
    """The first of the pages that a seed draws whose clean page can be read."""
    rng = np.random.default_rng(seed)
    while True:
        page, verso = (set_evaluation_page(rng, *size, faces) for _ in range(2))
        pair = corrupt(page.clean_page, verso.clean_page, rng, SEVERE)
        ink = page.clean_page.ink > 0.9
        if (1 - pair.clean)[ink].mean() >= LEGIBLE:
            return page, pair


def _write(path: Path, pixels: Image) -> None:
    if not cv2.imwrite(str(path), to_bytes(pixels)):
        raise AccessError(f"{path} cannot be written; choose another folder, or make room")


def main() -> None:
    """Write evaluation pages: folder, count, seed and folders of fonts are arguments."""
    folder, count, seed, *fonts = sys.argv[1:]
    faces = find_typefaces([Path(font) for font in fonts], held_back=True)
    write_evaluation_pages(Path(folder), int(count), int(seed), faces)


if __name__ == "__main__":
    main()
