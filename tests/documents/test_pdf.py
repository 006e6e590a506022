"""PDFs: page images are cleaned and put back in their place, and all else stays.

pdfium, qpdf and Pillow are the judges of what was written.
"""

import base64
import io
import os
import shutil
import subprocess
import tempfile
import zlib
from pathlib import Path

import numpy as np
import pikepdf
import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pdfs import (
    FULL_PAGE,
    add_page,
    copy,
    pdf_of,
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

from pagewash.documents import pdf_writing
from pagewash.documents.document import open_document
from pagewash.errors import AccessError, EncryptedError, OptionError, TooLargeError, UnreadableError
from pagewash.pages import Page, UntouchedPage

SCANS = Path(__file__).parents[2].parent / "shared/data/ocr"


# --- reading ---------------------------------------------------------------------------------


@pytest.mark.parametrize("decode", [None, [1, 0]])
@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_grey_images_of_any_depth(bits, decode):
    levels = np.random.default_rng(0).integers(0, 1 << bits, (120, 128), np.uint32)
    if bits == 16:
        data = levels.astype(">u2").tobytes()
    else:
        planes = (levels[..., None] >> np.arange(bits - 1, -1, -1)) & 1
        data = np.packbits(planes.reshape(120, -1).astype(bool), axis=1).tobytes()
    entries = {"ColorSpace": Name.DeviceGray, "BitsPerComponent": bits}
    if decode:
        entries["Decode"] = Array(decode)
    (page,) = read(pdf_of(entries, data, 128, 120))
    expected = levels * 255.0 / ((1 << bits) - 1)
    expected = 255 - expected if decode else expected
    assert page.pixels.shape == (120, 128)
    assert np.abs(page.pixels - expected).max() <= 1
    assert page.mode == ("1" if bits == 1 else "L")


def test_an_rgb_image_has_its_channels_in_order():
    pixels = np.zeros((120, 128, 3), np.uint8) + np.array([200, 100, 50], np.uint8)
    entries = {"ColorSpace": Name.DeviceRGB, "BitsPerComponent": 8}
    (page,) = read(pdf_of(entries, pixels.tobytes(), 128, 120))
    assert np.array_equal(page.pixels, pixels)
    assert page.mode == "RGB"


def test_a_palette_becomes_colour_or_grey():
    levels = np.arange(120 * 128, dtype=np.uint32).reshape(120, 128).astype(np.uint8)
    for palette in (np.repeat(np.arange(256), 3), np.arange(768) % 251):
        table = palette.astype(np.uint8).tobytes()
        space = Array([Name.Indexed, Name.DeviceRGB, 255, pikepdf.String(table)])
        (page,) = read(
            pdf_of({"ColorSpace": space, "BitsPerComponent": 8}, levels.tobytes(), 128, 120)
        )
        expected = palette.astype(np.uint8).reshape(256, 3)[levels]
        grey = (palette == np.repeat(np.arange(256), 3)).all()
        assert np.array_equal(page.pixels, expected[..., 0] if grey else expected)
        assert page.mode == "P"


def test_black_ink_of_cmyk_is_grey():
    inks = np.zeros((120, 128, 4), np.uint8)
    inks[..., 3] = strokes((120, 128))
    (page,) = read(
        pdf_of({"ColorSpace": Name.DeviceCMYK, "BitsPerComponent": 8}, inks.tobytes(), 128, 120)
    )
    assert page.mode == "CMYK"
    assert page.pixels[0, 0].max() < 60  # full black ink
    assert page.pixels.max() > 150


@pytest.mark.parametrize(
    ("kind", "name", "codec"), [("JPEG", "DCTDecode", "jpeg"), ("JPEG2000", "JPXDecode", "jp2")]
)
def test_photographic_codecs(kind, name, codec):
    data = io.BytesIO()
    Image.fromarray(strokes((120, 128))).save(data, kind)
    entries = {"Filter": Name(f"/{name}"), "ColorSpace": Name.DeviceGray, "BitsPerComponent": 8}
    (page,) = read(pdf_of(entries, data.getvalue(), 128, 120))
    assert np.abs(page.pixels.astype(int) - strokes((120, 128))).mean() < 3
    assert page.stored.codec == codec
    assert page.stored.size == len(data.getvalue())


@pytest.mark.parametrize(
    ("around", "pack"),
    [
        ([Name.FlateDecode], zlib.compress),
        ([Name.ASCII85Decode], lambda data: base64.a85encode(data) + b"~>"),
        (
            [Name.ASCII85Decode, Name.FlateDecode],
            lambda data: base64.a85encode(zlib.compress(data)) + b"~>",
        ),
    ],
)
def test_a_jpeg_that_is_packed_keeps_its_quality_and_its_fine_colour(around, pack):
    data = io.BytesIO()
    colours = np.stack([soiled(), strokes(), soiled(seed=1)], -1)
    Image.fromarray(colours).save(data, "JPEG", quality=95, subsampling="4:4:4")
    filters = Array([*around, Name.DCTDecode])
    entries = {"Filter": filters, "ColorSpace": Name.DeviceRGB, "BitsPerComponent": 8}
    source = pdf_of(entries, pack(data.getvalue()), 200, 300)
    (page,) = read(source)
    assert (page.stored.codec, page.stored.quality, page.stored.fine_colour) == ("jpeg", 95, True)
    (after,) = read(copy(source, lambda pixels: pixels // 2))
    assert (after.stored.quality, after.stored.fine_colour) == (95, True)


@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_colours_of_a_jpeg_are_kept_as_fine_as_they_were(subsampling):
    data = io.BytesIO()
    colours = np.stack([soiled(), strokes(), soiled(seed=1)], -1)
    Image.fromarray(colours).save(data, "JPEG", quality=95, subsampling=subsampling)
    entries = {"Filter": Name.DCTDecode, "ColorSpace": Name.DeviceRGB, "BitsPerComponent": 8}
    source = pdf_of(entries, data.getvalue(), 200, 300)
    (after,) = read(copy(source, lambda pixels: pixels // 2))
    assert (after.stored.codec, after.stored.subsampling) == ("jpeg", subsampling)


def test_resolution_comes_from_the_size_on_the_page():
    (page,) = read(
        pdf_of({"ColorSpace": Name.DeviceGray, "BitsPerComponent": 8}, bytes(600 * 450), 600, 450)
    )
    assert page.dpi == (300, 150)


def test_resolution_knows_of_turned_images_forms_and_units():
    pdf = pikepdf.new()
    image = put_grey(pdf, soiled((450, 600)))
    form = pdf.make_stream(
        b"q 0 108 -72 0 72 0 cm /Im Do Q",
        Type=Name.XObject,
        Subtype=Name.Form,
        BBox=Array([0, 0, 144, 216]),
        Matrix=Array([2, 0, 0, 2, 0, 0]),
        Resources=Dictionary(XObject=Dictionary(Im=image)),
    )
    page = add_page(pdf, b"/Fm Do", **{"/Fm": pdf.make_indirect(form)})
    page.UserUnit = 2
    (page,) = read(save(pdf))
    assert page.dpi == (112.5, 100)  # its 450 rows stand side by side on 4 inches
    assert np.array_equal(page.pixels, np.rot90(soiled((450, 600))))


def only_untouched(source) -> str:
    (page,) = read(source)
    assert isinstance(page, UntouchedPage)
    return page.reason


def test_what_is_left_alone_is_told_why():
    vector = pikepdf.new()
    add_page(vector, b"0 0 m 99 99 l S")
    assert only_untouched(save(vector)) == "it has no page image"

    logo = pikepdf.new()
    add_page(logo, b"20 0 0 20 0 0 cm /Im Do", **{"/Im": put_grey(logo, soiled((200, 200)))})
    assert only_untouched(save(logo)) == "its images are too small to be a page"

    inline = pikepdf.new()
    add_page(inline, b"144 0 0 216 0 0 cm BI /W 1 /H 1 /BPC 8 /CS /G ID \x7f EI")
    assert only_untouched(save(inline)) == "its images are too small to be a page"

    keyed = pikepdf.new()
    image = put_grey(keyed, soiled(), Mask=Array([250, 255]))
    add_page(keyed, FULL_PAGE, **{"/Im": image})
    assert only_untouched(save(keyed)) == "its image is transparent in certain colours"


def test_an_image_of_several_pages_is_cleaned_once_and_everywhere():
    pdf = pikepdf.new()
    image = put_grey(pdf, soiled())
    for _ in range(2):
        add_page(pdf, FULL_PAGE, **{"/Im": image})
    first, second = read(save(pdf))
    assert isinstance(first, Page)
    assert second.reason == "its image is that of page 1, and was cleaned there"
    cleaned = copy(save(pdf), lambda _: strokes())
    assert np.array_equal(render(cleaned, 0), render(cleaned, 1))
    with pikepdf.open(cleaned) as after:
        assert (
            after.pages[0].obj.Resources.XObject.Im.objgen
            == after.pages[1].obj.Resources.XObject.Im.objgen
        )


def test_pages_without_content_or_with_dangling_names_are_passed_through():
    pdf = pikepdf.new()
    bare = pdf.add_blank_page(page_size=(144, 216))
    for key in (Name.Contents, Name.Resources):
        if key in bare.obj:
            del bare.obj[key]
    dangling = add_page(pdf, b"/Gone Do /Odd Do " + FULL_PAGE)
    dangling.Resources.XObject.Odd = Dictionary(Subtype=Name.Image)
    assert [type(page) for page in read(save(pdf))] == [UntouchedPage, UntouchedPage]
    with pikepdf.open(copy(save(pdf))) as after:
        assert len(after.pages) == 2


def test_resources_of_a_branch_of_pages_are_found():
    pdf = pikepdf.new()
    page = add_page(pdf, FULL_PAGE, **{"/Im": put_grey(pdf, soiled())})
    pdf.Root.Pages.Resources = page.Resources
    pdf.Root.Pages.Rotate = 90
    del page.obj.Resources
    (page,) = read(copy(save(pdf), lambda _: np.rot90(strokes(), -1)))
    assert np.array_equal(page.pixels, np.rot90(strokes(), -1))
    (page,) = read(copy(save(pdf), kind="png"))
    assert page.pixels.shape == (200, 300)


def test_a_form_that_draws_itself_ends_nevertheless():
    pdf = pikepdf.new()
    form = pdf.make_indirect(
        pdf.make_stream(b"/Fm Do /Fm Do /Im Do", Type=Name.XObject, Subtype=Name.Form)
    )
    form.BBox = Array([0, 0, 1, 1])
    form.Resources = Dictionary(XObject=Dictionary(Fm=form, Im=put_grey(pdf, soiled())))
    add_page(pdf, b"144 0 0 216 0 0 cm /Fm Do", **{"/Fm": form})
    assert len(read(save(pdf))) == 1


# --- writing back ----------------------------------------------------------------------------


@given(
    width=st.integers(100, 180),
    height=st.integers(100, 180),
    space=st.sampled_from(["1", "L", "RGB"]),
    seed=st.integers(0, 99),
)
@settings(max_examples=15)
def test_what_is_put_back_is_read_again(width, height, space, seed):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (height, width, *([3] if space == "RGB" else [])), np.uint8)
    if space == "1":
        data = np.packbits(pixels >= 128, axis=1).tobytes()
        pixels = (pixels >= 128) * np.uint8(255)
    else:
        data = pixels.tobytes()
    entries = {
        "ColorSpace": Name.DeviceRGB if space == "RGB" else Name.DeviceGray,
        "BitsPerComponent": 1 if space == "1" else 8,
    }
    (page,) = read(copy(pdf_of(entries, data, width, height), lambda pixels: 255 - pixels))
    assert np.array_equal(page.pixels, 255 - pixels)
    assert page.mode == space


def test_everything_but_the_image_stays():
    pdf = pikepdf.new()
    text = b"BT 3 Tr /F 12 Tf 20 100 Td (hidden words) Tj ET"
    for _ in range(2):
        page = add_page(pdf, FULL_PAGE + text, **{"/Im": put_grey(pdf, soiled())})
        font = Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica)
        page.Resources.Font = Dictionary(F=font)
    page.Rotate = 90
    link = Dictionary(S=Name.URI, URI=pikepdf.String("https://example.org"))
    rectangle = Array([1, 2, 3, 4])
    page.Annots = Array([Dictionary(Type=Name.Annot, Subtype=Name.Link, Rect=rectangle, A=link)])
    with pdf.open_outline() as outline:
        outline.root.append(pikepdf.OutlineItem("Second", 1))
    with pdf.open_metadata() as metadata:
        metadata["dc:title"] = "A title"
    pdf.attachments["notes.txt"] = pikepdf.AttachedFileSpec(pdf, b"attached")

    cleaned = copy(save(pdf), lambda _: strokes())
    with pikepdf.open(cleaned) as after:
        assert [list(page.mediabox.as_list()) for page in after.pages] == [[0, 0, 144, 216]] * 2
        assert after.pages[1].Rotate == 90
        assert str(after.pages[1].Annots[0].A.URI) == "https://example.org"
        assert after.open_outline().root[0].title == "Second"
        assert after.open_metadata()["dc:title"] == "A title"
        assert after.attachments["notes.txt"].get_file().read_bytes() == b"attached"
    document = pypdfium2.PdfDocument(cleaned.getvalue())
    assert document[0].get_textpage().get_text_range() == "hidden words"
    document.close()
    assert render(cleaned)[0, 0].tolist() == [255, 255, 255]  # the paper is white now


@pytest.mark.parametrize("streams", ["preserve", "disable", "generate"])
@pytest.mark.parametrize("listed", [False, True])
def test_no_stream_of_a_document_names_a_file(listed, streams):
    with tempfile.NamedTemporaryFile() as file:
        file.write(SECRET)
        file.flush()
        check_that_no_stream_names(Path(file.name), listed, streams)


SECRET = b"what only the user may read"


def check_that_no_stream_names(secret: Path, listed: bool, streams: str):
    texts = [b"pagewash " + os.fsencode(secret), b"pagewash 0", b"pagewash ../../etc/passwd"]
    pdf = pikepdf.new()
    image = put_grey(pdf, soiled())
    entries = {"ColorSpace": Name.DeviceGray, "BitsPerComponent": 8, "Filter": Name.JPXDecode}
    hostile = {
        f"/H{number}": put(pdf, text, len(text), 1, **entries, F=str(secret))
        for number, text in enumerate(texts)
    }
    add_page(pdf, FULL_PAGE, **{"/Im": image}, **hostile)
    if listed:  # as our own list of placeholders, should its name be known
        pdf.trailer["/PagewashPlaceholders"] = Array(list(hostile.values()))
    mode = pikepdf.ObjectStreamMode[streams]
    cleaned = copy(save(pdf, compress_streams=False, object_stream_mode=mode), lambda _: strokes())
    assert SECRET not in cleaned.getvalue()
    with pikepdf.open(cleaned) as result:
        images = result.pages[0].Resources.XObject
        assert [images[name].read_raw_bytes() for name in hostile] == texts
        assert "/PagewashPlaceholders" not in result.trailer
    (page,) = read(cleaned)
    assert np.array_equal(page.pixels, strokes())


@pytest.mark.parametrize("kind", ["keep", "tiff"])
def test_the_same_document_gives_the_same_bytes(kind):
    pdf = pikepdf.new()
    add_page(pdf, FULL_PAGE, **{"/Im": put_grey(pdf, soiled())})
    source = save(pdf)
    assert copy(source, kind=kind).getvalue() == copy(source, kind=kind).getvalue()


def test_one_bit_is_put_back_as_g4_where_there_is_no_jbig2(monkeypatch):
    monkeypatch.setattr(pdf_writing, "encode_jbig2", lambda image: None)
    bits = strokes() >= 128
    entries = {"ColorSpace": Name.DeviceGray, "BitsPerComponent": 1}
    pdf = pikepdf.new()
    image = put(pdf, np.packbits(bits, axis=1).tobytes(), 200, 300, **entries)
    add_page(pdf, FULL_PAGE, Im=image)
    with pikepdf.open(copy(save(pdf, compress_streams=False))) as after:
        image = after.pages[0].obj.Resources.XObject.Im
        assert image.Filter == Name.CCITTFaxDecode
        assert image.BitsPerComponent == 1


@pytest.mark.parametrize("decode", [[0, 1], [1, 0]])
def test_a_stencil_stays_a_stencil_of_the_same_ink(decode):
    ink = strokes() < 128
    bits = np.packbits(ink if decode == [1, 0] else ~ink, axis=1).tobytes()
    pdf = pikepdf.new()
    stencil = put(pdf, bits, 200, 300, ImageMask=True, BitsPerComponent=1, Decode=Array(decode))
    add_page(pdf, b"0 0 1 rg " + FULL_PAGE, **{"/Im": stencil})
    (page,) = read(save(pdf))
    assert np.array_equal(page.pixels, ~ink * np.uint8(255))
    assert page.mode == "1"
    cleaned = copy(save(pdf))
    assert np.array_equal(render(cleaned, scale=2), render(save(pdf), scale=2))
    with pikepdf.open(cleaned) as after:
        assert after.pages[0].obj.Resources.XObject.Im.ImageMask


def test_a_stencil_that_paints_a_background_is_left_alone():
    pdf = pikepdf.new()
    stencil = put(pdf, bytes(25 * 300), 200, 300, ImageMask=True, BitsPerComponent=1)
    add_page(pdf, FULL_PAGE, **{"/Im": stencil})
    assert "background" in only_untouched(save(pdf))


def test_a_soft_mask_and_the_colour_space_stay():
    pdf = pikepdf.new()
    mask = put_grey(pdf, np.tile(np.arange(200, dtype=np.uint8), (300, 1)))
    space = Array([Name.CalGray, Dictionary(WhitePoint=Array([0.95, 1, 1.09]), Gamma=1.8)])
    add_page(pdf, FULL_PAGE, **{"/Im": put_grey(pdf, soiled(), SMask=mask, ColorSpace=space)})
    with pikepdf.open(copy(save(pdf), lambda _: strokes())) as after:
        image = after.pages[0].obj.Resources.XObject.Im
        assert image.SMask.read_bytes() == mask.read_bytes()
        assert image.ColorSpace[0] == Name.CalGray
        assert "/Decode" not in image


def test_colour_turned_grey_has_a_grey_colour_space():
    data = np.stack([soiled()] * 3, -1)
    source = pdf_of({"ColorSpace": Name.DeviceRGB, "BitsPerComponent": 8}, data.tobytes(), 200, 300)
    (page,) = read(copy(source, lambda pixels: pixels[..., 0]))
    assert page.mode == "L"


@pytest.mark.parametrize("kind", ["JPEG", "JPEG2000"])
def test_a_cleaned_pdf_is_no_larger(kind):
    data = io.BytesIO()
    options = {"quality_mode": "rates", "quality_layers": [12], "irreversible": True}
    Image.fromarray(soiled((900, 600))).save(data, kind, **(options if kind != "JPEG" else {}))
    name = Name.DCTDecode if kind == "JPEG" else Name.JPXDecode
    entries = {"Filter": name, "ColorSpace": Name.DeviceGray, "BitsPerComponent": 8}
    source = pdf_of(entries, data.getvalue(), 600, 900)
    cleaned = copy(source, lambda _: strokes((900, 600)))
    assert len(cleaned.getvalue()) <= len(source.getvalue())


def test_a_pdf_that_lost_its_end_to_a_full_disk_is_an_access_error(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    source = pdf_of(
        {"ColorSpace": Name.DeviceGray, "BitsPerComponent": 8}, soiled().tobytes(), 200, 300
    )
    run = pikepdf.Job.run

    def run_on_a_full_disk(job):
        run(job)
        whole = next(tmp_path.glob("*/whole.pdf"))
        whole.write_bytes(whole.read_bytes()[:-40])

    monkeypatch.setattr(pikepdf.Job, "run", run_on_a_full_disk)
    with pytest.raises(AccessError, match="Free some space"):
        copy(source)


def test_pages_that_are_not_wanted_are_left_out_with_their_images():
    pdf = pikepdf.new()
    for seed in range(3):
        add_page(pdf, FULL_PAGE, **{"/Im": put_grey(pdf, soiled((900, 600), seed))})
    with pdf.open_outline() as outline:
        outline.root.append(pikepdf.OutlineItem("First", 0))
    one = copy(save(pdf), wanted={1})
    (page,) = read(one)
    assert np.array_equal(page.pixels, soiled((900, 600), 1))
    assert len(one.getvalue()) < 0.5 * len(save(pdf).getvalue())


# --- other formats ---------------------------------------------------------------------------


def test_a_page_that_is_one_image_comes_out_at_its_own_resolution():
    source = pdf_of(
        {"ColorSpace": Name.DeviceGray, "BitsPerComponent": 8}, soiled().tobytes(), 200, 300
    )
    (page,) = read(copy(source, kind="tiff"))
    assert np.array_equal(page.pixels, soiled())
    assert page.dpi == (100, 100)


def test_any_other_page_is_rendered_with_all_that_stands_on_it():
    pdf = pikepdf.new()
    add_page(pdf, b"1 0 0 rg 0 0 72 216 re f")
    turned = add_page(pdf, FULL_PAGE, **{"/Im": put_grey(pdf, soiled())})
    turned.Rotate = 90
    stamped = FULL_PAGE + b" 0 0 1 rg 0 0 72 72 re f"
    add_page(pdf, stamped, **{"/Im": put_grey(pdf, soiled())})

    def clean(pixels):
        return strokes() if pixels.shape == (300, 200) else np.rot90(strokes(), -1)

    vector, sideways, marked = read(copy(save(pdf), clean, kind="tiff"))
    assert vector.dpi == (300, 300)
    assert vector.pixels.shape == (900, 600, 3)
    assert vector.pixels[450, 100].tolist() == [255, 0, 0]
    assert sideways.pixels.shape == (200, 300)
    assert np.abs(sideways.pixels.astype(int) - np.rot90(strokes(), -1)).mean() < 2
    assert marked.pixels[290, 10].tolist() == [0, 0, 255]


def put_bits(pdf: pikepdf.Pdf, ink: np.ndarray, **entries) -> pikepdf.Object:
    """Ink in one bit, where it is 0."""
    bits = np.packbits(~ink, axis=1).tobytes()
    return put(pdf, bits, ink.shape[1], ink.shape[0], **({"BitsPerComponent": 1} | entries))


def as_png(pdf: pikepdf.Pdf) -> Page:
    (page,) = read(copy(save(pdf), kind="png"))
    return page


def test_pale_and_coloured_content_beside_one_bit_comes_out_in_its_levels():
    ink = strokes() < 128
    pdf = pikepdf.new()
    table = pikepdf.String(bytes([150, 255]))
    space = Array([Name.Indexed, Name.DeviceGray, 1, table])
    add_page(pdf, FULL_PAGE, Im=put_bits(pdf, ink, ColorSpace=space)).Rotate = 90
    assert np.array_equal(as_png(pdf).pixels, np.rot90(np.where(ink, 150, 255), -1))

    pdf = pikepdf.new()
    stamped = FULL_PAGE + b" 0.6 g 72 72 36 36 re f"
    add_page(pdf, stamped, Im=put_bits(pdf, ink, ColorSpace=Name.DeviceGray))
    assert (as_png(pdf).pixels == 153).sum() > 2000

    pdf = pikepdf.new()
    add_page(pdf, b"1 0 0 rg " + FULL_PAGE, Im=put_bits(pdf, ink, ImageMask=True))
    flat = as_png(pdf)
    assert flat.mode == "RGB"
    assert (flat.pixels[ink] == (255, 0, 0)).all()


@pytest.mark.parametrize("content", [b"", b"0 g ", b"0 0 0 rg ", b"1 0 0 rg 0 0 0 1 k "])
def test_a_stencil_in_black_comes_out_as_it_is_stored(content):
    ink = strokes((301, 211)) < 128
    pdf = pikepdf.new()
    add_page(pdf, content + FULL_PAGE, Im=put_bits(pdf, ink, ImageMask=True))
    assert as_png(pdf).mode == "1"
    assert np.array_equal(as_png(pdf).pixels == 0, ink)


def test_one_bit_with_a_black_stamp_stays_one_bit_where_its_edges_are_smoothed():
    pdf = pikepdf.new()
    content = FULL_PAGE + b" q 0.9 0.1 -0.1 0.9 20 20 cm 0 0 m 90 0 l 90 33 l h f Q"
    ink = strokes((301, 211)) < 128
    add_page(pdf, content, Im=put_bits(pdf, ink, ColorSpace=Name.DeviceGray))
    assert as_png(pdf).mode == "1"


BELOW = b"20 20 60 60 re f "
VEILED = {
    "blended": b"/Multiply gs " + FULL_PAGE,
    "translucent": b"/Faint gs " + FULL_PAGE,
    "masked": b"/Masked gs " + FULL_PAGE,
    "in a form": b"q /Multiply gs /Form Do Q",
}


def page_over_a_square(pdf: pikepdf.Pdf, content: bytes) -> pikepdf.Page:
    """Paper without print, drawn above a black square."""
    image = put_grey(pdf, np.full((300, 200), 220, np.uint8))
    drawn = Dictionary(Im=image)
    box = Array([0, 0, 144, 216])
    form = pdf.make_stream(
        FULL_PAGE, Subtype=Name.Form, BBox=box, Resources=Dictionary(XObject=drawn)
    )
    group = pdf.make_stream(b"0.3 g 0 0 144 216 re f", Subtype=Name.Form, BBox=box)
    group.Group = Dictionary(S=Name.Transparency, CS=Name.DeviceGray)
    page = add_page(pdf, BELOW + content, Im=image, Form=pdf.make_indirect(form))
    page.Resources.ExtGState = Dictionary(
        Multiply=Dictionary(BM=Name.Multiply),
        Faint=Dictionary(ca=0.5),
        Masked=Dictionary(SMask=Dictionary(S=Name.Luminosity, G=pdf.make_indirect(group))),
        Plain=Dictionary(BM=Name.Normal, ca=1, SMask=pikepdf.Object.parse(b"/None")),
    )
    return page


@pytest.mark.parametrize("content", VEILED.values(), ids=VEILED.keys())
def test_what_shows_through_a_scan_is_on_its_image_too(content):
    pdf = pikepdf.new()
    page_over_a_square(pdf, content)
    source = save(pdf)
    expected = render(source, scale=100 / 72)[..., 0] < 190
    assert expected.sum() > 6000
    (scan,) = read(source)
    assert not scan.alone
    (flat,) = read(copy(source, kind="png"))
    assert np.array_equal(flat.pixels < 190, expected)


@pytest.mark.parametrize("content", [b"/Plain gs ", b"/Multiply gs /Plain gs ", b"q /Faint gs Q "])
def test_what_a_scan_hides_is_not_on_its_image(content):
    pdf = pikepdf.new()
    page_over_a_square(pdf, content + FULL_PAGE)
    (scan,) = read(save(pdf))
    assert scan.alone
    (flat,) = read(copy(save(pdf), lambda pixels: pixels - 1, kind="png"))
    assert (flat.pixels == 219).all()


@pytest.mark.parametrize(
    ("annotation", "is_shown"),
    [
        ("/Subtype /Ink /InkList [[20 20 90 90]] /C [0 0 0] /Rect [20 20 90 90]", True),
        ("/Subtype /Ink /InkList [[20 20 90 90]] /C [0 0 0] /Rect [20 20 90 90] /F 2", False),
        ("/Subtype /Widget /FT /Sig /Rect [0 0 0 0] /V << >>", False),
        ("/Subtype /Widget /FT /Tx /Rect [20 20 90 90] /V ()", False),
        ("/Subtype /Widget /FT /Tx /Rect [20 20 90 90] /V (paid)", True),
        ("/Subtype /Link /Rect [20 20 90 90]", False),
    ],
)
def test_annotations_that_bring_no_picture_of_their_own_count_where_they_are_drawn(
    annotation, is_shown
):
    pdf = pikepdf.new()
    page = add_page(pdf, FULL_PAGE, Im=put_grey(pdf, np.full((300, 200), 220, np.uint8)))
    drawn = pdf.make_indirect(pikepdf.Object.parse(f"<< /Type /Annot {annotation} >>".encode()))
    page.Annots = Array([drawn])
    if "/Widget" in annotation:
        pdf.Root.AcroForm = Dictionary(Fields=Array([drawn]))
    (scan,) = read(save(pdf))
    assert scan.alone is not is_shown
    if "/Ink " in annotation:
        (flat,) = read(copy(save(pdf), kind="png"))
        assert bool((flat.pixels < 50).any()) is is_shown


def test_an_image_that_pages_share_is_clean_on_all_of_them():
    pdf = pikepdf.new()
    image = put_grey(pdf, soiled())
    for _ in range(2):
        add_page(pdf, FULL_PAGE, **{"/Im": image})
    pages = read(copy(save(pdf), lambda _: strokes(), kind="tiff"))
    assert all(np.array_equal(page.pixels, strokes()) for page in pages)


def test_a_pdf_of_many_pages_is_no_png():
    pdf = pikepdf.new()
    for _ in range(2):
        add_page(pdf, b"")
    with pytest.raises(OptionError, match="--format tiff or pdf"):
        copy(save(pdf), kind="png")


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_an_image_becomes_a_pdf_of_its_size_in_inches(mode):
    data = io.BytesIO()
    image = Image.fromarray(strokes()).convert(mode)
    image.save(data, "TIFF", dpi=(100, 50))
    cleaned = copy(io.BytesIO(data.getvalue()), kind="pdf")
    with pikepdf.open(cleaned) as pdf:
        assert [float(edge) for edge in pdf.pages[0].mediabox.as_list()] == [0, 0, 144, 432]
    (page,) = read(cleaned)
    assert np.array_equal(page.pixels, np.array(image.convert("L") if mode == "1" else image))
    assert page.dpi == (100, 50)


# --- bad input -------------------------------------------------------------------------------


def test_a_pdf_with_a_password_says_how_to_remove_it():
    pdf = pikepdf.new()
    add_page(pdf, b"")
    locked = save(pdf, encryption=pikepdf.Encryption(user="secret", owner="secret"))
    with pytest.raises(EncryptedError, match=r"asks for a password.*qpdf --decrypt"):
        read(locked)


def test_a_pdf_that_only_restricts_its_use_is_read_and_noted():
    pdf = pikepdf.new()
    add_page(pdf, FULL_PAGE, **{"/Im": put_grey(pdf, soiled())})
    restricted = save(pdf, encryption=pikepdf.Encryption(user="", owner="secret"))
    with open_document(restricted) as document:
        assert "restricts its use" in document.notes[0]
        assert np.array_equal(next(document.pages()).pixels, soiled())
    with pikepdf.open(copy(restricted)) as after:
        assert not after.is_encrypted


def test_a_signature_that_will_not_hold_is_noted():
    pdf = pikepdf.new()
    add_page(pdf, b"")
    pdf.Root.AcroForm = Dictionary(SigFlags=3, Fields=Array([]))
    with open_document(save(pdf)) as document:
        assert "signature does not hold" in document.notes[0]


@pytest.mark.parametrize("data", [b"%PDF-1.4\n", b"%PDF-1.7\n%%EOF\n" + bytes(500)])
def test_a_broken_pdf_is_reported(data, tmp_path):
    (tmp_path / "0041.pdf").write_bytes(data)
    with pytest.raises(UnreadableError, match=r"0041\.pdf"):
        read(tmp_path / "0041.pdf")


def test_a_pdf_whose_tree_of_pages_is_broken_is_reported(tmp_path):
    pdf = pikepdf.new()
    add_page(pdf, b"")
    (tmp_path / "0041.pdf").write_bytes(save(pdf).getvalue().replace(b"/Pages", b"/Pagan"))
    with pytest.raises(UnreadableError, match=r"0041\.pdf cannot be read as PDF.*page tree"):
        read(tmp_path / "0041.pdf")


def test_a_pdf_without_pages_is_reported():
    with pytest.raises(UnreadableError, match="without pages"):
        read(save(pikepdf.new()))


def test_an_image_over_the_limit_is_refused():
    source = pdf_of({"ColorSpace": Name.DeviceGray, "BitsPerComponent": 8}, b"", 5000, 4000)
    with pytest.raises(TooLargeError, match=r"5000 x 4000.*--max-image-mpixels 20"):
        read(source, max_mpixels=19)


# --- real scans ------------------------------------------------------------------------------


@pytest.mark.skipif(not SCANS.exists(), reason=f"no scans in {SCANS}")
@pytest.mark.skipif(not shutil.which("tesseract"), reason="Tesseract is not installed")
def test_the_text_layer_of_real_scans_survives(tmp_path):
    scans = [SCANS / "tesseract_test/phototest.png", sorted(SCANS.glob("sroie/*.jpg"))[0]]
    pdf = pikepdf.new()
    for number, scan in enumerate(scans):
        subprocess.run(
            ["tesseract", scan, tmp_path / str(number), "pdf"], check=True, capture_output=True
        )
        with pikepdf.open(tmp_path / f"{number}.pdf") as one:
            pdf.pages.extend(one.pages)
    before = save(pdf)
    after = copy(before, lambda pixels: np.where(pixels > 150, 255, pixels).astype(np.uint8))
    assert len(after.getvalue()) <= len(before.getvalue())
    for index in range(2):
        texts = []
        for file in (before, after):
            document = pypdfium2.PdfDocument(file.getvalue())
            texts.append(document[index].get_textpage().get_text_range())
            document.close()
        assert texts[0] == texts[1]
        assert len(texts[0]) > 100
    assert render(after, 1).mean() > render(before, 1).mean()
