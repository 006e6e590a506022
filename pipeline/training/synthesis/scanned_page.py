"""A rendered page, aged and scanned: on real or made-up paper, with what lies around it.

    python -m pagewash.training.synthesis.scanned_page CORPUS FIRST LAST BANK FONTS...

writes leaves number FIRST to LAST - 1 of a corpus; leaf number i is always the same.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator

from pagewash.models.page_autoencoder import BLOCK
from pagewash.training.page_corpus import Floats, TrainingPage, write_page
from pagewash.training.synthesis import noise, paper
from pagewash.training.synthesis.corruption import _PAPER, CorruptionOptions, _levels, _suffer
from pagewash.training.synthesis.fonts import find_typefaces
from pagewash.training.synthesis.noise import Image, fractal_field, smooth_field, soften
from pagewash.training.synthesis.paper_extraction import RealPaper
from pagewash.training.synthesis.printing_on_paper import lay_on
from pagewash.training.synthesis.real_paper import read_index, read_paper
from pagewash.training.synthesis.rendered_page import Fonts, RenderedPage, render_page
from pagewash.training.synthesis.scripts import find_script_fonts

PRISTINE = 0.1
"""Share of pages that stay as they are, so that clean pages pass unharmed."""

BILEVEL = 0.1
"""Share of pages that are scanned in black and white."""

GREY = 0.25
"""Share of pages that are scanned without colour."""

REAL_PAPER = 0.6
"""Share of the other pages that are printed on paper of real scans."""

SURROUNDED = 0.35
"""Share of the pages on made-up paper that lie on something that the scan shows too."""

OPTIONS = CorruptionOptions()

_SCANNER = ("blur", "rescaling", "grain", "gaussian", "speckle", "salt_and_pepper", "impulse")
_ON_REAL_PAPER = ("stains", "folds", "wrinkles", "dust", "uneven_light", "shadow", "streaks")


def scan_page(
    page: RenderedPage, verso: RenderedPage, rng: Generator, real: RealPaper | None
) -> TrainingPage:
    """Age and scan a page.

    Args:
        page: what stands on it.
        verso: what stands on its other side, of the same size.
        rng: decides everything.
        real: paper to print it on; None makes some up.
    """
    chance = rng.random()
    if chance < PRISTINE:
        dirty = clean = page.clean if rng.random() < 0.5 else page.printed
        return _finished(dirty, clean, np.ones_like(dirty), None, rng)
    severe = rng.random() < 0.15
    levels = _levels(OPTIONS.chances.__dataclass_fields__, rng, OPTIONS, severe=severe)
    printed = _suffer(page.printed, ("broken_ink",), levels, rng)
    if (level := levels.get("show_through")) is not None:
        printed = paper.show_through(printed, rng, level, noise.to_grey(verso.printed))
    if real is not None:
        dirty, clean, sheet, outside = _on_real_paper(printed, page.clean, rng, real, levels)
    else:
        dirty, clean, sheet, outside = _on_made_up_paper(printed, page.clean, rng, levels)
    if levels.get("tone") is not None:
        both = paper_tone(np.concatenate([dirty, sheet], 2), rng, levels["tone"] or 0.0)
        dirty, sheet = both[..., :3], both[..., 3:]
    dirty = np.clip(_suffer(dirty, _SCANNER, levels, rng), 0, 1)
    if chance < PRISTINE + BILEVEL:
        dirty, clean, sheet = _as_bilevel(dirty, clean, outside, rng, levels)
    return _finished(dirty, clean, sheet, outside, rng)


def paper_tone(pixels: Image, rng: Generator, level: float) -> Image:
    """Expose badly, but for every channel alike, whatever their number."""
    return noise.tone(pixels, rng, level)


def _on_real_paper(printed, clean, rng, real, levels):
    """Print on paper of a real scan; a stain or a shadow may fall on it besides."""
    laid = lay_on(real, printed, clean, rng)
    few = {kind: levels.get(kind) if rng.random() < 0.4 else None for kind in _ON_REAL_PAPER}
    light = _suffer(np.ones_like(laid.dirty), _ON_REAL_PAPER, few, rng)
    return laid.dirty * light, laid.clean, laid.paper * light, laid.outside


def _on_made_up_paper(printed, clean, rng, levels):
    sheet = np.clip(_suffer(np.ones_like(printed), _PAPER, levels, rng), 0, 1)
    dirty = printed * sheet
    outside = np.zeros(printed.shape[:2], bool)
    if rng.random() < SURROUNDED:
        dirty, clean, sheet, outside = _surrounded(dirty, clean, sheet, rng)
    return dirty, clean, sheet, outside


def _surrounded(dirty: Image, clean: Image, sheet: Image, rng: Generator):
    """Lay the sheet, a little askew, on a bed, a table, a book; some of it may not be scanned."""
    height, width = dirty.shape[:2]
    angle = rng.normal(0, 1.5) if rng.random() < 0.8 else rng.uniform(-10, 10)
    scale = rng.uniform(0.8, 1.0)
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, scale)
    turn[:, 2] += rng.uniform(-0.12, 0.12, 2) * (width, height)
    if rng.random() < 0.4:  # photographed from one side
        corners = np.float32([(0, 0), (width, 0), (width, height), (0, height)])
        moved = cv2.transform(corners[None], turn)[0] + rng.normal(0, 0.02, (4, 2)).astype(
            np.float32
        ) * (width, height)
        warp = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    else:
        warp = np.vstack([turn, (0, 0, 1)])
    stacked = np.concatenate([dirty, clean, sheet], 2)
    size = (width, height)
    parts = [
        cv2.warpPerspective(
            np.ascontiguousarray(stacked[..., at : at + 3]),
            warp,
            size,
            borderMode=cv2.BORDER_REPLICATE,
        )
        for at in (0, 3, 6)
    ]
    within = cv2.warpPerspective(np.ones((height, width), np.float32), warp, size)
    bed = _bed(rng, height, width)
    reach = float(rng.uniform(2, 40))
    away = soften(within, reach)  # the sheet's shadow on the bed
    bed = bed * (1 - np.float32(rng.uniform(0, 0.7)) * away[..., None])
    if rng.random() < 0.25:
        bed = _leaves(rng, bed, within)
    inside = within[..., None]
    return (
        parts[0] * inside + bed * (1 - inside),
        parts[1] * inside + (1 - inside),
        parts[2],
        within < 0.5,
    )


def _bed(rng: Generator, height: int, width: int) -> Image:
    """What lies under and around a sheet: black, grey or white, wood, cloth."""
    shape = (height, width)
    chance = rng.random()
    if chance < 0.35:
        bed = np.full((*shape, 3), rng.uniform(0, 0.18), np.float32)
    elif chance < 0.6:
        bed = np.full((*shape, 3), rng.uniform(0.2, 1.0), np.float32)
    else:
        colour = rng.uniform(0.05, 0.8) * np.array((1, rng.uniform(0.5, 1), rng.uniform(0.3, 1)))
        bed = np.broadcast_to(colour.astype(np.float32), (*shape, 3)).copy()
    if chance > 0.6:
        if rng.random() < 0.6:  # wood
            grain = cv2.resize(
                fractal_field(rng, (height, max(width // 40, 4)), 6, 4), (width, height)
            )
            grain = (
                grain
                if rng.random() < 0.5
                else cv2.resize(np.ascontiguousarray(grain.T), (width, height))
            )
        else:  # cloth
            grain = smooth_field(rng, shape, rng.uniform(1.5, 4)) + fractal_field(rng, shape, 80)
        bed *= 1 + np.float32(rng.uniform(0.05, 0.35)) * grain[..., None]
    bed *= 1 + np.float32(0.15) * smooth_field(rng, shape, max(shape) / 2)[..., None]
    return np.clip(bed, 0, 1)


def _leaves(rng: Generator, bed: Image, within: Image) -> Image:
    """Edges of the leaves beneath, as beside an open book: fine lines along the sheet's edge."""
    pitch = int(rng.integers(2, 6))
    edge = within.astype(np.uint8)
    for step in range(int(rng.integers(3, 14)), 0, -1):
        grown = cv2.dilate(edge, np.ones((2 * step * pitch + 1,) * 2, np.uint8)) > 0
        bed[grown] = np.float32(rng.uniform(0.35, 0.95)) * np.array((1, 0.95, 0.85), np.float32)
    return bed


