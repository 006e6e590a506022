"""The sample documents that ship in `data/samples`: real scans cut to size, and pages made here.

    python -m pagewash.training.samples data/samples SCANS

SCANS is a folder with the scans of the Library of Congress that `SCANS` names; without it, only
the pages made here are written. Those are damaged by the project's own code, and set in faces that
no training sees, so that what a newcomer sees cleaned is not what the network has learned by heart.
"""

import sys
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pikepdf
from numpy.random import Generator
from PIL import Image as PillowImage
from PIL import ImageDraw

from pagewash.evaluation.evaluation_pages import EvaluationPage, set_evaluation_page
from pagewash.training.synthesis import noise, paper
from pagewash.training.synthesis.fonts import Typeface, find_typefaces
from pagewash.training.synthesis.ink import InkOptions, spread_ink
from pagewash.training.synthesis.noise import Image, to_bytes
from pagewash.training.synthesis.pictures import photograph
from pagewash.training.synthesis.typesetting import x_height_font

DPI = 150
HEIGHT, WIDTH = 1240, 880
"""A small page, A5 at 150 dpi, so that the samples stay light."""

X_HEIGHTS = (12.0, 14.0)

SCANS = {
    "title-page.jpg": ("2019713442-42.jpg", (176, 189, 2029, 3274)),
    "book-page.jpg": ("mss83434424-65.jpg", (82, 112, 1731, 2021)),
    "typed-letter.jpg": ("mss1187900114-42.jpg", (48, 22, 1648, 2190)),
}
"""Item and image of each scan, and what is cut out of it: left, top, right, bottom in pixels."""

SCAN_HEIGHT = 1200
"""Of a scan that is cut out and reduced, in pixels."""


def main() -> None:
    """Write all samples into the folder that is named on the command line."""
    folder, *scans = map(Path, sys.argv[1:])
    folder.mkdir(parents=True, exist_ok=True)
    for name, (scan, box) in SCANS.items() if scans else ():
        _cut(scans[0] / scan, box).save(folder / name, quality=75, optimize=True)
    faces = find_typefaces([Path("/usr/share/fonts")], held_back=True)
    text = _of(faces, "ebgaramond12-regular", "caladea-regular", "vollkorn-regular")
    _save(_stamped_form(np.random.default_rng(3), text), folder / "stamped-form.jpg")
    _save(
        _receipt(np.random.default_rng(4), _of(faces, "cantarell-regular")), folder / "receipt.jpg"
    )
    _two_pages(np.random.default_rng(5), text, folder / "photocopy.tif")
    _report(np.random.default_rng(6), text, folder / "report.pdf")


def _cut(scan: Path, box: tuple[int, int, int, int]) -> PillowImage.Image:
    """Part of a scan, reduced."""
    with PillowImage.open(scan) as image:
        part = image.crop(box)
    width = round(part.width * SCAN_HEIGHT / part.height)
    return part.resize((width, SCAN_HEIGHT), PillowImage.Resampling.LANCZOS)


def _stamped_form(rng: Generator, faces: Sequence[Typeface]) -> Image:
    """A letter in colour with a photograph, a red stamp and a signature in blue."""
    text = _coloured(_printed(rng, set_evaluation_page(rng, HEIGHT - 440, WIDTH, faces, X_HEIGHTS)))
    page = np.concatenate([text, np.ones((440, WIDTH, 3), np.float32)])
    tones = photograph(rng, 280, 340)[..., None]
    page[820:1100, 90:430] = tones ** np.array((0.8, 1.0, 1.3), np.float32)
    page *= _stamp(faces[0], (650, 900))
    page *= _signature(rng, (480, 1090))
    steps = (paper.yellowing, 0.45), (paper.uneven_light, 0.7), (paper.texture, 0.4)
    return _damage(page, rng, *steps, (paper.folds, 0.5), (noise.gaussian, 0.05))


def _receipt(rng: Generator, faces: Sequence[Typeface]) -> Image:
    """Weak thermal print on crumpled paper."""
    height, width = 900, 480
    canvas = PillowImage.new("L", (width, height))
    draw = ImageDraw.Draw(canvas)
    font = x_height_font(faces[0], 12)
    goods = ("Soap flakes", "Starch", "Washing soda", "Bluing", "Pegs, 24", "Line, 10 m", "Borax")
    for row, name in enumerate(goods * 3):
        y = 60 + row * 36
        draw.text((50, y), name, 255, font)
        draw.text(
            (width - 50, y), f"{rng.integers(1, 40)}.{rng.integers(0, 100):02d}", 255, font, "ra"
        )
    page = 1 - np.asarray(canvas, np.float32) * np.float32(0.6 / 255)
    steps = (paper.faded_ink, 0.5), (paper.wrinkles, 0.7), (paper.shadow, 0.4)
    return _damage(page, rng, *steps, (noise.blur, 0.1), (noise.gaussian, 0.08))


