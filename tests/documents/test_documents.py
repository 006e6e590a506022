"""Whole documents: what is written can be read again, and appears whole or not at all."""

import errno
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from pagewash.documents.document import WriteOptions, create_document, open_document
from pagewash.errors import AccessError, OptionError
from pagewash.pages import Page

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def print_page(shape=(400, 300), seed=0) -> np.ndarray:
    """Rows of dark, soft-edged strokes on white paper: what a cleaned page looks like."""
    rng = np.random.default_rng(seed)
    page = np.full(shape, 255, np.uint8)
    for top in range(20, shape[0] - 20, 16):
        for left in range(20, shape[1] - 20, 9):
            page[top : top + int(rng.integers(4, 9)), left : left + 3] = rng.integers(0, 90)
    return page


def soil(page: np.ndarray, seed=0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(-30, 8, page.shape)
    return (page + noise).clip(0, 255).astype(np.uint8)


def copy(source, target, clean=lambda pixels: pixels, wanted=None, **options):
    """Clean a document into another, and read that one."""
    with (
        open_document(source) as document,
        create_document(document, target, WriteOptions(**options), wanted) as writer,
    ):
        for page in document.pages(wanted):
            writer.add(page.replace_pixels(clean(page.pixels)) if isinstance(page, Page) else page)
    if isinstance(target, io.BytesIO):
        target = io.BytesIO(target.getvalue())
    with open_document(target) as document:
        return list(document.pages())


@pytest.mark.parametrize("compression", ["lzma", "zstd"])
def test_a_tiff_in_a_compression_that_few_use_keeps_it_where_others_would_grow_it(
    tmp_path, compression
):
    rng = np.random.default_rng(0)
    shades = np.cumsum(rng.normal(0, 3, (200, 300, 3)), axis=1) + 128
    Image.fromarray(shades.clip(0, 255).astype(np.uint8)).save(
        tmp_path / "in.tif", compression=compression, tiffinfo={317: 2}
    )
    (page,) = copy(tmp_path / "in.tif", tmp_path / "out.tif")
    assert page.stored.codec == compression
    assert (tmp_path / "out.tif").stat().st_size <= 1.02 * (tmp_path / "in.tif").stat().st_size


@pytest.mark.parametrize("extension", ["png", "tif", "bmp", "webp", "jp2"])
@given(
    shape=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    mode=st.sampled_from(["1", "L", "RGB"]),
    dpi=st.none() | st.tuples(st.integers(50, 1200), st.integers(50, 1200)),
    seed=st.integers(0, 9),
)
@settings(max_examples=25)
def test_what_is_written_is_read_again(tmp_path_factory, extension, shape, mode, dpi, seed):
    if extension in ("webp", "jp2") and mode == "1":
        mode = "L"
    folder = tmp_path_factory.mktemp("pages")
    pixels = np.random.default_rng(seed).integers(0, 256, (*shape, 3), np.uint8)
    image = Image.fromarray(pixels).convert(mode, dither=Image.Dither.NONE)
    options = {"dpi": dpi} if dpi and extension in ("png", "tif", "bmp") else {}
    options |= {"lossless": True} if extension == "webp" else {}
    image.save(folder / f"in.{extension}", **options)
    (page,) = copy(folder / f"in.{extension}", folder / f"out.{extension}")
    expected = np.array(image.convert("RGB" if mode == "RGB" or extension == "webp" else "L"))
    assert np.array_equal(page.pixels, expected)
    assert page.mode == ("RGB" if extension == "webp" else mode)
    if options.get("dpi"):
        assert page.dpi == pytest.approx(dpi, abs=0.02)


@pytest.mark.parametrize("extension", ["png", "jpg", "tif", "webp", "jp2", "pdf"])
def test_resolution_and_profile_survive(tmp_path, extension):
    colour = np.stack([print_page()] * 3, -1)
    colour[..., 2] //= 2
    Image.fromarray(colour).save(tmp_path / "in.tif", dpi=(300, 200), icc_profile=SRGB)
    copy(tmp_path / "in.tif", tmp_path / f"one.{extension}")
    (page,) = copy(tmp_path / f"one.{extension}", tmp_path / f"two.{extension}")
    assert page.dpi == pytest.approx((300, 200), abs=0.5)
    assert page.icc == SRGB
    (page,) = copy(
        tmp_path / f"one.{extension}", tmp_path / f"grey.{extension}", lambda x: x[..., 0]
    )
    assert page.icc is None or extension == "webp"


def test_orientation_is_applied_once(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(print_page((40, 90))).save(tmp_path / "in.jpg", exif=exif)
    (page,) = copy(tmp_path / "in.jpg", tmp_path / "out.jpg")
    assert page.pixels.shape == (90, 40)
    with Image.open(tmp_path / "out.jpg") as image:
        assert image.getexif().get(274, 1) == 1


@pytest.mark.parametrize("extension", ["png", "tif", "bmp", "pdf"])
def test_one_bit_in_is_one_bit_out_split_at_128(tmp_path, extension):
    Image.new("1", (256, 10)).save(tmp_path / f"in.{extension}")
    ramp = np.tile(np.arange(256, dtype=np.uint8), (10, 1))
    if extension == "pdf":
        Image.new("1", (256, 256)).save(tmp_path / "in.pdf")
        ramp = np.tile(np.arange(256, dtype=np.uint8), (256, 1))
    (page,) = copy(tmp_path / f"in.{extension}", tmp_path / f"out.{extension}", lambda _: ramp)
    assert page.mode == "1"
    assert np.array_equal(page.pixels, (ramp >= 128) * np.uint8(255))


def test_a_tiff_of_one_bit_is_written_as_g4(tmp_path):
    Image.fromarray(print_page() >= 128).save(tmp_path / "in.tif")
    copy(tmp_path / "in.tif", tmp_path / "out.tif")
    with Image.open(tmp_path / "out.tif") as image:
        assert image.info["compression"] == "group4"


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.png", {}),
        ("a.jpg", {"quality": 30}),
        ("a.jpg", {"quality": 75}),
        ("a.jpg", {"quality": 95}),
        ("a.tif", {"compression": "jpeg"}),
        ("a.tif", {"compression": "tiff_adobe_deflate"}),
        ("a.tif", {"compression": "tiff_lzw"}),
        ("a.webp", {"quality": 80}),
        ("a.webp", {"lossless": True}),
        ("a.jp2", {"irreversible": True, "quality_mode": "rates", "quality_layers": [10]}),
        ("a.pdf", {"quality": 60}),
    ],
)
@pytest.mark.parametrize("colour", [False, True], ids=["grey", "colour"])
def test_a_cleaned_page_is_no_larger_than_it_came_in(tmp_path, name, options, colour):
    clean = print_page((800, 600))
    clean = np.stack([clean, clean, clean // 2 + 127], -1) if colour else clean
    Image.fromarray(soil(clean)).save(tmp_path / name, **options)
    copy(tmp_path / name, tmp_path / f"out-{name}", lambda _: clean)
    assert (tmp_path / f"out-{name}").stat().st_size <= (tmp_path / name).stat().st_size


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pdf"])
def test_a_page_that_was_clean_already_hardly_grows(tmp_path, name):
    bits = print_page((800, 600)) >= 128
    image = Image.fromarray(bits)
    image.save(tmp_path / name, **({"compression": "group4"} if name == "a.tif" else {}))
    copy(tmp_path / name, tmp_path / f"out-{name}")
    size = (tmp_path / name).stat().st_size
    assert (tmp_path / f"out-{name}").stat().st_size <= 1.05 * size + 300


@pytest.mark.parametrize("quality", [92, 98, 100])
def test_a_jpeg_keeps_its_quality(tmp_path, quality):
    page = print_page()
    Image.fromarray(soil(page)).save(tmp_path / "in.jpg", quality=quality)
    (written,) = copy(tmp_path / "in.jpg", tmp_path / "out.jpg", lambda _: page)
    assert abs(written.stored.quality - quality) <= 1
    assert np.abs(written.pixels.astype(int) - page).mean() < 2


# --- formats ---------------------------------------------------------------------------------


def write_tiff(path: Path, count: int) -> Path:
    images = [Image.fromarray(print_page(seed=seed)) for seed in range(count)]
    images[0].save(path, save_all=True, append_images=images[1:], dpi=(150, 150))
    return path


@pytest.mark.parametrize("kind", ["keep", "tiff", "pdf"])
def test_a_document_of_many_pages_keeps_them_in_order(tmp_path, kind):
    target = tmp_path / ("out.pdf" if kind == "pdf" else "out.tif")
    pages = copy(write_tiff(tmp_path / "in.tif", 3), target, format=kind)
    assert [page.index for page in pages] == [0, 1, 2]
    for seed, page in enumerate(pages):
        assert np.array_equal(page.pixels, print_page(seed=seed))
        assert page.dpi == (150, 150)


@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_many_pages_for_a_format_of_one_are_an_error_with_a_way_out(tmp_path, kind):
    write_tiff(tmp_path / "in.tif", 3)
    with pytest.raises(OptionError, match=r"in\.tif has 3 pages.*--format tiff or pdf"):
        copy(tmp_path / "in.tif", tmp_path / "out", format=kind)
    assert not (tmp_path / "out").exists()


def test_one_wanted_page_of_many_fits_a_format_of_one(tmp_path):
    write_tiff(tmp_path / "in.tif", 3)
    (page,) = copy(tmp_path / "in.tif", tmp_path / "out.png", format="png", wanted={1})
    assert np.array_equal(page.pixels, print_page(seed=1))


def test_a_second_page_is_refused_even_unannounced(tmp_path):
    page = Page(print_page())
    write_tiff(tmp_path / "in.tif", 2)
    with (
        open_document(tmp_path / "in.tif") as document,
        create_document(document, tmp_path / "out.png", WriteOptions("png"), {0}) as writer,
    ):
        writer.add(page)
        with pytest.raises(OptionError, match=r"out\.png cannot be written: a PNG holds one page"):
            writer.add(page)


def test_no_page_is_no_document(tmp_path):
    write_tiff(tmp_path / "in.tif", 2)
    with pytest.raises(OptionError, match=r"would have no page.*--pages"):
        copy(tmp_path / "in.tif", tmp_path / "out.tif", wanted={7})
    assert not (tmp_path / "out.tif").exists()


def test_under_keep_the_extension_of_the_target_decides(tmp_path):
    Image.fromarray(print_page()).save(tmp_path / "in.png", "TIFF")  # named wrongly
    copy(tmp_path / "in.png", tmp_path / "out.png")
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
    copy(tmp_path / "in.png", tmp_path / "scan")
    assert (tmp_path / "scan").read_bytes().startswith(b"II*\0")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "PDF"])
