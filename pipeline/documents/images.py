"""Image files as documents: PNG, JPEG, TIFF, BMP, WebP and JPEG 2000, page by page.

Knows containers and what stands in their headers; what the modes mean is `decoding`'s.
"""

import io
import logging
import statistics
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np
from PIL import (
    BmpImagePlugin,
    Image,
    ImageFile,
    ImagePalette,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from pagewash.documents.containers import Container
from pagewash.documents.decoding import (
    decode,
    is_black_on_white,
    quiet,
    resolution,
    upright_pixels,
)
from pagewash.documents.jp2 import read_profile
from pagewash.documents.jpeg import (
    NOTHING,
    ends_early,
    is_arithmetic,
    quantisation_table,
    with_end,
)
from pagewash.documents.png import lacks_rows
from pagewash.documents.reading import check_size, reading_errors
from pagewash.documents.tiff_copying import copy_page
from pagewash.documents.tiff_ends import is_cut_off
from pagewash.documents.webp import is_lossless
from pagewash.errors import UnreadableError
from pagewash.pages import Page, ReadLimits, Stored, UntouchedPage, fitting_profile

log = logging.getLogger(__name__)

# The readers themselves, past Image.open: its guard against large images cannot be told our limit.
_READERS: dict[Container, type[ImageFile.ImageFile]] = {
    "png": PngImagePlugin.PngImageFile,
    "jpeg": JpegImagePlugin.JpegImageFile,
    "tiff": TiffImagePlugin.TiffImageFile,
    "bmp": BmpImagePlugin.BmpImageFile,
    "webp": WebPImagePlugin.WebPImageFile,
    "jp2": Jpeg2KImagePlugin.Jpeg2KImageFile,
}
_CONVERTED = {"CMYK", "LAB"}  # to sRGB, so that their profile is spent
_STRIP_BYTES, _TILE_BYTES = 279, 325
_SAMPLING = 530
_RGB = 2  # photometric interpretation
_SAMPLE_FORMAT, _SIGNED = 339, 2
_JPEG_END = b"\xff\xd9"
_SUBFILE_TYPE, _REDUCED = 254, 1
_SUBIFDS = 330
_PICTURES = 0xB002  # of a JPEG that holds several
_MEAN_LUMINANCE_STEP = 57.625  # of the table in Annex K of the JPEG standard, quality 50


class ImageDocument:
    """An image file that is open for reading: a `Document`."""

    def __init__(
        self,
        file: BinaryIO,
        source: Path | None,
        container: Container,
        limits: ReadLimits,
        notes: tuple[str, ...] = (),
    ) -> None:
        """Read the header.

        Args:
            file: seekable, at any place; closed with the document.
            source: where it lies, for messages; None for standard input.
            container: what its first bytes say.
            limits: what its pages may ask for.
            notes: what was seen on the way here.

        Raises:
            UnreadableError: a broken header.
        """
        self.source = source
        self.container: Container = container
        self.notes = notes
        self._file = file
        self._name = str(source or "standard input")
        self._limits = limits
        if container == "jpeg":
            self._mend_end()
        with self._understood(), quiet():
            image = self._open()
            pictures = getattr(image, "n_frames", 1) + _pictures_behind(image, self._file)
        self.page_count = pictures if container == "tiff" else 1
        if pictures > self.page_count:  # animated, or a JPEG of several views
            self.notes += (f"{self._name} holds {pictures} pictures; the first alone is cleaned",)

    def pages(self, wanted: Collection[int] | None = None) -> Iterator[Page | UntouchedPage]:
        """Its pages in order, decoded as they are asked for; see `Document.pages`.

        Of a TIFF of several pages, one that cannot be decoded comes untouched, as it is stored.
        """
        with self._understood(), quiet():
            image = self._open()
        for index in range(self.page_count):
            if wanted is None or index in wanted:
                try:
                    yield self._page(image, index)
                except UnreadableError as error:
                    yield self._untouched(index, error)
                    with self._understood(), quiet():
                        image = self._open()

    def _untouched(self, index: int, error: UnreadableError) -> UntouchedPage:
        """A page that cannot be decoded.

        Raises:
            UnreadableError: that error, where the others would be no use or no place for it.
        """
        stored = copy_page(self._file, index) if self.page_count > 1 else None
        if stored is None:
            raise error
        log.debug("page %d", index + 1, exc_info=error)
        cause = error.__cause__
        why = str(cause) if isinstance(cause, UnreadableError) else "it cannot be decoded"
        return UntouchedPage(index, why, self.source, damaged=True, stored=stored)

    def megapixels(self, wanted: Collection[int] | None = None) -> float:
        """What its pages hold together, by their headers; see `Document.megapixels`."""
        total = 0
        with self._understood(), quiet():
            image = self._open()
            for index in range(self.page_count):
                if wanted is None or index in wanted:
                    image.seek(index)
                    total += image.width * image.height
        return total / 1e6

    def _page(self, image: ImageFile.ImageFile, index: int) -> Page:
        name = self._name if self.page_count == 1 else f"{self._name}, page {index + 1},"
        with _errors(name, self.container):
            with quiet():
                _turn_to(image, index)
            check_size(self._name, image.size, self._limits)
            self._check_samples(image)
            _mend_palette(image)
            with self._coding_named():
                turned = decode(image)
            if self._is_cut_off(image):
                raise UnreadableError("its data is cut off")
            icc = image.info.get("icc_profile") or self._jp2_profile()
            pixels = upright_pixels(image, turned, icc)
            return Page(
                pixels=pixels,
                dpi=resolution(image, turned),
                icc=fitting_profile(
                    None if image.mode in _CONVERTED else icc, 1 if pixels.ndim == 2 else 3
                ),
                mode="1" if is_black_on_white(image) else image.mode,
                source=self.source,
                index=index,
                stored=self._stored(image),
            )

    def _is_cut_off(self, image: ImageFile.ImageFile) -> bool:
        """Whether a decoded page lacks some of its data, of which the decoder said nothing."""
        if isinstance(image, TiffImagePlugin.TiffImageFile):
            return is_cut_off(image, self._file)
        if self.container == "jpeg":
            last = np.asarray(image.crop((image.width - 1, image.height - 1, *image.size)))
            if not NOTHING.issuperset(last.ravel().tolist()):
                return False
            self._file.seek(0)
            return ends_early(self._file.read())
        if self.container != "png":
            return False
        last_row = (0, image.height - 1, image.width, image.height)
        if not image.info.get("interlace") and np.asarray(image.crop(last_row)).any():
            return False  # what is missing is 0
        self._file.seek(0)
        return lacks_rows(self._file.read())

    def _mend_end(self) -> None:
        """Give a JPEG the end marker that it lacks, if that is all."""
        self._file.seek(0)
        data = self._file.read()
        if data.rstrip(b"\0").endswith(_JPEG_END):
            return
        with self._understood(), quiet():
            check_size(self._name, self._open().size, self._limits)
            mended = with_end(data)
        if mended is not None:
            self._file.close()
            self._file = io.BytesIO(mended)
            self.notes += (f"{self._name} lacks the marker at its end, and nothing else",)

    def _open(self) -> ImageFile.ImageFile:
        self._file.seek(0)
        return _READERS[self.container](self._file)

    @contextmanager
    def _coding_named(self) -> Iterator[None]:
        """Say of a JPEG that cannot be decoded that its coding is a rare one, if it is."""
        try:
            yield
        except (OSError, SyntaxError) as error:
            self._file.seek(0)
            if self.container == "jpeg" and is_arithmetic(self._file.read()):
                raise UnreadableError(
                    "its JPEG is coded arithmetically, which is not read here; convert it: "
                    "jpegtran -outfile OUT.jpg IN.jpg"
                ) from error
            raise

    def _check_samples(self, image: Image.Image) -> None:
        """Refuse samples that are not the scan's, or whose white is anybody's guess, before they
        are decoded.
        """
        if not isinstance(image, TiffImagePlugin.TiffImageFile):
            return
        if _is_reduced(image) and _SUBIFDS in image.tag_v2:
            raise UnreadableError(
                "it holds a thumbnail, and its scan beside it in a way (SubIFD) that is not read "
                "here; convert it"
            )
        kinds = set(image.tag_v2.get(_SAMPLE_FORMAT, (1,)))
        if _SIGNED in kinds:
            bits = image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, (1,))[0]
            raise UnreadableError(
                f"its samples of {bits} bits have a sign, and where black and white lie is not "
                "said; convert them to unsigned ones"
            )
        bits = image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, (1,))
        in_planes = image.tag_v2.get(TiffImagePlugin.PLANAR_CONFIGURATION, 1) == 2
        raw = image.info.get("compression") == "raw"
        if in_planes and (len(bits) == 2 or (raw and max(bits) > 8 and len(bits) > 1)):
            raise UnreadableError(  # Pillow would leave one out, or take each byte for a pixel
                "its channels lie apart in a way that is not read here; convert it: "
                "tiffcp -p contig IN.tif OUT.tif"
            )

    def _stored(self, image: ImageFile.ImageFile) -> Stored:
        if isinstance(image, TiffImagePlugin.TiffImageFile):
            counts = image.tag_v2.get(_STRIP_BYTES) or image.tag_v2.get(_TILE_BYTES) or ()
            sampling = image.tag_v2.get(_SAMPLING)
            in_rgb = image.tag_v2.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == _RGB
            if in_rgb and image.info.get("compression") in ("jpeg", "tiff_jpeg"):
                sampling = (1, 1)  # whatever else it says
            return Stored(
                str(image.info.get("compression", "")),
                sum(counts) or None,
                quality_of(quantisation_table(image.tag_v2.get(TiffImagePlugin.JPEGTABLES, b""))),
                fine_colour=sampling == (1, 1),
                palette=_palette(image),
                thumbnail=_is_reduced(image),
                half_colour=sampling == (2, 1),
            )
        lossless = self.container == "webp" and is_lossless(self._file)
        codec = "webp_lossless" if lossless else self.container
        return Stored(
            codec,
            self._file.seek(0, 2),
            jpeg_quality(image),
            fine_colour=has_fine_colour(image),
            palette=_palette(image),
            half_colour=has_half_colour(image),
        )

    def _jp2_profile(self) -> bytes | None:
        if self.container != "jp2":
            return None
        self._file.seek(0)
        return read_profile(self._file.read())

    def _understood(self) -> AbstractContextManager[None]:
        """Name the file in whatever goes wrong."""
        return _errors(self._name, self.container)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _pictures_behind(image: ImageFile.ImageFile, file: BinaryIO) -> int:
    """Pictures that come after that of a JPEG and are as large (CIPA DC-007, MPF); smaller ones, as
    a preview or a map of brightness, serve the first.
    """
    count = 0
    if isinstance(image, JpegImagePlugin.JpegImageFile) and "mp" in image.info:
        with suppress(Exception):  # a damaged list, or one of pictures that did not come along
            file.seek(0)
            listed = MpoImagePlugin.MpoImageFile(file).mpinfo or {}
            for other in listed[_PICTURES][1:]:
                file.seek(image.info["mpoffset"] + other["DataOffset"])
                count += JpegImagePlugin.JpegImageFile(file).size == image.size
    return count