def _two_pages(rng: Generator, faces: Sequence[Typeface], path: Path) -> None:
    """A photocopy in black and white, two pages in one TIFF."""
    pages = []
    for _ in range(2):
        page = _printed(rng, set_evaluation_page(rng, HEIGHT, WIDTH, faces, X_HEIGHTS))
        steps = (paper.dust, 1.0), (paper.streaks, 0.7), (noise.blur, 0.15), (noise.gaussian, 0.45)
        grey = np.clip(_damage(page, rng, *steps), 0, 1)
        pages.append(PillowImage.fromarray(to_bytes((grey > 0.55).astype(np.float32))).convert("1"))
    pages[0].save(
        path, save_all=True, append_images=pages[1:], compression="group4", dpi=(DPI, DPI)
    )


def _report(rng: Generator, faces: Sequence[Typeface], path: Path) -> None:
    """A scanned PDF of two pages, with a text layer, a bookmark and a title."""
    scans, texts = [], []
    for _ in range(2):
        evaluation_page = set_evaluation_page(rng, HEIGHT, WIDTH, faces, X_HEIGHTS)
        steps = (paper.yellowing, 0.5), (paper.stains, 0.7), (noise.gaussian, 0.05)
        dirty = _damage(_printed(rng, evaluation_page), rng, *steps)
        scans.append(PillowImage.fromarray(to_bytes(dirty)))
        texts.append(evaluation_page.text)
    scanned = BytesIO()
    scans[0].save(
        scanned, "PDF", save_all=True, append_images=scans[1:], resolution=DPI, quality=80
    )
    with pikepdf.open(scanned) as pdf:
        for page, text in zip(pdf.pages, texts, strict=True):
            _add_text_layer(pdf, page, text)
        with pdf.open_outline() as outline:
            outline.root.append(pikepdf.OutlineItem("The second page", 1))
        pdf.docinfo["/Title"] = "A report to clean"
        pdf.save(path)


def _add_text_layer(pdf: pikepdf.Pdf, page: pikepdf.Page, text: str) -> None:
    """Put invisible text over the page, a line at a time, as OCR programs do."""
    font = pikepdf.Dictionary(
        Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica
    )
    page.add_resource(pdf.make_indirect(font), pikepdf.Name.Font, pikepdf.Name("/F1"))
    height = float(page.mediabox[3])
    step = 0.8 * height / max(len(text.splitlines()), 1)
    content = [b"BT 3 Tr /F1 8 Tf"]
    for number, line in enumerate(text.splitlines()):
        escaped = line.translate({ord(sign): f"\\{sign}" for sign in "\\()"}).encode(
            "latin-1", "ignore"
        )
        content.append(
            b"1 0 0 1 40 %d Tm (%s) Tj" % (round(0.88 * height - number * step), escaped)
        )
    page.contents_add(b"\n".join([*content, b"ET"]))


def _printed(rng: Generator, evaluation_page: EvaluationPage) -> Image:
    clean_page = evaluation_page.clean_page
    return 1 - spread_ink(
        clean_page.ink, clean_page.text_height, rng, InkOptions(bold=0.1, thin=0.0)
    )


def _coloured(page: Image) -> Image:
    return np.repeat(page[..., None], 3, axis=2)


def _damage(
    page: Image, rng: Generator, *steps: tuple[Callable[[Image, Generator, float], Image], float]
) -> Image:
    for step, level in steps:
        page = step(page, rng, level)
    return page


def _stamp(face: Typeface, centre: tuple[int, int]) -> Image:
    """A round red stamp as a transmittance, (H, W, 3)."""
    canvas = PillowImage.new("L", (WIDTH, HEIGHT))
    draw = ImageDraw.Draw(canvas)
    for radius, wide in ((105, 6), (78, 3)):
        box = [centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius]
        draw.ellipse(box, outline=255, width=wide)
    draw.text(centre, "PAID", 255, face.at(54), "mm")
    ink = np.asarray(canvas.rotate(12, center=centre), np.float32)[..., None] / np.float32(255)
    return 1 - ink * np.array((0.15, 0.85, 0.8), np.float32)


def _signature(rng: Generator, start: tuple[int, int]) -> Image:
    """A looping stroke in blue ink as a transmittance, (H, W, 3)."""
    turns = np.linspace(0, 9 * np.pi, 500)
    sway = np.interp(turns, np.linspace(0, 9 * np.pi, 10), rng.uniform(12, 48, 10))
    x = start[0] + turns * 10 + sway * 0.7 * np.cos(turns)
    y = start[1] + sway * np.sin(turns)
    ink = np.zeros((HEIGHT, WIDTH), np.uint8)
    points = np.stack([x, y], axis=1).round().astype(np.int32)
    cv2.polylines(ink, [points], False, 255, 3, cv2.LINE_AA)
    return 1 - noise.from_bytes(ink)[..., None] * np.array((0.85, 0.7, 0.25), np.float32)


def _of(faces: Sequence[Typeface], *names: str) -> list[Typeface]:
    return [face for face in faces if face.path.stem.lower() in names]


def _save(page: Image, path: Path) -> None:
    PillowImage.fromarray(to_bytes(page)).save(path, quality=80, dpi=(DPI, DPI))


if __name__ == "__main__":
    main()