def test_a_stream_becomes_a_stream_in_its_own_container(kind):
    data, out = io.BytesIO(), io.BytesIO()
    Image.fromarray(print_page()).save(data, kind)
    (page,) = copy(io.BytesIO(data.getvalue()), out)
    assert page.source is None
    assert page.pixels.shape == (400, 300)
    assert out.getvalue()[:3] == data.getvalue()[:3]


def test_an_image_too_wide_for_its_format_is_an_error_with_a_way_out(tmp_path):
    Image.new("L", (70000, 2)).save(tmp_path / "a.png")
    with pytest.raises(OptionError, match=r"70000 x 2.*JPEG.*--format"):
        copy(tmp_path / "a.png", tmp_path / "a.jpg", format="jpeg")


# --- whole or not at all ---------------------------------------------------------------------


def test_when_cleaning_fails_nothing_is_left(tmp_path):
    def fail(_):
        raise KeyboardInterrupt

    write_tiff(tmp_path / "in.tif", 2)
    with pytest.raises(KeyboardInterrupt):
        copy(tmp_path / "in.tif", tmp_path / "out" / "a.tif", fail)
    assert list((tmp_path / "out").iterdir()) == []


def test_when_a_later_page_is_broken_nothing_is_left(tmp_path):
    data = write_tiff(tmp_path / "in.tif", 3).read_bytes()
    (tmp_path / "in.tif").write_bytes(data[: -len(data) // 4])
    with pytest.raises(OptionError, match=r"its page \d cannot be read"):
        copy(tmp_path / "in.tif", tmp_path / "out" / "a.pdf")
    assert not (tmp_path / "out" / "a.pdf").exists()


@pytest.mark.parametrize("extension", ["png", "tif", "pdf"])
def test_a_full_disk_is_told_with_what_could_not_be_written(tmp_path, extension):
    class FullDisk(io.BytesIO):
        def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

    Image.fromarray(print_page()).save(tmp_path / f"in.{extension}")
    with pytest.raises(AccessError, match=r"standard output cannot be written.*Free some space"):
        copy(tmp_path / f"in.{extension}", FullDisk())


def test_the_original_is_not_touched(tmp_path):
    path = write_tiff(tmp_path / "in.tif", 2)
    before = path.read_bytes()
    copy(path, tmp_path / "out.tif", lambda pixels: 255 - pixels)
    assert path.read_bytes() == before
