"""A schedule that really fires, on a real Prefect server, and a deployment to a work pool."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from scans import write_scan

from pipeline.errors import MissingError, OptionError
from pipeline.measuring.records import read_records
from pipeline.options import RunOptions

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


def wait_for(condition: Callable[[], bool], log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, log.read_text(errors="replace")[-4000:]
        time.sleep(0.5)


def answers(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(url, timeout=2) as reply:
        return reply.status == 200
    return False


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The API of a server with its own home; an ephemeral one never runs its schedules."""
    home = tmp_path_factory.mktemp("server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    api = f"http://127.0.0.1:{port}/api"
    start = ("prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port), "--no-ui")
    with process(home / "log", sys.executable, "-m", *start, PREFECT_HOME=str(home)):
        wait_for(lambda: answers(f"{api}/health"), home / "log")
        yield api


@pytest.mark.timeout(3 * PATIENCE)
def test_a_served_folder_is_cleaned_when_its_time_comes(server, tiny_model, tmp_path):
    write_scan(tmp_path / "scans" / "a.png")
    command = (sys.executable, "-m", "flows.cli", "serve", "scans", "out", "--interval", "5")
    command += ("--model", str(tiny_model), "--device", "cpu", "--precision", "fp32")
    environment = {"PREFECT_API_URL": server, "PREFECT_HOME": str(tmp_path / "home")}
    command = tuple(str(tmp_path / part) if part in ("scans", "out") else part for part in command)
    with process(tmp_path / "log", *command, **environment):
        metrics = tmp_path / "out" / "metrics"
        wait_for(lambda: any(metrics.rglob("part-0.parquet")), tmp_path / "log")
    assert (tmp_path / "out" / "a.png").exists()
    assert read_records(metrics)["status"].to_pylist() != ["failed"]


@pytest.mark.slow
@pytest.mark.timeout(3 * PATIENCE)
def test_the_deployment_in_prefect_yaml_runs_on_a_work_pool(server, tiny_model, tmp_path):
    write_scan(tmp_path / "scans" / "a.png")
    environment = {"PREFECT_API_URL": server, "PREFECT_HOME": str(tmp_path / "home")}

    def prefect(*arguments: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "prefect", *arguments],
            env=os.environ | environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    prefect("work-pool", "create", "pagewash", "--type", "process")
    prefect("--no-prompt", "deploy", "--all")
    prefect(
        *("deployment", "run", "clean-documents/nightly"),
        *("--param", f"source={tmp_path / 'scans'}"),
        *("--param", f"destination={tmp_path / 'out'}"),
        *("--param", f'options={{"model": "{tiny_model}", "device": "cpu"}}'),
    )
    prefect("worker", "start", "--pool", "pagewash", "--run-once", "--limit", "1")
    assert (tmp_path / "out" / "a.png").exists()


def test_a_schedule_needs_to_be_said_once_and_well(tmp_path, tiny_model):
    from flows.serve import serve_folder

    write_scan(tmp_path / "scans" / "a.png")
    folders, options = (tmp_path / "scans", tmp_path / "out"), RunOptions(model=str(tiny_model))
    for schedule in ({}, {"cron": "0 2 * * *", "interval": 5}, {"interval": 0}):
        with pytest.raises(OptionError, match="--interval"):
            serve_folder(*folders, options, **schedule)
    with pytest.raises(OptionError, match="--cron 'at night' is no schedule"):
        serve_folder(*folders, options, cron="at night")


def test_a_schedule_without_a_server_says_how_to_start_one(tmp_path, tiny_model, monkeypatch):
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from flows.serve import serve_folder

    write_scan(tmp_path / "scans" / "a.png")
    options = RunOptions(model=str(tiny_model))
    with (
        temporary_settings(restore_defaults={PREFECT_API_URL}),
        pytest.raises(MissingError, match="prefect server start"),
    ):
        serve_folder(tmp_path / "scans", tmp_path / "out", options, interval=60)
