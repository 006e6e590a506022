"""Documents in and out: open one, take its pages, write the cleaned ones in their place.

    with open_document(source) as document, create_document(document, target) as writer:
        for page in document.pages():
            writer.add(page if isinstance(page, UntouchedPage) else clean(page))

One page is in memory at a time. What a PDF or an image file is inside is told elsewhere.
"""

from collections.abc import Collection, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from pipeline.containers import (
    Container,
    Format,
    WriteOptions,
    find_documents,
    output_path,
)
from pipeline.pages import Page, ReadLimits, UntouchedPage

__all__ = [
    "Container",
    "Document",
    "DocumentWriter",
    "Format",
    "WriteOptions",
    "create_document",
    "find_documents",
    "open_document",
    "output_path",
]


class Document(Protocol):
    """A document that is open for reading; close it, or use it in a `with` block."""

    source: Path | None
    """None for a stream."""

    container: Container
    """What it really is, whatever its name says."""

    page_count: int
    notes: tuple[str, ...]
    """What is worth telling about it: a wrong extension, a signature that will not hold."""

    def pages(self, wanted: Collection[int] | None = None) -> Iterator[Page | UntouchedPage]:
        """Its pages in order, read as they are asked for.

        Args:
            wanted: 0-based indices of the pages to give; None for all. Those that it does not
                have are passed over.

        Raises:
            InputError: a page cannot be read.
        """
        ...

    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def open_document(source: Path | BinaryIO, limits: ReadLimits = ReadLimits()) -> Document:
    """Open a document for reading; its content decides what it is, not its name.

    Args:
        source: a file, or a binary stream such as standard input.
        limits: what it may ask for.

    Raises:
        EmptyFileError: it has no bytes.
        UnreadableError: no document that pagewash knows, or a broken one.
        EncryptedError: a PDF that asks for a password.
        AccessError: it is not there, or may not be read.
    """
    raise NotImplementedError


class DocumentWriter:
    """A document that is being written, and appears only when it is whole.

    Use it in a `with` block: on leaving it the file is flushed to disk and renamed into place;
    on an exception nothing is left, and what stood there before still stands.
    """

    def add(self, page: Page | UntouchedPage) -> None:
        """Take the next page, cleaned, or untouched as the reader gave it.

        Raises:
            AccessError: it cannot be written: permissions, a full disk.
            OptionError: a second page for a format that holds one.
        """
        raise NotImplementedError


def create_document(
    document: Document,
    target: Path | BinaryIO,
    options: WriteOptions = WriteOptions(),
    wanted: Collection[int] | None = None,
) -> DocumentWriter:
    """Begin the cleaned copy of a document.

    Args:
        document: the open original; it is read again where parts of it pass through.
        target: the file to make, its folder too; or a binary stream such as standard output.
        options: the format. Under "keep" the target's extension decides, and for a stream or a
            name without one that we know, the original's container.
        wanted: the pages that will come, as for `Document.pages`.

    Raises:
        OptionError: several pages for a format that holds one.
        AccessError: the file cannot be made.
    """
    raise NotImplementedError
