"""JPEGs that lack their end marker, and those in a coding that is rare."""

import io
import shutil
import subprocess

import numpy as np
import pytest
from pdfs import pdf_of, read, soiled
from pikepdf import Name
from PIL import Image

from pagewash.documents import images, pdf_images
from pagewash.documents.document import open_document
from pagewash.documents.jpeg import is_arithmetic, with_end
from pagewash.errors import UnreadableError


def jpeg(pixels: np.ndarray, **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", **options)
    return file.getvalue()


def half_empty() -> np.ndarray:
    page = soiled()
    page[150:] = 255  # what is missing of it would not be missed
    return page


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("page", [soiled(), np.stack([soiled()] * 3, -1), half_empty()])
def test_a_jpeg_that_lacks_only_its_end_is_read_and_noted(page, progressive):
    whole = jpeg(page, progressive=progressive)
    assert with_end(whole) is None
    with open_document(io.BytesIO(whole[:-2])) as document:
        (note,) = document.notes
        assert "lacks the marker at its end" in note
        (read,) = document.pages()
    with open_document(io.BytesIO(whole)) as document:
        assert document.notes == ()
        assert np.array_equal(next(document.pages()).pixels, read.pixels)
    assert with_end(whole[:-1]) == whole


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.98])
def test_a_jpeg_that_lacks_more_is_broken(share, progressive):
    for page in (soiled(), half_empty()):
        whole = jpeg(page, progressive=progressive, restart_marker_rows=3)
        with (
            open_document(io.BytesIO(whole[: int(share * len(whole))])) as document,
            pytest.raises(UnreadableError, match="truncated"),
        ):
            list(document.pages())


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_jpeg_whose_end_marker_comes_early_is_cut_off(share, mode):
    file = io.BytesIO()
    Image.fromarray(soiled()).convert(mode).save(file, "JPEG")
    whole = file.getvalue()
    early = whole[: int(share * len(whole))].removesuffix(b"\xff") + b"\xff\xd9"
    with (
        open_document(io.BytesIO(early + b"what comes after")) as document,
        pytest.raises(UnreadableError, match="its data is cut off"),
    ):
        list(document.pages())


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_that_is_grey_at_its_end_is_whole(progressive):
    page = soiled()
    page[100:] = 128
    with open_document(io.BytesIO(jpeg(page, progressive=progressive))) as document:
        (read,) = document.pages()
    assert read.pixels[-1, -1] == 128


def test_arithmetic_coding_is_told_from_its_marker():
    whole = jpeg(soiled())
    assert not is_arithmetic(whole)
    assert is_arithmetic(whole.replace(b"\xff\xc0", b"\xff\xc9", 1))


def test_arithmetic_coding_is_named_where_it_cannot_be_read(monkeypatch):
    def refuse(_):
        raise OSError("decoder error -2")

    monkeypatch.setattr(images, "decode", refuse)
    coded = jpeg(soiled()).replace(b"\xff\xc0", b"\xff\xc9", 1)
    with (
        open_document(io.BytesIO(coded)) as document,
        pytest.raises(UnreadableError, match=r"coded arithmetically.*jpegtran"),
    ):
        list(document.pages())


def test_arithmetic_coding_in_a_pdf_is_named_where_it_cannot_be_read(monkeypatch):
    def refuse(_):
        raise UnreadableError("one of its images cannot be decoded")

    monkeypatch.setattr(pdf_images, "decode", refuse)
    coded = jpeg(soiled()).replace(b"\xff\xc0", b"\xff\xc9", 1)
    entries = {"Filter": Name.DCTDecode, "ColorSpace": Name.DeviceGray, "BitsPerComponent": 8}
    (page,) = read(pdf_of(entries, coded, 200, 300))
    assert page.reason == "its JPEG is coded arithmetically, which is not read here"


@pytest.mark.skipif(not shutil.which("jpegtran"), reason="needs jpegtran")
def test_arithmetic_coding_is_read_where_libjpeg_reads_it():
    whole = jpeg(soiled())
    coded = subprocess.run(["jpegtran", "-arithmetic"], input=whole, capture_output=True).stdout
    assert is_arithmetic(coded)
    with open_document(io.BytesIO(coded)) as document:
        page = next(document.pages())
    assert np.array_equal(page.pixels, np.array(Image.open(io.BytesIO(whole))))


@pytest.mark.parametrize("bits", [8, 16, 32])
def test_a_tiff_of_signed_samples_is_told_why_it_is_not_read(bits):
    file = io.BytesIO()
    image = Image.fromarray(soiled().astype({8: "u1", 16: "u2", 32: "i4"}[bits]))
    image.save(file, "TIFF", tiffinfo={339: 2})
    data = file.getvalue()
    with Image.open(io.BytesIO(data)) as tiff:
        assert tiff.tag_v2[339] in (2, (2,))  # type: ignore[attr-defined]
    with (
        open_document(io.BytesIO(data)) as document,
        pytest.raises(UnreadableError, match=f"samples of {bits} bits have a sign"),
    ):
        list(document.pages())
