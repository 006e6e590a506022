"""Image files in every form that scanners give them, read by pagewash."""

import contextlib
import io
import struct
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageDraw, JpegImagePlugin, TiffImagePlugin

from pagewash.documents.decoding import upright_pixels
from pagewash.documents.document import open_document
from pagewash.documents.encoders import encode_jp2, encode_jpeg, encode_tiff
from pagewash.documents.images import jpeg_quality
from pagewash.documents.tiff import TiffAppender, integers, read_directory
from pagewash.errors import AccessError, EmptyFileError, TooLargeError, UnreadableError
from pagewash.pages import Page, ReadLimits, UntouchedPage

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GREY = np.arange(60 * 80, dtype=np.uint32).reshape(60, 80).astype(np.uint8)
COLOUR = np.stack([GREY, GREY[::-1], GREY // 2], -1)


def read(source, **limits):
    with open_document(source, ReadLimits(**limits)) as document:
        return list(document.pages())


def read_one(image: Image.Image, kind: str, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    (page,) = read(io.BytesIO(file.getvalue()))
    return page


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "JPEG2000"])
@pytest.mark.parametrize("pixels", [GREY, COLOUR], ids=["grey", "colour"])
def test_grey_and_colour_are_read_as_they_are(kind, pixels):
    page = read_one(Image.fromarray(pixels), kind)
    assert np.array_equal(page.pixels, pixels)
    assert page.pixels.flags.writeable
    assert page.mode == ("L" if pixels.ndim == 2 else "RGB")


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_every_lossless_tiff_is_read(compression):
    page = read_one(Image.fromarray(COLOUR), "TIFF", compression=compression)
    assert np.array_equal(page.pixels, COLOUR)
    assert page.stored.codec == compression
    assert page.stored.size <= COLOUR.size + 300


@pytest.mark.parametrize(("kind", "options"), [("JPEG", {}), ("TIFF", {"compression": "jpeg"})])
def test_a_jpeg_says_how_coarse_it_is(kind, options):
    smooth = np.tile(np.linspace(0, 255, 80, dtype=np.uint8), (60, 1))
    page = read_one(Image.fromarray(smooth), kind, quality=77, **options)
    assert np.abs(page.pixels.astype(int) - smooth).max() < 12
    assert page.stored.codec == "jpeg"
    if kind == "JPEG":
        assert abs(page.stored.quality - 77) <= 1


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_of_pictures_that_follow_the_first_a_note_tells(kind):
    file, more = io.BytesIO(), [Image.fromarray(COLOUR[::-1])]
    Image.fromarray(COLOUR).save(file, kind, save_all=True, append_images=more, lossless=True)
    with open_document(io.BytesIO(file.getvalue())) as document:
        assert document.notes == ("standard input holds 2 pictures; the first alone is cleaned",)
        (page,) = document.pages()
    assert np.array_equal(page.pixels, COLOUR)


def jpeg_of_several(*pictures: np.ndarray) -> bytes:
    file, (first, *more) = io.BytesIO(), [Image.fromarray(pixels) for pixels in pictures]
    first.save(file, "MPO", save_all=True, append_images=more)
    return file.getvalue()


def test_of_pictures_that_follow_the_first_in_a_jpeg_a_note_tells():
    data = jpeg_of_several(COLOUR, COLOUR[::-1], COLOUR[:, ::-1])
    with open_document(io.BytesIO(data)) as document:
        assert document.notes == ("standard input holds 3 pictures; the first alone is cleaned",)
        assert document.page_count == 1
        (page,) = document.pages()
    assert page.pixels.shape == COLOUR.shape


@pytest.mark.parametrize("part", [1, 0.999, 0.6])
def test_smaller_pictures_behind_a_jpeg_serve_the_first_and_lost_ones_are_no_loss(part):
    """As previews do, and maps of brightness; a copy by some programs loses them."""
    data = jpeg_of_several(COLOUR, COLOUR[::2, ::2])
    with open_document(io.BytesIO(data[: int(part * len(data))])) as document:
        assert document.notes == ()


@pytest.mark.parametrize("icc", [None, SRGB], ids=["plain", "profile"])
@pytest.mark.parametrize("more", [[], [COLOUR[::-1]]], ids=["still", "animated"])
@pytest.mark.parametrize("lossless", [False, True])
def test_a_webp_says_whether_it_is_lossless(icc, more, lossless):
    file, others = io.BytesIO(), [Image.fromarray(pixels) for pixels in more]
    options = {"save_all": bool(more), "append_images": others, "icc_profile": icc}
    Image.fromarray(COLOUR).save(file, "WEBP", lossless=lossless, **options)
    (page,) = read(io.BytesIO(file.getvalue()))
    assert page.stored.codec == ("webp_lossless" if lossless else "webp")


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "group4"}),
        ("TIFF", {"compression": "group4", "tiffinfo": {262: 0}}),
        ("TIFF", {"compression": "group3"}),
        ("TIFF", {"tiffinfo": {262: 0}}),
    ],
)
def test_one_bit_is_read_as_black_and_white(kind, options):
    bits = GREY % 3 == 0
    page = read_one(Image.fromarray(bits), kind, **options)
    assert np.array_equal(page.pixels, bits * np.uint8(255))
    assert page.mode == "1"


