"""A real Dask cluster of two worker processes: one is killed in mid-run, and no page is lost."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from distributed import Client
from scans import write_scan

import pagewash.flows.dask.cluster
from pagewash.files import sha256_of
from pagewash.flows.cli import main
from pagewash.flows.dask.worker import (
    STOP_ASKED,
    PolledStop,
    WorkerRequirements,
    missing_requirement,
    share_of_machine,
)
from pagewash.leftovers import clear_leftovers
from pagewash.measuring.records import read_records
from pagewash.options import RunOptions
from pagewash.runs.planning import plan_run
from pagewash.versions import version_of

ROOT = Path(__file__).parents[2]
DOCUMENTS = 40
PATIENCE = 240
"""Seconds; a machine that also does other work takes its time to start four processes."""


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[str]:
    """The address of a scheduler with two workers of one thread each, all of them processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    quiet = ("--no-dashboard",)
    commands = [("scheduler", "--host", "127.0.0.1", "--port", address.split(":")[2], *quiet)]
    commands += 2 * [("worker", address, "--nthreads", "1", "--no-nanny", *quiet)]
    with ExitStack() as stack:
        log = stack.enter_context((tmp_path / "log").open("wb"))
        for command in commands:
            running = subprocess.Popen(
                [sys.executable, "-m", "dask", *command], cwd=ROOT, stdout=log, stderr=log
            )
            stack.callback(running.wait)
            stack.callback(running.kill)
        yield address


def kill_one_in_mid_shard(scheduler: str, outputs: Path) -> int:
    """Kill a worker that is cleaning, some pages being out; the shards that were done by then."""
    end = time.monotonic() + PATIENCE
    with Client(scheduler, timeout=PATIENCE, set_as_default=False) as client:
        while time.monotonic() < end:
            time.sleep(0.01)
            if not any(outputs.glob("*.png")):
                continue
            for address, process in client.run(os.getpid).items():
                os.kill(process, signal.SIGSTOP)
                time.sleep(0.2)  # what it had said already has arrived
                if client.processing()[address]:
                    os.kill(process, signal.SIGKILL)
                    return len(list(outputs.rglob("*.parquet")))
                os.kill(process, signal.SIGCONT)
    raise AssertionError("no worker was ever seen at work")


@pytest.mark.timeout(3 * PATIENCE)
def test_a_worker_killed_in_mid_run_costs_no_page_and_doubles_none(
    prefect_server, scheduler, tiny_model, tmp_path, capsys
):
    source, destination = tmp_path / "scans", tmp_path / "out"
    names = [f"{number:02}.png" for number in range(DOCUMENTS)]
    for number, name in enumerate(names):
        write_scan(source / name, seed=number)
    with ThreadPoolExecutor(1) as pool:
        killer = pool.submit(kill_one_in_mid_shard, scheduler, destination)
        arguments = ["--cluster", scheduler, "--model", tiny_model]
        arguments += ["--device", "cpu", "--precision", "fp32"]
        assert main(["clean", *map(str, [source, destination, *arguments])]) == 0
    assert f"{DOCUMENTS} documents cleaned" in capsys.readouterr().out
    assert killer.result() < len(list(destination.rglob("*.parquet")))
    assert sorted(path.name for path in destination.glob("*.png")) == names
    rows = read_records(destination).to_pylist()
    assert Counter(row["source"] for row in rows) == Counter(names)
    assert "failed" not in {row["status"] for row in rows}

    def times_loaded() -> int:
        from pagewash.runs.loading import _load

        return _load.cache_info().misses

    with Client(scheduler, set_as_default=False) as client:
        assert list(client.run(times_loaded).values()) == [1]


def test_workers_of_a_local_cluster_have_one_heap(monkeypatch):
    class SeenError(Exception):
        """Nothing needs to be started."""

    def start(**how: object) -> None:
        raise SeenError(os.environ["MALLOC_ARENA_MAX"])

    monkeypatch.setenv("MALLOC_ARENA_MAX", "")
    monkeypatch.delenv("MALLOC_ARENA_MAX")
    monkeypatch.setattr(pagewash.flows.dask.cluster, "LocalCluster", start)
    with pytest.raises(SeenError, match="1"), pagewash.flows.dask.cluster._local_cluster():
        pass


