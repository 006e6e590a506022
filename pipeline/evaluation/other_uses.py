"""How well the autoencoder does what it was not made for: novelty, embeddings, a start for others.

    python -m pagewash.evaluation.other_uses fast /usr/share/fonts fonts

measures all three on pages in held-back faces, by seeds that nothing else has, through the same
`Cleaner` that a user gets, and prints a line for each figure. Photographs come from scikit-image.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray

from pagewash.cleaning.cleaner import Cleaner, CleanOptions
from pagewash.errors import MissingError, OptionError
from pagewash.evaluation import out_of_distribution as out_of_distribution_pages
from pagewash.evaluation.evaluation_pages import set_evaluation_page
from pagewash.evaluation.linear_probe import (
    balanced_accuracy,
    fit_head,
    fit_whole,
    labelled_crops,
)
from pagewash.grey import luminance
from pagewash.inference.checkpoint import load_checkpoint
from pagewash.models.page_autoencoder import PageAutoencoder
from pagewash.pages import Page
from pagewash.training.calibration import HEIGHT, USUAL_DAMAGE, WIDTH, usual_page, usual_scan
from pagewash.training.synthesis.corruption import corrupt
from pagewash.training.synthesis.fonts import Typeface, find_typefaces
from pagewash.training.synthesis.noise import Image, from_bytes, to_bytes
from pagewash.training.synthesis.typesetting import CleanPage

Grey = NDArray[np.uint8]

SEEDS = {"usual": 41_001, "strange": 41_002, "twice": 41_003, "learned": 41_004, "judged": 41_005}
"""Of no other pages."""

USUAL, STRANGE, TWICE, JUDGED = 40, 10, 40, 160
"""Usual pages; strange ones of each kind; pages scanned twice; crops to judge a classifier by."""

LABELS = (32, 128)
"""Labelled crops to learn from."""

PHOTOGRAPHS = ("astronaut", "rocket", "moon", "grass", "gravel", "immunohistochemistry", "retina")
"""Of `skimage.data`."""

DPI = (300.0, 300.0)
"""Of all pages."""

FLAGGED = 95.0
"""Percentile above which a page is called novel."""


def novelty_figures(cleaner: Cleaner, faces: Sequence[Typeface]) -> Iterator[str]:
    """Tell strange pages from usual ones by their novelty."""
    usual = _novelty(cleaner, _usual_pages(faces))
    kinds = {
        kind: _novelty(cleaner, pages) for kind, pages in _out_of_distribution_pages(faces).items()
    }
    yield f"usual pages above percentile {FLAGGED:g}: {np.mean(usual > FLAGGED):.2f}"
    for kind, strange in (*kinds.items(), ("all of them", np.concatenate(list(kinds.values())))):
        yield (
            f"novelty, {kind}: ROC AUC {roc_auc(usual, strange):.3f}, "
            f"above percentile {FLAGGED:g}: {np.mean(strange > FLAGGED):.2f}"
        )


def embedding_figures(cleaner: Cleaner, faces: Sequence[Typeface]) -> Iterator[str]:
    """Find the first scan of a page by the second, among the first scans of all pages."""
    scans = [_scanned_twice(number, faces) for number in range(TWICE)]
    vectors = [
        np.stack([_embedding(cleaner, page) for page in column])
        for column in zip(*scans, strict=True)
    ]
    thumbnails = [
        np.stack([_thumbnail(page) for page in column]) for column in zip(*scans, strict=True)
    ]
    yield f"embeddings, {TWICE} pages scanned twice: precision at 1 {precision_at_1(*vectors):.2f}"
    yield f"the same by reduced scans, uncleaned: precision at 1 {precision_at_1(*thumbnails):.2f}"


def classifier_figures(
    model: str, faces: Sequence[Typeface], held_back: Sequence[Typeface]
) -> Iterator[str]:
    """Train classifiers of damage from the model's encoder and from scratch."""
    crops, labels = labelled_crops(SEEDS["learned"], max(LABELS), faces)
    judged = labelled_crops(SEEDS["judged"], JUDGED, held_back)
    pretrained = load_checkpoint(model).network
    if not isinstance(pretrained, PageAutoencoder):
        raise OptionError(f"{model} is no autoencoder, and has no encoder to learn on")
    torch.manual_seed(0)
    untrained = PageAutoencoder(pretrained.options).eval()
    for count in LABELS:
        known = crops[:count], labels[:count]
        scratch = PageAutoencoder(pretrained.options)
        classifiers = (
            fit_head(pretrained, *known),
            fit_head(untrained, *known),
            fit_whole(scratch, *known),
        )
        ours, chance, theirs = (balanced_accuracy(each, *judged) for each in classifiers)
        yield (
            f"kinds of damage from {count} labelled crops, balanced accuracy: {ours:.3f} on the "
            f"trained encoder, {chance:.3f} on an untrained one, {theirs:.3f} from scratch"
        )


def roc_auc(usual: Sequence[float] | Image, strange: Sequence[float] | Image) -> float:
    """Chance that a strange page scores higher than a usual one; ties count half."""
    ours, theirs = np.asarray(usual)[None], np.asarray(strange)[:, None]
    return float((theirs > ours).mean() + (theirs == ours).mean() / 2)


def precision_at_1(embeddings: Image, queries: Image) -> float:
    """Share of queries whose nearest embedding is that of the same page; rows of length 1."""
    return float(((queries @ embeddings.T).argmax(axis=1) == np.arange(len(queries))).mean())