def _as_bilevel(dirty, clean, outside, rng, levels):
    """Scan in black and white; what that no longer tells is not asked for."""
    grey = noise.to_grey(dirty)
    if rng.random() < 0.85:
        found = noise.thresholding(grey, rng, levels.get("thresholding") or rng.random())
    else:
        found = noise.dithering(grey, rng, rng.random())
    near = cv2.dilate((noise.to_grey(clean) < 0.75).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    kept = np.where(near, found, 1).astype(np.float32)
    if outside is not None:
        kept[outside] = 1
    white = np.ones_like(dirty)
    return np.repeat(found[..., None], 3, 2), np.repeat(kept[..., None], 3, 2), white


def _finished(dirty, clean, sheet, outside, rng) -> TrainingPage:
    if rng.random() < GREY:
        dirty, clean = (
            np.repeat(noise.to_grey(np.ascontiguousarray(p, np.float32))[..., None], 3, 2)
            for p in (dirty, clean)
        )
        sheet = (
            None
            if sheet is None
            else np.repeat(noise.to_grey(np.ascontiguousarray(sheet, np.float32))[..., None], 3, 2)
        )
    height, width = (length // BLOCK * BLOCK for length in dirty.shape[:2])
    dirty, clean = (
        noise.to_bytes(np.ascontiguousarray(p[:height, :width])) for p in (dirty, clean)
    )
    if rng.random() < 0.4:
        packed = cv2.imencode(
            ".jpg", dirty[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 95))]
        )[1]
        dirty = np.ascontiguousarray(cv2.imdecode(packed, cv2.IMREAD_COLOR)[..., ::-1])
    blocks = None
    if sheet is not None:
        blocks = _blocks(
            sheet[:height, :width], None if outside is None else outside[:height, :width]
        )
    return TrainingPage(dirty, clean, np.full((height, width), 255, np.uint8), blocks)


