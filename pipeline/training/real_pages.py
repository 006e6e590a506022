"""Real pages whose truth is known, as pages of a corpus.

    python -m pagewash.training.real_pages SHARED_DATA CORPUS

A mask says where ink is, the scan says how dark and of what colour: the clean page is made of both.
Pages named in `VALIDATION` are left out, to choose by.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from pagewash.cleaning.scale import choose_scale, resample
from pagewash.inference.checkpoint import ModelCard
from pagewash.models.page_autoencoder import BLOCK
from pagewash.training.page_corpus import Bytes, Floats, TrainingPage, write_page

VALIDATION = {
    "bickley": ("H05",),
    "cuper_mcs": ("H05",),
    "dibco2012": ("H05",),
    "dibco2013": ("HW05", "PR05"),
    "dibco2014": ("H05",),
    "msi_sms": ("H03",),
    "nabuco": ("H03",),
    "phibd2012": ("H05",),
    "shadow_jung": ("rect_05",),
    "watermark": ("719",),
}
"""Pages of each set that no training sees."""

WITHOUT_SOME_STROKES = ("cuper_mcs", "nabuco", "msi_sms")
"""Sets whose masks leave out faint strokes, or rules: what is dark beside a mask hardly counts."""

WEAKEST_INK = 0.55
"""Darkness, 0..1, that even the weakest ink comes back with."""


def mask_pages(folder: Path, *, partial: bool) -> Iterator[tuple[str, TrainingPage]]:
    """Pages of a set whose truth are masks, where 0 is ink, by their names."""
    for path in sorted((folder / "img").iterdir()):
        if path.stem in VALIDATION.get(folder.name, ()):
            continue
        truth = next((folder / "gt").glob(f"{path.stem}.*"))
        ink = np.asarray(cv2.imread(str(truth), cv2.IMREAD_GRAYSCALE)) < 128
        yield path.stem, page_of_mask(read_rgb(path), ink, partial=partial)


def page_of_mask(scan: Bytes, ink: np.ndarray, *, partial: bool = False) -> TrainingPage:
    """Make a clean page of a scan and the mask of its ink.

    Args:
        scan: (H, W, 3) RGB.
        ink: (H, W) bool.
        partial: whether the mask leaves out some strokes.
    """
    page = scan.astype(np.float32) / 255
    far = cv2.dilate(ink.astype(np.uint8), np.ones((7, 7), np.uint8)) == 0
    paper = blurred_where(page, far, (3, 9, 27, 81))
    relative = np.clip(page / np.maximum(paper, 0.05), 0, 1)
    colour = blurred_where(relative, ink, (1.5, 4, 16))
    dark = 1 - luma(colour)
    restored = np.maximum(1 - (1 - dark) ** 2.2, WEAKEST_INK)
    colour = np.clip(colour - (restored - dark)[..., None], 0, 1)
    # masks have hard edges, pages have edges a pixel soft
    soft = cv2.GaussianBlur(ink.astype(np.float32), (0, 0), 0.6)[..., None]
    clean = 1 - soft * (1 - colour)
    weight = np.full(ink.shape, 255, np.uint8)
    if partial:
        doubtful = far & (luma(relative) < 0.75)
        doubtful = cv2.dilate(doubtful.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        weight[doubtful & ~ink] = 40
    return at_view(scan, _bytes(clean), weight, paper)


def shadow_pages(folder: Path) -> Iterator[tuple[str, TrainingPage]]:
    """Pages photographed with a shadow and without: what is darker than paper without it stays."""
    for path in sorted((folder / "img").iterdir()):
        if path.stem in VALIDATION.get(folder.name, ()):
            continue
        truth = next((folder / "gt").glob(f"{path.stem}.*"))
        scan, lit = read_rgb(path), read_rgb(truth).astype(np.float32) / 255
        paper = cv2.GaussianBlur(cv2.dilate(lit, np.ones((25, 25), np.uint8)), (0, 0), 12)
        relative = np.clip(lit / np.maximum(paper, 0.05), 0, 1)
        clean = np.clip((relative - 0.15) / (0.9 - 0.15), 0, 1)
        weight = np.full(scan.shape[:2], 128, np.uint8)  # some are off by a pixel or two
        yield path.stem, at_view(scan, _bytes(clean), weight, None)


def pairs_as_they_are(dirty: Path, clean: Path) -> Iterator[tuple[str, TrainingPage]]:
    """Pages whose clean originals are pages too, under the same names."""
    for path in sorted(dirty.iterdir()):
        scan, truth = read_rgb(path), read_rgb(next(clean.glob(f"{path.stem}.*")))
        yield path.stem, at_view(scan, truth, np.full(scan.shape[:2], 255, np.uint8), None)


def at_view(scan: Bytes, clean: Bytes, weight: Bytes, paper: Floats | None) -> TrainingPage:
    """Bring a page to the size at which the network sees it, or nearly so, in whole blocks."""
    grey = np.asarray(cv2.cvtColor(scan, cv2.COLOR_RGB2GRAY), np.uint8)
    scale = choose_scale(grey, None, ModelCard.text_heights)
    if scale < 1:
        scan, clean = (
            np.stack([resample(np.ascontiguousarray(p[..., c]), scale) for c in range(3)], 2)
            for p in (scan, clean)
        )
        weight = resample(weight, scale)
        if paper is not None:
            size = scan.shape[1], scan.shape[0]
            paper = np.asarray(cv2.resize(paper, size, interpolation=cv2.INTER_AREA))
        scale = 1
    scale = 2 if scale > 1 else 1
    unit = BLOCK // scale
    below, right = (-length % unit for length in scan.shape[:2])
    pad = ((0, below), (0, right), (0, 0))
    scan, clean = (np.pad(pixels, pad, mode="edge") for pixels in (scan, clean))
    weight = np.pad(weight, pad[:2])
    blocks = None
    if paper is not None:
        paper = np.pad(paper, pad, mode="edge")
        size = scan.shape[1] // unit, scan.shape[0] // unit
        blocks = np.moveaxis(cv2.resize(paper, size, interpolation=cv2.INTER_AREA), 2, 0)
    return TrainingPage(scan, clean, weight, blocks, scale)


def blurred_where(values: Floats, known: np.ndarray, sigmas: tuple[float, ...]) -> Floats:
    """Spread what is known of (H, W, 3) into its surroundings, finer the nearer (normalised
    convolution, Knutsson and Westin 1993).
    """
    weight = known.astype(np.float32)
    spread = np.empty_like(values)
    spread[:] = values[known].mean(0) if known.any() else 1
    for sigma in sorted(sigmas, reverse=True):
        step = max(int(sigma / 3), 1)  # a wide blur needs no fine grid
        size = max(values.shape[1] // step, 1), max(values.shape[0] // step, 1)
        small = cv2.resize(values * weight[..., None], size, interpolation=cv2.INTER_AREA)
        share = cv2.resize(weight, size, interpolation=cv2.INTER_AREA)
        small = cv2.GaussianBlur(small, (0, 0), sigma / step)
        share = cv2.GaussianBlur(share, (0, 0), sigma / step)
        full = values.shape[1], values.shape[0]
        total = cv2.resize(small, full, interpolation=cv2.INTER_LINEAR)
        share = cv2.resize(share, full, interpolation=cv2.INTER_LINEAR)[..., None]
        spread = (total + 0.02 * spread) / (share + 0.02)
    return spread


def read_rgb(path: Path) -> Bytes:
    """Read an image as (H, W, 3) RGB."""
    return np.ascontiguousarray(cv2.imread(str(path), cv2.IMREAD_COLOR)[..., ::-1])


def luma(page: Floats) -> Floats:
    """(H, W) of (H, W, 3) RGB, by ITU-R BT.601."""
    return np.asarray(cv2.cvtColor(np.asarray(page, np.float32), cv2.COLOR_RGB2GRAY))


def _bytes(page: Floats) -> Bytes:
    return np.rint(np.clip(page, 0, 1) * 255).astype(np.uint8)


def write_real_pages(data: Path, folder: Path) -> int:
    """Write all real pages with ground truth; returns how many."""
    count = 0
    for source in sorted((data / "pairs").iterdir()):
        if source.name == "shadow_jung":
            pages = shadow_pages(source)
        elif source.name == "watermark":
            pages = pairs_as_they_are(source / "img", source / "img")  # a watermark is content
        else:
            pages = mask_pages(source, partial=source.name in WITHOUT_SOME_STROKES)
        kind = "shadow" if source.name == "shadow_jung" else "masked"
        for name, page in pages:
            write_page(folder, f"{kind}-{source.name}-{name}", page)
            count += 1
    noisy = data / "noisyoffice/train"
    for name, page in pairs_as_they_are(noisy / "noisy", noisy / "clean"):
        write_page(folder, f"noisyoffice-{name}", page)
        count += 1
    return count


if __name__ == "__main__":
    print(write_real_pages(Path(sys.argv[1]), Path(sys.argv[2])), "pages")
