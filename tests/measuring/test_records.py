"""Rows about pages in Parquet, read by ourselves and by those who come after."""

import dataclasses
import os
import sys
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import reported
from reported import STARTED, write_part

from pagewash.errors import AccessError, OptionError, UnreadableError
from pagewash.measuring.definitions import PageMetrics, definitions
from pagewash.measuring.records import (
    SCHEMA,
    SCHEMA_VERSION,
    VERSION_KEY,
    PageRecord,
    part_path,
    read_records,
    records_table,
    schema_as_markdown,
)

HOW = dataclasses.replace(
    reported.HOW,
    run_id="20260301",  # digits alone: readers guess an integer from the folder's name
    model_sha256="ab" * 32,
    precision_reason="no AVX512-BF16",
    options_hash="cd" * 8,
)

METRICS = PageMetrics(
    **{f.name: index / 64 for index, f in enumerate(dataclasses.fields(PageMetrics)[:-1])},
    blank=False,
)

CLEANED = PageRecord(HOW, "a/1.tif", "cleaned", page=1, width=10, metrics=METRICS, output="a/1.tif")
FAILED = PageRecord(HOW, "a/2.tif", "failed", error="EmptyFileError", message="a/2.tif is empty")


def part(root: Path, number: int, run_id: str = HOW.run_id) -> Path:
    return part_path(root, STARTED.date(), run_id, number)


def test_a_part_stands_where_hive_readers_expect_it(tmp_path):
    assert part(tmp_path, 3) == tmp_path / "date=2026-03-01" / "run=20260301" / "part-3.parquet"


@pytest.mark.parametrize("run_id", ["", "a/b", "a=b", "..", "a b"])
def test_a_run_id_that_cannot_name_a_folder_is_refused(tmp_path, run_id):
    with pytest.raises(OptionError, match="cannot name a folder"):
        part(tmp_path, 0, run_id)


def test_what_is_written_is_read_back(tmp_path):
    write_part(part(tmp_path, 0), [CLEANED, FAILED])
    rows = read_records(part(tmp_path, 0)).to_pylist()
    assert rows == records_table([CLEANED, FAILED]).to_pylist()
    assert rows[0]["ink_lost"] == METRICS.ink_lost
    assert rows[0]["blank"] is False
    assert rows[1]["error"] == "EmptyFileError"
    assert rows[1]["ink_lost"] is rows[1]["page"] is rows[1]["blank"] is None


def test_every_field_of_a_record_is_a_column_and_the_reverse():
    assert set(CLEANED.row()) == set(SCHEMA.names)


def test_every_column_is_described():
    for field in SCHEMA:
        assert field.metadata[b"description"]


def test_the_schema_prints_as_a_table_for_the_readme():
    lines = schema_as_markdown().splitlines()
    assert len(lines) == 2 + len(SCHEMA)
    assert f"| `ink_lost` | float | {definitions()['ink_lost'].description} |" in lines


def test_the_file_carries_version_and_descriptions(tmp_path):
    write_part(part(tmp_path, 0), [CLEANED])
    schema = pq.read_schema(part(tmp_path, 0))
    assert schema.metadata[VERSION_KEY] == str(SCHEMA_VERSION).encode()
    assert (
        schema.field("ink_lost")
        .metadata[b"description"]
        .startswith(b"Ink lost: share of the scan's")
    )


def test_parts_of_all_runs_come_together_in_order(tmp_path):
    for number in (10, 2, 0):
        write_part(part(tmp_path, number), [dataclasses.replace(CLEANED, source=f"{number}.png")])
    other = dataclasses.replace(HOW, run_id="b")
    write_part(part(tmp_path, 0, "b"), [dataclasses.replace(FAILED, how=other)])
    table = read_records(tmp_path)
    assert table["source"].to_pylist() == ["0.png", "2.png", "10.png", "a/2.tif"]
    assert read_records(tmp_path, ["source"]).column_names == ["source"]


def test_the_readers_that_people_use_read_the_folder_with_a_glob(tmp_path):
    write_part(part(tmp_path, 0), [CLEANED])
    write_part(part(tmp_path, 1), [FAILED])
    pattern = (tmp_path / "**" / "*.parquet").as_posix()
    duck = duckdb.sql(f"from read_parquet('{pattern}', hive_partitioning=true)")
    readings = {
        "pandas": pd.read_parquet(tmp_path).to_dict("records"),
        "polars": pl.read_parquet(pattern, hive_partitioning=True).to_dicts(),
        "duckdb": [dict(zip(duck.columns, row, strict=True)) for row in duck.fetchall()],
    }
    for reader, rows in readings.items():
        cleaned, failed = sorted(rows, key=lambda row: row["source"])
        assert set(cleaned) == {*SCHEMA.names, "date", "run"}, reader
        assert (cleaned["status"], failed["status"]) == ("cleaned", "failed")
        assert cleaned["run_id"] == "20260301"
        assert str(cleaned["date"]) == "2026-03-01"
        assert cleaned["ink_lost"] == METRICS.ink_lost
        assert pd.isna(failed["ink_lost"])


