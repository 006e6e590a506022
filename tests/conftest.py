"""What tests share: a Prefect of their own, and a small network."""

import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

try:
    import resource
except ImportError:  # Windows
    resource = None

if TYPE_CHECKING:
    from commands import Commands

# goes away with this object, when the process ends
_prefect_home = tempfile.TemporaryDirectory(prefix="pagewash-prefect-", ignore_cleanup_errors=True)

# before anyone imports prefect, which reads them once
os.environ |= {
    "XDG_CACHE_HOME": str(Path(_prefect_home.name) / "cache"),  # no tiles that a bench has kept
    "DO_NOT_TRACK": "1",
    "PREFECT_HOME": _prefect_home.name,
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
}
os.environ.pop("PREFECT_API_URL", None)
hypothesis.settings.register_profile("pagewash", deadline=None)  # what else the machine does
hypothesis.settings.load_profile("pagewash")
if workers := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):  # with -n: threads share the cores too
    from pagewash.options import available_processors

    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, available_processors() // int(workers))))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=4, help="times that each command is killed")
    parser.addoption("--faults", type=int, default=1, help="times that each fault is injected")
    parser.addoption("--many", type=int, default=100, help="pages of a run of many")


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """A command sets its process's logging up; the next test is not to hear of it."""
    logger = logging.getLogger("pagewash")
    level, handlers, propagate = logger.level, logger.handlers, logger.propagate
    yield
    logger.setLevel(level)
    logger.handlers, logger.propagate = handlers, propagate


@pytest.fixture(autouse=True)
def _process_as_it_was() -> Iterator[None]:
    """A limit that a test set would hold for the tests after it, and for browsers they start."""
    before = _limits()
    yield
    assert _limits() == before


def _limits() -> dict[str, object]:
    if resource is None:
        return {"folder": Path.cwd()}
    kinds = [name for name in dir(resource) if name.startswith("RLIMIT_")]
    limits = {name: resource.getrlimit(getattr(resource, name)) for name in kinds}
    return {"folder": Path.cwd(), **limits}


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The API of a real Prefect server for all tests that need one; flows here use it."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker
    from prefect.settings import PREFECT_API_URL, temporary_settings
    from servers import serve_prefect

    with (
        serve_prefect(tmp_path_factory.mktemp("server")) as api,
        temporary_settings({PREFECT_API_URL: api}),
    ):
        yield api
        # what waits to be sent would find no server
        APILogWorker.drain_all()
        EventsWorker.drain_all()


@pytest.fixture(scope="session")
def commands() -> Iterator["Commands"]:
    """The command line, in processes that need not load it."""
    from commands import serve_commands

    with serve_commands() as commands:
        yield commands


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """SRC with three scans, and DST."""
    from scans import write_scan  # brings torch

    for number in range(3):
        write_scan(tmp_path / "scans" / f"{number}.png", seed=number)
    return tmp_path / "scans", tmp_path / "out"


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a small untrained network: it cleans nothing, but quickly."""
    from networks import small_network

    from pagewash.inference.checkpoint import ModelCard, save_checkpoint

    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    save_checkpoint(path, small_network(), ModelCard("tiny"))
    return path


@pytest.fixture
def unharmed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of a corpus stay as they are."""
    from corpora import SHARES_OF_WEAR

    from pagewash.training import wearing

    for share in SHARES_OF_WEAR:
        monkeypatch.setattr(wearing, share, 0)
