"""A picture of every kind of damage at three levels, and how fast each is.

    python -m pipeline.learning.gallery data/pictures/damage.jpg

prints a table of megapixels per second, measured on one thread.
"""

import sys
import time
from pathlib import Path

import cv2
import numpy as np

from pipeline.learning.corruption import CORRUPTIONS, Corruption
from pipeline.learning.fonts import find_typefaces
from pipeline.learning.ink import InkOptions, press
from pipeline.learning.noise import Image, to_bytes
from pipeline.learning.pictures import photograph
from pipeline.learning.specimens import set_specimen

LEVELS = (0.15, 0.5, 1.0)
SIDE = 190
CAPTION = 18
SPEED_SIDE = 1024


def main() -> None:
    """Write the picture to the path on the command line, and print the table."""
    cv2.setNumThreads(1)
    page = _page()
    rows = [_row(name, damage, page) for name, damage in CORRUPTIONS.items()]
    half = (len(rows) + 1) // 2
    rows += [np.full_like(rows[0], 255)] * (2 * half - len(rows))
    sheet = np.hstack([np.vstack(rows[:half]), np.vstack(rows[half:])])
    Path(sys.argv[1]).parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(sys.argv[1], sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 60])
    print("| damage | megapixels per second |\n| --- | ---: |")
    for name, damage in CORRUPTIONS.items():
        print(f"| {name} | {_speed(damage):.0f} |")


def _page() -> Image:
    """A crop of text with a picture in its corner, (SIDE, SIDE, 3)."""
    rng = np.random.default_rng(5)
    faces = find_typefaces([Path("/usr/share/fonts")], held_back=True)
    sheet = set_specimen(rng, 4 * SIDE, 4 * SIDE, faces[:4], (11, 11)).sheet
    page = (
        1 - press(sheet.ink, 11, rng, InkOptions(bold=0.1, thin=0))[70 : 70 + SIDE, 70 : 70 + SIDE]
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
