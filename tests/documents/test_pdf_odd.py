"""PDFs with objects that are not what they should be: they cost themselves alone."""

import base64
import io
import struct
import zlib

import numpy as np
import pikepdf
import pytest
from pdfs import (
    FULL_PAGE,
    add_page,
    copy,
    put,
    put_grey,
    read,
    render,
    save,
    soiled,
    strokes,
)
from pikepdf import Array, Dictionary, Name
from PIL import Image

from pagewash.documents.document import open_document
from pagewash.documents.pdf import PdfDocument
from pagewash.documents.pdf_replacing import ReplacingSink
from pagewash.documents.tiff import read_directory
from pagewash.documents.viewing import view_page
from pagewash.errors import TooLargeError
from pagewash.pages import Page, ReadLimits, UntouchedPage

GREY = {"ColorSpace": Name.DeviceGray, "BitsPerComponent": 8}


def parsed(text: str) -> pikepdf.Object:
    return pikepdf.Object.parse(text.encode())


def three_pages() -> pikepdf.Pdf:
    pdf = pikepdf.new()
    for seed in range(3):
        add_page(pdf, FULL_PAGE, Im=put_grey(pdf, soiled(seed=seed)))
    return pdf


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("/Annots", "[null]"),
        ("/Annots", "[3 (x)]"),
        ("/Annots", "<<>>"),
        ("/Rotate", "/Left"),
        ("/UserUnit", "(two)"),
    ],
)
def test_an_odd_entry_of_a_page_is_passed_over(key, value):
    pdf = three_pages()
    pdf.pages[1].obj[key] = parsed(value)
    pages = read(copy(save(pdf), lambda _: strokes(), flawless=False))
    assert all(np.array_equal(page.pixels, strokes()) for page in pages)


@pytest.mark.parametrize(
    "content", [b"0 cm", b"/x Tr", b"Tr", b" Do", b"3 Do", b"/Gone Do", b"Q Q", b"/P scn", b"(open"]
)
def test_an_odd_operator_is_passed_over(content):
    pdf = three_pages()
    pdf.pages[1].Contents = pdf.make_stream(FULL_PAGE + b" " + content)
    pages = read(copy(save(pdf), lambda _: strokes(), flawless=False))
    assert all(np.array_equal(page.pixels, strokes()) for page in pages)


@pytest.mark.parametrize(
    ("key", "value"), [("/SMask", "/None"), ("/Mask", "/None"), ("/SMaskInData", "/No")]
)
def test_an_odd_entry_of_an_image_is_passed_over(key, value):
    pdf = three_pages()
    pdf.pages[1].obj.Resources.XObject.Im[key] = parsed(value)
    pages = read(copy(save(pdf), lambda _: strokes(), flawless=False))
    assert all(np.array_equal(page.pixels, strokes()) for page in pages)


def broken_content(pdf: pikepdf.Pdf) -> None:
    pdf.pages[1].Contents = pdf.make_stream(b"BT [(a) Tj (b)] TJ ET " + FULL_PAGE)


def no_width(pdf: pikepdf.Pdf) -> None:
    del pdf.pages[1].obj.Resources.XObject.Im.Width


def no_jpeg(pdf: pikepdf.Pdf) -> None:
    image = put(pdf, b"no jpeg", 200, 300, Filter=Name.DCTDecode, **GREY)
    pdf.pages[1].obj.Resources.XObject.Im = image


def no_colours(pdf: pikepdf.Pdf) -> None:
    pdf.pages[1].obj.Resources.XObject.Im.ColorSpace = parsed("[/ICCBased null]")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (broken_content, "its content is damaged"),
        (no_width, "one of its images does not state its size"),
        (no_jpeg, "one of its images cannot be decoded"),
        (no_colours, "one of its images cannot be decoded"),
    ],
)
@pytest.mark.parametrize("kind", ["keep", "tiff"])
def test_a_page_that_cannot_be_read_stays_and_the_others_are_cleaned(damage, reason, kind):
    pdf = three_pages()
    damage(pdf)
    odd = save(pdf)
    second = read(odd)[1]
    assert isinstance(second, UntouchedPage)
    assert second.damaged
    assert second.reason == reason
    cleaned = copy(odd, lambda _: strokes(), kind=kind, flawless=False)
    pages = read(cleaned)
    assert np.array_equal(pages[0].pixels, strokes())
    assert np.array_equal(pages[2].pixels, strokes())
    if kind == "keep":
        assert np.array_equal(render(cleaned, 1), render(odd, 1))


