"""Train the tiny network that tells which way up a page lies.

    pagewash clean SCANS CLEANED --color gray
    python -m pagewash.training.orientation CLEANED OUT.safetensors --not-upright A.png B.png

learns from windows of cleaned pages that lie upright, and of words set in the scripts that this
machine has fonts for. Windows are turned by quarters at random, and shifted and resized, lest their
exact middle give the answer away.
"""

import argparse
import logging
import subprocess
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from pagewash.errors import InputError
from pagewash.evaluation.cases import read_image
from pagewash.geometry.orientation import WINDOW, windows
from pagewash.models.orientation import OrientationNetwork
from pagewash.training.synthesis.text_corpus import words

log = logging.getLogger(__name__)

SCRIPTS: dict[str, tuple[int, int]] = {
    "el": (0x391, 0x3C9), "ru": (0x410, 0x44F), "hy": (0x531, 0x586), "ka": (0x10D0, 0x10F0),
    "he": (0x5D0, 0x5EA), "ar": (0x621, 0x64A), "hi": (0x905, 0x94D), "bn": (0x985, 0x9CD),
    "ta": (0xB85, 0xBCD), "te": (0xC05, 0xC4D), "kn": (0xC85, 0xCCD), "ml": (0xD05, 0xD4D),
    "gu": (0xA85, 0xACD), "pa": (0xA05, 0xA4D), "th": (0xE01, 0xE4C), "lo": (0xE81, 0xECD),
    "km": (0x1780, 0x17D2), "my": (0x1000, 0x103A), "si": (0xD85, 0xDDF), "am": (0x1200, 0x1300),
    "bo": (0xF40, 0xFBC), "ja": (0x3041, 0x30F6), "zh": (0x4E00, 0x7000), "ko": (0xAC00, 0xC800),
}  # fmt: skip
"""First and last code point of letters of each script, by fontconfig's name of a language."""


@dataclass(frozen=True)
class OrientationTraining:
    """How the network is trained."""

    steps: int = 4000
    batch: int = 256
    learning_rate: float = 4e-3
    rendered_pages: int = 900
    windows_of_a_page: int = 150
    seed: int = 0


def train(pages: Sequence[Path], options: OrientationTraining) -> OrientationNetwork:
    """Train on pages that lie upright.

    Raises:
        InputError: none of them has letters.
    """
    rng = np.random.default_rng(options.seed)
    torch.manual_seed(options.seed)
    real = [windows(read_image(path)[0], options.windows_of_a_page) for path in pages]
    shown = np.concatenate([*real, *_rendered(rng, options.rendered_pages)])
    if not len(shown):
        raise InputError("no page has letters to learn from; name a folder of cleaned pages")
    network = OrientationNetwork()
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, options.learning_rate, total_steps=options.steps
    )
    for step in range(options.steps):
        turns = rng.integers(0, 4, options.batch)
        chosen = shown[rng.integers(0, len(shown), options.batch)]
        batch = np.stack([np.rot90(one, -turn) for one, turn in zip(chosen, turns, strict=True)])
        seen = _varied(rng, torch.from_numpy(batch).float()[:, None] / 255)
        loss = F.cross_entropy(network(seen), torch.from_numpy(turns), label_smoothing=0.05)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 200 == 199:
            log.info("step %d: loss %.3f", step + 1, loss.item())
    return network.eval()


