"""An unofficial plugin for OCRmyPDF 17: `ocrmypdf --pagewash` cleans what the engine sees.

Turns OCRmyPDF's options and hooks into calls of the cleaner; knows nothing of networks and tiles.
OCRmyPDF loads this module at every start, asked for or not, so torch and NumPy wait for a page.

Source: "Plugins" in OCRmyPDF's documentation, and `ocrmypdf/pluginspec.py` for the hooks.
"""

import math
import threading
from argparse import ArgumentParser
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ocrmypdf import PageContext, hookimpl
from ocrmypdf.exceptions import (
    BadArgsError,
    ExitCodeException,
    InputFileError,
    MissingDependencyError,
    OutputFileAccessError,
)
from ocrmypdf.pdfinfo import PdfInfo

from pagewash.errors import PagewashError
from pagewash.inference.model_files import find_model
from pagewash.options import RunOptions, available_processors

if TYPE_CHECKING:
    from PIL.Image import Image

    from pagewash.cleaning.cleaner import Cleaner

_THREADS = "pagewash_threads"
_THEIR_ERRORS: dict[int, type[ExitCodeException]] = {
    1: BadArgsError,
    2: InputFileError,
    3: MissingDependencyError,
    5: OutputFileAccessError,
}
_loading = threading.Lock()


@dataclass(frozen=True)
class PluginOptions:
    """What a run of OCRmyPDF asks of pagewash: nothing, unless it says so."""

    ocr: bool = False
    """Clean the image that the OCR engine sees."""

    final: bool = False
    """Clean the image that the reader sees, too."""

    model: str = RunOptions.model
    """A shipped model's name, or the path of a .safetensors checkpoint."""

    threads: int = 1
    """Of torch, for each page that is worked on at a time."""

    @classmethod
    def of(cls, options: Any) -> "PluginOptions":
        """Pick them from OCRmyPDF's, where a call from Python may have left any of them out."""
        final = bool(getattr(options, "pagewash_final", False))
        return cls(
            ocr=final or bool(getattr(options, "pagewash", False)),
            final=final,
            model=str(getattr(options, "pagewash_model", None) or cls.model),
            threads=getattr(options, _THREADS, cls.threads),
        )


@hookimpl
def add_options(parser: ArgumentParser) -> None:
    """Add --pagewash, --pagewash-final and --pagewash-model."""
    group = parser.add_argument_group(
        "pagewash", "Clean scanned pages with a small network (not a part of OCRmyPDF)"
    )
    group.add_argument(
        "--pagewash",
        action="store_true",
        help="Clean page images before OCR; in the PDF they stay.",
    )
    group.add_argument(
        "--pagewash-final",
        action="store_true",
        help="Clean page images as with --pagewash, and put them into the PDF. Pages that hold "
        "text, or no image, are left alone unless --force-ocr is given.",
    )
    group.add_argument(
        "--pagewash-model",
        metavar="MODEL",
        help=f"A model of pagewash, or a .safetensors file (default: {RunOptions.model}).",
    )


@hookimpl
def check_options(options: Any) -> None:
    """Refuse options that cannot work, before anything is done."""
    asked = PluginOptions.of(options)
    if not asked.ocr:
        if getattr(options, "pagewash_model", None):
            raise BadArgsError("--pagewash is required for --pagewash-model")
        return
    with _in_their_words():
        find_model(asked.model)
    mode = getattr(options, "mode", "redo" if options.redo_ocr else "default")  # 16 has no modes
    if mode == "strip":
        raise BadArgsError("--mode strip does no OCR, so --pagewash has nothing to clean")
    if mode == "redo" and asked.final:
        raise BadArgsError(
            "--redo-ocr keeps what the reader sees, so it cannot be used with --pagewash-final; "
            "use --pagewash, or --force-ocr"
        )