def test_an_image_that_cannot_be_decoded_leaves_the_others_on_its_page_to_be_cleaned():
    pdf = pikepdf.new()
    halves = b"q 144 0 0 90 0 %d cm /Im%d Do Q "
    add_page(
        pdf,
        halves % (108, 0) + halves % (0, 1),
        Im0=put(pdf, b"no jpeg", 200, 150, Filter=Name.DCTDecode, **GREY),
        Im1=put_grey(pdf, soiled((150, 200))),
    )
    (page,) = read(save(pdf))
    assert isinstance(page, Page)
    (page,) = read(copy(save(pdf), lambda _: strokes((150, 200)), flawless=False))
    assert np.array_equal(page.pixels, strokes((150, 200)))


# --- PDFs that are repaired ---------------------------------------------------------------------


def without_size(data: bytes) -> bytes:
    return data.replace(b"/Size ", b"/Sise ")


def with_cyclic_outlines(data: bytes) -> bytes:
    with pikepdf.open(io.BytesIO(data)) as pdf:
        one = pdf.make_indirect(Dictionary(Title="One"))
        two = pdf.make_indirect(Dictionary(Title="Two", Prev=one))
        one.Next, two.Next = two, one
        pdf.Root.Outlines = pdf.make_indirect(Dictionary(First=one, Last=two, Count=2))
        return save(pdf).getvalue()


def without_table(data: bytes) -> bytes:
    return data[: data.rindex(b"startxref")]


@pytest.mark.parametrize("damage", [without_size, with_cyclic_outlines, without_table])
def test_a_pdf_that_can_be_repaired_is_cleaned(damage):
    pdf = three_pages()
    plain = save(pdf, object_stream_mode=pikepdf.ObjectStreamMode.disable).getvalue()
    pages = read(copy(io.BytesIO(damage(plain)), lambda _: strokes(), flawless=False))
    assert all(np.array_equal(page.pixels, strokes()) for page in pages)


@pytest.mark.parametrize(("left", "lost"), [(0.9, 2), (0.6, 1)])
def test_a_pdf_that_was_cut_is_noted_and_a_page_that_lost_its_image_is_damaged(left, lost):
    whole = save(three_pages(), object_stream_mode=pikepdf.ObjectStreamMode.disable).getvalue()
    with open_document(io.BytesIO(whole[: int(left * len(whole))])) as document:
        (note,) = document.notes
        pages = list(document.pages())
    assert "standard input is damaged, and was repaired" in note
    assert isinstance(pages[0], Page)
    assert isinstance(pages[lost], UntouchedPage)
    assert pages[lost].damaged
    assert pages[lost].reason == "it draws an image that is not there"


def test_what_qpdf_finds_odd_without_any_loss_is_not_noted():
    pdf = three_pages()
    odd = save(pdf).getvalue().replace(b"startxref", b"startxref\n\n  ")
    with open_document(io.BytesIO(odd)) as document:
        assert document.notes == ()


def in_tiff(pixels: np.ndarray, compression: str, options: int = 0) -> bytes:
    """The one strip of a page; options are those of G3."""
    file, image = io.BytesIO(), Image.fromarray(pixels)
    image = image.convert("1") if compression.startswith("group") else image
    image.save(file, "TIFF", compression=compression, tiffinfo={278: 300, 292: options})
    return read_directory(file.getvalue()).strips[0]


def in_jbig2() -> bytes:
    """Its page, and a region that is coded as in G4."""

    def segment(kind: int, content: bytes) -> bytes:
        return struct.pack(">IBBBI", 0, kind, 0, 1, len(content)) + content

    page = segment(48, struct.pack(">IIIIBH", 200, 300, 0, 0, 0, 0))
    return page + segment(
        38, struct.pack(">IIIIBB", 200, 300, 0, 0, 0, 1) + in_tiff(strokes(), "group4")
    )


