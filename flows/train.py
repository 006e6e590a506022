"""Training as a Prefect flow: the same run as `pagewash train`, with a name, a state, artifacts."""

from pathlib import Path

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from pipeline.learning.material import Material, learn
from pipeline.learning.training import LogLine, TrainingOptions


@task(cache_policy=NO_CACHE, persist_result=False, retries=0)
def learn_in_folder(folder: Path, options: TrainingOptions, material: Material) -> Path:
    """Train, or go on with the run that stands in the folder."""
    lines: list[LogLine] = []
    path = learn(folder, options, material, on_line=lines.append)
    if lines:
        create_markdown_artifact(markdown=summary(path, lines[-1]), key="pagewash-training")
    return path


@flow(name="train-autoencoder", persist_result=False)
def train_autoencoder(folder: Path, options: TrainingOptions, material: Material) -> Path:
    """Train an autoencoder; a run that is started again goes on where it stopped."""
    return learn_in_folder(folder, options, material)


def summary(path: Path, last: LogLine) -> str:
    """Say in markdown where the checkpoint is, and what the run reached."""
    return (
        f"# {path}\n\n"
        f"| steps | minutes | loss | validation RMSE | Mpx/s |\n| --- | --- | --- | --- | --- |\n"
        f"| {last.step} | {last.minutes:.1f} | {last.loss:.4f} | {last.rmse:.4f} "
        f"| {last.megapixels_per_second:.2f} |\n"
    )
