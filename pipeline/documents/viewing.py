"""One page of a document as a reader sees it: a PDF's with all that stands on it."""

from pathlib import Path

from pagewash.documents.document import open_document
from pagewash.documents.pdf import PdfDocument
from pagewash.documents.pdf_replacing import flat_page
from pagewash.errors import UnreadableError
from pagewash.pages import DEFAULT_LIMITS, Page, Pixels, ReadLimits


def view_page(path: Path, index: int, limits: ReadLimits = DEFAULT_LIMITS) -> Pixels:
    """Read one page.

    Args:
        path: the document.
        index: of the page, from 0.
        limits: what the document may ask for.

    Returns:
        (H, W) grey or (H, W, 3) RGB uint8, upright.

    Raises:
        InputError: the document or its page cannot be read, or it has no such page.
        AccessError: the file cannot be read.
    """
    with open_document(path, limits) as document:
        if index >= document.page_count:
            raise UnreadableError(f"{path} has {document.page_count} pages, and none {index + 1}.")
        if isinstance(document, PdfDocument):
            with document.reopen() as pdf:
                return flat_page(path, pdf, index, limits).pixels
        pages = [page.pixels for page in document.pages({index}) if isinstance(page, Page)]
        return pages[0]
