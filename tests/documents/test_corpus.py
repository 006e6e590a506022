"""Any folder of documents, cleaned: none lost, none larger, each as sound as it was.

Test documents and manuals come with packages: name folders of them, as of /usr/share/doc or of
unpacked sources of img2pdf, pikepdf and pypdf, and see what becomes of each:

    PAGEWASH_CORPUS=/usr/share/doc:/tmp/sources pytest -m slow -s tests/documents/test_corpus.py

Every container is read and written as in a run, in processes of their own; the network is one that
turns paper white, since documents are tried here and not cleaning.
"""

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pypdfium2
import pytest
from scans import FakeCleaner

from pagewash.cleaning.cleaner import CleanedPage
from pagewash.documents.containers import find_documents
from pagewash.measuring.records import read_records
from pagewash.options import RunOptions
from pagewash.pages import Page
from pagewash.runs.holding import planned_run
from pagewash.runs.shards import clean_run

FOLDERS = [Path(name) for name in os.environ.get("PAGEWASH_CORPUS", "").split(":") if name]
MOST_GROWTH, ROOM = 1.02, 2048  # bytes, of the tables of a small PDF
PYTHON = ("Error:", "Traceback", "object has no", "NoneType")


class Whitener(FakeCleaner):
    """Turns what is light white, and fails on nothing."""

    def clean_pages(self, pages: Iterable[Page]) -> Iterator[CleanedPage]:
        """Clean pages one by one."""
        for page in pages:
            pixels = np.asarray(cv2.convertScaleAbs(page.pixels, alpha=1.3), np.uint8)
            yield CleanedPage(page.replace_pixels(pixels), page, scale=1.0, seconds=0.0)


def pages_of(path: Path) -> list[tuple[tuple[float, float], str]] | None:
    """Size and text of each page of a PDF; None where pdfium cannot open it."""
    try:
        with pypdfium2.PdfDocument(path) as pdf:
            return [(page.get_size(), page.get_textpage().get_text_range()) for page in pdf]
    except pypdfium2.PdfiumError:
        return None


def soundness(path: Path) -> int:
    """How sound qpdf finds a PDF: 0 without a word, 1 with warnings, 2 broken."""
    code = subprocess.run(["qpdf", "--check", path], capture_output=True).returncode
    return {0: 0, 3: 1}.get(code, 2)


def complaints(source: Path, output: Path) -> Iterator[str]:
    """What is worse about an output than about its source."""
    if output.stat().st_size > MOST_GROWTH * source.stat().st_size + ROOM:
        yield f"grew from {source.stat().st_size} to {output.stat().st_size} bytes"
    if source.suffix.lower() == ".pdf":
        before, after = pages_of(source), pages_of(output)
        if before is not None and before != after:
            yield "has other page sizes or other text"
        if soundness(output) > soundness(source):
            yield "is less sound by qpdf --check"


def copied(folder: Path) -> dict[str, Path]:
    """Each different document of the folders, under a name of its own in one folder."""
    found: dict[str, Path] = {}
    seen: set[bytes] = set()
    for root in FOLDERS:
        for path in find_documents(root):
            data = path.read_bytes()
            if data not in seen:
                seen.add(data)
                name = f"{len(found):04}{path.suffix}"
                (folder / name).write_bytes(data)
                found[name] = path
    return found


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(not FOLDERS, reason="PAGEWASH_CORPUS names no folder")
@pytest.mark.skipif(not shutil.which("qpdf"), reason="needs qpdf")
def test_no_document_of_a_corpus_comes_to_harm(tmp_path, tiny_model):
    scans, out = tmp_path / "scans", tmp_path / "out"
    scans.mkdir()
    found = copied(scans)
    options = RunOptions(model=str(tiny_model), jobs=1, max_failures="100%")
    with planned_run(scans, out, options) as plan:
        report = clean_run(plan, load=lambda run: Whitener())
    assert report.run.folder is not None
    rows = read_records(report.run.folder).to_pylist()

    harm = [
        f"{found[name]} {complaint}"
        for name in found
        if (out / name).exists()
        for complaint in complaints(scans / name, out / name)
    ]
    harm += [
        f"{found[row['source']]}: {row['message']}"
        for row in rows
        if row["message"] and any(word in row["message"] for word in PYTHON)
    ]
    for name in found:
        pages = {row["page"] for row in rows if row["source"] == name}
        count = max(
            (row["document_pages"] or 0 for row in rows if row["source"] == name), default=0
        )
        if not pages or (count and pages != set(range(1, count + 1))):
            harm.append(f"{found[name]} has lost rows of its pages")
    reasons = Counter(row["message"] for row in rows if row["status"] == "skipped")
    print(f"{len(found)} documents, {len(rows)} rows:", Counter(row["status"] for row in rows))
    print(*(f"{count:6} {reason}" for reason, count in reasons.most_common()), sep="\n")
    print(*(f"failed: {f.message[:160]}" for f in report.failures), sep="\n")
    assert harm == []
