"""JBIG2: what jbig2dec and PDFium read of pages that the program jbig2 encoded; G4 without it."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pikepdf
import pypdfium2
import pytest
from lines import lines_page
from PIL import Image

from pagewash.documents.encoders import encode_g4
from pagewash.documents.jbig2 import encode_jbig2
from pagewash.documents.pdf_writing import PdfSink, encode_for_pdf
from pagewash.documents.tiff import Directory
from pagewash.pages import Page

ENCODER = f"""#!{sys.executable}
# Takes jbig2enc's place where it is not installed: one generic region, coded as G4 is.
import io, struct, sys
from PIL import Image
assert sys.argv[1] == "--pdf", "only lossless generic regions for a PDF"
image = Image.open(sys.argv[2])
width, height = image.size
file = io.BytesIO()
image.save(file, "TIFF", compression="group4", tiffinfo={{262: 0, 278: height}})
with Image.open(file) as tiff:
    (start,), (length,) = tiff.tag_v2[273], tiff.tag_v2[279]
coded = file.getvalue()[start : start + length]
def segment(number, kind, data):
    return struct.pack(">IBBBI", number, kind, 0, 1, len(data)) + data
page = struct.pack(">IIIIBH", width, height, 0, 0, 0, 0)
region = struct.pack(">IIIIBB", width, height, 0, 0, 0, 1) + coded
sys.stdout.buffer.write(segment(0, 48, page) + segment(1, 38, region))
"""


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = folder / "bin" / "jbig2"
    program.parent.mkdir()
    program.write_text(script)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def encoder(tmp_path, monkeypatch):
    """The real program, or one that takes its place."""
    if not shutil.which("jbig2"):
        install(tmp_path, monkeypatch, ENCODER)


def text_page() -> Page:
    return Page(lines_page((500, 377)), dpi=(150.0, 150.0), mode="1")


@pytest.mark.skipif(not shutil.which("jbig2dec"), reason="needs jbig2dec")
@pytest.mark.usefixtures("encoder")
def test_jbig2dec_reads_every_bit(tmp_path):
    page = text_page()
    data = encode_jbig2(Image.fromarray(page.pixels >= 128))
    assert data is not None
    coded, read = tmp_path / "page.jb2", tmp_path / "page.pbm"
    coded.write_bytes(data)
    subprocess.run(["jbig2dec", "-q", "-e", "-t", "pbm", "-o", read, coded], check=True)
    with Image.open(read) as image:
        assert np.array_equal(np.asarray(image), page.pixels >= 128)


@pytest.mark.usefixtures("encoder")
@pytest.mark.parametrize("longer", [0, 10_000])
def test_a_pdf_takes_jbig2_where_it_is_smaller(monkeypatch, longer):
    page = text_page()
    image = Image.fromarray(page.pixels >= 128)
    if longer:
        monkeypatch.setattr("pagewash.documents.pdf_writing.encode_g4", _longer_g4)
    (strip,), data = encode_g4(page).strips, encode_jbig2(image)
    assert data is not None
    expected = "/JBIG2Decode" if len(data) < len(strip) + longer else "/CCITTFaxDecode"
    assert expected in encode_for_pdf(page).coding


@pytest.mark.usefixtures("encoder")
def test_pdfium_shows_jbig2_as_black_on_white(tmp_path, monkeypatch):
    page = text_page()
    monkeypatch.setattr("pagewash.documents.pdf_writing.encode_g4", _longer_g4)
    with (tmp_path / "a.pdf").open("wb") as file:
        sink = PdfSink(file)
        sink.add(page)
        sink.finish()
    with pikepdf.open(tmp_path / "a.pdf") as pdf:
        (image,) = pdf.pages[0].get_images().values()
        assert image.Filter == "/JBIG2Decode"
    document = pypdfium2.PdfDocument(tmp_path / "a.pdf")
    shown = document[0].render(scale=150 / 72, grayscale=True).to_numpy().reshape(501, -1)
    document.close()
    assert np.mean((shown[:500, :377] >= 128) == (page.pixels >= 128)) > 0.97


def _longer_g4(page: Page) -> Directory:
    directory = encode_g4(page)
    (strip,) = directory.strips
    return replace(directory, strips=[strip + bytes(10_000)])


@pytest.mark.parametrize(
    "script",
    ["#!/bin/sh\nexit 1\n", "#!/bin/sh\necho version 2\n", "#!/bin/sh\nkill $$\n", "no program"],
)
def test_a_program_that_fails_leaves_g4(tmp_path, monkeypatch, script):
    install(tmp_path, monkeypatch, script)
    assert encode_jbig2(Image.new("1", (40, 30))) is None
    assert "/CCITTFaxDecode" in encode_for_pdf(text_page()).coding


def test_without_the_program_there_is_g4(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "/CCITTFaxDecode" in encode_for_pdf(text_page()).coding


@pytest.mark.usefixtures("encoder")
def test_a_page_waits_where_the_next_run_finds_it_after_a_kill(monkeypatch):
    asked = []

    def take_note(command, **options):
        asked.append(Path(command[-1]))
        raise OSError

    monkeypatch.setattr(subprocess, "run", take_note)
    assert encode_jbig2(Image.new("1", (64, 64))) is None
    assert asked[0].parent.name.startswith("pagewash-work-")
