"""The command line `pagewash`: arguments become options, one call does the work, its outcome is
printed and becomes the exit code.

Nothing heavy is imported before a command needs it, so that `pagewash --help` answers at once.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, CycloptsError, Parameter

from pagewash.errors import OptionError, PagewashError
from pagewash.failures import DONE, INTERRUPTED, exit_code, worst
from pagewash.flows import console
from pagewash.flows.configuration import configure
from pagewash.flows.streams import steady_streams
from pagewash.inference.heap import keep_freed_memory
from pagewash.options import PrecisionName, RunOptions
from pagewash.versions import version_of

if TYPE_CHECKING:
    from pagewash.runs.outcome import RunReport
    from pagewash.runs.planning import RunPlan

DEFAULTS = RunOptions()

app = App(
    name="pagewash",
    version=lambda: version_of("pagewash"),
    version_flags=["--version", "-V"],
    help="Clean scanned documents with a small denoising autoencoder.",
    help_epilogue="Options also come from --config FILE (TOML: [clean] device = 'cpu') and from "
    "the environment (PAGEWASH_CLEAN_DEVICE=cpu).",
    help_format="plaintext",  # markdown would take a tenth of a second to load
)


def _no_option(_type: type, value: Path) -> None:
    """A lone hyphen is a place, but a misspelt option is none."""
    if str(value).startswith("-") and str(value) != "-":
        raise ValueError(f'unknown option "{value}"; see pagewash --help')


Place = Annotated[Path, Parameter(allow_leading_hyphen=True, validator=_no_option)]
Options = Annotated[RunOptions, Parameter(name="*")]
Quiet = Annotated[bool, Parameter(alias="-q", negative="")]
Verbose = Annotated[bool, Parameter(alias="-v", negative="")]
Switch = Annotated[bool, Parameter(negative="")]


@app.command(sort_key=1, help_epilogue="Example: pagewash clean scans cleaned --format pdf")
def clean(
    source: Place,
    destination: Place,
    /,
    *,
    options: Options = DEFAULTS,
    metrics: Path | None = None,
    flow: bool | None = None,
    cluster: str | None = None,
    dry_run: Switch = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Clean every scan in a folder, or one document.

    Again with the same arguments, it does only what is missing or has changed.

    Args:
        source: A folder, a document, s3://BUCKET/FOLDER, or - for standard input.
        destination: A folder, s3://BUCKET/FOLDER, a file for one document, or - for standard
            output.
        options: How to clean.
        metrics: Folder for a row of metrics per page, in Parquet; for a folder of outputs its
            metrics/.
        flow: Run as a Prefect flow; the default is to do so where PREFECT_API_URL is set.
        cluster: Run as a Prefect flow on a Dask cluster: local, or its scheduler's address, such
            as tcp://10.0.0.5:8786.
        dry_run: Say what would be cleaned to where, and do nothing.
        quiet: Print errors only.
        verbose: Tell of every choice that is made.
    """
    from pagewash.flows.as_flow import places_of, runs_as_flow
    from pagewash.flows.pipes import STREAM, piped
    from pagewash.places import object_url
    from pagewash.runs.holding import planned_run

    console.set_up_logging(quiet=quiet, verbose=verbose)
    given = [source, destination, metrics]
    if cluster:  # its workers stand in folders of their own
        given = [place and place.absolute() for place in given]
    by_flow = runs_as_flow(flow, [*given, *places_of(options)], cluster)
    if cluster and (not by_flow or STREAM in (source, destination)):
        raise OptionError(
            f"--cluster {cluster} cleans documents on disk, by a flow; "
            "leave it out for a stream, and with --no-flow"
        )
    if dry_run:
        return _say_plan(source, destination, options, metrics)
    if object_url(source) or object_url(destination):
        if flow or cluster or STREAM in (source, destination):
            raise OptionError(
                "object stores are cleaned from and to without a flow; leave out --flow"
            )
        return _between_stores(source, destination, options, metrics, quiet)
    over = options.force
    if STREAM in (source, destination):
        # a stream holds nothing from an earlier run, and another process cannot come back to it
        options, by_flow = replace(options, force=True), False
    with (
        piped(source, destination, force=over) as (read, written),
        planned_run(read, written, options, metrics) as plan,
    ):
        if not plan.jobs:
            console.say(console.nothing_to_do(plan, source), quiet=quiet)
            return DONE
        if by_flow:
            report = _as_flow(read, written, options, metrics, cluster, quiet)
        else:
            report = _here(plan, quiet)
        if not quiet:
            _sum_up(report, None if destination == STREAM else destination)
        return report.exit_code


