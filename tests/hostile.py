"""Documents that mean harm: small files that expand to hours or gigabytes, and odd ones.

Each function returns the bytes of one file. `size` scales what it expands to, so that tests stay
quick and the same kinds can be tried in earnest: `python tests/hostile.py FOLDER` writes them all
at full size.
"""

import io
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pikepdf
from pikepdf import Array, Dictionary, Name
from PIL import Image

from pagewash.documents.tiff import read_directory

FULL_PAGE = b"q 144 0 0 216 0 0 cm /Im Do Q"


def _strokes(height: int = 300, width: int = 200) -> np.ndarray:
    page = np.full((height, width), 255, np.uint8)
    page[20:-20:14, 10:-10] = 0
    page[22:-18:14, 10:-10:3] = 0
    return page


def _saved(pdf: pikepdf.Pdf) -> bytes:
    file = io.BytesIO()
    pdf.save(file, stream_decode_level=pikepdf.StreamDecodeLevel.none, compress_streams=False)
    return file.getvalue()


def _zeros(count: int) -> bytes:
    """So many zero bytes under one Flate filter, made without ever holding them."""
    return _repeated(bytes(1 << 20), count >> 20)


def _repeated(piece: bytes, times: int, last: bytes = b"") -> bytes:
    squeeze = zlib.compressobj(9)
    pieces = [squeeze.compress(piece) for _ in range(times)]
    return b"".join([*pieces, squeeze.compress(last), squeeze.flush()])


def _twice(packed: bytes) -> bytes:
    """The same under a second Flate filter."""
    return zlib.compress(packed, 9)


def _page(pdf: pikepdf.Pdf, content: bytes | pikepdf.Object, **images: pikepdf.Object) -> None:
    page = pdf.add_blank_page(page_size=(144, 216))
    page.Resources = Dictionary(XObject=Dictionary({f"/{key}": im for key, im in images.items()}))
    page.Contents = content if isinstance(content, pikepdf.Object) else pdf.make_stream(content)


def _image(
    pdf: pikepdf.Pdf, data: bytes, width: int, height: int, **entries: object
) -> pikepdf.Object:
    image = pdf.make_stream(data, Type=Name.XObject, Subtype=Name.Image, Width=width, Height=height)
    default = {"ColorSpace": Name.DeviceGray, "BitsPerComponent": 8}
    for key, value in (default | entries).items():
        image[f"/{key}"] = value
    return pdf.make_indirect(image)


def _grey(pdf: pikepdf.Pdf, **entries: object) -> pikepdf.Object:
    pixels = _strokes()
    return _image(pdf, pixels.tobytes(), pixels.shape[1], pixels.shape[0], **entries)


_TWO_FLATES = {"Filter": Array([Name.FlateDecode, Name.FlateDecode])}


def forms_in_forms(size: float = 1.0) -> bytes:
    """Forms that draw the next form ten times each, nine deep: a billion images on a page."""
    pdf = pikepdf.new()
    drawn = _grey(pdf)
    for _ in range(max(1, round(9 * size))):
        form = pdf.make_stream(b"/X Do " * 10, Type=Name.XObject, Subtype=Name.Form)
        form.BBox = Array([0, 0, 1, 1])
        form.Resources = Dictionary(XObject=Dictionary(X=drawn))
        drawn = pdf.make_indirect(form)
    _page(pdf, FULL_PAGE, Im=drawn)
    return _saved(pdf)


def content_stream(size: float = 1.0) -> bytes:
    """Page content of 3 GB under two filters."""
    pdf = pikepdf.new()
    content = pdf.make_stream(_twice(_repeated(b"q Q " * (1 << 18), round(3000 * size), FULL_PAGE)))
    content.Filter = _TWO_FLATES["Filter"]
    _page(pdf, content, Im=_grey(pdf))
    return _saved(pdf)


def icc_in_pdf(size: float = 1.0) -> bytes:
    """A colour profile of 3 GB under two filters."""
    pdf = pikepdf.new()
    profile = pdf.make_stream(_twice(_zeros(round(3e9 * size))), N=1, **_TWO_FLATES)
    _page(pdf, FULL_PAGE, Im=_grey(pdf, ColorSpace=Array([Name.ICCBased, profile])))
    return _saved(pdf)


def icc_in_png(size: float = 1.0) -> bytes:
    """A colour profile of 3 GB in a PNG."""
    file = io.BytesIO()
    Image.fromarray(_strokes()).save(file, "PNG")
    png = file.getvalue()
    content = b"ICC\0\0" + _zeros(round(3e9 * size))
    chunk = struct.pack(">I", len(content)) + b"iCCP" + content
    chunk += struct.pack(">I", zlib.crc32(b"iCCP" + content))
    return png[:33] + chunk + png[33:]


