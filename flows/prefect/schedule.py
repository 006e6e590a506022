"""The cleaning flow on a schedule: one process that waits, and cleans what has arrived."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from prefect.client.schemas.schedules import CronSchedule
from prefect.settings import get_current_settings
from prefect.types.entrypoint import EntrypointType

from pagewash.errors import MissingError, OptionError
from pagewash.flows.as_flow import check_flow_takes, places_of
from pagewash.flows.prefect.api import wait_for_server
from pagewash.flows.prefect.cleaning import clean_documents, in_any_folder
from pagewash.inference.heap import one_heap_in_children
from pagewash.options import RunOptions
from pagewash.runs.planning import plan_run

NOT_IN_NAMES = "/%&<>"
"""What Prefect refuses in names."""

PATIENCE = 120.0
"""Seconds that a server may take to start; on a busy machine it does take a minute."""


def serve_folder(
    source: Path,
    destination: Path,
    options: RunOptions,
    metrics: Path | None = None,
    *,
    cron: str | None = None,
    interval: float | None = None,
    name: str = "pagewash",
) -> None:
    """Serve the flow until the process is stopped; its schedule stays, and goes on with the next.

    One run at a time: a run that is due while another is at work waits for it.

    Args:
        source: a folder of scans.
        destination: a folder for the cleaned documents.
        options: how to clean.
        metrics: folder of the metrics; None is the destination's.
        cron: when, in cron's five fields.
        interval: or how often, in seconds.
        name: of the deployment.

    Raises:
        OptionError: no schedule, or two, or one that cannot be read; folders as for `plan_run`.
        MissingError: there is no Prefect server, or it does not answer, or no such model.
    """
    if (cron is None) == (interval is None):
        raise OptionError("a schedule is --cron '0 2 * * *' or --interval SECONDS; give one")
    if interval is not None and interval <= 0:
        raise OptionError(f"--interval {interval} is no time to wait; give seconds above 0")
    if not name.strip() or set(name) & set(NOT_IN_NAMES):
        raise OptionError(
            f"--name {name!r} cannot name a deployment; give some letters, without {NOT_IN_NAMES}"
        )
    cron = _checked(cron)
    plan_run(source, destination, options, metrics)  # what is wrong now will be wrong at night
    source, destination = source.resolve(), destination.resolve()  # runs may start elsewhere
    metrics, options = metrics and metrics.resolve(), in_any_folder(options)
    given = [source, destination, metrics, *places_of(options)]
    check_flow_takes(given, "have cron run 'pagewash clean'")
    if get_current_settings().api.url is None:
        raise MissingError(
            "a schedule needs a Prefect server. Start one with 'prefect server start', then "
            "'prefect config set PREFECT_API_URL=http://127.0.0.1:4200/api'."
        )
    wait_for_server(PATIENCE)
    one_heap_in_children()  # each run is a process, in which Prefect comes first
    clean_documents.serve(
        name=name,
        cron=cron,
        interval=interval,
        parameters=_parameters(source, destination, options, metrics),
        description="Clean what is new or changed in a folder of scans.",
        limit=1,
        pause_on_shutdown=False,
        entrypoint_type=EntrypointType.MODULE_PATH,
    )


def _checked(cron: str | None) -> str | None:
    if cron is not None:
        try:
            CronSchedule(cron=cron)
        except ValueError as error:
            raise OptionError(
                f"--cron {cron!r} is no schedule; its five fields are minute, hour, day, month "
                "and weekday, as in '0 2 * * *'"
            ) from error
    return cron


def _parameters(
    source: Path, destination: Path, options: RunOptions, metrics: Path | None
) -> dict[str, Any]:
    """The flow's parameters as the API keeps them."""
    return {
        "source": str(source),
        "destination": str(destination),
        "options": asdict(options),
        "metrics": None if metrics is None else str(metrics),
    }
