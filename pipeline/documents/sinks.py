"""Where cleaned pages become the bytes of an image file, one page at a time.

Knows which encoder belongs to which container; nothing of names and folders.
"""

from dataclasses import replace
from typing import BinaryIO, Protocol, runtime_checkable

from pagewash.documents import encoders
from pagewash.documents.containers import Container
from pagewash.documents.tiff import Directory, TiffAppender
from pagewash.errors import OptionError
from pagewash.geometry.bilevel import halftone
from pagewash.geometry.transform import UNCHANGED, transformed
from pagewash.grey import luminance
from pagewash.pages import Page, UntouchedPage

_ENCODERS = {
    "png": encoders.encode_png,
    "jpeg": encoders.encode_jpeg,
    "bmp": encoders.encode_bmp,
    "webp": encoders.encode_webp,
    "jp2": encoders.encode_jp2,
}


class PageSink(Protocol):
    """What takes the pages of one document, in order, and makes its bytes."""

    def add(self, page: Page | UntouchedPage) -> str | None:
        """Take the next page; returns why its image stays as it was, if so, as a clause."""
        ...

    def finish(self) -> None:
        """Write what comes after the last page."""
        ...


class ClosingSink(PageSink, Protocol):
    """A sink that holds something open."""

    def close(self) -> None:
        """Close it."""
        ...


@runtime_checkable
class CopiesItself(Protocol):
    """A document whose cleaned copy is made where the document is open, and not here."""

    def copy_sink(self, container: Container, file: BinaryIO) -> ClosingSink | None:
        """What makes it; None where nothing of the document goes into its copy."""
        ...


class SinglePageSink:
    """A file that holds one page."""

    def __init__(self, container: Container, file: BinaryIO) -> None:
        """Write to a file in that container."""
        self._encode = _ENCODERS[container]
        self._container = container
        self._file = file

    def add(self, page: Page | UntouchedPage) -> None:
        """Encode the page.

        Raises:
            OptionError: a page is in the file already, or it cannot hold one like this.
        """
        (image, *more) = laid_out(page)
        if self._file.tell() or more:
            raise OptionError(
                f"a {self._container.upper()} holds one page; choose --format tiff or pdf"
            )
        self._file.write(self._encode(image))

    def finish(self) -> None:
        """Nothing comes after the page."""


class TiffSink:
    """A TIFF of any number of pages."""

    def __init__(self, file: BinaryIO) -> None:
        """Write to an empty, seekable file."""
        self._tiff = TiffAppender(file)

    def add(self, page: Page | UntouchedPage) -> None:
        """Encode and append the page, or append one that was not decoded as it is."""
        if isinstance(page, UntouchedPage) and isinstance(page.stored, Directory):
            self._tiff.append(page.stored)
            return
        for image in laid_out(page):
            self._tiff.append(encoders.encode_tiff(image))

    def finish(self) -> None:
        """A TIFF is complete after each page."""


def image_sink(container: Container, file: BinaryIO) -> PageSink:
    """The sink for an image file of that container."""
    return TiffSink(file) if container == "tiff" else SinglePageSink(container, file)


def laid_out(page: Page | UntouchedPage) -> list[Page]:
    """The page as images that lie as `Page.transform` asks; two where it is split.

    Raises:
        OptionError: the page could not be read, so that there is no image of it.
    """
    if isinstance(page, UntouchedPage):
        raise OptionError(
            f"its page {page.index + 1} cannot be read, and only a TIFF can hold it as it is; "
            "choose --format tiff, or leave it out by --pages"
        )
    if not page.transform.changes:
        return [in_dots(page)]
    sideways = page.transform.quarters % 2 and page.dpi
    page = replace(page, dpi=page.dpi[::-1]) if sideways and page.dpi else page
    pixels = transformed(page.pixels, page.transform)
    return [in_dots(replace(page, pixels=image, transform=UNCHANGED)) for image in pixels]


def in_dots(page: Page) -> Page:
    """The page halftoned, if it is to be: after it was turned, which dots would not survive."""
    if not page.dots:
        return page
    return replace(page.replace_pixels(halftone(luminance(page.pixels))), mode="1", dots=False)
