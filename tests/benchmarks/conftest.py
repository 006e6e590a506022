"""Options of the benchmarks, what they share, and the table at their end.

They run on request, on a machine that does nothing else: `python -m pytest tests/benchmarks`.
No time makes them fail; what falls short of its aim says so in the table.
"""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from pagewash.cleaning.cleaner import Cleaner
from pagewash.flows.commands.bench import speed_table
from pagewash.speed import Speed, draw_page, write_scan

RESULTS = pytest.StashKey[list[Speed]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pages", type=int, default=10, help="pages of a run through the pipeline")
    parser.addoption("--seconds", type=float, default=5, help="to try each part, once at least")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[RESULTS] = []


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if results := config.stash[RESULTS]:
        text = io.StringIO()
        Console(file=text, width=130, highlight=False).print(speed_table(results))
        terminalreporter.write(text.getvalue())


@pytest.fixture(scope="session")
def results(pytestconfig: pytest.Config) -> list[Speed]:
    """What the table at the end shows, in order."""
    return pytestconfig.stash[RESULTS]


@pytest.fixture(scope="session")
def pages(pytestconfig: pytest.Config) -> int:
    """How many pages to run through the whole pipeline."""
    return pytestconfig.getoption("--pages")


@pytest.fixture(scope="session")
def seconds(pytestconfig: pytest.Config) -> float:
    """How long to try each part."""
    return pytestconfig.getoption("--seconds")


@pytest.fixture(scope="session")
def cleaner() -> Cleaner:
    """The default model with default options."""
    return Cleaner.from_pretrained()


@pytest.fixture(scope="session")
def a4(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A grey A4 page at 300 dpi, a JPEG."""
    return write_scan(tmp_path_factory.mktemp("scans"), 300)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A piece of the same page, 540x420 pixels, that does not know its resolution, by format."""
    folder = tmp_path_factory.mktemp("scans")
    piece = Image.fromarray(draw_page()[1000:1420, 400:940])
    piece.save(folder / "small.png")
    piece.save(folder / "small.jpg", quality=85)
    return {"PNG": folder / "small.png", "JPEG": folder / "small.jpg"}


@pytest.fixture(scope="session")
def colour_a4(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same page yellowed, a colour JPEG."""
    path = tmp_path_factory.mktemp("scans") / "a4-colour.jpg"
    toned = np.dstack([draw_page(), draw_page(), cv2.subtract(draw_page(), 40)])
    Image.fromarray(toned).save(path, quality=85, dpi=(300, 300))
    return path
