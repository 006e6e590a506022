"""What stands in a report, and where its pictures come from."""

import base64
import dataclasses
import datetime
import io
import json
import os
import re
from pathlib import Path

import cv2
import img2pdf
import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from reported import HOW, STARTED, row, write_pages, write_run
from scans import scan

from pagewash.documents.viewing import view_page
from pagewash.errors import AccessError, OptionError, UnreadableError
from pagewash.flows.cli import main
from pagewash.measuring.records import read_records, records_table
from pagewash.reporting.charts import HEIGHT, WIDTH, draw_charts
from pagewash.reporting.closeup import find_closeup
from pagewash.reporting.contents import collect
from pagewash.reporting.places import Places
from pagewash.reporting.report import ReportOptions, write_report
from pagewash.reporting.trends import draw_trends

NASTY = '"><img src=x onerror=alert(1)></script><script>alert(2)</script>.png'


def contents(out: Path, pictures: int = 24, scans: Path | None = None):
    return collect("out", read_records(out), Places.around(out, scans, None), pictures)


def image(uri: str) -> np.ndarray:
    with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as opened:
        assert opened.format == "WEBP"
        return np.asarray(opened.convert("L"))


def test_the_neediest_pages_come_first_and_get_the_pictures(tmp_path):
    write_pages(tmp_path, ["fine.png", "lost.png", "look.png"])
    rows = [
        row("fine.png"),
        row("lost.png", ink_lost=0.03),
        row("look.png", "review", ink_added=0.1, message="10 % of the ink came from nowhere"),
        row("broken.png", "failed", message="broken.png is empty"),
    ]
    found = contents(write_run(tmp_path, rows), pictures=2)
    assert [values[0] for values in found.rows] == [
        "broken.png",
        "look.png",
        "lost.png",
        "fine.png",
    ]
    assert [page.source for page in found.pictured] == ["look.png", "lost.png"]
    assert found.pictured_rows == (1, 2)
    assert [failure.message for failure in found.failures] == ["broken.png is empty"]


def test_pictures_show_the_page_before_and_after(tmp_path):
    write_pages(tmp_path, ["a.png"])
    [page] = contents(write_run(tmp_path, [row("a.png")])).pictured
    pair = page.pictures.whole
    before, after = image(pair.before), image(pair.after)
    assert before.shape == after.shape == (pair.height, pair.width) == (300, 220)
    assert before.mean() == pytest.approx(scan(0, (300, 220)).mean(), abs=2)
    assert after.mean() > before.mean() + 30
    assert max(image(page.pictures.thumbnail).shape) == 112


def test_a_document_of_which_some_pages_were_cleaned_shows_those_pages(tmp_path):
    pages = [Image.fromarray(np.full((60, 40), level, np.uint8)) for level in (10, 90, 170, 250)]
    for folder, chosen in (("scans", pages), ("out", [pages[1], pages[3]])):  # --pages 2,4
        (tmp_path / folder).mkdir()
        chosen[0].save(tmp_path / folder / "book.tif", save_all=True, append_images=chosen[1:])
    rows = [row("book.tif", page=number, document_pages=4) for number in (2, 4)]
    shown = contents(write_run(tmp_path, rows)).pictured
    levels = [
        (image(page.pictures.whole.before).mean(), image(page.pictures.whole.after).mean())
        for page in shown
    ]
    assert levels == [pytest.approx((90, 90), abs=3), pytest.approx((250, 250), abs=3)]


def test_a_page_of_a_pdf_is_shown_as_one_sees_it(tmp_path):
    assert cv2.imwrite(str(tmp_path / "page.png"), scan(3, (600, 450)))
    layout = img2pdf.get_layout_fun((img2pdf.mm_to_pt(210), img2pdf.mm_to_pt(297)))
    pdf = tmp_path / "page.pdf"
    pdf.write_bytes(img2pdf.convert(str(tmp_path / "page.png"), layout_fun=layout))
    pixels = view_page(pdf, 0)
    assert pixels.shape[0] / pixels.shape[1] == pytest.approx(600 / 450, rel=0.1)
    with pytest.raises(UnreadableError, match="has 1 pages, and none 2"):
        view_page(pdf, 1)


