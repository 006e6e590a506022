"""A watched inbox: what counts as whole, what is done once, and what never ends the watch."""

import errno
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from scans import FakeCleaner, write_scan
from servers import wait_for

from pagewash.errors import AccessError, InputError, OptionError
from pagewash.flows.cli import main
from pagewash.measuring.records import read_records
from pagewash.options import RunOptions
from pagewash.runs import archive, watching
from pagewash.runs.archive import move_to_archive
from pagewash.runs.inbox import EMPTY_SETTLE, FIRST_DELAY, LONGEST_DELAY, Inbox
from pagewash.runs.journey import finish_page
from pagewash.runs.outcome import RunReport
from pagewash.runs.planning import plan_run
from pagewash.runs.shards import clean_run
from pagewash.runs.watching import Route, WatchOptions, open_inbox, watch_inbox


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


def test_a_document_is_left_alone_while_it_grows_and_comes_when_it_has_settled(folder):
    inbox, page = Inbox(folder, settle=10), folder / "a.png"
    page.write_bytes(b"first half")
    assert inbox.look(0) == []
    page.write_bytes(b"first half, second half")
    assert inbox.look(12) == []
    assert inbox.look(21) == []
    assert inbox.look(22) == [page]


def test_a_change_of_time_alone_is_a_change(folder):
    inbox, page = Inbox(folder, settle=10), folder / "a.png"
    page.write_bytes(b"space was set aside for all of it at once")
    inbox.look(0)
    os.utime(page, ns=(1, 1))
    assert inbox.look(10) == []
    assert inbox.look(20) == [page]


def test_what_is_done_comes_again_only_when_it_has_changed(folder):
    inbox, page = Inbox(folder, settle=10), folder / "a.png"
    page.write_bytes(b"a page")
    inbox.look(0)
    inbox.done(page)
    assert inbox.look(1000) == []
    page.write_bytes(b"another page")
    assert inbox.look(2000) == []
    assert inbox.look(2010) == [page]


def test_names_of_what_is_on_its_way_are_left_alone(folder):
    on_their_way = [
        *(".hidden.png", "~lock.png", "scan.part.png", "scan.TMP.pdf", "scan.pdf.filepart"),
        *("book.download/page.png", ".sync/page.png"),
    ]
    for name in [*on_their_way, "scan.png", "volume.1.png", "box/page.png"]:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"a page")
    inbox = Inbox(folder, settle=0)
    inbox.look(0)
    assert names(inbox.look(1)) == ["page.png", "scan.png", "volume.1.png"]


def test_links_out_of_the_inbox_and_links_to_nothing_are_left_alone(folder, tmp_path):
    (tmp_path / "secret.png").write_bytes(b"a page")
    (folder / "out.png").symlink_to(tmp_path / "secret.png")
    (folder / "outside").symlink_to(tmp_path)
    (folder / "gone.png").symlink_to(folder / "nothing.png")
    (folder / "loop.png").symlink_to(folder / "loop.png")
    inbox = Inbox(folder, settle=0)
    inbox.look(0)
    assert inbox.look(1) == []


def test_an_empty_file_gets_time_to_be_written(folder):
    inbox = Inbox(folder, settle=10)
    (folder / "a.png").touch()
    inbox.look(0)
    assert inbox.look(EMPTY_SETTLE - 1) == []
    assert names(inbox.look(EMPTY_SETTLE)) == ["a.png"]


def test_what_is_put_off_comes_after_ever_longer_times(folder):
    inbox, page = Inbox(folder, settle=0), folder / "a.png"
    page.write_bytes(b"a page")
    inbox.look(0)
    for tries in range(9):
        inbox.put_off(page, now=0)
        delay = min(FIRST_DELAY * 2**tries, LONGEST_DELAY)
        assert inbox.look(delay - 1) == []
        assert inbox.look(delay) == [page]


def test_an_inbox_that_goes_away_and_comes_back_has_nothing_new(folder):
    inbox = Inbox(folder, settle=0)
    (folder / "a.png").write_bytes(b"a page")
    inbox.look(0)
    inbox.done(folder / "a.png")
    folder.rename(folder.with_name("unmounted"))
    assert inbox.look(1) == []
    folder.with_name("unmounted").rename(folder)
    assert inbox.look(2) == inbox.look(3) == []


