"""Real paper: what is taken off a scan, what stays, and how ink is laid on it again."""

import json

import cv2
import numpy as np
import pytest
from lines import set_line

from pagewash.errors import InputError
from pagewash.training import real_pages
from pagewash.training.synthesis import printing_on_paper, real_paper
from pagewash.training.synthesis.paper_extraction import RealPaper, extract, inside_of
from pagewash.training.synthesis.printing_on_paper import lay_on, print_on
from pagewash.training.synthesis.real_paper import read_index, read_paper, split_of, write_bank

TILTED = [[0.1, 0.05], [0.9, 0.1], [0.95, 0.9], [0.05, 0.95]]


def _bare(height=500, width=420):
    """Yellowed paper with a soft shadow and grain."""
    x = np.linspace(0, 1, width)[None, :, None]
    shade = 1 - 0.4 / (1 + np.exp(-(x - 0.8) * 30))
    grain = np.random.default_rng(0).normal(0, 2, (height, width, 1))
    return np.clip(np.array([235, 220, 180]) * shade + grain, 0, 255).astype(np.uint8)


def _written(bare):
    """The same with writing in four colours and a pale rule, in the light of the page."""
    scan = np.full_like(bare, 255)
    for row, colour in enumerate([(30, 30, 30), (60, 70, 160), (190, 60, 60), (180, 180, 180)]):
        set_line(scan, "Gathering rose", (20, 90 + 100 * row), 38, colour, bold=1)
    cv2.line(scan, (0, 460), (420, 455), (160, 190, 230), 1, cv2.LINE_AA)
    ink = cv2.GaussianBlur(scan, (0, 0), 0.7) / 255
    return np.rint(bare * ink).astype(np.uint8)


def test_no_stroke_remains_and_paper_is_as_it_was():
    bare = _bare()
    paper = extract(_written(bare)).paper
    apart = cv2.GaussianBlur(paper.astype(np.float32) - bare, (0, 0), 2)
    assert np.abs(apart).max() < 6
    assert np.abs(apart).mean() < 0.5


def test_grain_is_laid_over_what_was_filled():
    bare = _bare()
    scan = _written(bare)
    taken = np.abs(scan.astype(int) - bare).max(axis=2) > 30
    paper = extract(scan).paper.astype(np.float32)
    fine = paper - cv2.GaussianBlur(paper, (0, 0), 2)
    assert fine[taken].std() == pytest.approx(fine[~taken].std(), rel=0.3)


def test_outside_is_what_the_outline_leaves_out_and_stays_as_it_was():
    scan = _written(_bare())
    paper = extract(scan, TILTED)
    drawn = np.zeros(scan.shape[:2], np.uint8)
    cv2.fillPoly(drawn, [np.int32(np.multiply(TILTED, (420, 500)))], 1)
    assert (paper.outside == (drawn == 0)).mean() > 0.995
    assert np.array_equal(paper.paper[paper.outside], scan[paper.outside])


def test_a_page_to_the_edges_is_whole():
    assert inside_of("whole", (3, 4)).all()
    assert inside_of([[0, 0], [1, 0], [1, 1], [0, 1]], (30, 40)).all()


def test_marks_and_known_ink_go_without_being_sought():
    bare = _bare()
    scan = bare.copy()
    scan[100:250, 50:300] = (200, 90, 60)
    scan[400:440, 50:54] = 20
    ink = np.zeros(scan.shape[:2], bool)
    ink[400:440, 50:54] = True
    stamp = [[0.1, 0.18], [0.73, 0.18], [0.73, 0.52], [0.1, 0.52]]
    paper = extract(scan, marks=[stamp], ink=ink, seek=False).paper
    assert np.abs(paper.astype(int) - bare).max() < 40


def test_ink_that_no_one_seeks_stays():
    scan = _written(_bare())
    assert np.array_equal(extract(scan, seek=False).paper, scan)


@pytest.mark.parametrize("outline", ["whole", TILTED])
def test_without_ink_the_paper_comes_back(outline):
    paper = extract(_bare(), outline)
    printed = print_on(paper, np.ones((500, 420, 3), np.float32), np.random.default_rng(1))
    assert np.allclose(printed, paper.paper / np.float32(255))


