"""Pages of PDFs made straight, upright, cropped, split: seen by pdfium, and by qpdf."""

import io
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pikepdf
import pypdfium2
import pytest
from lines import lines_page
from pdfs import add_page, put_grey, render, soiled
from pikepdf import Array, Dictionary, Name

from pagewash.documents.document import WriteOptions, create_document, open_document
from pagewash.geometry.skew import find_skew
from pagewash.geometry.transform import PageTransform, straightened
from pagewash.pages import Page

SIZE = (400, 600)  # points; two pixels to a point
SPOT = (100, 300)  # where a word of the text layer stands


def searchable_pdf(path: Path, page: np.ndarray, rotation: int = 0) -> Path:
    """A scan that fills its page, with an invisible word and a link at `SPOT`."""
    pdf = pikepdf.new()
    image = pdf.make_stream(page.tobytes())
    image.stream_dict = pikepdf.Dictionary(
        Type=Name.XObject, Subtype=Name.Image, Width=page.shape[1], Height=page.shape[0],
        BitsPerComponent=8, ColorSpace=Name.DeviceGray,
    )  # fmt: skip
    font = pdf.make_indirect(
        Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica)
    )
    wide, high = SIZE
    x, y = SPOT
    content = f"q {wide} 0 0 {high} 0 0 cm /I Do Q BT 3 Tr /F 12 Tf 1 0 0 1 {x} {y} Tm (Word) Tj ET"
    link = pdf.make_indirect(
        Dictionary(Type=Name.Annot, Subtype=Name.Link, Rect=Array([x, y, x + 20, y + 10]))
    )
    pdf.add_blank_page(page_size=SIZE)
    own = pdf.pages[0].obj
    own.Resources = Dictionary(XObject=Dictionary(I=image), Font=Dictionary(F=font))
    own.Contents, own.Annots = pdf.make_stream(content.encode()), Array([link])
    if rotation:
        own.Rotate = rotation
    pdf.save(path)
    return path


def written(source: Path, target: Path, transform: PageTransform, **options: str) -> Path:
    with (
        open_document(source) as document,
        create_document(document, target, WriteOptions(**options)) as writer,
    ):
        for page in document.pages():
            assert isinstance(page, Page)
            writer.add(replace(page, transform=transform))
    return target


def seen(path: Path, number: int = 0) -> np.ndarray:
    with pypdfium2.PdfDocument(path) as pdf:
        return np.array(pdf[number].render(scale=2).to_numpy()[..., 0])


def word_at(path: Path, number: int = 0) -> tuple[float, float]:
    with pypdfium2.PdfDocument(path) as pdf:
        text = pdf[number].get_textpage()
        assert text.get_text_bounded().strip() == "Word"
        left, bottom, _, _ = text.get_charbox(0, loose=True)
        return left, bottom


@pytest.fixture
def page() -> np.ndarray:
    return lines_page((1200, 800), angle=4.0)


def test_a_leaning_page_is_straight_its_image_as_it_was_and_its_text_moves_along(tmp_path, page):
    source = searchable_pdf(tmp_path / "in.pdf", page)
    target = written(source, tmp_path / "out.pdf", PageTransform(4.0))
    assert abs(find_skew(seen(target)).angle) < 0.1
    with pikepdf.open(target) as pdf:
        (image,) = pdf.pages[0].get_images().values()
        assert (image.Width, image.Height) == (800, 1200)  # not resampled
    before, after = np.array(word_at(source)), np.array(word_at(target))
    pixels = (before * (1, -1) + (0, SIZE[1])) * 2
    moved = straightened(pixels[None], page.shape, 4.0)[0] / 2 * (1, -1) + (0, SIZE[1])
    assert after == pytest.approx(moved, abs=1.5)


def test_a_link_stays_on_its_word(tmp_path, page):
    source = searchable_pdf(tmp_path / "in.pdf", page)
    target = written(source, tmp_path / "out.pdf", PageTransform(4.0))
    with pikepdf.open(target) as pdf:
        rectangle = [float(edge) for edge in pdf.pages[0].Annots[0].Rect]
    assert rectangle[:2] == pytest.approx(word_at(target), abs=4)


@pytest.mark.parametrize("rotation", [0, 90, 270])
@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_quarters_add_to_the_pages_own_rotation(tmp_path, page, rotation, quarters):
    source = searchable_pdf(tmp_path / "in.pdf", page, rotation)
    target = written(source, tmp_path / "out.pdf", PageTransform(quarters=quarters))
    assert np.abs(seen(target) - np.rot90(seen(source), -quarters).astype(float)).mean() < 2


def test_a_crop_hides_what_is_outside_and_deletes_nothing(tmp_path, page):
    source = searchable_pdf(tmp_path / "in.pdf", page)
    target = written(source, tmp_path / "out.pdf", PageTransform(boxes=((100, 200, 700, 1000),)))
    assert np.abs(seen(target) - seen(source)[200:1000, 100:700].astype(float)).mean() < 2
    with pikepdf.open(target) as pdf:
        assert [float(edge) for edge in pdf.pages[0].MediaBox] == [0, 0, *SIZE]


