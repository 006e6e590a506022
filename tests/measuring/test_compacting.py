"""Many parts become few: no row is lost, none comes twice, whatever interrupts it."""

import contextvars
import datetime
import json
import time

import duckdb
import pytest
from reported import STARTED, row, write_part, write_run

from pagewash.errors import AccessError, HeldError, UnreadableError
from pagewash.flows.cli import main
from pagewash.measuring import compacting
from pagewash.measuring.compacting import compact
from pagewash.measuring.records import find_parts, part_path, read_records, write_table
from pagewash.options import RunOptions
from pagewash.runs.holding import hold

DAYS, RUNS = 10, 100
TODAY = datetime.date(2026, 3, DAYS + 1)


@pytest.fixture
def metrics(tmp_path):
    """Two days of three runs each, and a part of today."""
    for day in (1, 2, TODAY.day):
        for run in range(3):
            path = part_path(tmp_path, datetime.date(2026, 3, day), f"r{day}-{run}", 0)
            write_part(path, [row(f"{day}-{run}.png")])
    return tmp_path


def sources(metrics) -> list[str]:
    return sorted(read_records(metrics)["source"].to_pylist())


def test_the_parts_of_each_day_become_one_with_the_same_rows_and_today_stays(metrics):
    before = sources(metrics)
    done = compact(metrics, TODAY)
    assert (done.before, done.after) == (9, 5)
    assert sources(metrics) == before
    days = {path.relative_to(metrics).parts[:2] for path in find_parts(metrics)}
    assert ("date=2026-03-01", "run=compacted") in days
    assert ("date=2026-03-11", "run=r11-0") in days
    assert not (metrics / "date=2026-03-01" / "run=r1-0").exists()
    found = duckdb.sql(
        f"SELECT date, count(*) FROM '{metrics}/**/*.parquet' GROUP BY date ORDER BY date"
    ).fetchall()
    assert [count for _, count in found] == [3, 3, 3]


def test_a_folder_without_metrics_is_refused(tmp_path):
    with pytest.raises(AccessError, match="holds no metrics"):
        compact(tmp_path / "nowhere", TODAY)


@pytest.mark.parametrize("place", ["", "metrics"])
def test_it_does_not_come_in_the_way_of_a_run(tmp_path, place):
    out = write_run(tmp_path, [row("a.png")])
    (tmp_path / "scans").mkdir()
    with hold(tmp_path / "scans", out, RunOptions()):
        another = contextvars.Context()
        code = another.run(main, ["metrics", "compact", str(out / place)])
    assert code == HeldError.exit_code


def test_a_second_time_takes_what_has_come_since_and_else_changes_nothing(metrics):
    compact(metrics, TODAY)
    held = find_parts(metrics)
    compact(metrics, TODAY)
    assert find_parts(metrics) == held
    write_part(part_path(metrics, datetime.date(2026, 3, 1), "late", 0), [row("late.png")])
    compact(metrics, TODAY)
    assert sources(metrics).count("late.png") == 1
    assert len(find_parts(metrics / "date=2026-03-01")) == 1


def test_an_interrupted_one_is_finished_by_the_next_with_no_row_twice(metrics, monkeypatch):
    before = sources(metrics)

    def power_cut(day, names):
        (day / names[0]).unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(compacting, "_remove", power_cut)
        with pytest.raises(KeyboardInterrupt):
            compact(metrics, TODAY)
    assert set(sources(metrics)) == set(before)
    compact(metrics, TODAY)
    assert sources(metrics) == before


def test_a_day_with_a_damaged_part_stays_as_it_is(metrics):
    damaged = part_path(metrics, datetime.date(2026, 3, 1), "r1-0", 0)
    damaged.write_bytes(b"half a fi")
    with pytest.raises(UnreadableError, match="r1-0"):
        compact(metrics, TODAY)
    assert len(find_parts(metrics / "date=2026-03-01")) == 3


def test_a_day_whose_compacted_part_is_damaged_is_told(metrics):
    compact(metrics, TODAY)
    part = next((metrics / "date=2026-03-01" / "run=compacted").iterdir())
    part.write_bytes(part.read_bytes()[:500])
    with pytest.raises(UnreadableError, match="is damaged, or not pagewash's"):
        compact(metrics, TODAY)


def test_a_full_disk_costs_nothing(metrics, monkeypatch):
    before = sources(metrics)

    def full(path, table):
        raise AccessError("no space")

    monkeypatch.setattr(compacting, "write_table", full)
    with pytest.raises(AccessError):
        compact(metrics, TODAY)
    assert sources(metrics) == before


def test_the_command_takes_the_folder_of_the_outputs(tmp_path, capsys):
    out = write_run(tmp_path, [row("a.png")])
    write_part(part_path(out / "metrics", STARTED.date(), "two", 0), [row("b.png")])
    assert main(["metrics", "compact", str(out)]) == 0
    assert "2 files became 1" in capsys.readouterr().out
    assert main(["metrics", str(out)]) == 0
    assert "2 documents" in capsys.readouterr().out


@pytest.mark.slow
def test_a_thousand_parts_are_read_ten_times_as_fast(tmp_path):
    for day in range(1, DAYS + 1):
        for run in range(RUNS):
            path = part_path(tmp_path, datetime.date(2026, 3, day), f"r{run}", 0)
            write_part(path, [row(f"{day}-{run}.png")])
    start = time.monotonic()
    before = sources(tmp_path)
    small = time.monotonic() - start
    assert compact(tmp_path, TODAY).after == DAYS
    start = time.monotonic()
    assert sources(tmp_path) == before
    assert 10 * (time.monotonic() - start) < small


def test_a_part_that_others_wrote_has_nothing_removed_that_is_no_part_of_its_day(metrics):
    """Its metadata may name anything."""
    precious = metrics.parent / "precious.txt"
    precious.write_text("kept")
    compact(metrics, TODAY)
    (part,) = find_parts(metrics / "date=2026-03-01")
    table = read_records(part)
    names = json.dumps(["../../precious.txt", str(precious), f"../../{precious.name}"])
    metadata = table.schema.metadata | {compacting.REPLACES_KEY: names.encode()}
    write_table(part, table.replace_schema_metadata(metadata))
    compact(metrics, TODAY)
    assert precious.read_text() == "kept"
