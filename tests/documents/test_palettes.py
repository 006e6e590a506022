"""Few colours stay few: palettes, spot colours and two-colour bits, and no output that grows."""

import io
import zlib

import numpy as np
import pikepdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pdfs import FULL_PAGE, add_page, copy, pdf_of, put, read, render, save, strokes
from pikepdf import Array, Dictionary, Name, String
from PIL import Image

from pagewash.documents import png
from pagewash.documents.document import create_document, open_document
from pagewash.documents.palettes import index_page, pack
from pagewash.documents.tiff import TiffAppender, read_directory
from pagewash.pages import Page

CREAM, NAVY, RED = (250, 240, 200), (20, 20, 90), (200, 30, 30)
INK = strokes((300, 200)) < 128


def two_colours() -> np.ndarray:
    return np.where(INK[..., None], NAVY, CREAM).astype(np.uint8)


def whiten(pixels: np.ndarray) -> np.ndarray:
    if pixels.ndim == 2:
        return np.where(pixels > 180, np.uint8(255), pixels)
    return np.where(pixels.min(2, keepdims=True) > 150, np.uint8(255), pixels)


def cleaned_file(source: bytes, path, clean=whiten) -> bytes:
    with (
        open_document(io.BytesIO(source)) as document,
        create_document(document, path) as writer,
    ):
        for page in document.pages():
            writer.add(page.replace_pixels(clean(page.pixels)))
    return path.read_bytes()


@given(
    colours=st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1, max_size=16, unique=True),
    seed=st.integers(0, 99),
)
@settings(max_examples=30)
def test_a_page_of_a_palette_is_told_by_it_exactly(colours, seed):
    table = np.array(colours, np.uint8)
    pixels = table[np.random.default_rng(seed).integers(0, len(table), (9, 7))]
    page = index_page(pixels, table)
    assert np.array_equal(page.colours[page.indices], pixels)


@given(bits=st.sampled_from([1, 2, 4, 8]), width=st.integers(1, 19))
def test_packed_rows_begin_in_the_highest_bits(bits, width):
    indices = np.random.default_rng(width).integers(0, 1 << bits, (3, width), np.uint8)
    text = ["".join(f"{value:0{bits}b}" for value in row) for row in indices]
    rows = [int(row.ljust(-len(row) % 8 + len(row), "0"), 2) for row in text]
    packed = pack(indices, bits)
    assert [int.from_bytes(row.tobytes(), "big") for row in packed] == rows


def test_paper_turns_white_in_the_palette_and_ink_stays():
    page = index_page(whiten(two_colours()), np.array([CREAM, NAVY], np.uint8))
    assert page.colours.tolist() == [[255, 255, 255], list(NAVY)]
    assert np.array_equal(page.indices == 1, INK)


@pytest.mark.parametrize("count", [2, 3, 7, 16, 100])
@pytest.mark.parametrize("kind", ["png", "tiff", "bmp"])
def test_a_palette_image_stays_one_of_as_many_bits(kind, count, tmp_path):
    colours = np.array([CREAM, NAVY, RED, *[(n, 2 * n, n) for n in range(97)]], np.uint8)[:count]
    indices = INK.astype(np.uint8)
    indices[5, :count] = np.arange(count)
    image = Image.fromarray(indices, "L")
    image.putpalette(colours.tobytes())
    source = io.BytesIO()
    options = {"compression": "tiff_adobe_deflate"} if kind == "tiff" else {}
    image.save(source, kind, dpi=(200, 200), **options)
    after = cleaned_file(source.getvalue(), tmp_path / f"page.{kind}")
    seen = Image.open(io.BytesIO(after))
    assert seen.mode == "P"
    assert seen.info["dpi"] == pytest.approx((200, 200), abs=0.1)
    expected = whiten(colours[indices])
    assert np.abs(np.array(seen.convert("RGB")).astype(int) - expected).max() <= 8
    assert np.array_equal(np.array(seen.convert("RGB"))[100:], expected[100:])
    assert len(after) <= len(source.getvalue()) * 1.02 + 64


# --- PDF ----------------------------------------------------------------------------------------


def indexed(colours) -> Array:
    table = String(np.array(colours, np.uint8).tobytes())
    return Array([Name.Indexed, Name.DeviceRGB, len(colours) - 1, table])


def ink_function(pdf: pikepdf.Pdf, ink) -> pikepdf.Object:
    levels = [value / 255 for value in ink]
    return Dictionary(
        FunctionType=2, Domain=Array([0, 1]), C0=Array([1, 1, 1]), C1=Array(levels), N=1
    )


def separation(pdf: pikepdf.Pdf, kind=Name.Separation, names=Name.Spot) -> Array:
    return Array([kind, names, Name.DeviceRGB, ink_function(pdf, NAVY)])


