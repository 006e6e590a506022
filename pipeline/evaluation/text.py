"""Text of a page: read by Tesseract, made comparable, compared.

Strings, and one foreign program. This module does not know where pages or transcriptions come from.
"""

import functools
import importlib
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np

from pagewash.errors import MissingError, PagewashError

_FOLDS = str.maketrans(
    {
        "ſ": "s",
        "‘": "'",
        "’": "'",
        "‚": "'",
        "‛": "'",
        "“": '"',
        "”": '"',
        "„": '"',
        "‟": '"',
        "…": "...",
    }
)


def fold(text: str) -> str:
    """Text as it is compared: without the differences that are a matter of typesetting.

    White space is collapsed to single spaces and stripped, case folded, curly quotes made straight,
    long s written as s, the ellipsis character as three dots. Accents, dashes and hyphens at the
    end of a line stay.
    """
    return re.sub(r"\s+", " ", text.translate(_FOLDS).casefold()).strip()


def character_error_rate(found: str, truth: str) -> float:
    """Edits that turn the found text into the true one, per character of the true one.

    Both are folded first (``fold``). May exceed 1 where much is found that is not there; depends on
    the reading order, so columns read in another order count as errors.

    Returns:
        0.0 for equal texts; for an empty truth, 0.0 or 1.0 by whether anything was found.
    """
    return _error_rate(fold(found), fold(truth))


def word_error_rate(found: str, truth: str) -> float:
    """The same in words: edits of whole words, per word of the true text, after ``fold``."""
    return _error_rate(fold(found).split(), fold(truth).split())


def bag_of_words_error_rate(found: str, truth: str) -> float:
    """Word error rate of the best of all reading orders, after ``fold``.

    The order in which blocks of a page are read hangs on next to nothing; this does not see it.

    Source:
        E. Vidal et al., End-to-end page-level assessment of handwritten text recognition, Pattern
        Recognition 142, 2023 (bWER).
    """
    words, true_words = (fold(text).split() for text in (found, truth))
    if not true_words:
        return float(bool(words))
    counts, true_counts = Counter(words), Counter(true_words)
    wrong = (counts - true_counts).total(), (true_counts - counts).total()
    return max(wrong) / len(true_words)


def _error_rate(found: str | list[str], truth: str | list[str]) -> float:
    if not truth:
        return float(bool(found))
    return int(levenshtein().distance(found, truth)) / len(truth)


def levenshtein() -> Any:
    """The library's edit distance: the fewest insertions, deletions and replacements of items.

    Raises:
        MissingError: rapidfuzz is not installed.
    """
    try:
        return importlib.import_module("rapidfuzz.distance.Levenshtein")
    except ImportError as error:
        raise MissingError(
            "error rates of text need rapidfuzz; pip install 'pagewash[evaluation]'"
        ) from error


def recognise(page: np.ndarray, language: str = "eng", dpi: float | None = None) -> str:
    """Text of a page, as Tesseract reads it on one thread with ``--psm 3``.

    Args:
        page: (H, W) uint8 grey or (H, W, 3) uint8 RGB.
        language: Tesseract's names, joined by plus: ``deu+frk``.
        dpi: pixels per inch; None lets Tesseract guess from the text.

    Raises:
        MissingError: Tesseract or its data for the language is not installed.
        PagewashError: Tesseract failed otherwise.
    """
    shown = page if page.ndim == 2 else cv2.cvtColor(page, cv2.COLOR_RGB2BGR)
    encoded = cv2.imencode(".png", shown, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()
    resolution = [] if dpi is None else ["--dpi", str(round(dpi))]
    return _run(["-", "-", "-l", language, "--psm", "3", *resolution], encoded, language)


@functools.cache
def tesseract_version() -> str:
    """The first line of ``tesseract --version``, for instance ``tesseract 5.3.0``.

    Raises:
        MissingError: Tesseract is not installed.
    """
    return _run(["--version"]).splitlines()[0]


def require_languages(languages: Iterable[str]) -> None:
    """Make sure that Tesseract can read these, before long work on them begins.

    Raises:
        MissingError: Tesseract or its data for one of them is not installed.
    """
    installed = set(_run(["--list-langs"]).splitlines()[1:])
    missing = {name for joined in languages for name in joined.split("+")} - installed
    if missing:
        raise _without_data("+".join(sorted(missing)))


def _run(arguments: list[str], stdin: bytes = b"", language: str = "eng") -> str:
    program = shutil.which("tesseract")
    if program is None:
        raise MissingError(
            "tesseract is not installed; install it (Debian: apt install tesseract-ocr), "
            "or leave out what reads text"
        )
    environment = os.environ | {"OMP_THREAD_LIMIT": "1"}
    done = subprocess.run(
        [program, *arguments], input=stdin, capture_output=True, env=environment, check=False
    )
    if done.returncode == 0:
        return done.stdout.decode("utf-8", "replace")
    reason = done.stderr.decode("utf-8", "replace").strip()
    if "Failed loading language" in reason:
        raise _without_data(language)
    raise PagewashError(f"tesseract failed with code {done.returncode}: {reason[-300:]}")


def _without_data(language: str) -> MissingError:
    """Languages have a Debian package each by their name; scripts begin with a capital."""
    packages = " ".join(
        "tesseract-ocr-script-…" if name[0].isupper() else f"tesseract-ocr-{name.replace('_', '-')}"
        for name in language.split("+")
    )
    return MissingError(
        f"tesseract has no data for {language!r}; install it (Debian: apt install {packages})"
    )
