"""What on a PDF page is a scan, and how scans in strips, in layers or turned are put back."""

import base64
import io
import zlib

import cv2
import numpy as np
import pikepdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pdfs import FULL_PAGE, add_page, copy, put, put_grey, read, render, save, soiled, strokes
from pikepdf import Array, Dictionary, Name
from PIL import Image

from pagewash.documents.pdf_layers import revise
from pagewash.documents.turning import Turn
from pagewash.pages import Page, UntouchedPage

FONT = Dictionary(F=Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica))


def whiten(pixels: np.ndarray) -> np.ndarray:
    """Ink stays, paper turns white."""
    darkest = pixels if pixels.ndim == 2 else pixels.min(axis=2, keepdims=True)
    return np.where(darkest > 120, np.uint8(255), pixels)


def add_text_page(pdf: pikepdf.Pdf, characters: int, content: bytes, **images) -> pikepdf.Page:
    text = b"BT /F 4 Tf 10 20 Td (%b) Tj ET " % (b"x" * characters)
    page = add_page(pdf, content + text, **images)
    page.Resources.Font = FONT
    return page


# --- the rule -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("characters", "height", "is_scan"),
    [
        (0, 216, True),
        (0, 22, True),  # a receipt on an empty page: a tenth of it
        (0, 10, False),  # an ornament
        (40, 216, True),  # a stamped scan
        (40, 110, True),
        (40, 100, False),  # less than half of the page, beside a title
        (200, 216, True),
        (201, 216, False),  # a picture below a page of text
    ],
)
def test_a_page_is_a_scan_by_what_is_drawn_beside_its_image(characters, height, is_scan):
    pdf = pikepdf.new()
    image = put_grey(pdf, soiled())
    add_text_page(pdf, characters, b"q 144 0 0 %d 0 0 cm /Im Do Q " % height, Im=image)
    (page,) = read(save(pdf))
    assert isinstance(page, Page if is_scan else UntouchedPage)


@pytest.mark.parametrize(
    "hidden", [b"BT 3 Tr /F 4 Tf (%b) Tj ET ", b"BT 7 Tr /F 4 Tf [(%b) 20] TJ ET "]
)
def test_text_that_is_not_shown_makes_no_page_of_text(hidden):
    pdf = pikepdf.new()
    page = add_page(pdf, FULL_PAGE + b" " + hidden % (b"x" * 999), Im=put_grey(pdf, soiled()))
    page.Resources.Font = FONT
    assert isinstance(read(save(pdf))[0], Page)


def test_text_below_the_scan_makes_no_page_of_text():
    pdf = pikepdf.new()
    below = b"BT /F 4 Tf (%b) Tj ET " % (b"x" * 999)
    page = add_page(pdf, below + FULL_PAGE, Im=put_grey(pdf, soiled()))
    page.Resources.Font = FONT
    assert isinstance(read(save(pdf))[0], Page)


def test_an_orange_logo_beside_text_stays_as_it_is():
    orange = np.full((200, 200, 3), (240, 120, 10), np.uint8)
    pdf = pikepdf.new()
    logo = put_grey(pdf, orange[..., 0], ColorSpace=Name.DeviceRGB)
    logo.write(orange.tobytes())
    add_text_page(pdf, 600, b"q 80 0 0 80 30 120 cm /Im Do Q ", Im=logo)
    before = save(pdf)
    (page,) = read(before)
    assert page.reason == "it is a page of text or drawings, and its pictures are no scan"
    assert np.array_equal(render(copy(before, lambda pixels: 255 - pixels)), render(before))


def test_a_scan_below_another_one_is_not_cleaned():
    pdf = pikepdf.new()
    lower, upper = put_grey(pdf, soiled(seed=1)), put_grey(pdf, soiled(seed=2))
    add_page(pdf, b"q 144 0 0 216 0 0 cm /A Do /B Do Q", A=lower, B=upper)
    (page,) = read(save(pdf))
    assert np.array_equal(page.pixels, soiled(seed=2))


