"""What runs as a Prefect flow, and what cannot: a flow is given text alone."""

import os
from pathlib import Path

import pytest
from scans import write_scan

from pagewash.errors import OptionError
from pagewash.flows.as_flow import runs_as_flow
from pagewash.flows.cli import main


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A folder of one scan, with a name from an old disk."""
    folder = tmp_path / os.fsdecode(b"B\xfccher")
    try:
        write_scan(tmp_path / "0.png")
        folder.mkdir()
    except OSError:
        pytest.skip("this file system takes Unicode names alone")
    (tmp_path / "0.png").rename(folder / "0.png")
    return folder


@pytest.fixture
def api(monkeypatch) -> None:
    """A server is set; nobody answers there, so that a flow would fail."""
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")


@pytest.fixture
def quick(tiny_model) -> list[str]:
    return ["--model", str(tiny_model), "--device", "cpu", "--precision", "fp32"]


@pytest.mark.usefixtures("api")
def test_a_folder_whose_name_is_no_text_is_cleaned_without_a_flow_where_none_was_asked_for(
    odd, quick, tmp_path
):
    assert main(["clean", str(odd), str(tmp_path / "out"), *quick]) == 0
    assert (tmp_path / "out" / "0.png").is_file()


@pytest.mark.parametrize(
    ("command", "asked"),
    [("clean", ["--flow"]), ("clean", ["--cluster", "local"]), ("watch", ["--flow"])],
)
def test_a_flow_that_was_asked_for_and_cannot_be_told_is_refused_with_the_way_out(
    odd, quick, tmp_path, capsys, command, asked
):
    for places in ((odd, tmp_path / "out"), (tmp_path, tmp_path.parent / odd.name)):
        assert main([command, *map(str, places), *quick, *asked]) == 1
        said = capsys.readouterr().err
        assert "\\xfccher is not UTF-8" in said
        assert "rename it, or leave out --flow" in said


def test_a_schedule_and_a_training_are_refused_as_well(odd, quick, tmp_path, capsys):
    pages = tmp_path / "pages"
    write_scan(pages / "0.png")
    serve = ["serve", str(odd), str(tmp_path / "out"), "--cron", "0 2 * * *", *quick]
    assert main(serve) == 1
    assert "have cron run 'pagewash clean'" in capsys.readouterr().err
    assert main(["train", str(odd / "run"), "--clean", str(pages), "--flow"]) == 1
    assert "leave out --flow" in capsys.readouterr().err


def test_what_the_options_name_counts_too(odd, api):
    given = [Path("scans"), None]
    assert runs_as_flow(None, given, None)
    assert not runs_as_flow(None, [*given, odd / "marks.csv"], None)
    assert not runs_as_flow(False, given, "local")
    with pytest.raises(OptionError, match="is not UTF-8"):
        runs_as_flow(True, [*given, odd / "model.safetensors"], None)
