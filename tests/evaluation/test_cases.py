"""Which pages an evaluation looks at."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pagewash.errors import AccessError, OptionError, UnreadableError
from pagewash.evaluation.cases import find_pairs, find_transcribed, read_image


def save(path: Path, mode: str = "L", **options: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (20, 12), 1).save(path, **options)


def test_pairs_share_sub_folder_and_stem_but_not_extension(tmp_path):
    save(tmp_path / "noisy/old/1.jpg")
    save(tmp_path / "clean/old/1.png")
    save(tmp_path / "clean/old/2.png")
    (case,) = find_pairs(tmp_path / "noisy", tmp_path / "clean")
    assert (case.name, case.group) == ("old/1", "old")
    assert case.original == tmp_path / "clean/old/1.png"


def test_a_pattern_names_groups(tmp_path):
    for name in ("FontA_Noisec_VA.png", "FontA_Noisef_VA.png", "other.png"):
        save(tmp_path / "noisy" / name)
        save(tmp_path / "clean" / name)
    cases = find_pairs(tmp_path / "noisy", tmp_path / "clean", r"_(Noise.)_")
    assert [case.group for case in cases] == ["Noisec", "Noisef", ""]


@pytest.mark.parametrize("pattern", ["(", "Noise"])
def test_a_pattern_that_names_no_group_is_refused(tmp_path, pattern):
    save(tmp_path / "1.png")
    with pytest.raises(OptionError, match=r"not a regular expression|has no group"):
        find_pairs(tmp_path, tmp_path, pattern)


def test_a_scan_without_original_is_named(tmp_path):
    save(tmp_path / "noisy/1.png")
    (tmp_path / "clean").mkdir()
    with pytest.raises(OptionError, match=r"1\.png has no clean original"):
        find_pairs(tmp_path / "noisy", tmp_path / "clean")
    with pytest.raises(OptionError, match="has no images"):
        find_pairs(tmp_path / "clean", tmp_path / "noisy")
    with pytest.raises(AccessError, match="gone is not a folder"):
        find_pairs(tmp_path / "gone", tmp_path / "clean")


def test_transcribed_pages_take_their_language_from_the_list_beside_or_above(tmp_path):
    for name in ("sroie/1.png", "ocrd/1.png", "ocrd/2.jpg", "ocrd/bare.png"):
        save(tmp_path / name)
        if "bare" not in name:
            (tmp_path / name).with_suffix(".gt.txt").write_text("text")
    rows = "source,page,tesseract_lang\nocrd,1.png,frk\nsroie,1.png,fra\n"
    (tmp_path / "pages.csv").write_text(rows)
    found = {case.name: case.language for case in find_transcribed(tmp_path)}
    assert found == {"ocrd/1": "frk", "ocrd/2": "eng", "sroie/1": "fra"}
    assert {c.name: c.language for c in find_transcribed(tmp_path / "ocrd")}["1"] == "frk"
    assert {c.language for c in find_transcribed(tmp_path, "deu")} == {"deu"}
    assert {c.group for c in find_transcribed(tmp_path)} == {"ocrd", "sroie"}


def test_a_list_of_other_things_names_no_language(tmp_path):
    save(tmp_path / "field/1.png")
    (tmp_path / "field/1.gt.txt").write_text("text")
    (tmp_path / "field/pages.csv").write_text("file,licence\n1.png,MIT\n")
    assert [case.language for case in find_transcribed(tmp_path / "field")] == ["eng"]


def test_a_folder_without_transcriptions_says_what_is_missing(tmp_path):
    save(tmp_path / "1.png")
    with pytest.raises(OptionError, match=r"PAGE\.gt\.txt"):
        find_transcribed(tmp_path)


@pytest.mark.parametrize(
    ("mode", "shape"), [("1", (12, 20)), ("L", (12, 20)), ("RGB", (12, 20, 3))]
)
def test_images_are_read_as_grey_or_colour(tmp_path, mode, shape):
    save(tmp_path / "1.png", mode)
    pixels, dpi = read_image(tmp_path / "1.png")
    assert (pixels.shape, pixels.dtype, dpi) == (shape, np.uint8, None)


def test_a_resolution_is_believed_if_it_can_be_one(tmp_path):
    save(tmp_path / "good.png", dpi=(300, 300))
    save(tmp_path / "bad.png", dpi=(1, 1))
    assert read_image(tmp_path / "good.png")[1] == pytest.approx(300, abs=0.1)
    assert read_image(tmp_path / "bad.png")[1] is None


def test_what_is_no_image_is_named(tmp_path):
    (tmp_path / "1.png").write_bytes(b"\x89PNG and no more")
    with pytest.raises(UnreadableError, match=r"1\.png"):
        read_image(tmp_path / "1.png")


def test_a_file_of_two_pages_is_refused(tmp_path):
    two = Image.new("L", (20, 12))
    two.save(tmp_path / "2.tif", save_all=True, append_images=[two])
    with pytest.raises(OptionError, match="give each page a file of its own"):
        read_image(tmp_path / "2.tif")