# --- patterns, inline images, colour keys -------------------------------------------------------


@pytest.mark.parametrize("matrix", [[1, 0, 0, 1, 0, 0], [0.8, 0, 0, 0.8, 0, 0]])
def test_a_scan_painted_as_a_pattern_is_cleaned(matrix):
    pdf = pikepdf.new()
    cell = pdf.make_stream(
        FULL_PAGE, Type=Name.Pattern, PatternType=1, PaintType=1, TilingType=1, XStep=144,
        YStep=216, BBox=Array([0, 0, 144, 216]), Matrix=Array(matrix),
        Resources=Dictionary(XObject=Dictionary(Im=put_grey(pdf, soiled()))),
    )  # fmt: skip
    page = add_page(pdf, b"/Pattern cs /P scn 3 0 0 3 0 0 cm 0 0 144 216 re f 0 g 0 0 1 1 re f")
    page.Resources.Pattern = Dictionary(P=pdf.make_indirect(cell))
    (scan,) = read(save(pdf))
    assert scan.dpi == (100 / matrix[0], 100 / matrix[0])
    after = copy(save(pdf), lambda _: strokes())
    assert np.array_equal(read(after)[0].pixels, strokes())


def test_a_pattern_that_paints_with_itself_ends():
    pdf = pikepdf.new()
    cell = pdf.make_indirect(
        pdf.make_stream(FULL_PAGE + b" /Pattern cs /P scn 0 0 9 9 re f", PatternType=1)
    )
    images = Dictionary(Im=put_grey(pdf, soiled()))
    cell.Resources = Dictionary(XObject=images, Pattern=Dictionary(P=cell))
    add_page(pdf, b"/Pattern cs /P scn 0 0 144 216 re f").Resources.Pattern = Dictionary(P=cell)
    assert isinstance(read(save(pdf))[0], Page)


def put_inline(pixels: np.ndarray, space: bytes = b"/G") -> bytes:
    data = base64.a85encode(zlib.compress(pixels.tobytes())) + b"~>"
    size = b"/W %d /H %d /BPC 8" % pixels.shape[::-1]
    return b"BI %b /CS %b /F [/A85 /Fl] ID %b\nEI " % (size, space, data)


def test_a_scan_inline_in_the_content_is_cleaned():
    pdf = pikepdf.new()
    page = add_page(pdf, b"q 144 0 0 216 0 0 cm " + put_inline(soiled(), b"/Grey") + b"Q")
    page.Resources.ColorSpace = Dictionary(Grey=Name.DeviceGray)
    (scan,) = read(save(pdf))
    assert np.array_equal(scan.pixels, soiled())
    after = copy(save(pdf), lambda _: strokes())
    assert np.array_equal(read(after)[0].pixels, strokes())
    assert len(after.getvalue()) < len(save(pdf).getvalue())


def test_strips_inline_in_a_form_are_one_scan():
    pdf = pikepdf.new()
    strips = b"".join(
        b"q 144 0 0 43.2 0 %f cm %b Q " % (172.8 - 43.2 * n, put_inline(soiled()[60 * n :][:60]))
        for n in range(5)
    )
    form = pdf.make_stream(
        strips, Type=Name.XObject, Subtype=Name.Form, BBox=Array([0, 0, 144, 216])
    )
    add_page(pdf, b"/Im Do", Im=pdf.make_indirect(form))
    (scan,) = read(save(pdf))
    assert np.array_equal(scan.pixels, soiled())
    assert np.array_equal(read(copy(save(pdf), lambda _: strokes()))[0].pixels, strokes())


def test_inline_images_of_a_page_of_text_stay_in_its_content():
    pdf = pikepdf.new()
    add_text_page(pdf, 600, b"q 80 0 0 80 30 120 cm " + put_inline(soiled()) + b"Q ")
    with pikepdf.open(copy(save(pdf), whiten)) as after:
        assert b"ID " in after.pages[0].Contents.read_bytes()


# --- strips and tiles ---------------------------------------------------------------------------


