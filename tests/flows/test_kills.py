"""Killed at any moment, runs lose nothing and leave nothing.

`pytest tests/flows/test_kills.py --kills 300` takes its time.
"""

import os
import random
import signal
import time

import pytest
from folders import check_done, check_whole, hashes, write_documents


@pytest.fixture
def kills(pytestconfig: pytest.Config) -> int:
    """How many, of each command."""
    return pytestconfig.getoption("--kills")


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("command", ["clean", "watch"])
def test_a_run_that_is_killed_at_any_moment_loses_nothing(
    command, kills, commands, tiny_model, tmp_path
):
    source, out = write_documents(tmp_path / "scans"), tmp_path / "out"
    (tmp_path / "temporary").mkdir()
    how = {"log": tmp_path / "log", "TMPDIR": str(tmp_path / "temporary")}
    model = ["--model", tiny_model, "--device", "cpu", "--precision", "fp32", "--jobs", "2"]
    model += ["--max-failures", "100%"]
    originals, began = hashes(source), time.monotonic()
    assert commands.run("clean", source, tmp_path / "undisturbed", *model, **how) == 2
    takes, expected = time.monotonic() - began, hashes(tmp_path / "undisturbed")
    watching = ["--every", "0.05", "--settle", "0"] if command == "watch" else []
    random.seed(0)
    killed = 0
    while killed < kills:
        again = ["--force"] if killed % 4 else []
        run = commands.begin(command, source, out, *model, *watching, *again, **how)
        time.sleep(random.uniform(0, takes))
        os.kill(run, signal.SIGKILL)
        in_time = commands.wait(run) == -signal.SIGKILL
        killed += in_time
        if command == "clean":  # other work on the machine comes and goes; a watch has no end
            takes *= 1.05 if in_time else 0.8
        assert hashes(source) == originals
        if out.exists():
            check_whole(out)
    assert commands.run("clean", source, out, *model, **how) == 2
    check_done(out, expected, tmp_path / "temporary")
    assert hashes(source) == originals
    assert "defect" not in how["log"].read_text()
