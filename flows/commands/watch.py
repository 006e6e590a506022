"""The command `pagewash watch`: a folder that cleans what arrives in it."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pagewash.errors import AccessError
from pagewash.failures import DONE
from pagewash.files import is_text
from pagewash.flows import console
from pagewash.flows.as_flow import places_of, runs_as_flow
from pagewash.leftovers import clear_leftovers
from pagewash.options import RunOptions
from pagewash.runs.archive import check_archive, move_to_archive
from pagewash.runs.holding import hold, planned_run
from pagewash.runs.outcome import RunReport
from pagewash.runs.planning import check_places
from pagewash.runs.watching import Route, WatchOptions, open_inbox, watch_inbox

OPTIONS, WATCHING = RunOptions(), WatchOptions()


def watch(
    inbox: Path,
    destination: Path,
    /,
    *,
    options: Annotated[RunOptions, Parameter(name="*")] = OPTIONS,
    watching: Annotated[WatchOptions, Parameter(name="*")] = WATCHING,
    metrics: Path | None = None,
    flow: bool | None = None,
    quiet: Annotated[bool, Parameter(alias="-q", negative="")] = False,
    verbose: Annotated[bool, Parameter(alias="-v", negative="")] = False,
) -> int:
    """Clean what arrives in a folder, as soon as it is whole, until stopped.

    Documents stay in the inbox, which is never written to, unless --archive names a folder for
    those that are done; the next one whose name, or place in the destination, is taken gets a
    number. Hidden and temporary names are left alone, and so are links out of the folder. A
    document that cannot be cleaned is recorded, and tried again when it changes. Ctrl-C or SIGTERM
    ends the watch, after the documents in hand.

    Args:
        inbox: A folder that documents arrive in.
        destination: A folder for the cleaned documents.
        options: How to clean; --max-failures does not count here.
        watching: When to look, and what comes after.
        metrics: Folder for a row of metrics per page, in Parquet; the default is metrics/ in the
            destination.
        flow: Run each batch as a Prefect flow; the default is to do so where PREFECT_API_URL is
            set.
        quiet: Print errors only.
        verbose: Tell of every choice that is made.
    """
    console.set_up_logging(quiet=quiet, verbose=verbose)
    given = [inbox, destination, metrics, *places_of(options)]
    by_flow = runs_as_flow(flow, given, cluster=None)
    route = Route(inbox, destination, options, metrics)

    def tell(report: RunReport) -> None:
        from pagewash.flows.tables import headline

        console.say(headline(report), quiet=quiet)

    def cleaned(path: Path) -> None:
        if watching.archive is None or path.is_symlink():
            return
        try:
            move_to_archive(path, inbox, watching.archive)
        except AccessError as error:  # it stays, and the next watch tries again
            console.say(str(error))

    check_places(inbox, destination, options)
    if watching.archive is not None:
        check_archive(watching.archive, inbox, destination)
        clear_leftovers(watching.archive)
    with console.stopping() as stop, hold(inbox, destination, options, metrics, stop):

        def clean(each: RunOptions, names: list[str]) -> RunReport:
            if by_flow and all(is_text(Path(name)) for name in names):
                from pagewash.flows.prefect.cleaning import run_flow

                return run_flow(inbox, destination, each, metrics, stop, only=names, quiet=quiet)
            from pagewash.runs.shards import clean_run

            with planned_run(inbox, destination, each, metrics, names) as plan:
                return clean_run(plan, stop=stop, progress=watching.beat)

        arrivals = open_inbox(route, watching.settle, cleaned)
        console.say(f"watching {inbox}; Ctrl-C ends it", quiet=quiet)
        try:
            watch_inbox(arrivals, route, watching, clean, stop, tell, cleaned)
        except KeyboardInterrupt as error:
            # a flow at work takes SIGTERM for itself, and ends with the documents in hand
            if type(error.__cause__).__name__ != "TerminationSignal":
                raise
    return DONE