def in_runs() -> bytes:
    """Rows as they are, each in two runs."""
    runs = soiled().reshape(-1, 100)
    return b"".join(bytes([99]) + run.tobytes() for run in runs) + b"\x80"


def encoded(coding: str) -> tuple[bytes, dict]:
    """A page as a PDF may hold it, and the entries that say so."""
    fax = {"Columns": 200, "Rows": 300}
    one_bit = {"BitsPerComponent": 1}
    file = io.BytesIO()
    match coding:
        case "G4" | "G4 in Flate" | "G4 in hex":
            data, parms, filters = (
                in_tiff(strokes(), "group4"),
                Dictionary(K=-1, **fax),
                [Name.CCITTFaxDecode],
            )
            if coding == "G4 in Flate":
                data, filters = zlib.compress(data), [Name.FlateDecode, *filters]
            if coding == "G4 in hex":
                data, filters = data.hex().encode() + b">", [Name.ASCIIHexDecode, *filters]
            parms = Array([*[Dictionary()] * (len(filters) - 1), parms])
            return data, {"Filter": Array(filters), "DecodeParms": parms, **one_bit}
        case "G3" | "G3 mixed":
            parms = Dictionary(K=0 if coding == "G3" else 4, EndOfLine=True, **fax)
            entries = {"Filter": Name.CCITTFaxDecode, "DecodeParms": parms, **one_bit}
            return in_tiff(strokes(), "group3", int(coding == "G3 mixed")), entries
        case "JBIG2":
            return in_jbig2(), {"Filter": Name.JBIG2Decode, **one_bit}
        case "JPEG" | "JPEG progressive":
            Image.fromarray(soiled()).save(file, "JPEG", progressive=coding != "JPEG")
            return file.getvalue(), {"Filter": Name.DCTDecode}
        case "PNG":
            rows = np.pad(soiled(), ((0, 0), (1, 0))).tobytes()
            parms = Dictionary(Predictor=15, Columns=200)
            return zlib.compress(rows), {"Filter": Name.FlateDecode, "DecodeParms": parms}
        case "LZW":
            return in_tiff(soiled(), "tiff_lzw"), {"Filter": Name.LZWDecode}
        case "runs":
            return in_runs(), {"Filter": Name.RunLengthDecode}
        case "hex":
            return soiled().tobytes().hex().encode() + b">", {"Filter": Name.ASCIIHexDecode}
        case "Flate in ASCII85":
            data = base64.a85encode(zlib.compress(soiled().tobytes())) + b"~>"
            return data, {"Filter": Array([Name.ASCII85Decode, Name.FlateDecode])}
        case "Flate":
            return zlib.compress(soiled().tobytes()), {"Filter": Name.FlateDecode}
    return soiled().tobytes(), {}


END_MARKS = {
    "raw": 0,
    "JBIG2": 0,
    "G3": 0,
    "G3 mixed": 0,
    "G4": 3,
    "G4 in Flate": 4,
    "G4 in hex": 1,
    "Flate": 4,
    "PNG": 4,
    "LZW": 2,
    "runs": 1,
    "hex": 1,
    "Flate in ASCII85": 2,
    "JPEG": 2,
    "JPEG progressive": 2,
}
"""Bytes of the mark that ends the data of each coding."""

AS_IT_IS = {"stream_decode_level": pikepdf.StreamDecodeLevel.none, "compress_streams": False}


