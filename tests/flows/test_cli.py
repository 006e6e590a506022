"""The command `pagewash`: exit codes, messages, standard input and output, and a quick --help."""

import io
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scans import scan, write_scan

from pagewash.flows.cli import main
from pagewash.measuring.records import read_records
from pagewash.options import CleanOptions, RunOptions


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """SRC with two scans, and DST."""
    for number in range(2):
        write_scan(tmp_path / "scans" / f"{number}.png", seed=number)
    return tmp_path / "scans", tmp_path / "out"


@pytest.fixture
def quick(tiny_model: Path) -> list[str]:
    """Options for a small network, here."""
    return ["--model", str(tiny_model), "--device", "cpu", "--precision", "fp32"]


def test_a_folder_is_cleaned_with_a_closing_summary(folders, quick, capsys):
    assert main(["clean", *map(str, folders), *quick]) == 0
    out, err = capsys.readouterr()
    assert "2 documents cleaned" in out
    assert "pages per second" in out
    assert "2/2" in err  # the progress bar
    assert out.count("\n") < 24
    assert len(read_records(folders[1])) == 2


def test_the_last_line_says_where_the_cleaned_files_are_and_what_comes_next(
    folders, quick, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    scans, out = folders[0], tmp_path / "cleaned pages"
    assert main(["clean", str(scans), str(out), *quick]) == 0
    last = " ".join(capsys.readouterr().out.split("Cleaned: ")[1].split())
    assert last == f"{out} (to look at: pagewash report '{out}')"
    assert main(["clean", str(scans), str(out), *quick, "--force", "--metrics", "rows"]) == 0
    assert "pagewash report rows)" in " ".join(capsys.readouterr().out.split())


def test_one_document_becomes_the_file_that_is_named(folders, quick, tmp_path, capsys):
    target = tmp_path / "new" / "out.tif"
    assert main(["clean", str(folders[0] / "0.png"), str(target), *quick]) == 0
    with Image.open(target) as image:
        assert (image.format, image.size) == ("TIFF", (90, 120))
    assert capsys.readouterr().out.replace("\n", "").endswith(f"Cleaned: {target}")
    assert list(tmp_path.rglob("*.parquet")) == []


def test_a_terminal_gets_no_document_and_sends_none(folders, quick):
    """As gzip has it."""
    for words, said in (
        ([folders[0] / "0.png", "-"], "not written to a terminal"),
        (["-", folders[1]], "standard input is a terminal"),
    ):
        command = [sys.executable, "-m", "pagewash.flows.cli", "clean", *words, *quick]
        code, shown = in_a_terminal([str(word) for word in command])
        assert code == 1
        assert said in " ".join(shown.split())


def in_a_terminal(command: list[str]) -> tuple[int, str]:
    """Exit code and screen of a command whose streams are all a real terminal."""
    ours, theirs = os.openpty()
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        code = process.wait()
    os.close(theirs)
    shown = os.read(ours, 4096)
    os.close(ours)
    return code, shown.decode(errors="replace")


def test_quiet_prints_nothing(folders, quick, capsys):
    assert main(["clean", *map(str, folders), *quick, "-q"]) == 0
    assert capsys.readouterr() == ("", "")


def test_the_same_command_again_says_that_nothing_is_to_do(folders, quick, capsys):
    main(["clean", *map(str, folders), *quick])
    capsys.readouterr()
    assert main(["clean", *map(str, folders), *quick]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "nothing to do: 2 documents are clean already" in err


def test_nothing_to_do_is_said_without_torch_or_prefect(folders, quick):
    main(["clean", *map(str, folders), *quick])
    arguments = ["clean", *map(str, folders), *quick]
    script = (
        f"import sys; from pagewash.flows.cli import main; code = main({arguments!r});"
        "sys.exit(code or bool({'torch', 'prefect'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["scans", "out", "--model", "bset"], 3, "no model 'bset'"),
        (["scans", "scans/out"], 1, "lies inside"),
        (["nowhere", "out"], 2, "nowhere is not there"),
        (["scans", "file/out"], 5, "cannot be written to"),
        (["scans", "out", "--pages", "3-1"], 1, "--pages '3-1'"),
        (["scans", "out", "--max-failures", "many"], 1, "--max-failures 'many'"),
        (["scans", "out", "--jobs", "-1"], 1, "--jobs"),
        (["scans", "out", "--color", "blue"], 1, "--color"),
        (["scans", "out", "--colour", "gray"], 1, "--colour"),
        (["scans"], 1, "DESTINATION"),
        (["scans", "-"], 1, "standard output takes one document"),
    ],
)
def test_what_cannot_work_is_told_with_its_exit_code(
    folders, quick, monkeypatch, capsys, arguments, code, message
):
    monkeypatch.chdir(folders[0].parent)
    Path("file").touch()
    rest = [] if "--model" in arguments else quick
    assert main(["clean", *arguments, *rest]) == code
    said = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert message in said
    assert not folders[1].exists()


def test_a_file_that_cannot_be_read_is_named_and_makes_the_exit_code_2(folders, quick, capsys):
    (folders[0] / "empty.tif").touch()
    assert main(["clean", *map(str, folders), *quick]) == 2
    out, err = capsys.readouterr()
    assert "empty.tif is empty (0 bytes)" in err
    assert "2 documents cleaned, 1 failed" in out


def test_metrics_sums_up_an_output_folder_and_a_run(folders, quick, capsys):
    (folders[0] / "empty.tif").touch()
    main(["clean", *map(str, folders), *quick, "-q"])
    capsys.readouterr()
    assert main(["metrics", str(folders[1])]) == 0
    whole = capsys.readouterr().out
    assert "3 documents, 3 pages" in whole
    assert "empty.tif" in whole
    run = next(folders[1].glob("metrics/date=*/run=*"))
    assert main(["metrics", str(run)]) == 0
    assert capsys.readouterr().out == whole
    assert main(["metrics", str(folders[0])]) == 5


def test_a_name_that_the_terminal_cannot_show_does_not_end_the_summary(commands, folders, quick):
    (folders[0] / "é.png").touch()
    done = commands.pipe("clean", *folders, *quick, PYTHONIOENCODING="ascii")
    assert done.returncode == 2, done.stderr
    assert rb"\xe9.png" in done.stdout
    done = commands.pipe("metrics", folders[1], "--worst", "-1")
    assert (done.returncode, b"--worst -1 is negative" in done.stderr) == (1, True)


def test_evaluate_puts_the_network_beside_what_it_has_to_beat(tmp_path, quick, capsys):
    for number in range(2):
        write_scan(tmp_path / "dirty" / f"{number}.png", seed=number)
        clean = np.where(scan(number) < 120, 0, 255).astype(np.uint8)
        (tmp_path / "clean").mkdir(exist_ok=True)
        Image.fromarray(clean).convert("1").save(tmp_path / "clean" / f"{number}.png")
    folders = [str(tmp_path / "dirty"), "--truth", str(tmp_path / "clean")]
    out = tmp_path / "scores.parquet"
    assert main(["evaluate", *folders, *quick, "--out", str(tmp_path / "dirty" / "0.png")]) == 1
    assert main(["evaluate", *folders, *quick, "--baselines", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    for method in ("uncleaned", "pagewash", "sauvola", "f measure"):
        assert method in said
    assert out.exists()


def test_standard_input_to_standard_output_keeps_the_format_and_the_resolution(commands, quick):
    page = io.BytesIO()
    Image.fromarray(scan()).save(page, "TIFF", dpi=(300, 300))
    done = commands.pipe("clean", "-", "-", *quick, stdin=page.getvalue())
    assert done.returncode == 0, done.stderr
    with Image.open(io.BytesIO(done.stdout)) as image:
        assert image.format == "TIFF"
        assert image.size == (90, 120)
        assert image.info["dpi"] == pytest.approx((300, 300))


def test_a_stream_is_cleaned_again_although_its_metrics_are_kept(commands, quick, tmp_path):
    page = io.BytesIO()
    Image.fromarray(scan()).save(page, "PNG")
    for _ in range(2):
        done = commands.pipe(
            "clean", "-", "-", *quick, "--metrics", tmp_path / "metrics", stdin=page.getvalue()
        )
        assert done.stdout.startswith(b"\x89PNG")


def test_a_broken_standard_input_leaves_standard_output_empty(commands, quick):
    done = commands.pipe("clean", "-", "-", *quick, stdin=b"no page")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"pagewash: standard input begins like no document" in done.stderr


def test_standard_input_has_no_name_for_a_folder_that_is_not_there_yet(commands, quick, tmp_path):
    done = commands.pipe("clean", "-", tmp_path / "new", *quick, stdin=b"page")
    assert done.returncode == 1
    assert b"has no name to give" in done.stderr
    assert not (tmp_path / "new").exists()


def test_an_empty_standard_input_is_named(quick, monkeypatch, capsys, tmp_path):
    (tmp_path / "nothing").touch()
    with (tmp_path / "nothing").open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        assert main(["clean", "-", str(tmp_path / "a.png"), *quick]) == 2
    said = capsys.readouterr().err
    assert "pagewash: standard input is empty (0 bytes)" in said
    assert "/tmp" not in said.replace(str(tmp_path), "")


def test_a_folder_without_documents_is_an_error_that_is_told(folders, quick, capsys, tmp_path):
    (tmp_path / "none").mkdir()
    assert main(["clean", str(tmp_path / "none"), str(folders[1]), *quick, "-q"]) == 2
    assert "none holds no documents; scans are known by" in capsys.readouterr().err
    assert not folders[1].exists()


def test_control_characters_of_a_name_do_not_reach_the_terminal(folders, quick, capsys):
    name = "\x1b]0;owned\x07\x9b31m\u202egnp\n.tif"
    (folders[0] / name).touch()
    main(["clean", *map(str, folders), *quick])
    main(["metrics", str(folders[1])])
    out, err = capsys.readouterr()
    assert err.count("is empty") == 1
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1a\x7f-\x9f\u202e]", out + err)
    assert not re.search("\x1b[^[]", out + err)  # the progress bar's own are others
    assert "\\x1b]0;owned" in out
    assert read_records(folders[1])["source"].to_pylist().count(name) == 1


def test_a_file_goes_to_standard_output_and_standard_input_to_a_file(
    commands, folders, quick, tmp_path
):
    done = commands.pipe("clean", folders[0] / "0.png", "-", *quick)
    with Image.open(io.BytesIO(done.stdout)) as image:
        assert image.format == "PNG"
    target = tmp_path / "page.jpg"
    source = (folders[0] / "0.png").read_bytes()
    assert commands.pipe("clean", "-", target, *quick, stdin=source).returncode == 0
    with Image.open(target) as image:
        assert image.format == "JPEG"
    assert {path.name for path in tmp_path.iterdir()} == {"scans", "page.jpg"}


def test_a_stream_does_not_go_over_a_document(commands, folders, quick, tmp_path):
    scan, log = folders[0] / "0.png", tmp_path / "log"
    before, other = scan.read_bytes(), (folders[0] / "1.png").read_bytes()
    for arguments in (["-", scan], [scan, "-"], ["-", "-"]):
        with scan.open("rb") as reads, scan.open("ab") as appends, log.open("wb") as errors:
            streams = reads.fileno(), appends.fileno(), errors.fileno()
            process = commands.begin_on(streams, "clean", *arguments, *quick, "--force")
            assert commands.wait(process) == 1
        assert "source and destination are one file" in log.read_text()
        assert scan.read_bytes() == before
    done = commands.pipe("clean", "-", scan, *quick, stdin=other)
    assert done.returncode == 1
    assert b"0.png is there already, and may be another scan" in done.stderr
    assert scan.read_bytes() == before
    assert commands.pipe("clean", "-", scan, *quick, "--force", stdin=other).returncode == 0


def test_the_command_line_has_the_options_and_defaults_of_the_pipeline(capsys):
    assert main(["clean", "--help"]) == 0
    said = capsys.readouterr().out.replace("│", " ")
    for name, value in vars(RunOptions()).items():
        assert f"--{name.replace('_', '-')}" in said
        assert value in ("", False, 0, None) or f"[default: {value}]" in " ".join(said.split()), (
            name
        )


def test_the_network_gets_the_options_of_the_command_line():
    run = RunOptions(device="cpu", precision="fp32", color="gray", tile=1024, pages="1")
    assert run.clean == CleanOptions("cpu", "fp32", "gray", tile=1024)


def test_version_and_help_are_no_errors(capsys):
    assert main(["--version"]) == 0
    assert main([]) == 0
    assert "clean" in capsys.readouterr().out


def test_help_imports_nothing_heavy():
    heavy = {"torch", "prefect", "cv2", "numpy", "pyarrow", "PIL", "pikepdf", "pypdfium2", "tqdm"}
    script = (
        "import sys; from pagewash.flows.cli import main; main(['--help']);"
        f"sys.exit(', '.join({heavy} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_help_costs_little_more_than_the_parser_of_the_command_line():
    def processor_seconds(*command: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        subprocess.run([sys.executable, *command], capture_output=True, check=True)
        return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before

    parser = min(processor_seconds("-c", "import cyclopts") for _ in range(3))
    assert (
        min(processor_seconds("-m", "pagewash.flows.cli", "--help") for _ in range(3)) < 4 * parser
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_ctrl_c_drops_what_is_not_whole_and_can_be_resumed(commands, tmp_path, quick, number):
    for seed in range(10):
        write_scan(tmp_path / "scans" / f"{seed:02}.png", seed=seed, shape=(400, 300))
    few = ["--jobs", "1", "--tile", "320", "--batch", "1"]  # documents in hand at a time
    arguments = ["clean", str(tmp_path / "scans"), str(tmp_path / "out"), *quick, *few]
    running = commands.begin(*arguments, log=tmp_path / "log")
    end = time.monotonic() + 60
    while not (tmp_path / "out" / "00.png").exists():
        assert time.monotonic() < end
        time.sleep(0.01)
    os.kill(running, number)
    assert commands.wait(running) == 130, (tmp_path / "log").read_text()
    written = {path.name for path in (tmp_path / "out").glob("*.*")}
    assert written == set(read_records(tmp_path / "out")["source"].to_pylist())
    assert 1 <= len(written) < 10
    assert main([*arguments, "-q"]) == 0
    assert len(list((tmp_path / "out").glob("*.png"))) == 10


@pytest.mark.timeout(600)
def test_a_run_through_prefect_gives_what_a_run_without_gives(
    prefect_server, folders, quick, tmp_path, capsys
):
    (folders[0] / "empty.tif").touch()
    assert main(["clean", *map(str, folders), *quick, "--flow", "--max-failures", "1"]) == 2
    assert "2 documents cleaned, 1 failed" in capsys.readouterr().out
    other = tmp_path / "other"
    assert main(["clean", str(folders[0]), str(other), *quick, "--no-flow"]) == 2
    for name in ("0.png", "1.png"):
        one, two = (np.asarray(Image.open(folder / name)) for folder in (folders[1], other))
        assert np.array_equal(one, two)
    assert sorted(path.name for path in other.iterdir()) == ["0.png", "1.png", "metrics"]
