"""Programs that run in the background while tests talk to them."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parents[1]
PATIENCE = 240
"""Seconds; a machine that also does other work starts a server in half a minute."""


@contextmanager
def process(log: Path, *command: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command in the background, ended with the block."""
    with log.open("wb") as file:
        running = subprocess.Popen(
            command, stdout=file, stderr=file, env=os.environ | environment, cwd=ROOT
        )
        try:
            yield running
        finally:
            running.terminate()
            with suppress(subprocess.TimeoutExpired):
                running.wait(20)
            running.kill()
            running.wait()


def wait_for(condition: Callable[[], bool], log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, log.read_text(errors="replace")[-4000:]
        time.sleep(0.2)


@contextmanager
def serve_prefect(home: Path) -> Iterator[str]:
    """A Prefect server with an SQLite database in `home`; gives the address of its API."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    api = f"http://127.0.0.1:{port}/api"
    start = ("prefect", "server", "start", "--host", "127.0.0.1", "--port", port, "--no-ui")
    soon = {"PREFECT_SERVER_SERVICES_SCHEDULER_RECENT_DEPLOYMENTS_LOOP_SECONDS": "1"}
    command = (sys.executable, "-m", *start)
    with process(home / "log", *command, PREFECT_HOME=str(home), **soon):
        wait_for(lambda: _answers(f"{api}/health"), home / "log")
        yield api


def _answers(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(url, timeout=2) as reply:
        return reply.status == 200
    return False
