"""Pages through a run with options that change how they lie, or how many bits they take."""

import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pikepdf
import pypdfium2
import pytest
from lines import lines_page, set_line
from PIL import Image
from scans import FakeCleaner

from pagewash.errors import OptionError
from pagewash.evaluation.geometry import turned
from pagewash.geometry.blank import SURE
from pagewash.geometry.skew import find_skew
from pagewash.geometry.split import NO_GUTTER, find_gutter
from pagewash.measuring.records import read_records
from pagewash.options import RunOptions
from pagewash.runs.outcome import RunReport
from pagewash.runs.planning import plan_run
from pagewash.runs.shards import clean_run


@pytest.fixture
def clean(tmp_path, tiny_model):
    """Clean `tmp_path/in` into `tmp_path/out`; returns the rows."""

    def run(**options) -> list[dict]:
        report = run_report(**options)
        return read_records(report.run.folder).to_pylist()

    def run_report(**options) -> RunReport:
        chosen = RunOptions(model=str(tiny_model), jobs=1, **options)
        plan = plan_run(tmp_path / "in", tmp_path / "out", chosen)
        return clean_run(plan, load=lambda run: FakeCleaner())

    (tmp_path / "in").mkdir()
    setattr(run, "report", run_report)  # noqa: B010 (functions have no such attribute)
    return run


def save(path: Path, page: np.ndarray, **options) -> Path:
    Image.fromarray(page).save(path, **options)
    return path


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("L"))


def mode(path: Path) -> str:
    with Image.open(path) as image:
        return image.mode


def picture_page() -> np.ndarray:
    page = lines_page()
    page[300:700, 200:600] = np.linspace(20, 170, 400, dtype=np.uint8)[:, None]
    return page


def test_a_leaning_page_is_measured_always_and_straightened_only_if_asked(clean, tmp_path):
    save(tmp_path / "in/a.png", lines_page(angle=3.0))
    (row,) = clean()
    assert row["skew"] == pytest.approx(3.0, abs=0.05)
    assert (row["straightened"], row["turned"], row["shown"]) == (0, 0, None)
    (row,) = clean(deskew=True)
    assert row["straightened"] == pytest.approx(3.0, abs=0.05)
    assert abs(find_skew(pixels(tmp_path / "out/a.png")).angle) < 0.05


def test_a_straight_page_is_not_resampled(clean, tmp_path):
    page = lines_page()
    save(tmp_path / "in/a.png", page)
    (row,) = clean(deskew=True)
    assert row["straightened"] == 0
    assert np.array_equal(pixels(tmp_path / "out/a.png"), np.minimum(page, 245) + 10)


def test_options_of_geometry_are_part_of_an_outputs_identity(clean, tmp_path):
    save(tmp_path / "in/a.png", lines_page(angle=3.0))
    clean(deskew=True)
    assert clean.report(deskew=True).planned == 0
    assert clean.report().planned == 1
    assert RunOptions().fingerprint == RunOptions(color="keep", halftone=False).fingerprint


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pdf"])
def test_a_page_of_text_takes_one_bit_in_every_container(clean, tmp_path, name):
    save(tmp_path / "in" / name, lines_page(), **({"resolution": 300} if name == "a.pdf" else {}))
    clean(color="bilevel")
    written = tmp_path / "out" / name
    if name == "a.pdf":
        with pikepdf.open(written) as pdf:
            (image,) = pdf.pages[0].get_images().values()
            smallest = "/JBIG2Decode" if shutil.which("jbig2") else "/CCITTFaxDecode"
            assert (image.BitsPerComponent, image.Filter) == (1, smallest)
    else:
        assert mode(written) == "1"
        ink = pixels(written) == 0
        assert ink[lines_page() < 80].all()
        assert not ink[lines_page() > 200].any()


