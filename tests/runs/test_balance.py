"""Shards for several workers: equal work by megapixels that were read from headers."""

import io
from pathlib import Path

import img2pdf
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scans import scan, write_scan

from pagewash.options import RunOptions
from pagewash.runs.balance import SHARD_MEGAPIXELS, balanced_shards, megapixels_of
from pagewash.runs.ledger import Source
from pagewash.runs.planning import Job


def job(path: Path | str) -> Job:
    return Job(Path(path), str(path), Path("out", path), str(path), Source(0, 0))


def encoded(page: np.ndarray, container: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(page).save(file, container)
    return file.getvalue()


def test_megapixels_are_those_of_all_pages_of_every_container(tmp_path):
    for name in ("a.png", "a.jpg", "a.bmp", "a.webp", "a.jp2"):
        write_scan(tmp_path / name, shape=(400, 300))
    pages = [Image.fromarray(scan(shape=shape)) for shape in ((400, 300), (200, 100))]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    sides = ((400, 300), (500, 200))
    scans = [encoded(scan(shape=shape), "PNG") for shape in sides]
    (tmp_path / "a.pdf").write_bytes(img2pdf.convert(scans))
    found = {
        path.suffix: megapixels_of([job(path)], RunOptions())[0] for path in tmp_path.iterdir()
    }
    single = dict.fromkeys((".png", ".jpg", ".bmp", ".webp", ".jp2"), 0.12)
    assert found == pytest.approx(single | {".tif": 0.14, ".pdf": 0.22})


def test_only_the_pages_that_were_asked_for_count(tmp_path):
    pages = [Image.fromarray(scan(shape=shape)) for shape in ((400, 300), (200, 100))]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    assert megapixels_of([job(tmp_path / "a.tif")], RunOptions(pages="2")) == [0.02]


def test_nothing_is_decoded_to_count_pixels(tmp_path):
    whole = encoded(np.zeros((2000, 5000), np.uint8), "PNG")
    (tmp_path / "header.png").write_bytes(whole[:100])
    assert megapixels_of([job(tmp_path / "header.png")], RunOptions()) == [10.0]


def test_a_document_that_cannot_be_read_weighs_nothing_and_keeps_its_place(tmp_path):
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.pdf").write_text("no PDF")
    write_scan(tmp_path / "scan.png", shape=(400, 300))
    names = ("empty.png", "scan.png", "text.pdf", "gone.png")
    found = megapixels_of([job(tmp_path / name) for name in names], RunOptions())
    assert found == [0.0, 0.12, 0.0, 0.0]


sizes = st.lists(st.floats(0, 5000), min_size=1, max_size=60)


@given(sizes, st.integers(1, 40))
def test_every_job_is_in_one_shard_and_none_has_much_more_than_its_share(megapixels, at_once):
    jobs = [job(f"{number:03}.png") for number in range(len(megapixels))]
    shards = balanced_shards(jobs, megapixels, at_once)
    assert sorted(each.name for shard in shards for each in shard) == [each.name for each in jobs]
    work = dict(zip((each.name for each in jobs), megapixels, strict=True))
    for shard in shards:
        names = [each.name for each in shard]
        assert names == sorted(names)
        # without its first and its last document it is within the bound
        assert sum(work[name] for name in names[1:-1]) <= SHARD_MEGAPIXELS


def test_equal_pages_make_equal_shards_for_every_worker():
    jobs = [job(f"{number:03}.png") for number in range(160)]
    shards = balanced_shards(jobs, [8.7] * 160, at_once=4)
    assert {len(shard) for shard in shards} == {10}
    assert len(shards) == 16


def test_large_pages_and_small_ones_are_balanced_by_pixels_not_by_their_number():
    jobs = [job(f"{number:03}.png") for number in range(176)]
    shards = balanced_shards(jobs, [34.5] * 16 + [3.0] * 160, at_once=2)
    assert sorted(len(shard) for shard in shards) == [4] * 4 + [40] * 4


def test_a_document_that_takes_longest_comes_first():
    jobs = [job(f"{number:03}.png") for number in range(50)]
    shards = balanced_shards(jobs, [8.7] * 49 + [4000.0], at_once=4)
    assert [each.name for each in shards[0]] == ["049.png"]


def test_documents_without_pixels_are_spread_too():
    shards = balanced_shards([job(f"{number}.png") for number in range(80)], [0.0] * 80, at_once=2)
    assert {len(shard) for shard in shards} == {10}
