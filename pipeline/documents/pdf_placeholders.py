"""Large streams into a PDF without their passing through memory.

pikepdf keeps every new stream in memory until the PDF is written. So the PDF is written with a
few bytes in place of each; then qpdf fills them in from files, a piece at a time.

A placeholder is known by its object number, which a list in the trailer keeps while objects are
renumbered. Nothing that the document holds names a file.
"""

import io
import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import pikepdf
from pikepdf import Name

from pagewash.documents.pdf_writing import EncodedImage
from pagewash.errors import AccessError, UnreadableError
from pagewash.files import access_errors
from pagewash.pages import Page

_LIST = "/PagewashPlaceholders"  # in the trailer between the two writings, whatever was there
_NOT_EMPTY = b"pagewash"  # the library takes the filters off an empty stream
_JSON_VERSION = 2
_WITH_WARNINGS = 3  # qpdf's exit code of a PDF that it repaired, as bookmarks that lead in circles
_OF_THE_TABLE = {"/Type", "/Length", "/Filter", "/DecodeParms", "/W", "/Index"}
"""Entries of a trailer that describe its own stream, which is written anew."""


def make_placeholder(pdf: pikepdf.Pdf, image: EncodedImage, page: Page) -> Any:
    """An image object of that PDF that has everything but its data.

    Args:
        pdf: where it will stand.
        image: how its data is encoded.
        page: its size and channels.
    """
    placeholder: Any = pdf.make_stream(_NOT_EMPTY)
    placeholder.Type, placeholder.Subtype = Name.XObject, Name.Image
    placeholder.Height, placeholder.Width = page.pixels.shape[:2]
    placeholder.ColorSpace = Name.DeviceGray if page.channels == 1 else Name.DeviceRGB
    placeholder.BitsPerComponent = image.bits
    coding: Any = pikepdf.Object.parse(f"<< {image.coding} >>".encode())
    for key in coding.keys():  # noqa: SIM118  (a PDF dictionary is no mapping)
        placeholder[key] = coding[key]
    return placeholder


def fill_placeholders(
    pdf: pikepdf.Pdf, placeholders: Sequence[tuple[Any, Path]], folder: Path
) -> Path:
    """Write a PDF with the data of its placeholders.

    Args:
        pdf: has the placeholders among its objects; those that nothing in it names are left out.
        placeholders: each with the file of its data.
        folder: takes the PDF.

    Returns:
        The whole PDF, in that folder.

    Raises:
        AccessError: it cannot be written: a full disk.
        UnreadableError: qpdf cannot put it together; errors of its own pass, and say so too.
    """
    bare, update, whole = (folder / name for name in ("bare.pdf", "update.json", "whole.pdf"))
    pdf.trailer[_LIST] = pikepdf.Array([placeholder for placeholder, _ in placeholders])
    pdf.trailer[Name.Size] = len(pdf.objects) + 1  # qpdf corrects it, but only where it is
    with access_errors(str(folder), "written"):
        _save(pdf, bare)
        update.write_text(json.dumps(_update(bare, [data for _, data in placeholders])))
        options = [f"--update-from-json={update}", "--decode-level=none", "--deterministic-id"]
        job = pikepdf.Job(["pagewash", str(bare), str(whole), *options])
        job.run()
    if job.exit_code not in (0, _WITH_WARNINGS):
        raise UnreadableError(f"qpdf, which puts it together, ended with code {job.exit_code}")
    if not _is_whole(whole, bare):
        raise AccessError(
            f"a PDF cannot be put together in {folder}: the disk is full, or failed. Free some "
            "space there, or name another folder in TMPDIR, then run the same command again."
        )
    return whole


def _save(pdf: pikepdf.Pdf, path: Path) -> None:
    with path.open("wb") as file:
        remembering = _Remembering(file)
        pdf.save(
            remembering,  # type: ignore[arg-type]  # it writes, which is all that is asked
            stream_decode_level=pikepdf.StreamDecodeLevel.none,
            deterministic_id=True,
        )
        if remembering.error is not None:
            raise remembering.error


class _Remembering(io.RawIOBase):
    """Takes all that is written, and keeps the first error: qpdf aborts the process over one."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: OSError | None = None

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        if self.error is None:
            try:
                self._file.write(data)
            except OSError as error:
                self.error = error
        return len(data)


def _is_whole(pdf: Path, source: Path) -> bool:
    """Whether everything stands where its table says: qpdf does not notice a write that failed.

    What is odd about the source already is as odd in what was made of it.
    """
    try:
        return _complaints(pdf) <= _complaints(source)
    except pikepdf.PdfError:
        return False


def _complaints(pdf: Path) -> set[str]:
    """What qpdf finds odd, without where it is: "PATH (trailer, offset 9): what it is"."""
    with pikepdf.open(pdf) as opened:
        found = [str(warning).removeprefix(str(pdf)) for warning in opened.get_warnings()]
    return {place_and_what.partition(": ")[2] for place_and_what in found}


def _update(bare: Path, data: Sequence[Path]) -> dict[str, Any]:
    """What qpdf has to put where, in its own words.

    Source: qpdf's manual, QPDF JSON.

    Args:
        bare: the PDF with its list of placeholders, which goes.
        data: the file for each of them.
    """
    with pikepdf.open(bare) as pdf:
        trailer = _entries(pdf.trailer, {_LIST, *_OF_THE_TABLE})
        objects: dict[str, Any] = {"trailer": {"value": trailer}}
        for placeholder, file in zip(pdf.trailer[_LIST].as_list(), data, strict=True):
            number, generation = placeholder.objgen
            entries = _entries(placeholder.stream_dict, {"/Length"})
            stream = {"datafile": str(file), "dict": entries}
            objects[f"obj:{number} {generation} R"] = {"stream": stream}
        about = {
            "jsonversion": _JSON_VERSION,
            "pdfversion": pdf.pdf_version,
            "pushedinheritedpageresources": False,
            "calledgetallpages": False,
            "maxobjectid": len(pdf.objects),
        }
    return {"qpdf": [about, objects]}


def _entries(dictionary: Any, without: Collection[str]) -> dict[str, Any]:
    entries = json.loads(dictionary.to_json(schema_version=_JSON_VERSION))
    return {key: value for key, value in entries.items() if key not in without}
