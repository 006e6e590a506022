"""Image objects of a PDF: to pixels, and back into their place.

Knows colour spaces, masks and filters; not where an image stands on its page.
"""

import io
from typing import Any

import numpy as np
import pikepdf
from pikepdf import Name
from PIL import JpegImagePlugin

from pagewash.documents import jbig2, jpeg
from pagewash.documents.decoding import grey_if_grey
from pagewash.documents.images import has_fine_colour, has_half_colour, jpeg_quality
from pagewash.documents.palettes import Colours, pack
from pagewash.documents.pdf_expansion import check_expansion, expanded_size, filter_names
from pagewash.documents.pdf_objects import number, stream
from pagewash.documents.pdfium import decode_only_image
from pagewash.errors import UnreadableError
from pagewash.pages import Pixels, Stored

_LOST_ROWS = 0.01  # of an image's height; what lacks fewer was counted wrong, and is not cut
_FAX_END = 0x001001  # of 24 bits: two ends of lines, which end a block in G4
_FAX_TAIL = 16  # bytes, in which it stands
_MORE_FAX = b"\xff" * 4096  # coded data that repeats the row above
_MOST_JPEG = 100 * 10**6  # bytes
_PACKING = {"/FlateDecode", "/ASCII85Decode", "/ASCIIHexDecode"}  # that others may be found in
_PLAIN = _PACKING | {"/LZWDecode", "/RunLengthDecode"}  # that leave the samples themselves
_MOST_PROFILE = 32 * 10**6  # bytes; those of printing presses have a few
_CODECS = {
    "/DCTDecode": "jpeg",
    "/JPXDecode": "jp2",
    "/CCITTFaxDecode": "group4",
    "/JBIG2Decode": "jbig2",
    "/FlateDecode": "deflate",
    "/LZWDecode": "lzw",
    "/RunLengthDecode": "packbits",
}
_DEVICES = {1: Name.DeviceGray, 3: Name.DeviceRGB}
_CALIBRATED = {"/CalGray": 1, "/CalRGB": 3, "/DeviceGray": 1, "/DeviceRGB": 3, "/DeviceCMYK": 4}
_SPECIAL = {"/Indexed": "P", "/Lab": "LAB"}
_MODES = {1: "L", 3: "RGB", 4: "CMYK"}
# What belongs to the encoded samples, and not to the image's part on the page
_OF_THE_SAMPLES = {
    "/Type",
    "/Subtype",
    "/Width",
    "/Height",
    "/ColorSpace",
    "/BitsPerComponent",
    "/Decode",
    "/DecodeParms",
    "/Filter",
    "/Length",
    "/Alternates",
    "/F",
    "/FFilter",
    "/FDecodeParms",
    "/DL",
}


def reason_to_leave(image: Any) -> str | None:
    """Why the samples of an image must not change, as a clause; None if they may."""
    if isinstance(image.get(Name.Mask), pikepdf.Array):
        return "its image is transparent in certain colours"
    if number(image.get(Name.SMaskInData)):
        return "its image holds its own transparency"
    mask = stream(image, Name.SMask)
    if mask is not None and Name.Matte in mask:
        return "its image is blended with its transparency"
    return None


def components(image: Any) -> int | None:
    """Channels of an image whose samples are grey levels (1), RGB (3) or CMYK (4), else None."""
    if image.get(Name.ImageMask, False):
        return 1
    space = image.get(Name.ColorSpace)
    if isinstance(space, pikepdf.Array) and str(space[0]) == "/ICCBased":
        return int(space[1].N)
    return _CALIBRATED.get(_family(space))


def mode(image: Any, pixels: Pixels) -> str:
    """How the samples are stored, in Pillow's words.

    Args:
        image: the image object.
        pixels: the same, decoded: one bit in two colours is "P", unless these are black and white.
    """
    if is_one_bit(image) and pixels.ndim == 2 and not ((pixels > 0) & (pixels < 255)).any():
        return "1"
    special = _SPECIAL.get(_family(image.get(Name.ColorSpace)))
    channels = components(image) or (1 if pixels.ndim == 2 else 3)
    return special or _MODES.get(channels, "RGB")


def is_one_bit(image: Any) -> bool:
    """Whether its samples have one bit each, whatever their two colours are."""
    return bool(image.get(Name.ImageMask, False)) or image.get(Name.BitsPerComponent, 8) == 1


def is_indexed(image: Any) -> bool:
    """Whether its samples are places in a palette."""
    return _family(image.get(Name.ColorSpace)) == "/Indexed"


