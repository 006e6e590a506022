"""Pages drawn from what a network sees: a picture that its layouts explain comes back."""

import numpy as np

from pagewash.cleaning.embedding import PLACES
from pagewash.evaluation.drawing import SIDE, learn_layouts, picture

COUNT = PLACES[0] * PLACES[1]


def a_page(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A layout of two channels, and a thumbnail that hangs on them alone: a block of text."""
    ink = np.zeros(PLACES, np.float32)
    top, left = rng.integers(2, 10, 2)
    ink[top : top + 12, left : left + 10] = rng.uniform(0.3, 0.9)
    layout = np.stack([ink.ravel(), rng.normal(size=COUNT).astype(np.float32)])
    pixels = np.kron(255 * (1 - ink), np.ones((SIDE, SIDE)))
    return layout, np.asarray(np.rint(pixels), np.uint8)


def pages(count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(0)
    return [a_page(rng) for _ in range(count)]


def test_a_page_comes_back_from_its_layout_alone():
    known, (layout, thumbnail) = pages(40), a_page(np.random.default_rng(9))
    layouts = learn_layouts(*zip(*known, strict=True))
    assert np.abs(layouts.decode(layout).astype(int) - thumbnail).max() <= 2


def test_drawn_layouts_differ_and_vary_as_those_of_pages_do():
    known = pages(200)
    layouts = learn_layouts(*zip(*known, strict=True))
    rng = np.random.default_rng(1)
    drawn = np.stack([layouts.draw(rng)[0] for _ in range(200)])
    true = np.stack([layout[0] for layout, _ in known])
    assert np.ptp(drawn, axis=0).max() > 0.3
    assert np.abs(drawn.mean(0) - true.mean(0)).max() < 0.15
    assert 0.7 < drawn.std(0).mean() / true.std(0).mean() < 1.2


def test_the_picture_has_three_rows():
    known = pages(12)
    layouts = learn_layouts(*zip(*known, strict=True))
    drawn = picture(layouts, known[:4], np.random.default_rng(0))
    assert drawn.shape == (3 * (PLACES[0] * SIDE + 6), 4 * (PLACES[1] * SIDE + 6))
