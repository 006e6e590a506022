"""Fonts on this machine that can set Latin text, and which of them are held back for evaluation."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from PIL import ImageFont

from pagewash.errors import MissingError

Kind = Literal["text", "mono", "blackletter", "script"]

_KEYWORDS: dict[Kind, tuple[str, ...]] = {
    "blackletter": ("fraktur", "blankenburg", "pirata", "gotisch", "gotico", "oldania", "isabella"),
    "script": (
        "script", "hand", "kristi", "breip", "femke", "havana", "bwht", "delphine", "ecolier",
        "homemade", "aurore", "herr-von", "saint-delafield", "reenie", "caveat", "tangerine",
        "great-vibes", "dancing", "kaushan", "rufscript", "comic", "chancery", "lobster", "dkg",
    ),
    "mono": ("mono", "courier", "typewriter", "cursor", "special-elite", "cutive", "inconsolata",
             "lmtt", "vt323", "nimbusmon"),
}  # fmt: skip

HELD_BACK = (
    "ebgaramond", "caladea", "vollkorn", "cantarell", "clearsans", "courier-prime", "courierprime",
    "share-tech-mono", "im-fell-dw-pica", "libre-baskerville", "lindenhill",
)  # fmt: skip
"""Families, as they stand in file names, that no training of the autoencoder sets: evaluation needs
them."""

_NOT_TEXT = (
    "symbol",
    "dingbat",
    "math",
    "emoji",
    "music",
    "ornament",
    "d050",
    "s050",
    "braille",
    "hairline",
)


@dataclass(frozen=True)
class Typeface:
    """A font file and what it looks like."""

    path: Path
    kind: Kind

    def at(self, size: int) -> ImageFont.FreeTypeFont:
        """Return the font at a size in pixels."""
        return _font(self.path, size)


def find_typefaces(folders: Iterable[Path], *, held_back: bool = False) -> list[Typeface]:
    """Find fonts that have the letters of Latin text, sorted by file name.

    Args:
        folders: searched with all their subfolders for .ttf, .otf and .woff.
        held_back: True for the families of evaluation, False for those of training.

    Raises:
        MissingError: there is not one.
    """
    files = {
        path.name: path
        for folder in folders
        for path in folder.rglob("*")
        if path.suffix.lower() in (".ttf", ".otf", ".woff")
    }
    faces = [
        Typeface(path, _kind(name))
        for name, path in sorted(files.items())
        if any(word in name.lower() for word in HELD_BACK) == held_back and _sets_latin(path)
    ]
    if not faces:
        raise MissingError(
            f"no fonts under {', '.join(map(str, folders))}; install some (Debian's fonts-* "
            "packages) or name another folder with --fonts"
        )
    return faces


def _kind(name: str) -> Kind:
    for kind, words in _KEYWORDS.items():
        if any(word in name.lower() for word in words):
            return kind
    return "text"


def _sets_latin(path: Path) -> bool:
    name = path.name.lower()
    if any(word in name for word in _NOT_TEXT) or ("latin-ext" in name):
        return False
    try:
        font = ImageFont.truetype(path, 32)
        missing = bytes(font.getmask("\uffff"))
        shapes = [bytes(font.getmask(letter)) for letter in "aegQRst4"]
    except (OSError, ValueError):
        return False
    return missing not in shapes and len(set(shapes)) == len(shapes) and all(map(any, shapes))


@lru_cache(maxsize=512)
def _font(path: Path, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size)
