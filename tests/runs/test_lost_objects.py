"""Objects that cannot be had cost themselves alone; a store that is gone ends the run."""

import cv2
import pytest
from fsspec.implementations.memory import MemoryFile, MemoryFileSystem
from scans import scan

from pagewash.flows.cli import main
from pagewash.measuring.records import read_records


@pytest.fixture
def store():
    """A store in memory, with two scans."""
    fs = MemoryFileSystem()
    for number in range(2):
        put(fs, f"/scans/{number}.png")
    yield fs
    fs.store.clear()
    fs.pseudo_dirs[:] = [""]


def put(fs, name: str, content: bytes = cv2.imencode(".png", scan())[1].tobytes()) -> None:
    """Store an object, also of a name that is that of a folder: buckets have no folders."""
    fs.store[name] = MemoryFile(fs, name, content)


@pytest.fixture
def clean(tiny_model, tmp_path):
    """The command from the store to a place."""
    quick = ["--model", str(tiny_model), "--device", "cpu", "--precision", "fp32"]
    return lambda destination=tmp_path / "out", *more: main(
        ["clean", "memory://scans", str(destination), *quick, *more]
    )


@pytest.fixture
def in_glacier(monkeypatch):
    """Have objects refuse to be fetched."""
    get_file = MemoryFileSystem.get_file

    def arrange(*names: str):
        def refuse(self, path, *arguments, **keywords):
            if path in names:
                raise OSError(5, "The operation is not valid for the object's storage class")
            get_file(self, path, *arguments, **keywords)

        monkeypatch.setattr(MemoryFileSystem, "get_file", refuse)

    return arrange


def test_an_object_that_cannot_be_fetched_is_a_failed_row_and_the_others_are_cleaned(
    store, clean, in_glacier, tmp_path, capsys
):
    in_glacier("/scans/0.png")
    assert clean() == 5
    said = capsys.readouterr().err
    assert "memory://scans/0.png cannot be fetched:" in said
    assert "restored from an archive" in said
    assert (tmp_path / "out" / "1.png").is_file()
    rows = {row["source"]: row["status"] for row in read_records(tmp_path / "out").to_pylist()}
    assert rows["0.png"] == "failed"
    assert rows["1.png"] != "failed"
    in_glacier()
    assert clean() == 0  # restored, and tried again
    assert (tmp_path / "out" / "0.png").is_file()


def test_a_run_of_which_no_object_can_be_fetched_writes_nothing_and_says_so(
    store, clean, in_glacier, tmp_path
):
    in_glacier("/scans/0.png", "/scans/1.png")
    assert clean() == 5
    assert list((tmp_path / "out").glob("*.png")) == []


def test_a_store_that_is_gone_ends_the_run_without_rows(store, clean, in_glacier, tmp_path, capsys):
    in_glacier("/scans/0.png", "/scans/1.png")
    find = MemoryFileSystem.find

    def find_and_go(self, *arguments, **keywords):
        found = find(self, *arguments, **keywords)
        self.store.clear()
        self.pseudo_dirs[:] = [""]
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryFileSystem, "find", find_and_go)
        assert clean() == 5
    assert "memory://scans cannot be reached or refuses" in capsys.readouterr().err
    assert list(tmp_path.rglob("*.parquet")) == []


@pytest.fixture
def refusing(monkeypatch):
    """Have objects refuse to be uploaded."""
    put_file = MemoryFileSystem.put_file

    def arrange(*names: str):
        def refuse(self, local, path, *arguments, **keywords):
            if path in names:
                raise PermissionError(13, "Access Denied by a policy")
            put_file(self, local, path, *arguments, **keywords)

        monkeypatch.setattr(MemoryFileSystem, "put_file", refuse)

    return arrange


def rows_in(fs, tmp_path) -> dict[str, str]:
    """The status of each source, in the rows of the destination."""
    for number, name in enumerate(fs.glob("/cleaned/metrics/*/*/*.parquet")):
        (tmp_path / "rows").mkdir(exist_ok=True)
        fs.get_file(name, str(tmp_path / "rows" / f"{number}.parquet"))
    rows = read_records(tmp_path / "rows").to_pylist()
    return {row["source"]: row["status"] for row in rows}


