"""The command `pagewash train`, apart from the others since it needs torch."""

import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from tqdm import tqdm

from pagewash.errors import OptionError
from pagewash.failures import DONE, INTERRUPTED
from pagewash.flows import console
from pagewash.flows.as_flow import check_flow_takes
from pagewash.training.own_pages import OwnPages
from pagewash.training.recipe_run import Resources, run_recipe
from pagewash.training.recipes import Recipe, at_share, differing_sources, read_recipe, with_seed

HERE = Resources()


def train(
    folder: Path,
    /,
    *,
    recipe: str = "own",
    share: float = 1.0,
    seed: int | None = None,
    minutes: float | None = None,
    data: Path = HERE.data,
    fonts: Annotated[tuple[Path, ...], Parameter(negative="")] = HERE.fonts,
    photographs: Annotated[tuple[Path, ...], Parameter(negative="")] = HERE.photographs,
    processes: int = HERE.processes,
    own: Annotated[OwnPages, Parameter(name="*")] = HERE.own,
    flow: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Train a model on your own pages, or from nothing by a recipe; a stopped run goes on when
    called again.

    The model `fast` learns from your scans and their clean pages (--dirty, --clean), or from clean
    pages alone (--clean), in a quarter of an hour or so. --recipe fast trains from nothing what
    ships, which takes half a day and the data that the recipe names.

    Args:
        folder: Of the run; gets the checkpoint.
        recipe: The name of a recipe that comes with pagewash, or the path of a .toml file.
        share: Do this share of the recipe's steps, with this share of its pages.
        seed: Decides weights, order and pages in place of the recipe's.
        minutes: Stop after so many; the next call goes on.
        data: Folder with the pages that a recipe from nothing needs.
        fonts: Folders of fonts to set pages in.
        photographs: Folders of photographs to print on pages, for a recipe from nothing.
        processes: How many make pages at a time.
        own: Your pages.
        flow: Run as a Prefect flow.
    """
    if minutes is not None and not minutes > 0:
        raise OptionError(f"--minutes {minutes:g} leaves no time; give more, or leave it out")
    chosen = at_share(read_recipe(recipe), share)
    if seed is not None:
        chosen = with_seed(chosen, seed)
    resources = Resources(data, fonts, photographs, own, processes)
    if flow:
        return _as_flow(folder, chosen, recipe, resources, minutes)
    console.set_up_logging(quiet=False, verbose=True)  # it takes long, and says what it does
    found = resources.data, resources.fonts, resources.photographs
    for line in differing_sources(chosen, *found):
        console.say(f"{line}; the weights will not be the same")
    ends = float("inf") if minutes is None else time.monotonic() + 60 * minutes
    steps = chosen.loop.steps
    with console.stopping() as stop, tqdm(desc="training", total=steps, disable=None) as bar:

        def show(step: int, loss: float) -> None:
            bar.update(step - bar.n)
            bar.set_postfix(loss=f"{loss:.4f}", refresh=False)

        def stopped() -> bool:
            return stop.is_set() or time.monotonic() > ends

        checkpoint = run_recipe(folder, chosen, resources, until=stopped, on_step=show)
    if checkpoint is None:
        console.tell(f"{folder} is not done; the same command goes on with it")
    else:
        console.tell(f"{checkpoint}: clean with it by --model {checkpoint}")
    return INTERRUPTED if stop.is_set() else DONE


def _as_flow(
    folder: Path, chosen: Recipe, recipe: str, resources: Resources, minutes: float | None
) -> int:
    if minutes is not None or chosen != read_recipe(recipe):
        raise OptionError(
            "--flow does a recipe as it is; leave out --minutes, --share and --seed, or change a "
            "copy of the recipe"
        )
    own = resources.own
    given = [folder, Path(recipe), resources.data, own.dirty, own.clean]
    check_flow_takes([*given, *resources.fonts, *resources.photographs], "leave out --flow")
    from pagewash.flows.prefect.api import server_errors, wait_for_server
    from pagewash.flows.prefect.training import train_autoencoder

    wait_for_server()
    with server_errors():
        train_autoencoder(folder, recipe, resources)
    return DONE