def samples_of_16_bits_in_pdf(size: float = 1.0) -> bytes:
    """An image of 240 megapixels in 16 bits, whose data has 3 GB."""
    side = max(120, round(15490 * size**0.5))
    pdf = pikepdf.new()
    image = _image(
        pdf, _twice(_zeros(round(3e9 * size))), side, side, BitsPerComponent=16, **_TWO_FLATES
    )
    _page(pdf, FULL_PAGE, Im=image)
    return _saved(pdf)


def small_image_with_much_data(size: float = 1.0) -> bytes:
    """An image of 200 x 300 px with 3 GB of data."""
    pdf = pikepdf.new()
    _page(
        pdf, FULL_PAGE, Im=_image(pdf, _twice(_zeros(round(3e9 * size))), 200, 300, **_TWO_FLATES)
    )
    return _saved(pdf)


def object_stream(size: float = 1.0) -> bytes:
    """Objects in a stream of 3 GB."""
    packed = _twice(b"".join([_repeated(b" " * (1 << 20), round(3000 * size))]))
    body = (
        (
            b"<< /Type /ObjStm /N 1 /First 4 /Filter [/FlateDecode /FlateDecode] /Length %d >>\n"
            b"stream\n" % len(packed)
        )
        + packed
        + b"\nendstream"
    )
    out, places = io.BytesIO(), {}
    out.write(b"%PDF-1.5\n")
    for number, content in {
        1: b"<< /Type /Catalog /Pages 2 0 R >>",
        4: body,
    }.items():
        places[number] = out.tell()
        out.write(b"%d 0 obj\n" % number + content + b"\nendobj\n")
    start = out.tell()
    rows = [(0, 0, 0), (1, places[1], 0), (2, 4, 0), (0, 0, 0), (1, places[4], 0)]
    rows += [(1, start, 0)]
    table = b"".join(struct.pack(">BIB", *row) for row in rows)
    out.write(
        b"5 0 obj\n<< /Type /XRef /Size 6 /W [1 4 1] /Root 1 0 R /Length %d >>\nstream\n"
        % len(table)
        + table
        + b"\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n" % start
    )
    return out.getvalue()


def tree_of_pages(size: float = 1.0) -> bytes:
    """A page tree whose branches hang each on ten places, nine deep."""
    pdf = pikepdf.new()
    _page(pdf, FULL_PAGE, Im=_grey(pdf))
    branch = pdf.pages[0].obj
    for _ in range(max(1, round(9 * size))):
        branch = pdf.make_indirect(Dictionary(Type=Name.Pages, Count=10, Kids=Array([branch] * 10)))
    pdf.Root.Pages = branch
    file = io.BytesIO()
    pdf.save(file)
    return file.getvalue()


def tiff_of_many_pages(size: float = 1.0) -> bytes:
    """20,000 pages that share one strip."""
    return _tiff(max(2, round(20_000 * size)), 64, 64)


def tiff_of_large_pages(size: float = 1.0) -> bytes:
    """A thousand pages of 240 megapixels that share one strip."""
    return _tiff(max(2, round(1000 * size)), 15490, 15490)


def tiff_in_a_circle(size: float = 1.0) -> bytes:
    """Two pages, the second of which names the first as the next."""
    return _tiff(2, 64, 64, circle=True)


def _tiff(pages: int, width: int, height: int, circle: bool = False) -> bytes:
    file = io.BytesIO()
    Image.new("1", (width, height), 1).save(
        file, "TIFF", compression="group4", tiffinfo={278: height}
    )
    (strip,) = read_directory(file.getvalue()).strips
    count = len(strip)
    tags = [
        (256, 4, width), (257, 4, height), (258, 3, 1), (259, 3, 4), (262, 3, 0),
        (273, 4, 8), (277, 3, 1), (278, 4, height), (279, 4, count),
    ]  # fmt: skip
    out = bytearray(b"II*\0" + bytes(4) + strip)
    out += bytes(len(out) % 2)
    link, first = 4, len(out)
    for _ in range(pages):
        struct.pack_into("<I", out, link, len(out))
        out += struct.pack("<H", len(tags))
        out += b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
        link = len(out)
        out += bytes(4)
    if circle:
        struct.pack_into("<I", out, link, first)
    return bytes(out)


def png_of_16_bits(size: float = 1.0) -> bytes:
    """A grey PNG of 240 megapixels in 16 bits."""
    side = max(120, round(15490 * size**0.5))
    return _png(side, side, 16, 0, _repeated(bytes(1 + 2 * side), side))


def png_of_colours(size: float = 1.0) -> bytes:
    """A PNG of 240 megapixels in colour and transparency."""
    side = max(120, round(15490 * size**0.5))
    return _png(side, side, 8, 6, _repeated(bytes(1 + 4 * side), side))


