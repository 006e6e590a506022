"""One run at a time holds a destination: others are told who, or wait."""

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from scans import write_scan

from pagewash import locks
from pagewash.errors import AccessError, HeldError, OptionError
from pagewash.options import RunOptions
from pagewash.runs import holding
from pagewash.runs.holding import LOCK, hold, planned_run

HOLDS = """
import sys, time
from pathlib import Path
from pagewash.options import RunOptions
from pagewash.runs.holding import hold
with hold(Path(sys.argv[1]), Path(sys.argv[2]), RunOptions()):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    write_scan(tmp_path / "scans" / "a.png")
    return tmp_path / "scans", tmp_path / "out"


@pytest.fixture
def holder(places):
    """Another process that holds the destination."""
    command = [sys.executable, "-c", HOLDS, *map(str, places)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def held(source: Path, destination: Path, **options) -> bool:
    try:
        with hold(source, destination, RunOptions(**options)):
            return False
    except HeldError:
        return True


def test_the_second_run_is_told_who_holds_the_destination(places, holder):
    with (
        pytest.raises(HeldError, match=rf"process {holder.pid} on .*--wait"),
        hold(places[0], places[1], RunOptions()),
    ):
        pass
    assert HeldError.exit_code == 75


def test_a_killed_run_holds_nothing(places, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (places[1] / LOCK).exists()
    assert not held(*places)
    assert list(places[1].iterdir()) == []


def test_a_run_that_waits_begins_when_the_other_has_ended(places, holder, caplog):
    threading.Timer(0.7, holder.kill).start()
    assert not held(*places, wait=True)
    assert "Waiting for it" in caplog.text
    assert holder.wait() == -signal.SIGKILL


def test_a_run_that_waits_can_be_told_to_stop(places, holder):
    stop = threading.Event()
    stop.set()
    with (
        pytest.raises(KeyboardInterrupt),
        hold(places[0], places[1], RunOptions(wait=True), stop=stop),
    ):
        pass


def test_nothing_of_a_lock_is_left_nor_of_a_folder_that_stayed_empty(places, tmp_path):
    with hold(places[0], tmp_path / "new" / "out", RunOptions()):
        assert (tmp_path / "new" / "out" / LOCK).exists()
    assert not (tmp_path / "new").exists()
    places[1].mkdir()
    with hold(places[0], places[1], RunOptions()):
        pass
    assert list(places[1].iterdir()) == []


def test_single_files_are_written_side_by_side_but_not_with_a_run_over_their_folder(places):
    source, out = places
    page = source / "a.png"
    with hold(page, out / "a.png", RunOptions()):
        threads = [
            in_a_thread(lambda p=path: held(page, p))
            for path in (out / "b.png", out / "a.png", out)
        ]
        assert threads == [False, True, True]
        assert in_a_thread(lambda: held(source, out))
    with hold(source, out, RunOptions()):
        assert in_a_thread(lambda: held(page, out / "b.png"))
    assert not out.exists()


@pytest.mark.parametrize(("first", "then"), [("out", "out/box"), ("out/box", "out")])
def test_destinations_that_lie_in_each_other_are_one(places, tmp_path, first, then):
    source = places[0]
    with hold(source, tmp_path / first, RunOptions()):
        assert in_a_thread(lambda: held(source, tmp_path / then))
        single = in_a_thread(lambda: held(source / "a.png", tmp_path / then / "a.png"))
        assert single == (first == "out")
        assert not in_a_thread(lambda: held(source, tmp_path / "other"))
    assert not held(source, tmp_path / then)
    assert not (tmp_path / "out").exists()


def test_a_run_waits_for_one_inside_its_destination(places, tmp_path):
    begun = threading.Event()

    def inside():
        with hold(places[0], tmp_path / "out" / "box", RunOptions()):
            begun.set()
            time.sleep(0.3)

    thread = threading.Thread(target=inside)
    thread.start()
    begun.wait()
    assert not held(places[0], tmp_path / "out", wait=True)
    thread.join()


def in_a_thread(ask):
    """Ask as another run of this process would."""
    answers = []
    thread = threading.Thread(target=lambda: answers.append(ask()))
    thread.start()
    thread.join()
    return answers[0]


def test_who_holds_a_destination_may_begin_runs_in_it(places, tiny_model):
    options = RunOptions(model=str(tiny_model))
    with hold(places[0], places[1], options), planned_run(places[0], places[1], options) as plan:
        assert len(plan.jobs) == 1


def test_a_destination_in_which_the_source_appears_is_refused(places, tmp_path, monkeypatch):
    (tmp_path / "mount").symlink_to(places[0])
    monkeypatch.setattr(holding, "real_path", lambda path: path.absolute())
    with (
        pytest.raises(OptionError, match="under another name"),
        hold(places[0], tmp_path / "mount", RunOptions()),
    ):
        pass
    assert [path.name for path in places[0].iterdir()] == ["a.png"]


def test_a_disk_without_locks_says_so_and_the_run_goes_on(places, caplog, monkeypatch):
    def no_locks(*arguments):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    assert not held(*places)
    assert "knows no locks; do not let two runs write there at once" in caplog.text


def test_a_share_whose_locks_other_machines_do_not_see_says_so(
    places, caplog, monkeypatch, tmp_path
):
    device = tmp_path.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    mounts = tmp_path / "mountinfo"
    line = "36 35 {} / /mnt rw,noatime shared:1 - nfs server:/scans rw,vers=3,{}\n"
    for option, seen in (("local_lock=all", False), ("local_lock=none", True)):
        mounts.write_text(line.format(number, option))
        monkeypatch.setattr(locks, "_MOUNTS", mounts)
        caplog.clear()
        assert not held(*places)
        assert ("other machines do not see" not in caplog.text) == seen


def test_a_lock_that_another_user_left_is_no_hindrance(places, monkeypatch):
    places[1].mkdir()
    (places[1] / LOCK).write_text(json.dumps({"process": 1}))
    opened, refused = holding._open_no_link, []

    def theirs(path, flags):
        if flags & os.O_RDWR and Path(path).exists():
            refused.append(path)
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(path, flags)

    monkeypatch.setattr(holding, "_open_no_link", theirs)
    assert not held(*places)
    assert refused


def test_of_many_that_come_at_once_one_is_at_work_at_a_time(places):
    at_work, most = [0], [0]
    counting = threading.Lock()

    def work():
        with hold(places[0], places[1], RunOptions(wait=True)):
            with counting:
                at_work[0] += 1
                most[0] = max(most[0], at_work[0])
            time.sleep(0.01)
            with counting:
                at_work[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert not list(places[1].glob("*"))


@pytest.mark.timeout(30)
def test_a_link_in_the_place_of_a_lock_is_refused_and_not_followed(places, tmp_path):
    source, destination = places
    destination.mkdir()
    (destination / LOCK).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AccessError, match="It is a link"), hold(source, destination, RunOptions()):
        pass
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.timeout(30)
def test_a_lock_that_another_user_left_is_shared_and_else_refused_at_once(places, monkeypatch):
    _, destination = places
    destination.mkdir()
    for folder in (destination, destination.parent):
        (folder / LOCK).touch()

    def open_for_reading(path):
        return path.open("rb")

    def keep(path, missing_ok=False):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(holding, "_open", open_for_reading)
    monkeypatch.setattr(Path, "unlink", keep)
    holding._take(destination.parent / LOCK, shared=True).close()
    with pytest.raises(AccessError, match="Operation not permitted"):
        holding._take(destination / LOCK, shared=False)
