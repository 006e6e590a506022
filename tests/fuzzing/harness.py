"""What every file must come to, whatever is in it: pages, or an error for people.

`check` takes a file through the readers and into its copy; `seeds` makes a small whole file of each
kind, and `mutate` breaks one.
"""

import io
import random
from collections.abc import Iterator

import numpy as np
import pikepdf
from hostile import BOMBS
from PIL import Image

from pagewash.documents.document import create_document, open_document
from pagewash.errors import InputError, OptionError
from pagewash.pages import Page, ReadLimits

LIMITS = ReadLimits(max_mpixels=1)
_MOST_PAGES = 20


def check(data: bytes) -> str:
    """Read a file and copy it.

    Returns:
        "copied", or the name of the error that it was refused with.

    Raises:
        Exception: anything that is not an error for people about this very file; that is a find.
    """
    try:
        copy = _copy(data)
    except (InputError, OptionError) as error:
        _complain_about(error)
        return type(error).__name__
    assert copy, "a copy without bytes"
    return "copied"


def _copy(data: bytes) -> bytes:
    output = io.BytesIO()
    with open_document(io.BytesIO(data), LIMITS) as document:
        wanted = frozenset(range(min(document.page_count, _MOST_PAGES)))
        document.megapixels(wanted)
        with create_document(document, output, wanted=wanted) as writer:
            for page in document.pages(wanted):
                writer.add(_whitened(page) if isinstance(page, Page) else page)
    return output.getvalue()


def _complain_about(error: InputError | OptionError) -> None:
    """An error must name its file, and blame an option only for what it cannot write."""
    assert "standard input" in str(error) or "standard output" in str(error), error
    assert isinstance(error, InputError) or error.__cause__ is not None, error


def _whitened(page: Page) -> Page:
    assert page.pixels.dtype == np.uint8
    assert page.pixels.ndim in (2, 3)
    if page.dpi is not None:
        assert all(1 <= value < 1e6 for value in page.dpi), page.dpi
    return page.replace_pixels(np.maximum(page.pixels, 10))


def seeds() -> Iterator[tuple[str, bytes]]:
    """A small whole file of each kind, with its extension."""
    random = np.random.default_rng(0)
    grey = Image.fromarray(random.integers(0, 256, (40, 30), np.uint8))
    colour = Image.fromarray(random.integers(0, 256, (40, 30, 3), np.uint8))
    black = grey.convert("1")
    palette = colour.quantize(16)
    deep = Image.fromarray(random.integers(0, 65536, (40, 30), np.uint16))
    beside = {"dpi": (300, 300), "icc_profile": b"\0" * 36 + b"acsp" + bytes(88)}
    for image, kind, options in (
        (grey, "png", beside), (colour, "png", beside), (palette, "png", {}), (deep, "png", {}),
        (colour.convert("RGBA"), "png", {}),
        (grey, "jpeg", beside), (colour, "jpeg", {"progressive": True, **beside}),
        (colour.convert("CMYK"), "jpeg", {}),
        (black, "tiff", {"compression": "group4", **beside}),
        (black, "tiff", {"compression": "group3"}),
        (colour, "tiff", {"compression": "tiff_lzw", **beside}),
        (grey, "tiff", {"compression": "tiff_adobe_deflate", "save_all": True,
                        "append_images": [black, colour]}),
        (colour, "tiff", {"compression": "jpeg"}), (deep, "tiff", {}),
        (colour, "bmp", {}), (palette, "bmp", {}), (black, "bmp", {}),
        (colour, "webp", {"lossless": True}), (colour, "webp", {}),
        (grey, "jpeg2000", {}), (colour, "jpeg2000", {"irreversible": True}),
    ):  # fmt: skip
        file = io.BytesIO()
        image.save(file, kind, **options)
        yield kind, file.getvalue()
    for name, (make, extension) in BOMBS.items():
        if extension == "pdf" and name != "object_stream":
            yield "pdf", make(1e-6)
    for image, more in ((grey, {}), (black, {}), (colour, {"quality": 80})):
        file = io.BytesIO()
        image.resize((120, 160)).save(file, "PDF", resolution=72, **more)
        yield "pdf", file.getvalue()
        with pikepdf.open(file) as pdf:
            packed = io.BytesIO()
            pdf.save(packed, object_stream_mode=pikepdf.ObjectStreamMode.generate)
        yield "pdf", packed.getvalue()


_ODD = (b"\0", b"\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\0\0\0\0", b"-1", b"nan",
        b"1e99", b"99999999999", b"[", b"<<", b">>", b"]", b"null", b"true", b"()", b"/Im",
        b"0 0 R", b"1 0 R", b"3 0 R")  # fmt: skip


def mutate(data: bytes, seed: int) -> bytes:
    """Break a file, in one to four ways: the same way for the same seed."""
    chance = random.Random(seed)
    broken = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        place = chance.randrange(max(1, len(broken)))
        match chance.randrange(7):
            case 0:
                del broken[place:]
            case 1:
                del broken[place : place + chance.randrange(1, 40)]
            case 2:
                broken[place : place + 1] = bytes([chance.randrange(256)])
            case 3:
                broken[place:place] = broken[place : place + chance.randrange(1, 200)]
            case 4:
                odd = chance.choice(_ODD)
                broken[place : place + len(odd)] = odd
            case 5:
                _put_odd_number(broken, chance)
            case 6:
                if broken:
                    bit = chance.randrange(8 * len(broken))
                    broken[bit // 8] ^= 1 << bit % 8
    return bytes(broken)


def _put_odd_number(broken: bytearray, chance: random.Random) -> None:
    """Put something odd in the place of a number that is written in digits, as in a PDF."""
    digits = [place for place, byte in enumerate(broken) if 48 <= byte <= 57]
    if digits:
        start = end = chance.choice(digits)
        while start and 48 <= broken[start - 1] <= 57:
            start -= 1
        while end < len(broken) and 48 <= broken[end] <= 57:
            end += 1
        broken[start:end] = chance.choice(
            (b"0", b"-1", b"1", b"65536", b"2147483648", b"99999999999999999999", b"0.0000001",
             b"1e9", b"/X", b"(s)", b"[1]", b"<< /A 1 >>", b"null", b"true")
        )  # fmt: skip