@pytest.fixture
def clean(tmp_path: Path, tiny_model: Path):
    """Ask for a scan to be cleaned on some cluster; returns the exit code."""
    write_scan(tmp_path / "scans" / "a.png")

    def run(*options: str) -> int:
        folders = [str(tmp_path / "scans"), str(tmp_path / "out")]
        return main(["clean", *folders, "--model", str(tiny_model), *options])

    return run


def test_without_dask_it_says_what_to_install(clean, monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "pagewash.flows.dask.cluster")
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert clean("--cluster", "local") == 3
    assert "pip install 'pagewash[dask]'" in capsys.readouterr().err


def test_a_scheduler_that_does_not_answer_is_named_within_a_bounded_time(
    clean, monkeypatch, capsys
):
    monkeypatch.setattr(pagewash.flows.dask.cluster, "PATIENCE", 0.1)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # but nobody listens
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        assert clean("--cluster", address) == 3
    assert f"no Dask scheduler answers at {address}" in capsys.readouterr().err


def test_a_temporary_server_that_does_not_start_is_told_with_the_way_out(
    clean, monkeypatch, capsys
):
    def get_client(sync_client: bool) -> None:
        raise RuntimeError("Timed out")

    monkeypatch.setattr(pagewash.flows.dask.cluster, "get_client", get_client)
    assert clean("--cluster", "local") == 3
    assert "prefect server start --background" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options", [["--cluster", "nowhere"], ["--cluster", "local", "--no-flow"]], ids=" ".join
)
def test_what_is_no_cluster_or_no_flow_is_a_wrong_argument(clean, capsys, options):
    assert clean(*options) == 1
    assert "--cluster" in capsys.readouterr().err


def test_the_threads_of_a_machine_are_divided_among_the_workers_on_it():
    threads = {"tcp://10.0.0.1:4000": 1, "tcp://10.0.0.1:4001": 1, "tcp://10.0.0.2:4000": 3}
    assert share_of_machine("tcp://10.0.0.1:4000", threads, processors=16) == 8
    assert share_of_machine("tcp://10.0.0.2:4000", threads, processors=16) == 5
    assert share_of_machine("tcp://10.0.0.2:4000", threads, processors=2) == 1
    assert share_of_machine("tcp://10.0.0.3:4000", threads, processors=4) == 4


class FarAway:
    """A `Stop` that counts how often it is asked."""

    def __init__(self) -> None:
        self.told, self.asked = False, 0

    def is_set(self) -> bool:
        self.asked += 1
        return self.told


def test_a_worker_asks_now_and_then_whether_to_stop_and_not_at_every_page(monkeypatch):
    now, far = [100.0], FarAway()
    monkeypatch.setattr("pagewash.flows.dask.worker.time.monotonic", lambda: now[0])
    stop = PolledStop(far)
    assert not any(stop.is_set() for _ in range(1000))
    far.told = True
    assert not stop.is_set()
    now[0] += STOP_ASKED
    assert stop.is_set()
    assert far.asked == 2


def test_a_worker_that_would_fail_says_what_it_lacks(tiny_model, tmp_path):
    scan, mark = write_scan(tmp_path / "a.png"), tmp_path / "mark"
    mark.touch()
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        api = f"http://127.0.0.1:{nobody.getsockname()[1]}/api"
    requirements = WorkerRequirements(
        version_of("pagewash"), str(tiny_model), sha256_of(tiny_model), scan, mark, api
    )
    lacking = {
        "has pagewash": replace(requirements, version="0.0.1"),
        "another model": replace(requirements, model_sha256="0" * 64),
        "no model": replace(requirements, model="bset"),
        "does not see the scans": replace(requirements, source=tmp_path / "b.png"),
        "does not see the outputs": replace(requirements, mark=tmp_path / "gone"),
        "cannot reach Prefect's API": requirements,
    }
    for message, wants in lacking.items():
        assert message in (missing_requirement(wants) or "")


def test_a_mark_is_seen_to_be_in_use_for_as_long_as_it_is_needed(tiny_model, tmp_path):
    scan = write_scan(tmp_path / "a.png")
    plan = plan_run(scan, tmp_path / "out" / "clean.png", RunOptions(model=str(tiny_model)))
    with pagewash.flows.dask.cluster._mark(plan) as mark:
        clear_leftovers(tmp_path)
        assert mark.parent == tmp_path / "out"
        assert mark.exists()
    assert not mark.exists()
