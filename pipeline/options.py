"""What a run is asked to do: the command line and the flow read their defaults here.

The standard library alone, so that `pagewash --help` stays quick.
"""

import ast
import hashlib
import inspect
import json
import math
import os
import re
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from pagewash.errors import OptionError

if TYPE_CHECKING:
    from pagewash.pages import ReadLimits

PrecisionName = Literal["auto", "fp32", "bf16", "fp16", "int8"]
"""What the network computes in; auto is the fastest that the machine does well."""

ColorName = Literal["keep", "gray", "bilevel"]
"""What becomes of a colour page."""

OnReview = Literal["safe", "cleaned", "original"]
"""What becomes of a page that may have lost content in the cleaning."""

Format = Literal["keep", "png", "tiff", "jpeg", "pdf"]
"""Container of a cleaned document; keep takes the one that came in."""

BlankName = Literal["keep", "mark", "drop"]
"""What becomes of blank pages."""

BordersName = Literal["white", "keep"]
"""What becomes of what lies around a page on its scan."""

_STEPS_VERSION = 6
"""Of what is done around the network: scale, steps after it, guard. It rises when they change
pages, so that outputs of an older one count as old."""

_GEOMETRY = ("halftone", "deskew", "upright", "borders", "crop", "split", "blank")
_DOCUMENT_UNITS = ("mpixels", "seconds", "gigabytes")


def _described(options: type[Any]) -> None:
    """Note in each field what the sentence below it says, for Prefect's form of a subclass.

    pydantic takes such sentences from the class that it is given alone, not from its bases.
    """
    (node,) = ast.parse(inspect.getsource(options)).body
    for attribute, below in pairwise(getattr(node, "body", [])):
        match attribute, below:
            case ast.AnnAssign(ast.Name(name)), ast.Expr(ast.Constant(str(text))):
                description = " ".join(text.split())
                options.__dataclass_fields__[name].metadata = {"description": description}


@dataclass(frozen=True)
class CleanOptions:
    """How a page is cleaned, whatever document it is of."""

    device: str = "auto"
    """Where the network runs: auto, cpu, cuda, cuda:N or mps."""

    precision: PrecisionName = "auto"
    """Arithmetic of the network; auto takes what is quick and safe here."""

    color: ColorName = "keep"
    """Keep the hues of ink, stamps and pictures, write grey pages, or pages of text in one bit."""

    on_review: OnReview = "safe"
    """What becomes of a page that may have lost content: safe gives back what was lost, or the
    whole page with even paper; original keeps the scan; cleaned takes the page as it is."""

    tile: int | None = None
    """Longest side of a tile in pixels, halo included; the default is what pagewash bench found
    to be fastest here, else 2560 on a CPU, 2048 on a GPU. The output does not depend on it."""

    batch: int | None = None
    """Full tiles that run at once, or as many small ones as have their pixels; the default is 8 on
    a GPU, and on a CPU 1, or small ones of 2.4 Mpx: more gain nothing there, and cost memory."""

    embeddings: bool = False
    """Put a vector for each page into the metrics, by which near-duplicates are found."""

    def __post_init__(self) -> None:
        if self.color not in get_args(ColorName):
            raise OptionError(f"there is no color {self.color!r}; choose keep, gray or bilevel")
        if self.precision not in get_args(PrecisionName):
            names = ", ".join(get_args(PrecisionName))
            raise OptionError(f"there is no precision {self.precision!r}; choose one of {names}")
        if self.tile is not None and self.tile < 1:
            raise OptionError(
                f"tiles of {self.tile} px hold nothing; leave --tile out, or give more"
            )
        if self.on_review not in get_args(OnReview):
            raise OptionError(
                f"there is no --on-review {self.on_review!r}; choose safe, cleaned or original"
            )
        if self.batch is not None and self.batch < 1:
            raise OptionError(f"a batch of {self.batch} tiles cleans nothing; choose 1 or more")


_described(CleanOptions)


