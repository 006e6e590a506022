"""A cleaner against originals and transcriptions; here, cleaners are plain functions."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from lines import set_line
from PIL import Image

from pagewash.errors import OptionError
from pagewash.evaluation.cases import find_pairs, find_transcribed
from pagewash.evaluation.evaluate import EvaluationOptions, evaluate
from pagewash.evaluation.scores import CLEANED, UNCLEANED

needs_tesseract = pytest.mark.skipif(
    shutil.which("tesseract") is None, reason="tesseract is not installed"
)


def printed(words: str = "Clean this page") -> np.ndarray:
    page = np.full((160, 640), 255, np.uint8)
    set_line(page, words, (40, 100), 60, bold=1)
    return page


def save(path: Path, page: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), page)


def paper_away(page: np.ndarray, dpi: float | None) -> np.ndarray:
    """A cleaner for paper of level 200 at most."""
    return np.where(page > 100, 255, page).astype(np.uint8)


def as_it_is(page: np.ndarray, dpi: float | None) -> np.ndarray:
    return page


@pytest.fixture
def grey_pairs(tmp_path):
    clean = cv2.GaussianBlur(printed(), (0, 0), 1)
    save(tmp_path / "clean/1.png", clean)
    save(tmp_path / "noisy/1.png", (clean * 0.7).astype(np.uint8))
    return find_pairs(tmp_path / "noisy", tmp_path / "clean")


def test_a_grey_original_gives_errors_of_pixels(grey_pairs):
    evaluation = evaluate(paper_away, grey_pairs)
    before, after = (evaluation.mean(method).figures for method in (UNCLEANED, CLEANED))
    assert before.rmse > 0.2 > after.rmse
    assert before.psnr < after.psnr
    assert before.ssim < after.ssim
    assert before.f_measure is before.cer is before.seconds is None
    assert after.seconds >= 0


def test_a_bilevel_original_gives_the_measures_of_dibco(tmp_path):
    save(tmp_path / "gt/1.png", np.where(printed() < 128, 0, 255).astype(np.uint8))
    save(tmp_path / "img/1.png", np.dstack([printed() // 2 + 60] * 3))
    evaluation = evaluate(as_it_is, find_pairs(tmp_path / "img", tmp_path / "gt"))
    figures = evaluation.mean(CLEANED).figures
    assert figures.f_measure > 95
    assert figures.pseudo_f_measure > 95
    assert figures.drd < 1
    assert figures.rmse is None


def test_baselines_stand_beside(grey_pairs):
    options = EvaluationOptions(baselines=("background", "otsu"))
    evaluation = evaluate(as_it_is, grey_pairs, options)
    assert evaluation.methods == (UNCLEANED, CLEANED, "background", "otsu")
    assert evaluation.mean("background").figures.rmse < evaluation.mean(UNCLEANED).figures.rmse


def test_the_cleaner_gets_the_pixels_and_the_resolution(tmp_path):
    (tmp_path / "clean").mkdir()
    Image.fromarray(printed()).save(tmp_path / "clean/1.png", dpi=(200, 200))
    seen = []

    def look(page: np.ndarray, dpi: float | None) -> np.ndarray:
        seen.append((page.shape, round(dpi or 0)))
        return page

    evaluate(look, find_pairs(tmp_path / "clean", tmp_path / "clean"))
    assert seen == [((160, 640), 200)]


def test_a_cleaner_that_changes_the_size_is_told(grey_pairs):
    with pytest.raises(OptionError, match="cannot be compared"):
        evaluate(lambda page, dpi: page[1:], grey_pairs)


def test_pages_are_ticked_off_in_order_with_several_at_a_time(tmp_path):
    for number in range(5):
        save(tmp_path / f"{number}.png", printed())
    done = []
    options = EvaluationOptions(jobs=3)
    evaluate(as_it_is, find_pairs(tmp_path, tmp_path), options, tick=done.append)
    assert done == ["0", "1", "2", "3", "4"]
    with pytest.raises(OptionError, match="at least 1"):
        EvaluationOptions(jobs=0)


@needs_tesseract
def test_a_transcription_gives_error_rates_before_and_after(tmp_path):
    save(tmp_path / "1.png", printed())
    (tmp_path / "1.gt.txt").write_text("clean this\npage", encoding="utf-8")

    def wipe(page: np.ndarray, dpi: float | None) -> np.ndarray:
        return np.full_like(page, 255)

    evaluation = evaluate(wipe, find_transcribed(tmp_path))
    assert evaluation.mean(UNCLEANED).figures.cer == 0
    assert evaluation.mean(CLEANED).figures.cer == 1
    assert evaluation.mean(CLEANED).worse == 1


@needs_tesseract
def test_a_page_is_read_once_for_all_evaluations_that_share_a_cache(tmp_path, monkeypatch):
    save(tmp_path / "pages/1.png", printed())
    (tmp_path / "pages/1.gt.txt").write_text("clean this page", encoding="utf-8")
    cases = find_transcribed(tmp_path / "pages")
    options = EvaluationOptions(cache=tmp_path / "cache")
    first = evaluate(as_it_is, cases, options)
    assert len(list((tmp_path / "cache").iterdir())) == 1

    def not_again(*arguments: object) -> str:
        raise AssertionError("read again")

    monkeypatch.setattr("pagewash.evaluation.evaluate.text.recognise", not_again)
    again = evaluate(as_it_is, cases, options)
    assert again.mean(CLEANED).figures.cer == first.mean(CLEANED).figures.cer == 0


@needs_tesseract
@pytest.mark.parametrize("channels", [1, 3])
def test_pages_are_read_with_as_much_white_around_them_as_asked_for(
    tmp_path, monkeypatch, channels
):
    page = np.zeros((160, 640, 3) if channels == 3 else (160, 640), np.uint8)
    save(tmp_path / "1.png", page)
    (tmp_path / "1.gt.txt").write_text("nothing", encoding="utf-8")
    read = []
    monkeypatch.setattr(
        "pagewash.evaluation.evaluate.text.recognise", lambda page, *more: read.append(page) or ""
    )
    evaluate(as_it_is, find_transcribed(tmp_path), EvaluationOptions(margin=5))
    for framed in read:
        assert framed.shape[:2] == (170, 650)
        assert not framed[5:-5, 5:-5].any()
        assert framed.sum() == 255 * (framed.size - page.size)
    assert len(read) == 2
    with pytest.raises(OptionError, match="0 or more"):
        EvaluationOptions(margin=-1)
