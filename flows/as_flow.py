"""Whether a command runs as a Prefect flow: what a flow is given goes to its server as JSON.

Knows nothing of Prefect, which takes seconds to load.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from pagewash.errors import OptionError
from pagewash.files import is_text
from pagewash.options import RunOptions


def runs_as_flow(flow: bool | None, places: Iterable[Path | None], cluster: str | None) -> bool:
    """Whether to run as a flow: as asked for, else where a server is set and can be told of it.

    Args:
        flow: as given by --flow; None leaves it open.
        places: what the flow would be given.
        cluster: as given by --cluster, which takes a flow.

    Raises:
        OptionError: a flow was asked for, and cannot be given one of the places.
    """
    if flow or (cluster and flow is None):
        check_flow_takes(places, "leave out --flow and --cluster")
        return True
    return flow is None and bool(os.environ.get("PREFECT_API_URL")) and not any(_not_text(places))


def places_of(options: RunOptions) -> list[Path | None]:
    """What a run's options name on the disk."""
    return [Path(options.model), options.accepted_file]


def check_flow_takes(places: Iterable[Path | None], way_out: str) -> None:
    """Refuse what a flow cannot be given.

    Raises:
        OptionError: the name of a place is no text.
    """
    for place in _not_text(places):
        raise OptionError(
            f"the name of {place} is not UTF-8, and a Prefect flow takes no other; rename it, or "
            f"{way_out}"
        )


def _not_text(places: Iterable[Path | None]) -> list[Path]:
    return [place for place in places if place is not None and not is_text(place)]
