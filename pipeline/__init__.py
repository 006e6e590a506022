"""Cleans scanned documents with a small convolutional autoencoder, and measures every page.

    from pagewash import Cleaner, clean_folder

    clean_folder("scans", "cleaned")  # documents, and a row of metrics for each page
    cleaned = Cleaner.from_pretrained("fast").clean(pixels, dpi=300)  # one page in memory

These names are the public interface and keep to semantic versioning; all else may change.
Importing them is quick: what needs torch is loaded when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pagewash.cleaning.cleaner import Cleaner
    from pagewash.documents.document import open_document
    from pagewash.errors import PagewashError
    from pagewash.measuring.records import read_records
    from pagewash.options import CleanOptions
    from pagewash.runs.folder import clean_folder

    __version__: str

__all__ = [
    "CleanOptions",
    "Cleaner",
    "PagewashError",
    "__version__",
    "clean_folder",
    "open_document",
    "read_records",
]

_MODULES = {
    "CleanOptions": "pagewash.options",
    "Cleaner": "pagewash.cleaning.cleaner",
    "PagewashError": "pagewash.errors",
    "clean_folder": "pagewash.runs.folder",
    "open_document": "pagewash.documents.document",
    "read_records": "pagewash.measuring.records",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for (PEP 562)."""
    if name == "__version__":
        from pagewash.versions import version_of

        value: Any = version_of("pagewash")
    elif name in _MODULES:
        value = getattr(import_module(_MODULES[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
