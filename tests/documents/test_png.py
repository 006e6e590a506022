"""PNGs as the pipeline writes them, read back by Pillow, which has another encoder."""

import io
import struct
import zlib

import numpy as np
import pytest
from pdfs import read
from PIL import Image, ImageCms

from pagewash.documents import png
from pagewash.documents.png import encode_pixels
from pagewash.errors import OptionError, UnreadableError

RNG = np.random.default_rng(0)


def text_page(*channels: int) -> np.ndarray:
    """White paper with dark strokes, and a little left of its noise around them."""
    page = np.full((600, 400, *channels), 255, np.uint8)
    page[40:560:20, 40:360:3] = RNG.integers(0, 90, page[40:560:20, 40:360:3].shape, np.uint8)
    page[300:340] -= RNG.integers(0, 3, page[300:340].shape, np.uint8)
    return page


def photograph() -> np.ndarray:
    """Soft tones with the grain of film."""
    rows, columns = np.mgrid[0:600, 0:400] / 60
    tones = 128 + 90 * np.sin(rows) * np.cos(columns)
    return (tones + RNG.normal(0, 1, tones.shape)).clip(0, 255).astype(np.uint8)


def by_pillow(pixels: np.ndarray) -> int:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=6)
    return file.tell()


@pytest.mark.parametrize("shape", [(1, 1), (7, 300), (200, 3), (129, 64, 3), (1, 5, 3)])
def test_pixels_come_back_as_they_were(shape):
    pixels = RNG.integers(0, 256, shape, np.uint8)
    with Image.open(io.BytesIO(encode_pixels(pixels))) as image:
        assert np.array_equal(np.asarray(image), pixels)
        assert not {"dpi", "icc_profile"} & set(image.info)


def test_resolution_and_profile_come_back_too():
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    with Image.open(io.BytesIO(encode_pixels(text_page(3), (300.0, 150.0), icc))) as image:
        image.verify()  # the checksums of its chunks
        assert image.info["dpi"] == pytest.approx((300, 150), abs=0.02)
        assert image.info["icc_profile"] == icc


@pytest.mark.parametrize("page", [text_page(), text_page(3)], ids=["grey", "colour"])
def test_a_cleaned_page_takes_about_the_space_it_takes_from_a_slower_encoder(page):
    assert len(encode_pixels(page)) <= 1.1 * by_pillow(page)


def test_a_photograph_is_filtered_first():
    page = photograph()
    assert len(encode_pixels(page)) <= 1.05 * by_pillow(page)


def test_a_page_too_large_for_a_png_is_told_so(monkeypatch):
    monkeypatch.setattr(png, "_LONGEST", len(encode_pixels(text_page())) // 2)
    with pytest.raises(OptionError, match="a page of 400 x 600 pixels cannot be written as PNG"):
        encode_pixels(text_page())


def png_of(pixels: np.ndarray, height: int, mode: str) -> io.BytesIO:
    """A PNG that is to have so many rows, in pieces of a few bytes."""
    rows = Image.fromarray(pixels).convert(mode).tobytes()
    bits, colour, channels = {"1": (1, 0, 1), "L": (8, 0, 1), "RGB": (8, 2, 3)}[mode]
    width = pixels.shape[1]
    size = -(-width * bits * channels // 8)
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return png_file(head, b"".join(b"\0" + row for row in cut(rows, size)))


def png_file(head: bytes, data: bytes) -> io.BytesIO:
    packed = zlib.compress(data)
    chunks = [(b"IHDR", head), *((b"IDAT", part) for part in cut(packed, 99)), (b"IEND", b"")]
    return io.BytesIO(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
            for kind, data in chunks
        )
    )


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_a_png_whose_data_ends_before_its_rows_is_cut_off(mode):
    page = text_page()
    with pytest.raises(UnreadableError, match=r"cannot be read: its data is cut off\."):
        read(png_of(page, 601, mode))
    (whole,) = read(png_of(page, 600, mode))
    assert whole.pixels.shape[:2] == page.shape
    page[-1] = 0
    (black_at_its_end,) = read(png_of(page, 600, mode))
    assert not black_at_its_end.pixels[-1].any()


@pytest.mark.parametrize("shape", [(600, 400), (599, 397), (1, 3), (9, 1)])
def test_an_interlaced_png_that_lacks_a_row_of_its_last_pass_is_cut_off(shape):
    height, width = shape
    page = np.full(shape, 255, np.uint8)
    starts = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)]
    starts += [(0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    passes = [page[top::down, left::across] for left, top, across, down in starts]
    rows = [b"\0" + row.tobytes() for each in passes if each.size for row in each]
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 1)
    (whole,) = read(png_file(head, b"".join(rows)))
    assert np.array_equal(whole.pixels, page)
    with pytest.raises(UnreadableError, match=r"cannot be read: its data is cut off\."):
        read(png_file(head, b"".join(rows[:-1])))
