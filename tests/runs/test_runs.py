"""Planning a run: what it finds, what it refuses, and what it leaves alone."""

import datetime
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from scans import FakeCleaner, write_scan

from pagewash.errors import AccessError, InputError, MissingError, OptionError
from pagewash.options import RunOptions
from pagewash.runs.outcome import Run
from pagewash.runs.planning import plan_run, plan_shards
from pagewash.runs.shards import clean_shard


@pytest.fixture
def source(tmp_path: Path) -> Path:
    write_scan(tmp_path / "scans" / "a.png", seed=1)
    write_scan(tmp_path / "scans" / "box" / "b.jpg", seed=2)
    return tmp_path / "scans"


@pytest.fixture
def options(tiny_model: Path) -> RunOptions:
    return RunOptions(model=str(tiny_model))


def test_outputs_stand_at_the_same_place_with_the_extension_of_their_format(
    source, options, tmp_path
):
    plan = plan_run(source, tmp_path / "out", options)
    assert [job.output_name for job in plan.jobs] == ["a.png", "box/b.jpg"]
    assert plan.metrics == tmp_path / "out" / "metrics"
    assert not (tmp_path / "out").exists()


def test_a_run_over_named_documents_leaves_the_others_alone(source, options, tmp_path):
    plan = plan_run(source, tmp_path / "out", options, only=["box/b.jpg"])
    assert [job.output_name for job in plan.jobs] == ["box/b.jpg"]
    write_scan(tmp_path / "elsewhere.png")
    with pytest.raises(OptionError, match=r"elsewhere\.png lies outside .*scans"):
        plan_run(source, tmp_path / "out", options, only=["../elsewhere.png"])


def test_two_inputs_that_meet_at_one_output_are_refused_by_name(source, tiny_model, tmp_path):
    write_scan(source / "a.jpg")
    with pytest.raises(OptionError, match=r"a\.jpg and .*a\.png would both become .*a\.png"):
        plan_run(source, tmp_path / "out", RunOptions(model=str(tiny_model), format="png"))


@pytest.mark.parametrize(
    ("destination", "how"), [("scans/out", "lies inside"), (".", "contains"), ("scans", "is")]
)
def test_folders_that_lie_in_each_other_are_refused(source, options, tmp_path, destination, how):
    with pytest.raises(OptionError, match=how):
        plan_run(source, tmp_path / destination, options)


def test_a_symlink_does_not_hide_that_folders_lie_in_each_other(source, options, tmp_path):
    (tmp_path / "elsewhere").symlink_to(source)
    with pytest.raises(OptionError, match="lies inside"):
        plan_run(source, tmp_path / "elsewhere" / "out", options)


