"""Pages made to try whether blank ones are told from written ones: A4 at 150 dpi.

Made ones have plain paper and one or two of paper's faults. Real ones are scans with what was on
them taken off, as they are: their show-through, stains, borders and light are real. Of either kind
others bear one small mark besides.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

HEIGHT, WIDTH = 1754, 1240

PAPER = 0.4
"""A mark is made where what is below it is lighter than this: on the page, not beside it."""

Image = NDArray[np.float32]
"""(HEIGHT, WIDTH), 0 is black, 1 white."""


def blank_page(rng: Generator) -> NDArray[np.uint8]:
    """A page that nobody wrote on, with one or two of paper's faults."""
    page = _plain_paper(rng)
    for fault in rng.choice(len(FAULTS), int(rng.integers(1, 3)), replace=False):
        page = FAULTS[fault](rng, page)
    return _grained(rng, page)


def marked_page(rng: Generator) -> NDArray[np.uint8]:
    """A blank page with one mark: a page number, a pencil mark, a stamp or a faint line."""
    page = _plain_paper(rng)
    if rng.random() < 0.5:
        page = FAULTS[int(rng.integers(len(FAULTS)))](rng, page)
    return _grained(rng, _marked(rng, page))


def real_page(paper: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A page of real paper, reduced or enlarged until it covers A4.

    Args:
        paper: (H, W) grey.
    """
    scale = max(HEIGHT / paper.shape[0], WIDTH / paper.shape[1])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    size = max(WIDTH, round(scale * paper.shape[1])), max(HEIGHT, round(scale * paper.shape[0]))
    large = cv2.resize(paper, size, interpolation=how)
    y, x = (large.shape[0] - HEIGHT) // 2, (large.shape[1] - WIDTH) // 2
    return np.asarray(large[y : y + HEIGHT, x : x + WIDTH], np.uint8)


def marked_real_page(rng: Generator, paper: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A page of real paper with one mark."""
    return _bytes(_marked(rng, _share(real_page(paper))))


def _plain_paper(rng: Generator) -> Image:
    """Paper of one tone, a little cloudy."""
    coarse = rng.normal(0, 0.01, (HEIGHT // 8 + 1, WIDTH // 8 + 1)).astype(np.float32)
    return np.asarray(rng.uniform(0.75, 0.98) + cv2.resize(coarse, (WIDTH, HEIGHT)), np.float32)


def _marked(rng: Generator, page: Image) -> Image:
    """A page with a mark where there is paper; at last anywhere, where there is hardly any."""
    mark = MARKS[int(rng.integers(len(MARKS)))]
    marked = mark(rng, page)
    for _ in range(50):
        below = page[marked < page - 0.02]
        if below.size and below.min() > PAPER:
            break
        marked = mark(rng, page)
    return marked


def _grained(rng: Generator, page: Image) -> NDArray[np.uint8]:
    return _bytes(page + rng.normal(0, rng.uniform(0.004, 0.02), page.shape).astype(np.float32))


def _bytes(page: Image) -> NDArray[np.uint8]:
    return np.asarray(page.clip(0, 1) * 255, np.uint8)


def _text(rng: Generator, text: str, scale: float, thickness: int) -> Image:
    """Ink of a text, 0 to 1, somewhere on the page but not at its edge."""
    ink = np.zeros((HEIGHT, WIDTH), np.uint8)
    x, y = int(rng.integers(120, WIDTH - 400)), int(rng.integers(120, HEIGHT - 120))
    cv2.putText(ink, text, (x, y), cv2.FONT_HERSHEY_DUPLEX, scale, 255, thickness, cv2.LINE_AA)
    return _share(ink)


def _share(ink: NDArray[np.uint8]) -> Image:
    return np.asarray(ink, np.float32) / np.float32(255)


def _inked(page: Image, ink: Image, darkness: float) -> Image:
    return page * (1 - darkness * cv2.GaussianBlur(ink, (0, 0), 0.6))


def _page_number(rng: Generator, page: Image) -> Image:
    text = str(rng.integers(1, 999))
    return _inked(page, _text(rng, text, rng.uniform(0.5, 0.9), 1), rng.uniform(0.5, 0.9))


def _pencil(rng: Generator, page: Image) -> Image:
    ink = np.zeros((HEIGHT, WIDTH), np.uint8)
    x, y = rng.integers(150, WIDTH - 350), rng.integers(150, HEIGHT - 150)
    steps = np.array((x, y)) + rng.normal((6, 0), 8, (14, 2)).cumsum(0)
    cv2.polylines(ink, [np.rint(steps * 8).astype(np.int32)], False, 255, 2, cv2.LINE_AA, 3)
    return _inked(page, _share(ink), rng.uniform(0.3, 0.6))


def _stamp(rng: Generator, page: Image) -> Image:
    ink = _text(rng, "RECEIVED", rng.uniform(0.8, 1.4), 2)
    x, y, wide, high = cv2.boundingRect((ink > 0.2).astype(np.uint8))
    cv2.rectangle(ink, (x - 10, y - 10), (x + wide + 10, y + high + 10), 1.0, 3)
    return _inked(page, ink, rng.uniform(0.3, 0.7))


def _faint_line(rng: Generator, page: Image) -> Image:
    ink = np.zeros((HEIGHT, WIDTH), np.uint8)
    x, y = int(rng.integers(100, WIDTH // 2)), int(rng.integers(150, HEIGHT - 150))
    end = (x + int(rng.integers(150, 500)), y + int(rng.integers(-20, 20)))
    cv2.line(ink, (x, y), end, 255, 2, cv2.LINE_AA)
    return _inked(page, _share(ink), rng.uniform(0.25, 0.5))


def _show_through(rng: Generator, page: Image) -> Image:
    ink = np.zeros((HEIGHT, WIDTH), np.uint8)
    for y in range(150, HEIGHT - 150, 36):
        text = "".join(rng.choice(list("abcdefgh ijklmnop rstuvw"), 60))
        cv2.putText(ink, text, (110, y), cv2.FONT_HERSHEY_DUPLEX, 0.75, 255, 1, cv2.LINE_AA)
    verso = cv2.GaussianBlur(ink[:, ::-1].astype(np.float32) / 255, (0, 0), rng.uniform(1.5, 3))
    return page * (1 - rng.uniform(0.05, 0.2) * verso)


def _holes(rng: Generator, page: Image) -> Image:
    page = page.copy()
    radius, x = int(rng.integers(15, 20)), int(rng.integers(40, 75))
    for y in (HEIGHT // 2 - 236, HEIGHT // 2 + 236):
        cv2.circle(page, (x, y), radius, float(rng.uniform(0.05, 0.3)), -1, cv2.LINE_AA)
    return page


def _rules(rng: Generator, page: Image) -> Image:
    ink = np.zeros((HEIGHT, WIDTH), np.float32)
    for y in range(int(rng.integers(80, 160)), HEIGHT - 60, int(rng.integers(40, 60))):
        cv2.line(ink, (0, y), (WIDTH, y), 1.0, int(rng.integers(1, 3)), cv2.LINE_AA)
    return page * (1 - rng.uniform(0.1, 0.4) * ink)


def _shadow(rng: Generator, page: Image) -> Image:
    reach = rng.uniform(0.05, 0.3) * WIDTH
    fall = 1 - rng.uniform(0.3, 0.7) * np.exp(-np.arange(WIDTH) / reach)
    return page * (fall if rng.random() < 0.5 else fall[::-1]).astype(np.float32)


def _grain(rng: Generator, page: Image) -> Image:
    specks = (rng.random((HEIGHT, WIDTH)) < rng.uniform(1e-5, 2e-4)).astype(np.float32)
    soft = np.asarray(cv2.GaussianBlur(specks, (0, 0), 0.8), np.float32)
    return np.asarray(page * (1 - 2.4 * soft).clip(0, 1), np.float32)


FAULTS: tuple[Callable[[Generator, Image], Image], ...] = (
    _show_through, _holes, _rules, _shadow, _grain,
)  # fmt: skip
"""What paper has without being written on."""

MARKS: tuple[Callable[[Generator, Image], Image], ...] = (
    _page_number, _pencil, _stamp, _faint_line,
)  # fmt: skip
"""What makes a page one that is not blank."""
