"""Places that are named on a command line: on a disk, or in an object store. Names alone."""

from pathlib import Path


def object_url(place: Path) -> str | None:
    """The URL that a path was made of; None for one of a disk.

    `Path` leaves one of its slashes.
    """
    scheme, colon, rest = str(place).partition(":/")
    return f"{scheme}://{rest}" if colon and scheme.isalnum() and len(scheme) > 1 else None
