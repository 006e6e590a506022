"""The command `pagewash train`, apart from the others since its options need torch."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from tqdm import tqdm

from pagewash.flows import console
from pagewash.training.loop import LogLine, TrainingOptions
from pagewash.training.material import Material, learn

MATERIAL, OPTIONS = Material(), TrainingOptions()


def train(
    folder: Path,
    /,
    *,
    material: Annotated[Material, Parameter(name="*")] = MATERIAL,
    options: Annotated[TrainingOptions, Parameter(name="*")] = OPTIONS,
    flow: bool = False,
) -> int:
    """Train an autoencoder, or go on with the run that stands in FOLDER.

    It learns from pages that are rendered and corrupted, and from your own besides: pairs
    (--dirty, --clean), or clean pages alone (--clean). --start fast goes on from the shipped
    model. The folder gets the checkpoint, a log, a curve and sample strips, all along.

    Args:
        folder: Of the run.
        material: What to learn from.
        options: How to learn.
        flow: Run as a Prefect flow.
    """
    if flow:
        from pagewash.flows.prefect.training import train_autoencoder

        train_autoencoder(folder, options, material)
        return 0
    with tqdm(desc="training", unit=" min", total=options.minutes or None, disable=None) as bar:

        def show(line: LogLine) -> None:
            bar.n = round(line.minutes, 1)
            bar.set_postfix(step=line.step, loss=f"{line.loss:.4f}", rmse=f"{line.rmse:.4f}")

        path = learn(folder, options, material, on_line=show)
    console.tell(f"{path}: clean with it by --model {path}")
    return 0