def colour_table(image: Any) -> Colours | None:
    """The colour of each value that a sample may have, where a colour space looks it up.

    Returns:
        (N, 3) RGB for a palette and for the tints of one ink; None for any other colour space.

    Raises:
        UnreadableError: the colour space makes no sense.
    """
    space: Any = image.get(Name.ColorSpace)
    one_ink = _family(space) == "/Separation" or (
        _family(space) == "/DeviceN" and len(space[1]) == 1
    )
    if not (is_indexed(image) or one_ink):
        return None
    bits = min(int(number(image.get(Name.BitsPerComponent), 8)), 8)
    count = min(1 << bits, int(number(space[2])) + 1) if is_indexed(image) else 1 << bits
    pdf = pikepdf.new()
    ramp: Any = pdf.make_stream(pack(np.arange(count, dtype=np.uint8)[None], bits).tobytes())
    ramp.Subtype, ramp.Width, ramp.Height, ramp.BitsPerComponent = Name.Image, count, 1, bits
    ramp.ColorSpace = copied(pdf, space)
    (colours,) = decode_only_image(_page_of(pdf, ramp))
    return np.asarray(colours if colours.ndim == 2 else colours[:, None].repeat(3, 1), np.uint8)


def profile(image: Any) -> bytes | None:
    """The ICC profile of an image's colour space, or None."""
    space = image.get(Name.ColorSpace)
    if isinstance(space, pikepdf.Array) and str(space[0]) == "/ICCBased":
        check_expansion(space[1], _MOST_PROFILE, "its colour profile")
        return bytes(space[1].read_bytes())
    return None


def stored(image: Any) -> Stored:
    """How the PDF holds the image."""
    names = filter_names(image)
    codec = _CODECS.get(names[-1], "") if names else "raw"
    size = int(image.get(Name.Length, 0)) or None
    data = jpeg_of(image)
    if data is None:
        return Stored(codec, size)
    header = JpegImagePlugin.JpegImageFile(io.BytesIO(data))
    return Stored(
        codec,
        size,
        jpeg_quality(header),
        fine_colour=has_fine_colour(header),
        half_colour=has_half_colour(header),
    )


def jpeg_of(image: Any) -> bytes | None:
    """The JPEG that an image is, without what it is packed in; None if it is none, or in doubt."""
    return _unpacked(image, "/DCTDecode")


def _unpacked(image: Any, coding: str) -> bytes | None:
    """The data of an image of that coding, as above."""
    *around, last = filter_names(image) or [""]
    if last != coding or not set(around) <= _PACKING:
        return None
    data = image.read_raw_bytes()
    try:
        for name in around:
            with pikepdf.new() as pdf:
                packed = pdf.make_stream(data, Filter=Name(name))
                check_expansion(packed, _MOST_JPEG, "its image")
                data = packed.read_bytes()
    except (pikepdf.PdfError, UnreadableError):
        return None
    return bytes(data)


def decode(image: Any) -> Pixels:
    """The samples of an image as grey levels or RGB, without its mask.

    A stencil comes as what it paints, in black on white. A calibrated colour space is taken for
    the device's, since it is put back around the cleaned samples.

    Returns:
        (H, W) uint8, or (H, W, 3) uint8 where the samples are RGB, or not all of them grey.

    Raises:
        UnreadableError: it cannot be decoded, or its data is cut off.
    """
    if is_cut_off(image):
        raise UnreadableError("its data is cut off")
    pixels = decode_only_image(_alone(image))
    return pixels if pixels.ndim == 2 or components(image) == 3 else grey_if_grey(pixels)


def is_cut_off(image: Any) -> bool:
    """Whether the data of an image ends before its rows; a decoder makes them grey or black.

    Of JPEG 2000 it is never said: what of that is cut off cannot be decoded.
    """
    data = jpeg_of(image)
    if data is not None:
        return jpeg.is_cut_off(data)
    fax = _unpacked(image, "/CCITTFaxDecode")
    if fax is not None:
        return _is_fax_cut_off(image, fax)
    segments = _unpacked(image, "/JBIG2Decode")
    if segments is not None:
        return jbig2.is_cut_off(segments)
    if set(filter_names(image)) <= _PLAIN:
        height = int(image.Height)
        least = _bytes_of_a_row(image) * (height - int(_LOST_ROWS * height))
        return _size_of_samples(image, least) < least
    return False


def _size_of_samples(image: Any, enough: int) -> int:
    """Bytes of an image without its filters; counted no further than what is enough, if it can be.

    Of data that is damaged it is never too little: whoever decodes it tells.
    """
    if set(filter_names(image)) <= {"/FlateDecode"}:
        return expanded_size(image, enough)
    try:
        return len(image.read_bytes(pikepdf.StreamDecodeLevel.specialized))
    except pikepdf.PdfError:
        return enough