@pytest.mark.skipif(not shutil.which("tiffinfo"), reason="needs libtiff's tools")
def test_libtiff_reads_the_one_bit_tiff(clean, tmp_path):
    save(tmp_path / "in/a.tif", lines_page())
    clean(color="bilevel")
    told = subprocess.run(
        ["tiffinfo", "-D", tmp_path / "out/a.tif"], check=True, capture_output=True, text=True
    )
    assert "CCITT Group 4" in told.stdout
    assert not told.stderr


def test_a_page_with_a_picture_stays_grey_or_becomes_dots_by_choice(clean, tmp_path):
    save(tmp_path / "in/a.png", picture_page())
    clean(color="bilevel")
    assert mode(tmp_path / "out/a.png") == "L"
    clean(color="bilevel", halftone=True)
    assert mode(tmp_path / "out/a.png") == "1"


def test_a_leaning_page_in_one_bit_is_resampled_before_it_is_cut(clean, tmp_path):
    save(tmp_path / "in/a.png", lines_page(angle=2.0))
    clean(color="bilevel", deskew=True)
    page = pixels(tmp_path / "out/a.png")
    assert set(np.unique(page)) == {0, 255}
    assert abs(find_skew(page).angle) < 0.05


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pdf"])
def test_a_leaning_page_becomes_dots_once_it_is_straight(clean, tmp_path, name):
    leaning = turned(picture_page(), 2.0)
    save(tmp_path / "in" / name, leaning, **({"resolution": 150} if name == "a.pdf" else {}))
    clean(color="gray", deskew=True, format="png" if name != "a.pdf" else "pdf")
    grey = tone(tmp_path / "out" / name.replace("tif", "png"))
    clean(color="bilevel", halftone=True, deskew=True, force=True)
    dots = tone(tmp_path / "out" / name)
    inside = np.s_[360:620, 260:520]  # of the picture
    # dots of a page that a PDF turns by its matrix are seen through a viewer's resampling
    assert np.abs(dots[inside] - grey[inside]).mean() < (8 if name == "a.pdf" else 3)


def tone(path: Path) -> np.ndarray:
    page = rendered(path) if path.suffix == ".pdf" else pixels(path)
    return cv2.GaussianBlur(page.astype(np.float32), (0, 0), 3)


def test_yellow_handwriting_is_no_blank_page(clean, tmp_path):
    page = np.full((1754, 1240, 3), 255, np.uint8)
    cv2.line(page, (300, 600), (800, 660), (255, 240, 0), 5)
    save(tmp_path / "in/a.png", page)
    (row,) = clean(color="keep")
    assert row["blank_confidence"] < SURE


def test_jpeg_has_no_single_bit():
    with pytest.raises(OptionError, match="png, tiff or pdf"):
        RunOptions(color="bilevel", format="jpeg")


def test_a_page_of_a_few_pixels_has_no_gutter():
    page = np.full((80, 100), 230, np.uint8)
    page[:, 50] = 90
    assert find_gutter(page, page) == NO_GUTTER


def framed_page() -> np.ndarray:
    """A page on a black scanner bed."""
    scan = np.full((1300, 1000), 12, np.uint8)
    scan[90:1190, 110:910] = lines_page() * 0.9
    return scan


def open_book(fold: float = 0.6) -> np.ndarray:
    """Two pages side by side, with a fold between them."""
    book = np.hstack([lines_page((1000, 700), seed=1), lines_page((1000, 700), seed=2)]) * 0.9
    book *= 1 - fold * np.exp(-np.abs(np.arange(1400) - 700) / 4)
    return book.astype(np.uint8)


def blank_page() -> np.ndarray:
    return np.random.default_rng(0).integers(236, 246, (900, 700), dtype=np.uint8)


def write_tiff(path: Path, pages: list[np.ndarray]) -> None:
    first, *rest = [Image.fromarray(page) for page in pages]
    first.save(path, save_all=True, append_images=rest)


def page_count(path: Path) -> int:
    with Image.open(path) as image:
        return image.n_frames  # type: ignore[attr-defined]


