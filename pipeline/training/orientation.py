"""Train the tiny network that tells which way up a page lies.

    python -m pagewash.training.orientation ../shared/data pipeline/geometry/orientation.safetensors

cleans the pages for choosing of the data folder that its recipe (``orientation.toml``) names, and
learns from windows of them, and of words set in the scripts that this machine has fonts for.
Windows are turned by quarters at random, and leaned, shifted and resized, lest their exact middle
give the answer away. A card, ``.json``, says beside the weights what they were made of.
"""

import argparse
import functools
import hashlib
import json
import logging
import subprocess
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from safetensors.torch import save
from torch import Tensor
from torch.nn import functional as F

from pagewash.cleaning.cleaner import Cleaner
from pagewash.errors import InputError
from pagewash.evaluation.cases import IMAGES, read_image
from pagewash.evaluation.parts import CHOOSING, part_of, validates
from pagewash.files import require_folder, write_atomically
from pagewash.geometry.orientation import WINDOW, windows
from pagewash.inference.checkpoint import load_checkpoint
from pagewash.models.orientation import OrientationNetwork
from pagewash.options import CleanOptions
from pagewash.training.recipes import FONT_FILES, digest_of
from pagewash.training.synthesis.text_corpus import words

log = logging.getLogger(__name__)

RECIPE = Path(__file__).with_suffix(".toml")

FONTS = Path("/usr/share/fonts")
"""Where fontconfig finds fonts, for the card."""

Windows = NDArray[np.uint8]
"""(N, WINDOW, WINDOW), 255 is ink."""

SCRIPTS: dict[str, tuple[int, int]] = {
    "el": (0x391, 0x3C9), "ru": (0x410, 0x44F), "hy": (0x531, 0x586), "ka": (0x10D0, 0x10F0),
    "he": (0x5D0, 0x5EA), "ar": (0x621, 0x64A), "hi": (0x905, 0x94D), "bn": (0x985, 0x9CD),
    "ta": (0xB85, 0xBCD), "te": (0xC05, 0xC4D), "kn": (0xC85, 0xCCD), "ml": (0xD05, 0xD4D),
    "gu": (0xA85, 0xACD), "pa": (0xA05, 0xA4D), "th": (0xE01, 0xE4C), "lo": (0xE81, 0xECD),
    "km": (0x1780, 0x17D2), "my": (0x1000, 0x103A), "si": (0xD85, 0xDDF), "am": (0x1200, 0x1300),
    "bo": (0xF40, 0xFBC), "ban": (0x1B05, 0x1B44), "jv": (0xA984, 0xA9C0),
    "ja": (0x3041, 0x30F6), "zh": (0x4E00, 0x7000), "ko": (0xAC00, 0xC800),
}  # fmt: skip
"""First and last code point of letters of each script, by the code of a language."""

IN_COLUMNS = ("ja", "zh", "ko")
"""Scripts that are set in columns as often as in lines, and twice as often as others: their signs
tell which way up they stand, and the direction of lines does not."""

KANJI = 0.4
"""Share of the signs of Japanese that are Chinese ones."""


@dataclass(frozen=True)
class OrientationTraining:
    """How the network is trained."""

    steps: int = 4000
    batch: int = 256
    learning_rate: float = 4e-3
    rendered_pages: int = 900
    windows_of_a_page: int = 150
    seed: int = 0
    model: str = "fast"
    """The checkpoint that cleans the pages."""

    folders: Sequence[str] = ()
    """Folders of real pages below the data folder."""

    without_letters: Sequence[str] = ()
    """Pages to leave out, by folder and name."""

    turned: Mapping[str, int] = field(default_factory=dict)
    """Degrees clockwise by which pages lie turned, by folder and name; the others are upright."""


def train(
    real: Sequence[Windows], held: Sequence[Windows], options: OrientationTraining
) -> tuple[OrientationNetwork, float]:
    """Train on windows of upright pages.

    Args:
        real: windows of each page to learn from; pages count alike, whatever they hold.
        held: those of pages that are held back.
        options: how.

    Returns:
        The network, and the share of windows held back whose turn it tells; NaN where none are.

    Raises:
        InputError: no page has letters.
    """
    rng = np.random.default_rng(options.seed)
    torch.manual_seed(options.seed)
    shown, chances = _material(real, list(_rendered(rng, options.rendered_pages)))
    network = OrientationNetwork()
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, options.learning_rate, total_steps=options.steps
    )
    for step in range(options.steps):
        chosen = np.searchsorted(chances, rng.random(options.batch) * chances[-1])
        turns, seen = _turned(rng, shown[chosen])
        loss = F.cross_entropy(network(_varied(rng, seen)), turns, label_smoothing=0.05)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 200 == 199:
            log.info("step %d: loss %.3f", step + 1, loss.item())
    return network.eval(), _share_right(network, held)


