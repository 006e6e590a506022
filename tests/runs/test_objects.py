"""Object stores, against a real server of S3's protocol on loopback."""

import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from scans import scan

from pagewash.errors import AccessError, OptionError
from pagewash.flows.cli import main
from pagewash.runs import objects
from pagewash.runs.objects import staged

s3fs = pytest.importorskip("s3fs", reason="pip install '.[stores]'")
moto = pytest.importorskip("moto.server", reason="pip install '.[stores]'")
pq = pytest.importorskip("pyarrow.parquet")

pytestmark = [pytest.mark.timeout(300), pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def store(monkeypatch) -> Iterator[Any]:
    """A bucket with two scans, one of them larger than one part of an upload, and a note."""
    server = moto.ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    reset = urllib.request.Request(f"http://{host}:{port}/moto-api/reset", method="POST")
    urllib.request.urlopen(reset).close()  # buckets outlive their server
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    s3fs.S3FileSystem.clear_instance_cache()
    fs = s3fs.S3FileSystem()
    fs.mkdir("archive")
    for number in range(2):
        png = cv2.imencode(".png", scan(number))[1].tobytes()
        fs.pipe(f"archive/scans/box/{number}.png", png)
    fs.pipe("archive/scans/note.txt", b"no scan")
    yield fs
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


@pytest.fixture
def clean(tiny_model):
    """The command from a place to another."""
    quick = ["--model", str(tiny_model), "--device", "cpu", "--precision", "fp32"]
    return lambda source, destination, *more: main(
        ["clean", str(source), str(destination), *quick, *more]
    )


def below(fs, place: str) -> list[str]:
    fs.invalidate_cache()
    return sorted(name.removeprefix(place) for name in fs.find(place))


def test_outputs_of_another_place_in_a_store_are_not_written_over(store, clean, capsys):
    assert clean("s3://archive/scans", "s3://archive/cleaned") == 0
    store.pipe("archive/february/box/0.png", cv2.imencode(".png", scan(7))[1].tobytes())
    before = store.cat("archive/cleaned/box/0.png")
    capsys.readouterr()
    assert clean("s3://archive/february", "s3://archive/cleaned") == 1
    assert "was cleaned from s3://archive/scans/box/0.png" in capsys.readouterr().err
    store.pipe("archive/scans/box/0.png", cv2.imencode(".png", scan(8))[1].tobytes())
    assert clean("s3://archive/scans", "s3://archive/cleaned") == 0  # a scan that was changed
    store.invalidate_cache()
    assert store.cat("archive/cleaned/box/0.png") != before


def test_a_bucket_is_cleaned_into_another_place_and_the_scans_stay(store, clean, capsys):
    before = {name: store.cat(name) for name in store.find("archive/scans")}
    assert clean("s3://archive/scans", "s3://archive/cleaned") == 0
    outputs = [name for name in below(store, "archive/cleaned/") if "metrics" not in name]
    assert outputs == ["box/0.png", "box/1.png"]
    page = cv2.imdecode(
        np.frombuffer(store.cat("archive/cleaned/box/0.png"), np.uint8), cv2.IMREAD_UNCHANGED
    )
    assert page.shape[:2] == (120, 90)
    assert {name: store.cat(name) for name in store.find("archive/scans")} == before
    (part,) = store.glob("archive/cleaned/metrics/*/*/*.parquet")
    with store.open(part) as file:
        rows = pq.read_table(file).to_pylist()
    assert {row["source_folder"] for row in rows} == {"s3://archive/scans"}
    assert {row["output_folder"] for row in rows} == {"s3://archive/cleaned"}
    assert "A row for every page" not in capsys.readouterr().err  # that folder is gone
    assert clean("s3://archive/scans", "s3://archive/cleaned") == 0
    assert "2 documents are clean already" in capsys.readouterr().err


def test_only_what_is_new_or_changed_is_cleaned_again(store, clean, capsys):
    clean("s3://archive/scans", "s3://archive/cleaned")
    store.pipe("archive/scans/new.png", cv2.imencode(".png", scan(7))[1].tobytes())
    store.rm("archive/cleaned/box/0.png")
    store.invalidate_cache()
    s3fs.S3FileSystem.clear_instance_cache()
    capsys.readouterr()
    assert clean("s3://archive/scans", "s3://archive/cleaned") == 0
    assert "2 documents cleaned" in capsys.readouterr().err
    assert "box/0.png" in below(store, "archive/cleaned/")


def test_a_key_below_that_of_another_scan_is_told_and_the_others_are_cleaned(store, clean, capsys):
    store.pipe("archive/scans/box/0.png/deep.png", store.cat("archive/scans/box/0.png"))
    assert clean("s3://archive/scans", "s3://archive/cleaned") == 5
    assert "box/0.png/deep.png cannot be a file on this disk" in capsys.readouterr().err
    outputs = [name for name in below(store, "archive/cleaned/") if "metrics" not in name]
    assert outputs == ["box/0.png", "box/1.png"]


def test_an_upload_that_breaks_off_shows_no_output_and_no_row(store, clean, monkeypatch):
    put = objects._Destination.put

    def dead(self):
        raise AccessError("the line is dead")

    def broken(self, path, name):
        if name == "box/1.png":
            dead(self)
        put(self, path, name)

    with monkeypatch.context() as patch:
        patch.setattr(objects._Destination, "put", broken)
        patch.setattr(objects._Destination, "check", dead)
        assert clean("s3://archive/scans", "s3://archive/cleaned") == 5
    (*outputs, mark) = below(store, "archive/cleaned/")
    assert outputs in (["box/0.png"], [])  # whole, and not recorded
    assert mark == "metrics/.pagewash"
    s3fs.S3FileSystem.clear_instance_cache()
    assert clean("s3://archive/scans", "s3://archive/cleaned") == 0
    assert len([name for name in below(store, "archive/cleaned/") if "parquet" in name]) == 1


@pytest.mark.parametrize("store", [objects._Source, objects._Destination])
def test_an_object_whose_name_leads_out_of_its_place_is_left_alone(store, tmp_path, monkeypatch):
    (tmp_path / "evil.png").write_bytes(b"precious")
    found = {name: {"size": 3} for name in ("../evil.png", "a.png")}
    monkeypatch.setattr(objects._Store, "found", lambda self: found)
    store("memory://archive", tmp_path / "staged")
    assert (tmp_path / "evil.png").read_bytes() == b"precious"
    assert [path.name for path in (tmp_path / "staged").iterdir()] == ["a.png"]


def test_a_large_upload_counts_from_its_commit_on(store, tmp_path):
    """Killed between its parts and its commit, it leaves nothing to be seen."""
    large = tmp_path / "large.bin"
    large.write_bytes(os.urandom(12 * 2**20))
    client = store.s3

    async def half() -> None:
        upload = await client.create_multipart_upload(Bucket="archive", Key="cleaned/large.bin")
        await client.upload_part(
            Bucket="archive",
            Key="cleaned/large.bin",
            UploadId=upload["UploadId"],
            PartNumber=1,
            Body=large.read_bytes()[: 6 * 2**20],
        )

    from fsspec.asyn import sync

    sync(store.loop, half)
    assert below(store, "archive/cleaned/") == []
    store.put_file(str(large), "archive/cleaned/large.bin")
    assert store.cat("archive/cleaned/large.bin") == large.read_bytes()


def test_a_folder_goes_to_a_bucket_and_a_bucket_to_a_folder(store, clean, folders, tmp_path):
    assert clean(folders[0], "s3://archive/up") == 0
    assert "0.png" in below(store, "archive/up/")
    assert clean("s3://archive/scans", tmp_path / "down") == 0
    assert (tmp_path / "down" / "box" / "1.png").stat().st_size > 0
    (part,) = (tmp_path / "down" / "metrics").rglob("*.parquet")
    rows = pq.ParquetFile(part).read().to_pylist()
    assert {row["source_folder"] for row in rows} == {"s3://archive/scans"}
    assert {row["output_folder"] for row in rows} == {str(tmp_path / "down")}


def test_metrics_of_a_bucket_may_lie_on_a_disk_and_not_the_other_way_round(
    store, clean, folders, tmp_path, capsys
):
    apart = tmp_path / "metrics"
    for told in ("2 documents", "2 documents are clean already"):
        assert clean("s3://archive/scans", "s3://archive/out", "--metrics", str(apart)) == 0
        assert told in capsys.readouterr().err
    assert below(store, "archive/out/") == ["box/0.png", "box/1.png"]
    (part,) = apart.rglob("*.parquet")
    rows = pq.ParquetFile(part).read().to_pylist()
    assert {row["output_folder"] for row in rows} == {"s3://archive/out"}
    assert clean(*folders, "--metrics", "s3://archive/metrics") == 1
    assert "takes a folder on a disk" in capsys.readouterr().err


def test_places_that_lie_in_each_other_and_stores_that_are_not_there_are_refused(store, clean):
    with (
        pytest.raises(OptionError, match="lie in each other"),
        staged(Path("s3://archive/scans"), Path("s3://archive/scans/cleaned")),
    ):
        pass
    assert clean("s3://nowhere/scans", "s3://archive/out") == 5
