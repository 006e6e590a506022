"""What pagewash chose for this machine and why, and how fast that is: `pagewash bench`.

Measures within a time that a person waits for; a suite that compares more is in the tests. Knows
how to choose what to measure and what to compare, not how to print it.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from pagewash.cleaning.cleaner import Cleaner, CleanOptions
from pagewash.errors import AccessError, OptionError
from pagewash.inference.checkpoint import load_checkpoint
from pagewash.inference.session import open_session
from pagewash.inference.tile_choice import keep_tile
from pagewash.inference.tiles import TileOptions, TilePlan
from pagewash.isolation.limits import peak_memory
from pagewash.options import PrecisionName, RunOptions, available_processors
from pagewash.speed import (
    Speed,
    convolutions,
    first_page,
    network_alone,
    page_through_network,
    stages,
    whole_pipeline,
    write_scan,
)

TILES = (1024, 1536, 2560, 3584)
"""Sizes of tiles to try, in pixels."""

MOST_PAGES = 40
"""In the run through the whole pipeline."""

Tell = Callable[[str], object]
"""Called with what is measured next."""


@dataclass(frozen=True)
class BenchOptions:
    """What to measure, and for how long."""

    model: str = "fast"
    """A shipped model's name, or the path of a .safetensors checkpoint."""

    device: str = "auto"
    """Where the network runs: auto, cpu, cuda, cuda:N or mps."""

    precision: PrecisionName = "auto"
    """Arithmetic of the network; auto takes what is quick and safe here."""

    seconds: float = 80.0
    """To spend on measuring, about; a slow machine leaves out what it has no time for."""

    def __post_init__(self) -> None:
        if self.seconds < 0:
            raise OptionError(f"--seconds {self.seconds} is negative; give 0 or more")

    @property
    def share(self) -> float:
        """Seconds for each measurement; the whole pipeline gets four."""
        return self.seconds / (2 + 1 + len(TILES) + 4 + 4)


@dataclass(frozen=True)
class Choice:
    """What was chosen for this machine."""

    what: str
    value: str
    why: str


@dataclass(frozen=True)
class BenchReport:
    """Choices, and how fast they are."""

    choices: tuple[Choice, ...]
    speeds: tuple[Speed, ...]
    peak_memory: float | None
    """Of this process, in MiB; None where the system does not tell."""


def bench(
    options: BenchOptions = BenchOptions(),
    scan: Path | None = None,
    tell: Tell = lambda what: None,
) -> BenchReport:
    """Measure pagewash on this machine; with the drawn page, later runs take the fastest tiles.

    Args:
        options: what, and for how long.
        scan: a document whose first page to measure with; None for a grey A4 page at 300 dpi.
        tell: called before each measurement.

    Raises:
        MissingError: there is no such model or device.
        InputError: the scan or the checkpoint is damaged.
        OptionError: an option that cannot work.
    """
    until = time.monotonic() + options.seconds
    cleaner = Cleaner.from_pretrained(options.model, _clean_options(options))
    with _document(scan) as path:
        plan = cleaner.plan(first_page(path))
        tell("the network")
        network = network_speeds(options, plan.tiles[0].window.shape, options.share)
        tell("each stage")
        parts = stages(cleaner, path, options.share)
        tell("the whole pipeline")
        whole = _whole(options, path, parts)
        tell("sizes of tiles")
        tiles = tile_speeds(options, path, until)
    complete = scan is None and len(tiles) == len(TILES)
    later = _keep(cleaner, fastest_tile(tiles)) if complete else ""
    return BenchReport(
        choices=_choices(options, cleaner, plan, later),
        speeds=(*network, *_shares(parts), whole, *tiles.values()),
        peak_memory=peak_memory(),
    )


def network_speeds(
    options: BenchOptions, window: tuple[int, int], seconds: float
) -> tuple[Speed, ...]:
    """Measure the network on one tile, beside the fastest convolutions of this machine.

    Args:
        options: which network, where, and in which precision.
        window: height and width of the tile, multiples of the network's stride.
        seconds: for each measurement.
    """
    checkpoint = load_checkpoint(options.model)
    session = open_session(
        checkpoint.network,
        checkpoint.card,
        options.device,
        options.precision,
        checkpoint.sha256,
    )
    device, precision = session.device, session.precision
    dtypes = {"fp32": torch.float32, precision.name: precision.dtype}
    if device.type == "cpu":
        dtypes["bf16"] = torch.bfloat16  # where it was not chosen, this shows why
    ceilings = {name: convolutions(device, dtype, seconds) for name, dtype in dtypes.items()}
    macs = checkpoint.network.macs_per_pixel
    alone = network_alone(session, macs, window, seconds)
    share = alone.gflops / ceilings[precision.name].gflops
    return (
        *(replace(speed, what=f"convolutions, {name}") for name, speed in ceilings.items()),
        replace(
            alone,
            what=f"network on a tile, {precision.name}",
            note=f"{share:.0%} of the convolutions",
        ),
    )