def _bytes_of_a_row(image: Any) -> int:
    """Of samples without their filters; no more than it has, where that is not said."""
    space = image.get(Name.ColorSpace)
    channels = components(image) or (len(space[1]) if _family(space) == "/DeviceN" else 1)
    bits = 1 if is_one_bit(image) else int(number(image.get(Name.BitsPerComponent), 1))
    return -(-int(image.Width) * channels * bits // 8)


def _is_fax_cut_off(image: Any, data: bytes) -> bool:
    """Whether more data makes other rows of a fax, as it does where some are missing."""
    tail = int.from_bytes(data[-_FAX_TAIL:], "big")
    if any(tail >> place & 0xFFFFFF == _FAX_END for place in range(8 * _FAX_TAIL - 23)):
        return False
    as_it_is, with_more = (
        decode_only_image(_alone(image, data + more)) for more in (b"", _MORE_FAX)
    )
    lost = (as_it_is != with_more).any(axis=1).mean()
    return bool(lost > _LOST_ROWS)


def _alone(image: Any, data: bytes | None = None) -> bytes:
    """A PDF with that image and nothing else, for a library that cannot be given an object.

    Args:
        image: the image object.
        data: to put in place of its own, under its last filter alone.
    """
    pdf = pikepdf.new()
    copy: Any = pdf.make_stream(image.read_raw_bytes() if data is None else data)
    for key in image.keys():  # noqa: SIM118  (a stream is no mapping)
        if key in _OF_THE_SAMPLES and key != "/Length":
            copy[key] = copied(pdf, image[key])
    for key in (Name.Filter, Name.DecodeParms) if data is not None else ():
        if isinstance(copy.get(key), pikepdf.Array):
            last = copy[key][-1]
            copy[key] = pikepdf.Dictionary() if last is None else last
    if image.get(Name.ImageMask, False):
        copy.ColorSpace, copy.BitsPerComponent = Name.DeviceGray, 1
    elif components(image) in _DEVICES and Name.ColorSpace in copy:
        copy.ColorSpace = _DEVICES[components(image) or 1]
    if int(image.get(Name.BitsPerComponent, 8)) == 16 and stored(image).codec != "jp2":
        channels = components(image) or 4
        expected = 2 * channels * int(image.Width) * int(image.Height)
        check_expansion(image, 2 * expected, "its image")
        copy.write(image.read_bytes()[::2])  # pdfium takes the wrong byte of each sample
        copy.BitsPerComponent = 8
    return _page_of(pdf, copy)


def _page_of(pdf: pikepdf.Pdf, image: Any) -> bytes:
    page: Any = pdf.add_blank_page(page_size=(100, 100))
    page.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(Image=image))
    page.Contents = pdf.make_stream(b"100 0 0 100 0 0 cm /Image Do")
    file = io.BytesIO()
    pdf.save(file, compress_streams=False, stream_decode_level=pikepdf.StreamDecodeLevel.none)
    return file.getvalue()


def copied(pdf: pikepdf.Pdf, value: Any) -> Any:
    """A value for another PDF. The image itself is not copied so: pikepdf would keep its data."""
    if isinstance(value, pikepdf.Object) and value.is_indirect:
        return pdf.copy_foreign(value)
    if isinstance(value, pikepdf.Array):
        return pikepdf.Array([copied(pdf, item) for item in value])
    if isinstance(value, pikepdf.Dictionary):
        return pikepdf.Dictionary({key: copied(pdf, value[key]) for key in value.keys()})  # noqa: SIM118
    if isinstance(value, pikepdf.Name):
        return pikepdf.Name(str(value))
    if isinstance(value, pikepdf.String):
        return pikepdf.String(bytes(value))
    return value  # a number or a truth value


def take_over(cleaned: Any, original: Any) -> None:
    """Give the cleaned image what the original had besides its samples.

    Its mask stays, and so does its colour space where the channels are still the same; a stencil
    stays a stencil, which paints what is black.

    Args:
        cleaned: image object with samples in a device's colour space.
        original: image object of the same PDF.
    """
    for key in original.keys():  # noqa: SIM118  (a stream is no mapping)
        if key not in _OF_THE_SAMPLES:
            cleaned[key] = original[key]
    if original.get(Name.ImageMask, False):
        del cleaned[Name.ColorSpace]
    elif components(original) == components(cleaned):
        cleaned.ColorSpace = original.get(Name.ColorSpace, cleaned.ColorSpace)


def paints_most(pixels: Pixels) -> bool:
    """Whether a stencil paints more than it spares: a background, and not print."""
    return bool(np.mean(pixels) < 128)


def _family(space: Any) -> str:
    if isinstance(space, pikepdf.Array):
        return str(space[0])
    return str(space) if space is not None else ""
