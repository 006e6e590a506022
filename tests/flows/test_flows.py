"""The flow against a real Prefect server: files, rows, artifacts, retries, and its last state."""

import dataclasses
import datetime
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    FlowRunFilter,
    FlowRunFilterId,
)
from prefect.events.filters import EventFilter, EventNameFilter, EventResourceFilter
from prefect.logging.handlers import PrefectConsoleHandler
from prefect.settings import get_current_settings
from reported import HOW, STARTED, row, write_part
from scans import FakeCleaner, write_scan

import pagewash.flows.prefect.cleaning
import pagewash.runs.shards
from pagewash.flows.prefect.api import keep_quiet
from pagewash.flows.prefect.cleaning import clean_documents, clean_shard_task
from pagewash.flows.prefect.events import DOUBTFUL_JUMPED, tell_jump
from pagewash.measuring.records import read_records
from pagewash.options import RunOptions
from pagewash.runs.ledger import OutputKey
from pagewash.runs.outcome import Run, RunReport

pytestmark = [pytest.mark.usefixtures("prefect_server"), pytest.mark.timeout(600)]


@pytest.fixture
def options(tiny_model: Path) -> RunOptions:
    return RunOptions(model=str(tiny_model), device="cpu", precision="fp32")


def run(folders: tuple[Path, Path], options: RunOptions):
    """Run the flow; its state and its report."""
    state = clean_documents(*folders, options, return_state=True)
    report = state.result(raise_on_failure=False)
    assert isinstance(report, RunReport)
    return state, report


def artifacts(state) -> dict[str, object]:
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(
            artifact_filter=ArtifactFilter(
                flow_run_id=ArtifactFilterFlowRunId(any_=[state.state_details.flow_run_id])
            )
        )
    return {str(artifact.key): artifact.data for artifact in found}


def events(name: str, run_id: str, patience: float = 120) -> list:
    """What the server has of an event of a run; it stores them some seconds after they came."""
    of_run = EventResourceFilter(id=[f"pagewash.run.{run_id}"])
    sought = EventFilter(event=EventNameFilter(name=[name]), resource=of_run)
    end = time.monotonic() + patience
    with get_client(sync_client=True) as client:
        while not (found := client.read_events(filter=sought, limit=10).events):
            if time.monotonic() > end:
                break
            time.sleep(0.5)
    return found


def test_the_server_hears_when_far_more_pages_are_doubtful_than_before(tmp_path, options):
    """Three runs of a hundred pages without a doubtful one, then one with fifty."""
    reports = []
    for number in range(4):
        began = STARTED + datetime.timedelta(days=number)
        how = dataclasses.replace(HOW, run_id=f"jump-{number}", started=began)
        run = Run(how.run_id, began, options, OutputKey("0" * 64, "0" * 16), tmp_path)
        doubtful = 50 if number == 3 else 0
        status = ["review"] * doubtful + ["cleaned"] * (100 - doubtful)
        rows = [row(f"{page}.png", status[page]) for page in range(100)]
        write_part(run.part(0), [dataclasses.replace(record, how=how) for record in rows])
        reports.append(RunReport(run, planned=100, done_before=0, seconds=1.0))
        tell_jump(reports[-1])
    (event,) = events(DOUBTFUL_JUMPED, "jump-3")
    assert event.payload == {"share_before": 0.0, "share_now": 0.5}
    assert events(DOUBTFUL_JUMPED, "jump-2", patience=0) == []


def test_the_flow_leaves_the_files_rows_and_artifacts_of_a_run(folders, options):
    (folders[0] / "empty.png").touch()
    (folders[0] / "more").mkdir()
    for number in range(20):
        write_scan(folders[0] / "more" / f"{number}.png", seed=number)
    state, report = run(folders, options)
    assert state.is_completed()
    assert state.message.startswith("23 documents cleaned, 1 failed")
    assert len(read_records(report.run.folder)) == 24
    assert (folders[1] / "0.png").exists()
    left = artifacts(state)
    assert set(left) == {"pagewash-progress", "pagewash-summary", "pagewash-look"}
    assert left["pagewash-progress"] == 100
    assert "23 documents cleaned" in left["pagewash-summary"]
    look = json.loads(left["pagewash-look"])
    # what an untrained network makes of scans is doubtful
    assert {row["status"] for row in look} <= {"failed", "review"}
    (needy,) = (row for row in look if row["status"] == "failed")
    assert (needy["document"], needy["status"]) == ("empty.png", "failed")
    with get_client(sync_client=True) as client:
        flow_run = client.read_flow_run(state.state_details.flow_run_id)
        ours = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run.id]))
        (task_run,) = client.read_task_runs(flow_run_filter=ours)
    assert flow_run.name == "scans to out"
    assert task_run.name == "24 documents from 0.png"