def test_a_border_is_cut_off_if_asked_and_nothing_of_the_page(clean, tmp_path):
    save(tmp_path / "in/a.png", framed_page())
    (row,) = clean()
    assert row["shown"] is None
    (row,) = clean(crop=True)
    assert row["shown"] == row["page_box"]
    left, top, right, bottom = row["shown"]
    assert 100 <= left <= 110
    assert 80 <= top <= 90
    assert 910 <= right <= 920
    assert 1190 <= bottom <= 1200
    assert pixels(tmp_path / "out/a.png").shape == (bottom - top, right - left)


def test_a_border_is_kept_as_it_was_scanned_if_asked(clean, tmp_path):
    save(tmp_path / "in/a.png", framed_page())
    clean()
    whitened = pixels(tmp_path / "out/a.png")
    (row,) = clean(borders="keep")
    scan, kept = pixels(tmp_path / "in/a.png"), pixels(tmp_path / "out/a.png").copy()
    left, top, right, bottom = row["page_box"]
    page = np.s_[top:bottom, left:right]
    assert np.array_equal(kept[page], whitened[page])
    kept[page] = scan[page]
    assert np.array_equal(kept, scan)


@pytest.mark.parametrize("name", ["a.tif", "a.pdf"])
def test_pages_of_a_document_that_are_nearly_of_one_size_are_cropped_to_one(clean, tmp_path, name):
    beds = []
    for wider in (0, 6, -5):
        scan = np.full((1300, 1000), 12, np.uint8)
        scan[90:1190, 110:910] = lines_page() * 0.9
        scan[90:1190, 910 + wider : 910] = 12
        scan[90:1190, 910 : 910 + wider] = 230
        beds.append(Image.fromarray(scan))
    beds[0].save(tmp_path / "in" / name, save_all=True, append_images=beds[1:])
    rows = clean(crop=True)
    sizes = {(row["shown"][2] - row["shown"][0], row["shown"][3] - row["shown"][1]) for row in rows}
    assert len(rows) == 3
    assert len(sizes) == 1
    assert max(row["shown"][0] for row in rows) <= 116  # at most margins are cut
    if name == "a.pdf":
        with pikepdf.open(tmp_path / "out" / name) as pdf:
            boxes = [[float(edge) for edge in page.cropbox.as_list()] for page in pdf.pages]
        assert len({(round(box[2] - box[0], 2), round(box[3] - box[1], 2)) for box in boxes}) == 1
    else:
        with Image.open(tmp_path / "out" / name) as image:
            assert {(image.seek(page), image.size)[1] for page in range(3)} == sizes


def test_a_page_without_a_border_is_not_cropped(clean, tmp_path):
    save(tmp_path / "in/a.png", lines_page())
    (row,) = clean(crop=True)
    assert row["shown"] is None


def test_an_open_book_becomes_two_pages_where_the_file_can_hold_them(clean, tmp_path):
    save(tmp_path / "in/a.tif", open_book())
    save(tmp_path / "in/b.png", open_book())
    rows = clean(split=True)
    assert [row["gutter"] for row in rows] == pytest.approx([700, 700], abs=10)
    assert page_count(tmp_path / "out/a.tif") == 2
    assert pixels(tmp_path / "out/b.png").shape == (1000, 1400)
    assert [row["shown"] is None for row in rows] == [False, True]


def test_two_columns_without_a_fold_are_no_book(clean, tmp_path):
    save(tmp_path / "in/a.tif", open_book(fold=0))
    clean(split=True)
    assert page_count(tmp_path / "out/a.tif") == 1


def test_blank_pages_are_kept_marked_or_left_out(clean, tmp_path):
    write_tiff(tmp_path / "in/a.tif", [lines_page(seed=1), blank_page(), lines_page(seed=2)])
    written = tmp_path / "out/a.tif"
    assert [row["status"] for row in clean()] == ["cleaned"] * 3
    assert page_count(written) == 3
    rows = clean(blank="mark")
    assert [row["message"] for row in rows] == [None, "it is blank", None]
    assert page_count(written) == 3
    rows = clean(blank="drop")
    assert [row["status"] for row in rows] == ["cleaned", "skipped", "cleaned"]
    assert [row["output_page"] for row in rows] == [1, None, 2]
    assert page_count(written) == 2