def test_two_pages_on_a_scan_become_two_pages(tmp_path, page):
    source = searchable_pdf(tmp_path / "in.pdf", page)
    halves = PageTransform(boxes=((0, 0, 400, 1200), (400, 0, 800, 1200)))
    target = written(source, tmp_path / "out.pdf", halves)
    whole = seen(source).astype(float)
    assert np.abs(seen(target, 0) - whole[:, :400]).mean() < 2
    assert np.abs(seen(target, 1) - whole[:, 400:]).mean() < 2


@pytest.mark.parametrize("rotation", [0, 90])
def test_a_flattened_pdf_lies_as_the_pdf_would(tmp_path, page, rotation):
    source = searchable_pdf(tmp_path / "in.pdf", page, rotation)
    boxes = ((0, 0, 500, 800), (500, 0, 1200, 800)), ((0, 0, 800, 500), (0, 500, 800, 1200))
    transform = PageTransform(4.0, 1, boxes[rotation == 0])  # in pixels as a viewer shows them
    pdf = written(source, tmp_path / "out.pdf", transform)
    tiff = written(source, tmp_path / "out.tif", transform, format="tiff")
    with open_document(tiff) as document:
        pages = [page.pixels for page in document.pages()]
    assert len(pages) == 2
    for number, image in enumerate(pages):
        shown = seen(pdf, number).astype(np.float32)
        assert shown.shape == image.shape
        shift, likeness = cv2.phaseCorrelate(shown, image.astype(np.float32))
        assert np.hypot(*shift) < 2  # pdfium puts turned images on whole pixels
        assert likeness > 0.9


@pytest.mark.skipif(not shutil.which("qpdf"), reason="needs qpdf")
def test_qpdf_has_nothing_against_it(tmp_path, page):
    source = searchable_pdf(tmp_path / "in.pdf", page)
    transform = PageTransform(-3.0, 1, ((0, 0, 400, 1200), (400, 0, 820, 1200)))
    target = written(source, tmp_path / "out.pdf", transform)
    run = subprocess.run(["qpdf", "--check", target], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def labelled() -> pikepdf.Pdf:
    """Four pages, i, ii, 1 and 2."""
    pdf = pikepdf.new()
    for number in range(4):
        image = put_grey(pdf, soiled((400, 300), seed=number))
        page = add_page(pdf, b"q 300 0 0 400 0 0 cm /Im Do Q", **{"/Im": image})
        page.MediaBox = pikepdf.Array([0, 0, 300, 400])
    roman, arabic = pikepdf.Dictionary(S=Name.r), pikepdf.Dictionary(S=Name.D, St=1)
    pdf.Root.PageLabels = pikepdf.Dictionary(Nums=pikepdf.Array([0, roman, 2, arabic]))
    return pdf


def test_pages_keep_their_labels_where_others_are_left_out_or_split(tmp_path):
    source = tmp_path / "labels.pdf"
    labelled().save(source)
    halves = PageTransform(boxes=((0, 0, 150, 400), (150, 0, 300, 400)))
    with open_document(source) as document:
        with create_document(document, tmp_path / "some.pdf", wanted={2, 3}) as writer:
            for page in document.pages({2, 3}):
                writer.add(page)
        with create_document(document, tmp_path / "split.pdf") as writer:
            for page in document.pages():
                assert isinstance(page, Page)
                writer.add(replace(page, transform=halves) if page.index == 0 else page)

    def labels(name: str) -> list[str]:
        with pikepdf.open(tmp_path / name) as pdf:
            return [page.label for page in pdf.pages]

    assert labels("some.pdf") == ["1", "2"]
    assert labels("split.pdf") == ["i", "i", "ii", "1", "2"]


def test_a_page_that_shows_a_part_of_its_image_keeps_its_box(tmp_path):
    """What it hides may be another page."""
    pdf = labelled()
    pdf.pages[0].CropBox = pikepdf.Array([150, 0, 300, 400])
    pdf.save(tmp_path / "a.pdf")
    with open_document(tmp_path / "a.pdf") as document:
        whole = [isinstance(page, Page) and page.whole for page in document.pages()]
    assert whole == [False, True, True, True]


def test_content_that_begins_with_a_q_too_many_is_turned_as_any_other(tmp_path):
    shown = []
    for head in (b"", b"Q "):
        pdf = pikepdf.new()
        image = put_grey(pdf, lines_page((400, 300)))
        page = add_page(pdf, head + b"q 300 0 0 400 0 0 cm /Im Do Q", **{"/Im": image})
        page.MediaBox = pikepdf.Array([0, 0, 300, 400])
        pdf.save(tmp_path / "a.pdf")
        with (
            open_document(tmp_path / "a.pdf") as document,
            create_document(document, tmp_path / "b.pdf") as writer,
        ):
            (one,) = document.pages()
            assert isinstance(one, Page)
            writer.add(replace(one, transform=PageTransform(angle=5.0)))
        shown.append(render(io.BytesIO((tmp_path / "b.pdf").read_bytes())))
    assert np.array_equal(*shown)
