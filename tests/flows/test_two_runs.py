"""Two commands at once on the same places: one at a time writes, and rows tell the truth."""

import os
import signal
import time
from contextlib import suppress
from itertools import combinations_with_replacement
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scans import scan, write_scan

from pagewash.measuring.records import read_records
from pagewash.measuring.summary import latest
from pagewash.options import RunOptions

HELD = 75

NAMES = [f"{number}.png" for number in range(6)]


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    for seed, name in enumerate(NAMES):
        write_scan(tmp_path / "scans" / name, seed=seed)
        tinted = np.dstack([scan(seed), scan(seed), scan(seed) // 2])
        Image.fromarray(tinted).save(tmp_path / "scans" / name)
    return tmp_path / "scans"


OTHERS = ("clean in grey", "clean one", "clean and wait", "watch", "metrics", "report")
PAIRS = list(combinations_with_replacement(("clean", *OTHERS), 2))


def words(command: str, scans: Path, out: Path, model: Path) -> list[object]:
    """A command that meets the others at their destination."""
    options = ["--model", model, "--device", "cpu", "--precision", "fp32", "--jobs", "1"]
    return {
        "clean": ["clean", scans, out, "--force", *options],
        "clean in grey": ["clean", scans, out, "--force", "--color", "gray", *options],
        "clean one": ["clean", scans / NAMES[3], out / NAMES[3], "--color", "gray", *options],
        "clean and wait": ["clean", scans, out, "--force", "--wait", *options],
        "watch": ["watch", scans, out, "--every", "0.05", "--settle", "0", *options],
        "metrics": ["metrics", out],
        "report": ["report", out, "--out", out.parent / "report.html"],
    }[command]


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(
            *pair,
            marks=[]
            if pair in (("clean", "clean in grey"), ("clean", "watch"))
            else pytest.mark.slow,
        )
        for pair in PAIRS
    ],
)
def test_of_two_commands_at_once_one_at_a_time_writes(
    commands, one, other, scans, tiny_model, tmp_path
):
    out, log = tmp_path / "out", tmp_path / "log"
    assert commands.run(*words("clean", scans, out, tiny_model), log=log) == 0
    begun = []
    for command in (one, other):
        begun.append((command, commands.begin(*words(command, scans, out, tiny_model), log=log)))
        time.sleep(0.05)
    ended = {"watch": 2.0} if "watch" in (one, other) else {}
    time.sleep(sum(ended.values()))
    codes = []
    for command, process in begun:
        if command == "watch":
            end_watch(process)
        codes.append((command, commands.wait(process)))
    for command, code in codes:
        writes = command not in ("metrics", "report", "clean and wait")
        assert code in ((0, HELD) if writes else (0,)), (codes, log.read_text())
    writing = [code for command, code in codes if command not in ("metrics", "report")]
    assert not writing or 0 in writing
    check_rows(out, singly="clean one" in (one, other))
    assert not list(out.rglob(".*"))
    assert "defect" not in log.read_text()


def end_watch(process: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGTERM)


def check_rows(out: Path, *, singly: bool) -> None:
    """A page has one row a run, and the last one says how its output was made."""
    table = read_records(out)
    rows = table.to_pylist()
    seen = [(row["run_id"], row["source"], row["page"]) for row in rows]
    assert len(seen) == len(set(seen))
    last = {row["source"]: row for row in latest(table).to_pylist()}
    assert sorted(last) == NAMES
    for name, row in last.items():
        with Image.open(out / name) as page:
            page.load()
            if not (singly and name == NAMES[3]):  # a single file without --metrics has no row
                made = RunOptions(precision="fp32", color="gray" if page.mode == "L" else "keep")
                assert row["options_hash"] == made.fingerprint