def tiled_page(pdf: pikepdf.Pdf, whole: np.ndarray, rows: list[int], columns: list[int]) -> None:
    """A page of 144 x 216 points, cut at these rows and columns."""
    height, width = whole.shape
    content, images = b"", {}
    for top, bottom in zip([0, *rows], [*rows, height], strict=True):
        for left, right in zip([0, *columns], [*columns, width], strict=True):
            name = f"Im{len(images)}"
            images[name] = put_grey(pdf, np.ascontiguousarray(whole[top:bottom, left:right]))
            box = (
                (right - left) * 144 / width,
                (bottom - top) * 216 / height,
                left * 144 / width,
                216 - bottom * 216 / height,
            )
            content += b"q %.3f 0 0 %.3f %.3f %.3f cm /%b Do Q " % (*box, name.encode())
    add_page(pdf, content, **images)


@given(
    rows=st.lists(st.integers(1, 299), max_size=6, unique=True).map(sorted),
    columns=st.lists(st.integers(1, 199), max_size=2, unique=True).map(sorted),
)
@settings(max_examples=12)
def test_images_that_fill_a_page_together_are_one_scan(rows, columns):
    pdf = pikepdf.new()
    tiled_page(pdf, soiled(), rows, columns)
    (page,) = read(save(pdf))
    assert np.array_equal(page.pixels, soiled())
    (page,) = read(copy(save(pdf), lambda _: strokes()))
    assert np.array_equal(page.pixels, strokes())


def test_strips_of_one_bit_stencils_are_one_scan():
    ink = strokes((300, 200)) < 128
    pdf = pikepdf.new()
    stencils = {
        f"Im{n}": put(
            pdf,
            np.packbits(~ink[60 * n : 60 * n + 60], axis=1).tobytes(),
            200,
            60,
            ImageMask=True,
            BitsPerComponent=1,
        )
        for n in range(5)
    }
    places = b"".join(
        b"q 144 0 0 43.2 0 %f cm /Im%d Do Q " % (172.8 - 43.2 * n, n) for n in range(5)
    )
    add_page(pdf, places, **stencils)
    (page,) = read(save(pdf))
    assert np.array_equal(page.pixels, ~ink * np.uint8(255))
    assert page.mode == "1"
    assert np.array_equal(render(copy(save(pdf)), scale=2), render(save(pdf), scale=2))


def test_an_empty_strip_that_pages_share_is_no_trouble():
    pdf = pikepdf.new()
    blank = put_grey(pdf, np.full((150, 200), 200, np.uint8))
    halves = b"q 144 0 0 108 0 108 cm /A Do Q q 144 0 0 108 0 0 cm /B Do Q"
    for seed in range(2):
        add_page(pdf, halves, A=put_grey(pdf, soiled((150, 200), seed)), B=blank)
    pages = read(copy(save(pdf), whiten))
    assert [page.pixels.shape for page in pages] == [(300, 200)] * 2
    assert all((page.pixels[150:] == 255).all() for page in pages)


def test_images_with_room_between_them_are_scans_of_their_own():
    pdf = pikepdf.new()
    upper, lower = put_grey(pdf, soiled((150, 200), 1)), put_grey(pdf, soiled((150, 200), 2))
    halves = b"q 144 0 0 90 0 120 cm /A Do Q q 144 0 0 90 0 0 cm /B Do Q"
    add_page(pdf, halves, A=upper, B=lower)
    assert [page.part for page in read(save(pdf))] == [0, 1]


# --- turned pages -------------------------------------------------------------------------------

MATRICES = {  # of an image of 144 x 216 points, as it lies on the page
    "upright": b"144 0 0 216 0 0",
    "on its left side": b"0 144 -216 0 216 0",
    "upside down": b"-144 0 0 -216 144 216",
    "on its right side": b"0 -144 216 0 0 144",
    "mirrored": b"-144 0 0 216 144 0",
    "mirrored and turned": b"0 144 216 0 0 0",
}


