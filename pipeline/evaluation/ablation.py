"""What each step after the network is worth: pages with known truth, with and without it.

    python -m pagewash.evaluation.ablation DATA --model fast

cleans pages that choose a checkpoint (`pagewash.training.real_pages.VALIDATION`) and clean ones,
and prints a row for all steps, for all but each, and for the network alone. The guard counts as a
step.
"""

import argparse
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pagewash.cleaning.cleaner import Cleaner, CleanOptions
from pagewash.cleaning.steps import STEPS, Step
from pagewash.pages import Page, Pixels
from pagewash.training.page_corpus import TrainingPage
from pagewash.training.real_pages import real_pages


@dataclass(frozen=True)
class Variant:
    """A cleaner with some of its steps."""

    name: str
    steps: tuple[Step, ...]
    guarded: bool


def variants() -> list[Variant]:
    """All steps, all but each, and none."""
    without = [
        Variant(f"without {step.__name__}", tuple(s for s in STEPS if s is not step), True)
        for step in STEPS
    ]
    return [
        Variant("all steps", STEPS, True),
        *without,
        Variant("without the guard", STEPS, False),
        Variant("network alone", (), False),
    ]


def ablation(
    cleaners: Mapping[bool, Cleaner], pages: Sequence[tuple[str, TrainingPage]]
) -> dict[str, dict[str, float]]:
    """Root mean square error, 0..1, by variant and by kind of page.

    Args:
        cleaners: guarded, and not; their steps are changed here, and put back.
        pages: each with its kind.
    """
    table = {}
    for variant in variants():
        cleaner = cleaners[variant.guarded]
        cleaner.steps = variant.steps
        table[variant.name] = _errors(cleaner, pages)
        cleaner.steps = STEPS
    return table


def _errors(cleaner: Cleaner, pages: Sequence[tuple[str, TrainingPage]]) -> dict[str, float]:
    sums: dict[str, tuple[float, float]] = {}
    cleaned = cleaner.clean_pages(Page(page.dirty) for _, page in pages)
    for (kind, page), result in zip(pages, cleaned, strict=True):
        wrong, weight = sums.get(kind, (0.0, 0.0))
        error, counts = _error(result.page.pixels, page)
        sums[kind] = wrong + error, weight + counts
    return {kind: math.sqrt(wrong / weight) for kind, (wrong, weight) in sums.items()}


def _error(cleaned: Pixels, page: TrainingPage) -> tuple[float, float]:
    """Weighted sum of squared errors, and the sum of the weights."""
    error = (cleaned.astype(np.float32) - page.clean) / 255
    weight = page.weight.astype(np.float32)
    return float((weight * np.square(error).mean(2)).sum()), float(weight.sum())


def validation_pages(data: Path) -> Iterator[tuple[str, TrainingPage]]:
    """Pages that choose a checkpoint, and the clean pages of some, as scans of themselves."""
    for name, page in real_pages(data, held_back=True):
        kind = name.partition("-")[0]
        yield kind, page
        if kind == "noisyoffice":
            yield "clean", TrainingPage(page.clean, page.clean, page.weight)


def one_in(every: int, pages: Iterable[tuple[str, TrainingPage]]) -> list[tuple[str, TrainingPage]]:
    """Of each kind one page in so many, the first of them."""
    chosen: list[tuple[str, TrainingPage]] = []
    counts: Counter[str] = Counter()
    for kind, page in pages:
        if counts[kind] % every == 0:
            chosen.append((kind, page))
        counts[kind] += 1
    return chosen


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m pagewash.evaluation.ablation")
    parser.add_argument("data", type=Path, help="folder with pairs and noisyoffice")
    parser.add_argument("--model", default="fast", help="a shipped model, or a checkpoint's path")
    parser.add_argument("--every", type=int, default=1, help="one page in so many, of each kind")
    asked = parser.parse_args()
    cleaners = {
        guarded: Cleaner.from_pretrained(
            asked.model, CleanOptions(on_review="safe" if guarded else "cleaned")
        )
        for guarded in (True, False)
    }
    table = ablation(cleaners, one_in(asked.every, validation_pages(asked.data)))
    kinds = list(next(iter(table.values())))
    print("| | " + " | ".join(kinds) + " |\n| --- |" + " --- |" * len(kinds))
    for name, errors in table.items():
        print(f"| {name} | " + " | ".join(f"{errors[kind]:.4f}" for kind in kinds) + " |")


if __name__ == "__main__":
    main()