def test_nothing_but_the_part_is_left_in_its_folder(tmp_path):
    write_part(part(tmp_path, 0), [CLEANED])
    write_part(part(tmp_path, 0), [CLEANED, FAILED])
    assert [path.name for path in part(tmp_path, 0).parent.iterdir()] == ["part-0.parquet"]
    assert len(read_records(tmp_path)) == 2


def test_a_write_that_fails_leaves_the_earlier_part_and_no_scraps(tmp_path, monkeypatch):
    write_part(part(tmp_path, 0), [CLEANED])

    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(AccessError, match=r"part-0.parquet cannot be written: No space left"):
        write_part(part(tmp_path, 0), [FAILED])
    assert [path.name for path in part(tmp_path, 0).parent.iterdir()] == ["part-0.parquet"]
    assert read_records(tmp_path)["status"].to_pylist() == ["cleaned"]


@pytest.mark.skipif(sys.platform == "win32", reason="umask is POSIX")
def test_a_part_may_be_read_by_whom_the_umask_lets(tmp_path):
    old = os.umask(0o022)
    try:
        write_part(part(tmp_path, 0), [CLEANED])
    finally:
        os.umask(old)
    assert part(tmp_path, 0).stat().st_mode & 0o777 == 0o644


def test_columns_of_a_later_day_are_null_in_an_older_part(tmp_path):
    write_part(part(tmp_path, 0), [CLEANED])
    older = pq.read_table(part(tmp_path, 0), partitioning=None).drop_columns(["novelty"])
    pq.write_table(older, part(tmp_path, 1))
    table = read_records(tmp_path)
    assert table.schema.names == SCHEMA.names
    assert table["novelty"].to_pylist() == [None, None]


def test_a_part_of_a_newer_version_is_refused_with_the_way_out(tmp_path):
    newer = SCHEMA.with_metadata({VERSION_KEY: b"99"})
    pq.write_table(pa.Table.from_pylist([CLEANED.row()], schema=newer), tmp_path / "a.parquet")
    with pytest.raises(UnreadableError, match=r"a.parquet has schema version 99.*upgrade"):
        read_records(tmp_path)


def test_what_is_not_ours_is_named(tmp_path):
    pq.write_table(pa.table({"x": [1]}), tmp_path / "other.parquet")
    with pytest.raises(UnreadableError, match=r"other.parquet was not written by pagewash"):
        read_records(tmp_path)
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(UnreadableError, match=r"broken.parquet is not a readable Parquet file"):
        read_records(tmp_path / "broken.parquet")


@pytest.mark.parametrize(
    ("columns", "version"),
    [({"page": ["one"]}, str(SCHEMA_VERSION)), ({"page": [1]}, "one"), ({"page": [1]}, "")],
)
def test_what_only_looks_like_ours_is_named_too(tmp_path, columns, version):
    table = pa.table(columns).replace_schema_metadata({VERSION_KEY: version.encode()})
    pq.write_table(table, tmp_path / "other.parquet")
    with pytest.raises(UnreadableError, match=r"other.parquet was not written by pagewash"):
        read_records(tmp_path)


def test_a_part_that_is_not_there_any_more_is_an_access_error(tmp_path):
    (tmp_path / "gone.parquet").symlink_to(tmp_path / "nowhere")
    with pytest.raises(AccessError, match=r"gone.parquet cannot be read.*No such file"):
        read_records(tmp_path)


def test_a_scan_in_place_of_a_folder_is_not_taken_for_a_part(tmp_path):
    (tmp_path / "scan.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(AccessError, match=r"scan.jpg holds no metrics"):
        read_records(tmp_path / "scan.jpg")


def test_an_empty_folder_is_named_with_the_option_that_fills_it(tmp_path):
    with pytest.raises(AccessError, match=r"holds no metrics.*--metrics"):
        read_records(tmp_path)


def test_a_value_that_no_column_holds_costs_neither_its_row_nor_another(tmp_path):
    odd = dataclasses.replace(
        CLEANED, source="\udcff.png", size=2**70, modified=-(2**70), width=2**40, dpi_x=float("nan")
    )
    table = records_table([CLEANED, odd, CLEANED])
    assert table.slice(0, 1) == records_table([CLEANED])
    row = table.to_pylist()[1]
    assert row["source"] == "\\xff.png"
    assert (row["size"], row["modified"], row["width"]) == (None, None, None)
    assert row["noise_before"] == METRICS.noise_before