@pytest.mark.parametrize("rotate", [0, 90, 180, 270, -90])
@pytest.mark.parametrize("matrix", MATRICES.values(), ids=MATRICES.keys())
def test_a_turned_scan_is_read_as_a_viewer_shows_it(matrix, rotate):
    pdf = pikepdf.new()
    page = add_page(pdf, b"q %b cm /Im Do Q" % matrix, Im=put_grey(pdf, soiled()))
    lies = matrix.startswith(b"0")
    page.MediaBox = Array([0, 0, 216, 144] if lies else [0, 0, 144, 216])
    page.Rotate = rotate
    (scan,) = read(save(pdf))
    shown = render(save(pdf), scale=100 / 72)[..., 0]
    assert scan.pixels.shape == shown.shape
    assert np.abs(scan.pixels.astype(int) - shown).mean() < 1
    assert scan.dpi == (100, 100)
    marked = np.full(scan.pixels.shape, 255, np.uint8)
    marked[10:40, 20:30] = 0
    cleaned = copy(save(pdf), lambda _: marked)
    assert np.abs(render(cleaned, scale=100 / 72)[..., 0].astype(int) - marked).mean() < 1


@given(quarters=st.integers(0, 3), mirrored=st.booleans())
def test_a_turn_is_undone(quarters, mirrored):
    pixels = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
    turn = Turn(quarters, mirrored)
    assert np.array_equal(turn.undo(turn.apply(pixels)), pixels)


# --- layers -------------------------------------------------------------------------------------


def brown_paper(shape=(75, 50)) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 3, (*shape, 1))
    return (np.array([200, 180, 150]) + noise).clip(0, 255).astype(np.uint8)


def put_rgb(pdf: pikepdf.Pdf, pixels: np.ndarray, **entries) -> pikepdf.Object:
    entries = {"ColorSpace": Name.DeviceRGB, "BitsPerComponent": 8, **entries}
    return put(pdf, pixels.tobytes(), pixels.shape[1], pixels.shape[0], **entries)


def put_jpeg(pdf: pikepdf.Pdf, pixels: np.ndarray, **entries) -> pikepdf.Object:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=40)
    entries = {"ColorSpace": Name.DeviceRGB, "BitsPerComponent": 8, **entries}
    size = pixels.shape[1], pixels.shape[0]
    return put(pdf, file.getvalue(), *size, Filter=Name.DCTDecode, **entries)


def stencil_of(pdf: pikepdf.Pdf, ink: np.ndarray) -> pikepdf.Object:
    bits = np.packbits(~ink, axis=1).tobytes()
    return put(pdf, bits, ink.shape[1], ink.shape[0], ImageMask=True, BitsPerComponent=1)


INK = strokes((600, 400)) < 128
BLUE = np.full((1, 1, 3), (20, 20, 120), np.uint8)


def masked(pdf):
    ink = put_rgb(pdf, BLUE, Mask=stencil_of(pdf, INK))
    return b"q 144 0 0 216 0 0 cm /Paper Do /Ink Do Q", ink


def soft_masked(pdf):
    ink = put_rgb(pdf, BLUE, SMask=put_grey(pdf, INK * np.uint8(255)))
    return b"q 144 0 0 216 0 0 cm /Paper Do /Ink Do Q", ink


def stencilled(pdf):
    paint = b"q 144 0 0 216 0 0 cm /Paper Do 0.08 0.08 0.47 rg /Ink Do Q"
    return paint, stencil_of(pdf, INK)


