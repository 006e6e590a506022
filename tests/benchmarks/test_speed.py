"""How fast the network, each stage and the whole pipeline are, as ratios measured in one run."""

import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from subprocess import DEVNULL

import pytest
from PIL import Image

from pagewash.bench import BenchOptions, network_speeds
from pagewash.options import RunOptions, available_processors
from pagewash.pages import Page
from pagewash.speed import (
    Speed,
    draw_page,
    fastest,
    first_page,
    page_through_network,
    stages,
    whole_pipeline,
    write_scan,
)

pytestmark = pytest.mark.timeout(3600)

ROOT = Path(__file__).parents[2]

UNPAPER = shlex.split(
    "unpaper -q --overwrite --dpi 300 --layout none --mask-scan-size 100 --no-border-align "
    "--no-mask-center --no-grayfilter --no-blackfilter --no-deskew"
)
"""As OCRmyPDF calls it."""

FLOW_PAGES = 1000


def judged(ratio: str, aim: str, reached: bool) -> str:
    return f"{ratio} (aim: {aim}{'' if reached else ', missed'})"


def in_turn(*measures: Callable[[], Speed]) -> list[Speed]:
    """Measure things that are compared side by side, twice each: this machine may slow down."""
    return fastest_of([measure() for measure in measures] for _ in range(2))


def fastest_of(tries: Iterable[Iterable[Speed]]) -> list[Speed]:
    """Take the shortest time of each thing, of several tries at all of them."""
    return [min(speeds, key=lambda speed: speed.seconds) for speeds in zip(*tries, strict=True)]


@pytest.fixture(scope="module")
def network(cleaner, a4, seconds) -> Callable[[], Speed]:
    """Measures an A4 page through the network and nothing else."""
    return lambda: page_through_network(cleaner, first_page(a4), seconds)


@pytest.fixture(scope="module")
def pipeline(a4, pages) -> Callable[[], Speed]:
    """Measures A4 pages from files to files."""
    return lambda: whole_pipeline(a4, pages, RunOptions())


def test_the_network_alone_against_the_convolutions_of_this_machine(results, cleaner, a4, seconds):
    window = cleaner.plan(first_page(a4)).tiles[0].window.shape
    for precision in dict.fromkeys(("fp32", cleaner.precision)):
        options = BenchOptions(precision=precision)
        tries = (network_speeds(options, window, seconds) for _ in range(2))
        *ceilings, alone = fastest_of(tries)
        ceiling = next(speed for speed in ceilings if precision in speed.what)
        share = alone.gflops / ceiling.gflops
        note = judged(f"{share:.0%} of the convolutions", "at least 70 %", share >= 0.7)
        results += [*ceilings, replace(alone, note=note)]


@pytest.mark.parametrize("kind", ["grey", "colour"])
def test_each_stage_of_a_page(results, cleaner, a4, colour_a4, seconds, kind):
    scan = {"grey": a4, "colour": colour_a4}[kind]
    parts = stages(cleaner, scan, seconds)
    total = sum(part.seconds for part in parts)
    for part in parts:
        note = f"{part.seconds / total:.0%} of the four"
        results.append(replace(part, what=f"{kind} A4: {part.what}", note=note))


def test_the_whole_pipeline_against_the_network_alone(results, network, pipeline):
    alone, whole = in_turn(network, pipeline)
    share = alone.seconds / whole.seconds
    rate = f"{1 / whole.seconds:.2f} pages/s, {share:.0%} of the network's"
    results.append(replace(whole, note=judged(rate, "at least 75 %", share >= 0.75)))


def test_a_colour_page_through_the_whole_pipeline(results, pipeline, colour_a4, pages):
    grey, colour = in_turn(pipeline, lambda: whole_pipeline(colour_a4, pages, RunOptions()))
    note = f"{1 / colour.seconds:.2f} pages/s, {grey.seconds / colour.seconds:.0%} of grey's"
    results.append(replace(colour, what="whole pipeline, colour", note=note))


