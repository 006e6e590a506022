"""The plugin inside the real OCRmyPDF, in processes of its own; its hooks where that shows more."""

import os
import shutil
import subprocess
import sys
import tomllib
from argparse import Namespace
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import img2pdf
import numpy as np
import pikepdf
import pluggy
import pypdfium2
import pytest
import torch
from PIL import Image, ImageDraw, ImageFont

from pagewash.cleaning.cleaner import Cleaner
from pagewash.evaluation.text import character_error_rate

pytest.importorskip("ocrmypdf", reason="OCRmyPDF is not installed")

from ocrmypdf import pluginspec
from ocrmypdf.exceptions import BadArgsError, MissingDependencyError

from pagewash import ocrmypdf_plugin as plugin
from pagewash.ocrmypdf_plugin import PluginOptions

ROOT = Path(__file__).parents[1]
TEXT = """The committee met on Tuesday morning and agreed
that every page of the old register should be
scanned again, since the damp of last winter had
left brown stains on nearly all of the volumes."""

pytestmark = pytest.mark.timeout(600)
needs_programs = pytest.mark.skipif(
    not (shutil.which("tesseract") and shutil.which("gs")),
    reason="tesseract or ghostscript is not installed",
)


@dataclass(frozen=True)
class Run:
    """One run of OCRmyPDF, in a folder that it had for itself."""

    done: subprocess.CompletedProcess
    folder: Path

    @property
    def text(self) -> str:
        """What was read on the first page."""
        return (self.folder / "out.txt").read_text(encoding="utf-8").partition("\f")[0]

    def image(self, name: str, page: int = 1) -> Image.Image:
        """One of the images that OCRmyPDF made on its way."""
        (path,) = self.folder.glob(f"tmp/ocrmypdf.io.*/{page:06}_{name}")
        with Image.open(path) as image:
            image.load()
        return image

    def seen(self, page: int = 0) -> np.ndarray:
        """What the reader sees, (H, W, 3) at 200 dpi."""
        return render(self.folder / "out.pdf", page)


