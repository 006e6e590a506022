"""Versions of what is installed, told without importing it."""

from functools import cache


@cache
def version_of(package: str) -> str:
    """Version of an installed package; "unknown" for one that runs from its source tree."""
    from importlib.metadata import PackageNotFoundError, version  # slow, and seldom needed

    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