def test_a_folder_that_may_not_be_looked_into_is_told_once_and_hides_no_other(
    folder, monkeypatch, caplog
):
    for name in ("closed", "open"):
        (folder / name).mkdir()
        (folder / name / f"{name}.png").write_bytes(b"a page")
    listed = os.scandir

    def refuse(path):
        if Path(path).name == "closed":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr("os.scandir", refuse)
    inbox = Inbox(folder, settle=0)
    inbox.look(0)
    assert names(inbox.look(1)) == ["open.png"]
    assert [record.message for record in caplog.records] == [
        f"{folder / 'closed'} cannot be read: Permission denied. Check its permissions."
    ]


class Scene:
    """A watch without waiting: after each look the next step happens, and the last ends it."""

    def __init__(self, route: Route, monkeypatch: pytest.MonkeyPatch):
        self.route, self.now = route, 0.0
        self.batches: list[list[str]] = []
        self.reports: list[RunReport] = []
        self.trouble: Exception | None = None
        self.cleaned: list[str] = []
        self.archive: Path | None = None
        self.heartbeat: Path | None = None
        clock = SimpleNamespace(monotonic=lambda: self.now)
        monkeypatch.setattr(watching, "time", clock)
        monkeypatch.setattr(watching, "_wait", self._wait)

    def play(self, *steps: Callable[[], object]) -> None:
        self._steps = iter(steps)
        stop = threading.Event()
        inbox = open_inbox(self.route, settle=1, cleaned=self._note)
        self.now += 10
        options = WatchOptions(archive=self.archive, heartbeat=self.heartbeat)
        told = self.reports.append, self._note
        watch_inbox(inbox, self.route, options, self.clean, stop, *told)

    def _note(self, path: Path) -> None:
        self.cleaned.append(path.name)
        if self.archive is not None:
            move_to_archive(path, self.route.source, self.archive)

    def clean(self, options: RunOptions, only: list[str]) -> RunReport:
        self.batches.append(only)
        if self.trouble is not None:
            raise self.trouble
        plan = plan_run(self.route.source, self.route.destination, options, None, only)
        return clean_run(plan, load=lambda run: FakeCleaner())

    def _wait(self, stop: threading.Event, seconds: float) -> None:
        step = next(self._steps, stop.set)
        step()
        self.now += 10


def nothing() -> None:
    """Let time pass."""


@pytest.fixture
def scene(folder, tmp_path, tiny_model, monkeypatch) -> Scene:
    return Scene(Route(folder, tmp_path / "out", RunOptions(model=str(tiny_model))), monkeypatch)


def test_a_bad_file_is_recorded_and_tried_again_only_when_it_changes(scene, folder):
    write_scan(folder / "a.png")
    (folder / "bad.png").write_bytes(b"no page")

    def repair():
        write_scan(folder / "bad.png")

    scene.play(nothing, nothing, repair, nothing, nothing)
    assert scene.batches == [["a.png", "bad.png"], ["bad.png"]]
    rows = read_records(scene.route.destination).to_pylist()
    assert sorted((row["source"], row["status"] == "failed") for row in rows) == [
        ("a.png", False),
        ("bad.png", False),
        ("bad.png", True),
    ]