def g4(ink: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(~ink).save(file, "TIFF", compression="group4", tiffinfo={262: 0})
    tags = Image.open(io.BytesIO(file.getvalue())).tag_v2  # type: ignore[attr-defined]
    return file.getvalue()[tags[273][0] : tags[273][0] + tags[279][0]]


FAX = {"Filter": Name.CCITTFaxDecode, "DecodeParms": Dictionary(K=-1, Columns=200, Rows=300)}
FLATE = {"Filter": Name.FlateDecode}


def bits_of(values: np.ndarray) -> bytes:
    return zlib.compress(np.packbits(values.astype(bool), axis=1).tobytes(), 9)


def kinds():
    """Entries and data of an image of navy ink on cream paper, or on white where it must be."""
    tints = np.where(INK, 255, 20).astype(np.uint8)
    four = pack(INK.astype(np.uint8) * 5, 4)
    many = [CREAM] * 5 + [NAVY] * 11
    yield "indexed G4", lambda pdf: ({"ColorSpace": indexed([NAVY, CREAM]), **FAX}, 1, g4(INK))
    yield (
        "indexed bits",
        lambda pdf: ({"ColorSpace": indexed([CREAM, NAVY]), **FLATE}, 1, bits_of(INK)),
    )
    yield (
        "sixteen colours",
        lambda pdf: ({"ColorSpace": indexed(many), **FLATE}, 4, zlib.compress(four.tobytes(), 9)),
    )
    yield "separation", lambda pdf: (
        {"ColorSpace": separation(pdf), **FLATE}, 8, zlib.compress(tints.tobytes(), 9),
    )  # fmt: skip
    yield "separation bits", lambda pdf: ({"ColorSpace": separation(pdf), **FLATE}, 1, bits_of(INK))
    yield "one ink of DeviceN", lambda pdf: (
        {"ColorSpace": separation(pdf, Name.DeviceN, Array([Name.Spot])), **FLATE}, 8,
        zlib.compress(tints.tobytes(), 9),
    )  # fmt: skip
    yield "black and white", lambda pdf: ({"ColorSpace": Name.DeviceGray, **FAX}, 1, g4(INK))


@pytest.mark.parametrize("kind", [kind for _, kind in kinds()], ids=[name for name, _ in kinds()])
def test_an_image_of_few_colours_stays_what_it_is_and_does_not_grow(kind):
    pdf = pikepdf.new()
    entries, bits, data = kind(pdf)
    add_page(pdf, FULL_PAGE, Im=put(pdf, data, 200, 300, BitsPerComponent=bits, **entries))
    before = save(pdf)
    (page,) = read(before)
    assert isinstance(page, Page)
    after = copy(before, whiten)
    with pikepdf.open(after) as pdf:
        image = pdf.pages[0].obj.Resources.XObject.Im
        assert image.BitsPerComponent == bits
        family = image.ColorSpace[0] if isinstance(image.ColorSpace, Array) else image.ColorSpace
        space = entries["ColorSpace"]
        assert family == (space[0] if isinstance(space, Array) else space)
        assert int(image.Length) <= 1.02 * len(data) + 64
    seen = render(after, scale=100 / 72)[..., ::-1]
    assert np.abs(seen[~INK].astype(int) - 255).max() <= 1
    assert seen[INK].min(axis=0).tolist() in ([20, 20, 90], [0, 0, 0])
    assert len(after.getvalue()) <= 1.02 * len(before.getvalue())


def test_an_image_that_cleaning_would_enlarge_stays_and_says_so():
    # what JBIG2 does for text, a palette does here: nothing that we write would be as small
    dots = np.random.default_rng(0).random((300, 200)) < 0.5
    data = bits_of(np.zeros((300, 200)))
    pdf = pikepdf.new()
    entries = {"ColorSpace": Name.DeviceGray, "BitsPerComponent": 1, **FLATE}
    add_page(pdf, FULL_PAGE, Im=put(pdf, data, 200, 300, **entries))
    before = save(pdf)
    target = io.BytesIO()
    with open_document(before) as document, create_document(document, target) as writer:
        (page,) = document.pages()
        stays = writer.add(page.replace_pixels(dots * np.uint8(255)))
    assert stays == "cleaned, its image would take more bytes than it does"
    assert np.array_equal(render(target), render(before))


def test_a_bilevel_page_of_dots_is_not_grown_by_g4(tmp_path):
    dots = (np.indices((300, 200)).sum(0) % 2).astype(bool)
    source = io.BytesIO()
    Image.fromarray(dots).save(source, "TIFF", compression="tiff_adobe_deflate")
    after = cleaned_file(source.getvalue(), tmp_path / "dots.tif", lambda pixels: pixels)
    assert len(after) <= 1.02 * len(source.getvalue()) + 64
    entries = {"ColorSpace": Name.DeviceGray, "BitsPerComponent": 1, **FLATE}
    before = pdf_of(entries, bits_of(dots), 200, 300)
    assert len(copy(before).getvalue()) <= 1.02 * len(before.getvalue())


def test_a_png_that_was_packed_with_care_does_not_grow(tmp_path):
    tones = np.random.default_rng(0).integers(100, 255, (8, 3), np.uint8)
    page = np.tile(tones.repeat(25, 0), (300, 1, 1))
    page[INK] = NAVY
    source = png.encode_tightly(page)
    assert len(source) < len(png.encode_pixels(page))
    after = cleaned_file(source, tmp_path / "page.png", lambda pixels: pixels)
    assert len(after) <= len(source)
    assert np.array_equal(np.array(Image.open(io.BytesIO(after))), page)


def test_a_bmp_without_resolution_gets_none(tmp_path):
    source = io.BytesIO()
    Image.fromarray(strokes()).save(source, "BMP", dpi=(0, 0))
    after = cleaned_file(source.getvalue(), tmp_path / "page.bmp")
    with open_document(io.BytesIO(after)) as document:
        assert next(document.pages()).dpi is None


def test_a_thumbnail_in_a_tiff_says_that_it_is_one(tmp_path):
    source = io.BytesIO()
    tiff = TiffAppender(source)
    for pixels, tags in ((strokes(), {}), (strokes((30, 20)), {254: (4, 1, b"\1\0\0\0")})):
        one = io.BytesIO()
        Image.fromarray(pixels).save(one, "TIFF")
        directory = read_directory(one.getvalue())
        directory.tags.update(tags)
        tiff.append(directory)
    after = cleaned_file(source.getvalue(), tmp_path / "pages.tif")
    with Image.open(io.BytesIO(after)) as image:
        assert image.tag_v2.get(254, 0) == 0  # type: ignore[attr-defined]
        image.seek(1)
        assert image.tag_v2[254] == 1  # type: ignore[attr-defined]