def test_a_document_of_blank_pages_keeps_one(clean, tmp_path):
    write_tiff(tmp_path / "in/a.tif", [blank_page(), blank_page()])
    rows = clean(blank="drop")
    assert [row["status"] for row in rows] == ["review", "skipped"]
    assert page_count(tmp_path / "out/a.tif") == 1


def test_a_page_with_nothing_but_its_number_is_not_blank(clean, tmp_path):
    page = blank_page()
    set_line(page, "27", (330, 840), 21, 60, bold=0.5)
    write_tiff(tmp_path / "in/a.tif", [lines_page(), page])
    assert clean(blank="drop")[1]["status"] == "cleaned"


def rendered(path: Path) -> np.ndarray:
    """The first page as pdfium shows it, grey, at the pixels of `picture_page`."""
    document = pypdfium2.PdfDocument(path)
    try:
        bitmap = document[0].render(scale=150 / 72, grayscale=True)
        return bitmap.to_numpy().reshape(bitmap.height, bitmap.width).copy()
    finally:
        document.close()


def images_in(xobjects: pikepdf.Dictionary) -> list[pikepdf.Object]:
    """Images among named objects, those of forms too, in the order of their names."""
    found = []
    for _, drawn in sorted(xobjects.items()):
        nested = drawn.get("/Resources", {}).get("/XObject")
        found += images_in(nested) if nested is not None else [drawn]
    return found


@pytest.mark.parametrize("source", ["a.pdf", "a.jpg", "a.tif"])
def test_a_pdf_holds_text_in_one_bit_and_pictures_apart(clean, tmp_path, source):
    page = picture_page()
    name = tmp_path / "in" / source
    save(name, page, **({"resolution": 150} if source == "a.pdf" else {"dpi": (150, 150)}))
    clean(format="pdf", color="gray")
    in_grey = (tmp_path / "out/a.pdf").stat().st_size
    clean(format="pdf", color="bilevel")
    written = tmp_path / "out/a.pdf"
    with pikepdf.open(written) as pdf:
        text, *pictures = images_in(pdf.pages[0].Resources.XObject)
        assert text.BitsPerComponent == 1
        assert [picture.BitsPerComponent for picture in pictures] == [8]
        assert pictures[0].Width < page.shape[1]
    shown = rendered(written)
    assert shown.shape == page.shape
    assert np.abs(shown[320:680, 220:580].astype(int) - page[320:680, 220:580]).mean() < 14
    text_alone = shown[720:]
    assert (text_alone[lines_page()[720:] < 60] < 128).mean() > 0.97
    assert (text_alone[lines_page()[720:] > 250] > 128).mean() > 0.99
    assert written.stat().st_size < in_grey


def test_a_page_in_layers_can_be_cleaned_again(clean, tmp_path):
    save(tmp_path / "in/a.pdf", picture_page(), resolution=150)
    clean(color="bilevel")
    once = tmp_path / "out/a.pdf"
    before = rendered(once)
    once.rename(tmp_path / "in/a.pdf")
    (row,) = clean(color="bilevel")
    assert row["status"] == "cleaned", row["message"]
    after = rendered(tmp_path / "out/a.pdf")
    assert np.abs(after.astype(int) - before).mean() < 3


def test_a_page_on_its_side_is_known_always_and_turned_only_if_asked(clean, tmp_path):
    upright = pixels(Path(__file__).parents[2] / "data/samples/book-page.jpg")
    save(tmp_path / "in/a.png", np.ascontiguousarray(np.rot90(upright, -1)))
    (row,) = clean()
    assert (row["orientation"], row["turned"]) == (90, 0)
    (row,) = clean(upright=True)
    assert row["turned"] == 270
    assert pixels(tmp_path / "out/a.png").shape == upright.shape
