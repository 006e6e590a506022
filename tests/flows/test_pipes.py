"""The filter of shell pipelines, between a scanner's output and the real Tesseract."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from pagewash.evaluation.text import character_error_rate

ROOT = Path(__file__).parents[2]
TEXT = "The damp of last winter had\nleft brown stains on all of it."
STAIN = 90  # grey levels at its darkest


@pytest.mark.timeout(600)
@pytest.mark.skipif(not shutil.which("tesseract"), reason="tesseract is not installed")
def test_tesseract_reads_the_cleaned_page_of_a_pipeline_at_its_resolution(tmp_path):
    page = Image.new("L", (700, 240), 215)
    face = ImageFont.load_default(36)
    ImageDraw.Draw(page).multiline_text((60, 60), TEXT, fill=50, font=face, spacing=22)
    stain = STAIN * np.hypot(*np.mgrid[-1:1:240j, -1:1:700j]).clip(0, 1)
    scan = (np.asarray(page) - stain).clip(0, 255).astype(np.uint8)
    # as `scanimage --format=tiff --resolution 200` writes it
    Image.fromarray(scan).save(tmp_path / "scan.tif", dpi=(200, 200))

    clean = f"{shlex.quote(sys.executable)} -m pagewash.flows.cli clean - - --quiet"
    hocr = subprocess.run(
        ["sh", "-c", f"cat {shlex.quote(str(tmp_path))}/scan.tif | {clean} | tesseract - - hocr"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "scan_res 200 200" in hocr
    text = re.sub(r"<[^>]+>", " ", hocr.partition("<body>")[2])
    assert character_error_rate(text, TEXT) < 0.03