@dataclass(frozen=True)
class RunOptions(CleanOptions):
    """How documents are cleaned and written: with what holds for each page, the rest of a run."""

    # Prefect's form for a run shows the sentences below
    __pydantic_config__: ClassVar[dict[str, Any]] = {
        "use_attribute_docstrings": True,
        "extra": "forbid",  # a slip in a name must not clean otherwise than was meant
    }

    format: Format = "keep"
    """Container of the cleaned documents; keep takes the one that came in."""

    halftone: bool = False
    """With --color bilevel, pages with pictures become black and white dots too, not grey."""

    deskew: bool = False
    """Lay pages straight, up to 15 degrees, where their lines surely lean."""

    upright: bool = False
    """Turn pages upright, by quarters, where their letters surely lie otherwise."""

    borders: BordersName = "white"
    """What lies around pages, such as a dark bed: whitened as the network does, or kept."""

    crop: bool = False
    """Cut off dark borders around pages."""

    split: bool = False
    """Make two pages of a scan of an open book, where its gutter is certain."""

    blank: BlankName = "keep"
    """What becomes of pages that surely are blank: kept, marked for review, or left out."""

    pages: str = ""
    """Pages of each document, from 1, such as 1,3-5; empty means all."""

    model: str = "fast"
    """A shipped model's name, or the path of a .safetensors checkpoint."""

    jobs: int = 0
    """Threads that read, and as many that measure and write; 0 is one per processor, at most 4."""

    max_image_mpixels: float = 250.0
    """Larger images, in megapixels, are refused: they may be decompression bombs."""

    max_document_mpixels: float = 50_000.0
    """Documents whose pages hold more together, in megapixels, are refused."""

    max_document_seconds: float = 300.0
    """Processor time to read a document; the same once more for every 1000 megapixels or 100 MB."""

    max_document_gigabytes: float = 4.0
    """Memory to read a document; one that asks for more is refused (on Linux)."""

    accepted: str = ""
    """File of pages that were looked at and are fine, as a report exports it."""

    max_failures: str = "10%"
    """Failed documents a run puts up with, as a share of all (10%) or a number (25)."""

    force: bool = False
    """Clean again what an earlier run has cleaned already, and write over what is there."""

    wait: bool = False
    """Wait while another run is writing to the same destination, in place of giving up."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.color == "bilevel" and self.format == "jpeg":
            raise OptionError(
                "--format jpeg has no pages of one bit; choose png, tiff or pdf for --color bilevel"
            )
        if self.format not in get_args(Format):
            names = ", ".join(get_args(Format))
            raise OptionError(f"there is no --format {self.format!r}; choose one of {names}")
        if self.borders not in get_args(BordersName):
            raise OptionError(f"there are no --borders {self.borders!r}; choose white or keep")
        if self.blank not in get_args(BlankName):
            raise OptionError(f"there is no --blank {self.blank!r}; choose keep, mark or drop")
        parse_pages(self.pages)
        FailureBudget.parse(self.max_failures)
        if self.jobs < 0:
            raise OptionError(f"--jobs {self.jobs} is negative; give 0 (automatic) or more")
        for name in ("image_mpixels", *(f"document_{unit}" for unit in _DOCUMENT_UNITS)):
            limit = getattr(self, f"max_{name}")
            if not limit > 0:
                option = f"--max-{name.replace('_', '-')}"
                raise OptionError(f"{option} {limit} leaves nothing to read; give more than 0")

    @property
    def clean(self) -> CleanOptions:
        """What holds for each page, alone."""
        return CleanOptions(**{key.name: getattr(self, key.name) for key in fields(CleanOptions)})

    @property
    def accepted_file(self) -> Path | None:
        """Where the marks are; None without any."""
        return Path(self.accepted) if self.accepted else None

    @property
    def threads(self) -> int:
        """Threads on either side of the network."""
        return self.jobs or min(4, available_processors())

    @property
    def limits(self) -> "ReadLimits":
        """What a document may ask for."""
        from pagewash.pages import ReadLimits  # brings numpy

        return ReadLimits(
            self.max_image_mpixels,
            self.max_document_mpixels,
            self.max_document_seconds,
            self.max_document_gigabytes,
        )

    @property
    def fingerprint(self) -> str:
        """Hash of the options that change pixels; the model has a hash of its own."""
        pages = parse_pages(self.pages)
        chosen: list[Any] = [self.format, self.color, pages and sorted(pages), self.precision]
        chosen += [self.on_review, _STEPS_VERSION]
        # what is off is left out, so that outputs of versions without it stay as they are
        extra = [name for name in _GEOMETRY if getattr(self, name) != getattr(RunOptions, name)]
        chosen += [[name, getattr(self, name)] for name in extra]
        return hashlib.sha256(json.dumps(chosen).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class FailureBudget:
    """How many documents of a run may fail."""

    share: float = 0.1
    """Of all documents of a run, those that are clean already among them, 0 to 1."""

    count: int | None = None
    """A number of documents in place of the share."""

    patience: int = 20
    """Failures before a share stops a run in the middle: of a handful it says little."""

    @classmethod
    def parse(cls, text: str) -> "FailureBudget":
        """Read "10%", "0.1" (the same), or "25" (documents).

        Raises:
            OptionError: anything else.
        """
        text = text.strip()
        if re.fullmatch(r"\d+", text):
            return cls(count=int(text))
        if re.fullmatch(r"(\d+(\.\d*)?|\.\d+)%", text):
            share = float(text[:-1]) / 100
        elif re.fullmatch(r"\d*\.\d+", text):
            share = float(text)
        else:
            share = -1.0
        if not 0 <= share <= 1:
            raise OptionError(
                f"--max-failures {text!r} is no budget; give a share such as 10% "
                "or a number of documents such as 25"
            )
        return cls(share=share)

    def exceeded(self, failed: int, total: int) -> bool:
        """Whether a run of `total` documents failed as a whole."""
        return failed > self._allowed(total)

    def bearable(self, total: int) -> int:
        """Failures that a run of `total` documents goes on with; one more stops it."""
        if self.count is not None:
            return self.count
        return max(self._allowed(total), self.patience - 1)

    def _allowed(self, total: int) -> int:
        if self.count is not None:
            return self.count
        return math.floor(self.share * total + 1e-6)  # 29 % of 100 are 29, in binary too


def parse_pages(text: str) -> frozenset[int] | None:
    """Page numbers from 1, such as "1,3-5", as indices from 0; None means all.

    Raises:
        OptionError: not a list of pages and ranges, or a range that runs backwards.
    """
    if not text.strip():
        return None
    pages: set[int] = set()
    for piece in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,6})\s*(?:-\s*(\d{1,6})\s*)?", piece)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last:
            raise OptionError(
                f"--pages {text!r}: {piece.strip()!r} is no page or range; "
                "pages count from 1, as in 1,3-5"
            )
        pages.update(range(first - 1, last))
    return frozenset(pages)


def available_processors() -> int:
    """Processors that this process may use; containers and taskset allow fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
