"""Whether what becomes of a page hangs on what it must not hang on.

    python -m pagewash.evaluation.invariance ../shared/data/field --model fast

cleans every image below the folders: as it is, turned by quarters, with a white margin, shifted,
and in fp32. It prints how much ink differs for each page, the worst first. No truth is needed.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pagewash.cleaning.cleaner import Cleaner
from pagewash.evaluation.cases import find_images, read_image
from pagewash.grey import luminance
from pagewash.options import CleanOptions

Pixels = NDArray[np.uint8]
Cleaning = Callable[[Pixels], Pixels]

MARGIN = 48
"""Pixels of white that are set around a page."""

SHIFT = 13
"""Rows and columns that are cut off a page at its top and left."""

INK = 128
"""What is darker than this grey level is ink of one result."""

NEAR_INK = 190
"""Darkest grey level near a place without ink: anything darker counts as the same stroke."""

REACH = 2
"""Pixels within which a stroke may lie in the other result."""

LEAST_INK = 200
"""Pixels that a page is taken to have at the least: a speck is no share of an empty page."""


def ink_that_differs(one: Pixels, other: Pixels) -> float:
    """Share of the ink of either page that the other has nothing near for; the larger of the two.

    Args:
        one: (H, W) uint8 grey levels, 0 is black.
        other: of the same shape.
    """
    return max(_lost(one, other), _lost(other, one))


def _lost(page: Pixels, other: Pixels) -> float:
    ink = page < INK
    near = cv2.erode(other, np.ones((2 * REACH + 1, 2 * REACH + 1), np.uint8)) < NEAR_INK
    return float(np.count_nonzero(ink & ~near)) / max(int(np.count_nonzero(ink)), LEAST_INK)


def differences(scan: Pixels, clean: Cleaning, clean_fp32: Cleaning) -> dict[str, float]:
    """How much ink of a page differs between the page cleaned as it is and in another way.

    Args:
        scan: (H, W) or (H, W, 3) RGB.
        clean: returns (H, W) grey levels of a page of that shape.
        clean_fp32: does the same in fp32.
    """
    usual = clean(scan)
    found = {
        f"turned {90 * quarters}": ink_that_differs(usual, _turned(scan, quarters, clean))
        for quarters in (1, 2, 3)
    }
    around = [(MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)][: scan.ndim]
    framed = clean(np.pad(scan, around, constant_values=255))
    found["margin"] = ink_that_differs(usual, framed[MARGIN:-MARGIN, MARGIN:-MARGIN])
    # as far again from the edge that is new, what stands there is another page
    shifted = clean(np.ascontiguousarray(scan[SHIFT:, SHIFT:]))
    found["shifted"] = ink_that_differs(
        usual[2 * SHIFT :, 2 * SHIFT :], np.ascontiguousarray(shifted[SHIFT:, SHIFT:])
    )
    found["fp32"] = ink_that_differs(usual, clean_fp32(scan))
    return found


def _turned(scan: Pixels, quarters: int, clean: Cleaning) -> Pixels:
    turned = clean(np.ascontiguousarray(np.rot90(scan, quarters)))
    return np.ascontiguousarray(np.rot90(turned, -quarters))


def report(pages: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    """Lines of a table: pages by their worst difference, then what most pages keep below."""
    worst = {name: max(found.values()) for name, found in pages.items()}
    for name in sorted(worst, key=lambda name: -worst[name]):
        each = ", ".join(f"{law} {share:.2%}" for law, share in pages[name].items())
        yield f"{worst[name]:7.2%}  {name}: {each}"
    for law in next(iter(pages.values())):
        shares = [found[law] for found in pages.values()]
        most = np.quantile(shares, 0.9)
        yield f"{law}: nine of ten pages at most {most:.2%}, worst {max(shares):.2%}"
    yield (
        f"{len(pages)} pages, nine of ten at most {np.quantile(list(worst.values()), 0.9):.2%}, "
        f"worst {max(worst.values()):.2%}"
    )


def _grey_cleaning(model: str, options: CleanOptions) -> Cleaning:
    cleaner = Cleaner.from_pretrained(model, options)
    return lambda scan: luminance(cleaner.clean(scan))


def main() -> None:
    """Measure pages below some folders, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m pagewash.evaluation.invariance")
    parser.add_argument("folders", nargs="+", type=Path, help="of scans")
    parser.add_argument("--model", default="fast", help="a shipped model, or a checkpoint's path")
    parser.add_argument("--every", type=int, default=1, help="take one of so many pages")
    asked = parser.parse_args()
    clean = _grey_cleaning(asked.model, CleanOptions(on_review="cleaned"))
    clean_fp32 = _grey_cleaning(asked.model, CleanOptions(precision="fp32", on_review="cleaned"))
    found = [path for folder in asked.folders for path in find_images(folder)]
    if not found:
        parser.error("there are no images in " + ", ".join(map(str, asked.folders)))
    pages = {}
    for path in found[:: asked.every]:
        scan, _ = read_image(path)
        pages[str(path)] = differences(scan, clean, clean_fp32)
    print("\n".join(report(pages)))


if __name__ == "__main__":
    main()
