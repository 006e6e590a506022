"""Real scans whose truth nobody knows, as pages of a corpus.

They cannot teach what should come out of a page, but that it must not hang on how the page lies:
see `pagewash.training.page_loop.page_loss`.
"""

from pathlib import Path

import numpy as np

from pagewash.training.page_corpus import WITHOUT_TRUTH, TrainingPage, is_written, write_page
from pagewash.training.real_pages import at_view, read_rgb
from pagewash.training.synthesis.real_paper import reduced, scans_of


def write_scanned_pages(data: Path, folder: Path) -> int:
    """Write the scans of training into a corpus; returns how many there are.

    Args:
        data: the folder with `scans`.
        folder: of the corpus; what is there already stays.

    Raises:
        InputError: a scan cannot be read.
    """
    scans = scans_of("training")
    for number, name in enumerate(scans):
        if not is_written(folder, page := f"{WITHOUT_TRUTH}-{number:06d}"):
            write_page(folder, page, scanned_page(data / name))
    return len(scans)


def scanned_page(path: Path) -> TrainingPage:
    """Read a scan at about the size at which the network sees it.

    Raises:
        InputError: it cannot be read.
    """
    scan, _ = reduced(read_rgb(path))
    return at_view(scan, scan, np.zeros(scan.shape[:2], np.uint8))
