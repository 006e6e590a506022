"""What keeps a document from being read, told by its name and with a way out.

Knows neither images nor PDFs, but that their libraries raise whatever comes to them.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager

from pagewash.documents.containers import Container
from pagewash.errors import PagewashError, TooLargeError, TooSlowError, UnreadableError
from pagewash.files import access_errors
from pagewash.pages import ReadLimits


def check_size(name: str, size: tuple[int, int], limits: ReadLimits) -> None:
    """Refuse an image that is too large, by its header.

    Raises:
        TooLargeError: more pixels than the limit.
    """
    mpixels = size[0] * size[1] / 1e6
    if mpixels > limits.max_mpixels:
        raise TooLargeError(
            f"{name} holds an image of {size[0]} x {size[1]} pixels: {mpixels:.0f} megapixels, "
            f"more than the limit of {limits.max_mpixels:g}. If it is no mistake, "
            f"raise the limit with --max-image-mpixels {math.ceil(mpixels)}."
        )


def check_total(name: str, mpixels: float, limits: ReadLimits) -> None:
    """Refuse a document whose pages hold too much together.

    Raises:
        TooLargeError: more megapixels than the limit.
    """
    if mpixels > limits.max_document_mpixels:
        raise TooLargeError(
            f"{name} holds {mpixels:.0f} megapixels or more, and the limit for a document is "
            f"{limits.max_document_mpixels:g}. If it is no mistake, raise the limit with "
            "--max-document-mpixels, or choose some of its --pages."
        )


def too_much_memory(name: str, limits: ReadLimits) -> TooLargeError:
    """What is told of a document that asked for more memory than it may."""
    return TooLargeError(
        f"{name} asks for more than the {limits.max_document_gigabytes:g} GB of memory that a "
        "document may take: it may be a decompression bomb. If it is no mistake, raise the limit "
        "with --max-document-gigabytes."
    )


def too_slow(name: str, limits: ReadLimits) -> TooSlowError:
    """What is told of a document that took more time than it may."""
    return TooSlowError(
        f"{name} takes more than the {limits.max_document_seconds:g} seconds of processor time "
        "that a document of its size may take: it may be damaged, or made to do so. If it is no "
        "mistake, raise the limit with --max-document-seconds."
    )


@contextmanager
def reading_errors(name: str, container: Container, remedy: str) -> Iterator[None]:
    """Name the document in whatever goes wrong inside the block.

    Args:
        name: of the document.
        container: what it should be.
        remedy: for one that is damaged, as in "scan the page again".

    Raises:
        UnreadableError: any error that is not ours: corrupt bytes raise of every kind.
        AccessError: the operating system refused something.
    """
    try:
        with access_errors(name, "read"):
            yield
    except UnreadableError as error:
        raise UnreadableError(f"{name} cannot be read: {error}.") from error
    except (PagewashError, MemoryError):
        raise
    except Exception as error:
        raise UnreadableError(
            f"{name} cannot be read as {container.upper()}: {error}. It may be truncated or "
            f"damaged: {remedy}, or remove the file."
        ) from error
