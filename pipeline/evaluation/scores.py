"""Scores of pages cleaned in several ways, their means, and their Parquet file.

Numbers only: how they were measured is in ``evaluation``.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import fmean

import pyarrow as pa

from pagewash.measuring.records import write_table

UNCLEANED = "uncleaned"
"""Method of the rows about the page as it came."""

CLEANED = "pagewash"
"""Method of the rows about the page that was cleaned by what is evaluated."""

POINTS = 0.02
"""A page counts as better or worse from this change of its character error rate on."""


@dataclass(frozen=True)
class Figures:
    """What can be said of a page or a mean of pages; None where it does not apply."""

    rmse: float | None = None
    psnr: float | None = None
    ssim: float | None = None
    f_measure: float | None = None
    pseudo_f_measure: float | None = None
    bilevel_psnr: float | None = None
    drd: float | None = None
    cer: float | None = None
    wer: float | None = None
    bwer: float | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Score:
    """One page, cleaned one way."""

    name: str
    group: str
    method: str
    figures: Figures


@dataclass(frozen=True)
class Mean:
    """Figures of one method, averaged over pages."""

    group: str | None
    """None for all pages."""

    method: str
    pages: int
    figures: Figures

    better: int
    """Pages with a character error rate at least two points below that of the uncleaned page."""

    worse: int
    """Pages with one at least two points above."""


@dataclass(frozen=True)
class Evaluation:
    """All scores of an evaluation, page by page."""

    scores: tuple[Score, ...]

    @property
    def methods(self) -> tuple[str, ...]:
        """Ways of cleaning, in the order they were tried."""
        return tuple(dict.fromkeys(score.method for score in self.scores))

    @property
    def groups(self) -> tuple[str, ...]:
        """Groups of pages, sorted."""
        return tuple(sorted({score.group for score in self.scores}))

    def mean(self, method: str, group: str | None = None) -> Mean:
        """Average one method over a group, or over all pages (not over groups)."""
        chosen = [
            score
            for score in self.scores
            if score.method == method and group in (None, score.group)
        ]
        changes = self._changes(chosen)
        return Mean(
            group=group,
            method=method,
            pages=len(chosen),
            figures=_mean_figures(score.figures for score in chosen),
            better=sum(change <= -POINTS for change in changes),
            worse=sum(change >= POINTS for change in changes),
        )

    def means(self) -> list[Mean]:
        """Every method over all pages, then over each group where there is more than one."""
        groups = self.groups if len(self.groups) > 1 else ()
        return [self.mean(method, group) for group in (None, *groups) for method in self.methods]

    def _changes(self, chosen: list[Score]) -> list[float]:
        before = {s.name: s.figures.cer for s in self.scores if s.method == UNCLEANED}
        pairs = ((score.figures.cer, before.get(score.name)) for score in chosen)
        return [after - was for after, was in pairs if after is not None and was is not None]


def _mean_figures(figures: Iterable[Figures]) -> Figures:
    rows = [asdict(one) for one in figures]
    means: dict[str, float] = {}
    for field in fields(Figures):
        known = [row[field.name] for row in rows if row[field.name] is not None]
        if known:
            means[field.name] = fmean(known)
    return Figures(**means)


def _column(name: str, kind: pa.DataType, description: str) -> pa.Field:
    return pa.field(name, kind, metadata={"description": description})


SCORE_SCHEMA = pa.schema(
    [
        _column("name", pa.string(), "Page: path below its folder, without extension"),
        _column("group", pa.string(), "Group of pages that it is averaged with"),
        _column("method", pa.string(), "uncleaned, pagewash, or a classical cleaner"),
        _column("rmse", pa.float64(), "Root mean square error against the original, 0 to 1"),
        _column("psnr", pa.float64(), "Peak signal-to-noise ratio against it, dB"),
        _column("ssim", pa.float64(), "Structural similarity with it, up to 1"),
        _column("f_measure", pa.float64(), "F-measure of the ink by Otsu's threshold, 0 to 100"),
        _column("pseudo_f_measure", pa.float64(), "The same with recall of the skeleton"),
        _column("bilevel_psnr", pa.float64(), "PSNR of the ink's mask, dB"),
        _column("drd", pa.float64(), "Distance reciprocal distortion of the ink's mask"),
        _column("cer", pa.float64(), "Character error rate of Tesseract"),
        _column("wer", pa.float64(), "Word error rate of Tesseract"),
        _column("bwer", pa.float64(), "The same of the words in any order (bag of words)"),
        _column("seconds", pa.float64(), "Time to clean the page"),
    ]
)
"""One row for each page and method."""


def write_scores(path: Path, evaluation: Evaluation) -> None:
    """Write an evaluation page by page as Parquet, whole.

    Raises:
        AccessError: the file cannot be written.
    """
    rows = [
        {"name": score.name, "group": score.group, "method": score.method} | asdict(score.figures)
        for score in evaluation.scores
    ]
    write_table(path, pa.Table.from_pylist(rows, schema=SCORE_SCHEMA))
