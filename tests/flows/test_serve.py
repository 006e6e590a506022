"""A schedule that really fires, on a real Prefect server, and a deployment to a work pool."""

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from scans import write_scan
from servers import PATIENCE, process, wait_for

from pagewash.errors import MissingError, OptionError
from pagewash.flows.prefect.automation import set_up_automation
from pagewash.flows.prefect.events import RUN_ENDED
from pagewash.measuring.records import read_records
from pagewash.measuring.summary import latest
from pagewash.options import RunOptions

ROOT = Path(__file__).parents[2]


def prefect(environment: dict[str, str], *arguments: str, cwd: Path = ROOT) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "prefect", *arguments],
        env=os.environ | environment,
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def ask(api: str, path: str, question: dict[str, object] | None = None) -> Any:
    """What the server answers to a question of its API."""
    request = urllib.request.Request(
        f"{api}/{path}", json.dumps(question or {}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as reply:
        return json.load(reply)


@pytest.fixture(scope="module")
def out(prefect_server, tiny_model, tmp_path_factory) -> Iterator[Path]:
    """Where a served folder of two pages, one of them broken, is cleaned; with the automation."""
    folder = tmp_path_factory.mktemp("served")
    write_scan(folder / "scans" / "a.png")
    (folder / "scans" / "broken.png").write_bytes(b"no page")
    environment = {"PREFECT_API_URL": prefect_server, "PREFECT_HOME": str(folder / "home")}
    automation = subprocess.run(
        [sys.executable, "-m", "pagewash.flows.prefect.automation"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "is set up" in automation.stderr
    assert not set_up_automation()  # it was there
    assert len(ask(prefect_server, "automations/filter")) == 1
    quick = ("--model", tiny_model, "--device", "cpu", "--precision", "fp32")
    command = ("serve", folder / "scans", folder / "out", "--interval", "5", *quick)
    arguments = [sys.executable, "-m", "pagewash.flows.cli", *map(str, command)]
    often = {"PREFECT_RUNNER_POLL_FREQUENCY": "1"}
    with process(folder / "log", *arguments, **environment, **often):
        metrics = folder / "out" / "metrics"
        wait_for(lambda: any(metrics.rglob("part-0.parquet")), folder / "log")
        yield folder / "out"


@pytest.mark.timeout(3 * PATIENCE)
def test_a_served_folder_is_cleaned_when_its_time_comes(out):
    assert (out / "a.png").exists()
    statuses = latest(read_records(out / "metrics"))["status"].to_pylist()  # of all runs so far
    assert (len(statuses), statuses.count("failed")) == (2, 1)


@pytest.mark.timeout(3 * PATIENCE)
def test_a_run_with_many_failed_pages_tells_of_it_and_the_automation_pauses_its_schedule(
    prefect_server, out
):
    log = out.parent / "log"
    wait_for(lambda: ask(prefect_server, "deployments/filter")[0]["paused"], log)
    # automations see an event before the server has stored it
    wait_for(lambda: bool(served_runs_ended(prefect_server)), log)
    event = served_runs_ended(prefect_server)[-1]
    assert event["resource"]["pagewash.failed"] == "many"
    counts = {name: event["payload"][name] for name in ("documents", "pages", "pages_failed")}
    assert counts == {"documents": 2, "pages": 2, "pages_failed": 1}
    assert "broken.png" in event["payload"]["first_failure"]
    assert "flow-run" in roles(event)


def served_runs_ended(api: str) -> list[dict[str, Any]]:
    """The events that tell so; other tests' runs are of no deployment."""
    sought = {"filter": {"event": {"name": [RUN_ENDED]}}}
    events = ask(api, "events/filter", sought)["events"]
    return [event for event in events if "deployment" in roles(event)]


def roles(event: dict[str, Any]) -> set[str | None]:
    return {related.get("prefect.resource.role") for related in event["related"]}


@pytest.mark.slow
@pytest.mark.timeout(3 * PATIENCE)
def test_the_deployment_of_a_clone_that_has_gone_runs_on_a_worker_in_an_empty_folder(
    prefect_server, tiny_model, tmp_path
):
    write_scan(tmp_path / "scans" / "a.png")
    environment = {"PREFECT_API_URL": prefect_server, "PREFECT_HOME": str(tmp_path / "home")}
    prefect(environment, "work-pool", "create", "pagewash", "--type", "process")
    clone, empty = tmp_path / "clone", tmp_path / "empty"
    clone.mkdir()
    empty.mkdir()
    shutil.copy(ROOT / "prefect.yaml", clone)
    prefect(environment, "--no-prompt", "deploy", "--all", cwd=clone)
    shutil.rmtree(clone)
    prefect(
        environment,
        *("deployment", "run", "clean-documents/nightly"),
        *("--param", f"source={tmp_path / 'scans'}"),
        *("--param", f"destination={tmp_path / 'out'}"),
        *("--param", f'options={{"model": "{tiny_model}", "device": "cpu"}}'),
    )
    worker = ("worker", "start", "--pool", "pagewash", "--run-once", "--limit", "1")
    prefect(environment, *worker, cwd=empty)
    assert (tmp_path / "out" / "a.png").exists()


def test_a_schedule_needs_to_be_said_once_and_well(tmp_path, tiny_model):
    from pagewash.flows.prefect.schedule import serve_folder

    write_scan(tmp_path / "scans" / "a.png")
    folders, options = (tmp_path / "scans", tmp_path / "out"), RunOptions(model=str(tiny_model))
    for schedule in ({}, {"cron": "0 2 * * *", "interval": 5}, {"interval": 0}):
        with pytest.raises(OptionError, match="--interval"):
            serve_folder(*folders, options, **schedule)
    with pytest.raises(OptionError, match="--cron 'at night' is no schedule"):
        serve_folder(*folders, options, cron="at night")
    for name in ("a/b", " "):
        with pytest.raises(OptionError, match="--name"):
            serve_folder(*folders, options, interval=60, name=name)


def test_a_server_that_does_not_answer_is_told_with_the_way_out(tmp_path, tiny_model, monkeypatch):
    from prefect.settings import PREFECT_API_URL, temporary_settings

    import pagewash.flows.prefect.schedule

    write_scan(tmp_path / "scans" / "a.png")
    monkeypatch.setattr(pagewash.flows.prefect.schedule, "PATIENCE", 0.0)
    with (
        temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}),
        pytest.raises(MissingError, match=r"127\.0\.0\.1:9/api does not answer: .*refused"),
    ):
        pagewash.flows.prefect.schedule.serve_folder(
            tmp_path / "scans", tmp_path / "out", RunOptions(model=str(tiny_model)), interval=60
        )


def test_served_runs_are_processes_with_one_heap(tmp_path, tiny_model, monkeypatch):
    from prefect.settings import PREFECT_API_URL, temporary_settings

    import pagewash.flows.prefect.schedule

    write_scan(tmp_path / "scans" / "a.png")
    monkeypatch.setenv("MALLOC_ARENA_MAX", "")
    monkeypatch.delenv("MALLOC_ARENA_MAX")
    served = []
    fake = SimpleNamespace(serve=lambda **how: served.append(os.environ["MALLOC_ARENA_MAX"]))
    monkeypatch.setattr(pagewash.flows.prefect.schedule, "clean_documents", fake)
    monkeypatch.setattr(pagewash.flows.prefect.schedule, "wait_for_server", lambda patience: None)
    options = RunOptions(model=str(tiny_model))
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        pagewash.flows.prefect.schedule.serve_folder(
            tmp_path / "scans", tmp_path / "out", options, interval=60
        )
    assert served == ["1"]


def test_a_temporary_server_sends_nobody_news_of_itself(monkeypatch):
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from pagewash.flows.prefect.api import wait_for_server

    told = "PREFECT_SERVER_ANALYTICS_ENABLED"
    monkeypatch.delenv(told)
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        wait_for_server(0)
        assert os.environ[told] == "false"
        monkeypatch.setenv(told, "true")
        wait_for_server(0)
        assert os.environ[told] == "true"  # as the user wants it


def test_a_schedule_without_a_server_says_how_to_start_one(tmp_path, tiny_model, monkeypatch):
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from pagewash.flows.prefect.schedule import serve_folder

    write_scan(tmp_path / "scans" / "a.png")
    options = RunOptions(model=str(tiny_model))
    with (
        temporary_settings(restore_defaults={PREFECT_API_URL}),
        pytest.raises(MissingError, match="prefect server start"),
    ):
        serve_folder(tmp_path / "scans", tmp_path / "out", options, interval=60)
