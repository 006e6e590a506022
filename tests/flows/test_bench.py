"""What `pagewash bench` says; how fast a thing is, no test can know."""

import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pikepdf
import pytest
import torch
from scans import write_scan

from pagewash import speed
from pagewash.bench import TILES, BenchOptions, bench, fastest_tile, overhead, tile_speeds
from pagewash.cleaning.cleaner import Cleaner, CleanOptions
from pagewash.errors import InputError, MissingError, OptionError
from pagewash.flows.cli import main
from pagewash.flows.commands.bench import as_tables, speed_table
from pagewash.flows.console import show
from pagewash.inference.tiles import TileOptions, plan_tiles
from pagewash.options import RunOptions
from pagewash.speed import Speed, draw_page, fastest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def no_time(tiny_model) -> BenchOptions:
    return BenchOptions(str(tiny_model), "cpu", "fp32", seconds=0)


@pytest.fixture
def small_paper(monkeypatch) -> None:
    """What is drawn to measure with is a page of a notebook."""
    monkeypatch.setattr(speed, "A4_INCHES", (2.0, 1.5))


def test_a_bench_says_what_was_chosen_and_measures_every_part(no_time, tmp_path, capsys):
    told: list[str] = []
    scan = write_scan(tmp_path / "scan.png", shape=(300, 200))
    report = bench(no_time, scan, told.append)
    assert told == ["the network", "each stage", "the whole pipeline", "sizes of tiles"]
    chosen = {choice.what: choice.value for choice in report.choices}
    assert (chosen["device"], chosen["precision"], chosen["tile"]) == ("cpu", "fp32", "2560 px")
    measured = [speed.what for speed in report.speeds]
    assert measured == [
        "convolutions, fp32",
        "convolutions, bf16",
        "network on a tile, fp32",
        *("read", "network", "measure", "write"),
        "whole pipeline",
    ]
    assert all(speed.seconds > 0 for speed in report.speeds)
    show(as_tables(report))
    printed = capsys.readouterr().out
    assert "fp32 was asked for" in printed
    assert "pages per second" in printed


def test_a_run_of_a_scan_without_an_extension_cleans_every_copy(tiny_model, tmp_path):
    scan = write_scan(tmp_path / "scan.png", shape=(300, 200)).rename(tmp_path / "scan")
    pages = []

    def clean(*run):
        report = speed.in_process(*run)
        pages.append(report.pages)
        return report

    options = RunOptions(model=str(tiny_model), device="cpu", precision="fp32")
    speed.whole_pipeline(scan, 3, options, clean)
    assert pages == [1, 3]


def test_sizes_of_tiles_are_tried_while_there_is_time(no_time, tmp_path):
    scan = write_scan(tmp_path / "scan.png", shape=(300, 200))
    assert tile_speeds(no_time, scan, until=0) == {}
    tried = tile_speeds(no_time, scan, until=math.inf)
    assert tuple(tried) == TILES
    assert [speed.what for speed in tried.values()] == [f"page in tiles of {s} px" for s in TILES]


@pytest.mark.parametrize(("seconds", "fastest"), [(0.96, 2560), (0.9, 1536)])
def test_the_usual_tiles_are_taken_unless_others_gain_5_percent(seconds, fastest):
    tiles = {1024: 1.2, 1536: seconds, 2560: 1.0, 3584: 0.97}
    assert fastest_tile({size: Speed("x", took) for size, took in tiles.items()}) == fastest


@pytest.mark.usefixtures("small_paper")
def test_later_runs_take_the_tiles_that_were_fastest(no_time, monkeypatch, capsys):
    measured = {size: Speed("x", 1.0 if size == 1536 else 2.0) for size in TILES}
    monkeypatch.setattr("pagewash.bench.tile_speeds", lambda options, scan, until: measured)
    show(as_tables(bench(no_time)))
    assert "from now on tiles of 1536 px" in " ".join(capsys.readouterr().out.split())
    options = CleanOptions(device="cpu", precision="fp32")
    assert Cleaner.from_pretrained(no_time.model, options).tile == 1536
    assert Cleaner.from_pretrained(no_time.model, replace(options, tile=512)).tile == 512


