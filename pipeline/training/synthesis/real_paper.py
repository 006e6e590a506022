"""A bank of real paper on disk: scans, pairs and textures with everything on them taken off.

    python -m pagewash.training.synthesis.real_paper SHARED_DATA BANK

`outlines.json` beside this file says of every image where its page lies, what else is on it,
and whether it is of use. Training leaves out every tenth scan (those whose place in the sorted
list of all images under `scans` is divisible by ten) and the pages of `pairs` that `VALIDATION`
names: they are for validation. A scan that is a part of a page of `field` is left out of both.
`dibco`, `noisyoffice/val`, `ocr`, `ocr2` and `field` are never read.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pagewash.errors import InputError
from pagewash.files import require_folder, sha256_of, write_atomically
from pagewash.grey import darkest
from pagewash.training import real_pages
from pagewash.training.synthesis.paper_extraction import Mask, RealPaper, extract, fill

LONGEST = 2600
"""Longer side of a paper in the bank, in pixels, at most."""

_SHORTEST = 400
"""Papers with a shorter side, in pixels, are too small to print on."""

ELSEWHERE = {"scans/noteshrink/tree.jpg"}
"""Scans that show what a page of the tests shows."""

_OUTLINES = Path(__file__).with_name("outlines.json")

_WHOLE_MASKS = ("dibco2012", "dibco2013", "dibco2014", "phibd2012")
"""Sets of pairs whose masks leave out no ink."""

_STAINS = ("lshdib_stains",)
"""Textures that have stains and no rules, so that nothing is to be sought on them."""


@dataclass(frozen=True)
class BankedPaper:
    """A paper of the bank, as its index has it."""

    number: int
    source: str
    """Path below the data folder."""

    sha256: str
    """Hash of the source file."""

    scale: float
    """Pixels of the paper per pixel of the source."""

    kind: str
    """What the source is: handwriting, print, blank, bilevel."""

    black: float
    blur: float
    tileable: bool
    """As in `RealPaper`."""


def write_bank(shared_data: Path, folder: Path, split: str = "training") -> list[BankedPaper]:
    """Extract all papers of a split, and write them with an index.json.

    Args:
        shared_data: the folder with scans, pairs, textures and noisyoffice.
        folder: gets NNNN.png (RGB) and NNNN.outside.png (white outside the page) of each.
        split: training or validation.

    Raises:
        InputError: there is no such folder, or a file of it cannot be read.
    """
    require_folder(shared_data)
    folder.mkdir(parents=True, exist_ok=True)
    banked: list[BankedPaper] = []
    for source, kind, scale, paper in _papers(shared_data, split):
        number = len(banked)
        _write_png(folder / f"{number:04d}.png", paper.paper[..., ::-1])
        _write_png(folder / f"{number:04d}.outside.png", paper.outside.astype(np.uint8) * 255)
        name = source.relative_to(shared_data).as_posix()
        banked.append(
            BankedPaper(
                number, name, sha256_of(source), round(scale, 4), kind,
                round(paper.black, 4), round(paper.blur, 3), paper.tileable,
            )
        )  # fmt: skip
    index = json.dumps([vars(entry) for entry in banked], indent=1)
    write_atomically(folder / "index.json", f"{index}\n".encode())
    return banked


def read_index(folder: Path) -> list[BankedPaper]:
    """Return what a bank holds.

    Raises:
        InputError: the folder holds no bank.
    """
    index = folder / "index.json"
    if not index.is_file():
        raise InputError(
            f"{folder} holds no bank of paper; make one: "
            f"python -m pagewash.training.synthesis.real_paper SHARED_DATA {folder}"
        )
    return [BankedPaper(**entry) for entry in json.loads(index.read_text())]


def read_paper(folder: Path, entry: BankedPaper) -> RealPaper:
    """Read one paper of a bank."""
    paper = _read(folder / f"{entry.number:04d}.png")
    outside = _read(folder / f"{entry.number:04d}.outside.png")[..., 0] > 127
    return RealPaper(paper, outside, entry.black, entry.blur, entry.tileable)


def split_of(names: list[str]) -> dict[str, str]:
    """Say for each image, by its sorted path below the data folder, which split it belongs to."""
    splits = dict.fromkeys(names, "training")
    scans = (name for name in sorted(names) if name.startswith("scans/"))
    for place, name in enumerate(scans):
        if place % 10 == 0:
            splits[name] = "validation"
    for name in names:
        folder, of_set, *rest = name.split("/")
        if folder == "pairs" and rest[-1].startswith(real_pages.VALIDATION.get(of_set, ())):
            splits[name] = "validation"
    return splits | dict.fromkeys(ELSEWHERE & splits.keys(), "left out")


def scans_of(split: str) -> list[str]:
    """Paths below the data folder, sorted, of the scans of a split."""
    splits = split_of(list(json.loads(_OUTLINES.read_text())))
    scans = (name for name in splits if name.startswith("scans/"))
    return sorted(name for name in scans if splits[name] == split)


def _papers(shared_data: Path, split: str) -> Iterator[tuple[Path, str, float, RealPaper]]:
    notes: dict[str, dict[str, Any]] = json.loads(_OUTLINES.read_text())
    for name, its_split in split_of(list(notes)).items():
        source = shared_data / name
        if its_split != split or not notes[name]["usable_as_paper"]:
            continue
        scan, scale = reduced(_read(source))
        if min(scan.shape[:2]) >= _SHORTEST:
            yield source, notes[name]["kind"], scale, _extract(source, name, scan, notes[name])
    if split == "training":
        for source, paper in _noisy_papers(shared_data / "noisyoffice" / "train"):
            yield source, "print", 1.0, paper


def _extract(source: Path, name: str, scan: NDArray[np.uint8], note: dict[str, Any]) -> RealPaper:
    """Take the ink off one scan, as its folder allows."""
    folder, *rest = name.split("/")
    ink = _known_ink(source, rest[0], scan.shape) if folder == "pairs" else None
    seek = not (rest[0] in _WHOLE_MASKS or rest[-1].startswith(_STAINS))
    paper = extract(scan, note["outline"], marks=note.get("marks", ()), ink=ink, seek=seek)
    if folder != "textures":
        return paper
    return RealPaper(paper.paper, paper.outside, paper.black, paper.blur, tileable=True)


def _known_ink(source: Path, of_set: str, shape: tuple[int, ...]) -> Mask:
    """Return (H, W), true where the truth of a pair has ink."""
    truths = sorted((source.parent.parent / "gt").glob(f"{source.stem}.*"))
    if not truths:
        raise InputError(f"{source}: there is no truth for it in {source.parent.parent / 'gt'}")
    truth = cv2.resize(_read(truths[0]), shape[1::-1], interpolation=cv2.INTER_AREA)
    dark = darkest(truth).astype(np.float32)
    paper = np.quantile(dark, 0.9) if of_set == "shadow_jung" else 255
    return np.asarray(dark < 0.8 * paper)


def _noisy_papers(folder: Path) -> Iterator[tuple[Path, RealPaper]]:
    """Yield the four backgrounds of NoisyOffice: each lies under many prints at the same place."""
    noisy = sorted((folder / "noisy").glob("*.png"))
    for _, group in groupby(sorted(noisy, key=_noise), _noise):
        sources = list(group)
        scans = [_read(source).astype(np.float32) / 255 for source in sources]
        cleans = [_read(folder / "clean" / source.name) for source in sources]
        largest = max(range(len(scans)), key=lambda place: scans[place].size)
        height, width = scans[largest].shape[:2]
        total, known = np.zeros((height, width, 3), np.float32), np.zeros((height, width))
        for scan, clean in zip(scans, cleans, strict=True):
            white = (darkest(clean) > 250).astype(np.uint8)
            bare = cv2.erode(white, np.ones((5, 5), np.uint8)) > 0
            rows, columns = bare.shape
            total[:rows, :columns] += scan * bare[..., None]
            known[:rows, :columns] += bare
        light = fill((total / np.maximum(known, 1)[..., None]).astype(np.float32), known > 0)
        paper = np.rint(np.clip(light, 0, 1) * 255).astype(np.uint8)
        outside = np.zeros(paper.shape[:2], bool)
        yield sources[largest], RealPaper(paper, outside, 0.0, RealPaper.blur, tileable=True)


def _noise(source: Path) -> str:
    """Return which background a page of NoisyOffice has: FontABC_NoiseD_EE has D."""
    return source.stem.split("_")[1]


def reduced(scan: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float]:
    """Shrink (H, W, 3) to `LONGEST` at most; returns also the scale, 0..1."""
    scale = min(1.0, LONGEST / max(scan.shape[:2]))
    if scale == 1:
        return scan, scale
    size = (round(scan.shape[1] * scale), round(scan.shape[0] * scale))
    return np.asarray(cv2.resize(scan, size, interpolation=cv2.INTER_AREA), np.uint8), scale


def _read(source: Path) -> NDArray[np.uint8]:
    pixels = cv2.imread(str(source), cv2.IMREAD_COLOR)
    if pixels is None:
        raise InputError(f"{source} cannot be read as an image")
    return np.ascontiguousarray(pixels[..., ::-1])


def _write_png(path: Path, pixels: NDArray[np.uint8]) -> None:
    _, packed = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 3])
    write_atomically(path, packed.tobytes())


def main(arguments: list[str] | None = None) -> None:
    """Write a bank, and print how many papers it holds."""
    parser = argparse.ArgumentParser(description="Write a bank of real paper without its print.")
    parser.add_argument("shared_data", type=Path, help="folder with scans, pairs, textures")
    parser.add_argument("bank", type=Path, help="folder to write to")
    parser.add_argument("--split", choices=["training", "validation"], default="training")
    given = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    banked = write_bank(given.shared_data, given.bank, given.split)
    print(f"{given.bank}: {len(banked)} papers of {given.split}")


if __name__ == "__main__":
    main()