def _varied(rng: Generator, seen: Tensor) -> Tensor:
    """Windows with bolder or thinner strokes, resized, and shifted: (N, 1, WINDOW, WINDOW)."""
    kind = rng.random()
    if kind < 0.2:
        seen = 0.6 * F.max_pool2d(seen, 3, 1, 1) + 0.4 * seen
    elif kind < 0.4:
        seen = -0.6 * F.max_pool2d(-seen, 3, 1, 1) + 0.4 * seen
    scale = float(rng.uniform(0.75, 1.35))
    side = round(WINDOW * scale)
    seen = F.interpolate(seen, size=(side, side), mode="bilinear", antialias=scale < 1)
    room = max(0, WINDOW + 8 - side)
    seen = F.pad(seen, (room // 2, room - room // 2, room // 2, room - room // 2))
    middle = (seen.shape[2] - WINDOW) // 2
    y, x = middle + rng.integers(-4, 5, 2)
    y, x = (int(min(max(place, 0), seen.shape[2] - WINDOW)) for place in (y, x))
    return seen[:, :, y : y + WINDOW, x : x + WINDOW]


def _rendered(rng: Generator, count: int) -> Iterator[NDArray[np.uint8]]:
    """Windows of words in many scripts, a quarter of them in Latin ones."""
    fonts = {script: _fonts(script) for script in ("en", *SCRIPTS)}
    scripts = [script for script in SCRIPTS if fonts[script]]
    for number in range(count):
        script = "en" if number % 4 == 0 or not scripts else scripts[number % len(scripts)]
        if fonts[script]:
            try:
                yield windows(_page(rng, script, fonts[script]), 60)
            except (OSError, ValueError):
                log.debug("a font cannot set %s", script, exc_info=True)


def _fonts(language: str) -> list[str]:
    asked = ["fc-list", f":lang={language}", "file"]
    found = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()
    names = sorted({name.strip().rstrip(":") for name in found})
    return [name for name in names if name.endswith((".ttf", ".otf", ".ttc"))]


def _page(rng: Generator, script: str, fonts: Sequence[str]) -> NDArray[np.uint8]:
    """(700, 900) grey: lines of words, a little turned and blurred."""
    size = int(rng.integers(18, 45))
    font = ImageFont.truetype(fonts[int(rng.integers(len(fonts)))], size)
    image = Image.new("L", (900, 700), 255)
    draw, y, lead = ImageDraw.Draw(image), 20.0, size * rng.uniform(1.15, 2)
    while y < 640:
        line = ""
        for word in words(rng, 14) if script == "en" else _words(rng, script, 14):
            if draw.textlength(f"{line} {word}", font=font) > 840:
                break
            line = f"{line} {word}"
        draw.text((20, y), line, font=font, fill=0)
        y += lead
    soft = cv2.GaussianBlur(np.array(image), (0, 0), rng.uniform(0.3, 1.2))
    turn = cv2.getRotationMatrix2D((450, 350), rng.uniform(-4, 4), 1)
    return np.asarray(cv2.warpAffine(soft, turn, (900, 700), borderValue=(255,)), np.uint8)


def _words(rng: Generator, script: str, count: int) -> Iterator[str]:
    """Words of random letters, every other one with a mark where the script has marks."""
    first, last = SCRIPTS[script]
    known = [chr(code) for code in range(first, last + 1)]
    letters = [sign for sign in known if unicodedata.category(sign)[0] == "L"]
    marks = [sign for sign in known if unicodedata.category(sign) in ("Mn", "Mc")]
    lengths = (5, 20) if script in ("zh", "ja") else (2, 8)
    for _ in range(count):
        word = ""
        for _ in range(int(rng.integers(*lengths))):
            word += letters[int(rng.integers(len(letters)))]
            if marks and rng.random() < 0.5:
                word += marks[int(rng.integers(len(marks)))]
        yield word


def main() -> None:
    """Train, and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("cleaned", type=Path, help="folder of cleaned pages that lie upright")
    parser.add_argument("out", type=Path, help="the .safetensors file to write")
    parser.add_argument("--not-upright", nargs="*", default=[], help="names of pages to leave out")
    parser.add_argument("--steps", type=int, default=OrientationTraining.steps)
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    kinds = (".png", ".jpg", ".jpeg", ".tif", ".webp")
    pages = [
        path
        for path in sorted(chosen.cleaned.rglob("*"))
        if path.suffix.lower() in kinds and path.name not in chosen.not_upright
    ]
    network = train(pages, OrientationTraining(steps=chosen.steps))
    save_file(network.state_dict(), chosen.out)


if __name__ == "__main__":
    main()
