"""How well pages are laid straight, turned upright, cropped, told blank and made one bit.

    python -m pagewash.evaluation.geometry ../shared/data/ocr ../shared/data/dibco

cleans the images below the folders that are for reporting, and prints a table; what has a
page.gt.txt beside it is read by Tesseract too, in grey and in one bit. Blank pages are made; real
paper for them comes from a bank (``python -m pagewash.training.synthesis.real_paper``).
"""

import argparse
import io
import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pagewash.cleaning.cleaner import Cleaner
from pagewash.documents.encoders import encode_png
from pagewash.documents.jbig2 import encode_jbig2
from pagewash.errors import OptionError
from pagewash.evaluation.blank_pages import (
    blank_page,
    marked_page,
    marked_real_page,
    real_page,
)
from pagewash.evaluation.cases import IMAGES, Case, find_transcribed, read_image
from pagewash.evaluation.evaluation_pages import SEVERE, set_evaluation_page
from pagewash.evaluation.parts import CHOOSING, REPORTING, part_of
from pagewash.evaluation.text import character_error_rate, recognise
from pagewash.geometry import blank, orientation, skew
from pagewash.geometry.bilevel import cut, has_pictures, one_bit_levels
from pagewash.geometry.blank import blank_confidence
from pagewash.geometry.orientation import find_orientation
from pagewash.geometry.page_box import find_page_box
from pagewash.geometry.page_geometry import LEAST_SKEW, measure_geometry
from pagewash.geometry.skew import find_skew
from pagewash.grey import luminance
from pagewash.measuring.metrics import measure
from pagewash.measuring.strokes import map_strokes, reduce, without_edge
from pagewash.options import CleanOptions
from pagewash.pages import Page
from pagewash.training.synthesis.corruption import corrupt
from pagewash.training.synthesis.fonts import Typeface, find_typefaces
from pagewash.training.synthesis.noise import to_bytes

Pixels = NDArray[np.uint8]
LARGEST_ANGLE = 10.0
SHORTEST_PAGE = 2300
"""Pixels of the longer side of a page, at least, to be tried in one bit: A4 at some 200 dpi. On
coarser ones one bit loses what grey levels still tell."""


STRAIGHTENED = 12
"""Real pages that `deskew` straightens: each takes it some seconds."""

REPORTS = ("skew", "straight", "orientation", "borders", "written", "blank", "bilevel", "time")


@dataclass(frozen=True)
class EvaluationPage:
    """A scan and its cleaned page."""

    path: Path
    scan: Pixels
    cleaned: Pixels
    dpi: float | None
    case: Case | None = None
    """Its text and language, where they are known."""


def evaluation_pages(
    folders: Iterable[Path], cleaner: Cleaner, part: str
) -> Iterator[EvaluationPage]:
    """Clean the images below some folders that belong to a part, ground truth aside."""
    for folder in folders:
        cases = _cases(folder)
        for path in sorted(folder.rglob("*")):
            is_scan = path.suffix.lower() in IMAGES and path.parent.name not in ("gt", "clean")
            if is_scan and part_of(path.name) == part:
                scan, dpi = read_image(path)
                cleaned = luminance(cleaner.clean(scan, dpi))
                yield EvaluationPage(path, scan, cleaned, dpi, cases.get(path))


def _cases(folder: Path) -> dict[Path, Case]:
    try:
        return {case.page: case for case in find_transcribed(folder)}
    except OptionError:  # none of it has a transcription
        return {}


def turned(scan: Pixels, angle: float) -> Pixels:
    """A scan turned anticlockwise, with all of it still there, on paper of its own level."""
    height, width = scan.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1)
    cos, sin = np.abs(matrix[0, :2])
    wide, high = int(width * cos + height * sin) + 1, int(height * cos + width * sin) + 1
    matrix[:, 2] += (wide - width) / 2, (high - height) / 2
    level = np.median(scan.reshape(-1, *scan.shape[2:]), axis=0).tolist()
    page = cv2.warpAffine(scan, matrix, (wide, high), flags=cv2.INTER_CUBIC, borderValue=level)
    return np.asarray(page, np.uint8)


