"""From an image as Pillow opened it to upright, opaque pixels of eight bits.

Knows the modes and the guards of Pillow; no files, no documents.
"""

import io
import math
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import numpy as np
from PIL import ExifTags, Image, ImageCms, TiffImagePlugin

from pagewash.errors import UnreadableError
from pagewash.pages import Pixels

_PILLOW_STATE = threading.Lock()  # warning filters and Pillow's limit belong to the process

_UPRIGHT = {  # EXIF orientation -> what brings the pixels upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ROWS = 64  # of a page, that are worked on at once where it would take much memory
_TURNED = {5, 6, 7, 8}
_LEAST_DPI = 10  # less is an aspect ratio, or Pillow's 1 for a TIFF that says nothing


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Pillow's warnings about odd metadata from the user, who can do nothing about them."""
    with _PILLOW_STATE, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def decode(image: Image.Image) -> int:
    """Decode an image whose size was checked.

    Returns:
        Its EXIF orientation, 1 to 8, as the file has it; 1 where it is missing or broken.
    """
    is_tiff = isinstance(image, TiffImagePlugin.TiffImageFile)
    with quiet():
        turned = _orientation(image) if is_tiff else 1  # loading a TIFF turns it, and forgets
    _load(image)
    with quiet():
        return turned if is_tiff else _orientation(image)


def _load(image: Image.Image) -> None:
    """Past Pillow's guard against large images, which is one number for the whole process: it
    is lifted for as long as a large image takes, and one at a time.
    """
    guard = Image.MAX_IMAGE_PIXELS
    if guard is None or image.width * image.height <= guard:
        image.load()
        return
    with _PILLOW_STATE:
        guard, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            image.load()
        finally:
            Image.MAX_IMAGE_PIXELS = guard


def _orientation(image: Image.Image) -> int:
    try:
        exif = image.getexif()
        turned = int(exif.get(ExifTags.Base.Orientation, 1))
    except Exception:  # corrupt EXIF data fails in every way, and is no reason to lose the page
        return 1
    with suppress(Exception):
        for group in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
            exif.get_ifd(group)  # read here, where warnings are kept back, and not by load()
    return turned


def resolution(image: Image.Image, turned: int = 1) -> tuple[float, float] | None:
    """Pixels per inch of the upright page, horizontal and vertical, or None.

    To two decimals: PNG and BMP count in pixels per metre, and 300 dpi should come back as 300.
    """
    dpi = image.info.get("dpi") or _exif_resolution(image)
    if image.format == "JPEG" and image.info.get("jfif_unit") not in (1, 2):
        dpi = _exif_resolution(image)  # Pillow says 72 where EXIF says nothing
    try:
        across, down = (round(float(value), 2) for value in dpi or ())
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    if not (_LEAST_DPI <= across < math.inf and _LEAST_DPI <= down < math.inf):
        return None
    return (down, across) if turned in _TURNED else (across, down)


def _exif_resolution(image: Image.Image) -> tuple[float, float] | None:
    try:
        exif = image.getexif()
        unit = 2.54 if exif.get(ExifTags.Base.ResolutionUnit, 2) == 3 else 1.0
        across = float(exif[ExifTags.Base.XResolution])
        return across * unit, float(exif[ExifTags.Base.YResolution]) * unit
    except Exception:  # as above
        return None


def upright_pixels(image: Image.Image, turned: int, icc: bytes | None = None) -> Pixels:
    """The pixels of a loaded image, turned upright.

    Args:
        image: of any mode; its transparent parts become white.
        turned: its EXIF orientation before it was loaded; Pillow turns a TIFF itself.
        icc: its profile; CMYK is converted by it.

    Returns:
        (H, W) uint8 for what is grey by its mode, its palette or its black ink alone,
        (H, W, 3) uint8 RGB for the rest.

    Raises:
        UnreadableError: samples of 32 bits, whose white is anybody's guess.
    """
    if turned in _UPRIGHT and not isinstance(image, TiffImagePlugin.TiffImageFile):
        image = image.transpose(_UPRIGHT[turned])
    if image.mode.startswith("I;16"):
        return _from_16_bits(image)
    if image.mode in ("I", "F"):
        raise UnreadableError(
            "its samples have 32 bits, and where white lies is not said; convert it to 8 or 16 bits"
        )
    if image.has_transparency_data and not _hides_all(image):
        return _on_white(image)
    if image.mode in ("1", "L", "LA"):
        return np.array(image if image.mode == "L" else image.convert("L"))
    if image.mode == "CMYK":
        return _from_cmyk(image, icc)
    pixels = np.array(_to_rgb(image))
    return grey_if_grey(pixels) if image.mode == "P" else pixels


def grey_if_grey(pixels: Pixels) -> Pixels:
    """(H, W) where the three channels of an (H, W, 3) image are the same, else the image."""
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    same = np.array_equal(red, green) and np.array_equal(red, blue)
    return np.ascontiguousarray(red) if same else pixels


def is_black_on_white(image: Image.Image) -> bool:
    """Whether an image has one bit per pixel, be it through a palette of black and white."""
    if image.mode != "P":
        return image.mode == "1"
    return image.getpalette("RGB") in ([0] * 3 + [255] * 3, [255] * 3 + [0] * 3)


def _from_16_bits(image: Image.Image) -> Pixels:
    samples = np.asarray(image)
    bits, inverted = 16, False
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        bits = int(image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, (16,))[0])
        inverted = image.tag_v2.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0
    white = (1 << bits) - 1
    levels = np.arange(1 << 16, dtype=np.uint32)
    table = ((np.minimum(levels, white) * 255 + white // 2) // white).astype(np.uint8)
    table = 255 - table if inverted else table  # Pillow inverts MinIsWhite up to 8 bits only
    pixels = np.empty(samples.shape, np.uint8)
    for top in range(0, len(samples), _ROWS):  # looking up takes eight bytes for each sample
        pixels[top : top + _ROWS] = table[samples[top : top + _ROWS]]
    return pixels


def _hides_all(image: Image.Image) -> bool:
    """Whether an alpha channel would leave nothing to see of an image that holds something: its
    writer, as of many a BMP of 32 bits, never filled it in.
    """
    if image.mode not in ("RGBA", "LA"):
        return False
    least, most = np.array(image.getextrema()).T
    return bool(most[-1] == 0 and (least < most).any())


def _on_white(image: Image.Image) -> Pixels:
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    for top in range(0, image.height, _ROWS):  # a whole page would take four copies
        band = image.crop((0, top, image.width, min(top + _ROWS, image.height)))
        paper = Image.new("RGBA", band.size, "white")
        paper.alpha_composite(band.convert("RGBA"))
        pixels[top : top + _ROWS] = np.asarray(paper.convert("RGB"))
    return pixels if image.mode.startswith("RGB") else grey_if_grey(pixels)


def _from_cmyk(image: Image.Image, icc: bytes | None) -> Pixels:
    inks = np.asarray(image)
    if not inks[..., :3].any():
        return 255 - inks[..., 3]
    if icc is not None:
        try:
            return np.array(_by_profile(image, icc))
        except (ImageCms.PyCMSError, OSError):
            pass  # a broken profile, or that of another colour space
    return np.array(image.convert("RGB"))


def _by_profile(image: Image.Image, icc: bytes) -> Image.Image:
    srgb = ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, io.BytesIO(icc), srgb, outputMode="RGB")
    assert converted is not None  # only where it works in place
    return converted


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode != "LAB":
        return image.convert("RGB")
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    assert converted is not None
    return converted
