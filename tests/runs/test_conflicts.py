"""Outputs go nowhere where something would be lost, whatever path leads there."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from scans import FakeCleaner, write_scan

from pagewash.errors import OptionError
from pagewash.measuring.records import read_records
from pagewash.options import RunOptions
from pagewash.runs import conflicts, planning
from pagewash.runs.objects import staged
from pagewash.runs.outcome import Run
from pagewash.runs.planning import RunPlan, plan_run
from pagewash.runs.shards import clean_run


@pytest.fixture
def source(tmp_path: Path) -> Path:
    write_scan(tmp_path / "scans" / "a.png", seed=1)
    write_scan(tmp_path / "scans" / "box" / "b.png", seed=2)
    return tmp_path / "scans"


@pytest.fixture
def options(tiny_model: Path) -> RunOptions:
    return RunOptions(model=str(tiny_model))


@pytest.fixture
def mounted(monkeypatch):
    """Links stand for mounts: no look at names tells where they lead."""
    for module in (conflicts, planning):
        monkeypatch.setattr(module, "real_path", lambda path: path.absolute())


def run(plan: RunPlan) -> None:
    clean_run(plan, load=lambda run: FakeCleaner())


@pytest.mark.parametrize("inner", ["", "box"])
def test_a_destination_that_is_the_source_under_another_mount_is_refused(
    source, options, tmp_path, mounted, inner
):
    (tmp_path / "mount").symlink_to(source / inner)
    with pytest.raises(OptionError, match="under another name"):
        plan_run(source, tmp_path / "mount", options)
    (tmp_path / "mount").unlink()
    (tmp_path / "mount").symlink_to(tmp_path)  # a share of everything
    with pytest.raises(OptionError, match="scans would mix"):
        plan_run(source, tmp_path / "mount", options)


def test_a_folder_of_the_source_mounted_inside_the_destination_is_refused(
    source, options, tmp_path, mounted
):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "box").symlink_to(source / "box")
    with pytest.raises(OptionError, match=r"over an original, .*out/box/b\.png"):
        plan_run(source, tmp_path / "out", options)
    with pytest.raises(OptionError, match="folder of originals under another name"):
        plan_run(source, tmp_path / "out", RunOptions(model=options.model, format="tiff"))


@pytest.mark.skipif(not shutil.which("unshare"), reason="mounts of one's own are Linux's")
def test_a_real_mount_of_the_source_is_refused(source, options, tmp_path):
    (tmp_path / "mount").mkdir()
    script = (
        "from pathlib import Path; from pagewash.options import RunOptions;"
        "from pagewash.runs.planning import RunPlan, plan_run;"
        f"plan_run(Path({str(source)!r}), Path({str(tmp_path / 'mount')!r}),"
        f" RunOptions(model={options.model!r}))"
    )
    command = f'mount --bind "{source}" "{tmp_path / "mount"}" || exit 77; exec "$@"'
    ran = subprocess.run(
        ["unshare", "-rm", "sh", "-c", command, "sh", sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode == 77 or "unshare" in ran.stderr:
        pytest.skip("this machine lets nobody mount")
    assert "OptionError" in ran.stderr
    assert "under another name" in ran.stderr


def test_an_output_that_is_an_original_by_a_hard_link_is_refused(source, options, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.png").hardlink_to(source / "a.png")
    with pytest.raises(OptionError, match="over an original"):
        plan_run(source, tmp_path / "out", options)
    with pytest.raises(OptionError, match="over an original"):
        plan_run(source / "a.png", tmp_path / "out" / "a.png", options)


def test_a_share_that_is_mounted_twice_has_two_devices_and_is_known_all_the_same(
    source, tmp_path, monkeypatch
):
    stat = os.stat

    def other_device(path):
        found = stat(path)
        seen_twice = Path(path).is_relative_to(tmp_path / "again")
        return os.stat_result(
            [*found[:2], found.st_dev + seen_twice, *found[3:]], found.__reduce__()[1][1]
        )

    (tmp_path / "again").symlink_to(source)
    monkeypatch.setattr(os, "stat", other_device)
    one, other = source / "a.png", tmp_path / "again" / "a.png"
    assert conflicts.identity(one) != conflicts.identity(other)
    assert conflicts.identity(one) & conflicts.identity(other)
    assert not conflicts.identity(one) & conflicts.identity(source / "box" / "b.png")


def test_a_folder_link_in_the_destination_that_leads_elsewhere_is_refused(
    source, options, tmp_path
):
    precious = write_scan(tmp_path / "elsewhere" / "b.png", seed=9).read_bytes()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "box").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OptionError, match="link that leads out of"):
        plan_run(source, tmp_path / "out", options)
    assert (tmp_path / "elsewhere" / "b.png").read_bytes() == precious


def test_a_folder_link_that_stays_inside_the_destination_is_followed(source, options, tmp_path):
    (tmp_path / "out" / "real").mkdir(parents=True)
    (tmp_path / "out" / "box").symlink_to("real")
    (tmp_path / "link").symlink_to(tmp_path / "out")
    assert len(plan_run(source, tmp_path / "link", options).jobs) == 2


def test_a_link_that_comes_after_the_plan_costs_its_document_alone(source, options, tmp_path):
    precious = write_scan(tmp_path / "elsewhere" / "b.png", seed=9).read_bytes()
    plan = plan_run(source, tmp_path / "out", options)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "box").symlink_to(tmp_path / "elsewhere")
    report = clean_run(plan, load=lambda run: FakeCleaner())
    rows = read_records(report.run.folder).to_pylist()
    assert [(row["source"], row["status"]) for row in rows] == [
        ("a.png", "cleaned"),
        ("box/b.png", "failed"),
    ]
    assert (tmp_path / "elsewhere" / "b.png").read_bytes() == precious


def test_metrics_that_are_a_link_which_leads_elsewhere_are_refused_unless_they_are_named(
    source, options, tmp_path
):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "metrics").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OptionError, match="link that leads out of"):
        plan_run(source, tmp_path / "out", options)
    assert plan_run(source, tmp_path / "out", options, tmp_path / "elsewhere").jobs


def test_source_and_destination_the_wrong_way_round_are_refused(source, options, tmp_path):
    run(plan_run(source, tmp_path / "out", options))
    for scans in (source, source / "box"):
        with pytest.raises(OptionError, match="the other way round"):
            plan_run(tmp_path / "out", scans, options)
    assert plan_run(tmp_path / "out", tmp_path / "twice", options).jobs
    with pytest.raises(OptionError, match="the other way round"):
        plan_run(tmp_path / "out" / "a.png", source, options)
    with pytest.raises(OptionError, match="the other way round"):
        plan_run(tmp_path / "out" / "a.png", source / "a.png", options)


def test_they_are_refused_where_the_metrics_lie_elsewhere_too(source, options, tmp_path):
    metrics = tmp_path / "m"
    plan = plan_run(source, tmp_path / "out", options, metrics)
    run(plan)
    with pytest.raises(OptionError, match="the other way round"):
        plan_run(tmp_path / "out", source, options, metrics)
    assert plan_run(source, tmp_path / "out", options, metrics).done
    assert plan_run(tmp_path / "out", tmp_path / "twice", options, metrics).jobs


def test_scans_that_a_pattern_has_made_the_destination_are_not_written_over(
    source, options, tmp_path
):
    write_scan(source / "b.png", seed=3)
    shutil.copytree(source, tmp_path / "others")
    for one, other in ((source / "a.png", source / "b.png"), (source, tmp_path / "others")):
        with pytest.raises(OptionError, match="may be another scan"):
            plan_run(one, other, options)
        assert plan_run(one, other, replace(options, force=True)).jobs


def test_a_first_run_that_was_killed_goes_on(source, options, tmp_path):
    plan = plan_run(source, tmp_path / "out", options)
    Run.begin(plan)
    (tmp_path / "out" / "a.png").write_bytes(b"half of the outputs, and no rows")
    assert plan_run(source, tmp_path / "out", options).jobs


@pytest.mark.parametrize("one", [False, True])
@pytest.mark.parametrize("gone", [False, True])
def test_the_output_of_a_scan_of_the_same_name_elsewhere_is_not_written_over(
    source, options, tmp_path, gone, one
):
    run(plan_run(source, tmp_path / "out", options))
    before = (tmp_path / "out" / "a.png").read_bytes()
    write_scan(tmp_path / "february" / "a.png", seed=3)
    if gone:
        shutil.rmtree(source)
    scans = tmp_path / "february" / "a.png" if one else tmp_path / "february"
    with pytest.raises(OptionError, match=r"a\.png was cleaned from .*/scans/a\.png, and "):
        plan_run(scans, tmp_path / "out", options)
    assert (tmp_path / "out" / "a.png").read_bytes() == before
    assert plan_run(scans, tmp_path / "out", replace(options, force=True)).jobs


def test_scans_that_lie_elsewhere_now_or_have_changed_are_no_others(source, options, tmp_path):
    run(plan_run(source, tmp_path / "out", options))
    source.rename(tmp_path / "moved")
    assert plan_run(tmp_path / "moved", tmp_path / "out", options).done == 2
    for scan in (tmp_path / "moved").rglob("*.png"):  # a copy has times of its own
        scan.touch()
    assert len(plan_run(tmp_path / "moved", tmp_path / "out", options).jobs) == 2
    (tmp_path / "moved").rename(source)
    (tmp_path / "link").symlink_to(source)
    write_scan(source / "a.png", seed=5)
    for way in (source, tmp_path / "link"):
        assert len(plan_run(way, tmp_path / "out", options).jobs) == 2


def test_what_was_an_output_and_is_gone_may_be_made_anew_of_another_scan(source, options, tmp_path):
    run(plan_run(source, tmp_path / "out", options))
    write_scan(tmp_path / "february" / "a.png", seed=3)
    (tmp_path / "out" / "a.png").unlink()
    assert plan_run(tmp_path / "february", tmp_path / "out", options).jobs


def test_a_scan_beside_a_single_document_is_not_written_over(source, options, tmp_path):
    write_scan(source / "a.tif", seed=3)
    as_png = RunOptions(model=options.model, format="png")
    with pytest.raises(OptionError, match=r"a\.png is there already, and may be another scan"):
        plan_run(source / "a.tif", source, as_png)
    write_scan(source / "c.tif", seed=4)
    for _ in range(2):  # the second time it is the run's own output
        plan = plan_run(source / "c.tif", source, as_png)
        run(plan)
    assert plan.done == 1


def test_metrics_that_others_share_make_no_destination_of_a_folder_of_scans(
    source, options, tmp_path
):
    shutil.copytree(source, tmp_path / "others")
    for scan in source.rglob("*.png"):
        scan.touch()
    run(plan_run(source, tmp_path / "out", options, tmp_path / "metrics"))
    with pytest.raises(OptionError, match="may be another scan"):
        plan_run(source, tmp_path / "others", options, tmp_path / "metrics")
    Run.begin(plan_run(source, tmp_path / "second", options, tmp_path / "metrics"))
    write_scan(tmp_path / "second" / "a.png")  # of a run that was killed before its rows
    assert plan_run(source, tmp_path / "second", options, tmp_path / "metrics").jobs


def test_metrics_of_a_destination_that_has_gone_say_nothing_of_pages_of_another(
    source, options, tmp_path
):
    write_scan(tmp_path / "february" / "a.png", seed=3)
    for scans, place in ((source, "out"), (tmp_path / "february", "gone")):
        run(plan_run(scans, tmp_path / place, options, tmp_path / "metrics"))
    shutil.rmtree(tmp_path / "gone")
    assert plan_run(source, tmp_path / "out", options, tmp_path / "metrics").done == 2
    (tmp_path / "out").rename(tmp_path / "moved")
    assert plan_run(source, tmp_path / "moved", options, tmp_path / "metrics", ["box/b.png"]).done


@pytest.mark.parametrize("place", ["a.png", "."])
def test_a_single_page_and_its_scan_the_wrong_way_round_are_refused(
    source, options, tmp_path, place
):
    scan, page = source / "a.png", tmp_path / "pages" / "a.png"
    before = scan.read_bytes()
    for _ in range(2):  # the second time it is the run's own output
        run(plan_run(scan, page, options))
    with pytest.raises(OptionError, match=r"a\.png is there already, and may be another scan"):
        plan_run(page, source / place, options)
    assert scan.read_bytes() == before
    assert plan_run(page, source / place, replace(options, force=True)).jobs


def test_a_single_document_goes_into_no_folder_of_scans_of_its_name(source, options, tmp_path):
    other = write_scan(tmp_path / "elsewhere" / "a.png", seed=3)
    (source / "a.png").touch()
    with pytest.raises(OptionError, match=r"a\.png is there already, and may be another scan"):
        plan_run(other, source, options)


def test_names_that_the_disk_of_the_outputs_takes_for_the_same_are_refused(
    source, options, tmp_path, monkeypatch
):
    write_scan(source / "A.PNG", seed=3)
    assert len(plan_run(source, tmp_path / "out", options).jobs) == 3
    monkeypatch.setattr(conflicts, "folds_names", lambda folder: True)
    with pytest.raises(OptionError, match=r"A\.PNG and .*a\.png would both become"):
        plan_run(source, tmp_path / "out", options)


def test_this_disk_tells_names_apart_by_case(tmp_path):
    (tmp_path / "x").touch()
    assert conflicts.folds_names(tmp_path) == (tmp_path / "X").exists()


def test_names_that_rows_could_not_tell_apart_are_refused(source, options, tmp_path):
    try:
        (source / os.fsdecode(b"\xff.png")).touch()
    except OSError:
        pytest.skip("this disk takes no such names")
    (source / "\\xff.png").touch()
    with pytest.raises(OptionError, match="would both become"):
        plan_run(source, tmp_path / "out", options)


def test_a_disk_is_no_object_store(source, tmp_path):
    pytest.importorskip("fsspec", reason="pip install '.[s3]'")
    places = Path(f"file://{source}"), Path(f"file://{tmp_path / 'out'}")
    with pytest.raises(OptionError, match="lies on a disk"), staged(*places):
        pass


@pytest.mark.parametrize("places", [("s3://a/scans", "out"), ("scans", "s3://a/out")])
def test_an_object_store_is_refused_where_only_files_are_known_with_the_way_out(
    source, options, tmp_path, monkeypatch, places
):
    monkeypatch.chdir(tmp_path)
    stored, destination = map(Path, places)
    with pytest.raises(OptionError, match=r"s3://a/\w+ lies in an object store.*cron.*mount"):
        plan_run(stored, destination, options)
