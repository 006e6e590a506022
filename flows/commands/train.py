"""The command `pagewash train`, apart from the others since its options need torch."""

import time
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from tqdm import tqdm

from pagewash.errors import OptionError
from pagewash.failures import DONE, INTERRUPTED
from pagewash.flows import console
from pagewash.training.loop import LogLine, TrainingOptions
from pagewash.training.material import Material, learn
from pagewash.training.recipe_run import Resources, run_recipe
from pagewash.training.recipes import Recipe, at_share, differing_sources, read_recipe, with_seed

MATERIAL = Material()
DATA = Path("../shared/data")


@dataclass(frozen=True)
class OwnOptions(TrainingOptions):
    """Every hyperparameter of a run without a recipe; --help leaves out what is hardly changed."""

    minutes: Annotated[float | None, Parameter(show=True)] = None  # type: ignore[assignment]
    """Most minutes: with a recipe of this call, and without limit if not given; without one of the
    whole run, 60 if not given, and 0 sets no limit."""

    steps: Annotated[int, Parameter(show=True)] = TrainingOptions.steps
    """Most steps of a run without a recipe; 0 sets no limit."""

    seed: Annotated[int, Parameter(show=True)] = TrainingOptions.seed
    """Decides the first weights and every page; with a recipe, 0 takes that of the recipe."""

    def __post_init__(self) -> None:
        """Check nothing: what was not given hangs on the recipe."""

    def complete(self) -> TrainingOptions:
        """Return what a run without a recipe takes, checked."""
        given = {option.name: getattr(self, option.name) for option in fields(self)}
        if self.minutes is None:
            given["minutes"] = TrainingOptions.minutes
        return TrainingOptions(**given)


OWN = OwnOptions()


def train(
    folder: Path,
    /,
    *,
    recipe: str = "",
    data: Path = DATA,
    share: float = 1.0,
    processes: int = 1,
    material: Annotated[Material, Parameter(name="*")] = MATERIAL,
    options: Annotated[OwnOptions, Parameter(name="*", show=False)] = OWN,
    flow: bool = False,
) -> int:
    """Train an autoencoder by a recipe or from your own pages; a stopped run goes on when called
    again.

    With --recipe, everything is done that the recipe says, from an empty FOLDER to a checkpoint.
    Without, the network learns from pages that are rendered and corrupted, and from your own
    besides: pairs (--dirty, --clean), or clean pages alone (--clean). --start fast goes on from
    the shipped model. The options of such a run that this page leaves out are those of
    pagewash.training.loop.TrainingOptions.

    Args:
        folder: Of the run.
        recipe: The name of a recipe that comes with pagewash, or the path of a .toml file.
        data: Folder with the pages that a recipe needs.
        share: Do this share of a recipe's steps, with this share of its pages.
        processes: How many make a recipe's pages at a time.
        material: What to learn from without a recipe; a recipe takes the fonts from here.
        options: How to learn without a recipe.
        flow: Run as a Prefect flow, without a recipe.
    """
    if recipe:
        _beside_a_recipe(recipe, material, options, flow)
        chosen = at_share(read_recipe(recipe), share)
        chosen = with_seed(chosen, options.seed) if options.seed else chosen
        resources = Resources(data, material.fonts, processes)
        return _by_recipe(folder, chosen, resources, options.minutes)
    return _from_own_pages(folder, material, options.complete(), flow)


def _beside_a_recipe(recipe: str, material: Material, options: OwnOptions, flow: bool) -> None:
    """Refuse what would change what the recipe says."""
    changed = replace(options, minutes=None, seed=0) != OWN
    if flow or changed or material != Material(fonts=material.fonts):
        raise OptionError(
            f"--recipe {recipe} says what to learn, and how; give --data, --fonts, --processes, "
            "--minutes, --share or --seed besides, or change a copy of the recipe"
        )


def _by_recipe(folder: Path, recipe: Recipe, resources: Resources, minutes: float | None) -> int:
    console.set_up_logging(quiet=False, verbose=True)  # it takes hours, and says what it does
    for line in differing_sources(recipe, resources.data, resources.fonts):
        console.say(f"{line}; the weights will not be the same")
    ends = time.monotonic() + 60 * minutes if minutes else float("inf")
    steps = recipe.loop.steps
    with console.stopping() as stop, tqdm(desc="training", total=steps, disable=None) as bar:

        def show(step: int, loss: float) -> None:
            bar.update(step - bar.n)
            bar.set_postfix(loss=f"{loss:.4f}", refresh=False)

        def stopped() -> bool:
            return stop.is_set() or time.monotonic() > ends

        checkpoint = run_recipe(folder, recipe, resources, until=stopped, on_step=show)
    if checkpoint is None:
        console.tell(f"{folder} is not done; the same command goes on with it")
    else:
        console.tell(f"{checkpoint}: clean with it by --model {checkpoint}")
    return INTERRUPTED if stop.is_set() else DONE


def _from_own_pages(folder: Path, material: Material, options: TrainingOptions, flow: bool) -> int:
    if flow:
        from pagewash.flows.prefect.training import train_autoencoder

        train_autoencoder(folder, options, material)
        return DONE
    with tqdm(desc="training", unit=" min", total=options.minutes or None, disable=None) as bar:

        def show(line: LogLine) -> None:
            bar.n = round(line.minutes, 1)
            bar.set_postfix(step=line.step, loss=f"{line.loss:.4f}", rmse=f"{line.rmse:.4f}")

        path = learn(folder, options, material, on_line=show)
    console.tell(f"{path}: clean with it by --model {path}")
    return DONE