def test_a_pdf_that_stays_empty_is_told_and_recorded_and_cleaned_once_it_is_written(
    scene, folder, caplog
):
    (folder / "scan.pdf").touch()
    scene.play(*[nothing] * 8)  # ten seconds each
    assert scene.batches == [["scan.pdf"]]
    (told,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert "scan.pdf is empty (0 bytes). Scan the page again" in told
    (row,) = read_records(scene.route.destination).to_pylist()
    assert (row["status"], row["error"]) == ("failed", "EmptyFileError")


def test_however_many_files_are_bad_the_good_ones_are_cleaned(scene, folder):
    for number in range(40):
        (folder / f"{number:02}.png").write_bytes(b"no page")
    write_scan(folder / "last.png")
    scene.play(nothing)
    assert len(scene.reports[0].failures) == 40
    assert (scene.route.destination / "last.png").exists()


def test_what_earlier_runs_have_cleaned_is_left_alone(scene, folder):
    write_scan(folder / "a.png")
    scene.play(nothing)
    write_scan(folder / "b.png", seed=1)
    scene.play(nothing, nothing)
    assert scene.batches == [["a.png"], ["b.png"]]


def test_what_came_out_clean_is_told_once_and_what_failed_or_changed_meanwhile_is_not(
    scene, folder
):
    write_scan(folder / "good.png")
    (folder / "bad.png").write_bytes(b"no page")
    scene.play(nothing, nothing)
    assert scene.cleaned == ["good.png"]
    scene.play(nothing)  # another watch: it is clean already
    assert scene.cleaned == ["good.png"] * 2
    clean = scene.clean

    def clean_and_change(options, only):
        report = clean(options, only)
        (folder / "late.png").write_bytes(b"longer than before")
        return report

    scene.clean = clean_and_change
    write_scan(folder / "late.png")
    scene.play(nothing)
    assert "late.png" not in scene.cleaned


def test_a_document_that_is_replaced_while_it_is_read_is_cleaned_as_it_is_then(
    scene, folder, monkeypatch, tmp_path
):
    write_scan(folder / "a.png")
    write_scan(tmp_path / "b.png", seed=5)

    def replaced(*arguments):
        if (tmp_path / "b.png").exists():
            (tmp_path / "b.png").replace(folder / "a.png")
        return finish_page(*arguments)

    monkeypatch.setattr("pagewash.runs.journey.finish_page", replaced)
    scene.play(nothing, nothing)
    assert [len(report.failures) for report in scene.reports] == [1, 0]
    assert scene.cleaned == ["a.png"]


def test_what_may_pass_is_tried_again_later(scene, folder):
    write_scan(folder / "a.png")
    (scene.route.destination / "a.png").mkdir(parents=True)  # in the way of the output
    scene.play(nothing, (scene.route.destination / "a.png").rmdir, *[nothing] * 6)
    assert scene.batches == [["a.png"], ["a.png"]]
    assert (scene.route.destination / "a.png").is_file()


def test_trouble_outside_the_documents_does_not_end_the_watch(scene, folder, caplog):
    for number in range(2):
        write_scan(folder / f"{number}.png")
    scene.trouble = AccessError("the disk is full. Free some space.")

    def solve():
        scene.trouble = None

    scene.play(solve, *[nothing] * 7)
    assert scene.batches == [["0.png", "1.png"], ["0.png"], ["1.png"]]
    assert caplog.messages == ["the disk is full. Free some space. 2 documents wait."]
    assert len(list(scene.route.destination.glob("*.png"))) == 2


@pytest.mark.parametrize("begun", [True, False])
def test_a_scan_in_the_destination_of_which_nothing_is_known_stays(
    scene, folder, tmp_path, caplog, begun
):
    before = write_scan(tmp_path / "out" / "a.png", seed=1).read_bytes()
    os.utime(tmp_path / "out" / "a.png", (1, 1))
    if begun:
        write_scan(folder / "a.png")
    scene.play(lambda: [write_scan(folder / name) for name in ("a.png", "b.png")], *[nothing] * 3)
    assert (tmp_path / "out" / "a.png").read_bytes() == before
    assert (tmp_path / "out" / "b.png").exists()
    assert "a.png is there already, and may be another scan" in caplog.messages[0]


def test_a_heartbeat_that_cannot_be_shown_is_told_at_once_and_ends_nothing_later(
    scene, folder, tmp_path
):
    scene.heartbeat = tmp_path / "run" / "beat"
    with pytest.raises(AccessError, match=r"--heartbeat .*beat cannot be written: No such file"):
        scene.play(nothing)

    def sweep():
        shutil.rmtree(tmp_path / "run")
        write_scan(folder / "a.png")

    (tmp_path / "run").mkdir()
    scene.play(sweep, *[nothing] * 3)
    assert (tmp_path / "out" / "a.png").exists()


def test_of_two_documents_for_one_output_the_first_is_cleaned_and_the_other_told(
    folder, tmp_path, tiny_model, monkeypatch, caplog
):
    options = RunOptions(model=str(tiny_model), format="png")
    scene = Scene(Route(folder, tmp_path / "out", options), monkeypatch)
    write_scan(folder / "b.png")
    scene.play(lambda: write_scan(folder / "b.jpg"), lambda: write_scan(folder / "c.png"), nothing)
    assert scene.batches == [["b.png"], ["c.png"]]
    (told,) = caplog.messages
    assert "b.png and" in told
    assert "would both become" in told
    caplog.clear()
    before = (tmp_path / "out" / "b.png").read_bytes()
    scene.play(nothing)  # a watch that begins with both does begin, and tells of both
    assert len(caplog.messages) == 2
    assert (tmp_path / "out" / "b.png").read_bytes() == before


def test_outputs_of_another_folder_stay_whatever_arrives_under_their_names(
    scene, folder, tmp_path, caplog
):
    out = scene.route.destination
    for name in ("a.png", "b.png"):
        write_scan(tmp_path / "january" / name, seed=1)
    clean_run(
        plan_run(tmp_path / "january", out, scene.route.options), load=lambda run: FakeCleaner()
    )
    before = {path: path.read_bytes() for path in out.glob("*.png")}
    write_scan(folder / "a.png", seed=2)  # is there already, and the others come later
    scene.play(
        lambda: write_scan(folder / "b.png", seed=3),
        lambda: write_scan(folder / "c.png", seed=4),
        nothing,
        lambda: write_scan(folder / "c.png", seed=5),
        nothing,
    )
    assert scene.batches == [["c.png"], ["c.png"]]
    assert {path: path.read_bytes() for path in before} == before
    assert [message.split(" was cleaned from ")[0] for message in caplog.messages] == [
        "a.png",
        "b.png",
    ]


@pytest.fixture
def archiving(folder, tmp_path, tiny_model, monkeypatch) -> Scene:
    """A watch with an archive, that writes PDFs."""
    options = RunOptions(model=str(tiny_model), format="pdf")
    scene = Scene(Route(folder, tmp_path / "out", options), monkeypatch)
    scene.archive = tmp_path / "archive"
    return scene


def pdfs(scene: Scene) -> list[str]:
    return sorted(path.name for path in scene.route.destination.glob("*.pdf"))


def test_with_an_archive_a_scan_does_not_take_the_output_of_one_of_another_extension(
    archiving, folder, tmp_path
):
    write_scan(folder / "a.tif")
    archiving.play(lambda: write_scan(folder / "a.png", seed=1), *[nothing] * 3)
    assert pdfs(archiving) == ["a (2).pdf", "a.pdf"]
    rows = read_records(tmp_path / "out").to_pylist()
    assert {row["source"]: row["output"] for row in rows} == {
        "a.tif": "a.pdf",
        "a (2).png": "a (2).pdf",
    }
    assert sorted(path.name for path in (tmp_path / "archive").iterdir()) == ["a (2).png", "a.tif"]


@pytest.mark.parametrize("restarted", [False, True])
def test_with_an_archive_of_two_scans_for_one_output_the_other_comes_later(
    archiving, folder, tmp_path, restarted
):
    write_scan(folder / "a.png")
    write_scan(folder / "a.tif", seed=1)
    if restarted:
        archiving.play(nothing)
    archiving.play(*[nothing] * 10)
    assert pdfs(archiving) == ["a (2).pdf", "a.pdf"]
    assert list(folder.iterdir()) == []


def test_a_document_that_a_link_in_the_archive_leads_back_to_keeps_its_name_and_place(
    archiving, folder, tmp_path
):
    original = write_scan(folder / "box" / "a.png").read_bytes()
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "box").symlink_to(folder / "box")
    with pytest.raises(AccessError, match="leads back into"):
        archiving.play(*[nothing] * 3)
    assert [path.name for path in (folder / "box").iterdir()] == ["a.png"]
    assert (folder / "box" / "a.png").read_bytes() == original