def _blocks(sheet: Image, outside: np.ndarray | None) -> Floats:
    """The paper's colour in each block, NaN outside of the page."""
    size = sheet.shape[1] // BLOCK, sheet.shape[0] // BLOCK
    means = cv2.resize(np.ascontiguousarray(sheet, np.float32), size, interpolation=cv2.INTER_AREA)
    if outside is not None:
        means[cv2.resize(outside.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.02] = (
            np.nan
        )
    return np.moveaxis(means, 2, 0)


def make_leaf(
    number: int, seed: int, fonts: Fonts, bank: Path | None
) -> tuple[TrainingPage, TrainingPage]:
    """Make the two pages of leaf `number`, each of which shines through the other."""
    rng = np.random.default_rng((seed, number))
    if rng.random() < 0.06:
        height, width = 3504, 2480  # A4 at 300 dpi, as most scans are
    else:
        spans = ((900, 1700), (700, 1300))
        height, width = (int(rng.uniform(*span)) // BLOCK * BLOCK for span in spans)
    if rng.random() < 0.2:
        height, width = width, height
    recto, verso = (render_page(rng, height, width, fonts) for _ in range(2))
    return (
        scan_page(recto, verso, rng, _some_paper(bank, rng)),
        scan_page(verso, recto, rng, _some_paper(bank, rng)),
    )


def _some_paper(bank: Path | None, rng: Generator) -> RealPaper | None:
    if bank is None or rng.random() >= REAL_PAPER:
        return None
    index = read_index(bank)
    return read_paper(bank, index[int(rng.integers(len(index)))])


def main(arguments: Sequence[str]) -> None:
    """Write pages of a corpus."""
    corpus, first, last, bank, *folders = arguments
    cv2.setNumThreads(1)
    where = [Path(folder) for folder in folders]
    fonts = Fonts(find_typefaces(where), find_script_fonts(where))
    for number in range(int(first), int(last)):
        if not (Path(corpus) / f"rendered-{number:06d}-verso.npy").exists():
            leaf = make_leaf(number, 1, fonts, None if bank == "-" else Path(bank))
            for name, page in zip(("recto", "verso"), leaf, strict=True):
                write_page(Path(corpus), f"rendered-{number:06d}-{name}", page)


if __name__ == "__main__":
    main(sys.argv[1:])