def _material(real: Sequence[Windows], rendered: Sequence[Windows]) -> tuple[Windows, Any]:
    """All windows, and the running sum of how often each is to be seen.

    Real pages together are seen as often as rendered ones, each page as often as any other.
    """
    kinds = [[page for page in kind if len(page)] for kind in (real, rendered)]
    kinds = [kind for kind in kinds if kind]
    if not kinds:
        raise InputError("no page has letters to learn from; name a folder of pages of text")
    shown = np.concatenate([page for kind in kinds for page in kind])
    weights = [np.full(len(page), 1 / len(kind) / len(page)) for kind in kinds for page in kind]
    return shown, np.concatenate(weights).cumsum()


def _turned(rng: Generator, shown: Windows) -> tuple[Tensor, Tensor]:
    """Quarters clockwise, and (N, 1, WINDOW, WINDOW) windows turned by them, 1 is ink."""
    turns = rng.integers(0, 4, len(shown))
    seen = np.stack([np.rot90(one, -turn) for one, turn in zip(shown, turns, strict=True)])
    return torch.from_numpy(turns), torch.from_numpy(seen).float()[:, None] / 255


def _share_right(network: OrientationNetwork, held: Sequence[Windows]) -> float:
    """How many of the windows held back are told, all pages counting alike."""
    rng = np.random.default_rng(0)
    shares = []
    with torch.inference_mode():
        for page in held:
            if len(page):
                turns, seen = _turned(rng, page)
                shares.append(float((network(seen).argmax(1) == turns).float().mean()))
    return float(np.mean(shares)) if shares else float("nan")


def _varied(rng: Generator, seen: Tensor) -> Tensor:
    """Windows with bolder or thinner strokes, leaned, resized, and shifted, each in its own way.

    Args:
        rng: chooses.
        seen: (N, 1, WINDOW, WINDOW), 1 is ink.
    """
    kind = rng.random()
    if kind < 0.2:
        seen = 0.6 * F.max_pool2d(seen, 3, 1, 1) + 0.4 * seen
    elif kind < 0.4:
        seen = -0.6 * F.max_pool2d(-seen, 3, 1, 1) + 0.4 * seen
    count = len(seen)
    scale = np.exp(rng.uniform(np.log(0.75), np.log(1.35), count))
    angle, slant = np.radians(rng.uniform(-6, 6, count)), rng.uniform(-0.15, 0.15, count)
    cos, sin = np.cos(angle) / scale, np.sin(angle) / scale
    shift = rng.uniform(-8 / WINDOW, 8 / WINDOW, (2, count))
    rows = [[cos, slant * cos - sin, shift[0]], [sin, slant * sin + cos, shift[1]]]
    matrices = torch.from_numpy(np.array(rows, np.float32).transpose(2, 0, 1))
    grid = F.affine_grid(matrices, list(seen.shape), align_corners=False)
    return F.grid_sample(seen, grid, align_corners=False)