def test_a_palette_of_black_and_white_is_one_bit():
    image = Image.fromarray((GREY % 3 == 0).astype(np.uint8))
    image.putpalette([255, 255, 255, 0, 0, 0])
    page = read_one(image, "PNG", bits=1)
    assert page.mode == "1"
    assert np.array_equal(page.pixels == 0, GREY % 3 == 0)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_a_palette_becomes_colour_or_grey(kind):
    image = Image.fromarray(GREY)
    image.putpalette([value for level in range(256) for value in (level, 255 - level, 0)])
    page = read_one(image, kind)
    assert np.array_equal(page.pixels, np.stack([GREY, 255 - GREY, 0 * GREY], -1))
    image.putpalette([255 - level // 3 for level in range(768)])
    assert np.array_equal(read_one(image, kind).pixels, 255 - GREY)


def test_a_palette_of_8_bits_in_a_tiff_is_read_as_libtiff_reads_it():
    image, file = Image.fromarray(GREY), io.BytesIO()
    image.putpalette([value for level in range(256) for value in (level, 255 - level, 0)])
    image.save(file, "TIFF")
    colours = np.r_[0:256, 255:-1:-1, [0] * 256].astype("<u2")
    before, place, after = file.getvalue().partition((colours * 256).tobytes())
    assert place
    (page,) = read(io.BytesIO(before + colours.tobytes() + after))
    assert np.array_equal(page.pixels, np.stack([GREY, 255 - GREY, 0 * GREY], -1))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG2000"])
def test_16_bits_are_scaled_to_8(kind):
    deep = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    page = read_one(Image.fromarray(deep), kind)
    assert np.array_equal(page.pixels, np.round(deep / 257).astype(np.uint8))


@pytest.mark.parametrize(("order", "white"), [("<", 0), ("<", 1), (">", 1)])
def test_16_bit_tiffs_of_either_byte_order_and_either_white(order, white):
    samples = np.array([[0, 65535, 32768]], order + "u2")
    tags = [(256, 3), (257, 1), (258, 16), (259, 1), (262, white), (273, 8), (277, 1), (279, 6)]
    entries = b"".join(struct.pack(order + "HHIHH", tag, 3, 1, value, 0) for tag, value in tags)
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 14)
    tiff = head + samples.tobytes() + struct.pack(order + "H", len(tags)) + entries + bytes(4)
    (page,) = read(io.BytesIO(tiff))
    assert page.pixels.tolist() == [[0, 255, 128] if white else [255, 0, 127]]


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_transparency_shows_white_paper(kind):
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    image.paste((200, 0, 0, 255), (0, 0, 8, 4))
    page = read_one(image, kind, **({"lossless": True} if kind == "WEBP" else {}))
    assert (page.pixels[:4] == (200, 0, 0)).all()
    assert (page.pixels[4:] == 255).all()


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("pixels", [GREY, COLOUR], ids=["grey", "colour"])
def test_alpha_that_would_hide_all_of_a_page_is_none(kind, pixels):
    image = Image.fromarray(pixels)
    image.putalpha(0)
    assert np.array_equal(read_one(image, kind).pixels, pixels)


def test_a_bmp_of_32_bits_whose_alpha_nobody_filled_in_is_read():
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    samples = np.dstack([COLOUR[::-1, :, ::-1], 0 * GREY[..., None]]).tobytes()
    head = struct.pack("<IiiHHI", 108, 80, 60, 1, 32, 3).ljust(40, b"\0") + masks
    head = head.ljust(108, b"\0")
    bmp = struct.pack("<2sIII", b"BM", 122 + len(samples), 0, 122) + head + samples
    (page,) = read(io.BytesIO(bmp))
    assert np.array_equal(page.pixels, COLOUR)


def test_a_page_of_nothing_but_transparency_is_white():
    assert (read_one(Image.new("RGBA", (8, 8), (0, 0, 0, 0)), "PNG").pixels == 255).all()


def test_grey_with_transparency_stays_grey():
    page = read_one(Image.new("LA", (8, 8), (0, 127)), "PNG")
    assert page.pixels.shape == (8, 8)
    assert abs(int(page.pixels[0, 0]) - 128) <= 1


def test_one_transparent_colour_shows_white_paper():
    page = read_one(Image.new("RGB", (4, 4), (9, 9, 9)), "PNG", transparency=(9, 9, 9))
    assert (page.pixels == 255).all()


@pytest.mark.parametrize("kind", ["TIFF", "JPEG"])
def test_cmyk_becomes_rgb_and_black_ink_alone_becomes_grey(kind):
    page = read_one(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), kind)
    assert page.mode == "CMYK"
    assert page.pixels[8, 8, 0] > 200
    assert page.pixels[8, 8, 1:].max() < 60
    assert read_one(Image.new("CMYK", (16, 16), (0, 0, 0, 255)), "TIFF").pixels.tolist()[0][0] == 0


