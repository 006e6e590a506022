"""Pictures of the documents: samples before and after, what stays on rendered pages, every kind of
damage at three levels.

    pagewash clean data/samples cleaned
    python -m pagewash.training.gallery data/samples cleaned data/pictures

It also prints how fast each kind of damage is, in megapixels per second on one thread.
"""

import sys
import time
from pathlib import Path

import cv2
import numpy as np

from pagewash.cleaning.cleaner import Cleaner
from pagewash.evaluation.evaluation_pages import set_evaluation_page
from pagewash.pages import Page
from pagewash.training.rendering.leaves import LeafOptions, find_fonts, make_leaf
from pagewash.training.synthesis.corruption import CORRUPTIONS, Corruption
from pagewash.training.synthesis.fonts import find_typefaces
from pagewash.training.synthesis.ink import InkOptions, spread_ink
from pagewash.training.synthesis.noise import Image, to_bytes
from pagewash.training.synthesis.pictures import photograph

BEFORE_AFTER = ("title-page.jpg", "book-page.jpg", "typed-letter.jpg")
KEPT = LeafOptions(seed=77, heights=(900, 1000), widths=(700, 760), a4=0, landscape=0)
KEPT_LEAVES = (1, 4, 5, 8, 13)
"""Leaves that no training sees, by that seed: tints, highlighter, a picture, stamps, what lies
around a page."""
KEPT_SIZE = 330, 440
DPI = 300.0, 300.0
LEVELS = (0.15, 0.5, 1.0)
SIDE = 190
CAPTION = 18
SPEED_SIDE = 1024


def main() -> None:
    """Write all pictures into the third folder on the command line, and print the table."""
    cv2.setNumThreads(1)
    samples, cleaned, pictures = map(Path, sys.argv[1:4])
    pictures.mkdir(parents=True, exist_ok=True)
    _write(pictures / "before-after.jpg", _before_and_after(samples, cleaned), quality=75)
    _write(pictures / "kept.jpg", _kept(), quality=75)
    _write(pictures / "damage.jpg", _all_damage(), quality=60)
    print("| damage | megapixels per second |\n| --- | ---: |")
    for name, damage in CORRUPTIONS.items():
        print(f"| {name} | {_speed(damage):.0f} |")


def _before_and_after(samples: Path, cleaned: Path) -> np.ndarray:
    """Three samples, each cleaned left of a slanted line and as scanned right of it, in BGR."""
    pages = []
    for name in BEFORE_AFTER:
        before, after = (
            np.asarray(cv2.imread(str(folder / name))) for folder in (samples, cleaned)
        )
        left = np.tri(before.shape[0], before.shape[1], k=-180, dtype=bool)[::-1]
        page = np.vstack([np.where(left[..., None], after, before), _labels(before.shape[1])])
        pages += [page, np.full((page.shape[0], 24, 3), 255, np.uint8)]
    return np.asarray(
        cv2.resize(np.hstack(pages[:-1]), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    )


def _labels(width: int) -> np.ndarray:
    """What is to be seen above, on the left and on the right; (40, width, 3) BGR."""
    strip = np.full((40, width, 3), 255, np.uint8)
    for text, x in (("cleaned", 8), ("as scanned", width - 188)):
        cv2.putText(strip, text, (x, 30), cv2.FONT_HERSHEY_SIMPLEX, 1, (0, 0, 0), 2, cv2.LINE_AA)
    return strip


def _kept() -> np.ndarray:
    """Rendered pages with tints, marks and pictures, as scanned above and cleaned below, in BGR."""
    fonts = find_fonts((Path("/usr/share/fonts"),))
    pages = [make_leaf(number, fonts, None, KEPT)[0].dirty for number in KEPT_LEAVES]
    cleaned = Cleaner.from_pretrained().clean_pages(Page(page, DPI) for page in pages)
    columns = [
        np.vstack([cv2.resize(each, KEPT_SIZE, interpolation=cv2.INTER_AREA) for each in pair])
        for pair in zip(pages, (result.page.pixels for result in cleaned), strict=True)
    ]
    framed = [np.pad(column, ((0, 0), (0, 8), (0, 0)), constant_values=160) for column in columns]
    return np.hstack(framed)[..., ::-1]


def _all_damage() -> np.ndarray:
    """Two columns of captioned rows, a kind of damage each; (H, W, 3) BGR."""
    page = _page()
    rows = [_row(name, damage, page) for name, damage in CORRUPTIONS.items()]
    half = (len(rows) + 1) // 2
    rows += [np.full_like(rows[0], 255)] * (2 * half - len(rows))
    return np.hstack([np.vstack(rows[:half]), np.vstack(rows[half:])])[..., ::-1]


def _write(path: Path, picture: np.ndarray, quality: int) -> None:
    cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, quality])


def _page() -> Image:
    """A crop of text with a picture in its corner, (SIDE, SIDE, 3)."""
    rng = np.random.default_rng(5)
    faces = find_typefaces([Path("/usr/share/fonts")], held_back=True)
    clean_page = set_evaluation_page(rng, 4 * SIDE, 4 * SIDE, faces[:4], (11, 11)).clean_page
    page = (
        1
        - spread_ink(clean_page.ink, 11, rng, InkOptions(bold=0.1, thin=0))[
            70 : 70 + SIDE, 70 : 70 + SIDE
        ]
    )
    page[-70:, -80:] = photograph(rng, 70, 80)
    return np.repeat(page[..., None], 3, axis=2)


def _row(name: str, damage: Corruption, page: Image) -> np.ndarray:
    pictures = [to_bytes(damage(page, np.random.default_rng(8), level)) for level in LEVELS]
    row = np.hstack([np.pad(p, ((0, 4), (0, 4), (0, 0)), constant_values=255) for p in pictures])
    caption = np.full((CAPTION, row.shape[1], 3), 255, np.uint8)
    label = name.replace("_", " ")
    cv2.putText(caption, label, (2, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    return np.vstack([caption, row])


def _speed(damage: Corruption) -> float:
    """Megapixels per second on a grey page, the best of three."""
    page = np.full((SPEED_SIDE, SPEED_SIDE), 0.9, np.float32)
    times = []
    for seed in range(3):
        start = time.perf_counter()
        damage(page, np.random.default_rng(seed), 0.5)
        times.append(time.perf_counter() - start)
    return SPEED_SIDE**2 / 1e6 / min(times)


if __name__ == "__main__":
    main()
