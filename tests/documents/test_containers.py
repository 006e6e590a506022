import errno
import os
from pathlib import Path

import pytest

from pagewash.documents.containers import (
    EXTENSIONS,
    WriteOptions,
    find_documents,
    output_path,
    sniff,
)
from pagewash.errors import AccessError

ROOT, OUT = Path("scans"), Path("cleaned")


@pytest.mark.parametrize("name", ["a.tif", "b/c.JPG", "deep/er/d.Pdf", "no-extension", "x.y.png"])
def test_under_keep_a_document_keeps_its_whole_name(name):
    assert output_path(ROOT / name, ROOT, OUT, WriteOptions()) == OUT / name


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("b/c.JPG", "png", "b/c.png"),
        ("A.TIFF", "tiff", "A.TIFF"),
        ("a.jpeg", "jpeg", "a.jpeg"),
        ("a.png", "jpeg", "a.jpg"),
        ("a.png", "tiff", "a.tif"),
        ("a.b.tif", "pdf", "a.b.pdf"),
        ("vol.1", "png", "vol.1.png"),
    ],
)
def test_another_format_changes_the_extension_alone(name, kind, expected):
    assert output_path(ROOT / name, ROOT, OUT, WriteOptions(kind)) == OUT / expected


def test_a_single_file_goes_straight_into_the_destination():
    source = Path("far/away/a.png")
    assert output_path(source, source, OUT, WriteOptions("pdf")) == OUT / "a.pdf"


def test_documents_are_found_in_order_in_any_case_and_depth(tmp_path):
    for name in ["b.TIF", "a/z.jpg", "a/b/c.Pdf", "notes.txt", ".hidden.png", ".trash/d.png"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in find_documents(tmp_path)]
    assert found == ["a/b/c.Pdf", "a/z.jpg", "b.TIF"]


def test_a_link_out_of_the_folder_is_left_out(tmp_path):
    (tmp_path / "elsewhere.png").touch()
    scans = tmp_path / "scans"
    scans.mkdir()
    (scans / "own.png").touch()
    (scans / "out.png").symlink_to(tmp_path / "elsewhere.png")
    (scans / "in.png").symlink_to(scans / "own.png")
    assert [path.name for path in find_documents(scans)] == ["in.png", "own.png"]


def test_a_link_to_itself_is_left_out(tmp_path):
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    (tmp_path / "own.png").touch()
    assert [path.name for path in find_documents(tmp_path) if path.exists()] == ["own.png"]


def test_a_pipe_is_left_out_since_reading_it_may_never_end(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "own.png").touch()
    assert [path.name for path in find_documents(tmp_path)] == ["own.png"]


def test_a_folder_that_cannot_be_listed_is_an_access_error(tmp_path, monkeypatch):
    def refuse(folder):
        raise PermissionError(errno.EACCES, "Permission denied", folder)

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(AccessError, match="cannot be read: Permission denied"):
        find_documents(tmp_path)


def test_files_that_may_not_be_looked_at_are_found_and_reading_them_says_why(tmp_path, monkeypatch):
    (tmp_path / "own.png").touch()

    def refusing(look):
        def refuse(path, **keywords):
            if str(path).endswith("own.png"):
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return look(path, **keywords)

        return refuse

    for name in ("stat", "lstat"):
        monkeypatch.setattr(os, name, refusing(getattr(os, name)))
    assert find_documents(tmp_path) == [tmp_path / "own.png"]


def test_a_file_is_found_whatever_its_name(tmp_path):
    assert find_documents(tmp_path / "scan") == [tmp_path / "scan"]


@pytest.mark.parametrize("head", [b"", b"GIF89a", b"hello", b"RIFF\0\0\0\0WAVE", b"\0" * 99])
def test_what_is_no_document_is_not_sniffed(head):
    assert sniff(head) is None


def test_a_pdf_may_begin_after_some_rubbish():
    assert sniff(b"\r\n junk %PDF-1.4") == "pdf"


def test_no_extension_belongs_to_two_containers():
    known = [extension for extensions in EXTENSIONS.values() for extension in extensions]
    assert len(known) == len(set(known))
