"""The processor in a real OCR-D workspace, by the command line of OCR-D core."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("ocrd", reason="OCR-D is not installed")

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "data" / "samples" / "stamped-form.jpg"
NAMESPACE = "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"
PAGE = """<?xml version="1.0" encoding="UTF-8"?>
<PcGts xmlns="{namespace}" pcGtsId="OCR-D-SEG_P1">
<Metadata><Creator>test</Creator><Created>2026-01-01T00:00:00</Created>
<LastChange>2026-01-01T00:00:00</LastChange></Metadata>
<Page imageFilename="OCR-D-IMG/page.png" imageWidth="{width}" imageHeight="{height}">
<TextRegion id="r1"><Coords points="100,100 900,100 900,500 100,500"/>
<TextLine id="l1"><Coords points="110,110 880,110 880,180 110,170"/></TextLine>
</TextRegion></Page></PcGts>
"""
METS = """
from ocrd import Resolver
workspace = Resolver().workspace_from_nothing(".")
workspace.mets.unique_identifier = "test"
for group, name, mime in (
    ("OCR-D-IMG", "page.png", "image/png"),
    ("OCR-D-SEG", "page.xml", "application/vnd.prima.page+xml"),
):
    workspace.add_file(
        group, file_id=f"{group}_P1", page_id="P1", mimetype=mime, local_filename=f"{group}/{name}"
    )
workspace.save_mets()
"""

pytestmark = [pytest.mark.timeout(600), pytest.mark.filterwarnings("ignore")]


def run(folder: Path, *command: str) -> str:
    environment = os.environ | {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def ocrd(folder: Path, *arguments: str) -> str:
    return run(folder, "-c", "from ocrd.cli import cli; cli()", *arguments)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Path:
    """A page in colour, and its PAGE document with a region and a line."""
    folder = tmp_path_factory.mktemp("workspace")
    (folder / "OCR-D-IMG").mkdir()
    (folder / "OCR-D-SEG").mkdir()
    with Image.open(SAMPLE) as image:
        width, height = image.size
        image.convert("RGB").save(folder / "OCR-D-IMG" / "page.png", dpi=image.info["dpi"])
    content = PAGE.format(namespace=NAMESPACE, width=width, height=height)
    (folder / "OCR-D-SEG" / "page.xml").write_text(content)
    run(folder, "-c", METS)
    return folder


def process(folder: Path, source: str, target: str, *parameters: str) -> list[tuple[str, str]]:
    """Comments and file name of each AlternativeImage that the processor has added."""
    from lxml import etree

    options = [word for pair in parameters for word in ("-P", *pair.split("="))]
    arguments = ("-I", source, "-O", target, "-P", "device", "cpu", *options)
    run(folder, "-m", "pagewash.ocrd_processor", *arguments)
    (page,) = (folder / target).glob("*.xml")
    root = etree.parse(page)
    names = {"p": NAMESPACE}
    assert root.find(".//p:Page", names).get("imageFilename") == "OCR-D-IMG/page.png"
    points = [coords.get("points") for coords in root.iterfind(".//p:Coords", names)]
    assert points[:1] == ([] if source == "OCR-D-IMG" else ["100,100 900,100 900,500 100,500"])
    images = root.findall(".//p:AlternativeImage", names)
    return [(image.get("comments"), image.get("filename")) for image in images]


def test_a_page_gets_a_clean_image_of_its_size_and_the_workspace_stays_valid(workspace):
    ((comments, name),) = process(workspace, "OCR-D-IMG", "OCR-D-WASH")
    assert comments == "grayscale_normalized,despeckled"
    with Image.open(SAMPLE) as scan, Image.open(workspace / name) as cleaned:
        assert cleaned.size == scan.size
        assert cleaned.info["dpi"] == pytest.approx(scan.info["dpi"], abs=0.1)
        assert cleaned.mode == "L"
        assert np.median(np.asarray(cleaned)) > 250 > np.median(np.asarray(scan.convert("L")))
    report = ocrd(workspace, "workspace", "validate", "--page-coordinate-consistency", "poly")
    assert 'valid="true"' in report


def test_lines_and_regions_get_images_that_fit_their_coordinates(workspace):
    ((comments, name),) = process(
        workspace, "OCR-D-SEG", "OCR-D-LINE", "level-of-operation=line", "color=keep"
    )
    assert "despeckled" in comments.split(",")
    assert "grayscale_normalized" not in comments
    with Image.open(workspace / name) as line:
        assert line.mode == "RGB"
        assert line.size == pytest.approx((770, 70), abs=1)
    ((_, name),) = process(workspace, "OCR-D-SEG", "OCR-D-REGION", "level-of-operation=region")
    with Image.open(workspace / name) as region:
        assert region.size == pytest.approx((800, 400), abs=1)