def scan_twice(first: CleanPage, verso: CleanPage, rng: Generator) -> tuple[Grey, Grey]:
    """Scan a page, and again when it lies a little askew and has suffered anew."""
    options = USUAL_DAMAGE
    one, other = (
        to_bytes(corrupt(clean_page, verso, rng, options).dirty)
        for clean_page in (first, _laid_anew(first, rng))
    )
    return one, other


def _usual_pages(faces: Sequence[Typeface]) -> Iterator[Grey]:
    """Pages as training has them, and pages of prose, in turn."""
    for number in range(USUAL):
        rng = np.random.default_rng((SEEDS["usual"], number))
        if number % 2:
            yield usual_scan(rng, faces)
        else:
            page, verso = (_prose(rng, faces) for _ in range(2))
            yield to_bytes(corrupt(page, verso, rng, USUAL_DAMAGE).dirty)


def _out_of_distribution_pages(faces: Sequence[Typeface]) -> Mapping[str, list[Grey]]:
    """Pages of each strange kind, aged and scanned as usual ones are."""
    pictures = photographs()
    pages: dict[str, list[Grey]] = {}
    for number in range(STRANGE):
        rng = np.random.default_rng((SEEDS["strange"], number))
        size = HEIGHT, WIDTH
        verso = usual_page(rng, faces, *size)
        picture = pictures[number % len(pictures)]
        clean_pages = {
            "photographs": out_of_distribution_pages.filled_page(rng, *size, picture),
            "blank pages": out_of_distribution_pages.blank_page(*size),
            "music": out_of_distribution_pages.music_page(rng, *size),
            "maps": out_of_distribution_pages.map_page(rng, *size),
            "graphs": out_of_distribution_pages.graph_page(rng, *size),
        }
        for kind, clean_page in clean_pages.items():
            dirty = corrupt(clean_page, verso, rng, USUAL_DAMAGE).dirty
            pages.setdefault(kind, []).append(to_bytes(dirty))
        pages.setdefault("negatives", []).append(255 - usual_scan(rng, faces))
    return pages


def photographs() -> list[Image]:
    """Photographs as (H, W) grey levels in 0..1.

    Raises:
        MissingError: scikit-image is not installed.
    """
    try:
        import skimage.data
    except ImportError as error:
        raise MissingError("scikit-image is not installed: pip install 'pagewash[test]'") from error
    pictures = (getattr(skimage.data, name)() for name in PHOTOGRAPHS)
    return [from_bytes(luminance(each)) for each in pictures]


def _scanned_twice(number: int, faces: Sequence[Typeface]) -> tuple[Grey, Grey]:
    """A page of prose or a usual one, in turn, of the shape of A4."""
    rng = np.random.default_rng((SEEDS["twice"], number))
    if number % 2:
        page, verso = (_prose(rng, faces, (512, 384)) for _ in range(2))
    else:
        page, verso = (usual_page(rng, faces, 512, 384) for _ in range(2))
    return scan_twice(page, verso, rng)


def _prose(
    rng: Generator, faces: Sequence[Typeface], size: tuple[int, int] = (HEIGHT, WIDTH)
) -> CleanPage:
    return set_evaluation_page(rng, *size, faces, (10.0, 20.0)).clean_page


def _laid_anew(clean_page: CleanPage, rng: Generator) -> CleanPage:
    height, width = clean_page.ink.shape
    middle = width / 2, height / 2
    turn = cv2.getRotationMatrix2D(middle, rng.normal(0, 0.4), 1 + rng.normal(0, 0.008))
    turn = np.column_stack([turn[:, :2], turn[:, 2] + rng.normal(0, 4, 2)])
    ink = cv2.warpAffine(clean_page.ink, turn, (width, height))
    picture = cv2.warpAffine(clean_page.picture, turn, (width, height), borderValue=1)
    return replace(
        clean_page, ink=np.asarray(ink, np.float32), picture=np.asarray(picture, np.float32)
    )


def _novelty(cleaner: Cleaner, pages: Iterator[Grey] | Sequence[Grey]) -> Image:
    cleaned = cleaner.clean_pages(Page(page, DPI) for page in pages)
    return np.array([page.novelty for page in cleaned], np.float32)


def _embedding(cleaner: Cleaner, page: Grey) -> Image:
    (cleaned,) = cleaner.clean_pages([Page(page, DPI)])
    if cleaned.embedding is None:
        raise MissingError("the model is not calibrated; see pagewash.training.calibration")
    return cleaned.embedding


def _thumbnail(page: Grey) -> Image:
    """A scan at the size of its embedding, for comparison."""
    small = np.ravel(
        from_bytes(np.asarray(cv2.resize(page, (48, 64), interpolation=cv2.INTER_AREA), np.uint8))
    )
    centred = np.asarray(small - small.mean(), np.float32)
    return centred / np.float32(max(float(np.linalg.norm(centred)), 1e-9))


def main() -> None:
    """Print all figures: a model and folders of fonts stand on the command line."""
    model, *folders = sys.argv[1:]
    fonts = [Path(folder) for folder in folders]
    faces, held_back = find_typefaces(fonts), find_typefaces(fonts, held_back=True)
    cleaner = Cleaner.from_pretrained(model, CleanOptions(embeddings=True))
    for figures in (
        novelty_figures(cleaner, held_back),
        embedding_figures(cleaner, held_back),
        classifier_figures(model, faces, held_back),
    ):
        for line in figures:
            print(line, flush=True)


if __name__ == "__main__":
    main()
