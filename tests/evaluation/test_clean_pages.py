"""What an evaluation of clean pages makes of cleaners whose work is known."""

import numpy as np
import pytest

from pagewash.evaluation.clean_pages import GROUNDS, PAIRS, chroma, grounds, print_on, report


class _Fixed:
    """Cleans by a function."""

    def __init__(self, clean):
        self.clean = clean


@pytest.fixture
def page():
    page = np.full((64, 48), 255, np.uint8)
    page[20:40, 10:30] = 0
    return page


def test_a_cleaner_that_keeps_everything_leaves_the_page_and_the_colour_of_its_ink(page):
    *_, worst = lines = list(report([page], _Fixed(lambda scan: scan)))
    assert lines[0] == "as it is: inf dB"
    assert len(lines) == 1 + len(GROUNDS) + len(PAIRS) + 1
    # black ink takes the colour of what it is printed on, as much as it is not black
    brown = 30 * (GROUNDS["brown"][0] - GROUNDS["brown"][2]) / 255
    assert float(worst.split()[-1]) == pytest.approx(brown, abs=1)


def test_a_cleaner_that_gives_grey_pages_leaves_no_colour(page):
    *_, worst = report([page], _Fixed(lambda scan: scan if scan.ndim == 2 else scan[..., 0]))
    assert worst.endswith(" 0.0")


def test_ink_alone_is_looked_at(page):
    scan = print_on(page, np.array(GROUNDS["pink"], np.uint8))
    assert chroma(scan, page < 64) < 10 < chroma(scan, page > 64)


def test_two_grounds_meet_around_the_middle(page):
    both = dict(grounds(page.shape))["brown and white"]
    assert tuple(both[0, 0]) == GROUNDS["brown"]
    assert tuple(both[32, 24]) == GROUNDS["white"]


def test_a_page_without_ink_has_no_colour():
    assert chroma(np.full((9, 9, 3), (250, 200, 10), np.uint8), np.zeros((9, 9), bool)) == 0.0
