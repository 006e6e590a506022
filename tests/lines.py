"""Letters, and pages of text-like lines, made here, turned by known angles."""

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

WORDS = ("pagewash", "cleans", "stained", "and", "yellowed", "pages", "gently", "every", "day")


def set_line(
    page: np.ndarray,
    words: str,
    start: tuple[int, int],
    size: float,
    level: int | tuple[int, int, int] = 0,
    bold: float = 0,
) -> None:
    """Set words on a grey or RGB page, from the start (x, y) of their base line.

    The font is Pillow's own, the same in every version: OpenCV 4 draws other letters than 5.
    Sizes are in pixels; `bold` is what every stroke gains on either side.
    """
    image = Image.fromarray(page)
    font = ImageFont.load_default(size)
    ImageDraw.Draw(image).text(start, words, level, font, anchor="ls", stroke_width=bold)
    page[:] = np.asarray(image)


def lines_page(
    shape: tuple[int, int] = (1100, 800), seed: int = 0, angle: float = 0.0
) -> np.ndarray:
    """A clean page of words in lines, black on white, that rise to the right by some degrees."""
    random = np.random.default_rng(seed)
    page = np.full(shape, 255, np.uint8)
    for y in range(100, shape[0] - 80, 32):
        line = " ".join(random.permutation(WORDS))[: (shape[1] - 150) // 14]
        set_line(page, line, (70, y), 22, bold=0.4)
    return turned(page, angle)


def turned(page: np.ndarray, angle: float) -> np.ndarray:
    """The page turned anticlockwise about its middle; what comes in is white."""
    height, width = page.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1)
    white = (255, 255, 255)
    return cv2.warpAffine(page, matrix, (width, height), flags=cv2.INTER_CUBIC, borderValue=white)