def test_the_log_of_a_run_names_the_documents_that_failed(folders, options, caplog):
    (folders[0] / "empty.png").touch()
    logger = logging.getLogger("prefect.flow_runs")
    logger.addHandler(caplog.handler)
    try:
        run(folders, options)
    finally:
        logger.removeHandler(caplog.handler)
    told = [record.message for record in caplog.records if record.name == logger.name]
    assert any("empty.png is empty (0 bytes)" in message for message in told)


def test_a_run_beyond_its_failure_budget_is_a_failed_run(folders, options):
    (folders[0] / "empty.png").touch()
    state, report = run(folders, options)
    assert state.is_failed()
    assert report.exit_code == 2
    assert len(report.failures) == 1


def test_a_second_run_finds_nothing_to_do_and_leaves_no_artifact(folders, options):
    run(folders, options)
    state, report = run(folders, options)
    assert state.is_completed()
    assert report.done_before == 3
    assert artifacts(state) == {}


def test_what_may_pass_is_tried_again_and_what_may_not_is_not(folders, options, monkeypatch):
    (folders[0] / "empty.png").touch()
    (folders[1] / "1.png").mkdir(parents=True)  # in the way of an output
    tries = []

    def clean_shard(*arguments, **keywords):
        tries.append(None)
        if len(tries) == 2:
            (folders[1] / "1.png").rmdir()
        return pagewash.runs.shards.clean_shard(
            *arguments, **keywords, load=lambda run: FakeCleaner()
        )

    monkeypatch.setattr(pagewash.flows.prefect.cleaning, "clean_shard", clean_shard)
    monkeypatch.setattr(clean_shard_task, "retry_delay_seconds", 0)
    _, report = run(folders, options)
    assert len(tries) == 2
    assert [failure.error for failure in report.failures] == ["EmptyFileError"]
    assert len(read_records(report.run.folder)) == 4


RUN = """
import sys
from pathlib import Path
from pagewash.flows.prefect.cleaning import clean_documents
from pagewash.options import RunOptions
few = RunOptions(model=sys.argv[3], device="cpu", tile=320, batch=1)  # documents in hand
clean_documents(Path(sys.argv[1]), Path(sys.argv[2]), few)
"""


def test_a_run_that_its_runner_ends_records_all_that_it_has_cleaned(folders, tiny_model):
    write_scan(folders[0] / "0.png", shape=(400, 300))
    for number in range(1, 100):  # one shard, which takes seconds
        shutil.copy(folders[0] / "0.png", folders[0] / f"{number}.png")
    command = [sys.executable, "-c", RUN, *map(str, (*folders, tiny_model))]
    server = {"PREFECT_API_URL": str(get_current_settings().api.url)}
    with subprocess.Popen(command, env=os.environ | server) as process:
        while process.poll() is None and not list(folders[1].glob("*.png")):
            time.sleep(0.01)
        process.terminate()
    assert process.returncode == -signal.SIGTERM
    cleaned = {path.name for path in folders[1].iterdir() if path.is_file()}
    (parts,) = (folders[1] / "metrics").glob("*/*")
    assert set(read_records(parts)["source"].to_pylist()) == cleaned
    assert 0 < len(cleaned) < 100


def test_an_option_that_cannot_work_fails_the_flow_with_its_own_error(folders):
    state = clean_documents(*folders, RunOptions(model="bset"), return_state=True)
    assert state.is_failed()
    assert "MissingError" in state.message


def test_a_document_whose_name_is_no_text_is_cleaned_as_any_other(folders, options):
    name = os.fsdecode(b"sc\xe9n.png")
    shutil.copy(folders[0] / "0.png", folders[0] / name)
    run(folders, options)
    assert (folders[1] / name).exists()
    assert "failed" not in read_records(folders[1])["status"].to_pylist()


def test_a_run_over_named_documents_leaves_the_others_alone(folders, options):
    state = clean_documents(*folders, options, only=["1.png"], return_state=True)
    assert state.is_completed()
    assert [path.name for path in folders[1].glob("*.png")] == ["1.png"]


def test_prefect_shows_a_form_that_explains_every_option():
    form = clean_documents.parameters
    assert form.required == ["source", "destination"]
    assert all(field["description"] for field in form.properties.values())
    assert form.properties["options"]["default"] == vars(RunOptions())
    options = form.definitions["RunOptions"]["properties"]
    assert set(options) == set(vars(RunOptions()))
    assert all(option["description"] for option in options.values())
    assert options["format"]["enum"] == ["keep", "png", "tiff", "jpeg", "pdf"]
    assert options["color"]["enum"] == ["keep", "gray", "bilevel"]
    kinds = {name: option.get("type") for name, option in options.items()}  # none for a choice
    assert kinds["jobs"] == "integer"
    assert kinds["max_image_mpixels"] == "number"
    assert kinds["force"] == "boolean"


def test_a_quiet_flow_tells_the_terminal_of_errors_alone(monkeypatch):
    console = PrefectConsoleHandler()
    monkeypatch.setattr(logging.getLogger(), "handlers", [console])
    keep_quiet()
    assert console.level == logging.ERROR
