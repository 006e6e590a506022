"""Originals that are done leave the inbox: never lost, never over another file."""

import errno
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path

import pytest

from pagewash.documents.containers import find_documents
from pagewash.errors import AccessError, OptionError
from pagewash.leftovers import clear_leftovers
from pagewash.runs import archive, conflicts
from pagewash.runs.archive import check_archive, move_to_archive, name_apart


@pytest.fixture
def inbox(tmp_path) -> Path:
    folder = tmp_path / "inbox" / "2026"
    folder.mkdir(parents=True)
    (folder / "a.png").write_bytes(b"first")
    os.utime(folder / "a.png", (1000, 1000))
    return tmp_path / "inbox"


@pytest.fixture(params=["same disk", "another disk", "no links at all"])
def disk(request, monkeypatch) -> str:
    """Where the archive lies."""
    link, disk = os.link, str(request.param)

    def refuse(source, target, **options):
        if disk == "no links at all" or Path(source).parent != Path(target).parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        link(source, target, **options)

    if disk != "same disk":
        monkeypatch.setattr(os, "link", refuse)
    return disk


def test_a_document_moves_to_its_place_with_its_time(inbox, tmp_path, disk):
    moved = move_to_archive(inbox / "2026" / "a.png", inbox, tmp_path / "archive")
    assert moved == tmp_path / "archive" / "2026" / "a.png"
    assert moved.read_bytes() == b"first"
    assert moved.stat().st_mtime == 1000
    assert not (inbox / "2026" / "a.png").exists()
    assert list(moved.parent.iterdir()) == [moved]


def test_a_name_that_is_taken_gets_a_number(inbox, tmp_path, disk):
    archive = tmp_path / "archive"
    for number in range(3):
        (inbox / "2026" / "a.png").write_bytes(b"%d" % number)
        move_to_archive(inbox / "2026" / "a.png", inbox, archive)
    found = {path.name: path.read_bytes() for path in (archive / "2026").iterdir()}
    assert found == {"a.png": b"0", "a (2).png": b"1", "a (3).png": b"2"}


def test_a_document_whose_name_is_taken_gets_the_first_number_that_is_free(inbox, disk):
    path = inbox / "2026" / "a.png"
    path.with_name("a (3).png").write_bytes(b"of another scan")
    taken = {path, path.with_name("a (2).png")}
    assert name_apart(path, taken.__contains__) == path.with_name("a (4).png")
    found = {each.name: each.read_bytes() for each in path.parent.iterdir()}
    assert found == {"a (3).png": b"of another scan", "a (4).png": b"first"}