@pytest.mark.usefixtures("small_paper")
def test_a_cache_that_cannot_be_written_costs_no_report(no_time, monkeypatch, capsys, tmp_path):
    (tmp_path / "in the way").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "in the way"))
    measured = {size: Speed("x", 1.0) for size in TILES}
    monkeypatch.setattr("pagewash.bench.tile_speeds", lambda options, scan, until: measured)
    show(as_tables(bench(no_time)))
    printed = " ".join(capsys.readouterr().out.split())
    assert "tiles of 2560 px were measured to be fastest, but" in printed
    assert "cannot be written" in printed


def test_a_document_without_a_page_image_cannot_be_measured_with(no_time, tmp_path):
    with pikepdf.new() as pdf:
        pdf.add_blank_page()
        pdf.save(tmp_path / "blank.pdf")
    with pytest.raises(InputError, match=r"blank.pdf has no image; choose another"):
        bench(no_time, tmp_path / "blank.pdf")


def test_the_command_line_has_the_options_of_the_bench(capsys):
    assert main(["bench", "--help"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("SCAN", "--model", "--precision", "--seconds"))


def test_a_model_that_is_not_there_is_told_before_anything_is_measured():
    with pytest.raises(MissingError, match="no model 'nonesuch'"):
        bench(BenchOptions("nonesuch"))


def test_a_negative_time_is_refused():
    with pytest.raises(OptionError, match="--seconds"):
        BenchOptions(seconds=-1)


@pytest.mark.parametrize(("seconds", "calls", "shortest"), [(0, 1, 7), (7, 1, 7), (8, 2, 3)])
def test_a_call_is_made_again_while_there_is_time_and_the_shortest_counts(
    monkeypatch, seconds, calls, shortest
):
    clock = iter([0, 0, 7, 7, 7, 10, 10])  # two calls, of 7 s and 3 s
    monkeypatch.setattr("pagewash.speed.time.perf_counter", lambda: next(clock))
    made: list[int] = []
    assert fastest(lambda: made.append(1), seconds) == shortest
    assert len(made) == calls


def test_figures_are_per_second_and_a_multiply_add_is_two_operations():
    convolutions = speed.convolutions(torch.device("cpu"), torch.float32, 0)
    assert convolutions.flops == 2 * 64 * 64 * 9 * 128 * 128
    assert Speed("x", seconds=2, flops=6e9).gflops == 3
    assert Speed("x", seconds=2, pixels=10**7).megapixels == 5


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell")
def test_peak_memory_grows_with_what_a_process_has_had():
    code = (
        "import numpy; from pagewash.isolation.limits import peak_memory\n"
        "print(peak_memory()); numpy.ones(2**25).sum(); print(peak_memory())"  # 256 MiB
    )
    child = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    before, after = map(float, child.stdout.split())
    assert 200 < after - before < 300


def test_what_a_thing_does_not_have_stays_empty(capsys):
    show(speed_table([Speed("read", 0.5)]))
    assert capsys.readouterr().out.split()[-2:] == ["read", "0.500"]


def test_overhead_is_what_halos_and_the_grid_add():
    assert overhead(plan_tiles((36, 36), TileOptions(1000, 32), 32)) == pytest.approx(
        (64 / 36) ** 2
    )


def test_the_drawn_page_is_a4_with_dark_text_on_toned_paper():
    page = draw_page(300)
    assert page.dtype == np.uint8
    assert page.shape == (3508, 2480)
    assert 160 < np.median(page) < 230
    ink = cv2.resize(page, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA) < 130
    assert 0.005 < ink.mean() < 0.3
