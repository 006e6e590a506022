"""Disks that fill up, break or go away while a run writes to them: nothing is lost.

A library that is loaded before all others lets the system's calls fail. `--faults 20` tries each
kind twenty times, at random moments.
"""

import errno
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import Commands, serve_commands
from folders import check_done, check_whole, hashes, write_documents

SOURCE = Path(__file__).parents[1] / "faults.c"

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not shutil.which("cc"), reason="needs Linux and a C compiler"
)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("faults") / "faults.so"
    command = ["cc", "-O1", "-shared", "-fPIC", "-o", path, SOURCE, "-ldl"]
    subprocess.run(command, check=True)
    return path


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def commands(library: Path, temporary: Path) -> Iterator[Commands]:
    with serve_commands(LD_PRELOAD=str(library), TMPDIR=str(temporary)) as commands:
        yield commands


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_documents(tmp_path_factory.mktemp("scans") / "scans")


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> list[object]:
    arithmetic = ["--device", "cpu", "--precision", "fp32"]
    return ["--model", tiny_model, *arithmetic, "--jobs", "2", "--max-failures", "100%"]


@pytest.fixture(scope="module")
def expected(commands, scans, model, tmp_path_factory) -> dict[str, str]:
    """What a run gives that nothing happens to."""
    folder = tmp_path_factory.mktemp("undisturbed")
    assert commands.run("clean", scans, folder / "out", *model, log=folder / "log") == 2
    return hashes(folder / "out")


CALLS = {  # the first error of each is tried every time, the others with -m "slow or not slow"
    "write": (errno.ENOSPC, errno.EIO, errno.EROFS, errno.ESTALE),
    "fsync": (errno.EIO, errno.ENOSPC),
    "rename": (errno.EROFS, errno.EIO, errno.ENOSPC, errno.ENOENT),
}
KINDS = [
    pytest.param(
        call,
        number,
        where,
        id=f"{errno.errorcode[number]} at {call} in {where[1:]}",
        marks=[pytest.mark.slow] if number != numbers[0] else [],
    )
    for call, numbers in CALLS.items()
    for number in numbers
    for where in ("/out/", "/metrics/", "/pagewash-work-")
    if call == "write" or where != "/pagewash-work-"  # nothing is flushed or renamed there
]


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("call", "number", "where"), KINDS)
def test_a_disk_that_fails_costs_nothing_that_was_there_and_the_next_run_does_the_rest(
    commands, scans, model, expected, temporary, tmp_path, pytestconfig, call, number, where
):
    originals = hashes(scans)
    random.seed(call + where + str(number))
    for trial in range(pytestconfig.getoption("--faults")):
        out, log, struck = (tmp_path / str(trial) / name for name in ("out", "log", "struck"))
        out.parent.mkdir()
        fault = {
            "FAULT_CALL": call,
            "FAULT_ERRNO": str(number),
            "FAULT_WHERE": where,
            "FAULT_AFTER": str(random.randrange(30) if trial else int(where == "/out/")),
            "FAULT_LOG": str(struck),
        }
        code = commands.run("clean", scans, out, *model, log=log, **fault)
        if struck.exists():
            assert code == 5, log.read_text()
        assert "defect" not in log.read_text()
        assert hashes(scans) == originals
        assert hashes(out).items() <= expected.items()
        check_whole(out)
        assert commands.run("clean", scans, out, *model, log=log) == 2
        check_done(out, expected, temporary)
    assert trial or struck.exists()


@pytest.mark.skipif(not shutil.which("unshare"), reason="mounts of one's own are Linux's")
def test_a_temporary_folder_that_is_full_costs_the_documents_that_need_it(
    scans, model, expected, tmp_path
):
    """A real one: PDFs are put together there, by a library of its own."""
    (tmp_path / "small").mkdir()
    fill = 'mount -t tmpfs -o size=64k none "$TMPDIR" || exit 77; exec "$@"'
    command = [sys.executable, "-m", "pagewash.flows.cli", "clean", scans, tmp_path / "out", *model]
    ran = subprocess.run(
        ["unshare", "-rm", "sh", "-c", fill, "sh", *map(str, command)],
        env=os.environ | {"TMPDIR": str(tmp_path / "small")},
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode == 77 or "unshare" in ran.stderr:
        pytest.skip("this machine lets nobody mount")
    assert ran.returncode == 5
    assert "Free some space" in ran.stderr
    others = {name: value for name, value in expected.items() if not name.endswith(".pdf")}
    assert hashes(tmp_path / "out") == others
