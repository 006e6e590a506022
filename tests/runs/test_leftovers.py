"""What killed runs left is removed at once, and what others are at work on is not."""

import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from pagewash import locks
from pagewash.files import whole_file
from pagewash.leftovers import clear_leftovers, clear_working_folders, working_folder

KILLED = """
import os, signal, sys
from pathlib import Path
from pagewash.files import whole_file
from pagewash.leftovers import working_folder
with working_folder() as folder, whole_file(Path(sys.argv[1])) as file:
    (folder / "page").write_bytes(b"a page image")
    file.write(b"half of")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def kill_a_writer(path: Path) -> None:
    child = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert child.returncode == -signal.SIGKILL


@pytest.fixture
def temporary(tmp_path, monkeypatch) -> Path:
    """The temporary folder, of this process and its children."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


def test_what_a_killed_writer_left_is_removed_and_nothing_else(tmp_path, temporary):
    run = tmp_path / "out" / "metrics" / "date=2026-01-01" / "run=1"
    kill_a_writer(run / "part-0.parquet")
    kill_a_writer(tmp_path / "out" / "a.png")
    assert len(list(tmp_path.rglob(".pagewash-*.part"))) == 2
    assert len(list(temporary.glob("*/page"))) == 2
    names = ("c.part", ".pagewash.part", ".pagewash-mine.part", ".pagewash-0123456789abcdef.tif")
    others = {tmp_path / "out" / name for name in names}
    for other in others:
        other.touch()
    with whole_file(tmp_path / "out" / "b.png"), working_folder() as mine:
        (at_work,) = set(tmp_path.glob("out/.pagewash-*.part")) - others - set(left(tmp_path))
        clear_leftovers(tmp_path / "out")
        clear_working_folders()
        assert set((tmp_path / "out").iterdir()) == {at_work, *others, tmp_path / "out" / "metrics"}
        assert set(temporary.iterdir()) == {mine, mine.with_name(f"{mine.name}.lock")}
    assert not run.exists()
    assert not list(temporary.iterdir())
    assert (tmp_path / "out" / "b.png").exists()


def left(folder: Path) -> list[Path]:
    """Temporary files that nobody has a lock on."""
    found = []
    for path in folder.rglob(".pagewash-*.part"):
        with path.open("r+b") as file:
            if locks.take(file):
                found.append(path)
    return found


def test_hidden_folders_and_links_are_not_looked_into(tmp_path):
    for folder in (tmp_path / "out" / ".hidden", tmp_path / "elsewhere"):
        folder.mkdir(parents=True)
        (folder / ".pagewash-0123456789abcdef.part").touch()
    (tmp_path / "out" / "link").symlink_to(tmp_path / "elsewhere")
    clear_leftovers(tmp_path / "out")
    assert len(list(tmp_path.rglob(".pagewash-*.part"))) == 2
    clear_leftovers(tmp_path / "elsewhere", below=False)
    assert len(list(tmp_path.rglob(".pagewash-*.part"))) == 1
    clear_leftovers(tmp_path / "none")


def test_where_a_disk_knows_no_locks_age_tells(tmp_path, temporary, monkeypatch):
    def no_locks(*arguments):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    old, young = (tmp_path / f".pagewash-{number:016x}.part" for number in range(2))
    for path, hours in ((old, 25), (young, 23)):
        path.touch()
        os.utime(path, (time.time() - hours * 3600,) * 2)
    with whole_file(tmp_path / "a.png"), working_folder():
        clear_leftovers(tmp_path)
        clear_working_folders()
        assert young.exists()
        assert not old.exists()
        assert len(list(temporary.iterdir())) == 2
    assert (tmp_path / "a.png").exists()


@pytest.mark.parametrize("taken", ["it was removed", "it is being looked at"])
def test_a_file_that_is_taken_for_a_leftover_before_it_is_locked_is_begun_again(
    tmp_path, monkeypatch, taken
):
    take, once = locks.take, []

    def meddle(file, **how):
        if not once:
            once.append(file.name)
            if taken == "it was removed":
                Path(file.name).unlink()
            else:
                return False
        return take(file, **how)

    monkeypatch.setattr(locks, "take", meddle)
    with whole_file(tmp_path / "a.png") as file:
        file.write(b"whole")
        assert file.name != once[0]
    assert (tmp_path / "a.png").read_bytes() == b"whole"


def test_a_working_folder_of_another_user_is_left_alone(temporary, monkeypatch):
    (temporary / "pagewash-work-theirs").mkdir()
    monkeypatch.setattr("pagewash.leftovers.os.getuid", lambda: os.geteuid() + 1)
    clear_working_folders()
    assert (temporary / "pagewash-work-theirs").exists()


def test_a_link_by_the_name_of_a_working_folder_is_left_alone(temporary, tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "page").touch()
    (temporary / "pagewash-work-link").symlink_to(tmp_path / "precious")
    clear_working_folders()
    assert (temporary / "pagewash-work-link").is_symlink()
    assert (tmp_path / "precious" / "page").exists()


@pytest.mark.parametrize("name", ["pagewash-work-0123456789abcdef", "pagewash-work-01.lock"])
def test_what_was_killed_while_it_made_or_removed_a_working_folder_is_removed(temporary, name):
    if name.endswith(".lock"):
        (temporary / name).touch()
    else:
        (temporary / name).mkdir()
        (temporary / name / "page").touch()
    clear_working_folders()
    assert not list(temporary.iterdir())


def test_what_goes_wrong_in_a_working_folder_is_told(temporary):
    with pytest.raises(FileNotFoundError), working_folder() as folder:
        (folder / "none").read_bytes()
    assert not list(temporary.iterdir())


@pytest.mark.parametrize(
    ("scan", "copy"), [(0o600, 0o600), (0o640, 0o640), (0o444, 0o644), (0o666, 0o644)]
)
def test_a_copy_is_no_more_readable_than_its_source(tmp_path, scan, copy):
    umask = os.umask(0o022)
    try:
        (tmp_path / "scan").touch()
        (tmp_path / "scan").chmod(scan)
        with whole_file(tmp_path / "copy", [tmp_path / "scan"]):
            (hidden,) = tmp_path.glob(".pagewash*")
            assert hidden.stat().st_mode & 0o777 == copy
        assert (tmp_path / "copy").stat().st_mode & 0o777 == copy
    finally:
        os.umask(umask)


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files to other groups")
def test_where_the_copy_belongs_to_another_group_that_group_is_everybody(tmp_path):
    (tmp_path / "scan").touch()
    (tmp_path / "scan").chmod(0o640)
    os.chown(tmp_path / "scan", -1, 12345)
    with whole_file(tmp_path / "copy", [tmp_path / "scan"]):
        pass
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o600


def test_a_working_folder_is_its_users_alone(temporary):
    with working_folder() as folder:
        assert folder.stat().st_mode & 0o077 == 0