@pytest.mark.parametrize("before", [False, True], ids=["a new place", "one of before"])
def test_an_output_that_a_store_refuses_is_a_failed_row_and_the_others_are_there(
    store, clean, refusing, tmp_path, capsys, before
):
    if before:
        assert clean("memory://cleaned") == 0
        earlier = store.cat("/cleaned/0.png")
    refusing("/cleaned/0.png")
    assert clean("memory://cleaned", "--force", "--max-failures", "100%") == 5
    said = capsys.readouterr().err
    assert "memory://cleaned/0.png cannot be uploaded:" in said
    assert "Access Denied by a policy" in said
    assert "whether the store takes such a name" in said
    assert store.exists("/cleaned/1.png")
    if before:
        assert store.cat("/cleaned/0.png") == earlier
    else:
        assert not store.exists("/cleaned/0.png")
        rows = rows_in(store, tmp_path)
        assert rows["0.png"] == "failed"
        assert rows["1.png"] != "failed"
    refusing()
    assert clean("memory://cleaned") == 0  # allowed, and tried again
    assert store.exists("/cleaned/0.png")


def test_a_store_that_is_gone_at_the_first_upload_ends_the_run_without_rows(
    store, clean, refusing, monkeypatch, tmp_path, capsys
):
    def gone(self, path, **keywords):
        raise ConnectionError("the line is dead")

    put(store, "/cleaned/note.txt")
    refusing("/cleaned/0.png", "/cleaned/1.png")
    monkeypatch.setattr(MemoryFileSystem, "info", gone)
    metrics = tmp_path / "metrics"
    assert clean("memory://cleaned", "--max-failures", "100%", "--metrics", str(metrics)) == 5
    said = capsys.readouterr().err
    assert said.count("memory://cleaned cannot be reached or refuses: the line is dead") == 1
    assert "cannot be uploaded" not in said
    assert list(metrics.rglob("*.parquet")) == []


@pytest.mark.parametrize("name", [f"{300 * 'a'}.png", "/0.png", "a\0b.png"], ids=ascii)
def test_an_object_whose_name_no_file_can_have_is_told_and_the_others_are_cleaned(
    store, clean, tmp_path, capsys, name
):
    put(store, f"/scans/{name}")
    for told in ("2 documents cleaned", "2 documents are clean already"):
        assert clean() == 5
        out, err = capsys.readouterr()
        assert "cannot be a file on this disk" in err
        assert told in out + err
    assert sorted(path.name for path in (tmp_path / "out").glob("*.png")) == ["0.png", "1.png"]


def test_an_object_with_two_slashes_in_its_name_is_cleaned(store, clean, tmp_path):
    put(store, "/scans/box//2.png")
    assert clean() == 0
    assert (tmp_path / "out" / "box" / "2.png").is_file()


def test_a_store_of_names_that_no_file_can_have_fails(store, clean, capsys):
    for number in range(2):
        store.store[f"/scans/{300 * 'a'}{number}.png"] = store.store.pop(f"/scans/{number}.png")
    assert clean() == 5
    assert "cannot be a file on this disk" in capsys.readouterr().err


def test_odd_objects_in_the_destination_are_left_alone(store, clean, in_glacier, capsys):
    odd = f"/cleaned/{300 * 'a'}.png", "/cleaned/9.png/deep.png", "/cleaned/metrics/note.txt"
    for name in (*odd, "/cleaned/9.png"):
        put(store, name, b"of somebody")
    in_glacier(*odd)
    assert clean("memory://cleaned") == 0
    assert all(store.cat(name) == b"of somebody" for name in odd)
    assert clean("memory://cleaned") == 0
    assert "2 documents are clean already" in capsys.readouterr().err


def test_source_and_destination_the_wrong_way_round_are_refused(store, clean, tiny_model, capsys):
    assert clean("memory://cleaned") == 0
    before = store.cat("/scans/0.png")
    assert main(["clean", "memory://cleaned", "memory://scans", "--model", str(tiny_model)]) == 1
    assert "0.png is there already, and may be another scan" in capsys.readouterr().err
    assert store.cat("/scans/0.png") == before