def _turn_to(image: ImageFile.ImageFile, index: int) -> None:
    """Turn to a page, and leave behind what Pillow would take along of the one before."""
    if image.tell() != index:
        for key in ("dpi", "icc_profile"):
            image.info.pop(key, None)
    image.seek(index)


def _is_reduced(image: TiffImagePlugin.TiffImageFile) -> bool:
    """Whether it says that it is a smaller copy of another one."""
    return bool(int(image.tag_v2.get(_SUBFILE_TYPE, 0)) & _REDUCED)


def _mend_palette(image: Image.Image) -> None:
    """Read the colours of a TIFF that has them in 8 bits, not in 16, as libtiff does."""
    if isinstance(image, TiffImagePlugin.TiffImageFile) and image.mode == "P":
        colours = image.tag_v2[TiffImagePlugin.COLORMAP]
        if max(colours) < 256:
            image.palette = ImagePalette.raw("RGB;L", bytes(colours))


def _palette(image: Image.Image) -> bytes | None:
    """The colours of an image that holds places in a palette, but for mere black and white."""
    if image.mode != "P" or is_black_on_white(image) or image.has_transparency_data:
        return None
    return bytes(image.getpalette("RGB") or ()) or None


def jpeg_quality(image: Image.Image) -> int | None:
    """The quality, 1 to 100, that libjpeg's tables would have had; None if this is no JPEG.

    Other encoders use other tables, so it says how coarse a JPEG is, not what was typed.
    """
    tables = getattr(image, "quantization", None)
    return quality_of(tables[0] if tables else None)


