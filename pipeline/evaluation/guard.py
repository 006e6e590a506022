"""How well the guard tells pages that lost content from pages that were cleaned well.

    python -m pagewash.evaluation.guard DIRTY CLEAN [DIRTY CLEAN …]

Each pair of folders holds scans and the same pages cleaned well, by one name. The guard looks at
every page cleaned well, where it should find nothing, and at the page after each `sabotage`, where
it should. Prints, by folder and by sabotage, how many pages were called doubtful.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from pagewash.errors import OptionError
from pagewash.evaluation.cases import find_pairs, read_image
from pagewash.evaluation.sabotage import SABOTAGES, Pixels
from pagewash.measuring.guard import find_losses

REAL = 0.05
"""Share of the strokes, or of the page's area, whose loss counts as real."""

WELL = "cleaned well"


@dataclass(frozen=True)
class Verdict:
    """What the guard said of one page."""

    folder: str
    page: str
    kind: str
    """`WELL`, or the name of the sabotage."""

    lost: float
    doubtful: bool

    @property
    def counts(self) -> bool:
        """Whether there is something to be right about: a page cleaned well, or a real loss."""
        return self.kind == WELL or self.lost > REAL


def judge(folder: str, name: str, scan: Pixels, cleaned: Pixels, seed: int) -> Iterator[Verdict]:
    """Let the guard look at a page cleaned well, and at it after each sabotage.

    Args:
        folder: that the page is of.
        name: of the page.
        scan: (H, W) uint8 grey or (H, W, 3) uint8 RGB.
        cleaned: of the same shape.
        seed: of the places and colours of the sabotages.
    """
    yield Verdict(folder, name, WELL, 0.0, bool(find_losses(scan, cleaned)))
    for number, (kind, sabotage) in enumerate(SABOTAGES.items()):
        made = sabotage(np.random.default_rng((seed, number)), scan, cleaned)
        yield Verdict(folder, name, kind, made.lost, bool(find_losses(made.scan, made.cleaned)))


def alike(scan: Pixels, cleaned: Pixels) -> tuple[Pixels, Pixels]:
    """Both as the cleaner would have them: of one size, and in colour if the scan is.

    Raises:
        OptionError: their sizes differ.
    """
    if scan.shape[:2] != cleaned.shape[:2]:
        raise OptionError(f"a page of {scan.shape} has a clean one of {cleaned.shape}")
    if scan.ndim == cleaned.ndim:
        return scan, cleaned
    if scan.ndim == 3:
        return scan, np.asarray(cv2.cvtColor(cleaned, cv2.COLOR_GRAY2RGB), np.uint8)
    return scan, np.asarray(cv2.cvtColor(cleaned, cv2.COLOR_RGB2GRAY), np.uint8)


def table(verdicts: list[Verdict]) -> str:
    """Verdicts as a Markdown table: pages called doubtful of all that there are, by kind."""
    folders = list(dict.fromkeys(verdict.folder for verdict in verdicts))
    lines = [f"| | {' | '.join(folders)} | all |", f"| --- |{' ---: |' * (len(folders) + 1)}"]
    for kind in (WELL, *SABOTAGES):
        cells = [
            _cell([v for v in verdicts if v.kind == kind and (v.folder == folder or folder == "")])
            for folder in (*folders, "")
        ]
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    real = [v for v in verdicts if v.kind != WELL]
    cells = [_cell([v for v in real if folder in ("", v.folder)]) for folder in (*folders, "")]
    lines.append(f"| all with a real loss | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(verdicts: list[Verdict]) -> str:
    """Doubtful of all; of sabotages, of those with a real loss."""
    counted = [v for v in verdicts if v.counts]
    return f"{sum(v.doubtful for v in counted)} of {len(counted)}"


def main(arguments: list[str]) -> int:
    """Judge the pages of pairs of folders, and print the table and what was judged wrongly."""
    if len(arguments) < 2 or len(arguments) % 2:
        print(__doc__, file=sys.stderr)
        return 1
    verdicts: list[Verdict] = []
    for dirty, clean in zip(arguments[::2], arguments[1::2], strict=True):
        folder = Path(dirty).parent.name
        for seed, case in enumerate(find_pairs(Path(dirty), Path(clean))):
            assert case.original is not None, "find_pairs found it"
            pages = alike(read_image(case.page)[0], read_image(case.original)[0])
            verdicts += judge(folder, case.name, *pages, seed)
    print(table(verdicts))
    for verdict in verdicts:
        if verdict.counts and verdict.doubtful == (verdict.kind == WELL):
            where = f"{verdict.folder}/{verdict.page}"
            print(f"{where}: {verdict.kind} ({verdict.lost:.0%})", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
