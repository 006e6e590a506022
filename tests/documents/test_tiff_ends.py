"""A TIFF whose strips end before their pixels do is told from one that is whole."""

import io
from dataclasses import replace

import numpy as np
import pytest
from pdfs import read, strokes
from PIL import Image

from pagewash.documents.tiff import Directory, TiffAppender, long_tag, read_directory
from pagewash.errors import UnreadableError
from pagewash.pages import Page, UntouchedPage

PAGE = strokes((304, 208))
REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


FAXES = {"group4": 0, "group3": 0, "group3 mixed": 1, "group3 in bytes": 4, "group3 both": 5}
"""The options of each."""

CODINGS = [*FAXES, "tiff_ccitt", "jpeg", "tiff_lzw", "packbits", "tiff_adobe_deflate", "zstd"]


def stored(coding: str) -> Directory:
    image, file = Image.fromarray(PAGE), io.BytesIO()
    image = image.convert("1") if coding in FAXES or coding == "tiff_ccitt" else image
    tags = {278: 152} | ({292: FAXES[coding]} if coding in FAXES else {})
    image.save(file, "TIFF", compression=coding.split()[0], tiffinfo=tags)
    return read_directory(file.getvalue())


def not_compressed() -> Directory:
    file = io.BytesIO()
    Image.fromarray(PAGE).save(file, "TIFF")
    page = read_directory(file.getvalue())
    strips = [PAGE[:152].tobytes(), PAGE[152:].tobytes()]
    return replace(page, strips=strips, tags={**page.tags, 278: long_tag(152)})


def tiff(*pages: Directory) -> io.BytesIO:
    file = io.BytesIO()
    appender = TiffAppender(file)
    for page in pages:
        appender.append(page)
    return file


def cut(page: Directory, count: int) -> Directory:
    """The page with so many bytes of its last strip."""
    return replace(page, strips=[*page.strips[:-1], page.strips[-1][:count]])


@pytest.mark.parametrize("compression", [*FAXES, "jpeg"])
def test_a_page_that_is_cut_off_is_an_error_alone_and_stays_among_others(compression):
    page = stored(compression)
    half = cut(page, len(page.strips[-1]) // 2)
    with pytest.raises(UnreadableError, match=r"cannot be read: its data is cut off\."):
        read(tiff(half))
    broken, whole = read(tiff(half, page))
    assert isinstance(broken, UntouchedPage)
    assert broken.reason == "its data is cut off"
    assert isinstance(broken.stored, Directory)
    assert broken.stored.strips == half.strips
    assert isinstance(whole, Page)


@pytest.mark.parametrize("part", [0.05, 0.3, 0.6, 0.9, 0.97])
@pytest.mark.parametrize("coding", CODINGS)
def test_no_page_that_is_cut_off_passes_for_a_whole_one(coding, part):
    page = stored(coding)
    with pytest.raises(UnreadableError):
        read(tiff(cut(page, int(part * len(page.strips[-1])))))


def test_a_page_that_lacks_a_strip_is_cut_off():
    page = not_compressed()
    (whole,) = read(tiff(page))
    assert np.array_equal(whole.pixels, PAGE)
    with pytest.raises(UnreadableError, match="its data is cut off"):
        read(tiff(replace(page, strips=page.strips[:1])))


@pytest.mark.parametrize("coding", CODINGS)
def test_a_whole_page_is_none_that_is_cut_off(coding):
    (page,) = read(tiff(stored(coding)))
    assert np.abs(page.pixels.astype(int) - PAGE).mean() < 30


@pytest.mark.parametrize(
    ("coding", "end"),
    [
        ("group3", "001001"),
        ("group3 mixed", "001800c0"),
        ("group3 in bytes", "00010001"),
    ],
)
def test_a_fax_that_says_that_it_ends_is_whole_with_fewer_rows_than_it_should_have(coding, end):
    """Machines that count rows wrong are many; what is there is all that came."""
    page = stored(coding)
    tags = {**page.tags, 257: long_tag(160), 278: long_tag(160)}
    (short,) = read(tiff(Directory(tags, [page.strips[-1] + 3 * bytes.fromhex(end)])))
    assert short.pixels.shape == (160, 208)


@pytest.mark.parametrize("backwards", [False, True])
def test_g4_that_lacks_its_end_of_block_alone_is_whole(backwards):
    page = stored("group4")
    if backwards:
        strips = [strip.translate(REVERSED) for strip in page.strips]
        page = replace(page, strips=strips, tags={**page.tags, 266: (3, 1, b"\2\0")})
    size = len(page.strips[-1])
    (expected,) = read(tiff(page))
    (same,) = read(tiff(cut(page, size - 3)))
    assert np.array_equal(same.pixels, expected.pixels)
    for missing in (6, 12, size // 3):
        with pytest.raises(UnreadableError, match="cut off"):
            read(tiff(cut(page, size - missing)))


def test_a_jpeg_strip_that_lacks_its_end_marker_alone_is_whole():
    page = stored("jpeg")
    (expected,) = read(tiff(page))
    (same,) = read(tiff(cut(page, len(page.strips[-1]) - 2)))
    assert np.array_equal(same.pixels, expected.pixels)


@pytest.mark.parametrize("compression", [*FAXES, "jpeg"])
def test_bytes_beyond_the_end_cut_nothing_off(compression):
    page = stored(compression)
    (expected,) = read(tiff(page))
    longer = replace(page, strips=[strip + bytes(5) + b"more" * 9 for strip in page.strips])
    (same,) = read(tiff(longer))
    assert np.array_equal(same.pixels, expected.pixels)