def test_what_is_not_there_any_more_is_told_with_the_way_out(tmp_path):
    write_pages(tmp_path, ["a.png", "b.png"])
    out = write_run(tmp_path, [row("a.png", ink_lost=0.1), row("b.png")])
    (tmp_path / "scans").rename(tmp_path / "moved")
    (out / "b.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    first, second = contents(out).pictured
    assert first.pictures.notes == ("The scan is not where it was; name its folder with --scans.",)
    assert first.pictures.whole.before is None
    assert first.pictures.whole.after
    assert "cannot be read as PNG" in second.pictures.notes[1]
    assert second.pictures.whole is None
    assert contents(out, scans=tmp_path / "moved").pictured[0].pictures.whole.before


def test_outputs_that_moved_with_their_metrics_are_found(tmp_path):
    write_pages(tmp_path, ["box/a.png"])
    out = write_run(tmp_path, [row("box/a.png")])
    elsewhere = out.rename(tmp_path / "elsewhere")
    [run] = elsewhere.glob("metrics/*/*")
    for place in (elsewhere, elsewhere / "metrics", run, run / "part-0.parquet"):
        found = Places.around(place, None, None).output(read_records(place).to_pylist()[0])
        assert found == elsewhere / "box" / "a.png"


def test_the_closeup_is_where_most_ink_was_lost():
    before = scan(0, (2400, 2000))
    after = before.copy()
    after[1500:1600, 300:600] = 200
    found = find_closeup(before, after)
    assert found is not None
    rows, columns = found
    assert (rows.stop - rows.start, columns.stop - columns.start) == (560, 800)
    assert rows.start <= 1500 < 1600 <= rows.stop
    assert columns.start <= 300 < 600 <= columns.stop


@pytest.mark.parametrize("shape", [(500, 700), (6, 5000)])
def test_a_page_that_is_hardly_larger_or_a_thin_strip_has_no_closeup(shape):
    page = np.full(shape, 200, np.uint8)
    assert find_closeup(page, page) is None


def test_a_page_without_any_ink_has_no_closeup():
    page = np.full((2000, 1500), 230, np.uint8)
    assert find_closeup(page, page) is None


def test_noisy_scans_do_not_swell_the_report(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (600, 500), dtype=np.uint8)
    for folder in ("scans", "out"):
        (tmp_path / folder).mkdir()
        assert cv2.imwrite(str(tmp_path / folder / "a.png"), noise)
    out = write_run(tmp_path, [row("a.png")])
    assert write_report(out, tmp_path / "r.html").size < 700_000


def test_charts_reach_over_all_pages_and_keep_to_their_frame(tmp_path):
    rows = [row(str(n), noise_before=n, noise_after=1, ink_added=n / 100) for n in range(9)]
    charts = {
        chart.metric.name: chart for chart in draw_charts(read_records(write_run(tmp_path, rows)))
    }
    noise, added = charts["noise"], charts["ink_added"]
    assert [(strip.label, strip.median) for strip in noise.strips] == [
        ("Scan", "4"),
        ("Cleaned", "1"),
    ]
    assert noise.strips[0].middle == pytest.approx(WIDTH / 2, rel=0.05)
    assert (added.low, added.high) == ("0 %", "8 %")
    assert added.limit == pytest.approx(WIDTH / 4, rel=0.01)
    assert "novelty" not in charts
    for strip in (*noise.strips, *added.strips):
        heights = [float(height) for height in re.findall(r"V([\d.]+)", strip.outline)]
        assert (min(heights), max(heights)) == (0, HEIGHT)


def test_a_share_that_all_pages_have_alike_stays_a_share(tmp_path):
    out = write_run(tmp_path, [row("a", sharpness_before=1, sharpness_after=1)])
    sharpness = next(c for c in draw_charts(read_records(out)) if c.metric.name == "sharpness")
    assert (sharpness.low, sharpness.high) == ("50 %", "100 %")
    assert {strip.middle for strip in sharpness.strips} == {WIDTH}


def test_columns_that_tell_no_page_from_another_are_left_out(tmp_path):
    names = [column.name for column in contents(write_run(tmp_path, [row("a"), row("b")])).columns]
    assert names == ["source", "status", "ink_lost", "ink_added"]
    more = [row("a", page=1, novelty=3), row("a", page=2, novelty=99)]
    assert {"page", "novelty"} < {c.name for c in contents(write_run(tmp_path, more)).columns}


def test_names_are_escaped_wherever_they_stand(tmp_path):
    rows = [row(NASTY, "review", message=NASTY), row(NASTY + "2", "failed", message=NASTY)]
    write_report(write_run(tmp_path, rows), tmp_path / "r.html")
    html = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<img src=x" not in html
    assert html.count("</script>") == html.count("<script")
    table = re.search(r'id="table">(.*?)</script>', html, re.DOTALL)
    assert {values[0] for values in json.loads(table[1])["rows"]} == {NASTY, NASTY + "2"}


def test_the_command_writes_one_file_that_names_no_other(tmp_path, monkeypatch, capsys):
    write_pages(tmp_path, ["a.png"])
    write_run(tmp_path, [row("a.png")])
    monkeypatch.chdir(tmp_path)
    assert main(["report", "out"]) == 0
    said = capsys.readouterr().out
    assert re.fullmatch(r"pagewash-report.html \(0.\d MB\) shows 1 of 1 pages\n", said)
    html = Path("pagewash-report.html").read_text(encoding="utf-8")
    assert set(re.findall(r'(?:src|href)="(\w+:|#)', html)) == {"data:", "#"}
    assert not list(tmp_path.glob("**/*.part"))


def test_a_folder_without_a_run_is_told_with_the_way_out(tmp_path, capsys):
    out = tmp_path / "r.html"
    assert main(["report", str(tmp_path), "--out", str(out)]) == AccessError.exit_code
    assert "holds no metrics (*.parquet); name the folder" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--out", "scans/a.png"], "names no HTML file"), (["--pictures", "-1"], "--pictures -1")],
)
def test_a_report_is_not_written_over_a_scan_nor_with_fewer_than_no_pictures(
    tmp_path, monkeypatch, capsys, arguments, message
):
    write_run(tmp_path, [row("a.png")])
    monkeypatch.chdir(tmp_path)
    assert main(["report", "out", *arguments]) == OptionError.exit_code
    assert message in " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_no_pictures_make_a_report_of_numbers(tmp_path):
    out = write_run(tmp_path, [row("a.png")])
    report = write_report(out, tmp_path / "r.html", ReportOptions(pictures=0))
    assert (report.pictures, report.summary.pages) == (0, 1)
    assert 'id="strip"' not in report.path.read_text(encoding="utf-8")


