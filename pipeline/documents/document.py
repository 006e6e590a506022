"""Documents in and out: open one, take its pages, write the cleaned ones in their place.

    with open_document(source) as document, create_document(document, target) as writer:
        for page in document.pages():
            writer.add(page if isinstance(page, UntouchedPage) else clean(page))

One page is in memory at a time. What a PDF or an image file is inside is told elsewhere.
"""

import io
from collections.abc import Collection, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol, Self

from pagewash.documents.containers import (
    DEFAULT_WRITING,
    EXTENSIONS,
    MULTI_PAGE,
    Container,
    WriteOptions,
    container_of_name,
    find_documents,
    output_path,
    sniff,
)
from pagewash.documents.images import ImageDocument
from pagewash.documents.pdf import PdfDocument
from pagewash.documents.pdf_replacing import FlatteningSink, ReplacingSink
from pagewash.documents.pdf_writing import PdfSink
from pagewash.documents.sinks import CopiesItself, PageSink, image_sink
from pagewash.errors import EmptyFileError, OptionError, UnreadableError
from pagewash.files import access_errors, whole_file, whole_stream
from pagewash.pages import DEFAULT_LIMITS, Page, ReadLimits, UntouchedPage

__all__ = [
    "Container",
    "Document",
    "DocumentWriter",
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

    def megapixels(self, wanted: Collection[int] | None = None) -> float:
        """Millions of pixels that its pages hold together, by headers alone: nothing is decoded.

        Args:
            wanted: 0-based indices of the pages to count; None for all.

        Raises:
            InputError: what it holds cannot be told.
        """
        ...

    def close(self) -> None:
        """Close the file."""
        ...

    def __enter__(self) -> Self: ...
    def __exit__(self, *error: object) -> None: ...


def open_document(source: Path | BinaryIO, limits: ReadLimits = DEFAULT_LIMITS) -> Document:
    """Open a document for reading; its content decides what it is, not its name.

    Args:
        source: a file, or a binary stream such as standard input, which is read to its end.
        limits: what it may ask for.

    Raises:
        EmptyFileError: it has no bytes.
        UnreadableError: no document that pagewash knows, or a broken one.
        EncryptedError: a PDF that asks for a password.
        AccessError: it is not there, or may not be read.
    """
    path = source if isinstance(source, Path) else None
    name = str(path or "standard input")
    with access_errors(name, "read"):
        file = source.open("rb") if isinstance(source, Path) else io.BytesIO(source.read())
        head = file.read(1024)
    with ExitStack() as undo:
        undo.callback(file.close)
        container = _container(name, head)
        notes = _notes(path, container)
        document: Document
        if container == "pdf":
            document = PdfDocument(file, path, limits, notes)
        else:
            document = ImageDocument(file, path, container, limits, notes)
        undo.pop_all()
    return document


def _container(name: str, head: bytes) -> Container:
    if not head:
        raise EmptyFileError(f"{name} is empty (0 bytes). Scan the page again, or remove the file.")
    container = sniff(head)
    if container is None:
        raise UnreadableError(
            f"{name} begins like no document that pagewash reads ({', '.join(EXTENSIONS)}). "
            "Convert it to one of these, or remove it."
        )
    return container


def _notes(path: Path | None, container: Container) -> tuple[str, ...]:
    named = container_of_name(path) if path is not None else None
    if named in (None, container):
        return ()
    return (f"{path} is named like {named.upper()}, and holds {container.upper()}",)


class DocumentWriter:
    """A document that is being written; `create_document` makes one."""

    def __init__(self, name: str, sink: PageSink, holds_many: bool = True) -> None:
        """Prepare to write.

        Args:
            name: of the document, for messages.
            sink: what makes its bytes.
            holds_many: whether it may have more than one page.
        """
        self._name = name
        self._sink = sink
        self.holds_many = holds_many
        self._empty = True

    def add(self, page: Page | UntouchedPage) -> str | None:
        """Take the next page, cleaned, or untouched as the reader gave it.

        Returns:
            Why its image stays as it was all the same, as a clause; None if it was taken.

        Raises:
            AccessError: it cannot be written: permissions, a full disk.
            OptionError: a page that does not fit the format, or one too many.
        """
        with self._named():
            stays = self._sink.add(page)
        self._empty = False
        return stays

    def finish(self) -> None:
        """Write what comes after the last page; `create_document` calls it."""
        if self._empty:
            raise OptionError(f"{self._name} would have no page. Choose other --pages.")
        with self._named():
            self._sink.finish()

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            with access_errors(self._name, "written"):
                yield
        except OptionError as error:
            raise OptionError(f"{self._name} cannot be written: {error}") from error


@contextmanager
def create_document(
    document: Document,
    target: Path | BinaryIO,
    options: WriteOptions = DEFAULT_WRITING,
    wanted: Collection[int] | None = None,
) -> Iterator[DocumentWriter]:
    """Write the cleaned copy of a document, whole or not at all.

    When the `with` block ends, the file is flushed to disk and renamed into place; after an
    exception nothing is left of it, and what stood there before still stands.

    Args:
        document: the open original; a PDF is read again where parts of it pass through.
        target: the file to make, its folder too; or a binary stream such as standard output.
        options: the format. Under "keep" the target's extension decides, and for a stream or a
            name without one that we know, the original's container.
        wanted: the pages that will come, as for `Document.pages`.

    Raises:
        OptionError: several pages for a format that holds one.
        AccessError: the file cannot be made, written or renamed.
    """
    path = target if isinstance(target, Path) else None
    name = str(path or "standard output")
    container = _container_to_write(document, path, options)
    _refuse_many(document, container, wanted)
    like = () if document.source is None else (document.source,)
    whole = whole_file(target, like) if isinstance(target, Path) else whole_stream(target, name)
    with whole as file, ExitStack() as stack:
        sink = _sink(document, container, file, stack)
        writer = DocumentWriter(name, sink, container in MULTI_PAGE)
        yield writer
        writer.finish()


def _container_to_write(document: Document, path: Path | None, options: WriteOptions) -> Container:
    if options.format != "keep":
        return options.format
    return (container_of_name(path) if path is not None else None) or document.container


def _refuse_many(document: Document, container: Container, wanted: Collection[int] | None) -> None:
    count = document.page_count
    if wanted is not None:
        count = sum(index in wanted for index in range(count))
    if count > 1 and container not in MULTI_PAGE:
        raise OptionError(
            f"{document.source or 'standard input'} has {count} pages to write, and a "
            f"{container.upper()} holds one. Choose --format tiff or pdf, or one of --pages."
        )


def _sink(document: Document, container: Container, file: BinaryIO, stack: ExitStack) -> PageSink:
    """What makes the bytes; the stack closes what it has open."""
    if isinstance(document, CopiesItself):
        elsewhere = document.copy_sink(container, file)
        if elsewhere is not None:
            return stack.enter_context(closing(elsewhere))
    if container == "pdf":
        if isinstance(document, PdfDocument):
            return stack.enter_context(closing(ReplacingSink(document, file)))
        return PdfSink(file)
    sink = image_sink(container, file)
    if isinstance(document, PdfDocument):
        return stack.enter_context(closing(FlatteningSink(document, sink)))
    return sink
