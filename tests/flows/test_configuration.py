"""Options from a file and from the environment, and the commands that only tell."""

import io
import json
import os
import signal

import pytest
from reported import HOW, write_run
from scans import write_scan

from pagewash.flows.cli import main
from pagewash.flows.console import explain, stopping
from pagewash.measuring.records import PageRecord


def cleaned_with(monkeypatch, *arguments: str):
    """The options that `pagewash clean` would clean with."""
    from pagewash.flows import cli

    seen = []
    monkeypatch.setattr(cli, "_say_plan", lambda *given: seen.append(given[2]) or 0)
    assert main(["clean", "scans", "cleaned", "--dry-run", *arguments]) == 0
    return seen[0]


def test_options_come_from_a_file_the_environment_and_the_command_line_which_goes_first(
    tmp_path, monkeypatch
):
    file = tmp_path / "pagewash.toml"
    file.write_text('[clean]\ncolor = "gray"\njobs = 3\nformat = "pdf"\n')
    monkeypatch.setenv("PAGEWASH_CLEAN_PRECISION", "fp32")
    monkeypatch.setenv("PAGEWASH_CLEAN_JOBS", "2")
    options = cleaned_with(monkeypatch, "--config", str(file), "--format", "png")
    assert (options.color, options.jobs) == ("gray", 2)
    assert (options.precision, options.format) == ("fp32", "png")
    assert cleaned_with(monkeypatch).color == "keep"  # the file was that call's alone


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        (None, 5, "pagewash.toml"),
        ("[clean\n", 2, "is not TOML"),
        ("[clean]\nclor = 'gray'\n", 1, "clor"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path, capsys, content, code, message):
    file = tmp_path / "pagewash.toml"
    if content is not None:
        file.write_text(content)
    assert main(["clean", "scans", "cleaned", f"--config={file}"]) == code
    said = capsys.readouterr()
    assert message in said.err + said.out


def test_config_without_a_file_is_refused(capsys):
    assert main(["clean", "scans", "cleaned", "--config"]) == 1
    assert "--config wants a file" in capsys.readouterr().err


def test_a_dry_run_shows_names_that_could_command_a_terminal_or_look_like_markup(tmp_path, capsys):
    for name in ("a\x1b[31mred.png", "[/b].png"):
        write_scan(tmp_path / "scans" / name)
    assert main(["clean", str(tmp_path / "scans"), str(tmp_path / "out"), "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert r"a\x1b[31mred.png" in shown
    assert "[/b].png" in shown
    assert "\x1b" not in shown


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(folders, capsys):
    assert main(["clean", *map(str, folders), "--dry-run"]) == 0
    said = capsys.readouterr()
    assert said.out.count(" -> ") == 3
    assert "3 to be cleaned, 0 clean already; nothing was done" in said.err
    assert not folders[1].exists()


def test_metrics_are_printed_as_json_too(tmp_path, capsys):
    out = write_run(tmp_path, [PageRecord(HOW, "a.png", "failed", message="a.png is empty")])
    assert main(["metrics", str(out), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["statuses"]["failed"] == summary["documents"] == 1
    assert summary["worst"][0]["message"] == "a.png is empty"


def test_every_command_shows_an_example_and_they_stand_in_order_of_use(capsys):
    assert main(["--help"]) == 0
    said = capsys.readouterr().out
    names = ("clean", "report", "metrics", "watch", "serve", "evaluate", "train", "bench")
    places = [said.index(f" {name} ") for name in names]
    assert places == sorted(places)
    for name in names:
        assert main([name, "--help"]) == 0
        assert f"pagewash {name} " in capsys.readouterr().out.split("Example:")[1]


def test_the_version_has_a_short_flag(capsys):
    assert main(["-V"]) == 0
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize(
    "content", ["[claen]\ncolor = 'gray'\n", "color = 'gray'\n", "clean = 1\n"]
)
def test_what_stands_in_no_table_of_a_command_is_refused(tmp_path, capsys, content):
    file = tmp_path / "pagewash.toml"
    file.write_text(content)
    assert main(["clean", "scans", "cleaned", f"--config={file}"]) == 1
    assert "is no table of a command" in capsys.readouterr().err


def test_results_can_be_written_to_a_stream_that_knows_few_letters(tmp_path, capsysbinary):
    write_scan(tmp_path / "scans" / "Größe.png")
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", stream)
        assert main(["clean", str(tmp_path / "scans"), str(tmp_path / "out"), "--dry-run"]) == 0
    stream.flush()
    assert b"Gr\\xf6\\xdfe.png" in stream.buffer.getvalue()


def test_a_missing_library_is_not_called_a_missing_package():
    broken = ImportError("libGL.so.1: cannot open shared object file", name="cv2")
    assert "libGL.so.1" in explain(broken)
    assert "pip" not in explain(broken)
    assert "pip install" in explain(ModuleNotFoundError("No module named 'cv2'", name="cv2"))


def test_ctrl_c_stops_nothing_that_a_script_has_put_into_the_background():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stopping() as stop:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGTERM)
            assert stop.wait(5)  # once, by SIGTERM: a second signal would raise
    finally:
        signal.signal(signal.SIGINT, before)
