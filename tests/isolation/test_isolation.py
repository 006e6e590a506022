"""What a document does to the process that has it open, it does to itself alone."""

import io
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from math import inf
from pathlib import Path

import harmful_worker as harm
import numpy as np
import pikepdf
import pytest
from PIL import Image
from scans import FakeCleaner, scan, write_scan

from pagewash.documents.document import create_document, open_document
from pagewash.errors import AccessError, TooLargeError, TooSlowError, UnreadableError
from pagewash.isolation import process
from pagewash.isolation.document import IsolatedDocument, view_page
from pagewash.isolation.messages import receive, send
from pagewash.isolation.session import stored_bytes
from pagewash.options import RunOptions
from pagewash.pages import Page, ReadLimits
from pagewash.runs.planning import plan_run
from pagewash.runs.shards import clean_run


@pytest.fixture
def harmful(monkeypatch):
    """Workers that images of certain widths do harm to."""
    command = (sys.executable, harm.__file__)
    process.end_all()
    monkeypatch.setattr(process, "COMMAND", command)
    yield
    process.end_all()


def two_pages(path: Path) -> Path:
    pages = [Image.fromarray(scan(seed)) for seed in range(2)]
    pages[0].save(path, save_all=True, append_images=pages[1:], dpi=(300, 300))
    return path


def a_pdf(path: Path) -> Path:
    """A page with an image, and one that has a line and nothing else."""
    file = io.BytesIO()
    Image.fromarray(scan(0, (300, 200))).save(file, "PDF")
    with pikepdf.open(file) as pdf:
        pdf.add_blank_page().Contents = pdf.make_stream(b"0 0 m 99 99 l S")
        pdf.save(path, deterministic_id=True)
    return path


MAKERS = {"page.png": write_scan, "pages.tif": two_pages, "pages.pdf": a_pdf}


@pytest.fixture(params=MAKERS)
def document(request, tmp_path) -> Path:
    return MAKERS[request.param](tmp_path / request.param)


def test_pages_come_as_they_do_without_a_process_between(document):
    with IsolatedDocument(document) as elsewhere, open_document(document) as here:
        assert elsewhere.page_count == here.page_count
        assert elsewhere.megapixels() == here.megapixels()
        for theirs, ours in zip(elsewhere.pages(), here.pages(), strict=True):
            if isinstance(ours, Page):
                assert np.array_equal(theirs.pixels, ours.pixels)
                assert theirs.pixels.flags.writeable
                told = (theirs.dpi, theirs.icc, theirs.mode, theirs.source, theirs.stored)
                assert told == (ours.dpi, ours.icc, ours.mode, ours.source, ours.stored)
            else:
                assert theirs == ours


@pytest.mark.parametrize("extension", [".pdf", ".tif"])
def test_copies_are_those_that_are_made_without_a_process_between(document, tmp_path, extension):
    outputs = []
    for opened in (IsolatedDocument, open_document):
        output = tmp_path / f"{opened.__name__}{extension}"
        with opened(document) as original, create_document(original, output) as writer:
            for page in original.pages():
                writer.add(page)
        with open_document(output) as copy:
            outputs.append([getattr(page, "pixels", np.zeros(0)) for page in copy.pages()])
    assert len(outputs[0]) == len(outputs[1])
    assert all(map(np.array_equal, *outputs))


def test_a_page_is_looked_at_elsewhere(document):
    with open_document(document) as here:
        (page,) = here.pages({0})
    assert np.array_equal(view_page(document, 0), page.pixels)


def test_pages_can_be_asked_for_twice_and_in_part(tmp_path):
    with IsolatedDocument(two_pages(tmp_path / "a.tif")) as document:
        assert [page.index for page in document.pages({1})] == [1]
        assert [page.index for page in document.pages()] == [0, 1]


def test_one_process_serves_one_document_after_the_other(tmp_path):
    process.end_all()
    pids = set()
    for number in range(3):
        with IsolatedDocument(write_scan(tmp_path / f"{number}.png")) as document:
            pids.add(document.worker_pid)
            list(document.pages())
    assert len(pids) == 1


