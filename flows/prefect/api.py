"""The Prefect server that flows talk to, and what to say when it does not answer."""

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from prefect import get_run_logger
from prefect.client.orchestration import get_client
from prefect.logging.handlers import PrefectConsoleHandler
from prefect.settings import get_current_settings

from pagewash.errors import MissingError

PATIENCE = 10.0
"""Seconds that a server may take to answer; one that is just starting takes longer."""


def wait_for_server(seconds: float = PATIENCE) -> None:
    """Wait until the Prefect server that is set answers; one that starts takes a while to.

    Where none is set, Prefect will start a temporary one, which is ours: it sends nobody news of
    itself, unless the user has it so.

    Args:
        seconds: how long to wait at most.

    Raises:
        MissingError: it does not answer.
    """
    if get_current_settings().api.url is None:
        os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
        return
    end = time.monotonic() + seconds
    with server_errors(), get_client(sync_client=True) as client:
        while (trouble := client.api_healthcheck()) is not None:
            if not isinstance(trouble, httpx.TransportError) or time.monotonic() >= end:
                raise trouble
            time.sleep(0.5)


def keep_quiet() -> None:
    """Have Prefect tell the terminal of errors alone; its server hears all."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, PrefectConsoleHandler):
            handler.setLevel(logging.ERROR)


@contextmanager
def server_errors() -> Iterator[None]:
    """Turn a server that cannot be reached, or refuses, into a `MissingError`."""
    try:
        yield
    except httpx.HTTPError as error:
        raise MissingError(
            f"the Prefect server at {get_current_settings().api.url} does not answer: {error}. "
            "Start it with 'prefect server start', or correct PREFECT_API_URL."
        ) from error


@contextmanager
def courtesy() -> Iterator[None]:
    """What is only told to Prefect: the work does not fail with it."""
    try:
        yield
    except Exception as error:
        get_run_logger().warning(f"Prefect could not be told how far the run is: {error}")
