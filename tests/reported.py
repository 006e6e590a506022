"""Runs to report on, made here: rows, and scans and cleaned pages for some of them."""

import dataclasses
import datetime
from collections.abc import Iterable
from pathlib import Path

import cv2
from scans import scan

from pagewash.measuring.definitions import PageMetrics
from pagewash.measuring.records import (
    PageRecord,
    Provenance,
    Status,
    part_path,
    records_table,
    write_table,
)

STARTED = datetime.datetime(2026, 3, 1, 2, 0, tzinfo=datetime.UTC)

HOW = Provenance(
    run_id="one",
    started=STARTED,
    model_id="fast",
    model_sha256="ab",
    pagewash_version="0.1.0",
    torch_version="2.13.0",
    device="cpu",
    precision="fp32",
    precision_reason="",
    tile=1024,
    halo=96,
    options_hash="cd",
)

QUIET = PageMetrics(
    **{field.name: 0.0 for field in dataclasses.fields(PageMetrics)[:-1]}, blank=False
)


def row(source: str, status: Status = "cleaned", page: int = 1, **values) -> PageRecord:
    """A row about a page; values of its metrics and of its record alike."""
    names = {field.name for field in dataclasses.fields(PageMetrics)}
    metrics = {name: value for name, value in values.items() if name in names}
    rest = {name: value for name, value in values.items() if name not in names}
    known = None if status in ("failed", "skipped") else dataclasses.replace(QUIET, **metrics)
    return PageRecord(HOW, source, status, page=page, metrics=known, output=source, **rest)


def write_part(path: Path, records: Iterable[PageRecord]) -> None:
    """Write one part of the metrics whole, over whatever stood there."""
    write_table(path, records_table(records))


def write_run(root: Path, rows: Iterable[PageRecord]) -> Path:
    """Record rows in DST, ``root/out``, which is returned; SRC is ``root/scans``."""
    out = root / "out"
    folders = {"source_folder": str(root / "scans"), "output_folder": str(out)}
    write_part(
        part_path(out / "metrics", STARTED.date(), HOW.run_id, 0),
        [dataclasses.replace(record, **folders) for record in rows],
    )
    return out


def write_pages(root: Path, names: Iterable[str], shape: tuple[int, int] = (300, 220)) -> None:
    """Write a dirty page to SRC and a lighter one to DST under each name."""
    for seed, name in enumerate(names):
        page = scan(seed, shape)
        for folder, pixels in (("scans", page), ("out", cv2.add(page, 60))):
            path = root / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(path), pixels)
