"""A folder of scans cleaned by one call from Python, in this process; no Prefect."""

from pathlib import Path

from pagewash.options import CleanOptions, Format, RunOptions
from pagewash.runs.holding import planned_run
from pagewash.runs.outcome import RunReport
from pagewash.runs.shards import clean_run
from pagewash.runs.tally import Progress


def clean_folder(
    source: str | Path,
    destination: str | Path,
    options: CleanOptions = CleanOptions(),
    *,
    format: Format = "keep",  # noqa: A002
    pages: str = "",
    model: str = "fast",
    force: bool = False,
    metrics: str | Path | None = None,
    progress: Progress = lambda done, found: None,
) -> RunReport:
    """Clean the scans in a folder, or one document, as `pagewash clean` does.

    Called again, it does only what is missing or has changed. Originals are never written to.

    Args:
        source: a folder, or one document.
        destination: a folder, or for one document also the file to make.
        options: how each page is cleaned.
        format: container of the cleaned documents; keep takes the one that came in.
        pages: of each document, from 1, such as "1,3-5"; empty means all.
        model: a shipped model's name, or the path of a .safetensors checkpoint.
        force: clean again what an earlier call has cleaned already.
        metrics: folder for a row of metrics per page, in Parquet; None is the destination's
            metrics/, and no metrics for a single file.
        progress: called with pages that are done, and pages found beyond one per document.

    Returns:
        What became of it. A document that cannot be cleaned does not raise: it is among the
        report's `failures`, and `exit_code` is then not 0.

    Raises:
        OptionError: an option that cannot work, or folders that lie in each other.
        InputError: the source is not there.
        AccessError: the destination cannot be written.
        MissingError: there is no such model or device.
        HeldError: another run is at work there.
    """
    run = RunOptions(**vars(options), format=format, pages=pages, model=model, force=force)
    where = None if metrics is None else Path(metrics)
    with planned_run(Path(source), Path(destination), run, where) as plan:
        return clean_run(plan, progress=progress)