def test_an_archive_that_is_emptied_does_not_have_the_next_scan_of_a_name_take_an_output(
    archiving, folder, tmp_path
):
    def sweep():
        (tmp_path / "archive" / "scan.png").unlink()
        write_scan(folder / "scan.png", seed=1)

    write_scan(folder / "scan.png")
    archiving.play(sweep, *[nothing] * 3)
    assert pdfs(archiving) == ["scan (2).pdf", "scan.pdf"]


@pytest.mark.parametrize("recorded", [True, False], ids=["other options", "killed"])
def test_a_document_that_stayed_in_the_inbox_takes_the_output_of_its_own(
    archiving, folder, tmp_path, monkeypatch, recorded
):
    write_scan(folder / "a.png")
    archive, archiving.archive = archiving.archive, None
    archiving.play(nothing)
    archiving.archive = archive
    if recorded:
        os.utime(folder / "a.png")
    else:
        for part in (tmp_path / "out" / "metrics").rglob("*.parquet"):
            part.unlink()
    archiving.play(*[nothing] * 3)
    assert archiving.batches == [["a.png"], ["a.png"]]
    assert pdfs(archiving) == ["a.pdf"]
    assert (tmp_path / "archive" / "a.png").exists()


@pytest.mark.parametrize("change", ["rename", "unlink"])
def test_a_watch_that_is_killed_while_it_archives_has_the_next_one_end_it(
    archiving, folder, tmp_path, monkeypatch, change
):
    class KilledError(BaseException):
        pass

    def killed(*arguments, **options):
        raise KilledError

    original, note = write_scan(folder / "a.png").read_bytes(), archiving._note
    with monkeypatch.context() as patch:

        def note_and_be_killed(path):
            patch.setattr(os, change, killed)
            note(path)

        patch.setattr(archiving, "_note", note_and_be_killed)
        with pytest.raises(KilledError):
            archiving.play(nothing)
    archiving.play(*[nothing] * 3)
    assert list(folder.iterdir()) == []
    archived = {path.name: path.read_bytes() for path in (tmp_path / "archive").iterdir()}
    assert archived["a.png"] == original
    assert set(archived.values()) == {original}
    assert len(archived) == len(pdfs(archiving)) == (1 if change == "rename" else 2)  # set aside