@pytest.mark.parametrize("rotate", [0, 90])
@pytest.mark.parametrize("ink_layer", [masked, soft_masked, stencilled])
def test_of_a_scan_in_layers_the_paper_turns_white_and_the_ink_stays(ink_layer, rotate):
    pdf = pikepdf.new()
    content, ink = ink_layer(pdf)
    page = add_page(pdf, content, Paper=put_jpeg(pdf, brown_paper()), Ink=ink)
    page.Rotate = rotate
    before = save(pdf)
    (scan,) = read(before)
    shown = render(before, scale=200 / 72)[..., ::-1]
    assert scan.pixels.shape == shown.shape == np.rot90(np.zeros((600, 400, 3)), rotate // 90).shape
    assert np.abs(scan.pixels.astype(int) - shown).mean() < 1
    assert scan.dpi == (200, 200)

    after = copy(before, whiten)
    seen = render(after, scale=200 / 72)[..., ::-1]
    ink = np.rot90(INK, -(rotate // 90))
    assert np.abs(seen[ink].astype(int) - BLUE.reshape(3)).max() < 6
    paper = ~cv2.dilate(ink.astype(np.uint8), np.ones((3, 3))).astype(bool)
    assert seen[paper].min() > 250
    assert len(after.getvalue()) <= len(before.getvalue())
    with pikepdf.open(after) as pdf:
        assert pdf.pages[0].obj.Resources.XObject.Paper.Width == 50


@pytest.mark.parametrize("in_turns", [False, True])
def test_the_paper_of_a_scan_in_layers_may_lie_in_strips(in_turns):
    """Five strips of paper, and ink in one piece above them, or in strips that take turns."""
    paper, pdf, content = brown_paper(), pikepdf.new(), b""
    images = {}
    for n in range(5):
        place = b"q 144 0 0 43.2 0 %.2f cm " % (172.8 - 43.2 * n)
        strip = np.ascontiguousarray(paper[15 * n : 15 * n + 15])
        images[f"Paper{n}"] = put_rgb(pdf, strip)
        content += place + b"/Paper%d Do Q " % n
        if in_turns:
            images[f"Ink{n}"] = stencil_of(pdf, INK[120 * n : 120 * n + 120])
            content += place + b"0.08 0.08 0.47 rg /Ink%d Do Q " % n
    if not in_turns:
        images["Ink"] = stencil_of(pdf, INK)
        content += b"q 144 0 0 216 0 0 cm 0.08 0.08 0.47 rg /Ink Do Q"
    add_page(pdf, content, **images)
    (scan,) = read(save(pdf))
    shown = render(save(pdf), scale=200 / 72)[..., ::-1]
    assert scan.pixels.shape == shown.shape
    assert np.abs(scan.pixels.astype(int) - shown).mean() < 1
    seen = render(copy(save(pdf), whiten), scale=200 / 72)[..., ::-1]
    assert np.abs(seen[INK].astype(int) - BLUE.reshape(3)).mean() < 6
    clear = ~cv2.dilate(INK.astype(np.uint8), np.ones((3, 3))).astype(bool)
    assert np.median(seen[clear]) == 255
    assert np.percentile(seen[clear], 1) > 250


def test_paper_may_lie_above_the_ink_behind_a_mask():
    pdf = pikepdf.new()
    paper = put_rgb(pdf, brown_paper(), Mask=stencil_of(pdf, ~INK))
    add_page(pdf, b"q 144 0 0 216 0 0 cm /Ink Do /Paper Do Q", Ink=put_rgb(pdf, BLUE), Paper=paper)
    seen = render(copy(save(pdf), whiten), scale=200 / 72)[..., ::-1]
    assert np.abs(seen[INK].astype(int) - BLUE.reshape(3)).mean() < 10
    assert np.median(seen[~INK]) == 255


def test_ink_behind_a_mask_without_paper_is_left_alone():
    pdf = pikepdf.new()
    _, ink = masked(pdf)
    add_page(pdf, FULL_PAGE, Im=ink)
    # one pixel of colour is no image of a page, however large it is drawn
    assert isinstance(read(save(pdf))[0], UntouchedPage)
    flat = np.repeat(np.repeat(BLUE, 150, 0), 100, 1)
    pdf = pikepdf.new()
    add_page(pdf, FULL_PAGE, Im=put_rgb(pdf, flat, Mask=stencil_of(pdf, INK)))
    (page,) = read(save(pdf))
    assert page.reason == "its ink stands behind a mask, with no paper below it"


def test_a_picture_in_the_paper_stays_where_cleaning_kept_it():
    paper = brown_paper((150, 100))
    paper[20:80, 20:80] = np.random.default_rng(1).integers(0, 140, (60, 60, 3))
    pdf = pikepdf.new()
    content, ink = stencilled(pdf)
    add_page(pdf, content, Paper=put_rgb(pdf, paper), Ink=ink)

    def keep_picture(pixels):
        cleaned = whiten(pixels)
        cleaned[80:320, 80:320] = pixels[80:320, 80:320]
        return cleaned

    with pikepdf.open(copy(save(pdf), keep_picture)) as after:
        image = after.pages[0].obj.Resources.XObject.Paper
        pixels = np.frombuffer(image.read_bytes(), np.uint8).reshape(150, 100, 3)
    covered = cv2.resize(INK.astype(np.uint8), (100, 150), interpolation=cv2.INTER_AREA)
    kept = np.zeros((150, 100), bool)
    kept[20:80, 20:80] = True
    assert np.array_equal(pixels[kept & (covered == 0)], paper[kept & (covered == 0)])
    assert (pixels[~kept] == 255).all()


@pytest.mark.parametrize("veil", [0, 140])
def test_ink_below_a_translucent_watermark_stays(veil):
    """A dark and a pale one; through each of them 70 % of the scan are seen."""
    veiled = np.zeros((600, 400), np.uint8)
    veiled[200:400, 50:350] = 77
    pdf = pikepdf.new()
    mark = put_grey(pdf, np.full((600, 400), veil, np.uint8), SMask=put_grey(pdf, veiled))
    paper = soiled((600, 400))
    content = b"q 144 0 0 216 0 0 cm /Paper Do /Mark Do Q"
    add_page(pdf, content, Paper=put_grey(pdf, paper), Mark=mark)
    with pikepdf.open(copy(save(pdf), whiten)) as after:
        image = after.pages[0].obj.Resources.XObject.Paper
        pixels = np.frombuffer(image.read_bytes(), np.uint8).reshape(600, 400)
    ink = (strokes((600, 400)) < 90) & (veiled > 0)
    assert np.abs(pixels[ink].astype(int) - paper[ink]).max() < 6


def test_the_scan_below_a_layer_that_is_switched_off_stays():
    pdf = pikepdf.new()
    group = pdf.make_indirect(Dictionary(Type=Name.OCG, Name="Draft"))
    pdf.Root.OCProperties = Dictionary(OCGs=Array([group]), D=Dictionary(OFF=Array([group])))
    cover = put_grey(pdf, np.full((150, 150), 255, np.uint8), OC=group)
    content = b"q 144 0 0 216 0 0 cm /Paper Do Q q 90 0 0 90 20 60 cm /Cover Do Q"
    add_page(pdf, content, Paper=put_grey(pdf, soiled((600, 400))), Cover=cover)
    before = save(pdf)
    seen = render(before, scale=200 / 72)[..., 0]
    after = render(copy(before, whiten), scale=200 / 72)[..., 0]
    ink = strokes((600, 400)) < 90
    assert np.abs(seen[ink].astype(int) - whiten(soiled((600, 400)))[ink]).max() < 3  # all is shown
    kept = after[190:420, 70:290] < 120
    assert np.array_equal(kept, seen[190:420, 70:290] < 120)


@given(seed=st.integers(0, 99), factor=st.integers(1, 4))
@settings(max_examples=20)
def test_a_layer_changes_only_where_what_is_seen_of_it_has_changed(seed, factor):
    rng = np.random.default_rng(seed)
    layer = rng.integers(0, 256, (6, 5, 3), np.uint8)
    seen = layer.repeat(factor, 0).repeat(factor, 1)
    visible = (rng.random(seen.shape[:2]) < 0.9).astype(np.float32)
    hidden = ~(visible > 0).reshape(6, factor, 5, factor).any(axis=(1, 3))
    assert np.array_equal(revise(layer, seen, seen, visible)[~hidden], layer[~hidden])
    white = np.full_like(seen, 255)
    assert (revise(layer, seen, white, visible)[~hidden] == 255).all()