def test_ink_darkens_the_page_and_nothing_outside():
    paper = extract(_bare(), TILTED)
    page = np.ones((500, 420, 3), np.float32)
    page[:, np.arange(420) % 20 < 8] = 0.1
    for seed in range(8):
        printed = print_on(paper, page, np.random.default_rng(seed))
        light = paper.paper / np.float32(255)
        assert np.allclose(printed[paper.outside], light[paper.outside])
        inside = ~paper.outside
        inside[:, ~np.isin(np.arange(420) % 20, (3, 4))] = False
        assert printed[inside].mean() < 0.75 * light[inside].mean()
        assert printed.min() >= 0
        assert printed.max() <= 1


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("page_shape", [(300, 200), (1000, 900)])
def test_clean_and_dirty_pages_lie_alike(seed, page_shape):
    page = np.ones((*page_shape, 3), np.float32)
    for top in range(40, page_shape[0] - 50, 24):
        page[top : top + 10, 30:-30] = 0
    paper = RealPaper(np.full((500, 420, 3), 230, np.uint8), extract(_bare(), TILTED).outside)
    for outside in (paper.outside, np.zeros_like(paper.outside)):
        laid = lay_on(RealPaper(paper.paper, outside), page, page, np.random.default_rng(seed))
        assert laid.dirty.shape == laid.clean.shape
        assert (laid.clean[laid.outside] == 1).all()
        dark = (laid.dirty.mean(axis=2) < 0.45) & ~laid.outside
        assert dark.any()
        assert laid.clean[dark].mean() < 0.2


@pytest.mark.parametrize("outline", [TILTED, [[0.2, 0.2], [0.8, 0.2], [0.8, 0.8], [0.2, 0.8]]])
def test_a_page_that_fits_lies_whole_within_the_outline(outline):
    page = np.ones((300, 240, 3), np.float32)
    page[12:-12, 12:-12] = 0
    paper = RealPaper(np.full((500, 420, 3), 230, np.uint8), ~inside_of(outline, (500, 420)))
    for seed in range(6):
        laid = lay_on(paper, page, page, np.random.default_rng(seed))
        dark = (laid.clean < 0.5).all(axis=2)
        count, _ = cv2.connectedComponents(dark.astype(np.uint8))
        assert count == 2
        assert dark.sum() == pytest.approx(276 * 216, rel=0.08)


def test_the_page_is_turned_as_the_paper_is():
    page = np.ones((500, 500, 3), np.float32)
    page[60:-60, 60:-60] = 0
    turned = cv2.boxPoints(((250.0, 250.0), (340.0, 340.0), 8.0)) / 500
    paper = RealPaper(np.full((500, 500, 3), 230, np.uint8), ~inside_of(turned, (500, 500)))
    for seed in range(4):
        laid = lay_on(paper, page, page, np.random.default_rng(seed))
        dark = np.argwhere((laid.clean < 0.5).all(axis=2))[:, ::-1].astype(np.float32)
        angle = cv2.minAreaRect(dark)[2] % 90
        assert min(abs(angle - 8), abs(angle - 82)) < 1


def test_the_corners_of_a_page_that_goes_on_lie_beyond_the_scan():
    cut = [[-0.2, 0.1], [0.8, 0.2], [0.7, 1.2], [-0.3, 1.1]]
    corners = printing_on_paper._corners(inside_of(cut, (500, 420)))
    assert np.abs(corners[1] - (0.8 * 420, 0.2 * 500)).max() <= 3
    assert corners[0, 0] <= 0
    assert corners[2, 1] >= 500


def test_a_texture_goes_on_for_the_whole_page():
    page = np.ones((900, 700, 3), np.float32)
    for tileable in (True, False):
        paper = RealPaper(_bare(200, 160), np.zeros((200, 160), bool), tileable=tileable)
        laid = lay_on(paper, page, page, np.random.default_rng(2))
        assert (laid.dirty.shape == page.shape) == tileable


def test_the_split_leaves_out_every_tenth_scan_and_the_pages_of_pairs_that_validation_names(
    monkeypatch,
):
    monkeypatch.setattr(real_pages, "VALIDATION", {"a": ("1",)})
    scans = [f"scans/s{number % 3}/{number:02d}.png" for number in range(25)]
    pairs = [f"pairs/{name}/img/{number}.webp" for name in "ab" for number in range(3)]
    splits = split_of([*scans, *pairs, "textures/t.jpg"])
    assert [place for place, name in enumerate(sorted(scans)) if splits[name] == "validation"] == [
        0, 10, 20,
    ]  # fmt: skip
    assert [name for name in pairs if splits[name] == "validation"] == ["pairs/a/img/1.webp"]
    assert splits["textures/t.jpg"] == "training"