def test_the_whole_pipeline_against_unpaper(results, pipeline, a4, tmp_path, seconds):
    if shutil.which("unpaper") is None:
        pytest.skip("unpaper is not installed")
    cores = available_processors()
    with Image.open(a4) as page:
        page.save(tmp_path / "a4.pgm")  # untimed, as is the PNG that would have to follow

    def clean_a_page_on_each_core() -> None:
        started = [
            subprocess.Popen([*UNPAPER, "a4.pgm", f"{core}.pgm"], cwd=tmp_path, stderr=DEVNULL)
            for core in range(cores)
        ]
        assert [process.wait() for process in started] == [0] * cores

    def unpaper() -> Speed:
        spent = fastest(clean_a_page_on_each_core, seconds) / cores
        return Speed(f"unpaper, {cores} at once", spent, draw_page().size)

    ours, theirs = in_turn(pipeline, unpaper)
    ratio = theirs.seconds / ours.seconds
    note = judged(f"pagewash does {ratio:.1f} times its pages", "at least 2.5", ratio >= 2.5)
    results.append(replace(theirs, note=note))


def test_a_flow_against_the_same_pages_in_process(results, small, prefect_server):
    from pagewash.flows.prefect.cleaning import clean_documents

    process, flow = in_turn(
        lambda: whole_pipeline(small["PNG"], FLOW_PAGES, RunOptions()),
        lambda: whole_pipeline(small["PNG"], FLOW_PAGES, RunOptions(), clean_documents),
    )
    share = flow.seconds / process.seconds
    note = judged(f"{share:.2f} times in process", "at most 1.1", share <= 1.1)
    results.append(replace(flow, what=f"flow, {FLOW_PAGES} pages of 540x420", note=note))


def test_a_page_at_600_dpi_against_one_at_300_dpi(results, cleaner, network, tmp_path, seconds):
    page = first_page(write_scan(tmp_path, 600))
    usual, fine = in_turn(network, lambda: page_through_network(cleaner, page, seconds))
    ratio = fine.seconds / usual.seconds
    note = judged(f"{ratio:.2f} times 300 dpi", "at most 1.5", ratio <= 1.5)
    results.append(replace(fine, what="network, A4 at 600 dpi", note=note))
    assert cleaner.plan(page).pixels == cleaner.plan(Page(draw_page(), (300, 300))).pixels


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_small_pages_against_a4_pages_of_as_many_pixels(results, pipeline, small, pages, kind):
    count = pages * draw_page().size // (420 * 540)
    large, little = in_turn(pipeline, lambda: whole_pipeline(small[kind], count, RunOptions()))
    ratio = large.megapixels / little.megapixels
    note = judged(f"{ratio:.2f} times A4 per Mpx", "at most 1.5", ratio <= 1.5)
    results.append(replace(little, what=f"whole pipeline, 540x420, {kind}", note=note))


RUN = """
import sys
from pagewash.flows.cli import main
from pagewash.isolation.limits import peak_memory
assert main(["clean", *sys.argv[1:], "--format", "png", "--quiet"]) == 0
print(peak_memory())
"""


def test_memory_does_not_grow_with_the_number_of_pages(results, a4, pages, tmp_path):
    peaks = []
    for count in (pages, 10 * pages):
        scans, cleaned = tmp_path / f"{count}", tmp_path / f"{count}-clean"
        scans.mkdir()
        for number in range(count):
            (scans / f"{number}.jpg").hardlink_to(a4)
        code = [sys.executable, "-c", RUN, str(scans), str(cleaned)]
        start = time.perf_counter()
        run = subprocess.run(code, cwd=ROOT, check=True, capture_output=True, text=True)
        spent = time.perf_counter() - start
        peaks.append(float(run.stdout.split()[-1]))
        note = judged(f"{peaks[-1]:.0f} MiB at most", "1536 MiB", peaks[-1] <= 1536)
        results.append(Speed(f"pagewash clean, {count} pages", spent / count, note=note))
        shutil.rmtree(cleaned)
    assert peaks[1] < 1.1 * peaks[0] + 50


@pytest.mark.parametrize(
    ("what", "arguments", "aim"), [("--help", ["--help"], 0.5), ("one small page", [], 4.0)]
)
def test_a_cold_start(results, small, tmp_path, seconds, what, arguments, aim):
    clean = ["clean", str(small["PNG"]), str(tmp_path / "clean.png"), "--force", "--quiet"]
    command = [sys.executable, "-m", "pagewash.flows.cli", *(arguments or clean)]
    spent = fastest(
        lambda: subprocess.run(command, cwd=ROOT, check=True, capture_output=True), seconds
    )
    note = judged("from a cold start", f"at most {aim} s", spent <= aim)
    results.append(Speed(f"pagewash {what}", spent, note=note))