def test_a_pipe_as_the_source_is_refused_with_the_way_to_read_it(options, tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(InputError, match=r"pipe\.png is neither .* clean - .*out"):
        plan_run(tmp_path / "pipe.png", tmp_path / "out", options)


def test_a_link_in_a_circle_among_the_outputs_does_not_stop_a_run(source, options, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.png").symlink_to("a.png")
    assert len(plan_run(source, tmp_path / "out", options).jobs) == 2


def test_hidden_files_among_the_metrics_are_no_metrics(source, options, tmp_path):
    (tmp_path / "out" / "metrics").mkdir(parents=True)
    (tmp_path / "out" / "metrics" / "._part-0.parquet").write_bytes(b"what a Mac leaves behind")
    assert len(plan_run(source, tmp_path / "out", options).jobs) == 2


def test_a_missing_source_an_unknown_model_and_a_blocked_destination_have_their_own_errors(
    source, options, tmp_path
):
    with pytest.raises(InputError, match="nowhere is not there"):
        plan_run(tmp_path / "nowhere", tmp_path / "out", options)
    with pytest.raises(MissingError, match=r"no model 'bset'.*choose"):
        plan_run(source, tmp_path / "out", RunOptions(model="bset"))
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(AccessError, match="file/out cannot be written to"):
        plan_run(source, tmp_path / "file" / "out", options)
    with pytest.raises(OptionError, match="names a file"):
        plan_run(source, tmp_path / "file", options)


def test_one_document_goes_to_a_file_or_into_a_folder(source, options, tmp_path):
    to_file = plan_run(source / "a.png", tmp_path / "clean.tif", options)
    assert to_file.jobs[0].output == tmp_path / "clean.tif"
    assert to_file.metrics is None
    to_folder = plan_run(source / "a.png", tmp_path / "clean", options)
    assert to_folder.jobs[0].output == tmp_path / "clean" / "a.png"
    assert to_folder.metrics == tmp_path / "clean" / "metrics"


def test_an_original_is_never_written_to(source, options):
    with pytest.raises(OptionError, match="over an original"):
        plan_run(source / "a.png", source / "a.png", options)
    with pytest.raises(OptionError, match="over an original"):
        plan_run(source / "a.png", source, options)


def test_a_file_name_that_contradicts_the_format_is_refused(source, tiny_model, tmp_path):
    options = RunOptions(model=str(tiny_model), format="jpeg")
    with pytest.raises(OptionError, match=r"names a png file.*--format jpeg"):
        plan_run(source / "a.png", tmp_path / "clean.png", options)


def test_outputs_do_not_go_among_the_metrics(source, options, tmp_path):
    write_scan(source / "metrics" / "c.png")
    with pytest.raises(OptionError, match="--metrics"):
        plan_run(source, tmp_path / "out", options)
    plan = plan_run(source, tmp_path / "out", options, metrics=tmp_path / "numbers")
    assert len(plan.jobs) == 3


def test_a_document_that_vanishes_while_the_run_is_planned_does_not_stop_it(
    source, options, tmp_path
):
    (source / "gone.png").symlink_to(source / "never-there.png")
    assert len(plan_run(source, tmp_path / "out", options).jobs) == 3


def test_shards_hold_all_jobs_in_order_within_their_bounds(source, options, tmp_path):
    for number in range(20):
        write_scan(source / f"{number:02}.png", seed=number)
    jobs = plan_run(source, tmp_path / "out", options).jobs
    one = jobs[0].found.size
    shards = plan_shards(jobs, most=8, most_bytes=5 * one)
    assert [job for shard in shards for job in shard] == list(jobs)
    assert all(sum(job.found.size for job in shard) <= 5 * one for shard in shards if shard[1:])
    assert [len(shard) for shard in plan_shards(jobs, most=8)] == [8, 8, 6]


def test_planning_imports_neither_torch_nor_prefect(source, tiny_model, tmp_path):
    script = (
        "import sys; from pathlib import Path; from pagewash.options import RunOptions;"
        "from pagewash.runs.planning import plan_run;"
        f"plan_run(Path({str(source)!r}), Path({str(tmp_path / 'out')!r}),"
        f" RunOptions(model={str(tiny_model)!r}));"
        "sys.exit(bool({'torch', 'prefect'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_the_last_run_is_the_last_also_where_the_clock_was_set_back(source, options, tmp_path):
    def clean(plan, run):
        clean_shard(plan.jobs, run, run.part(0), load=lambda run: FakeCleaner())
        return run.started

    plan = plan_run(source, tmp_path / "out", options)
    ahead = datetime.datetime(2099, 12, 31, 23, 59, 59, 999_000, datetime.UTC)
    clean(plan, replace(Run.begin(plan), started=ahead, run_id="20991231T235959-0a0b0c"))
    for number in range(2):
        write_scan(source / "a.png", seed=7 + number)
        plan = plan_run(source, tmp_path / "out", options)
        assert [job.name for job in plan.jobs] == ["a.png"]
        assert clean(plan, Run.begin(plan)).year == 2100
    assert plan_run(source, tmp_path / "out", options).done == 2
