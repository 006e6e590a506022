"""Large streams into a PDF without their passing through memory.

pikepdf keeps every new stream in memory until the PDF is written. So the PDF is written with a
few bytes in place of each; then qpdf fills them in from files, a piece at a time.
"""

import json
import os
from pathlib import Path
from typing import Any

import pikepdf
from pikepdf import Name

from pagewash.documents.pdf_layout import image_slots
from pagewash.documents.pdf_writing import EncodedImage
from pagewash.errors import AccessError
from pagewash.pages import Page

_MARK = b"pagewash "
_LONGEST = 40  # bytes of a placeholder
_JSON_VERSION = 2


def make_placeholder(pdf: pikepdf.Pdf, image: EncodedImage, page: Page, name: str) -> Any:
    """An image object of that PDF that has everything but its data.

    Args:
        pdf: where it will stand.
        image: how its data is encoded.
        page: its size and channels.
        name: of the file with its data.
    """
    placeholder: Any = pdf.make_stream(_MARK + name.encode())
    placeholder.Type, placeholder.Subtype = Name.XObject, Name.Image
    placeholder.Height, placeholder.Width = page.pixels.shape[:2]
    placeholder.ColorSpace = Name.DeviceGray if page.channels == 1 else Name.DeviceRGB
    placeholder.BitsPerComponent = image.bits
    coding: Any = pikepdf.Object.parse(f"<< {image.coding} >>".encode())
    for key in coding.keys():  # noqa: SIM118  (a PDF dictionary is no mapping)
        placeholder[key] = coding[key]
    return placeholder


def fill_placeholders(pdf: pikepdf.Pdf, folder: Path) -> Path:
    """Write a PDF with the data of its placeholders.

    Args:
        pdf: has placeholders among the images of its pages.
        folder: holds their data, and takes the PDF.

    Returns:
        The whole PDF, in that folder.

    Raises:
        AccessError: qpdf cannot write it.
    """
    bare, update, whole = (folder / name for name in ("bare.pdf", "update.json", "whole.pdf"))
    pdf.save(bare, stream_decode_level=pikepdf.StreamDecodeLevel.none)
    update.write_text(json.dumps(_update(bare, folder)))
    job = pikepdf.Job(
        ["pagewash", str(bare), str(whole), f"--update-from-json={update}", "--decode-level=none"]
    )
    try:
        job.run()
    except (RuntimeError, pikepdf.PdfError) as error:
        raise _access_error(folder, str(error)) from error
    if job.exit_code or not _ends(whole):
        raise _access_error(folder, f"qpdf ended with code {job.exit_code}")
    return whole


def _ends(pdf: Path) -> bool:
    """Whether a PDF has its end: qpdf does not notice a disk that is full at the last moment."""
    with pdf.open("rb") as file:
        file.seek(-min(32, pdf.stat().st_size), os.SEEK_END)
        return file.read().endswith(b"%%EOF\n")


def _access_error(folder: Path, reason: str) -> AccessError:
    return AccessError(
        f"a PDF cannot be put together in {folder}: {reason}. Free some space there, or name "
        "another folder in TMPDIR, then run the same command again."
    )


def _update(bare: Path, folder: Path) -> dict[str, Any]:
    """What qpdf has to put where, in its own words.

    Source: qpdf's manual, QPDF JSON.
    """
    streams = {}
    with pikepdf.open(bare) as pdf:
        for page in pdf.pages:
            for named, slot in image_slots(page):
                image = named[slot]
                data = image.read_raw_bytes() if int(image.Length) < _LONGEST else b""
                if data.startswith(_MARK):
                    number, generation = image.objgen
                    datafile = folder / data.removeprefix(_MARK).decode()
                    key = f"obj:{number} {generation} R"
                    streams[key] = {"stream": {"datafile": str(datafile), "dict": _entries(image)}}
        about = {
            "jsonversion": _JSON_VERSION,
            "pdfversion": pdf.pdf_version,
            "pushedinheritedpageresources": False,
            "calledgetallpages": False,
            "maxobjectid": len(pdf.objects),
        }
    return {"qpdf": [about, streams]}


def _entries(image: Any) -> dict[str, Any]:
    entries = json.loads(image.stream_dict.to_json(schema_version=_JSON_VERSION))
    return {key: value for key, value in entries.items() if key != "/Length"}