def test_a_full_disk_leaves_the_document_where_it_was(inbox, tmp_path, monkeypatch):
    def refuse(source, target, **options):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    def full(source, target):
        target.write(b"fi")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(AccessError, match="No space left"):
        move_to_archive(inbox / "2026" / "a.png", inbox, tmp_path / "archive")
    assert (inbox / "2026" / "a.png").read_bytes() == b"first"
    assert [path for path in (tmp_path / "archive").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("place", ["inbox/done", "inbox", ".", "out/originals"])
def test_an_archive_in_the_inbox_or_the_destination_is_refused(tmp_path, place):
    (tmp_path / "inbox").mkdir()
    with pytest.raises(OptionError, match="lie in each other"):
        check_archive(tmp_path / place, tmp_path / "inbox", tmp_path / "out")
    check_archive(tmp_path / "archive", tmp_path / "inbox", tmp_path / "out")


@pytest.mark.parametrize("around", [".", ".."])
def test_an_archive_that_is_the_inbox_under_another_mount_is_refused(
    inbox, tmp_path, monkeypatch, around
):
    monkeypatch.setattr(conflicts, "real_path", lambda path: path.absolute())
    monkeypatch.setattr(archive, "real_path", lambda path: path.absolute())
    (tmp_path / "mount").symlink_to(inbox / around)
    with pytest.raises(OptionError, match="lie in each other"):
        check_archive(tmp_path / "mount", inbox, tmp_path / "out")


def test_an_archive_that_leads_back_into_the_inbox_takes_no_document_away(inbox, tmp_path, disk):
    (tmp_path / "archive").mkdir()
    for place in ("2026", "."):
        (tmp_path / "archive" / "2026").symlink_to(inbox / place)
        with pytest.raises(AccessError, match="leads back into"):
            move_to_archive(inbox / "2026" / "a.png", inbox, tmp_path / "archive")
        (tmp_path / "archive" / "2026").unlink()
        assert [path.name for path in inbox.rglob("*") if path.is_file()] == ["a.png"]
    assert (inbox / "2026" / "a.png").read_bytes() == b"first"


def test_a_scan_that_comes_under_the_same_name_meanwhile_stays(inbox, tmp_path, monkeypatch):
    path, link = inbox / "2026" / "a.png", os.link

    def link_then_scan(source, target, **options):
        link(source, target, **options)
        if Path(source) == path:
            (tmp_path / "next").write_bytes(b"second")
            (tmp_path / "next").replace(path)

    monkeypatch.setattr(os, "link", link_then_scan)
    moved = move_to_archive(path, inbox, tmp_path / "archive")
    assert moved.read_bytes() == b"first"
    assert path.read_bytes() == b"second"
    assert list(path.parent.iterdir()) == [path]


@pytest.fixture
def while_it_is_archived(monkeypatch):
    """Have something happen once the archive has its copy, and before the original goes."""

    def arrange(happens):
        flush = archive._flush

        def meanwhile(folder):
            monkeypatch.setattr(archive, "_flush", flush)
            flush(folder)
            happens()

        monkeypatch.setattr(archive, "_flush", meanwhile)

    return arrange


def test_a_scan_that_is_written_over_the_one_before_meanwhile_stays(
    inbox, tmp_path, disk, while_it_is_archived
):
    path, place = inbox / "2026" / "a.png", tmp_path / "archive" / "2026" / "a.png"
    while_it_is_archived(lambda: path.write_bytes(b"second"))
    if disk == "same disk":  # it would be written to in the archive as well
        with pytest.raises(AccessError, match="changed while it was archived; it stays"):
            move_to_archive(path, inbox, tmp_path / "archive")
        assert not place.exists()
    else:
        assert move_to_archive(path, inbox, tmp_path / "archive") == place
        assert place.read_bytes() == b"first"
    assert path.read_bytes() == b"second"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("taken", [False, True])
def test_a_scan_that_is_put_back_is_the_file_that_its_scanner_writes_to(
    inbox, tmp_path, disk, while_it_is_archived, monkeypatch, taken
):
    path, scanner = inbox / "2026" / "a.png", []
    set_aside = archive._set_aside

    def scan_again():
        path.unlink()
        scanner.append(path.open("wb", buffering=0))
        scanner[0].write(b"page 1,")

    def set_aside_and_scan(place):
        aside = set_aside(place)
        if taken and place == path and not path.exists():
            path.write_bytes(b"third")
        return aside

    while_it_is_archived(scan_again)
    monkeypatch.setattr(archive, "_set_aside", set_aside_and_scan)
    moved = move_to_archive(path, inbox, tmp_path / "archive")
    scanner[0].write(b" page 2")
    scanner[0].close()
    assert moved.read_bytes() == b"first"
    found = {each.name: each.read_bytes() for each in path.parent.iterdir()}
    second = {"a (2).png" if taken else "a.png": b"page 1, page 2"}
    assert found == second | ({"a.png": b"third"} if taken else {})


def test_a_scan_that_replaces_the_one_before_while_that_is_copied_stays(
    inbox, tmp_path, monkeypatch
):
    path, copy = inbox / "2026" / "a.png", shutil.copyfileobj

    def refuse(source, target, **options):
        raise OSError(errno.EPERM, "Operation not permitted")

    def copy_then_scan(source, target):
        copy(source, target)
        (tmp_path / "next").write_bytes(b"second")
        (tmp_path / "next").replace(path)

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(shutil, "copyfileobj", copy_then_scan)
    assert move_to_archive(path, inbox, tmp_path / "archive").read_bytes() == b"first"
    assert path.read_bytes() == b"second"


@pytest.mark.parametrize("late", [False, True])
def test_a_scan_that_grows_while_it_is_copied_stays(inbox, tmp_path, monkeypatch, late):
    path, copy = inbox / "2026" / "a.png", shutil.copyfileobj

    def refuse(source, target, **options):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    def copy_meanwhile(source, target):
        if late:
            copy(source, target)
        with path.open("ab") as scanner:
            scanner.write(b" and more")
        if not late:
            copy(source, target)

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(shutil, "copyfileobj", copy_meanwhile)
    with pytest.raises(AccessError, match="it stays"):
        move_to_archive(path, inbox, tmp_path / "archive")
    assert path.read_bytes() == b"first and more"
    assert list(path.parent.iterdir()) == [path]
    assert list((tmp_path / "archive" / "2026").iterdir()) == []


def test_a_document_that_gets_a_number_is_the_file_that_its_scanner_writes_to(inbox, disk):
    path = inbox / "2026" / "a.png"
    with path.open("wb", buffering=0) as scanner:
        scanner.write(b"page 1,")
        apart = name_apart(path, lambda place: False)
        scanner.write(b" page 2")
    assert {each: each.read_bytes() for each in path.parent.iterdir()} == {apart: b"page 1, page 2"}


def test_a_private_document_is_private_while_it_is_copied(inbox, tmp_path, disk, monkeypatch):
    path, copy, seen = inbox / "2026" / "a.png", shutil.copyfileobj, []
    path.chmod(0o640)

    def look(source, target):
        copy(source, target)
        seen.append(stat.S_IMODE(os.fstat(target.fileno()).st_mode))

    monkeypatch.setattr(shutil, "copyfileobj", look)
    moved = move_to_archive(path, inbox, tmp_path / "archive")
    assert set(seen) == (set() if disk == "same disk" else {0o600})
    assert stat.S_IMODE(moved.stat().st_mode) == 0o640


@pytest.fixture
def changes(monkeypatch) -> list[tuple[str, Path]]:
    """What is done to the disk, in order: files and folders flushed, names given and taken."""
    done: list[tuple[str, Path]] = []

    def noted(name, call):
        def change(place, *others, **options):
            path = Path(f"/dev/fd/{place}").resolve() if name == "fsync" else Path(place)
            call(place, *others, **options)
            done.append((name, Path(others[0]) if others else path))

        return change

    for name in ("fsync", "link", "rename", "unlink"):
        monkeypatch.setattr(os, name, noted(name, getattr(os, name)))
    return done


def test_the_disk_keeps_the_copy_and_its_name_before_the_original_goes(
    inbox, tmp_path, disk, changes
):
    moved = move_to_archive(inbox / "2026" / "a.png", inbox, tmp_path / "archive")
    goes = next(at for at, (_, place) in enumerate(changes) if inbox in place.parents)
    before = [(what, place) for what, place in changes[:goes] if place.suffix != ".part"]
    folders = [("fsync", folder) for folder in (moved.parent, tmp_path / "archive", tmp_path)]
    name = "rename" if disk == "no links at all" else "link"
    assert before[-4:] == [(name, moved), *folders]
    if disk != "same disk":
        (what, copy), *_ = changes
        assert (what, copy.parent, copy.suffix) == ("fsync", moved.parent, ".part")
    assert list((inbox / "2026").iterdir()) == []


def test_a_disk_that_does_not_keep_the_name_leaves_the_document_where_it_was(
    inbox, tmp_path, monkeypatch
):
    def broken(descriptor):
        raise OSError(errno.EIO, "Input/output error")

    path = inbox / "2026" / "a.png"
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", broken)
        with pytest.raises(AccessError, match="Input/output error"):
            move_to_archive(path, inbox, tmp_path / "archive")
    assert path.read_bytes() == b"first"
    moved = move_to_archive(path, inbox, tmp_path / "archive")
    assert list(moved.parent.iterdir()) == [moved]


class KilledError(BaseException):
    """The process is gone: what it would have cleaned up stays."""


def kill_after(patch: pytest.MonkeyPatch, changes: int) -> None:
    """Let so many changes to the disk happen, and none after those."""
    left = iter(range(changes))

    def until_killed(call):
        def change(*arguments, **options):
            if next(left, None) is None:
                raise KilledError
            return call(*arguments, **options)

        return change

    for name in ("fsync", "link", "rename", "unlink"):
        patch.setattr(os, name, until_killed(getattr(os, name)))


def found_in(*folders: Path) -> set[bytes]:
    """What a look at the folders finds, after a run that removes what killed ones have left."""
    for folder in folders:
        clear_leftovers(folder)
    return {path.read_bytes() for folder in folders for path in find_documents(folder)}


KILLS = range(16)
"""Changes to the disk after which to kill; the longest way has fewer."""


@pytest.mark.parametrize("changes", KILLS)
@pytest.mark.parametrize("replaced", [False, True])
def test_whenever_archiving_is_killed_the_next_look_finds_every_scan(
    inbox, tmp_path, disk, monkeypatch, while_it_is_archived, replaced, changes
):
    path, archived = inbox / "2026" / "a.png", tmp_path / "archive"
    scans = {b"first"}

    def scan_again():
        (tmp_path / "next").write_bytes(b"second")
        (tmp_path / "next").replace(path)
        scans.add(b"second")

    if replaced:  # so that it is the other that is set aside, and put back
        while_it_is_archived(scan_again)
    killed = True
    with monkeypatch.context() as patch, suppress(KilledError):
        kill_after(patch, changes)
        move_to_archive(path, inbox, archived)
        killed = False
    assert not killed or changes < KILLS[-1], "there is more to be killed in"
    assert found_in(inbox, archived) >= scans
    while left := find_documents(inbox):
        move_to_archive(left[0], inbox, archived)
    assert found_in(archived) >= scans


@pytest.mark.parametrize("changes", KILLS)
def test_whenever_numbering_is_killed_the_next_look_finds_the_scan(
    inbox, disk, monkeypatch, changes
):
    with monkeypatch.context() as patch, suppress(KilledError):
        kill_after(patch, changes)
        name_apart(inbox / "2026" / "a.png", lambda place: False)
    assert found_in(inbox) == {b"first"}


def test_what_was_archived_whole_before_a_kill_is_not_archived_twice(
    inbox, tmp_path, disk, monkeypatch
):
    path, archived = inbox / "2026" / "a.png", tmp_path / "archive"
    with monkeypatch.context() as patch, suppress(KilledError):
        patch.setattr(archive, "_set_aside", _killed)
        move_to_archive(path, inbox, archived)
    assert found_in(inbox) == found_in(archived) == {b"first"}
    moved = move_to_archive(path, inbox, archived)
    assert list(moved.parent.iterdir()) == [moved]
    assert find_documents(inbox) == []


def _killed(path: Path) -> Path:
    raise KilledError
