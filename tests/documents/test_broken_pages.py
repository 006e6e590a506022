"""A TIFF of several pages, one of which cannot be decoded: the others are cleaned, it stays."""

import io
import struct

import numpy as np
import pytest
from pdfs import copy, read, soiled, strokes
from PIL import Image

from pagewash.documents.tiff_copying import copy_page
from pagewash.errors import OptionError, UnreadableError
from pagewash.pages import Page, UntouchedPage

SHORT, LONG = 3, 4


def tiff_by_hand(pages: list[tuple[bytes, int]], order: str, tiled: bool = False) -> bytes:
    """Pages of 208 x 304 samples of 8 bits.

    Args:
        pages: data and compression of each, in TIFF's numbers.
        order: of bytes, "<" or ">".
        tiled: whether each is one tile, not one strip.
    """
    where = (324, 325) if tiled else (273, 279)
    data = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    for number, (strip, compression) in enumerate(pages):
        tags = [(256, 208), (257, 304), (258, 8), (259, compression), (262, 1)]
        tags += [(322, 208), (323, 304)] if tiled else [(278, 304)]
        start = len(data) + 2 + 12 * (len(tags) + 2) + 4
        tags += [(where[0], start), (where[1], len(strip))]
        entries = b"".join(struct.pack(f"{order}HHII", tag, LONG, 1, n) for tag, n in sorted(tags))
        following = start + len(strip) if number < len(pages) - 1 else 0
        data += struct.pack(f"{order}H", len(tags)) + entries + struct.pack(f"{order}I", following)
        data += strip
    return data


WHOLE = (soiled((304, 208)).tobytes(), 1)
BROKEN = (b"no zlib at all", 8)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("tiled", [False, True])
def test_a_page_that_cannot_be_decoded_stays_in_its_place_and_the_others_are_cleaned(order, tiled):
    source = io.BytesIO(tiff_by_hand([WHOLE, BROKEN, WHOLE], order, tiled))
    kinds = [type(page) for page in read(source)]
    assert kinds == [Page, UntouchedPage, Page]
    assert read(source)[1].reason == "it cannot be decoded"
    after = copy(source, lambda _: strokes((304, 208)))
    first, broken, last = read(after)
    assert np.array_equal(first.pixels, strokes((304, 208)))
    assert np.array_equal(last.pixels, strokes((304, 208)))
    assert isinstance(broken, UntouchedPage)
    assert BROKEN[0] in after.getvalue()
    with Image.open(after) as image:
        image.seek(1)
        assert image.size == (208, 304)


def test_a_file_that_is_cut_keeps_what_there_is_of_its_last_page():
    data = tiff_by_hand([WHOLE, WHOLE], "<")
    first, last = read(copy(io.BytesIO(data[:-1000])))
    assert np.array_equal(first.pixels, soiled((304, 208)))
    assert isinstance(last, UntouchedPage)


def test_a_broken_page_alone_is_an_error():
    with pytest.raises(UnreadableError, match="cannot be read as TIFF"):
        read(io.BytesIO(tiff_by_hand([BROKEN], "<")))


@pytest.mark.parametrize("tag", [513, 278])
def test_a_page_that_no_copy_can_hold_is_an_error(tag):
    """A JPEG in parts (tag 513), or a number of strips that do not fit into the file."""
    data = bytearray(tiff_by_hand([WHOLE, BROKEN], "<"))
    second = data.index(struct.pack("<HHII", 259, LONG, 1, 8))
    if tag == 513:
        place = data.index(struct.pack("<HHI", 278, LONG, 1), second)
        data[place : place + 2] = struct.pack("<H", 513)
    else:
        place = data.index(struct.pack("<HHI", 279, LONG, 1), second)
        data[place + 8 : place + 12] = struct.pack("<I", 2**31)
    with pytest.raises(UnreadableError):
        read(io.BytesIO(bytes(data)))


def test_what_cannot_hold_a_broken_page_says_so_and_the_way_out():
    source = io.BytesIO(tiff_by_hand([WHOLE, BROKEN], "<"))
    with pytest.raises(OptionError, match=r"its page 2 cannot be read.*--format tiff.*--pages"):
        copy(source, kind="pdf")


def test_tags_that_all_hold_the_whole_file_are_not_multiplied():
    shared = 200_000
    tags = [(tag, 7, shared, 8) for tag in range(40_000, 40_050)]  # bytes of any kind
    where = [(256, LONG, 1, 208), (257, LONG, 1, 304), (273, LONG, 1, 8), (279, LONG, 1, 9)]
    entries = b"".join(struct.pack("<HHII", *entry) for entry in [*where, *tags])
    head = b"II*\0" + struct.pack("<IH", 8, len(where) + len(tags))
    file = io.BytesIO(head + entries + bytes(4) + bytes(shared))
    assert copy_page(file, 0) is None
