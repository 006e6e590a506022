"""Small PDFs, made here, and what reads, copies, checks and renders them."""

import io
import tempfile

import numpy as np
import pikepdf
import pypdfium2
from pikepdf import Dictionary, Name

from pagewash.documents.document import WriteOptions, create_document, open_document
from pagewash.pages import Page, ReadLimits

FULL_PAGE = b"q 144 0 0 216 0 0 cm /Im Do Q"  # 2 x 3 inches


def strokes(shape=(300, 200), seed=0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    page = np.full(shape, 255, np.uint8)
    for top in range(10, shape[0] - 14, 14):
        for left in range(10, shape[1] - 12, 8):
            page[top : top + int(rng.integers(4, 9)), left : left + 3] = rng.integers(0, 90)
    return page


def soiled(shape=(300, 200), seed=0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(-40, 6, shape)
    return (strokes(shape, seed) + noise).clip(0, 255).astype(np.uint8)


def put(pdf: pikepdf.Pdf, data: bytes, width: int, height: int, **entries) -> pikepdf.Object:
    image = pdf.make_stream(data, Type=Name.XObject, Subtype=Name.Image, Width=width, Height=height)
    for key, value in entries.items():
        image[f"/{key}"] = value
    return pdf.make_indirect(image)


def put_grey(pdf: pikepdf.Pdf, pixels: np.ndarray, **entries) -> pikepdf.Object:
    grey = {"ColorSpace": Name.DeviceGray, "BitsPerComponent": 8}
    return put(pdf, pixels.tobytes(), pixels.shape[1], pixels.shape[0], **(grey | entries))


def add_page(pdf: pikepdf.Pdf, content: bytes, **images) -> pikepdf.Page:
    page = pdf.add_blank_page(page_size=(144, 216))
    page.Resources = Dictionary(
        XObject=Dictionary({"/" + name.removeprefix("/"): image for name, image in images.items()})
    )
    page.Contents = pdf.make_stream(content)
    return page


def save(pdf: pikepdf.Pdf, **options) -> io.BytesIO:
    file = io.BytesIO()
    pdf.save(file, **options)
    return io.BytesIO(file.getvalue())


def pdf_of(image_entries: dict, data: bytes, width: int, height: int) -> io.BytesIO:
    pdf = pikepdf.new()
    add_page(pdf, FULL_PAGE, **{"/Im": put(pdf, data, width, height, **image_entries)})
    return save(pdf)


def read(source, **limits):
    source = io.BytesIO(source.getvalue()) if isinstance(source, io.BytesIO) else source
    with open_document(source, ReadLimits(**limits)) as document:
        return list(document.pages())


def copy(
    source, clean=lambda pixels: pixels, wanted=None, kind="keep", flawless=True
) -> io.BytesIO:
    """Clean a document by a function of pixels.

    Args:
        source: its bytes.
        clean: from the pixels of a page to others of its size.
        wanted: its pages.
        kind: the format to write.
        flawless: whether a PDF that comes out must be without warnings.
    """
    target = io.BytesIO()
    with (
        open_document(io.BytesIO(source.getvalue())) as document,
        create_document(document, target, WriteOptions(kind), wanted) as writer,
    ):
        for page in document.pages(wanted):
            writer.add(page.replace_pixels(clean(page.pixels)) if isinstance(page, Page) else page)
    if target.getvalue().startswith(b"%PDF"):
        check(target.getvalue(), flawless)
    return io.BytesIO(target.getvalue())


def check(data: bytes, flawless: bool = True) -> None:
    """What `qpdf --check` does."""
    with tempfile.NamedTemporaryFile(suffix=".pdf") as file:
        file.write(data)
        file.flush()
        job = pikepdf.Job(["qpdf", "--check", file.name])
        job.run()
    assert job.exit_code == 0 or not flawless
    assert not job.has_warnings or not flawless


def render(file: io.BytesIO, index: int = 0, scale: float = 1) -> np.ndarray:
    document = pypdfium2.PdfDocument(file.getvalue())
    try:
        return document[index].render(scale=scale).to_numpy().copy()
    finally:
        document.close()
