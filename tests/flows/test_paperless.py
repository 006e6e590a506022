"""Both ways into paperless-ngx, called as it calls them (src/documents/consumer.py and
src/paperless_tesseract/parsers.py there).
"""

import hashlib
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import img2pdf
import numpy as np
import pikepdf
import pytest
from PIL import Image
from scans import scan

from pagewash.errors import OptionError
from pagewash.flows.paperless import clean_working_copy


@pytest.fixture
def environment(tmp_path, tiny_model) -> dict[str, str]:
    """An original in the consume folder, and its working copy in a scratch folder."""
    original = tmp_path / "consume" / "letter.png"
    original.parent.mkdir()
    Image.fromarray(scan(shape=(300, 220))).save(original, dpi=(150, 150))
    working = tmp_path / "scratch" / "letter.png"
    working.parent.mkdir()
    shutil.copy2(original, working)
    working.chmod(0o640)
    return {
        "DOCUMENT_SOURCE_PATH": str(original),
        "DOCUMENT_WORKING_PATH": str(working),
        "TASK_ID": "1",
        "PAGEWASH_MODEL": str(tiny_model),
    }


def consume(environment: dict[str, str]) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "pagewash.flows.paperless", environment["DOCUMENT_SOURCE_PATH"]],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def sha256(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def test_the_script_cleans_the_working_copy_in_place_and_leaves_the_original(environment):
    original, working = environment["DOCUMENT_SOURCE_PATH"], environment["DOCUMENT_WORKING_PATH"]
    before = sha256(original)
    done = consume(environment)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert sha256(original) == before
    with Image.open(working) as image:
        assert image.info["dpi"] == pytest.approx((150, 150), abs=0.1)
        assert not np.array_equal(np.asarray(image), scan(shape=(300, 220)))
    assert stat.S_IMODE(Path(working).stat().st_mode) == 0o640
    assert list(Path(working).parent.iterdir()) == [Path(working)]


@pytest.mark.parametrize("name", ["letter.png", "letter.jpg", "letter.tif", "letter.pdf"])
def test_the_same_copy_gives_the_same_bytes(environment, tmp_path, name):
    copy = tmp_path / name
    if copy.suffix == ".pdf":
        copy.write_bytes(img2pdf.convert(environment["DOCUMENT_SOURCE_PATH"]))
        del environment["PAGEWASH_MODEL"]  # an untrained one adds noise, which a PDF refuses
    else:
        Image.fromarray(scan(shape=(300, 220))).save(copy)
    results = set()
    for turn in ("one", "two"):
        working = tmp_path / turn / name
        working.parent.mkdir()
        shutil.copy2(copy, working)
        clean_working_copy(environment | {"DOCUMENT_WORKING_PATH": str(working)})
        results.add(sha256(str(working)))
    assert len(results) == 1
    assert sha256(str(copy)) not in results


def test_what_is_no_scan_stays_bit_for_bit(environment, tmp_path, capsys):
    with pikepdf.new() as pdf:
        pdf.add_blank_page(page_size=(400, 100))
        pdf.pages[0].Contents = pdf.make_stream(b"20 20 m 300 90 l S")
        pdf.save(tmp_path / "drawing.pdf")
    (tmp_path / "note.txt").write_text("Dear all,")
    for name in ("drawing.pdf", "note.txt"):
        working = str(tmp_path / name)
        before = sha256(working)
        clean_working_copy(environment | {"DOCUMENT_WORKING_PATH": working})
        assert sha256(working) == before
    assert "left as it is" in capsys.readouterr().err


def test_an_original_is_never_written_to(environment):
    original = environment["DOCUMENT_SOURCE_PATH"]
    before = sha256(original)
    with pytest.raises(OptionError, match="is the original"):
        clean_working_copy(environment | {"DOCUMENT_WORKING_PATH": original})
    assert sha256(original) == before


def test_outside_of_paperless_it_says_what_it_is_for(environment):
    del environment["DOCUMENT_WORKING_PATH"]
    done = consume(environment)
    assert done.returncode == 1
    assert "a script for paperless-ngx" in done.stderr


PARSE = """
import json, os, sys
os.environ["OMP_THREAD_LIMIT"] = "1"  # as its parser does
import ocrmypdf
user = json.loads('{"pagewash": true}')  # PAPERLESS_OCR_USER_ARGS
ocrmypdf.ocr(
    sys.argv[1], output_file="archive.pdf", use_threads=True, jobs=1, language="eng",
    output_type="pdf", progress_bar=False, skip_text=True,
    deskew=True, rotate_pages=True, rotate_pages_threshold=12.0, sidecar="sidecar.txt",
    image_dpi=300, **user,
)
print("torch" in sys.modules)
"""


@pytest.mark.timeout(600)
@pytest.mark.skipif(
    not (shutil.which("tesseract") and shutil.which("gs")),
    reason="tesseract or ghostscript is not installed",
)
def test_the_plugin_is_found_by_the_user_arguments_of_paperless(tmp_path):
    pytest.importorskip("ocrmypdf")
    samples = Path(__file__).parents[2] / "data" / "samples"
    done = subprocess.run(
        [sys.executable, "-c", PARSE, str(samples / "title-page.jpg")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "True"  # the page was cleaned
    assert len((tmp_path / "sidecar.txt").read_text().split()) > 30
    assert (tmp_path / "archive.pdf").read_bytes().startswith(b"%PDF")
