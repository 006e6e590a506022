"""Documents through a run: all of one or nothing, one row a page, and again only what changed."""

import io
import os
import struct
import threading
from pathlib import Path

import cv2
import numpy as np
import pikepdf
import pytest
from networks import small_network
from pdfs import FULL_PAGE, add_page, put_grey, render, save, soiled
from PIL import Image
from scans import FakeCleaner, scan, write_scan

from pagewash.failures import DONE, INTERRUPTED
from pagewash.inference.checkpoint import ModelCard, save_checkpoint
from pagewash.measuring.records import read_records
from pagewash.options import ColorName, RunOptions
from pagewash.runs.holding import planned_run
from pagewash.runs.journey import finish_page
from pagewash.runs.ledger import OutputKey
from pagewash.runs.outcome import Run, RunReport, ShardReport, may_still_fail
from pagewash.runs.planning import RunPlan, plan_run
from pagewash.runs.shards import clean_run, clean_shard


@pytest.fixture
def clean(folders, tiny_model):
    """Clean SRC into DST with the fake cleaner."""

    def run(source: Path = folders[0], destination: Path = folders[1], **options) -> RunReport:
        stop = options.pop("stop", None)
        chosen = RunOptions(model=str(tiny_model), jobs=2, **options)
        with planned_run(source, destination, chosen) as plan:
            return clean_run(plan, load=lambda run: FakeCleaner(), stop=stop)

    return run


def rows(report: RunReport) -> list[dict]:
    return read_records(report.run.folder).to_pylist()


def write_tiff(path: Path, pages: list[np.ndarray]) -> Path:
    first, *rest = [Image.fromarray(page) for page in pages]
    first.save(path, save_all=True, append_images=rest)
    return path


def test_every_page_is_cleaned_and_has_a_row(clean, folders):
    source, destination = folders
    write_tiff(source / "book.tif", [scan(4), scan(5)])
    report = clean()
    assert report.exit_code == DONE
    assert (report.documents, report.pages) == (4, 5)
    for number in range(3):
        before, after = (cv2.imread(str(f / f"{number}.png"), 0) for f in folders)
        assert np.array_equal(after, cv2.add(before, np.full_like(before, 10)))
    with Image.open(destination / "book.tif") as book:
        assert book.n_frames == 2  # type: ignore[attr-defined]
    assert [(row["source"], row["page"]) for row in rows(report)] == [
        ("0.png", 1),
        ("1.png", 1),
        ("2.png", 1),
        ("book.tif", 1),
        ("book.tif", 2),
    ]
    assert {row["device"] for row in rows(report)} == {"cpu"}


def test_a_document_that_passes_through_is_counted_as_that(clean, folders):
    with pikepdf.new() as pdf:
        pdf.add_blank_page()
        pdf.save(folders[0] / "text.pdf")
    report = clean()
    assert (report.documents, report.passed_through, report.skipped) == (4, 1, 1)


def test_rows_tell_where_the_scan_and_the_cleaned_page_lie(clean, folders, monkeypatch):
    monkeypatch.chdir(folders[0].parent)
    write_scan(folders[0] / "box" / "deep.png")
    for row in rows(clean(Path("scans"), Path("out"))):
        assert Path(row["source_folder"], row["source"]).is_file()
        assert (row["source_folder"], row["output_folder"]) == tuple(map(str, folders))
        assert Path(row["output_folder"], row["output"]).is_file()


def test_progress_counts_every_page_once(folders, tiny_model):
    write_tiff(folders[0] / "book.tif", [scan(4), scan(5), scan(6)])
    (folders[0] / "empty.png").touch()
    plan = plan_run(folders[0], folders[1], RunOptions(model=str(tiny_model)))
    done = found = 0

    def progress(more: int, beyond: int) -> None:
        nonlocal done, found
        done, found = done + more, found + beyond

    clean_run(plan, progress=progress, load=lambda run: FakeCleaner())
    assert (done, found) == (7, 2)


