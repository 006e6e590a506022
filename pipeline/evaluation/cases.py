"""Which pages an evaluation looks at, and what is known about each: its clean original, its text.

Finds files and reads images; measures nothing.
"""

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pagewash.documents.document import open_document
from pagewash.errors import OptionError
from pagewash.files import require_folder
from pagewash.pages import UntouchedPage

IMAGES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".jp2"}

TRANSCRIPT = ".gt.txt"


@dataclass(frozen=True)
class Case:
    """One page to evaluate on, with a clean original or a transcription."""

    name: str
    """Path below the folder it was found in, with slashes, without extension."""

    group: str
    """What its scores are averaged with: its sub-folder, or what a pattern says."""

    page: Path
    """The scan, one image."""

    original: Path | None = None
    """The clean page of the same size; bilevel or grey or colour."""

    transcript: Path | None = None
    """Its text, UTF-8."""

    language: str = "eng"
    """Tesseract's language for it."""


def find_pairs(dirty: Path, clean: Path, group: str | None = None) -> list[Case]:
    """Scans under one folder whose clean original has the same name under another.

    Args:
        dirty: folder of scans, with sub-folders.
        clean: folder of originals: same sub-folders and stems, extensions may differ.
        group: regular expression searched in a page's name; what its first group matches names the
            group of the page (``_(Noise.)_``). None groups by sub-folder.

    Raises:
        OptionError: no pair is found, a scan has no original, or the expression is none.
        AccessError: a folder is not there.
    """
    originals = {_name(path, clean): path for path in find_images(clean)}
    pages = [(_name(path, dirty), path) for path in find_images(dirty)]
    alone = [path for name, path in pages if name not in originals]
    if not pages or alone:
        found = f"{alone[0]} has no clean original" if alone else f"{dirty} has no images"
        raise OptionError(f"{found}; give each page one of the same name under {clean}")
    pattern = _pattern(group)
    return [
        Case(name, _group(name, pattern), path, original=originals[name]) for name, path in pages
    ]


def find_transcribed(
    folder: Path, language: str | None = None, group: str | None = None
) -> list[Case]:
    """Pages under a folder with their text in ``PAGE.gt.txt`` beside them.

    Args:
        folder: where to look, with sub-folders.
        language: Tesseract's name of the language of all pages. None looks it up in a ``pages.csv``
            in the folder or the one above (columns ``source`` for the sub-folder, ``page`` for the
            file's name, ``tesseract_lang``), and takes English where a page is not listed.
        group: as in ``find_pairs``.

    Raises:
        OptionError: no page has a transcription, or the expression is none.
        AccessError: the folder is not there.
    """
    listed = {} if language else _listed_languages(folder)
    pattern = _pattern(group)
    cases = [
        Case(
            name := _name(path, folder),
            _group(name, pattern),
            path,
            transcript=transcript,
            language=language or listed.get((path.parent.name, path.name), "eng"),
        )
        for path in find_images(folder)
        if (transcript := path.with_name(path.stem + TRANSCRIPT)).exists()
    ]
    if not cases:
        raise OptionError(f"no page under {folder} has its text beside it (PAGE{TRANSCRIPT})")
    return cases


def read_image(path: Path) -> tuple[np.ndarray, float | None]:
    """Pixels and resolution of a document of one page, read as ``pagewash clean`` reads it.

    Returns:
        (H, W) uint8 grey or (H, W, 3) uint8 RGB, and pixels per inch, None where the file does not
        say or says less than 70, which no scan has.

    Raises:
        InputError: it is not an image, or cut off.
        OptionError: it has more pages than one.
        AccessError: it may not be read.
    """
    with open_document(path) as document:
        page = next(document.pages())
        if document.page_count != 1 or isinstance(page, UntouchedPage):
            raise OptionError(f"{path} is not one image; give each page a file of its own")
    dpi = page.dpi[0] if page.dpi else 0
    return page.pixels, dpi if dpi >= 70 else None


def find_images(folder: Path) -> list[Path]:
    """Paths of all images under a folder, sorted.

    Raises:
        AccessError: the folder is not there.
    """
    require_folder(folder)
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGES)


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).with_suffix("").as_posix()


def _pattern(group: str | None) -> re.Pattern[str] | None:
    if group is None:
        return None
    try:
        pattern = re.compile(group)
    except re.error as error:
        raise OptionError(f"{group!r} is not a regular expression: {error}") from error
    if pattern.groups < 1:
        raise OptionError(f"{group!r} has no group in parentheses; try '_(Noise.)_'")
    return pattern


def _group(name: str, pattern: re.Pattern[str] | None) -> str:
    if pattern is None:
        return name.rpartition("/")[0]
    found = pattern.search(name)
    return found.group(1) if found else ""


def _listed_languages(folder: Path) -> dict[tuple[str, str], str]:
    """Language by (sub-folder, file name) from the nearest ``pages.csv`` that says it."""
    for path in (folder / "pages.csv", folder.resolve().parent / "pages.csv"):
        if path.is_file():
            with path.open(encoding="utf-8", newline="") as file:
                return {
                    (row["source"], row["page"]): row["tesseract_lang"]
                    for row in csv.DictReader(file)
                    if {"source", "page", "tesseract_lang"} <= row.keys()
                }
    return {}