def test_a_scan_that_cannot_get_a_number_waits_and_takes_no_output(
    archiving, folder, tmp_path, monkeypatch, caplog
):
    def refuse(path, target):
        raise PermissionError(errno.EACCES, "Permission denied")

    write_scan(folder / "a.tif")
    archiving.play(nothing)
    output = (tmp_path / "out" / "a.pdf").read_bytes()
    write_scan(folder / "a.png", seed=1)
    with monkeypatch.context() as patch:
        patch.setattr(archive, "_rename", refuse)
        archiving.play(*[nothing] * 3)
    assert (tmp_path / "out" / "a.pdf").read_bytes() == output
    (told,) = caplog.messages
    assert "a.png cannot be renamed: Permission denied. Check its permissions" in told
    archiving.play(*[nothing] * 3)
    assert pdfs(archiving) == ["a (2).pdf", "a.pdf"]


def test_a_name_that_is_no_unicode_is_cleaned_like_any_other(scene, folder):
    page = write_scan(folder / "a.png")
    try:
        page.rename(os.fsdecode(os.fsencode(folder) + b"/\xff.png"))
    except OSError:
        pytest.skip("this file system takes Unicode names alone")
    write_scan(folder / "b.png")
    scene.play(*[nothing] * 9)
    assert (scene.route.destination / "b.png").exists()
    assert (scene.route.destination / os.fsdecode(b"\xff.png")).is_file()


@pytest.mark.parametrize(
    ("source", "destination", "error", "message"),
    [
        ("inbox", "inbox/out", OptionError, "lies inside"),
        ("inbox", ".", OptionError, "contains"),
        ("inbox/a.png", "out", OptionError, "is a file"),
        ("nowhere", "out", InputError, "is not there"),
    ],
)
def test_a_watch_that_cannot_work_does_not_begin(
    folder, tmp_path, tiny_model, source, destination, error, message
):
    write_scan(folder / "a.png")
    route = Route(tmp_path / source, tmp_path / destination, RunOptions(model=str(tiny_model)))
    with pytest.raises(error, match=message):
        open_inbox(route, settle=1)


@pytest.mark.parametrize("times", [{"settle": -1}, {"settle": float("nan")}, {"every": 0}])
def test_times_that_cannot_work_are_refused(times):
    with pytest.raises(OptionError, match="--settle"):
        WatchOptions(**times)


def test_the_command_takes_its_times_from_the_pipeline(capsys):
    assert main(["watch", "--help"]) == 0
    said = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for name, value in vars(WatchOptions()).items():
        assert f"--{name}" in said
        assert value is None or f"[default: {value}]" in said


@pytest.fixture
def watch_process(commands, folder, tmp_path, tiny_model) -> Iterator[int]:
    """The command in a process of its own, once it watches."""
    quick = ("--model", tiny_model, "--device", "cpu", "--precision", "fp32")
    words = ("watch", folder, tmp_path / "out", *quick, "--settle", "0.2", "--every", "0.1")
    log = tmp_path / "log"
    process = commands.begin(*words, log=log)
    try:
        wait_for(lambda: log.read_text().startswith("pagewash: watching"), log)
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