def _say_plan(source: Path, destination: Path, options: RunOptions, metrics: Path | None) -> int:
    """Say what a run would do; nothing is written."""
    from pagewash.flows.pipes import STREAM
    from pagewash.places import object_url
    from pagewash.runs.planning import plan_run

    for place in (source, destination):
        if place == STREAM or object_url(place):
            raise OptionError(f"--dry-run tells of documents on disk; {place} is elsewhere")
    plan = plan_run(source, destination, options, metrics)
    for job in plan.jobs:
        console.tell(f"{job.source} -> {job.output}")
    console.say(f"{len(plan.jobs)} to be cleaned, {plan.done} clean already; nothing was done")
    return DONE


def _between_stores(
    source: Path, destination: Path, options: RunOptions, metrics: Path | None, quiet: bool
) -> int:
    """Clean from or to an object store."""
    from pagewash.runs.holding import planned_run
    from pagewash.runs.objects import staged
    from pagewash.runs.shards import clean_run

    with (
        staged(source, destination) as stage,
        planned_run(stage.source, stage.destination, options, metrics, called=stage.called) as plan,
    ):
        if not plan.jobs:
            if plan.done or not stage.failures:
                console.say(console.nothing_to_do(plan, source), quiet=quiet)
            return worst(stage.failures)
        with (
            console.stopping() as stop,
            console.progress_bar(len(plan.jobs), quiet=quiet) as progress,
        ):
            report = clean_run(
                plan, progress=progress, stop=stop, around=stage.around, deliver=stage.deliver
            )
        if not quiet:
            _sum_up(report, None)
        return max(report.exit_code, worst(stage.failures))


def _sum_up(report: "RunReport", destination: Path | None) -> None:
    """Say what a run came to; whether that can be said changes nothing of it.

    Args:
        report: of the run.
        destination: where its outputs are; None is standard output, which holds the document.
    """
    from pagewash.flows.tables import closing

    try:
        console.show(closing(report, destination), to_stdout=destination is not None)
    except PagewashError as error:
        console.say(str(error))


def _here(plan: "RunPlan", quiet: bool) -> "RunReport":
    """Clean in this process, with a progress bar."""
    from pagewash.runs.shards import clean_run

    with console.stopping() as stop, console.progress_bar(len(plan.jobs), quiet=quiet) as progress:
        return clean_run(plan, progress=progress, stop=stop)


def _as_flow(
    source: Path,
    destination: Path,
    options: RunOptions,
    metrics: Path | None,
    cluster: str | None,
    quiet: bool,
) -> "RunReport":
    """Clean as a flow that Prefect sees, and keeps, in this process or on a cluster."""
    from pagewash.flows.prefect.cleaning import run_flow

    with console.stopping() as stop:
        return run_flow(source, destination, options, metrics, stop, cluster=cluster, quiet=quiet)


metrics_app = App(
    name="metrics", sort_key=3, help_epilogue="Example: pagewash metrics cleaned --worst 20"
)
app.command(metrics_app)


@metrics_app.default
def metrics(
    place: Path, /, *, worst: int = 10, accepted: Path | None = None, json: Switch = False
) -> int:
    """Sum up the metrics of cleaned pages, and name the pages to look at first.

    Args:
        place: A run's folder, a metrics folder, or the folder of the outputs. Of several runs,
            each document's last one counts.
        worst: How many pages to name.
        accepted: CSV of pages that were looked at and are fine, as a report exports it; they count
            as cleaned.
        json: Print it as JSON, for other programs.
    """
    from pagewash.flows.tables import as_json, overview
    from pagewash.measuring.accepted import read_accepted
    from pagewash.measuring.records import read_records
    from pagewash.measuring.summary import latest, summarise

    rows = read_accepted(accepted).on_table(latest(read_records(place)))
    summary = summarise(rows, worst=worst)
    if json:
        console.write(f"{as_json(summary)}\n")
    else:
        console.show(overview(summary))
    return DONE


@metrics_app.command
def compact(place: Path, /) -> int:
    """Put the many small Parquet files of each day before today into one; rows stay as they are.

    Args:
        place: The folder of the outputs, or a metrics folder; of one that lies elsewhere than the
            outputs, see that no run is writing to it.
    """
    import datetime

    from pagewash.measuring.compacting import compact as put_together
    from pagewash.runs.holding import hold

    folder = place / "metrics" if (place / "metrics").is_dir() else place
    today = datetime.datetime.now(datetime.UTC).date()
    with hold(Path(os.devnull), place, DEFAULTS):  # it reads no scans
        done = put_together(folder, today)
    console.tell(f"{done.before} files became {done.after}: {folder}")
    return DONE


