"""How fast the parts of pagewash are on this machine, each measured alone.

A time is the shortest of several tries: what else the machine does can only make it longer. What
is measured and what is compared with what is decided by the callers.
"""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import torch

from pagewash.cleaning.cleaner import Cleaner
from pagewash.documents.containers import EXTENSIONS, container_of_name
from pagewash.documents.document import WriteOptions, create_document, open_document
from pagewash.errors import InputError
from pagewash.inference.network import TileView
from pagewash.inference.precision import convolution
from pagewash.inference.regions import Region
from pagewash.inference.session import InferenceSession
from pagewash.measuring.metrics import measure
from pagewash.options import RunOptions
from pagewash.pages import Page, Pixels
from pagewash.runs.outcome import RunReport
from pagewash.runs.planning import plan_run
from pagewash.runs.shards import clean_run

A4_INCHES = (11.693, 8.268)
DRAWN_DPI = 300


@dataclass(frozen=True)
class Speed:
    """What one thing took."""

    what: str
    seconds: float
    """For one page, or one call."""

    pixels: int = 0
    """In that time, of the page where there is one; 0 where pixels mean nothing."""

    flops: float = 0.0
    """Floating-point operations in that time, two to a multiply-add; 0 where they don't count."""

    note: str = ""
    """How it compares."""

    @property
    def megapixels(self) -> float:
        """Megapixels per second."""
        return self.pixels / self.seconds / 1e6

    @property
    def gflops(self) -> float:
        """GFLOP per second."""
        return self.flops / self.seconds / 1e9


def fastest(call: Callable[[], object], seconds: float) -> float:
    """Return the shortest time of a call, which is made again for so many seconds, or once."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def convolutions(device: torch.device, dtype: torch.dtype, seconds: float) -> Speed:
    """Measure the ceiling of any network: one of its larger convolutions, again and again.

    A GPU gets 64 times the pixels, or it would be measured how long it takes to begin.
    """
    channels, side = 64, 128 if device.type == "cpu" else 1024
    compute = convolution(device, dtype, side)

    def convolve() -> None:
        compute()
        _wait_for(device)

    with torch.inference_mode():
        spent = fastest(convolve, seconds)
    return Speed("convolutions", spent, flops=2 * 9 * channels**2 * side**2)


def network_alone(
    session: InferenceSession, macs_per_pixel: float, window: tuple[int, int], seconds: float
) -> Speed:
    """Measure a network on one tile of noise: what it says, not what becomes of the page.

    Args:
        session: the network, ready.
        macs_per_pixel: what it computes for each pixel.
        window: height and width of the tile, multiples of the network's stride.
        seconds: how long to try.
    """
    network = session.network
    page = np.random.default_rng(0).integers(0, 256, window, np.uint8)
    tile = TileView(page, Region(*map(range, window)), context=network.look(page))

    def infer() -> None:
        network.predict_affine([tile])
        _wait_for(session.device)

    spent = fastest(infer, seconds)
    return Speed("network alone", spent, page.size, 2 * macs_per_pixel * page.size)


def page_through_network(cleaner: Cleaner, page: Page, seconds: float) -> Speed:
    """Measure what lies between reading and measuring: scale, tiles, network, colour."""
    spent = fastest(lambda: list(cleaner.clean_pages([page])), seconds)
    return Speed("network", spent, page.area)


def stages(cleaner: Cleaner, scan: Path, seconds: float) -> list[Speed]:
    """Measure what is done with the first page of a document, one thing after the other.

    Args:
        cleaner: what cleans it.
        scan: the document; the page is written as PNG.
        seconds: how long to try each.
    """
    cv2.setNumThreads(1)  # as in a run
    page = first_page(scan)
    (cleaned,) = cleaner.clean_pages([page])
    after = cleaned.page.pixels

    def write() -> None:
        with TemporaryDirectory() as folder, open_document(scan) as document:
            options = WriteOptions(format="png")
            path = Path(folder) / "page.png"
            with create_document(document, path, options, {0}) as writer:
                writer.add(cleaned.page)

    return [
        Speed("read", fastest(lambda: first_page(scan), seconds), page.area),
        page_through_network(cleaner, page, seconds),
        Speed("measure", fastest(lambda: measure(page.pixels, after), seconds), page.area),
        Speed("write", fastest(write, seconds), page.area),
    ]


def in_process(source: Path, destination: Path, options: RunOptions) -> RunReport:
    """Clean a folder as the command line does."""
    return clean_run(plan_run(source, destination, options))


def whole_pipeline(
    scan: Path,
    pages: int,
    options: RunOptions,
    clean: Callable[[Path, Path, RunOptions], RunReport] = in_process,
) -> Speed:
    """Measure a run, from files to files, metrics included.

    Args:
        scan: a document whose first page is cleaned `pages` times; its copies are made before.
        pages: as many files.
        options: of the run; `format` and `pages` are set here.
        clean: cleans a folder into another one; a flow does too.

    Returns:
        Time and pixels of one page, after a run of one file that loads the network.
    """
    page = first_page(scan)
    with open_document(scan) as document:  # in a folder, only names tell what is a document
        suffix = scan.suffix if container_of_name(scan) else EXTENSIONS[document.container][0]
    options = replace(options, format="png", pages="1")
    with TemporaryDirectory() as folder:
        for name, count in (("first", 1), ("all", pages)):
            source, destination = Path(folder) / name, Path(folder) / f"{name}-clean"
            source.mkdir()
            for number in range(count):
                shutil.copy(scan, source / f"{number}{suffix}")
            report = clean(source, destination, options)
            for failure in report.failures:
                raise RuntimeError(failure.message)
    return Speed("whole pipeline", report.seconds / pages, page.area)


def first_page(scan: Path) -> Page:
    """Read the first page of a document.

    Raises:
        InputError: it cannot be read, or that page has no image.
    """
    with open_document(scan) as document:
        for page in document.pages({0}):
            if isinstance(page, Page):
                return page
    raise InputError(f"the first page of {scan} has no image; choose another document")


def draw_page(dpi: int = DRAWN_DPI) -> Pixels:
    """Draw an A4 page of text on toned, uneven, noisy paper.

    Args:
        dpi: a multiple of 300, so that pages of two resolutions show the same.

    Returns:
        (H, W) uint8, 0 is black.
    """
    height, width = (round(inches * DRAWN_DPI) for inches in A4_INCHES)
    page = np.tile(np.linspace(225, 170, width, dtype=np.float32).astype(np.uint8), (height, 1))
    words = "the quick brown fox jumps over a lazy dog and goes on " * 2
    for baseline in range(250, height - 200, 60):
        where = (200, baseline)
        cv2.putText(page, words[:80], where, cv2.FONT_HERSHEY_COMPLEX, 1.2, 50, 3, cv2.LINE_AA)
    factor = dpi // DRAWN_DPI
    large = cv2.resize(page, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    noise = np.empty(large.shape, np.int16)
    cv2.setRNGSeed(0)
    cv2.randn(noise, np.zeros(1), np.full(1, 5.0))
    return np.asarray(cv2.add(large, noise, dtype=cv2.CV_8U), np.uint8)


def write_scan(folder: Path, dpi: int = DRAWN_DPI) -> Path:
    """Write that page into a folder as a scanner would, a grey JPEG with its resolution."""
    from PIL import Image

    path = folder / f"a4-{dpi}.jpg"
    Image.fromarray(draw_page(dpi)).save(path, quality=85, dpi=(dpi, dpi))
    return path


def _wait_for(device: torch.device) -> None:
    """Wait until a device has done what it was given; a CPU has, by then."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
