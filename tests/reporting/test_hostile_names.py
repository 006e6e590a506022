"""What a stranger names a file, or a library says of it, does nothing to a report."""

from pathlib import Path

from scans import write_scan

from pagewash.flows.cli import main

NASTY = "\x1b[31mred\x07\x9b2J\u202egnp.\rexe\u2028.png"
UNSEEN = set("\x1b\x07\x9b\u202e\r\u2028")


def test_names_do_nothing_to_a_report(tmp_path: Path, tiny_model: Path):
    folder, out = tmp_path / "in", tmp_path / "out"
    scan = write_scan(folder / "a.png")
    (folder / ("cut" + NASTY)).write_bytes(scan.read_bytes()[:99])
    scan.rename(folder / ("ok" + NASTY))
    assert main(["clean", str(folder), str(out), "--model", str(tiny_model), "--quiet"]) == 2
    report = tmp_path / "report.html"
    assert main(["report", str(out), "--out", str(report)]) == 0
    html = report.read_text(encoding="utf-8")
    assert r"ok\x1b[31mred\x07" in html
    assert r"cut\x1b[31mred\x07" in html
    assert not UNSEEN & set(html)