def _png(width: int, height: int, bits: int, colour: int, packed: bytes) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    chunks = chunk(b"IHDR", head), chunk(b"IDAT", packed), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def jp2_of_tiny_tiles(size: float = 1.0) -> bytes:
    """A JPEG 2000 of 240 megapixels in 65,000 tiles, none of which is there."""
    side = max(120, round(15490 * size**0.5))
    tile = -(-side // 250)
    siz = struct.pack(">HIIIIIIIIH", 0, side, side, 0, 0, tile, tile, 0, 0, 3)
    siz += bytes([7, 1, 1]) * 3
    cod = bytes([0, 0, 0, 1, 0, 0, 4, 4, 0, 1])
    qcd = bytes([0x40]) + bytes([0x48])
    out = b"\xff\x4f"
    for marker, content in ((0xFF51, siz), (0xFF52, cod), (0xFF5C, qcd)):
        out += struct.pack(">HH", marker, len(content) + 2) + content
    out += struct.pack(">HHHIBB", 0xFF90, 10, 0, 14, 0, 1) + b"\xff\x93" + b"\xff\xd9"
    return out


def jp2_in_one_tile(size: float = 1.0) -> bytes:
    """A JPEG 2000 of 240 megapixels in one tile of four components."""
    side = max(120, round(15490 * size**0.5))
    siz = struct.pack(">HIIIIIIIIH", 0, side, side, 0, 0, side, side, 0, 0, 4)
    siz += bytes([7, 1, 1]) * 4
    cod = bytes([0, 0, 0, 1, 0, 5, 4, 4, 0, 1])
    qcd = bytes([0x40]) + bytes([0x48] * 16)
    out = b"\xff\x4f"
    for marker, content in ((0xFF51, siz), (0xFF52, cod), (0xFF5C, qcd)):
        out += struct.pack(">HH", marker, len(content) + 2) + content
    data = bytes(64)
    out += struct.pack(">HHHIBB", 0xFF90, 10, 0, 14 + len(data), 0, 1) + b"\xff\x93" + data
    return out + b"\xff\xd9"


def jpeg_of_many_scans(size: float = 1.0) -> bytes:
    """A progressive JPEG of 160 megapixels with 1,500 scans of a few bytes each."""
    side = max(128, round(12640 * size**0.5)) // 8 * 8
    out = b"\xff\xd8" + b"\xff\xdb" + struct.pack(">HB", 67, 0) + bytes([1] * 64)
    out += b"\xff\xc2" + struct.pack(">HBHHB", 11, 8, side, side, 1) + bytes([1, 0x11, 0])
    # one code of one bit, whose symbol ends a band of 2**14 blocks and more
    for table, symbol in ((0x00, 0x00), (0x10, 0xE0)):
        out += b"\xff\xc4" + struct.pack(">HB", 20, table) + bytes([1] + [0] * 15) + bytes([symbol])
    blocks = (side // 8) ** 2
    out += (
        b"\xff\xda" + struct.pack(">HB", 8, 1) + bytes([1, 0x00, 0, 0, 0]) + bytes(-(-blocks // 8))
    )
    runs = -(-blocks // (1 << 14))
    band = b"".join([b"\x00" * (-(-15 * runs // 8) + 2)])
    for number in range(max(2, round(1500 * size))):
        out += b"\xff\xda" + struct.pack(">HB", 8, 1)
        out += bytes([1, 0x00, 1 + number % 63, 1 + number % 63, 0]) + band
    return out + b"\xff\xd9"


BOMBS: dict[str, tuple[Callable[[float], bytes], str]] = {
    make.__name__: (make, extension)
    for make, extension in (
        (forms_in_forms, "pdf"),
        (content_stream, "pdf"),
        (icc_in_pdf, "pdf"),
        (samples_of_16_bits_in_pdf, "pdf"),
        (small_image_with_much_data, "pdf"),
        (object_stream, "pdf"),
        (tree_of_pages, "pdf"),
        (tiff_of_many_pages, "tif"),
        (tiff_of_large_pages, "tif"),
        (tiff_in_a_circle, "tif"),
        (icc_in_png, "png"),
        (png_of_16_bits, "png"),
        (png_of_colours, "png"),
        (jp2_of_tiny_tiles, "j2k"),
        (jp2_in_one_tile, "j2k"),
        (jpeg_of_many_scans, "jpg"),
    )
}


def write_bombs(folder: Path, size: float = 1.0) -> Iterator[Path]:
    """Write one file of each kind."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (make, extension) in BOMBS.items():
        path = folder / f"{name}.{extension}"
        path.write_bytes(make(size))
        yield path


if __name__ == "__main__":
    for written in write_bombs(Path(sys.argv[1]), float((sys.argv[2:] or ["1"])[0])):
        print(written, written.stat().st_size)
