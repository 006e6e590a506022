"""How good a cleaner is, on pages for which the clean original or the text is known.

The cleaner is any function from page to page; the network, files' formats and tables on screen are
other modules' business.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pagewash.errors import OptionError
from pagewash.evaluation import dibco, text, truth
from pagewash.evaluation.baselines import Baseline, clean_classically
from pagewash.evaluation.cases import Case, read_image
from pagewash.evaluation.scores import CLEANED, UNCLEANED, Evaluation, Figures, Score
from pagewash.files import access_errors, whole_file
from pagewash.grey import luminance

CleanFunction = Callable[[np.ndarray, float | None], np.ndarray]
"""Takes (H, W) or (H, W, 3) uint8 and pixels per inch (None: not known), returns the clean page, of
the same height and width."""


@dataclass(frozen=True)
class EvaluationOptions:
    """How pages are evaluated."""

    baselines: tuple[Baseline, ...] = ()
    """Classical cleaners to put beside."""

    cache: Path | None = None
    """Folder that keeps what Tesseract read, by the page's content: a page that was read before, in
    this evaluation or another, is not read again."""

    margin: int = 0
    """White around each page when Tesseract reads it, in pixels. In what order it reads blocks of
    text hangs on next to nothing: an error rate that differs much between margins says little."""

    jobs: int = 1
    """Pages at a time."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if self.margin < 0:
            raise OptionError(f"a margin of {self.margin} px is none; give 0 or more")
        if self.jobs < 1:
            raise OptionError(f"{self.jobs} pages at a time is none; give at least 1")


def evaluate(
    clean: CleanFunction,
    cases: Sequence[Case],
    options: EvaluationOptions = EvaluationOptions(),
    tick: Callable[[str], object] = lambda name: None,
) -> Evaluation:
    """Score a cleaner, the uncleaned pages, and the classical cleaners of the options.

    Args:
        clean: the cleaner; thread-safe if ``options.jobs`` exceeds 1.
        cases: the pages (``find_pairs``, ``find_transcribed``).
        options: what to compare with.
        tick: called with each page's name when it is done.

    Returns:
        One score for each page and method, in the order of the cases.

    Raises:
        InputError: an image cannot be read.
        OptionError: a cleaned page or an original has another size than its scan.
        MissingError: Tesseract, rapidfuzz or doxapy is needed and not installed.
    """
    transcribed = {case.language for case in cases if case.transcript is not None}
    if transcribed:
        text.require_languages(transcribed)
        text.levenshtein()  # now, and not after hours
    scores: list[Score] = []
    pool = ThreadPoolExecutor(options.jobs)
    try:
        for rows in pool.map(lambda case: _score(case, clean, options), cases):
            scores += rows
            tick(rows[0].name)
    finally:
        pool.shutdown(cancel_futures=True)
    return Evaluation(tuple(scores))


def _score(case: Case, clean: CleanFunction, options: EvaluationOptions) -> list[Score]:
    page, dpi = read_image(case.page)
    return [
        Score(case.name, case.group, method, _figures(case, made, dpi, seconds, options))
        for method, made, seconds in _versions(page, dpi, clean, options)
    ]


def _versions(
    page: np.ndarray, dpi: float | None, clean: CleanFunction, options: EvaluationOptions
) -> Iterator[tuple[str, np.ndarray, float | None]]:
    """The page as it is and cleaned in every way, with the seconds that it took."""
    yield UNCLEANED, page, None
    began = time.perf_counter()
    cleaned = clean(page, dpi)
    yield CLEANED, cleaned, time.perf_counter() - began
    for name in options.baselines:
        began = time.perf_counter()
        cleaned = clean_classically(luminance(page), name)
        yield name, cleaned, time.perf_counter() - began


def _figures(
    case: Case,
    page: np.ndarray,
    dpi: float | None,
    seconds: float | None,
    options: EvaluationOptions,
) -> Figures:
    figures = {} if seconds is None else {"seconds": seconds}
    if case.original is not None:
        original, _ = read_image(case.original)
        figures |= _against_original(page, original)
    if case.transcript is not None:
        known = case.transcript.read_text(encoding="utf-8")
        found = _recognise(_framed(page, options.margin), case.language, dpi, options.cache)
        figures["cer"] = text.character_error_rate(found, known)
        figures["wer"] = text.word_error_rate(found, known)
        figures["bwer"] = text.bag_of_words_error_rate(found, known)
    return Figures(**figures)


def _against_original(page: np.ndarray, original: np.ndarray) -> dict[str, float]:
    """A bilevel original asks for the ink, any other for the pixels (in colour if both have it)."""
    if page.ndim != original.ndim or _is_bilevel(original):
        page, original = luminance(page), luminance(original)
    if not _is_bilevel(original):
        return {
            "rmse": truth.rmse(page, original),
            "psnr": truth.psnr(page, original),
            "ssim": truth.ssim(page, original),
        }
    ink, true_ink = dibco.ink_by_otsu(page), original == 0
    return {
        "f_measure": dibco.f_measure(ink, true_ink),
        "pseudo_f_measure": dibco.pseudo_f_measure(ink, true_ink),
        "bilevel_psnr": dibco.bilevel_psnr(ink, true_ink),
        "drd": dibco.drd(ink, true_ink),
    }


def _is_bilevel(page: np.ndarray) -> bool:
    return bool(((page == 0) | (page == 255)).all())


def _framed(page: np.ndarray, margin: int) -> np.ndarray:
    """Put white around a page."""
    sides = ((margin, margin), (margin, margin), (0, 0))
    return np.pad(page, sides[: page.ndim], constant_values=255)


def _recognise(page: np.ndarray, language: str, dpi: float | None, cache: Path | None) -> str:
    if cache is None:
        return text.recognise(page, language, dpi)
    asked = f"{text.tesseract_version()} {language} {dpi} {page.shape}".encode()
    key = hashlib.sha256(asked + np.ascontiguousarray(page).tobytes()).hexdigest()
    kept = cache / f"{key}.txt"
    if kept.exists():
        return kept.read_text(encoding="utf-8")
    found = text.recognise(page, language, dpi)
    with whole_file(kept) as file, access_errors(str(kept), "written"):
        file.write(found.encode())
    return found