def tile_speeds(options: BenchOptions, scan: Path, until: float) -> dict[int, Speed]:
    """Measure a page through the network in tiles of several sizes.

    Args:
        options: which network, where, in which precision, and for how long.
        scan: a document; its first page is taken.
        until: time of the monotonic clock after which no more sizes are tried.

    Returns:
        By size in pixels, those of `TILES` that were tried.
    """
    page = first_page(scan)
    speeds = {}
    for size in TILES:
        if time.monotonic() > until:
            break
        try:
            cleaner = Cleaner.from_pretrained(options.model, _clean_options(options, size))
        except OptionError:  # smaller than two halos
            continue
        plan = cleaner.plan(page)
        height, width = plan.tiles[0].window.shape
        note = f"{len(plan.tiles)} of {height}x{width} px, {overhead(plan):.2f} px for each px"
        speed = page_through_network(cleaner, page, options.share)
        speeds[size] = replace(speed, what=f"page in tiles of {size} px", note=note)
    return speeds


def fastest_tile(tiles: Mapping[int, Speed]) -> int:
    """Choose a size of tiles: the usual one, unless another gains 5 % over it.

    Larger tiles cost memory, and two measurements of one size differ by as much.
    """
    usual = tiles[TileOptions.size].seconds
    fastest = min(tiles, key=lambda size: tiles[size].seconds)
    return fastest if tiles[fastest].seconds < 0.95 * usual else TileOptions.size


def overhead(plan: TilePlan) -> float:
    """Pixels through the network for each pixel that it has to clean."""
    return plan.pixels / (plan.shape[0] * plan.shape[1])


def _whole(options: BenchOptions, scan: Path, parts: Sequence[Speed]) -> Speed:
    """Measure the whole pipeline, with as many pages as there is time for."""
    network = next(part for part in parts if part.what == "network")
    pages = max(2, min(MOST_PAGES, int(4 * options.share / network.seconds)))
    run = RunOptions(model=options.model, device=options.device, precision=options.precision)
    speed = whole_pipeline(scan, pages, run)
    note = (
        f"{1 / speed.seconds:.2f} pages per second over {pages} pages, "
        f"{network.seconds / speed.seconds:.0%} of the network's"
    )
    return replace(speed, note=note)


def _shares(parts: Sequence[Speed]) -> list[Speed]:
    total = sum(part.seconds for part in parts)
    return [replace(part, note=f"{part.seconds / total:.0%} of the four") for part in parts]


def _keep(cleaner: Cleaner, fastest: int) -> str:
    """Keep the fastest size of tiles, and say what later runs will do."""
    try:
        keep_tile(cleaner.setting, fastest)
    except AccessError as error:  # no reason to withhold what was measured
        return f"; tiles of {fastest} px were measured to be fastest, but {error}"
    return f"; from now on tiles of {fastest} px, as these sizes were measured"


def _choices(
    options: BenchOptions, cleaner: Cleaner, plan: TilePlan, later: str
) -> tuple[Choice, ...]:
    auto = "the first that is there of a CUDA device, an Apple GPU, the processor"
    asked = "it was asked for"
    height, width = plan.tiles[0].window.shape
    tile = (
        f"cuts this page into {len(plan.tiles)} of {height}x{width} px; the halos make it "
        f"{overhead(plan):.2f} px for each px{later}"
    )
    processors, at_once = available_processors(), cleaner.batches_at_once
    shared = f"; {at_once} tiles at a time share them" if at_once > 1 else ""
    return (
        Choice("device", cleaner.device, auto if options.device == "auto" else asked),
        Choice("precision", cleaner.precision, cleaner.precision_reason),
        Choice("tile", f"{cleaner.tile} px", tile),
        Choice(
            "threads of the network",
            str(torch.get_num_threads()),
            f"torch takes one for each core; OMP_NUM_THREADS changes it{shared}",
        ),
        Choice(
            "threads to read, and to write",
            str(RunOptions().threads),
            f"one for each of {processors} processors, at most 4; --jobs changes it",
        ),
    )


def _clean_options(options: BenchOptions, tile: int | None = None) -> CleanOptions:
    return CleanOptions(device=options.device, precision=options.precision, tile=tile)


@contextmanager
def _document(scan: Path | None) -> Iterator[Path]:
    """The scan to measure with; a drawn one is there for so long."""
    if scan is not None:
        yield scan
        return
    with TemporaryDirectory() as folder:
        yield write_scan(Path(folder))
