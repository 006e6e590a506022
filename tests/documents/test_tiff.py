import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pagewash.documents import tiff
from pagewash.documents.tiff import TiffAppender, jpeg_directory, read_directory
from pagewash.errors import OptionError

COMPRESSIONS = ["group4", "tiff_adobe_deflate", "tiff_lzw", "jpeg"]


def encoded(pixels: np.ndarray, compression: str) -> bytes:
    file = io.BytesIO()
    image = Image.fromarray(pixels >= 128 if compression == "group4" else pixels)
    image.save(file, "TIFF", compression=compression, dpi=(200, 100))
    return file.getvalue()


@given(
    st.lists(
        st.tuples(st.sampled_from(COMPRESSIONS), st.integers(1, 400), st.integers(1, 400)),
        min_size=1,
        max_size=6,
    )
)
@settings(max_examples=30)
def test_images_strung_together_are_the_images_they_were(parts):
    rng = np.random.default_rng(len(parts))
    alone = [encoded(rng.integers(0, 256, (h, w), np.uint8), kind) for kind, h, w in parts]
    file = io.BytesIO()
    appender = TiffAppender(file)
    for image in alone:
        appender.append(read_directory(image))
    together = Image.open(file)
    assert together.n_frames == len(alone)  # type: ignore[attr-defined]
    for index, data in enumerate(alone):
        expected = Image.open(io.BytesIO(data))
        together.seek(index)
        assert np.array_equal(np.asarray(together), np.asarray(expected))
        assert together.info["dpi"] == (200, 100)


@pytest.mark.parametrize("shape", [(40, 50), (40, 50, 3)], ids=["grey", "colour"])
def test_a_jpeg_in_a_tiff_decodes_to_the_same_pixels(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    jpeg, file = io.BytesIO(), io.BytesIO()
    Image.fromarray(pixels).save(jpeg, "JPEG")
    TiffAppender(file).append(jpeg_directory(jpeg.getvalue(), shape, (300, 299.5), b"profile"))
    page = Image.open(file)
    assert np.array_equal(
        np.asarray(page.convert("RGB")), np.asarray(Image.open(jpeg).convert("RGB"))
    )
    assert page.info["compression"] == "jpeg"
    assert page.info["dpi"] == (300, 299.5)
    assert page.info["icc_profile"] == b"profile"


def test_beyond_4_gib_the_way_out_is_named(monkeypatch):
    monkeypatch.setattr(tiff, "_LARGEST", 3000)
    appender = TiffAppender(io.BytesIO())
    page = read_directory(
        encoded(np.random.default_rng(0).integers(0, 256, (50, 50), np.uint8), "tiff_lzw")
    )
    with pytest.raises(OptionError, match="--format pdf"):
        appender.append(page)