def _rendered(rng: Generator, count: int) -> Iterator[NDArray[np.uint8]]:
    """Windows of words in many scripts, a quarter of them in Latin ones."""
    fonts = {"en": _fonts("AZaz")}
    for script in SCRIPTS:
        letters = _letters(script)
        fonts[script] = _fonts(letters[:: len(letters) // 6])
    scripts = [script for script in (*SCRIPTS, *IN_COLUMNS) if fonts[script]]
    for number in range(count):
        script = "en" if number % 4 == 0 or not scripts else scripts[number % len(scripts)]
        if fonts[script]:
            try:
                yield windows(_page(rng, script, fonts[script]), 60)
            except (OSError, ValueError):
                log.debug("a font cannot set %s", script, exc_info=True)


def _fonts(letters: str) -> list[str]:
    """Files of the fonts of this machine that have all of some letters."""
    asked = ["fc-list", f":charset={' '.join(f'{ord(letter):x}' for letter in letters)}", "file"]
    found = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()
    names = sorted({name.strip().rstrip(":") for name in found})
    return [name for name in names if name.endswith((".ttf", ".otf", ".ttc"))]


def _page(rng: Generator, script: str, fonts: Sequence[str]) -> NDArray[np.uint8]:
    """(700, 900) grey: lines or columns of words, a little turned and blurred."""
    size = int(rng.integers(18, 45))
    font = ImageFont.truetype(fonts[int(rng.integers(len(fonts)))], size)
    image = Image.new("L", (900, 700), 255)
    if script in IN_COLUMNS and rng.random() < 0.5:
        _set_columns(rng, image, script, font)
    else:
        _set_lines(rng, image, script, font)
    soft = cv2.GaussianBlur(np.array(image), (0, 0), rng.uniform(0.3, 1.2))
    turn = cv2.getRotationMatrix2D((450, 350), rng.uniform(-4, 4), 1)
    return np.asarray(cv2.warpAffine(soft, turn, (900, 700), borderValue=(255,)), np.uint8)


def _set_columns(
    rng: Generator, image: Image.Image, script: str, font: ImageFont.FreeTypeFont
) -> None:
    """Signs one below the other, in columns from the right."""
    draw, step = ImageDraw.Draw(image), font.size * rng.uniform(1, 1.25)
    x, lead = image.width - 20.0 - font.size, font.size * rng.uniform(1.2, 2.2)
    while x > 20:
        places = np.arange(20, image.height - 20 - font.size, step)
        for y, sign in zip(places, "".join(_words(rng, script, len(places))), strict=False):
            draw.text((x, y), sign, font=font, fill=0)
        x -= lead


def _set_lines(
    rng: Generator, image: Image.Image, script: str, font: ImageFont.FreeTypeFont
) -> None:
    draw, y, lead = ImageDraw.Draw(image), 20.0, font.size * rng.uniform(1.15, 2)
    while y < image.height - 60:
        line = ""
        for word in words(rng, 14) if script == "en" else _words(rng, script, 14):
            if draw.textlength(f"{line} {word}", font=font) > image.width - 60:
                break
            line = f"{line} {word}"
        draw.text((20, y), line, font=font, fill=0)
        y += lead


def _words(rng: Generator, script: str, count: int) -> Iterator[str]:
    """Words of random letters, every other one with a mark where the script has marks."""
    letters, chinese = _letters(script), _letters("zh")
    marks = _signs(script, ("Mn", "Mc"))
    lengths = (5, 20) if script in ("zh", "ja") else (2, 8)
    for _ in range(count):
        word = ""
        for _ in range(int(rng.integers(*lengths))):
            if script == "ja" and rng.random() < KANJI:
                word += chinese[int(rng.integers(len(chinese)))]
                continue
            word += letters[int(rng.integers(len(letters)))]
            if marks and rng.random() < 0.5:
                word += marks[int(rng.integers(len(marks)))]
        yield word


def _letters(script: str) -> str:
    return _signs(script, ("Lo", "Lu", "Ll", "Lm", "Lt"))


@functools.cache
def _signs(script: str, categories: tuple[str, ...]) -> str:
    """All signs of a script of some of Unicode's categories."""
    first, last = SCRIPTS[script]
    every = map(chr, range(first, last + 1))
    return "".join(sign for sign in every if unicodedata.category(sign) in categories)


def read_recipe(path: Path = RECIPE) -> OrientationTraining:
    """A recipe from its file."""
    return OrientationTraining(**tomllib.loads(path.read_text(encoding="utf-8")))


def real_pages(data: Path, options: OrientationTraining) -> Iterator[tuple[Path, Windows]]:
    """Clean the pages for choosing, lay them upright, and cut windows out.

    Raises:
        AccessError: the data folder is not there.
    """
    require_folder(data)
    cleaner = Cleaner.from_pretrained(options.model, CleanOptions(color="gray"))
    for path in images_to_learn_from(data, options.folders):
        name = f"{path.parent.name}/{path.name}"
        longer = f"{path.parent.parent.name}/{name}"
        if name in options.without_letters or longer in options.without_letters:
            continue
        cleaned = cleaner.clean(*read_image(path))
        turned = options.turned.get(name, options.turned.get(longer, 0))
        upright = np.ascontiguousarray(np.rot90(cleaned, turned // 90))
        yield path, windows(upright, options.windows_of_a_page)


def images_to_learn_from(data: Path, folders: Sequence[str]) -> Iterator[Path]:
    """Scans for choosing below some folders, ground truth aside."""
    for folder in folders:
        for path in sorted((data / folder).rglob("*")):
            is_scan = path.suffix.lower() in IMAGES and path.parent.name not in ("gt", "clean")
            if is_scan and part_of(path.name) == CHOOSING:
                yield path


def main() -> None:
    """Train, and write the weights and their card."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, help="the data folder")
    parser.add_argument("out", type=Path, help="the .safetensors file to write")
    parser.add_argument("--recipe", type=Path, default=RECIPE, help="how, and on which pages")
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = read_recipe(chosen.recipe)
    pages = list(real_pages(chosen.data, options))
    held = [shown for path, shown in pages if validates(path.name)]
    real = [shown for path, shown in pages if not validates(path.name)]
    log.info("%d pages to learn from, %d held back", len(real), len(held))
    network, share = train(real, held, options)
    weights = save(network.state_dict())
    write_atomically(chosen.out, weights)
    card = {
        "name": "orientation",
        "what": "says of a window of some four letters how it was turned: which way up a page lies",
        "sha256": hashlib.sha256(weights).hexdigest(),
        "recipe": tomllib.loads(chosen.recipe.read_text(encoding="utf-8")),
        "licence": "Apache-2.0",
        "training_data": "real pages for choosing (pagewash.evaluation.parts), cleaned; words of "
        "random letters in fonts of the machine",
        "cleaned_by": load_checkpoint(options.model).sha256,
        "fonts": digest_of([FONTS], FONT_FILES),
        "pages": {"learned": len(real), "held_back": len(held)},
        "windows_right_of_pages_held_back": round(share, 4),
        "torch": torch.__version__,
    }
    write_atomically(chosen.out.with_suffix(".json"), (json.dumps(card, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()