def skew_report(pages: list[EvaluationPage], cleaner: Cleaner) -> Iterator[str]:
    """Scans turned by known angles, then cleaned: how far the difference found is off."""
    rng = np.random.default_rng(0)
    errors = []
    for page in pages:
        angle = float(rng.uniform(-LARGEST_ANGLE, LARGEST_ANGLE))
        before = find_skew(page.cleaned)
        after = find_skew(cleaner.clean(turned(page.scan, angle), page.dpi))
        if min(before.confidence, after.confidence) >= skew.SURE:
            errors.append(abs(after.angle - before.angle - angle))
    yield f"skew, decided: {_share(len(errors), len(pages))}"
    if errors:
        yield f"skew, median error: {np.median(errors):.3f}°; within 0.2°: {_mean(errors, 0.2)}"


def straight_report(
    pages: list[EvaluationPage], rendered: int, fonts: Path, cleaner: Cleaner
) -> Iterator[str]:
    """Pages that are straight: how far the furthest of them would be turned.

    Straight are rendered pages, and real ones once they are turned by what the library `deskew`
    finds, whose own error is some hundredths of a degree.
    """
    faces = find_typefaces([fonts], held_back=True) if rendered else []
    made = (_rendered(seed, faces, cleaner) for seed in range(rendered))
    real = (page.cleaned for page in pages if find_skew(page.cleaned).confidence >= skew.SURE)
    straightened = (turned(page, _angle_of_another(page)) for page in islice(real, STRAIGHTENED))
    for name, straight in (("rendered", made), ("straightened by deskew", straightened)):
        found = [find_skew(page) for page in straight]
        turns = [abs(one.angle) for one in found if one.confidence >= skew.SURE]
        turns = [angle for angle in turns if angle >= LEAST_SKEW]
        yield (
            f"straight pages, {name}: turned {_share(len(turns), len(found))}, "
            f"furthest {max(turns, default=0):.3f}°"
        )


def _rendered(seed: int, faces: list[Typeface], cleaner: Cleaner) -> Pixels:
    """A page set straight, soiled and cleaned: A4 at 150 dpi."""
    rng = np.random.default_rng([seed, 3])
    page, verso = (set_evaluation_page(rng, 1754, 1240, faces, (9.0, 14.0)) for _ in range(2))
    dirty = corrupt(page.clean_page, verso.clean_page, rng, SEVERE).dirty
    return luminance(cleaner.clean(to_bytes(dirty), 150.0))