@pytest.mark.timeout(300)
def test_a_page_that_is_dropped_in_is_cleaned_and_sigterm_ends_the_watch(
    commands, watch_process, folder, tmp_path
):
    log = tmp_path / "log"
    write_scan(folder / "a.png")
    wait_for(lambda: "\npagewash: 1 document cleaned" in log.read_text(), log)
    assert (tmp_path / "out" / "a.png").exists()
    os.kill(watch_process, signal.SIGTERM)
    assert commands.wait(watch_process) == 0
    assert "stopping" in log.read_text()


def test_ctrl_c_ends_a_watch_that_waits(commands, watch_process, tmp_path):
    os.kill(watch_process, signal.SIGINT)
    assert commands.wait(watch_process) == 0
    assert "stopping" in (tmp_path / "log").read_text()


def test_a_flow_that_takes_sigterm_for_itself_ends_the_watch_well(
    folder, tmp_path, tiny_model, monkeypatch
):
    from prefect.exceptions import TerminationSignal

    def run_flow(*arguments, **keywords):
        raise KeyboardInterrupt from TerminationSignal(signal.SIGTERM)

    monkeypatch.setattr("pagewash.flows.prefect.cleaning.run_flow", run_flow)
    write_scan(folder / "a.png")
    command = ["watch", str(folder), str(tmp_path / "out"), "--model", str(tiny_model), "--flow"]
    assert main([*command, "--settle", "0", "--every", "0.1"]) == 0


@pytest.mark.timeout(300)
def test_what_is_done_moves_to_the_archive_and_the_watch_beats(
    commands, folder, tmp_path, tiny_model
):
    log, beat, archive = (tmp_path / name for name in ("log", "beat", "archive"))
    original = write_scan(folder / "box" / "a.png").read_bytes()
    (folder / "bad.png").write_bytes(b"no page")
    quick = ("--model", tiny_model, "--device", "cpu", "--precision", "fp32", "--settle", "0")
    more = ("--every", "0.1", "--archive", archive, "--heartbeat", beat)
    watch = commands.begin("watch", folder, tmp_path / "out", *quick, *more, log=log)
    try:
        wait_for((archive / "box" / "a.png").exists, log)
        first = beat.stat().st_mtime_ns
        wait_for(lambda: beat.stat().st_mtime_ns > first, log)
    finally:
        os.kill(watch, signal.SIGTERM)
    assert commands.wait(watch) == 0
    assert (archive / "box" / "a.png").read_bytes() == original
    assert [path.name for path in folder.rglob("*.png")] == ["bad.png"]


@pytest.mark.timeout(300)
def test_scans_that_all_have_one_name_are_all_kept_before_and_after(
    commands, folder, tmp_path, tiny_model
):
    log, archive, out = (tmp_path / name for name in ("log", "archive", "out"))
    quick = ("--model", tiny_model, "--device", "cpu", "--precision", "fp32", "--settle", "0")
    more = ("--every", "0.1", "--archive", archive)
    watch = commands.begin("watch", folder, out, *quick, *more, log=log)
    try:
        for name in ("scan.png", "scan (2).png", "scan (3).png"):
            write_scan(folder / "scan.png")
            wait_for((archive / name).exists, log)
            assert (out / name).exists()
    finally:
        os.kill(watch, signal.SIGTERM)
    assert commands.wait(watch) == 0
    rows = read_records(out / "metrics").to_pylist()
    names = {"scan.png", "scan (2).png", "scan (3).png"}
    assert {row["source"] for row in rows} == {row["output"] for row in rows} == names


@pytest.mark.timeout(300)
def test_an_inbox_whose_name_is_no_text_is_watched_without_a_flow(
    commands, folder, tmp_path, tiny_model
):
    write_scan(folder / "a.png")
    odd = tmp_path / os.fsdecode(b"B\xfccher")
    try:
        folder.rename(odd)
    except OSError:
        pytest.skip("this file system takes Unicode names alone")
    log, out = tmp_path / "log", tmp_path / "out"
    quick = ("--model", tiny_model, "--device", "cpu", "--precision", "fp32", "--settle", "0")
    api = {"PREFECT_API_URL": "http://127.0.0.1:9/api"}
    watch = commands.begin("watch", odd, out, *quick, "--every", "0.1", log=log, **api)
    try:
        wait_for((out / "a.png").exists, log)
    finally:
        os.kill(watch, signal.SIGTERM)
    assert commands.wait(watch) == 0
