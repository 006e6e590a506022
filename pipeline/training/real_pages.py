"""Real pages whose truth is known, as pages of a corpus.

A mask says where ink is, the scan says how dark and of what colour: the clean page is made of both.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from pagewash.cleaning.scale import choose_scale, resample
from pagewash.errors import InputError
from pagewash.files import require_folder
from pagewash.grey import luminance
from pagewash.inference.checkpoint import ModelCard
from pagewash.models.page_autoencoder import BLOCK
from pagewash.training.page_corpus import Bytes, Floats, TrainingPage, write_page
from pagewash.training.synthesis.noise import from_bytes, soften, to_bytes

Mask = NDArray[np.bool_]

VALIDATION = {
    "bickley": ("H05",),
    "cuper_mcs": ("H05",),
    "dibco2012": ("H05",),
    "dibco2013": ("H05", "P05"),
    "dibco2014": ("H05",),
    "msi_sms": ("H03",),
    "nabuco": ("H03",),
    "phibd2012": ("H05",),
    "shadow_jung": ("rect_05",),
    "watermark": ("719",),
    "noisyoffice": ("Fontfte", "Fontnse"),
}
"""Beginnings of the names of pages, by their set, that no training sees: a checkpoint is chosen by
them."""

WITHOUT_SOME_STROKES = ("cuper_mcs", "nabuco", "msi_sms")
"""Sets whose masks leave out faint strokes, or rules: what is dark beside a mask hardly counts."""

WEAKEST_INK = 0.55
"""Darkness, 0..1, that even the weakest ink comes back with."""

DOUBTFUL = 40
"""Weight, of 255, of what may be a stroke that the mask leaves out."""

MISREGISTERED = 128
"""Weight, of 255, of pages that may be off by a pixel or two."""


class ScanAndTruth(NamedTuple):
    """The files of a page and of its truth."""

    scan: Path
    truth: Path


def write_real_pages(data: Path, folder: Path, *, held_back: bool = False) -> int:
    """Write real pages with ground truth into a corpus.

    Args:
        data: the folder with `pairs` and `noisyoffice`.
        folder: of the corpus.
        held_back: write the pages of `VALIDATION` in place of all others.

    Returns:
        How many were written.

    Raises:
        InputError: a page cannot be read, or has no truth.
        AccessError: there is no such folder.
    """
    count = 0
    for name, page in real_pages(data, held_back=held_back):
        write_page(folder, name, page)
        count += 1
    return count


def real_pages(data: Path, *, held_back: bool = False) -> Iterator[tuple[str, TrainingPage]]:
    """Read real pages and make their truth; each with its name, which begins with its kind."""
    require_folder(data / "pairs")
    for source in sorted(path for path in (data / "pairs").iterdir() if path.is_dir()):
        kind = "shadow" if source.name == "shadow_jung" else "masked"
        for pair in find_pairs(source / "img", source / "gt", source.name, held_back=held_back):
            yield f"{kind}-{source.name}-{pair.scan.stem}", _page_of_set(source.name, pair)
    noisy = data / "noisyoffice" / "train"
    for pair in find_pairs(noisy / "noisy", noisy / "clean", "noisyoffice", held_back=held_back):
        scan, clean = read_rgb(pair.scan), read_rgb(pair.truth)
        yield f"noisyoffice-{pair.scan.stem}", at_view(scan, clean, full_weight(scan))


def find_pairs(scans: Path, truths: Path, source: str, *, held_back: bool) -> list[ScanAndTruth]:
    """Find the scans of a set and their truths, sorted by name.

    Raises:
        InputError: a scan has no truth, or one that is held back is not there.
        AccessError: there is no such folder.
    """
    require_folder(scans)
    kept, every = VALIDATION.get(source, ()), sorted(scans.iterdir())
    unknown = [name for name in kept if not any(path.stem.startswith(name) for path in every)]
    if unknown:
        raise InputError(f"{scans} lacks {unknown[0]}, which is held back; copy the set again")
    by_stem = {path.stem: path for path in truths.glob("*.*")}
    paths = [path for path in every if path.stem.startswith(kept) == held_back]
    missing = [path for path in paths if path.stem not in by_stem]
    if missing:
        raise InputError(f"{missing[0]} has no truth in {truths}; copy the set again")
    return [ScanAndTruth(path, by_stem[path.stem]) for path in paths]


def page_of_mask(scan: Bytes, ink: Mask, *, partial: bool = False) -> TrainingPage:
    """Make a clean page of a scan and the mask of its ink.

    Args:
        scan: (H, W, 3) RGB.
        ink: (H, W), true where ink is.
        partial: whether the mask leaves out some strokes.
    """
    page = from_bytes(scan)
    far = cv2.dilate(ink.astype(np.uint8), np.ones((7, 7), np.uint8)) == 0
    paper = blurred_where(page, far, (3, 9, 27, 81))
    relative = _relative(page, paper)
    # masks have hard edges, pages have edges a pixel soft
    soft = soften(ink.astype(np.float32), 0.6)[..., None]
    clean = 1 - soft * (1 - _restored(relative, ink))
    weight = full_weight(scan)
    if partial:
        doubtful = (far & (luminance(np.asarray(relative, np.float32)) < 0.75)).astype(np.uint8)
        weight[(cv2.dilate(doubtful, np.ones((5, 5), np.uint8)) > 0) & ~ink] = DOUBTFUL
    return at_view(scan, to_bytes(clean), weight, paper)


def page_without_shadow(scan: Bytes, lit: Bytes) -> TrainingPage:
    """Make a clean page of two photographs: what is darker than paper without a shadow stays.

    Args:
        scan: (H, W, 3) RGB, with a shadow.
        lit: the same page without.
    """
    light = from_bytes(lit)
    paper = soften(np.asarray(cv2.dilate(light, np.ones((25, 25), np.uint8)), np.float32), 12)
    clean = (_relative(light, paper) - np.float32(0.15)) / np.float32(0.9 - 0.15)
    return at_view(scan, to_bytes(clean), np.full(scan.shape[:2], MISREGISTERED, np.uint8))


def at_view(scan: Bytes, clean: Bytes, weight: Bytes, paper: Floats | None = None) -> TrainingPage:
    """Bring a page to the size at which the cleaner shows it to the network, in whole blocks.

    Args:
        scan: (H, W, 3) RGB.
        clean: (H, W, 3).
        weight: (H, W), 255 where an error counts in full.
        paper: (H, W, 3) in 0..1: its colour, where that is known.
    """
    grey = luminance(scan)
    scale = choose_scale(grey, None, ModelCard.text_heights)
    if scale < 1:
        scan, clean = _shrunk(scan, scale), _shrunk(clean, scale)
        weight = resample(weight, scale)
    enlarged = max(int(scale), 1)
    unit = BLOCK // enlarged
    below, right = (-length % unit for length in scan.shape[:2])
    pad = ((0, below), (0, right), (0, 0))
    scan, clean = (np.pad(pixels, pad, mode="edge") for pixels in (scan, clean))
    known = None if paper is None else _by_block(paper, scan.shape, unit)
    return TrainingPage(scan, clean, np.pad(weight, pad[:2]), known, enlarged)


def blurred_where(values: Floats, known: Mask, sigmas: tuple[float, ...]) -> Floats:
    """Spread what is known into its surroundings, finer the nearer.

    Args:
        values: (H, W, 3).
        known: (H, W), true where values are known.
        sigmas: of the blurs, in pixels.

    Source:
        H. Knutsson, C.-F. Westin, Normalized and Differential Convolution, CVPR 1993.
    """
    weight = known.astype(np.float32)
    spread = np.empty_like(values)
    spread[:] = values[known].mean(0) if known.any() else 1
    full = values.shape[1], values.shape[0]
    for sigma in sorted(sigmas, reverse=True):
        step = max(int(sigma / 3), 1)  # a wide blur needs no fine grid
        size = max(full[0] // step, 1), max(full[1] // step, 1)
        total, share = (
            cv2.resize(
                cv2.GaussianBlur(
                    cv2.resize(part, size, interpolation=cv2.INTER_AREA), (0, 0), sigma / step
                ),
                full,
                interpolation=cv2.INTER_LINEAR,
            )
            for part in (values * weight[..., None], weight)
        )
        spread = (total + 0.02 * spread) / (share[..., None] + 0.02)
    return spread


def read_rgb(path: Path) -> Bytes:
    """Read an image as (H, W, 3) RGB.

    Raises:
        InputError: it cannot be read.
    """
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if pixels is None:
        raise InputError(f"{path} cannot be read as an image; copy it again")
    return np.ascontiguousarray(pixels[..., ::-1], np.uint8)


def _page_of_set(source: str, pair: ScanAndTruth) -> TrainingPage:
    scan = read_rgb(pair.scan)
    if source == "shadow_jung":
        return page_without_shadow(scan, read_rgb(pair.truth))
    if source == "watermark":  # which is content
        return at_view(scan, scan, full_weight(scan))
    ink = luminance(read_rgb(pair.truth).astype(np.float32)) < 128
    return page_of_mask(scan, ink, partial=source in WITHOUT_SOME_STROKES)


def _restored(relative: Floats, ink: Mask) -> Floats:
    """Spread the ink's own colour over the page, and darken it, the more the weaker it is.

    Args:
        relative: (H, W, 3) in 0..1, to the paper.
        ink: (H, W), true where it is.
    """
    colour = blurred_where(relative, ink, (1.5, 4, 16))
    dark = 1 - luminance(np.asarray(colour, np.float32))
    strong = np.maximum(1 - (1 - dark) ** 2.2, WEAKEST_INK)
    # all channels darken alike: to scale them would colour ink that is nearly neutral
    return np.asarray(np.clip(colour - (strong - dark)[..., None], 0, 1), np.float32)


def _relative(page: Floats, paper: Floats) -> Floats:
    return np.asarray(np.clip(page / np.maximum(paper, 0.05), 0, 1), np.float32)


def _shrunk(pixels: Bytes, scale: float) -> Bytes:
    return np.dstack([resample(np.ascontiguousarray(pixels[..., c]), scale) for c in range(3)])


def _by_block(paper: Floats, shape: tuple[int, ...], unit: int) -> Floats:
    """(3, h, w) means of (H, W, 3), of whatever size, on the blocks of a page of a shape."""
    size = shape[1] // unit, shape[0] // unit
    means = np.asarray(cv2.resize(paper, size, interpolation=cv2.INTER_AREA), np.float32)
    return np.moveaxis(means, 2, 0)


def full_weight(scan: Bytes) -> Bytes:
    """(H, W) of a page: all of it counts in full."""
    return np.full(scan.shape[:2], 255, np.uint8)