@app.command(sort_key=5, help_epilogue="Example: pagewash serve scans cleaned --cron '0 2 * * *'")
def serve(
    source: Path,
    destination: Path,
    /,
    *,
    options: Options = DEFAULTS,
    metrics: Path | None = None,
    cron: str | None = None,
    interval: float | None = None,
    name: str = "pagewash",
) -> int:
    """Clean a folder on a schedule, as a Prefect deployment, until stopped.

    Args:
        source: A folder of scans.
        destination: A folder for the cleaned documents.
        options: How to clean.
        metrics: Folder for a row of metrics per page, in Parquet.
        cron: When, in UTC, such as '0 2 * * *' for every night at two.
        interval: Or how often, in seconds.
        name: Of the deployment, for Prefect's pages.
    """
    from pagewash.flows.prefect.schedule import serve_folder

    serve_folder(source, destination, options, metrics, cron=cron, interval=interval, name=name)
    return DONE


@app.command(sort_key=6, help_epilogue="Example: pagewash evaluate dirty --truth clean")
def evaluate(
    folder: Path,
    /,
    *,
    truth: Path | None = None,
    model: str = DEFAULTS.model,
    device: str = DEFAULTS.device,
    precision: PrecisionName = DEFAULTS.precision,
    baselines: bool = False,
    group: str | None = None,
    language: str | None = None,
    out: Path | None = None,
    cache: Path | None = None,
    margin: int = 0,
    jobs: int = 1,
) -> int:
    """Score a model on pages whose clean original or text is known.

    Args:
        folder: Dirty pages; without --truth, with their text in PAGE.gt.txt beside them.
        truth: Folder of the clean originals, under the same names.
        model: A shipped model's name, or the path of a .safetensors checkpoint.
        device: Where the network runs.
        precision: Arithmetic of the network.
        baselines: Put classical cleaners beside it.
        group: Regular expression whose first group, in a page's name, is what to average by; the
            default is by folder.
        language: Tesseract's name of the pages' language; the default is from a pages.csv, or eng.
        out: Parquet file for the scores of every page.
        cache: Folder that keeps what Tesseract read, for the next evaluation.
        margin: White around each page when Tesseract reads it, in pixels.
        jobs: Pages at a time.
    """
    from pagewash.evaluation.baselines import BASELINES
    from pagewash.evaluation.cases import find_pairs, find_transcribed
    from pagewash.evaluation.evaluate import EvaluationOptions
    from pagewash.evaluation.evaluate import evaluate as score
    from pagewash.evaluation.scores import write_scores
    from pagewash.flows.tables import scores_table

    if out is not None and out.suffix != ".parquet":  # lest it take a scan's place
        raise OptionError(f"--out {out} is a table; give it a name that ends in .parquet")
    console.set_up_logging(quiet=False, verbose=False)
    cases = find_pairs(folder, truth, group) if truth else find_transcribed(folder, language, group)
    chosen = EvaluationOptions(BASELINES if baselines else (), cache, margin, jobs)

    from pagewash.cleaning.cleaner import Cleaner, CleanOptions

    cleaner = Cleaner.from_pretrained(model, CleanOptions(device=device, precision=precision))
    with console.progress_bar(len(cases), quiet=False) as progress:
        evaluation = score(cleaner.clean, cases, chosen, tick=lambda name: progress(1, 0))
    if out is not None:
        write_scores(out, evaluation)
    console.show(scores_table(evaluation))
    return DONE


# named, not imported: their options bring torch, or what plans a run
for _name, _place, _what, _example in (
    ("report", 2, "Write a report to look at, in one file.", "cleaned --out report.html"),
    ("watch", 4, "Clean what arrives in a folder, until stopped.", "inbox cleaned"),
    (
        "train",
        7,
        "Train a model on your own pages, or from nothing by a recipe.",
        "runs/ours --clean clean",
    ),
    ("bench", 8, "Measure what was chosen for this machine.", "scan.png --seconds 40"),
):
    app.command(
        f"pagewash.flows.commands.{_name}:{_name}",
        name=_name,
        help=_what,
        sort_key=_place,
        help_epilogue=f"Example: pagewash {_name} {_example}",
    )
app.register_install_completion_command()  # --install-completion


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the one place where errors become messages and exit codes.

    Args:
        arguments: without the program's name; None takes those of the process.
    """
    keep_freed_memory()  # before there is a second thread
    with steady_streams():
        try:
            console.end_on_signals()
            code = app(
                configure(app, sys.argv[1:] if arguments is None else arguments),
                result_action="return_value",
                exit_on_error=False,
            )
        except CycloptsError:
            return OptionError.exit_code  # it has told why
        except KeyboardInterrupt:
            console.say("interrupted")
            return INTERRUPTED
        except Exception as error:
            console.say(console.explain(error))
            return exit_code(error)
    return code if isinstance(code, int) else DONE


if __name__ == "__main__":
    sys.exit(main())
