"""A report in headless Chromium: it works by mouse, keyboard and finger, in dark and light."""

import csv
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from reported import row, write_pages, write_run

from pagewash.measuring.accepted import read_accepted
from pagewash.reporting.report import ReportOptions, write_report

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
if CHROMIUM is None:
    pytest.skip("Chromium is not installed (Debian: chromium)", allow_module_level=True)
playwright = pytest.importorskip("playwright.sync_api", reason="pip install '.[test]'")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="pip install '.[test]'")

QUIETLY = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
NASTY = '"><img src=x onerror=hacked=1></script><script>hacked=1</script>.png'
PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}
DARK = {"color_scheme": "dark"}


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    with playwright.sync_playwright() as started:
        running = started.chromium.launch(executable_path=CHROMIUM, args=QUIETLY)
        yield running
        running.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three pages in pictures, one of them with a name that attacks, and one that failed."""
    root = tmp_path_factory.mktemp("report")
    write_pages(root, ["look.png", "box/10.png", "box/9.png"], shape=(900, 1300))
    rows = [
        row(
            "look.png",
            "review",
            sha256="ab",
            ink_lost=0.1,
            novelty=99.0,
            message="10 % of the ink is gone",
        ),
        row("box/10.png", ink_lost=0.01, novelty=50.0, page=2, document_pages=2),
        row("box/9.png", ink_lost=0.02),
        row(NASTY, "failed", message=f"{NASTY} is empty"),
        row("vector.pdf", "skipped", message="it has no page image"),
    ]
    return write_report(write_run(root, rows), root / "report.html").path


@pytest.fixture
def visit(browser) -> Iterator[Callable[..., "Page"]]:
    """Open a report; complaints in its console, and requests for other files, fail the test."""
    contexts, complaints = [], []

    def seen(url: str) -> None:
        if not url.startswith(("data:", "file:", "blob:")):
            complaints.append(url)

    def go(path: Path, **options) -> "Page":
        # nothing moves by itself while a test looks where it is
        still = {"reduced_motion": "reduce"}
        contexts.append(browser.new_context(offline=True, **(still | options)))
        page = contexts[-1].new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: seen(request.url))
        page.goto(path.as_uri())
        return page

    yield go
    for context in contexts:
        context.close()
    assert complaints == []


def edge(page: "Page") -> float:
    """Where the cleaned page begins, in pixels from the left of the stage."""
    return page.evaluate("parseFloat(getComputedStyle(cut).clipPath.match(/([\\d.]+)px\\)$/)[1])")


def magnified(page: "Page") -> float:
    """How large the page is drawn, 1 pixel for a pixel."""
    return page.evaluate("new DOMMatrix(getComputedStyle(before).transform).a")


def column(page: "Page", number: int) -> list[str]:
    return page.locator(f"tbody td:nth-child({number})").all_inner_texts()


def test_a_report_opens_with_its_neediest_page_and_without_a_complaint(visit, report):
    page = visit(report)
    assert page.locator("h1").inner_text() == "out"
    assert page.locator("#title").inner_text() == "look.png"
    assert page.locator("#before").evaluate("image => image.naturalWidth") == 1300
    assert page.locator("#after").get_attribute("alt") == "look.png, cleaned"


def test_names_of_files_run_no_scripts(visit, report):
    page = visit(report)
    assert page.evaluate("typeof hacked") == "undefined"
    assert page.locator("tbody tr").first.locator("td").nth(1).inner_text() == NASTY
    assert page.locator("img[src=x]").count() == 0


def test_the_divider_follows_the_keyboard_the_mouse_and_a_finger(visit, report):
    page = visit(report)
    middle = edge(page)
    page.locator("#divider").focus()
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    assert edge(page) > middle
    assert page.locator("#divider").get_attribute("aria-valuetext") == "60 % scan"
    box = page.locator("#stage").bounding_box()
    page.mouse.move(box["x"] + edge(page), box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 100, box["y"] + 220, steps=4)
    page.mouse.up()
    assert edge(page) == pytest.approx(100, abs=box["width"] / 100)
    page.mouse.move(box["x"] + 300, box["y"] + 200)  # not held any more
    assert edge(page) < 150

    phone = visit(report, **PHONE)
    phone.locator("#stage").scroll_into_view_if_needed()
    box = phone.locator("#stage").bounding_box()
    phone.touchscreen.tap(box["x"] + 60, box["y"] + 150)
    assert edge(phone) == pytest.approx(60, abs=box["width"] / 100)


def test_a_page_is_magnified_moved_and_fitted_by_keys_and_buttons(visit, report):
    page = visit(report)
    small = magnified(page)
    page.get_by_role("button", name="Zoom in").click()
    assert magnified(page) == pytest.approx(1.5 * small)
    page.locator("#stage").focus()
    page.keyboard.press("+")
    assert magnified(page) == pytest.approx(2.25 * small)
    left = "new DOMMatrix(getComputedStyle(before).transform).e"
    was = page.evaluate(left)
    page.keyboard.press("ArrowRight")
    assert page.evaluate(left) == pytest.approx(was - 60)
    for _ in range(40):
        page.keyboard.press("ArrowRight")
    box = page.locator("#stage").bounding_box()
    assert page.evaluate(left) + 1300 * magnified(page) == pytest.approx(box["width"], abs=1)
    page.keyboard.press("0")
    assert magnified(page) == pytest.approx(small)


def test_pages_are_turned_by_buttons_by_the_strip_and_from_the_table(visit, report):
    page = visit(report)
    assert page.locator("#previous").is_disabled()
    page.get_by_role("button", name="Next page").press("Enter")
    assert page.locator("#title").inner_text() == "box/9.png"
    page.locator("#strip button").nth(2).click()
    assert page.locator("#title").inner_text() == "box/10.png, page 2"
    assert page.locator("#next").is_disabled()
    assert page.locator("#strip [aria-current]").count() == 1
    page.locator("tbody button", has_text="look.png").click()
    assert page.locator("#title").inner_text() == "look.png"
    assert page.evaluate("document.activeElement.id") == "title"


def test_the_closeup_shows_another_view_of_the_same_page(visit, report):
    page = visit(report)
    whole = page.locator("#before").get_attribute("src")
    page.get_by_role("button", name="Close-up").click()
    assert page.locator("#before").get_attribute("src") != whole
    assert page.locator("#closeup").get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="Page", exact=True).click()
    assert page.locator("#before").get_attribute("src") == whole


def test_scan_and_cleaned_page_stand_side_by_side_and_move_together(visit, report):
    page = visit(report)
    page.get_by_role("button", name="Side by side").click()
    stage, before, after = (
        page.locator(name).bounding_box() for name in ("#stage", "#before", "#after")
    )
    middle = stage["x"] + stage["width"] / 2
    assert before["x"] + before["width"] <= middle + 1
    assert after["x"] >= middle - 1
    assert after["width"] == pytest.approx(before["width"])
    assert page.locator("#handle").is_hidden()
    assert page.locator("#divider").is_disabled()
    page.locator("#in").click()
    page.locator("#stage").press("ArrowRight")
    before, after = (page.locator(name).bounding_box() for name in ("#before", "#after"))
    assert after["x"] - before["x"] == pytest.approx(stage["width"] / 2, abs=1)
    page.get_by_role("button", name="Side by side").click()
    assert page.locator("#divider").is_enabled()


def test_marks_of_pages_that_are_fine_are_saved_and_honoured(visit, report, tmp_path):
    page = visit(report)
    assert page.locator("#marks").is_disabled()
    page.get_by_label("Looked at, fine").check()
    page.locator("#next").click()
    assert not page.locator("#fine").is_checked()
    page.locator("#previous").click()
    assert page.locator("#fine").is_checked()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save 1 mark").click()
    assert saved.value.suggested_filename == "accepted.csv"
    saved.value.save_as(tmp_path / "accepted.csv")
    (mark,) = read_accepted(tmp_path / "accepted.csv").marks.items()
    assert mark[0] == ("ab", 1, 0)
    assert mark[1].shares == (0.1, 0.0, 0.0)
    assert mark[1].reasons == {" % of the ink is gone"}
    again = write_report(
        report.parent / "out",
        tmp_path / "again.html",
        ReportOptions(accepted=tmp_path / "accepted.csv"),
    )
    assert again.summary.statuses["review"] == 0


def test_the_rows_that_are_found_are_saved_as_csv_and_start_no_formula(visit, tmp_path):
    rows = [row("=1+1.png", "review", message="look"), row("b.png")]
    page = visit(write_report(write_run(tmp_path, rows), tmp_path / "report.html").path)
    page.locator("#status").select_option("review")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as CSV").click()
    saved.value.save_as(tmp_path / "pages.csv")
    head, *lines = csv.reader((tmp_path / "pages.csv").read_text("utf-8-sig").splitlines())
    assert [line[head.index("Document")] for line in lines] == ["'=1+1.png"]


def test_columns_sort_both_ways_with_unknown_values_last(visit, report):
    page = visit(report)
    titles = page.locator("thead th").all_inner_texts()
    at = titles.index("Ink lost") + 1
    header = page.locator("thead th").nth(at - 1)
    header.get_by_role("button").press("Enter")
    assert column(page, at) == ["10.0 %", "2.0 %", "1.0 %", "", ""]
    assert header.get_attribute("aria-sort") == "descending"
    header.get_by_role("button").click()
    assert column(page, at) == ["1.0 %", "2.0 %", "10.0 %", "", ""]
    assert page.locator("[aria-sort]").count() == 1
    page.get_by_role("button", name="Document").click()
    names = [name for name in column(page, 2) if name.startswith("box")]
    assert names == ["box/9.png", "box/10.png"]  # as people count


def test_rows_are_found_by_name_reason_and_status(visit, report):
    page = visit(report)
    page.get_by_label("Find").fill("BOX/")
    assert column(page, 2) == ["box/9.png", "box/10.png"]
    page.get_by_label("Find").fill("ink is gone")
    assert column(page, 2) == ["look.png"]
    page.get_by_label("Find").fill("")
    page.get_by_label("Status").select_option("skipped")
    assert column(page, 2) == ["vector.pdf"]
    assert page.locator("#count").inner_text() == "1 of 1 shown"


def test_it_is_dark_where_the_system_is_dark(visit, report):
    def ground(page):
        return page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]")

    assert int(ground(visit(report))) > 200
    assert int(ground(visit(report, **DARK))) < 50


def test_a_phone_scrolls_down_and_never_sideways(visit, report):
    page = visit(report, **PHONE)
    width, room = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width <= room == 360


def test_motion_is_left_out_where_it_is_not_wanted(visit, report):
    behaviour = "getComputedStyle(document.documentElement).scrollBehavior"
    assert visit(report, reduced_motion="no-preference").evaluate(behaviour) == "smooth"
    assert visit(report, reduced_motion="reduce").evaluate(behaviour) == "auto"


@pytest.mark.parametrize("how", [{}, DARK, PHONE], ids=["light", "dark", "phone"])
def test_axe_finds_no_serious_fault(visit, report, how):
    page = visit(report, **how)
    page.get_by_role("button", name="Zoom in").click()
    faults = axe.Axe().run(page).response["violations"]
    serious = [fault for fault in faults if fault["impact"] in ("serious", "critical")]
    assert [(f["id"], [node["html"] for node in f["nodes"]]) for f in serious] == []


def test_five_thousand_rows_open_and_sort_at_once(visit, tmp_path):
    rows = [row(f"box-{n % 71}/{n:05}.tif", ink_lost=n * 7 % 5000 / 5000) for n in range(5000)]
    written = write_report(write_run(tmp_path, rows), tmp_path / "r.html", ReportOptions(0))
    assert written.size < 1_000_000
    page = visit(written.path)
    assert page.locator("#count").inner_text() == "100 of 5,000 shown"
    busy = processor_seconds(page)
    page.reload()
    assert busy() < 1
    for name in ("Document", "Ink lost", "Need"):
        page.get_by_role("columnheader", name=name).get_by_role("button").click()
        assert busy() < 0.5
    page.get_by_role("button", name="Show more").click()
    assert page.locator("tbody tr").count() == 200


def processor_seconds(page: "Page") -> Callable[[], float]:
    """How long the page kept its thread busy since the last call, whatever else runs here."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    spent = [0.0]

    def since() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        spent.append(next(m["value"] for m in metrics if m["name"] == "TaskDuration"))
        return spent[-1] - spent[-2]

    since()
    return since
