"""Training as a Prefect flow: the same run as `pagewash train`, with a name, a state, artifacts."""

from pathlib import Path

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from pagewash.flows.prefect.api import courtesy
from pagewash.training.recipe_run import Resources, run_recipe
from pagewash.training.recipes import read_recipe

RESOURCES = Resources()

TOLD_EVERY = 100
"""Steps after which an artifact tells how far a run is."""


@task(cache_policy=NO_CACHE, persist_result=False, retries=0)
def learn_in_folder(folder: Path, recipe: str, resources: Resources) -> Path:
    """Train, or go on with the run that stands in the folder; artifacts tell how far it is."""
    chosen = read_recipe(recipe)

    def publish(step: int, loss: float) -> None:
        if step % TOLD_EVERY == 0 or step == chosen.loop.steps:
            told = summary(folder, step, chosen.loop.steps, loss)
            with courtesy():
                create_markdown_artifact(told, key="pagewash-training")

    checkpoint = run_recipe(folder, chosen, resources, on_step=publish)
    assert checkpoint is not None, "nothing stops it"
    return checkpoint


@flow(name="train-autoencoder", persist_result=False)
def train_autoencoder(folder: Path, recipe: str = "own", resources: Resources = RESOURCES) -> Path:
    """Train a model by a recipe; a run that is started again goes on where it stopped.

    Args:
        folder: Of the run; gets the checkpoint.
        recipe: The name of a recipe that comes with pagewash, or the path of a .toml file.
        resources: What to learn from.
    """
    return learn_in_folder(folder, recipe, resources)


def summary(folder: Path, step: int, steps: int, loss: float) -> str:
    """Say in markdown where the run is, and what it has reached."""
    header = "| step | of | loss |\n| --- | --- | --- |"
    return f"# {folder}\n\n{header}\n| {step} | {steps} | {loss:.4f} |\n"