def test_lab_becomes_rgb():
    lab = Image.merge("LAB", [Image.new("L", (4, 4), value) for value in (255, 128, 128)])
    assert read_one(lab, "TIFF").pixels.min() > 250


def test_a_profile_of_another_colour_space_is_dropped():
    assert read_one(Image.fromarray(COLOUR), "PNG", icc_profile=SRGB).icc == SRGB
    assert read_one(Image.fromarray(GREY), "PNG", icc_profile=SRGB).icc is None
    assert read_one(Image.new("CMYK", (4, 4), (0, 9, 9, 0)), "TIFF", icc_profile=SRGB).icc is None


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP"])
def test_resolution_is_read(kind):
    assert read_one(Image.fromarray(GREY), kind, dpi=(300, 200)).dpi == (300, 200)
    assert read_one(Image.fromarray(GREY), kind, dpi=(1, 1)).dpi is None


def test_a_file_that_says_nothing_has_no_resolution():
    assert read_one(Image.fromarray(GREY), "PNG").dpi is None
    assert read_one(Image.fromarray(GREY), "TIFF").dpi is None


LYING = {  # EXIF orientation -> how an upright page lies in the file (EXIF 2.32, 4.6.4)
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_page_comes_upright_whatever_way_the_camera_was_held(kind, orientation):
    image = Image.new("RGB", (96, 64), "white")
    ImageDraw.Draw(image).rectangle((0, 0, 30, 14), "black")
    stored = image if orientation == 1 else image.transpose(LYING[orientation])
    exif = Image.Exif()
    exif[274] = orientation
    turned = orientation >= 5
    options = {} if kind == "WEBP" else {"dpi": (200, 300) if turned else (300, 200)}
    page = read_one(stored, kind, exif=exif, **options)
    assert page.pixels.shape == (64, 96, 3)
    assert page.pixels[:12, :28].max() < 60
    assert page.pixels[18:, 34:].min() > 200
    if kind != "WEBP":
        assert page.dpi == (300, 200)


def test_broken_exif_data_costs_no_page():
    page = read_one(Image.fromarray(GREY), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert page.pixels.shape == GREY.shape


def frames(count: int) -> bytes:
    file = io.BytesIO()
    images = [Image.new("L", (10 + index, 20), index) for index in range(count)]
    images[0].save(file, "TIFF", save_all=True, append_images=images[1:])
    return file.getvalue()


def test_pages_of_a_tiff_come_in_order_each_at_its_size():
    pages = read(io.BytesIO(frames(4)))
    assert [page.index for page in pages] == [0, 1, 2, 3]
    assert [page.pixels.shape for page in pages] == [(20, 10 + index) for index in range(4)]
    assert [int(page.pixels[0, 0]) for page in pages] == [0, 1, 2, 3]


def test_only_wanted_pages_are_read():
    with open_document(io.BytesIO(frames(4))) as document:
        assert document.page_count == 4
        assert [page.index for page in document.pages({3, 1, 99})] == [1, 3]
        assert [page.index for page in document.pages()] == [0, 1, 2, 3]


def test_a_page_takes_nothing_from_the_one_before_it():
    rgb = [Image.fromarray(COLOUR), Image.fromarray(COLOUR[:, :40])]
    first, second, file = io.BytesIO(), io.BytesIO(), io.BytesIO()
    rgb[0].save(first, "TIFF", dpi=(300, 300), icc_profile=SRGB)
    rgb[1].save(second, "TIFF", tiffinfo={296: 1})  # no unit
    tiff = TiffAppender(file)
    for each in (first, second):
        tiff.append(read_directory(each.getvalue()))
    before, after = read(io.BytesIO(file.getvalue()))
    assert (before.dpi, before.icc) == ((300, 300), SRGB)
    assert (after.dpi, after.icc) == (None, None)


# --- bad input -------------------------------------------------------------------------------


def written(path, image, **options):
    image.save(path, **options)
    return path


def test_an_empty_file_is_reported_by_name(tmp_path):
    (tmp_path / "0041.tif").touch()
    with pytest.raises(EmptyFileError, match=r"0041\.tif is empty \(0 bytes\)"):
        read(tmp_path / "0041.tif")


def test_a_missing_file_is_an_access_error(tmp_path):
    with pytest.raises(AccessError, match=r"gone\.png cannot be read: No such file"):
        read(tmp_path / "gone.png")


def test_a_folder_is_an_access_error(tmp_path):
    with pytest.raises(AccessError, match="It is a folder"):
        read(tmp_path)


@pytest.mark.parametrize("kind", ["png", "jpg", "tif", "bmp", "webp", "jp2", "g4.tif"])
@pytest.mark.parametrize("kept", [0.02, 0.3, 0.9])
def test_a_truncated_file_is_reported_by_name(tmp_path, kind, kept):
    noise = np.random.default_rng(0).integers(0, 256, (300, 200), np.uint8)
    path = tmp_path / f"0041.{kind}"
    if kind == "g4.tif":
        Image.fromarray(noise >= 128).save(path, compression="group4")
    else:
        Image.fromarray(noise).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(UnreadableError, match=r"0041.*cannot be read"):
        read(path)


@pytest.mark.parametrize("seed", range(30))
def test_damaged_bytes_are_read_or_reported_and_nothing_else(tmp_path, seed):
    rng = np.random.default_rng(seed)
    kind = ["png", "jpg", "tif", "bmp", "webp", "jp2"][seed % 6]
    path = written(tmp_path / f"a.{kind}", Image.fromarray(COLOUR))
    data = bytearray(path.read_bytes())
    for place in rng.integers(8, min(len(data), 400), 12):
        data[place] = rng.integers(0, 256)
    path.write_bytes(data)
    with contextlib.suppress(UnreadableError, TooLargeError):
        read(path, max_mpixels=10)


def test_what_is_no_image_is_reported_with_what_could_be(tmp_path):
    (tmp_path / "a.png").write_bytes(b"GIF89a and so on")
    with pytest.raises(UnreadableError, match=r"a\.png begins like no document.*tiff"):
        read(tmp_path / "a.png")


def test_a_wrong_extension_is_read_and_noted(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(GREY).save(path, "TIFF")
    with open_document(path) as document:
        assert document.container == "tiff"
        assert np.array_equal(next(document.pages()).pixels, GREY)
        assert document.notes == (f"{path} is named like PNG, and holds TIFF",)


@pytest.mark.parametrize("kind", ["png", "jpg", "tif", "bmp", "webp", "jp2"])
def test_an_image_over_the_limit_is_refused_by_its_header(tmp_path, kind):
    path = written(tmp_path / f"a.{kind}", Image.new("L", (2000, 1000)))
    with pytest.raises(TooLargeError, match=r"2000 x 1000.*limit of 1\.9.*--max-image-mpixels 2"):
        read(path, max_mpixels=1.9)
    assert len(read(path, max_mpixels=2)) == 1


@pytest.mark.parametrize("compression", ["raw", "group4"])
def test_pillows_own_limit_stands_in_nobodys_way(tmp_path, monkeypatch, compression):
    path = written(tmp_path / "a.tif", Image.new("1", (2000, 1000)), compression=compression)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert len(read(path)) == 1
    assert Image.MAX_IMAGE_PIXELS == 1000


def test_32_bit_samples_are_refused_with_a_way_out():
    with pytest.raises(UnreadableError, match=r"32 bits.*convert it to 8 or 16 bits"):
        read_one(Image.fromarray(np.zeros((4, 4), np.float32)), "TIFF")


def test_warnings_about_odd_tags_stay_inside():
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[274] = 1
    tags[65000], tags.tagtype[65000] = b"x" * 9, 7
    file = io.BytesIO()
    Image.fromarray(GREY).save(file, "TIFF", tiffinfo=tags)
    place = file.getvalue().index(struct.pack("<HHI", 65000, 7, 9)) + 8
    damaged = bytearray(file.getvalue())
    damaged[place : place + 4] = struct.pack("<I", 10**6)  # leads past the end of the file
    (page,) = read(io.BytesIO(bytes(damaged)))
    assert np.array_equal(page.pixels, GREY)


def test_a_page_of_many_that_cannot_be_read_is_named(tmp_path):
    file = io.BytesIO()
    pages = [Image.fromarray(np.full((40, 30), level, np.uint8)) for level in (50, 90, 130)]
    pages[0].save(file, "TIFF", save_all=True, append_images=pages[1:], compression="tiff_lzw")
    data = bytearray(file.getvalue())
    with Image.open(io.BytesIO(data)) as image:
        image.seek(1)
        (start, *_), (size, *_) = image.tag_v2[273], image.tag_v2[279]  # type: ignore[attr-defined]
    data[start : start + size] = b"\xff" * size
    (tmp_path / "book.tif").write_bytes(data)
    with open_document(tmp_path / "book.tif") as document:
        first, broken, last = document.pages()
    assert isinstance(first, Page)
    assert isinstance(last, Page)
    assert isinstance(broken, UntouchedPage)
    assert (broken.index, broken.damaged) == (1, True)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_transparent_parts_of_a_tall_page_become_white(mode, tmp_path):
    random = np.random.default_rng(0)
    image = Image.fromarray(random.integers(0, 256, (150, 20, 4), np.uint8), "RGBA")
    image = image if mode == "RGBA" else image.convert(mode)
    paper = Image.new("RGBA", image.size, "white")
    paper.alpha_composite(image.convert("RGBA"))
    pixels = upright_pixels(image, 1)
    expected = np.asarray(paper.convert("RGB"))
    assert np.array_equal(pixels if pixels.ndim == 3 else np.dstack([pixels] * 3), expected)


def thumbnail_and_scan(kind: int, following: bool) -> io.BytesIO:
    """A TIFF whose first directory is a thumbnail, with its scan in a directory beside it.

    Args:
        kind: of the tag that leads there.
        following: whether another page follows.
    """
    small, scan, file = io.BytesIO(), io.BytesIO(), io.BytesIO()
    Image.fromarray(GREY[::4, ::4]).save(small, "TIFF", tiffinfo={254: 1})
    Image.fromarray(GREY).save(scan, "TIFF")
    directory, tiff = read_directory(small.getvalue()), TiffAppender(file)
    directory.tags[330] = (kind, 1, bytes(4))
    tiff.append(directory)
    for _ in range(1 + following):
        tiff.append(read_directory(scan.getvalue()))
    data = bytearray(file.getvalue())
    links = [4]  # where each directory's place stands
    for _ in range(2):
        (place,) = struct.unpack_from("<I", data, links[-1])
        links.append(place + 2 + 12 * struct.unpack_from("<H", data, place)[0])
    beside = data.index(struct.pack("<HHI", 330, kind, 1)) + 8
    first, second = (slice(link, link + 4) for link in links[1:])
    data[beside : beside + 4], data[first] = data[first], data[second]
    return io.BytesIO(data)


@pytest.mark.parametrize("kind", [4, 13], ids=["long", "ifd"])
@pytest.mark.parametrize("following", [False, True])
def test_a_thumbnail_is_not_taken_for_the_scan_that_lies_beside_it(kind, following):
    with pytest.raises(UnreadableError, match=r"holds a thumbnail.*\(SubIFD\).*convert it"):
        read(thumbnail_and_scan(kind, following))


def planar(planes: np.ndarray, bits: int) -> bytes:
    """A TIFF that holds each channel, (N, H, W), apart, not compressed."""
    count, height, width = planes.shape
    data = planes.astype(f"<u{bits // 8}").tobytes()
    size = len(data) // count
    at = 8 + len(data)  # of the depths, then the strips' places and lengths, then the directory
    depths, places, lengths = at, at + 2 * count, at + 6 * count
    entries = [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, count, depths), (259, 3, 1, 1),
        (262, 3, 1, 2 if count > 2 else 1), (273, 4, count, places), (277, 3, 1, count),
        (278, 4, 1, height), (279, 4, count, lengths), (284, 3, 1, 2),
    ]  # fmt: skip
    directory = struct.pack("<H", len(entries)) + b"".join(
        struct.pack("<HHII", *entry) for entry in entries
    )
    tables = struct.pack(f"<{count}H", *[bits] * count)
    tables += struct.pack(f"<{count}I", *[8 + size * plane for plane in range(count)])
    tables += struct.pack(f"<{count}I", *[size] * count)
    head = struct.pack("<2sHI", b"II", 42, at + len(tables))
    return head + data + tables + directory + struct.pack("<I", 0)


def test_channels_that_lie_apart_are_read_where_they_can_be():
    planes = np.random.default_rng(0).integers(0, 256, (3, 40, 30))
    with open_document(io.BytesIO(planar(planes, 8))) as document:
        (page,) = document.pages()
    assert np.array_equal(page.pixels, np.moveaxis(planes, 0, 2))


@pytest.mark.parametrize("count", [3, 4])
def test_channels_of_16_bits_that_lie_apart_are_refused_rather_than_misread(count):
    planes = np.random.default_rng(0).integers(0, 65536, (count, 40, 30))
    with (
        pytest.raises(UnreadableError, match="tiffcp -p contig"),
        open_document(io.BytesIO(planar(planes, 16))) as document,
    ):
        list(document.pages())


def test_samples_that_no_mode_fits_are_not_called_damaged():
    planes = np.zeros((2, 40, 30))  # grey and something else, in 16 bits
    with (
        pytest.raises(UnreadableError, match="convert them to 8 bits") as refused,
        open_document(io.BytesIO(planar(planes, 16).replace(*_NOT_APART))) as document,
    ):
        list(document.pages())
    assert "damaged" not in str(refused.value)


_NOT_APART = struct.pack("<HHII", 284, 3, 1, 2), struct.pack("<HHII", 284, 3, 1, 1)


@pytest.mark.parametrize("dpi", [72, 300, 1200, 2400, 4800])
def test_jpeg_2000_keeps_high_resolutions_too(dpi):
    page = Page(GREY, (dpi, dpi))
    (back,) = read(io.BytesIO(encode_jp2(page)))
    assert back.dpi == pytest.approx((dpi, dpi), abs=0.5)


def test_a_jpeg_whose_exif_names_no_resolution_has_none():
    file, image = io.BytesIO(), Image.fromarray(GREY)
    exif = image.getexif()
    exif[271] = "a camera"
    image.save(file, "JPEG", exif=exif)
    (page,) = read(io.BytesIO(file.getvalue()))
    assert page.dpi is None


@pytest.mark.parametrize("quality", [50, 75, 95])
def test_the_quality_of_a_jpeg_within_a_tiff_is_known(quality):
    page = read_one(Image.fromarray(GREY), "TIFF", compression="jpeg", quality=quality)
    assert abs(page.stored.quality - quality) <= 1


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_colours_of_a_jpeg_are_kept_as_fine_as_they_were(kind, subsampling):
    file = io.BytesIO()
    Image.fromarray(COLOUR).save(file, "JPEG", subsampling=subsampling)
    page = replace(Page(COLOUR), stored=read(io.BytesIO(file.getvalue()))[0].stored)
    data = encode_jpeg(page) if kind == "JPEG" else encode_tiff(page).strips[0]
    with Image.open(io.BytesIO(data)) as written:
        assert JpegImagePlugin.get_sampling(written) == subsampling


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_colours_of_cmyk_that_has_those_of_every_pixel_are_kept_as_fine(kind):
    inks = Image.fromarray(np.dstack([COLOUR, 0 * GREY]), "CMYK")
    page = read_one(inks, "JPEG", subsampling=0)
    data = encode_jpeg(page) if kind == "JPEG" else encode_tiff(page).strips[0]
    with Image.open(io.BytesIO(data)) as written:
        assert JpegImagePlugin.get_sampling(written) == 0


@pytest.mark.parametrize("options", [{"tiffinfo": {262: 2}}, {"tiffinfo": {262: 6, 530: (2, 1)}}])
def test_colours_of_a_jpeg_in_a_tiff_are_kept_as_fine_as_they_were(options):
    page = read_one(Image.fromarray(COLOUR), "TIFF", compression="jpeg", **options)
    assert page.stored.subsampling == (0 if options["tiffinfo"][262] == 2 else 1)
    directory = encode_tiff(page)
    assert integers(directory.tags[530]) == ((2, 1) if page.stored.subsampling else (1, 1))
    with Image.open(io.BytesIO(directory.strips[0])) as written:
        assert JpegImagePlugin.get_sampling(written) == page.stored.subsampling


def test_noise_in_fine_colour_is_written_as_jpeg_at_any_quality():
    noise = np.random.default_rng(0).integers(0, 256, (1000, 1000, 3), np.uint8)
    page = read_one(Image.fromarray(noise), "JPEG", quality=100, subsampling=0)
    with Image.open(io.BytesIO(encode_jpeg(page))) as written:
        assert jpeg_quality(written) >= 99