def _angle_of_another(page: Pixels) -> float:
    """How far lines fall to the right, by the library `deskew`, on a page of 1600 px at most."""
    from deskew import determine_skew  # a library of the tests

    small = reduce(page, max(1, -(-max(page.shape) // 1600)))
    found = determine_skew(small, min_angle=-5, max_angle=5, min_deviation=0.05, num_peaks=40)
    return 0.0 if found is None else float(found)


def orientation_report(pages: list[EvaluationPage]) -> Iterator[str]:
    """Cleaned pages turned by quarters: how many are decided, and how many of those right."""
    decided = right = false_turns = 0
    for page in pages:
        for quarters in range(4):
            found = find_orientation(np.ascontiguousarray(np.rot90(page.cleaned, -quarters)))
            if found.confidence >= orientation.SURE:
                decided += 1
                right += found.turned == 90 * quarters
                false_turns += not quarters and found.turned != 0
    yield f"orientation, decided: {_share(decided, 4 * len(pages))}"
    yield f"orientation, right: {_share(right, decided)}; upright ones turned: {false_turns}"


def border_report(pages: list[EvaluationPage]) -> Iterator[str]:
    """Scans laid on a black bed: what is left of the bed, and what is lost of the page's strokes.

    Strokes that a bed of black cloth has, or the edge of a neighbouring page, are none of the page.
    """
    left, lost = [], []
    for page in pages:
        height, width = page.scan.shape[:2]
        edge = max(height, width) // 20
        edges = [(edge, edge), (edge, edge)]
        bed = np.pad(page.scan, edges + [(0, 0)] * (page.scan.ndim - 2), constant_values=15)
        on_bed = np.pad(page.cleaned, edges, constant_values=255)
        x0, y0, x1, y1 = find_page_box(bed, on_bed)
        inside = max(0, min(x1, edge + width) - max(x0, edge)) * max(
            0, min(y1, edge + height) - max(y0, edge)
        )
        left.append(1 - inside / ((x1 - x0) * (y1 - y0)))
        within = (x0 - edge, y0 - edge, x1 - edge, y1 - edge)
        lost.append(_strokes_outside(page.cleaned, within))
        lost.append(_strokes_outside(page.cleaned, find_page_box(page.scan, page.cleaned)))
    few = sum(share <= 0.01 for share in left)
    yield f"borders, area left: median {np.median(left):.2%}; at most 1 %: {_share(few, len(left))}"
    some = sum(share > 0 for share in lost)
    yield (
        f"borders, crops that lose strokes: {_share(some, len(lost))}; "
        f"the most {max(lost):.2%} of a page's strokes"
    )


def _strokes_outside(cleaned: Pixels, box: tuple[int, int, int, int]) -> float:
    """The share of a page's strokes that a box leaves out."""
    if min(cleaned.shape) < 64:
        return 0.0
    paper = np.asarray(cv2.blur(cleaned, (31, 31)) >= 128, np.uint8)
    strokes = without_edge(map_strokes(cleaned).strokes) * paper
    left, top, right, bottom = (max(0, edge) for edge in box)
    kept = np.ascontiguousarray(strokes[top:bottom, left:right])
    everywhere = cv2.countNonZero(strokes)
    return 1 - cv2.countNonZero(kept) / everywhere if everywhere else 0.0


def blank_report(count: int, papers: list[Pixels], cleaner: Cleaner) -> Iterator[str]:
    """Pages made, and of real paper, some with a mark: how many are taken for blank."""
    seeds = range(count)
    real = range(min(count, len(papers)))
    kinds: dict[str, Iterator[Pixels]] = {
        "made, blank": (blank_page(np.random.default_rng([seed, 0])) for seed in seeds),
        "made, with a mark": (marked_page(np.random.default_rng([seed, 1])) for seed in seeds),
        "real paper, blank": (real_page(papers[seed]) for seed in real),
        "real paper, with a mark": (
            marked_real_page(np.random.default_rng([seed, 2]), papers[seed]) for seed in real
        ),
    }
    for name, made in kinds.items():
        told = [blank_confidence(page, cleaner.clean(page, 150.0)) >= blank.SURE for page in made]
        yield f"blank pages, {name}, called blank: {_share(sum(told), len(told))}"


def written_report(pages: list[EvaluationPage]) -> Iterator[str]:
    """Real pages, nearly all of them written: which are taken for blank."""
    found = [page for page in pages if blank_confidence(page.scan, page.cleaned) >= blank.SURE]
    yield f"blank pages, scans called blank: {_share(len(found), len(pages))}"
    yield from (f"  {page.path}" for page in found)


def banked_papers(bank: Path, part: str) -> list[Pixels]:
    """Real papers of a bank whose sources belong to a part, in the bank's order."""
    index = json.loads((bank / "index.json").read_text(encoding="utf-8"))
    return [
        luminance(read_image(bank / f"{paper['number']:04d}.png")[0])
        for paper in index
        if part_of(Path(paper["source"]).name) == part
    ]


def bilevel_report(pages: list[EvaluationPage], languages: set[str], most: int) -> Iterator[str]:
    """Pages of text in one bit: their size in G4, and in JBIG2 where `jbig2` is installed, and what
    Tesseract reads in them.
    """
    sizes: dict[str, list[int]] = {"G4": [], "JBIG2": []}
    grey_errors: list[float] = []
    bit_errors: list[float] = []
    for page in pages:
        if max(page.cleaned.shape) < SHORTEST_PAGE or has_pictures(page.cleaned):
            continue
        one_bit = cut(one_bit_levels(page.cleaned))
        sizes["G4"].append(_g4_bytes(one_bit))
        if packed := encode_jbig2(Image.fromarray(one_bit > 0)):
            sizes["JBIG2"].append(len(packed))
        case = page.case
        if case and case.transcript and case.language in languages and len(bit_errors) < most:
            text = case.transcript.read_text(encoding="utf-8")
            for errors, image in ((grey_errors, page.cleaned), (bit_errors, one_bit)):
                errors.append(character_error_rate(recognise(image, case.language), text))
    for kind, of_kind in sizes.items():
        if of_kind:
            small = _share(sum(size <= 60_000 for size in of_kind), len(of_kind))
            median = np.median(of_kind) / 1000
            yield f"one bit, {kind}: median {median:.0f} kB; at most 60 kB: {small}"
    if grey_errors:
        grey, bits = 100 * np.mean(grey_errors), 100 * np.mean(bit_errors)
        read = f"{len(grey_errors)} pages"
        yield f"character error, in points, {read}: grey {grey:.2f}, one bit {bits:.2f}"


def time_report(pages: list[EvaluationPage], cleaner: Cleaner) -> Iterator[str]:
    """Processor time of all measures of geometry, against that of all else that a page takes: it is
    read, cleaned, measured and written as a PNG.
    """
    cv2.setNumThreads(1)  # as in a run
    spent = dict.fromkeys(("geometry", "cleaning", "the page"), 0.0)
    for page in pages:
        start = time.process_time()
        scan, dpi = read_image(page.path)
        begun = time.process_time()
        cleaned = Page(cleaner.clean(scan, dpi))
        ended = time.process_time()
        measure(scan, cleaned.pixels)
        encode_png(cleaned)
        written = time.process_time()
        measure_geometry(scan, cleaned)
        spent["geometry"] += time.process_time() - written
        spent["cleaning"] += ended - begun
        spent["the page"] += written - start
    each = 1000 * spent["geometry"] / len(pages)
    shares = (f"{spent['geometry'] / spent[of]:.1%} of {of}" for of in ("cleaning", "the page"))
    yield f"time: {each:.0f} ms a page, {', '.join(shares)}"


def _g4_bytes(one_bit: Pixels) -> int:
    file = io.BytesIO()
    Image.fromarray(one_bit > 0).save(file, "TIFF", compression="group4")
    return file.tell()


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({part / whole:.1%})" if whole else "none"


def _mean(errors: list[float], most: float) -> str:
    return _share(sum(error <= most for error in errors), len(errors))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--model", default="fast")
    parser.add_argument("--part", choices=(CHOOSING, REPORTING), default=REPORTING)
    parser.add_argument("--paper", type=Path, help="bank of real paper")
    parser.add_argument("--blank", type=int, default=200, help="most blank pages of each kind")
    parser.add_argument("--read", type=int, default=1000, help="most pages that Tesseract reads")
    parser.add_argument("--straight", type=int, default=100, help="pages rendered straight")
    parser.add_argument("--fonts", type=Path, default=Path("/usr/share/fonts"))
    parser.add_argument("--languages", nargs="+", default=["eng", "deu", "fra"])
    parser.add_argument("--only", nargs="+", choices=REPORTS, default=REPORTS, help="of the table")
    chosen = parser.parse_args()
    cleaner = Cleaner.from_pretrained(chosen.model, CleanOptions(color="gray"))
    pages = list(evaluation_pages(chosen.folders, cleaner, chosen.part))
    papers = banked_papers(chosen.paper, chosen.part) if chosen.paper else []
    reports = {
        "skew": skew_report(pages, cleaner),
        "straight": straight_report(pages, chosen.straight, chosen.fonts, cleaner),
        "orientation": orientation_report(pages),
        "borders": border_report(pages),
        "written": written_report(pages),
        "blank": blank_report(chosen.blank, papers, cleaner),
        "bilevel": bilevel_report(pages, set(chosen.languages), chosen.read),
        "time": time_report(pages[:20], cleaner),
    }
    for name in chosen.only:
        for line in reports[name]:
            print(line, flush=True)


if __name__ == "__main__":
    main()