@hookimpl
def validate(pdfinfo: PdfInfo, options: Any) -> None:
    """Divide the processors among the pages, and have scans replaced if asked to."""
    asked = PluginOptions.of(options)
    if not asked.ocr:
        return
    jobs = options.jobs or available_processors()
    # of 17's options, these are what plugins may add to; 16 has a plain namespace
    added = getattr(options, "extra_attrs", None)
    (vars(options) if added is None else added)[_THREADS] = max(1, jobs // len(pdfinfo))
    if asked.final and options.lossless_reconstruction:
        _replace_scans(pdfinfo, options)


def _replace_scans(info: PdfInfo, options: Any) -> None:
    """Do as --force-ocr does, for pages that hold an image and no text.

    Without an option like it, OCRmyPDF adds text to a page and never touches its images.
    """
    pages = [
        page for page in info.pages if page and (not options.pages or page.pageno in options.pages)
    ]
    if any(page.has_text for page in pages) and not options.skip_text:
        return  # OCRmyPDF refuses the document, and says why
    scans = {page.pageno for page in pages if page.images and not page.has_text}
    if not scans:
        return
    if len(scans) < len(pages):
        options.pages = scans
        options.use_threads = True  # it cannot send a choice of pages to another process
    options.mode = "force"


@hookimpl(wrapper=True)
def filter_ocr_image(
    page: PageContext, image: "Image"
) -> Generator[None, "Image | None", "Image | None"]:
    """Clean the image for the OCR engine.

    Goes around the other filters, and so after them: Tesseract's own makes images smaller that
    are too large for it, and would not be asked if this one answered first.
    """
    filtered = yield
    asked = PluginOptions.of(page.options)
    if not asked.ocr:
        return filtered
    return _clean_image(image if filtered is None else filtered, asked)


@hookimpl(wrapper=True)
def filter_page_image(
    page: PageContext, image_filename: Path
) -> Generator[None, Path | None, Path | None]:
    """Clean the image for the reader, into a new file of the same kind in the work folder."""
    filtered = yield
    asked = PluginOptions.of(page.options)
    if not asked.final:
        return filtered
    source = filtered or image_filename
    target = page.get_path(f"pagewash{source.suffix}")
    _clean_file(source, target, asked)
    return target


def _clean_image(image: "Image", asked: PluginOptions) -> "Image":
    """Clean an image in grey, which is all that Tesseract looks at; its resolution stays."""
    import numpy as np
    from PIL import Image

    with _in_their_words():
        dpi = image.info.get("dpi")
        grey = np.asarray(image.convert("L"))
        cleaned = Image.fromarray(_cleaner(asked).clean(grey, dpi[0] if dpi else None))
    if dpi:
        cleaned.info["dpi"] = dpi
    return cleaned


def _clean_file(source: Path, target: Path, asked: PluginOptions) -> None:
    """Clean an image file; its kind, resolution and colours stay."""
    from pagewash.documents.document import create_document, open_document
    from pagewash.pages import Page, ReadLimits

    no_limit = ReadLimits(max_mpixels=math.inf)  # OCRmyPDF has its own, --max-image-mpixels
    with (
        _in_their_words(),
        open_document(source, no_limit) as document,
        create_document(document, target) as writer,
    ):
        pages = (page for page in document.pages() if isinstance(page, Page))
        for cleaned in _cleaner(asked).clean_pages(pages):
            writer.add(cleaned.page)


def _cleaner(asked: PluginOptions) -> "Cleaner":
    """The one cleaner of this process, with torch's share of threads for the thread that asks."""
    import torch

    torch.get_num_threads()  # when it is first asked, torch sets the number of a thread
    torch.set_num_threads(asked.threads)
    with _loading:
        return _load(asked.model)


@lru_cache(maxsize=1)
def _load(model: str) -> "Cleaner":
    """Load in the process that cleans: with --no-use-threads that is a fork of the first one,
    where torch's threads would be lost if they had been started before.
    """
    from pagewash.cleaning.cleaner import Cleaner

    return Cleaner.from_pretrained(model)


@contextmanager
def _in_their_words() -> Iterator[None]:
    """Turn our errors into those of OCRmyPDF, which then ends with their message and exit code."""
    try:
        yield
    except PagewashError as error:
        raise _THEIR_ERRORS.get(error.exit_code, ExitCodeException)(str(error)) from error
