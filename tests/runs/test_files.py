import errno
import io
import os
from pathlib import Path

import pytest

from pagewash.errors import AccessError
from pagewash.files import access_errors, sha256_of, whole_file, whole_stream, write_atomically

ROOT = Path(__file__).parents[2]


def test_a_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "new" / "folder" / "a.bin"
    with whole_file(path) as file:
        file.write(b"all of it")
        assert not path.exists()
    assert path.read_bytes() == b"all of it"
    assert list(path.parent.iterdir()) == [path]


def write_half(path, error):
    with whole_file(path) as file:
        file.write(b"half of")
        raise error


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_after_an_exception_nothing_is_left_and_what_stood_there_stands(tmp_path, error):
    path = tmp_path / "a.bin"
    path.write_bytes(b"before")
    with pytest.raises(error):
        write_half(path, error)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_while_it_is_written_it_is_hidden(tmp_path):
    with whole_file(tmp_path / "a.png"):
        (name,) = (path.name for path in tmp_path.iterdir())
    assert name.startswith(".")


def test_a_link_in_the_place_of_an_output_is_replaced_and_not_followed(tmp_path):
    (tmp_path / "precious.png").write_bytes(b"precious")
    (tmp_path / "a.png").symlink_to("precious.png")
    write_atomically(tmp_path / "a.png", b"cleaned")
    assert (tmp_path / "precious.png").read_bytes() == b"precious"
    assert not (tmp_path / "a.png").is_symlink()


def test_a_name_as_long_as_names_may_be_can_be_written(tmp_path):
    path = tmp_path / ("n" * 251 + ".png")
    with whole_file(path) as file:
        file.write(b"x")
    assert path.exists()


def test_a_file_in_the_way_of_a_folder_is_an_access_error(tmp_path):
    (tmp_path / "a").touch()
    with (
        pytest.raises(AccessError, match=r"a/b\.png cannot be written"),
        whole_file(tmp_path / "a" / "b.png"),
    ):
        pass


def test_a_folder_in_the_place_of_the_file_is_an_access_error_and_leaves_nothing(tmp_path):
    (tmp_path / "a.png").mkdir()
    with pytest.raises(AccessError, match=r"a\.png"), whole_file(tmp_path / "a.png"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def fail(error):
    with access_errors("a.png", "written"):
        raise error


def test_a_full_disk_is_named_with_its_way_out():
    with pytest.raises(AccessError, match=r"a\.png cannot be written.*Free some space"):
        fail(OSError(errno.ENOSPC, "No space left on device"))


def test_an_error_without_a_number_is_not_the_systems():
    with pytest.raises(OSError, match="broken data stream") as caught:
        fail(OSError("broken data stream"))
    assert not isinstance(caught.value, AccessError)


def write_half_to(stream):
    with whole_stream(stream, "standard output") as file:
        file.write(b"half of")
        raise RuntimeError


def test_a_stream_gets_everything_at_the_end_or_nothing():
    stream = io.BytesIO()
    with whole_stream(stream, "standard output") as file:
        file.write(b"all of it")
        assert stream.getvalue() == b""
    assert stream.getvalue() == b"all of it"
    with pytest.raises(RuntimeError):
        write_half_to(stream)
    assert stream.getvalue() == b"all of it"


@pytest.mark.timeout(10)
def test_what_has_become_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "scan.png")
    with pytest.raises(AccessError, match="no file any more"):
        sha256_of(tmp_path / "scan.png")
