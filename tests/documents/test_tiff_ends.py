"""A TIFF whose strips end before their pixels do is told from one that is whole."""

import io
from dataclasses import replace

import numpy as np
import pytest
from pdfs import read, strokes
from PIL import Image

from pagewash.documents.tiff import Directory, TiffAppender, read_directory
from pagewash.errors import UnreadableError
from pagewash.pages import Page, UntouchedPage

PAGE = strokes((304, 208))
REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def stored(compression: str) -> Directory:
    image, file = Image.fromarray(PAGE), io.BytesIO()
    image = image.convert("1") if compression == "group4" else image
    image.save(file, "TIFF", compression=compression, tiffinfo={278: 152})
    return read_directory(file.getvalue())


def tiff(*pages: Directory) -> io.BytesIO:
    file = io.BytesIO()
    appender = TiffAppender(file)
    for page in pages:
        appender.append(page)
    return file


def cut(page: Directory, count: int) -> Directory:
    """The page with so many bytes of its last strip."""
    return replace(page, strips=[*page.strips[:-1], page.strips[-1][:count]])


@pytest.mark.parametrize("compression", ["group4", "jpeg"])
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


@pytest.mark.parametrize("compression", ["group4", "jpeg"])
def test_bytes_beyond_the_end_cut_nothing_off(compression):
    page = stored(compression)
    (expected,) = read(tiff(page))
    longer = replace(page, strips=[strip + bytes(5) + b"more" * 9 for strip in page.strips])
    (same,) = read(tiff(longer))
    assert np.array_equal(same.pixels, expected.pixels)
