"""Orientation: quarters of real print, Tesseract's opinion, and pages that do not tell."""

import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from pagewash.geometry.orientation import (
    MOST_WINDOWS,
    NO_ORIENTATION,
    SURE,
    find_orientation,
    windows,
)

SAMPLES = Path(__file__).parents[2] / "data/samples"


@pytest.fixture(scope="module")
def print_page() -> np.ndarray:
    page = cv2.imread(str(SAMPLES / "book-page.jpg"), cv2.IMREAD_GRAYSCALE)
    return np.asarray(page)


def turned(page: np.ndarray, quarters: int) -> np.ndarray:
    return np.ascontiguousarray(np.rot90(page, -quarters))


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_a_page_of_print_is_known_any_way_up(print_page, quarters):
    found = find_orientation(turned(print_page, quarters))
    assert found.turned == 90 * quarters
    assert found.confidence > SURE


@pytest.mark.skipif(not shutil.which("tesseract"), reason="needs Tesseract")
def test_tesseract_has_the_same_opinion(print_page, tmp_path):
    assert cv2.imwrite(str(tmp_path / "page.png"), turned(print_page, 1))
    told = subprocess.run(
        ["tesseract", tmp_path / "page.png", "-", "--psm", "0", "-l", "osd"],
        capture_output=True,
        text=True,
    )
    if "Orientation in degrees" not in told.stdout:
        pytest.skip("Tesseract's osd.traineddata is not there")
    rotate = int(told.stdout.split("Rotate:")[1].split()[0])
    assert (360 - rotate) % 360 == find_orientation(turned(print_page, 1)).turned


@pytest.mark.parametrize("shape", [(1, 1), (20, 900), (900, 700)])
def test_a_blank_page_does_not_tell(shape):
    assert find_orientation(np.full(shape, 255, np.uint8)) == NO_ORIENTATION


def test_spots_that_look_alike_both_ways_up_leave_it_in_doubt():
    page = np.full((600, 600), 255, np.uint8)
    for y in range(40, 560, 40):
        for x in range(40, 560, 40):
            cv2.circle(page, (x, y), 7, 0, -1, cv2.LINE_AA)
    assert find_orientation(page).confidence < SURE


def test_windows_turn_with_the_page(print_page):
    one, other = len(windows(print_page)), len(windows(turned(print_page, 1)))
    assert one == other == MOST_WINDOWS