def test_bad_files_become_rows_and_the_others_are_cleaned(clean, folders):
    source, destination = folders
    (source / "empty.png").touch()
    (source / "text.jpg").write_text("no image at all")
    whole = (source / "0.png").read_bytes()
    (source / "truncated.png").write_bytes(whole[: len(whole) // 2])
    report = clean()
    assert report.exit_code == 2
    failed = {row["source"]: row for row in rows(report) if row["status"] == "failed"}
    assert {name: row["error"] for name, row in failed.items()} == {
        "empty.png": "EmptyFileError",
        "text.jpg": "UnreadableError",
        "truncated.png": "UnreadableError",
    }
    assert all(name in row["message"] for name, row in failed.items())
    assert sorted(path.name for path in destination.glob("*.*")) == ["0.png", "1.png", "2.png"]


def test_a_broken_page_of_a_tiff_costs_neither_the_others_nor_its_place(clean, folders, caplog):
    source, destination = folders
    book = write_tiff(source / "book.tif", [scan(4), scan(5, (100, 90)), scan(6)])
    place = book.read_bytes().index(scan(5, (100, 90)).tobytes())
    data = bytearray(book.read_bytes())
    compression = data.index(struct.pack("<HHIH", 259, 3, 1, 1), place - 400)
    data[compression + 8 : compression + 10] = struct.pack("<H", 8)  # it is not deflated
    book.write_bytes(data)
    report = clean()
    assert report.exit_code == DONE
    found = [row for row in rows(report) if row["source"] == "book.tif"]
    assert [row["status"] for row in found] == ["cleaned", "skipped", "cleaned"]
    assert found[1]["message"] == "it cannot be decoded"
    assert "book.tif, page 2, stays as it is: it cannot be decoded" in caplog.text
    with Image.open(destination / "book.tif") as image:
        assert getattr(image, "n_frames", 1) == 3
    assert scan(5, (100, 90)).tobytes() in (destination / "book.tif").read_bytes()


def test_a_pdf_whose_scan_is_transparent_in_a_colour_passes_through_and_says_so(clean, folders):
    pdf = pikepdf.new()
    add_page(pdf, FULL_PAGE, Im=put_grey(pdf, soiled(), Mask=pikepdf.Array([250, 255])))
    (folders[0] / "keyed.pdf").write_bytes(save(pdf).getvalue())
    report = clean()
    assert (report.exit_code, report.skipped, report.passed_through) == (DONE, 1, 1)
    (row,) = [row for row in rows(report) if row["source"] == "keyed.pdf"]
    assert row["status"] == "skipped"
    assert row["message"] == "its image is transparent in certain colours"
    copied = io.BytesIO((folders[1] / "keyed.pdf").read_bytes())
    assert np.array_equal(render(copied), render(save(pdf)))


def test_a_document_that_is_replaced_while_it_is_read_becomes_no_mixture(
    clean, folders, monkeypatch, tmp_path
):
    source, destination = folders
    write_scan(tmp_path / "b.png", seed=5)

    def replaced(item, *arguments):  # after reading, before the rest
        if item.opened.job.name == "0.png":
            (tmp_path / "b.png").replace(source / "0.png")
        return finish_page(item, *arguments)

    monkeypatch.setattr("pagewash.runs.journey.finish_page", replaced)
    report = clean()
    (failure,) = report.failures
    assert failure.message.endswith("0.png changed while it was read; run the same command again")
    assert not (destination / "0.png").exists()
    monkeypatch.undo()
    assert [row["source"] for row in rows(clean())] == ["0.png"]
    assert (destination / "0.png").exists()


def test_a_document_that_is_touched_or_goes_away_while_it_is_read_is_cleaned(
    clean, folders, monkeypatch
):
    source, destination = folders

    def touched(item, *arguments):
        if item.opened.job.name == "0.png":
            os.utime(source / "0.png")
        else:
            item.opened.job.source.unlink()
        return finish_page(item, *arguments)

    monkeypatch.setattr("pagewash.runs.journey.finish_page", touched)
    assert not clean().failures
    assert all((destination / name).exists() for name in ("0.png", "1.png"))


def test_an_image_over_the_pixel_limit_fails_alone(clean, folders):
    write_scan(folders[0] / "large.png", shape=(300, 300))
    report = clean(max_image_mpixels=0.05)
    assert [failure.error for failure in report.failures] == ["TooLargeError"]
    assert report.documents == 4


def test_a_page_that_the_network_cannot_clean_fails_its_document_and_no_other(clean, folders):
    source, destination = folders
    write_tiff(source / "1-book.tif", [scan(4), np.full((50, 50), 7, np.uint8), scan(5)])
    report = clean()
    (failure,) = report.failures
    assert failure.error == "RuntimeError"
    assert "1-book.tif" in failure.message
    assert report.exit_code == 15
    assert sorted(path.name for path in destination.glob("*.*")) == ["0.png", "1.png", "2.png"]
    assert [row["page"] for row in rows(report) if row["status"] == "failed"] == [1, 2, 3]


def test_a_document_that_cannot_be_written_fails_and_leaves_nothing(clean, folders):
    (folders[1] / "1.png").mkdir(parents=True)  # in the way of an output
    report = clean()
    assert [(failure.error, failure.exit_code) for failure in report.failures] == [
        ("AccessError", 5)
    ]
    assert sorted(path.name for path in folders[1].rglob("*") if path.suffix == ".part") == []


def test_the_same_run_again_does_nothing(clean):
    clean()
    again = clean()
    assert (again.planned, again.done_before) == (0, 3)


def test_what_a_killed_run_left_half_written_is_gone_after_a_later_one(clean, folders):
    left = folders[1] / ".pagewash-0123456789abcdef.part"
    left.parent.mkdir()
    for _ in range(2):  # also by a run that has nothing else to do
        left.touch()
        clean()
        assert not left.exists()


def test_only_what_changed_is_done_again(clean, folders):
    source, destination = folders
    write_scan(source / "3.png", seed=3)  # stays as it is
    clean()
    write_scan(source / "0.png", seed=9)  # other content
    os.utime(source / "1.png")  # touched
    (destination / "2.png").unlink()
    write_scan(source / "new.png", seed=7)
    report = clean()
    assert [row["source"] for row in rows(report)] == ["0.png", "1.png", "2.png", "new.png"]
    assert clean().planned == 0


def test_another_model_cleans_everything_again(clean, folders, tmp_path):
    clean(precision="fp32")
    other = tmp_path / "other.safetensors"
    save_checkpoint(other, small_network(seed=2), ModelCard("tiny"))
    plan = plan_run(folders[0], folders[1], RunOptions(model=str(other), precision="fp32"))
    assert (len(plan.jobs), plan.done) == (3, 0)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.pdf"])
def test_a_cleaned_document_is_no_more_readable_than_its_scan(clean, folders, name):
    source, destination = folders
    Image.fromarray(scan(4, (300, 200))).save(source / name)
    (source / name).chmod(0o600)
    clean()
    assert (destination / name).stat().st_mode & 0o077 == 0


def test_other_options_and_force_clean_everything_again(clean):
    clean()
    assert clean(color="gray").planned == 3
    assert clean(color="gray").planned == 0
    assert clean(color="gray", force=True).planned == 3


def test_what_failed_is_tried_again(clean, folders):
    (folders[0] / "late.png").touch()
    assert clean().exit_code == 2
    write_scan(folders[0] / "late.png")
    again = clean()
    assert (again.exit_code, again.planned, again.pages) == (DONE, 1, 1)


def test_many_failures_stop_a_run_before_its_end(clean, folders):
    for number in range(40):
        (folders[0] / f"{number:02}-empty.png").touch()
    report = clean(max_failures="5")
    assert report.gave_up
    assert report.failed
    assert 5 < len(report.failures) < 40


def test_a_share_of_failures_does_not_stop_a_small_run(clean, folders):
    for number in range(9):
        (folders[0] / f"{number}-empty.png").touch()
    report = clean()
    assert (report.documents, report.gave_up, report.failed) == (12, False, True)


def test_the_broken_documents_of_a_folder_do_not_fail_it_more_each_night(clean, folders):
    for number in range(30):
        write_scan(folders[0] / f"{number}.png", seed=number)
    (folders[0] / "broken.png").touch()
    nights = [clean() for _ in range(2)]
    assert [(night.planned, night.failed) for night in nights] == [(31, False), (1, False)]
    assert nights[1].exit_code == 2


def test_what_failed_before_and_is_as_it_was_comes_after_what_is_new(folders, tiny_model):
    source, out = folders
    options = RunOptions(model=str(tiny_model), max_failures="100%")
    for name in ("0-broken.png", "1-broken.png"):
        (source / name).touch()
    clean_run(plan_run(source, out, options), load=lambda run: FakeCleaner())
    write_scan(source / "1-broken.png")
    write_scan(source / "z-new.png")
    names = [job.name for job in plan_run(source, out, options).jobs]
    assert names == ["1-broken.png", "z-new.png", "0-broken.png"]


def test_clean_documents_count_in_the_share_that_may_fail_before_a_run_stops():
    plan = RunPlan((), 250, RunOptions(), OutputKey("0" * 64, "0" * 16), None)
    assert may_still_fail(plan, [ShardReport()]) == 25


def test_a_run_told_to_stop_finishes_or_drops_documents_whole_and_can_be_resumed(
    folders, tiny_model
):
    source, destination = folders
    for number in range(3, 30):
        write_scan(source / f"{number}.png", seed=number)
    plan = plan_run(source, destination, RunOptions(model=str(tiny_model), jobs=1))
    stop = threading.Event()

    def progress(done: int, found: int) -> None:
        if done:
            stop.set()

    report = clean_run(plan, progress=progress, stop=stop, load=lambda run: FakeCleaner())
    assert report.exit_code == INTERRUPTED
    assert 0 < report.documents < 30
    written = {path.name for path in destination.glob("*.*")}
    assert written == {row["source"] for row in rows(report)}
    left = plan_run(source, destination, RunOptions(model=str(tiny_model)))
    assert len(left.jobs) == 30 - report.documents


def test_names_in_another_encoding_are_cleaned_recorded_and_known_again(clean, folders):
    source, destination = folders
    whole, empty = (os.fsdecode(name) for name in (b"m\xfcller.png", b"leer-\xfc.png"))
    (source / "0.png").rename(source / whole)
    (source / empty).touch()
    report = clean()
    assert (destination / whole).exists()
    names = {row["source"]: row["status"] for row in rows(report)}
    assert names["m\\xfcller.png"] != "failed"
    assert names["leer-\\xfc.png"] == "failed"
    assert [Path(failure.source) for failure in report.failures] == [source / empty]
    assert clean().planned == 1


def test_pages_that_no_document_has_are_an_error_of_that_document(clean, folders):
    write_tiff(folders[0] / "book.tif", [scan(4), scan(5)])
    report = clean(pages="2")
    assert [row["page"] for row in rows(report) if row["status"] != "failed"] == [2]
    assert len(report.failures) == 3
    assert "none of --pages 2" in report.failures[0].message


def test_a_shard_called_again_with_its_part_tries_only_what_failed(folders, tiny_model):
    source, destination = folders
    (destination / "1.png").mkdir(parents=True)
    plan = plan_run(source, destination, RunOptions(model=str(tiny_model)))
    run = Run.begin(plan)
    first = clean_shard(plan.jobs, run, run.part(0), load=lambda run: FakeCleaner())
    assert (first.documents, len(first.failures)) == (3, 1)
    (destination / "1.png").rmdir()
    times = {path: path.stat().st_mtime_ns for path in destination.glob("*.png")}
    second = clean_shard(plan.jobs, run, run.part(0), load=lambda run: FakeCleaner())
    assert (second.documents, second.failures) == (3, ())
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())
    assert sorted(read_records(run.part(0))["source"].to_pylist()) == ["0.png", "1.png", "2.png"]


def test_a_run_of_broken_files_alone_never_loads_the_network(tmp_path, tiny_model):
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "empty.png").touch()

    def load(run):
        raise AssertionError("loaded")

    plan = plan_run(tmp_path / "scans", tmp_path / "out", RunOptions(model=str(tiny_model)))
    assert clean_run(plan, load=load).exit_code == 2


