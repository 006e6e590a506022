"""Training as a Prefect flow: the same run as `pagewash train`, with a name, a state, artifacts."""

from pathlib import Path

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from pagewash.training.loop import LogLine, TrainingOptions
from pagewash.training.material import Material, learn

OPTIONS, MATERIAL = TrainingOptions(), Material()


@task(cache_policy=NO_CACHE, persist_result=False, retries=0)
def learn_in_folder(folder: Path, options: TrainingOptions, material: Material) -> Path:
    """Train, or go on with the run that stands in the folder; an artifact tells how far it is."""

    def publish(line: LogLine) -> None:
        create_markdown_artifact(summary(folder, line), key="pagewash-training")

    return learn(folder, options, material, on_line=publish)


@flow(name="train-autoencoder", persist_result=False)
def train_autoencoder(
    folder: Path, options: TrainingOptions = OPTIONS, material: Material = MATERIAL
) -> Path:
    """Train an autoencoder; a run that is started again goes on where it stopped.

    Args:
        folder: Of the run; gets the checkpoint, a log, a curve and sample strips.
        options: How to learn.
        material: What to learn from.
    """
    return learn_in_folder(folder, options, material)


def summary(folder: Path, last: LogLine) -> str:
    """Say in markdown where the run is, and what it has reached."""
    return (
        f"# {folder}\n\n"
        f"| steps | minutes | loss | validation RMSE | Mpx/s |\n| --- | --- | --- | --- | --- |\n"
        f"| {last.step} | {last.minutes:.1f} | {last.loss:.4f} | {last.rmse:.4f} "
        f"| {last.megapixels_per_second:.2f} |\n"
    )