def has_fine_colour(image: Image.Image) -> bool:
    """Whether a JPEG holds the colours of every pixel."""
    return len(_samplings(image)) == 1


def has_half_colour(image: Image.Image) -> bool:
    """Whether a JPEG holds the colours of two pixels side by side together."""
    return _samplings(image) == {(2, 1), (1, 1)}


def _samplings(image: Image.Image) -> set[tuple[int, int]]:
    """Samples of the components of a JPEG, across and down, of all that there are; Pillow itself
    does not tell those of CMYK.
    """
    if not isinstance(image, JpegImagePlugin.JpegImageFile):
        return set()
    return {(across, down) for _, across, down, _ in image.layer}


def quality_of(steps: Sequence[int] | None) -> int | None:
    """The quality of a JPEG with these steps of luminance; None for none."""
    if not steps:
        return None
    scale = 100 * statistics.fmean(steps) / _MEAN_LUMINANCE_STEP
    quality = 5000 / scale if scale > 100 else (200 - scale) / 2
    return round(min(max(quality, 1), 100))


@contextmanager
def _errors(name: str, container: Container) -> Iterator[None]:
    """Name the file in whatever goes wrong; what Pillow has no mode for is not damaged."""
    with reading_errors(name, container, "scan the page again"):
        try:
            yield
        except (SyntaxError, ValueError) as error:
            if "unknown pixel mode" in str(error) or "unknown raw mode" in str(error):
                raise UnreadableError(
                    "its samples are laid out in a way that is not read here; convert them to 8 "
                    "bits of grey or RGB"
                ) from error
            raise
