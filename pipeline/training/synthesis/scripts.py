"""Text in scripts other than Latin: fonts that set them, and words that look like theirs.

Only the shapes of letters matter to the network, so words are letters in random order; fonts
shape them as they would real ones.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from numpy.random import Generator
from PIL import ImageDraw, ImageFont

from pagewash.geometry.transform import Box


@dataclass(frozen=True)
class Script:
    """A writing system, as far as training pages need it."""

    letters: str
    """What its words are made of."""

    fonts: tuple[str, ...]
    """Parts of the names of font files that set it."""

    marks: str = ""
    """Signs that follow letters."""

    spaced: bool = True
    """Whether words stand apart."""

    vertical: bool = False
    """Whether it is set in columns, too."""


def _span(*ranges: tuple[int, int]) -> str:
    return "".join(chr(code) for first, last in ranges for code in range(first, last + 1))


_KANJI = _span(
    (0x4E00, 0x4E80), (0x5200, 0x5260), (0x65E5, 0x6680), (0x6C34, 0x6CA0), (0x8A00, 0x8A60)
)

SCRIPTS: Mapping[str, Script] = {
    "greek": Script(
        _span((0x3B1, 0x3C9), (0x391, 0x3A1)),
        ("notosans-", "notoserif-", "dejavu", "gfs", "freeserif"),
    ),
    "cyrillic": Script(
        _span((0x410, 0x44F)), ("notosans-", "notoserif-", "dejavu", "freeserif", "liberation")
    ),
    "arabic": Script(
        _span((0x627, 0x63A), (0x641, 0x64A)),
        ("arabic", "urdu", "amiri", "kacst", "nazli"),
        _span((0x64B, 0x650)),
    ),
    "hebrew": Script(_span((0x5D0, 0x5EA)), ("hebrew", "sileot")),
    "devanagari": Script(
        _span((0x915, 0x928), (0x92A, 0x939)), ("devanagari", "lohit"), _span((0x93E, 0x94D))
    ),
    "bengali": Script(_span((0x995, 0x9A8), (0x9AA, 0x9B0)), ("bengali",), _span((0x9BE, 0x9C2))),
    "tamil": Script("கஙசஞடணதநபமயரலவழளறனஷஸஹ", ("tamil",), _span((0xBBE, 0xBC2))),
    "kannada": Script(_span((0xC95, 0xCA8), (0xCAA, 0xCB0)), ("kannada",), _span((0xCBE, 0xCC2))),
    "thai": Script(
        _span((0xE01, 0xE2E)),
        ("thai", "garuda", "kinnari", "norasi", "loma", "sawasdee"),
        _span((0xE30, 0xE39)),
        spaced=False,
    ),
    "tibetan": Script(
        _span((0xF40, 0xF47), (0xF49, 0xF67)), ("tibet",), "\u0f72\u0f74\u0f7a\u0f7c\u0f0b"
    ),
    "khmer": Script(_span((0x1780, 0x17A2)), ("khmer",), _span((0x17B6, 0x17C4)), spaced=False),
    "balinese": Script(
        _span((0x1B13, 0x1B33)), ("balinese",), _span((0x1B35, 0x1B3A)), spaced=False
    ),
    "georgian": Script(_span((0x10D0, 0x10F0)), ("georgian",)),
    "armenian": Script(_span((0x531, 0x556), (0x561, 0x586)), ("armenian",)),
    "ethiopic": Script(_span((0x1210, 0x1246), (0x1260, 0x1286)), ("ethiopic", "abyssinica")),
    "hangul": Script(_span((0xAC00, 0xAC80), (0xB098, 0xB100), (0xC0AC, 0xC100)), ("nanum", "cjk")),
    "chinese": Script(_KANJI, ("cjk", "uming", "ukai"), spaced=False, vertical=True),
    "japanese": Script(
        _KANJI + 3 * _span((0x3042, 0x3093)) + _span((0x30A2, 0x30F3)),
        ("cjk", "ipa", "takao", "vl-gothic"),
        spaced=False,
        vertical=True,
    ),
}
"""Every script by name."""


def find_script_fonts(folders: Iterable[Path]) -> dict[str, list[Path]]:
    """Find the fonts that set each script; a script without one is left out."""
    files = sorted(
        {
            path.name: path
            for folder in folders
            for path in folder.rglob("*")
            if path.suffix.lower() in (".ttf", ".otf", ".ttc")
        }.values()
    )
    found = {
        name: [path for path in files if _sets(path, script)] for name, script in SCRIPTS.items()
    }
    return {name: paths for name, paths in found.items() if paths}


def _sets(path: Path, script: Script) -> bool:
    if not any(part in path.name.lower() for part in script.fonts):
        return False
    try:
        font = ImageFont.truetype(path, 24)
        missing = bytes(font.getmask("\uffff"))
        shapes = [bytes(font.getmask(letter)) for letter in script.letters[:6]]
    except (OSError, ValueError):
        return False
    return missing not in shapes and len(set(shapes)) == len(shapes) and all(map(any, shapes))


def script_words(rng: Generator, script: Script, count: int) -> str:
    """A line of words."""
    words = []
    for _ in range(count):
        word = ""
        for _ in range(int(rng.integers(2, 9))):
            word += script.letters[int(rng.integers(len(script.letters)))]
            if script.marks and rng.random() < 0.4:
                word += script.marks[int(rng.integers(len(script.marks)))]
        words.append(word + ("،.,;:"[int(rng.integers(5))] if rng.random() < 0.1 else ""))
    return (" " if script.spaced else "").join(words)


def set_script(
    rng: Generator, draw: ImageDraw.ImageDraw, box: Box, text: float, script: Script, path: Path
) -> None:
    """Fill a box with text; letters are about `1.4 * text` pixels high."""
    size = max(round(text * rng.uniform(1.5, 2.1)), 8)
    font = ImageFont.truetype(path, size)
    if script.vertical and rng.random() < 0.5:
        _columns(rng, draw, box, size, script, font)
        return
    leading = size * rng.uniform(1.3, 2.2)
    y = float(box[1])
    width = box[2] - box[0]
    while y + size < box[3]:
        line = script_words(rng, script, 4)
        share = width / max(font.getlength(line), 1)
        line = script_words(rng, script, max(int(4 * share), 1))
        while len(line) > 1 and font.getlength(line) > width:
            line = line[: max(int(len(line) * 0.93), 1)]
        if rng.random() < 0.12:
            line = line[: max(len(line) // 2, 1)]
        draw.text((box[0], y), line, 255, font)
        y += leading


def _columns(
    rng: Generator,
    draw: ImageDraw.ImageDraw,
    box: Box,
    size: int,
    script: Script,
    font: ImageFont.FreeTypeFont,
) -> None:
    """Columns from right to left, as East Asian books have them."""
    pitch, step = size * rng.uniform(1.3, 2.2), size * rng.uniform(1.0, 1.15)
    x = float(box[2] - size)
    rules = rng.random() < 0.25
    while x > box[0]:
        y = float(box[1])
        end = box[3] if rng.random() < 0.85 else box[1] + (box[3] - box[1]) * rng.random()
        while y + size < end:
            draw.text((x, y), script.letters[int(rng.integers(len(script.letters)))], 255, font)
            y += step
        if rules:
            draw.line((x - (pitch - size) / 2, box[1], x - (pitch - size) / 2, box[3]), 255, 1)
        x -= pitch