def test_scans_of_training_are_none_of_validation_and_all_of_them_have_outlines():
    training, held_back = (set(real_paper.scans_of(split)) for split in ("training", "validation"))
    assert not training & held_back
    assert len(held_back) == pytest.approx(len(training) / 9, abs=1)
    assert not (training | held_back) & real_paper.ELSEWHERE


def test_every_outline_is_whole_or_a_polygon_within_its_image():
    notes = json.loads(real_paper._OUTLINES.read_text())
    for name, note in notes.items():
        if note["outline"] != "whole":
            corners = np.array(note["outline"])
            assert corners.shape[1:] == (2,), name
            assert len(corners) >= 3, name
            assert 0 <= corners.min() <= corners.max() <= 1, name


def test_a_bank_gives_back_what_was_extracted(tmp_path, monkeypatch):
    data, bank, notes = tmp_path / "data", tmp_path / "bank", tmp_path / "outlines.json"
    (data / "scans").mkdir(parents=True)
    scan = _written(_bare())
    plain = {"outline": TILTED, "usable_as_paper": True, "kind": "print"}
    for name in ("0", "1", "2"):
        cv2.imwrite(str(data / "scans" / f"{name}.png"), scan[..., ::-1])
    listed = {f"scans/{name}.png": plain for name in ("0", "1")}
    notes.write_text(json.dumps(listed | {"scans/2.png": plain | {"usable_as_paper": False}}))
    monkeypatch.setattr(real_paper, "_OUTLINES", notes)
    banked = write_bank(data, bank)
    assert [entry.source for entry in banked] == ["scans/1.png"]
    assert read_index(bank) == banked
    back, paper = read_paper(bank, banked[0]), extract(scan, TILTED)
    assert np.array_equal(back.paper, paper.paper)
    assert np.array_equal(back.outside, paper.outside)
    with pytest.raises(InputError, match="make one"):
        read_index(data)


def test_the_truth_of_a_pair_tells_what_is_ink_and_what_shines_through(tmp_path, monkeypatch):
    data, notes = tmp_path / "data", tmp_path / "outlines.json"
    folder = data / "pairs" / "dibco2013"
    bare = _bare()
    bare[300:320, 40:300] = (bare[300:320, 40:300] * 0.8).astype(np.uint8)  # of the other side
    scan, truth = bare.copy(), np.full((500, 420), 255, np.uint8)
    scan[100:110, 40:300], truth[100:110, 40:300] = 30, 0
    for name, pixels in (("img", scan[..., ::-1]), ("gt", truth)):
        (folder / name).mkdir(parents=True)
        for page in ("H05.png", "B.png"):
            cv2.imwrite(str(folder / name / page), pixels)
    plain = {"outline": "whole", "usable_as_paper": True, "kind": "print"}
    pages = ("pairs/dibco2013/img/H05.png", "pairs/dibco2013/img/B.png")
    notes.write_text(json.dumps(dict.fromkeys(pages, plain)))
    monkeypatch.setattr(real_paper, "_OUTLINES", notes)
    [(source, _, _, paper)] = real_paper._papers(data, "training")
    assert source.name == "B.png"
    apart = paper.paper.astype(np.float32) - bare
    assert np.abs(cv2.GaussianBlur(apart, (0, 0), 2)).max() < 5
    assert not apart[300:320].any()


def test_paper_under_several_prints_comes_back_whole(tmp_path):
    rng = np.random.default_rng(3)
    stain = rng.integers(120, 250, (90, 120), dtype=np.uint8)
    for name in ("noisy", "clean"):
        (tmp_path / name).mkdir()
    for font, height in (("Fontfre", 60), ("Fontnre", 90), ("FontLre", 90)):
        clean = np.full((height, 120), 255, np.uint8)
        left = 10 + 30 * len(list((tmp_path / "clean").iterdir()))
        clean[20:40, left : left + 20] = 0
        noisy = np.minimum(stain[:height], clean)
        for name, pixels in (("noisy", noisy), ("clean", clean)):
            cv2.imwrite(str(tmp_path / name / f"{font}_Noisec_TR.png"), pixels)
    [(_, paper)] = real_paper._noisy_papers(tmp_path)
    assert np.array_equal(paper.paper, np.repeat(stain[..., None], 3, axis=2))
