"""`ocrd-pagewash`, a processor for OCR-D core 3: images of a workspace, cleaned.

Reads METS and PAGE by OCR-D's own means, and adds to a page, region or line an AlternativeImage
of the same size, so that coordinates hold. Knows nothing of networks and tiles.

Source: OCR-D's specification of PAGE (https://ocr-d.de/en/spec/page), and `ocrd-tool.json`. Its
`git_url` is required, and the project has no public address yet: it names a domain that is kept
for examples (RFC 2606), until whoever publishes pagewash puts the right one there.
"""

import sys
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from PIL import Image

from pagewash.cleaning.cleaner import Cleaner, CleanOptions

try:
    import click
    from ocrd import OcrdPageResult, OcrdPageResultImage, Processor
    from ocrd.decorators import ocrd_cli_options, ocrd_cli_wrap_processor
    from ocrd_models.ocrd_page import AlternativeImageType, OcrdPage
except ModuleNotFoundError as error:
    sys.exit(
        f"ocrd-pagewash needs OCR-D, and {error.name} is not installed; "
        "run: pip install 'pagewash[ocrd]'"
    )

MADE_FROM = "binarized"
"""Images with this feature are left aside: grey levels say more, and binarisation comes after."""


class PagewashProcessor(Processor):  # type: ignore[misc]  # OCR-D has no types
    """Cleans the images of a workspace on one level of PAGE."""

    @property
    def executable(self) -> str:
        """Its name in `ocrd-tool.json`."""
        return "ocrd-pagewash"

    @cached_property
    def cleaner(self) -> Cleaner:
        """Loaded in the process that cleans: OCR-D may start several."""
        asked = self.parameter
        return Cleaner.from_pretrained(
            asked["model"], CleanOptions(device=asked["device"], color=asked["color"])
        )

    def process_page_pcgts(
        self, *input_pcgts: "OcrdPage | None", page_id: str | None = None
    ) -> "OcrdPageResult":
        """Add to each segment of the level that was asked for its cleaned image.

        Args:
            input_pcgts: the PAGE document of one page, which is changed.
            page_id: of that page in METS.
        """
        (pcgts,) = input_pcgts
        assert pcgts is not None  # OCR-D passes over pages that are not there
        page = pcgts.get_Page()
        result = OcrdPageResult(pcgts)
        image, coordinates, info = self.workspace.image_from_page(
            page, page_id, feature_filter=MADE_FROM
        )
        dpi = self.parameter["dpi"] or _dpi(info)
        for segment, picture, place in self._segments(page, image, coordinates):
            cleaned = self._clean(picture, dpi)
            made = AlternativeImageType(comments=_features(place["features"], cleaned))
            segment.add_AlternativeImage(made)
            name = "" if segment is page else f"{segment.id}."
            result.images.append(OcrdPageResultImage(cleaned, f"{name}IMG-PAGEWASH", made))
        return result

    def _segments(self, page: Any, image: Any, place: Any) -> Iterator[tuple[Any, Any, Any]]:
        """Segments of the level that was asked for, each with its image and its coordinates."""
        level = self.parameter["level-of-operation"]
        if level == "page":
            yield page, image, place
            return
        for region in page.get_AllRegions(classes=["Text"], order="reading-order"):
            found = self._inside(region, image, place)
            if level == "region":
                yield region, *found
                continue
            for line in region.get_TextLine():
                yield line, *self._inside(line, *found)

    def _inside(self, segment: Any, image: Any, place: Any) -> tuple[Any, Any]:
        found: tuple[Any, Any] = self.workspace.image_from_segment(
            segment, image, place, feature_filter=MADE_FROM
        )
        return found

    def _clean(self, image: Any, dpi: float | None) -> Image.Image:
        """Clean an image of any of Pillow's modes; the result is grey or RGB."""
        if image.mode in ("LA", "PA", "RGBA"):  # what lies outside of a polygon is transparent
            paper = Image.new("RGBA", image.size, "white")
            image = Image.alpha_composite(paper, image.convert("RGBA")).convert("RGB")
        grey = image.mode in ("1", "L")  # OCR-D has brought other greys to these
        pixels = np.asarray(image.convert("L" if grey else "RGB"))
        cleaned = Image.fromarray(self.cleaner.clean(pixels, dpi))
        if dpi:
            cleaned.info["dpi"] = (dpi, dpi)
        return cleaned


def _features(before: str, cleaned: Image.Image) -> str:
    """What PAGE says of the image: what had been done to it, and what we did."""
    ours = ["grayscale_normalized", "despeckled"] if cleaned.mode == "L" else ["despeckled"]
    known = [feature for feature in before.split(",") if feature]
    return ",".join([*known, *(feature for feature in ours if feature not in known)])


def _dpi(info: Any) -> float | None:
    """Pixels per inch as the image's file says; None where it does not."""
    if not info.resolution or info.resolution <= 1:
        return None
    return float(info.resolution * (2.54 if info.resolutionUnit == "cm" else 1))


@click.command()
@ocrd_cli_options  # type: ignore[untyped-decorator]
def main(*arguments: Any, **options: Any) -> Any:
    """Run as OCR-D runs its processors."""
    return ocrd_cli_wrap_processor(PagewashProcessor, *arguments, **options)


if __name__ == "__main__":
    main()
