"""A folder of mixed documents, and what must hold of it and of its outputs, whatever happens."""

import hashlib
from pathlib import Path

import img2pdf
import numpy as np
from PIL import Image
from scans import scan, write_scan

from pagewash.documents.document import open_document
from pagewash.measuring.records import find_parts, read_records
from pagewash.measuring.summary import latest

PAGES = {"a.png": 1, "b.jpg": 1, "book.tif": 3, "box/c.pdf": 2, "box/d.png": 1, "broken.png": 1}
"""Documents and their pages; one cannot be read, and has a row."""


def write_documents(folder: Path) -> Path:
    """Write small documents of every kind."""
    for seed, name in enumerate(("a.png", "b.jpg", "box/d.png")):
        write_scan(folder / name, seed=seed)
    pages = [Image.fromarray(scan(seed)) for seed in range(3)]
    pages[0].save(folder / "book.tif", save_all=True, append_images=pages[1:])
    (folder / "box" / "c.pdf").write_bytes(
        img2pdf.convert([_png(folder, np.dstack([scan(seed, (150, 120))] * 3)) for seed in (7, 8)])
    )
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    return folder


def _png(folder: Path, pixels: np.ndarray) -> bytes:
    path = folder / "page.png"
    Image.fromarray(pixels).save(path)
    data = path.read_bytes()
    path.unlink()
    return data


def hashes(folder: Path) -> dict[str, str]:
    """Every file of a folder that is neither hidden nor among the metrics, by its hash."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not path.name.startswith(".")
        and path.relative_to(folder).parts[0] != "metrics"
    }


def check_whole(folder: Path) -> None:
    """Every output is whole, to its last page, and so is every part of the metrics."""
    for name in hashes(folder):
        with open_document(folder / name) as document:
            assert sum(1 for _ in document.pages()) == PAGES[name]
    if find_parts(folder):
        read_records(folder)


def check_done(folder: Path, expected: dict[str, str], temporary: Path) -> None:
    """All is done as in a run that nothing happened to, each page has one row, nothing is left."""
    assert hashes(folder) == expected
    rows = latest(read_records(folder)).to_pylist()
    assert sorted((row["source"], row["page"]) for row in rows if row["status"] != "failed") == [
        (name, page) for name in sorted(expected) for page in range(1, PAGES[name] + 1)
    ]
    assert [row["source"] for row in rows if row["status"] == "failed"] == ["broken.png"]
    assert not list(folder.rglob(".*"))
    assert not list(temporary.glob("pagewash-work-*"))