def test_a_large_run_does_not_make_its_workers_large(tmp_path):
    program = f"""
import numpy
kept = numpy.ones(2 * 10**8)  # 1.6 GB, which a new process begins its count with
from pathlib import Path
from pagewash.isolation.document import IsolatedDocument
pids = set()
for number in range(2):
    with IsolatedDocument(Path({str(write_scan(tmp_path / "a.png"))!r})) as document:
        pids.add(document.worker_pid)
        list(document.pages())
assert len(pids) == 1
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_worker_that_was_killed_while_it_waited_is_replaced(tmp_path):
    path = write_scan(tmp_path / "a.png")
    with IsolatedDocument(path) as document:
        pid = document.worker_pid
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # on a busy machine that takes a while
    with IsolatedDocument(path) as document:
        assert len(list(document.pages())) == 1
        assert document.worker_pid != pid


def test_ctrl_c_and_sigterm_are_for_the_run_to_hear(tmp_path):
    with IsolatedDocument(two_pages(tmp_path / "a.tif")) as document:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(document.worker_pid, number)
        assert len(list(document.pages())) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells of processes")
def test_a_worker_may_leave_no_core_dump(tmp_path):
    with IsolatedDocument(write_scan(tmp_path / "a.png")) as document:
        told = Path("/proc", str(document.worker_pid), "limits").read_text(encoding="utf-8")
    (line,) = (line for line in told.splitlines() if line.startswith("Max core file size"))
    assert line.split()[4:6] == ["0", "0"]


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells of processes")
def test_workers_end_with_the_run(tmp_path):
    code = (
        "import sys, os; from pathlib import Path;"
        "from pagewash.isolation.document import IsolatedDocument;"
        "print(IsolatedDocument(Path(sys.argv[1])).worker_pid, flush=True); os.kill(os.getpid(), 9)"
    )
    path = write_scan(tmp_path / "a.png")
    killed = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL
    status = Path("/proc", str(int(killed.stdout)), "status")
    deadline = time.monotonic() + 10
    while status.exists() and "\tZ" not in status.read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not status.exists() or "\tZ" in status.read_text()


def test_a_worker_goes_where_the_run_goes(tmp_path, monkeypatch):
    process.end_all()
    for folder in ("one", "two"):
        write_scan(tmp_path / folder / "a.png")
        monkeypatch.chdir(tmp_path / folder)
        with IsolatedDocument(Path("a.png")) as document:
            assert [page.source for page in document.pages()] == [Path("a.png")]


def test_nothing_is_imported_from_the_folder_of_the_documents(tmp_path, monkeypatch):
    for name in ("numpy", "PIL", "pickle", "pagewash"):
        (tmp_path / f"{name}.py").write_text("import os; os._exit(1)")
    process.end_all()
    monkeypatch.chdir(tmp_path)
    with IsolatedDocument(write_scan(tmp_path / "a.png")) as document:
        assert len(list(document.pages())) == 1


def test_an_error_comes_back_as_it_is(tmp_path):
    with pytest.raises(AccessError, match=r"gone\.png cannot be read"):
        IsolatedDocument(tmp_path / "gone.png")
    (tmp_path / "cut.png").write_bytes(write_scan(tmp_path / "a.png").read_bytes()[:300])
    with (
        pytest.raises(UnreadableError, match=r"cut\.png"),
        IsolatedDocument(tmp_path / "cut.png") as document,
    ):
        list(document.pages())


def read_harmful(folder: Path, width: int, **limits: float) -> int:
    path = write_scan(folder / f"{width}.png", shape=(120, width))
    with IsolatedDocument(path, ReadLimits(**limits)) as document:
        return len(list(document.pages()))


def test_a_crash_is_told_by_the_name_of_its_document(harmful, tmp_path):
    with pytest.raises(UnreadableError, match=r"101\.png has ended .* \(SIGSEGV\)"):
        read_harmful(tmp_path, harm.CRASHES)


def test_time_is_limited_by_what_the_processor_did(harmful, tmp_path):
    with pytest.raises(TooSlowError, match=r"103\.png .*--max-document-seconds"):
        read_harmful(tmp_path, harm.COMPUTES, max_document_seconds=1)


def test_a_decoder_that_sleeps_is_not_waited_for_without_end(harmful, tmp_path):
    with pytest.raises(TooSlowError, match=r"102\.png"):
        read_harmful(tmp_path, harm.SLEEPS, max_document_seconds=0.5)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux alone")
def test_memory_is_limited(harmful, tmp_path):
    with pytest.raises(TooLargeError, match=r"104\.png .*--max-document-gigabytes"):
        read_harmful(tmp_path, harm.ALLOCATES, max_document_gigabytes=1)


def test_a_limit_may_be_infinite(tmp_path):
    endless = dict.fromkeys(("max_mpixels", "max_document_gigabytes", "max_document_seconds"), inf)
    with IsolatedDocument(two_pages(tmp_path / "a.tif"), ReadLimits(**endless)) as document:
        assert len(list(document.pages())) == 2


def test_what_a_library_prints_neither_disturbs_nor_reaches_the_terminal(harmful, tmp_path, capfd):
    assert read_harmful(tmp_path, harm.PRINTS) == 1
    assert capfd.readouterr() == ("", "")


def test_pages_together_are_limited(tmp_path):
    path = two_pages(tmp_path / "a.tif")  # 0.0108 megapixels each
    with IsolatedDocument(path, ReadLimits(max_document_mpixels=0.02)) as document:
        assert len(list(document.pages({1}))) == 1
        with pytest.raises(TooLargeError, match=r"--max-document-mpixels"):
            list(document.pages())


def test_a_run_loses_what_does_harm_and_nothing_else(harmful, tmp_path):
    for width in (90, harm.CRASHES, 91, harm.COMPUTES, 92, harm.ALLOCATES, harm.SLEEPS, 93):
        write_scan(tmp_path / "in" / f"{width}.png", shape=(120, width))
    options = RunOptions(
        max_document_seconds=1, max_document_gigabytes=1, max_failures="100%", jobs=2
    )
    plan = plan_run(tmp_path / "in", tmp_path / "out", options)
    report = clean_run(plan, load=lambda run: FakeCleaner())
    assert {path.name for path in (tmp_path / "out").glob("*.png")} == {
        f"{width}.png" for width in (90, 91, 92, 93)
    }
    assert sorted(failure.error for failure in report.failures) == [
        "TooLargeError", "TooSlowError", "TooSlowError", "UnreadableError",
    ]  # fmt: skip
    assert report.exit_code == 2


def test_closing_does_not_wait_for_a_page_that_is_being_decoded(harmful, tmp_path):
    path = write_scan(tmp_path / "a.png", shape=(120, harm.SLEEPS))
    document, raised = IsolatedDocument(path), []

    def read() -> None:
        try:
            list(document.pages())
        except UnreadableError as error:
            raised.append(error)

    reading = threading.Thread(target=read)
    reading.start()
    time.sleep(0.2)
    document.close()
    reading.join(5)
    assert raised


class Hostile:
    """What a worker in a stranger's hands might send."""

    def __reduce__(self):
        return os.system, ("touch /tmp/pagewash-was-here",)