def render(path: Path, page: int = 0) -> np.ndarray:
    with pypdfium2.PdfDocument(path) as pdf:
        return np.array(pdf[page].render(scale=200 / 72).to_pil().convert("RGB"))


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A folder where Python finds pagewash installed, with the entry points of pyproject.toml."""
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    lines = [
        f"[{group}]\n{name} = {value}\n"
        for group in points
        for name, value in points[group].items()
    ]
    folder = tmp_path_factory.mktemp("site")
    info = folder / "pagewash-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: pagewash\nVersion: 0\n")
    (info / "entry_points.txt").write_text("".join(lines))
    return folder


@pytest.fixture(scope="module")
def ocr(site, tmp_path_factory):
    """Run OCRmyPDF on a PDF; its exit code is 99 if torch was loaded in its first process."""

    def run(pdf: Path, *arguments: object) -> Run:
        folder = tmp_path_factory.mktemp("run")
        (folder / "tmp").mkdir()
        script = (
            "import sys; from ocrmypdf.__main__ import run; code = run(sys.argv[1:]);"
            "sys.exit(99 if not code and 'torch' in sys.modules else code)"
        )
        options = ["-q", "-k", "--output-type", "pdf", "--sidecar", "out.txt", *map(str, arguments)]
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)]),
            "TMPDIR": str(folder / "tmp"),
            "HOME": str(folder),
            "OMP_THREAD_LIMIT": "1",
        }
        done = subprocess.run(
            [sys.executable, "-c", script, *options, str(pdf), "out.pdf"],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=500,
        )
        return Run(done, folder)

    return run


@pytest.fixture(scope="module")
def scan(tmp_path_factory) -> Path:
    """A PDF of two pages: lines of print under a stain and noise at 200 dpi, and a drawing."""
    page = Image.new("L", (1100, 340), 255)
    face = ImageFont.load_default(36)
    ImageDraw.Draw(page).multiline_text((60, 50), TEXT, fill=30, font=face, spacing=22)
    y, x = np.mgrid[:340, :1100]
    stain = 1 - 0.6 * np.exp(-(((x - 700) / 300) ** 2) - ((y - 170) / 150) ** 2)
    noise = np.random.default_rng(0).normal(0, 22, stain.shape)
    dirty = (40 + 0.8 * np.asarray(page)) * stain + noise
    folder = tmp_path_factory.mktemp("scan")
    Image.fromarray(dirty.clip(0, 255).astype(np.uint8)).save(folder / "a.png", dpi=(200, 200))
    (folder / "a.pdf").write_bytes(img2pdf.convert(str(folder / "a.png")))
    with pikepdf.open(folder / "a.pdf") as pdf:
        pdf.add_blank_page(page_size=(396, 122))
        pdf.pages[1].Contents = pdf.make_stream(b"20 20 m 300 100 l S")
        pdf.save(folder / "scan.pdf")
    return folder / "scan.pdf"


@pytest.fixture(scope="module")
def plain(ocr, scan) -> Run:
    return ocr(scan)


@pytest.fixture(scope="module")
def washed(ocr, scan) -> Run:
    """In two processes, one for each page."""
    return ocr(scan, "--pagewash", "--no-use-threads", "--jobs", "2")


@pytest.fixture(scope="module")
def final(ocr, scan) -> Run:
    """In threads, and with a limit on the size of what Tesseract gets."""
    return ocr(scan, "--pagewash-final", "--tesseract-downsample-above", "600")


@needs_programs
def test_the_text_is_closer_to_the_truth_than_without(plain, washed):
    assert washed.done.returncode == 0, washed.done.stderr
    assert character_error_rate(washed.text, TEXT) < 0.05
    assert character_error_rate(plain.text, TEXT) > 0.3


@needs_programs
def test_nothing_is_done_unless_asked_for(plain):
    assert plain.done.returncode == 0, plain.done.stderr  # and torch was not loaded
    assert np.array_equal(plain.image("ocr.png"), plain.image("rasterize.png"))


@needs_programs
def test_the_image_for_ocr_is_clean_and_keeps_its_size_and_resolution(washed):
    before, after = washed.image("rasterize.png"), washed.image("ocr.png")
    assert after.size == before.size
    assert after.info["dpi"] == pytest.approx(before.info["dpi"], abs=0.01)
    assert np.percentile(before, 60) < 230 < 250 < np.percentile(after, 60)


@needs_programs
def test_the_reader_keeps_the_scan(washed, scan):
    assert np.array_equal(washed.seen(), render(scan))


@needs_programs
def test_files_are_left_in_the_work_folder_alone(washed):
    names = {path.name for path in washed.folder.iterdir()}
    assert names == {"tmp", "out.pdf", "out.txt"}
    (work,) = (washed.folder / "tmp").iterdir()
    assert work.name.startswith("ocrmypdf.io.")


@needs_programs
def test_with_final_the_reader_sees_the_clean_page_at_its_size(final, scan):
    assert final.done.returncode == 99, final.done.stderr  # done, with torch in this process
    before, after = render(scan), final.seen()
    assert after.shape == before.shape
    assert np.percentile(before, 60) < 230 < 250 < np.percentile(after, 60)
    assert (after < 128).mean() > 0.02  # the print is there


@needs_programs
def test_with_final_a_page_without_a_scan_stays_as_it_is(final):
    with pikepdf.open(final.folder / "out.pdf") as pdf:
        assert b"20 20 m 300 100 l S" in pdf.pages[1].Contents.read_bytes()


@needs_programs
def test_the_image_for_ocr_keeps_within_the_limit_of_tesseract(final):
    whole, image = final.image("rasterize.png"), final.image("ocr.png")
    assert whole.size == (1100, 340)
    assert image.size == (600, 185)
    assert image.info["dpi"] == pytest.approx((109, 109), abs=0.5)
    assert np.percentile(image, 60) > 250  # and it is clean


@needs_programs
def test_a_model_that_is_not_there_ends_the_run_in_the_words_of_ocrmypdf(ocr, scan):
    run = ocr(scan, "--pagewash", "--pagewash-model", "bset")
    assert run.done.returncode == 3
    assert "there is no model 'bset'; choose one" in run.done.stderr
    assert "Traceback" not in run.done.stderr
    assert not (run.folder / "out.pdf").exists()


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        ({"pagewash_model": "fast"}, BadArgsError, "--pagewash is required"),
        ({"pagewash": True, "pagewash_model": "x"}, MissingDependencyError, "no model 'x'"),
        ({"pagewash_final": True, "redo_ocr": True}, BadArgsError, "use --pagewash, or --force"),
        ({"pagewash": True, "mode": "strip"}, BadArgsError, "does no OCR"),
    ],
)
def test_options_that_cannot_work_are_refused(asked, error, message):
    with pytest.raises(error, match=message):
        plugin.check_options(Namespace(**{"redo_ocr": False} | asked))


@pytest.mark.parametrize("asked", [{}, {"pagewash": True}, {"pagewash_final": True}])
def test_options_that_can_work_pass(asked):
    plugin.check_options(Namespace(redo_ocr=False, **asked))


def test_a_call_from_python_may_leave_options_out():
    assert PluginOptions.of(Namespace()) == PluginOptions(ocr=False, final=False)
    assert PluginOptions.of(Namespace(pagewash_final=True)).ocr


@pytest.mark.parametrize(("jobs", "pages", "threads"), [(8, 1, 8), (8, 3, 2), (2, 500, 1)])
def test_threads_are_divided_among_the_pages_in_work(jobs, pages, threads):
    options = Namespace(jobs=jobs, pagewash=True)
    plugin.validate([None] * pages, options)
    assert PluginOptions.of(options).threads == threads


@pytest.fixture
def hooks(monkeypatch) -> pluggy.HookRelay:
    """The plugin beside a filter that answers first, as Tesseract's does."""

    class Halving:
        @pluggy.HookimplMarker("ocrmypdf")
        def filter_ocr_image(self, page, image):
            half = image.resize((image.width // 2, image.height // 2))
            half.info["dpi"] = tuple(value / 2 for value in image.info["dpi"])
            return half

    manager = pluggy.PluginManager("ocrmypdf")
    manager.add_hookspecs(pluginspec)
    manager.register(plugin)
    manager.register(Halving())
    return manager.hook


def test_workers_share_one_network_and_have_their_own_threads(hooks, tiny_model, monkeypatch):
    loaded, threads = [], torch.get_num_threads()
    load = Cleaner.from_pretrained
    monkeypatch.setattr(
        Cleaner, "from_pretrained", lambda model: loaded.append(model) or load(model)
    )
    plugin._load.cache_clear()
    page = Namespace(
        options=Namespace(pagewash=True, pagewash_model=tiny_model, pagewash_threads=3)
    )
    image = Image.fromarray(np.full((80, 120), 90, np.uint8))
    image.info["dpi"] = (300, 300)

    def work(_: int) -> tuple[Image.Image, int]:
        return hooks.filter_ocr_image(page=page, image=image), torch.get_num_threads()

    with ThreadPoolExecutor(4) as workers:
        results = list(workers.map(work, range(8)))
    torch.set_num_threads(threads)
    assert loaded == [str(tiny_model)]
    for cleaned, count in results:
        assert cleaned.size == (60, 40)  # the other filter was asked first
        assert cleaned.info["dpi"] == (150, 150)
        assert count == 3
