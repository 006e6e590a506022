"""Which pages constants are chosen on, and which ones figures are reported of.

The part follows from the file's name alone, so that it stays the same whoever asks, on whatever
machine, and whatever else lies in the folder.
"""

import hashlib

CHOOSING, REPORTING = "choosing", "reporting"


def part_of(name: str) -> str:
    """The part of a page: a third of all names are for choosing, the others for reporting.

    Args:
        name: of its file, without folders.
    """
    return CHOOSING if hashlib.sha256(name.encode()).digest()[0] % 3 == 0 else REPORTING


def validates(name: str) -> bool:
    """Whether a page for choosing is kept from training, to choose thresholds on: a quarter are."""
    return hashlib.sha256(name.encode()).digest()[1] % 4 == 0