def test_no_property_of_a_document_touches_another_or_its_row(clean, folders):
    source, _ = folders
    names = [b"\xff\xfe.png", b"\x1b[31m.png", "é".encode() + b".png", b"new\nline.png", b" .png"]
    for number, name in enumerate(names):
        write_scan(source / "odd.png", seed=number)
        (source / "odd.png").rename(source / os.fsdecode(name))
    for number, seconds in enumerate((10**10, 9_223_372_037, -(2**33), 0)):
        path = write_scan(source / f"time{number}.png", seed=number)
        os.utime(path, (seconds, seconds))
    for dpi in (0, 1, 10**9):
        Image.fromarray(scan(dpi % 7)).save(source / f"dpi{dpi}.tif", dpi=(dpi, dpi))
    report = clean()
    assert (report.documents, report.exit_code) == (15, DONE)
    assert all(row["status"] == "cleaned" for row in rows(report))
    assert all(row["modified"] is not None for row in rows(report))
    assert clean().planned == 0


def test_what_a_run_left_that_died_before_it_recorded_it_is_not_taken_for_another_runs(
    clean, folders, monkeypatch
):
    """Outputs come first, their rows after: between them a kill leaves outputs without rows."""
    clean()
    before = (folders[1] / "0.png").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr("pagewash.runs.shards.write_table", lambda part, table: None)
        clean(color="bilevel", halftone=True)
    assert (folders[1] / "0.png").read_bytes() != before
    assert clean().planned == 3
    assert (folders[1] / "0.png").read_bytes() == before
    assert clean().planned == 0


def test_two_destinations_with_one_folder_of_metrics_are_not_mixed(folders, tiny_model, tmp_path):
    def planned(destination: Path, color: ColorName) -> int:
        dots = color == "bilevel"
        options = RunOptions(model=str(tiny_model), color=color, halftone=dots)
        with planned_run(folders[0], destination, options, tmp_path / "metrics") as plan:
            return clean_run(plan, load=lambda run: FakeCleaner()).planned

    first, second = tmp_path / "first", tmp_path / "second"
    assert planned(first, "keep") == planned(second, "bilevel") == 3
    assert planned(first, "keep") == planned(second, "bilevel") == 0
    assert planned(first, "bilevel") == 3
    second.rename(tmp_path / "moved")
    assert planned(tmp_path / "moved", "bilevel") == 0
