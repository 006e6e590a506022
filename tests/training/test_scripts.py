"""Scripts other than Latin: their words, their fonts, and how a box is filled with them."""

import numpy as np
import pytest
from corpora import write_font
from PIL import Image as PillowImage
from PIL import ImageDraw

from pagewash.training.synthesis.scripts import (
    SCRIPTS,
    Script,
    find_script_fonts,
    script_words,
    set_script,
)


@pytest.mark.parametrize("name", SCRIPTS)
def test_words_are_of_the_letters_and_marks_of_their_script(name):
    script = SCRIPTS[name]
    line = script_words(np.random.default_rng(0), script, 12)
    assert set(line) <= {*script.letters, *script.marks, *"،.,;: "}
    assert (" " in line) == script.spaced
    assert line[0] not in script.marks


def test_a_script_without_a_font_that_has_its_letters_is_left_out(tmp_path):
    write_font(tmp_path, "NotoSans-Regular.ttf")  # Latin only, whatever it calls itself
    (tmp_path / "NotoSansArabic.ttf").write_bytes(b"no font")
    assert find_script_fonts([tmp_path]) == {}


@pytest.mark.parametrize("vertical", [False, True])
def test_a_box_is_filled_and_nothing_is_set_beside_it(tmp_path, vertical):
    path = write_font(tmp_path) / "plain.ttf"
    script = Script("abcdefg", (), spaced=not vertical, vertical=vertical)
    box = (40, 30, 260, 270)
    for seed in range(6):
        canvas = PillowImage.new("L", (300, 300))
        set_script(np.random.default_rng(seed), ImageDraw.Draw(canvas), box, 10.0, script, path)
        ink = np.asarray(canvas) > 0
        assert ink[30:270, 40:260].mean() > 0.03
        assert not ink[:30].any()
        assert not ink[280:].any()
        assert not ink[:, 275:].any()
        assert not ink[:, :20].any()
