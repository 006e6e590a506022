"""Messages never stop, change or fail the work, whatever becomes of the streams."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from reported import row, write_run
from scans import write_scan

from pagewash.flows.cli import main
from pagewash.flows.streams import Unfailing
from pagewash.measuring.records import read_records


@pytest.fixture
def command(tmp_path: Path, tiny_model: Path) -> str:
    """Clean three scans, as a shell's words."""
    for number in range(3):
        write_scan(tmp_path / "scans" / f"{number}.png", seed=number)
    (tmp_path / "scans" / "broken.png").write_bytes(b"no image, so that there is a message")
    model = f"--model {tiny_model} --device cpu --precision fp32"
    return f"{sys.executable} -m pagewash.flows.cli clean {tmp_path}/scans {tmp_path}/out {model}"


def shell(line: str, **keywords) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["bash", "-c", line], capture_output=True, timeout=120, check=False, **keywords
    )


SLOW = ["2>&-", ">&-", ">&- 2>&-", "2>/dev/full", ">/dev/full", "2> >(true)"]


@pytest.mark.parametrize(
    "streams",
    [
        "0<&- >&- 2>&-",
        "> >(true) 2> >(true)",
        *(pytest.param(each, marks=pytest.mark.slow) for each in SLOW),
    ],
)
def test_the_work_is_done_and_its_exit_code_stands_whatever_becomes_of_the_streams(
    command, streams, tmp_path
):
    assert shell(f"{command} {streams}").returncode == 2  # that of the broken document
    assert len(list((tmp_path / "out").glob("*.png"))) == 3
    assert len(read_records(tmp_path / "out")) == 4
    for path in (tmp_path / "out").glob("*.png"):
        Image.open(path).verify()


def test_a_reader_that_has_seen_enough_is_no_error_and_a_full_disk_is_one(tmp_path):
    write_run(tmp_path, [row("a.png")])
    metrics = f"{sys.executable} -m pagewash.flows.cli metrics {tmp_path}/out"
    ran = shell(f"{metrics} | true; echo ${{PIPESTATUS[0]}}")
    assert (ran.stdout, ran.stderr) == (b"0\n", b"")
    ran = shell(f"{metrics} > /dev/full")
    assert (ran.returncode, b"No space left" in ran.stderr) == (5, True)


def test_a_document_that_cannot_be_given_away_is_an_error(
    tmp_path, tiny_model, monkeypatch, capsys
):
    write_scan(tmp_path / "a.png")
    line = (
        f"{sys.executable} -m pagewash.flows.cli clean {tmp_path}/a.png - -q --model {tiny_model}"
    )
    assert shell(f"{line} | true; echo ${{PIPESTATUS[0]}}").stdout == b"5\n"
    for name, places in (
        ("stdout", [str(tmp_path / "a.png"), "-"]),
        ("stdin", ["-", str(tmp_path / "b.png")]),
    ):
        with monkeypatch.context() as closed:
            closed.setattr(sys, name, None)
            assert main(["clean", *places, "--model", str(tiny_model)]) == 5
        assert "is closed; name a file in place of -" in capsys.readouterr().err


def test_a_terminal_that_is_stopped_or_a_pipe_that_nobody_reads_does_not_stop_the_work(
    commands, command, tmp_path
):
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    while True:
        try:
            os.write(writing, bytes(4096))
        except BlockingIOError:
            break
    os.set_blocking(writing, True)
    words = command.partition("pagewash.flows.cli")[2].split()
    with Path(os.devnull).open("r+b") as nothing:
        streams = (nothing.fileno(), nothing.fileno(), writing)
        assert commands.wait(commands.begin_on(streams, *words)) == 2
    assert len(list((tmp_path / "out").glob("*.png"))) == 3
    os.close(reading)
    os.close(writing)


def test_what_is_written_arrives_in_pieces_and_odd_characters_are_told():
    reading, writing = os.pipe()
    with os.fdopen(writing, "w", encoding="ascii") as stream:
        Unfailing(stream).write("é\udcff" + "x" * 10_000)
    with os.fdopen(reading, "rb") as file:
        assert file.read() == b"\\xe9\\udcff" + b"x" * 10_000


@pytest.mark.slow
def test_nohup_keeps_a_run_at_work(command, tmp_path):
    line = f"trap '' HUP; {command} & pid=$!; sleep 2; kill -HUP $pid; wait $pid"
    assert shell(line).returncode == 2
    assert len(list((tmp_path / "out").glob("*.png"))) == 3