@pytest.mark.parametrize("coding", END_MARKS)
def test_an_image_whose_data_is_cut_off_is_damaged_and_stays(coding):
    data, entries = encoded(coding)
    pdf = pikepdf.new()
    add_page(pdf, FULL_PAGE, Im=put(pdf, data[: len(data) // 2], 200, 300, **(GREY | entries)))
    (page,) = read(save(pdf, **AS_IT_IS))
    assert isinstance(page, UntouchedPage)
    assert page.damaged
    assert page.reason == "the data of one of its images is cut off"


@pytest.mark.parametrize("coding", END_MARKS)
def test_an_image_that_lacks_but_the_mark_of_its_end_is_cleaned(coding):
    data, entries = encoded(coding)
    data = data[: len(data) - END_MARKS[coding]]
    pdf = pikepdf.new()
    add_page(pdf, FULL_PAGE, Im=put(pdf, data, 200, 300, **(GREY | entries)))
    add_page(pdf, FULL_PAGE, Im=put(pdf, data + b"\n\0\0", 200, 300, **(GREY | entries)))
    assert all(isinstance(page, Page) for page in read(save(pdf, **AS_IT_IS)))


def test_an_image_that_lacks_a_row_was_counted_wrong_and_is_cleaned():
    pdf = pikepdf.new()
    data = zlib.compress(soiled()[:-1].tobytes())
    add_page(pdf, FULL_PAGE, Im=put(pdf, data, 200, 300, Filter=Name.FlateDecode, **GREY))
    assert isinstance(read(save(pdf))[0], Page)


def test_a_small_pdf_is_there_in_full_for_whoever_reads_it_before_it_is_closed(tmp_path):
    pdf = pikepdf.new()
    add_page(pdf, b"")
    source, target = tmp_path / "in.pdf", tmp_path / "out.pdf"
    pdf.save(source)
    with open_document(source) as document, target.open("wb") as file:
        assert isinstance(document, PdfDocument)
        sink = ReplacingSink(document, file)
        for page in document.pages():
            sink.add(page)
        sink.finish()
        assert target.read_bytes().endswith(b"%%EOF\n")
        sink.close()


def test_a_jpeg_that_is_larger_than_its_dictionary_says_keeps_the_limit():
    file = io.BytesIO()
    Image.fromarray(soiled((1500, 1000))).save(file, "JPEG")
    pdf = pikepdf.new()
    image = put(pdf, b"", 208, 304, **GREY)
    image.write(file.getvalue(), filter=Name.DCTDecode)
    add_page(pdf, FULL_PAGE, Im=image)
    with pytest.raises(TooLargeError, match="1000 x 1500"):
        read(save(pdf), max_mpixels=1)


def test_a_page_without_area_is_shown_within_the_limit(tmp_path):
    pdf = pikepdf.new()
    pdf.add_blank_page(page_size=(1000, 1000))
    pdf.pages[0].CropBox = pikepdf.Array([0, 0, 0, 0])
    pdf.save(tmp_path / "a.pdf")
    assert view_page(tmp_path / "a.pdf", 0, ReadLimits(max_mpixels=1)).size <= 3.1e6


@pytest.mark.parametrize("limit", [0.1, 1.0, 3.3])
@pytest.mark.parametrize("size", [(595.3, 841.9), (1000, 1000)])
def test_a_page_that_is_rendered_is_made_coarser_and_not_refused(tmp_path, size, limit):
    pdf = pikepdf.new()
    pdf.add_blank_page(page_size=size)
    pdf.save(tmp_path / "a.pdf")
    shown = view_page(tmp_path / "a.pdf", 0, ReadLimits(max_mpixels=limit))
    assert shown.shape[0] * shown.shape[1] == pytest.approx(limit * 1e6, rel=0.02)


def test_a_pdf_whose_name_is_no_text_is_read_and_shown_as_any_other(tmp_path):
    pdf = pikepdf.new()
    add_page(pdf, FULL_PAGE, **{"/Im": put_grey(pdf, soiled((300, 200)))})
    path = tmp_path / "sc\udce9n.pdf"
    path.write_bytes(save(pdf).getvalue())
    with open_document(path) as document:
        (page,) = document.pages()
    assert np.array_equal(page.pixels, soiled((300, 200)))
    assert view_page(path, 0).shape == (300, 200)


def test_a_page_in_larger_units_is_shown_with_all_pixels_of_its_scan(tmp_path):
    pdf = pikepdf.new()
    content = b"q 144 0 0 192 0 0 cm /Im Do Q 20 20 m 90 90 l S"
    page = add_page(pdf, content, **{"/Im": put_grey(pdf, soiled((800, 600)))})
    page.MediaBox, page.UserUnit = pikepdf.Array([0, 0, 144, 192]), 4
    pdf.save(tmp_path / "plan.pdf")
    assert view_page(tmp_path / "plan.pdf", 0).shape[:2] == (800, 600)
    coarser = view_page(tmp_path / "plan.pdf", 0, ReadLimits(max_mpixels=0.12))
    assert coarser.shape[0] * coarser.shape[1] == pytest.approx(0.12e6, rel=0.02)