def test_rows_of_others_show_no_file_outside_their_folders(tmp_path):
    write_pages(tmp_path, ["a.png"])
    secret = tmp_path / "secret.png"
    secret.write_bytes((tmp_path / "scans" / "a.png").read_bytes())
    for name in ("../secret.png", str(secret), "box/../../secret.png"):
        out = write_run(tmp_path, [row(name)])
        assert contents(out).pictured[0].pictures.whole is None


def test_runs_one_after_the_other_are_drawn_as_bars(tmp_path):
    tables = []
    for number in range(3):
        started = STARTED + datetime.timedelta(days=number)
        how = dataclasses.replace(HOW, run_id=f"run-{number}", started=started)
        status = "review" if number == 2 else "cleaned"
        tables.append(records_table([dataclasses.replace(row("a.png", status), how=how)]))
    trends = {trend.title: trend for trend in draw_trends(pa.concat_tables(tables))}
    doubtful = trends["To look at"]
    assert [bar.height for bar in doubtful.bars] == [0, 0, 60]
    assert doubtful.bars[-1].text == "run-2: 100.0 %"
    assert (doubtful.first, doubtful.last) == ("1 Mar 2026", "3 Mar 2026")
    assert "Time a page" not in trends  # nobody measured it
    assert draw_trends(tables[0]) == ()


def test_a_report_is_no_more_readable_than_the_scans_that_it_shows(tmp_path):
    write_pages(tmp_path, ["a.png", "b.png"])
    out = write_run(tmp_path, [row("a.png"), row("b.png")])
    (tmp_path / "scans" / "b.png").chmod(0o600)
    for pictures in (2, 0):
        write_report(out, tmp_path / "report.html", ReportOptions(pictures=pictures))
        private = not (tmp_path / "report.html").stat().st_mode & 0o077
        assert private == (pictures > 0)


def test_nor_than_a_cleaned_page_whose_scan_has_moved(tmp_path):
    write_pages(tmp_path, ["a.png"])
    out = write_run(tmp_path, [row("a.png")])
    (tmp_path / "scans" / "a.png").unlink()
    (out / "a.png").chmod(0o600)
    write_report(out, tmp_path / "report.html")
    assert not (tmp_path / "report.html").stat().st_mode & 0o077


def test_a_page_is_found_whose_name_is_not_text(tmp_path):
    scan = tmp_path / "scans" / r"b\x" / os.fsdecode(b"caf\xe9.png")
    scan.parent.mkdir(parents=True)
    try:
        scan.touch()
    except OSError:
        pytest.skip("this file system takes Unicode names alone")
    out = write_run(tmp_path, [row(r"b\x/caf\xe9.png")])
    (found,) = read_records(out).to_pylist()
    assert Places.around(out, tmp_path / "scans", None).scan(found) == scan


def test_a_scan_in_a_folder_that_one_may_not_enter_is_not_there(tmp_path, monkeypatch):
    write_pages(tmp_path, ["a.png"])
    out = write_run(tmp_path, [row("a.png")])

    (found,) = read_records(out).to_pylist()

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_file", refuse)
    assert Places.around(out, None, None).scan(found) is None
