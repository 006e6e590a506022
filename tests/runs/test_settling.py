"""The precision of a run is settled before it begins, and is part of what its outputs are."""

import subprocess
import sys
from dataclasses import replace

import pytest
from scans import FakeCleaner

from pagewash.files import sha256_of
from pagewash.inference import precision
from pagewash.inference.precision_choice import keep_precision, kept_precision
from pagewash.measuring.records import read_records
from pagewash.options import RunOptions
from pagewash.runs import settling
from pagewash.runs.outcome import Run
from pagewash.runs.planning import plan_run
from pagewash.runs.shards import clean_run


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(settling, "_may_be_gpu", lambda device: False)
    for cached in (settling._auto, precision._kept_on_cpu):
        cached.cache_clear()
    yield
    for cached in (settling._auto, precision._kept_on_cpu):
        cached.cache_clear()


def test_an_output_in_another_precision_is_cleaned_again_and_one_in_the_same_is_not(
    folders, tiny_model
):
    def plan(kept):
        settling._auto.cache_clear()
        keep_precision(sha256_of(tiny_model), kept, "it was the fastest")
        return plan_run(folders[0], folders[1], RunOptions(model=str(tiny_model)))

    report = clean_run(plan("int8"), load=lambda run: FakeCleaner())
    assert plan("int8").done == 3
    assert plan("bf16").done == 0
    rows = read_records(report.run.folder).to_pylist()
    assert {row["precision_reason"] for row in rows} == {"it was the fastest"}
    asked = plan_run(folders[0], folders[1], RunOptions(model=str(tiny_model), precision="int8"))
    assert (asked.done, asked.why_precision) == (3, "")


def test_the_first_run_on_a_machine_keeps_what_it_found(folders, tiny_model):
    plan = plan_run(folders[0], folders[1], RunOptions(model=str(tiny_model)))
    assert plan.options.precision in ("fp32", "bf16", "int8")
    kept = plan.options.precision, plan.why_precision
    assert kept_precision(sha256_of(tiny_model)) == kept


def test_what_is_kept_is_told_without_torch(folders, tiny_model):
    keep_precision(sha256_of(tiny_model), "int8", "it was the fastest")
    code = (
        "import sys; from pathlib import Path; from pagewash.options import RunOptions\n"
        "from pagewash.runs import planning, settling\n"
        "settling._may_be_gpu = lambda device: False\n"
        f"plan = planning.plan_run(Path({str(folders[0])!r}), Path({str(folders[1])!r}), "
        f"RunOptions(model={str(tiny_model)!r}))\n"
        "print(plan.options.precision, 'torch' in sys.modules)"
    )
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert child.stdout == "int8 False\n", child.stderr


def test_a_worker_that_cannot_compute_as_chosen_cleans_in_its_own_precision_and_says_so(
    folders, tiny_model, caplog
):
    worker = pytest.importorskip("pagewash.flows.dask.worker")
    sha256 = sha256_of(tiny_model)
    run = Run.begin(
        plan_run(folders[0], folders[1], RunOptions(model=str(tiny_model), device="cpu"))
    )
    chosen = replace(run.options, precision="fp16")  # as on a GPU that this machine lacks
    far = replace(run, options=chosen, why_precision="a GPU does")
    here = worker.as_possible_here(far, 1)
    assert (here.options.precision, here.why_precision) == kept_precision(sha256)
    assert here.output_key == run.output_key
    assert f"this worker cleans in {here.options.precision}" in caplog.text
    assert worker.as_possible_here(run, 1) == run
    asked = replace(far, why_precision="")
    assert worker.as_possible_here(asked, 1) == asked