@pytest.mark.parametrize("message", [Hostile(), [Hostile()], Path.home, np.load, open])
def test_an_answer_holds_pages_and_errors_or_is_refused(message):
    stream = io.BytesIO()
    send(stream, message)
    stream.seek(0)
    with pytest.raises(pickle.UnpicklingError, match="is part of no page"):
        receive(stream, trusted=False)


def test_a_worker_that_has_grown_large_is_not_kept(harmful, tmp_path):
    pids = []
    for width in (90, harm.GROWS, 91):
        path = write_scan(tmp_path / f"{width}.png", shape=(120, width))
        with IsolatedDocument(path) as document:
            pids.append(document.worker_pid)
            list(document.pages())
    assert pids[0] == pids[1] != pids[2]


def test_a_worker_reads_though_one_stands_in_a_folder_that_one_may_not_enter(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "cwd", lambda: tmp_path / "shut")
    with IsolatedDocument(write_scan(tmp_path / "a.png")) as document:
        assert document.page_count == 1


def test_what_a_sparse_file_does_not_hold_earns_it_no_time(tmp_path):
    write_scan(tmp_path / "a.tif")
    size = (tmp_path / "a.tif").stat().st_size
    assert stored_bytes((tmp_path / "a.tif").stat()) == size
    with (tmp_path / "a.tif").open("r+b") as file:
        file.truncate(10**12)
    assert size <= stored_bytes((tmp_path / "a.tif").stat()) < 10**6


@pytest.mark.usefixtures("harmful")
def test_who_leaves_at_once_does_not_wait_for_a_reader(tmp_path, tiny_model):
    write_scan(tmp_path / "scans" / "a.png", shape=(40, harm.SLEEPS))

    plan = plan_run(tmp_path / "scans", tmp_path / "out", RunOptions(model=str(tiny_model)))
    # to this thread, as a terminal's goes to the one that waits; another would not wake it
    interrupt = threading.Timer(3, signal.pthread_kill, (threading.get_ident(), signal.SIGINT))
    start = time.monotonic()
    interrupt.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            clean_run(plan, load=lambda run: FakeCleaner())
    finally:
        interrupt.cancel()
    assert time.monotonic() - start < 30
