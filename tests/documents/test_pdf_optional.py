"""Layers, in a viewer's sense, that are switched off: what lies in them is not seen, and stays."""

import io

import numpy as np
import pikepdf
import pytest
from pdfs import FULL_PAGE, add_page, copy, put_grey, read, render, save, soiled, strokes
from pikepdf import Array, Dictionary, Name

from pagewash.documents.pdf_optional import groups_off, is_off
from pagewash.pages import Page, UntouchedPage

SQUARE = b"20 20 60 60 re f "
IN_A_LAYER = b"/OC /Layer BDC " + FULL_PAGE + b" EMC "
OTHER = b"q 144 0 0 216 0 0 cm /Other Do Q "


def add_layer(pdf: pikepdf.Pdf, off: bool = True) -> pikepdf.Object:
    layer = pdf.make_indirect(Dictionary(Type=Name.OCG, Name="Scan"))
    states = Dictionary(OFF=Array([layer])) if off else Dictionary(ON=Array([layer]))
    pdf.Root.OCProperties = Dictionary(OCGs=Array([layer]), D=states)
    return layer


def whiten(pixels: np.ndarray) -> np.ndarray:
    return np.where(pixels > 120, 255, pixels).astype(np.uint8)


def samples(file: io.BytesIO, name: str) -> np.ndarray:
    with pikepdf.open(file) as pdf:
        image = pdf.pages[0].Resources.XObject[name]
        return np.frombuffer(image.read_bytes(), np.uint8).reshape(image.Height, image.Width)


def page_of(pdf: pikepdf.Pdf, content: bytes, layer: pikepdf.Object, way: str, **images) -> None:
    """A page whose image Im belongs to a layer, in one of three ways."""
    image = put_grey(pdf, soiled())
    if way == "image":
        image.OC = layer
    form = pdf.make_stream(FULL_PAGE, Subtype=Name.Form, BBox=Array([0, 0, 144, 216]), OC=layer)
    form.Resources = Dictionary(XObject=Dictionary(Im=image))
    drawn = {"image": FULL_PAGE, "content": IN_A_LAYER, "form": b" /Form Do "}[way]
    page = add_page(pdf, content + drawn, Im=image, Form=pdf.make_indirect(form), **images)
    page.Resources.Properties = Dictionary(Layer=layer)


WAYS = ["image", "content", "form"]


@pytest.mark.parametrize("way", WAYS)
def test_a_scan_that_is_switched_off_stays_and_its_page_looks_as_before(way):
    pdf = pikepdf.new()
    page_of(pdf, SQUARE, add_layer(pdf), way)
    source = save(pdf)
    (page,) = read(source)
    assert isinstance(page, UntouchedPage)
    assert page.reason == "it has no page image"
    after = copy(source, whiten)
    assert np.array_equal(samples(after, "/Im"), soiled())
    assert np.array_equal(render(after), render(source))
    (flat,) = read(copy(source, whiten, kind="png"))
    assert 0 < (flat.pixels < 190).mean() < 0.2  # the square alone


@pytest.mark.parametrize("way", WAYS)
def test_a_scan_below_one_that_is_switched_off_is_cleaned_alone(way):
    pdf = pikepdf.new()
    page_of(pdf, OTHER, add_layer(pdf), way, Other=put_grey(pdf, soiled(seed=1)))
    source = save(pdf)
    (page,) = read(source)
    assert isinstance(page, Page)
    assert page.whole
    assert page.alone
    assert np.array_equal(page.pixels, soiled(seed=1))
    after = copy(source, whiten)
    assert np.array_equal(samples(after, "/Other"), whiten(soiled(seed=1)))
    assert np.array_equal(samples(after, "/Im"), soiled())


@pytest.mark.parametrize("way", WAYS)
def test_a_copy_has_the_layers_of_its_original_and_they_are_still_off(way):
    pdf = pikepdf.new()
    page_of(pdf, OTHER, add_layer(pdf), way, Other=put_grey(pdf, soiled(seed=1)))
    add_page(pdf, FULL_PAGE, Im=put_grey(pdf, soiled(seed=2)))
    for wanted in (None, {0}, {1}):
        with pikepdf.open(copy(save(pdf), whiten, wanted)) as after:
            (layer,) = after.Root.OCProperties.OCGs
            (off,) = after.Root.OCProperties.D.OFF
            assert layer.objgen == off.objgen
            resources = after.pages[0].obj.Resources
            if Name.Properties in resources:
                assert resources.Properties.Layer.objgen == layer.objgen


@pytest.mark.parametrize("way", WAYS)
def test_a_scan_in_a_layer_that_is_switched_on_is_cleaned_and_may_be_switched_off(way):
    pdf = pikepdf.new()
    page_of(pdf, SQUARE, add_layer(pdf, off=False), way)
    (page,) = read(save(pdf))
    assert isinstance(page, Page)
    assert not page.alone
    after = copy(save(pdf), whiten)
    assert np.array_equal(samples(after, "/Im"), whiten(soiled()))
    with pikepdf.open(after) as made:
        made.Root.OCProperties.D.OFF = made.Root.OCProperties.OCGs
        seen = render(save(made))[..., 0]
    assert 0 < (seen < 190).mean() < 0.2


def test_paper_below_a_masked_image_that_is_switched_off_is_cleaned_as_if_that_were_not_there():
    pdf = pikepdf.new()
    layer = add_layer(pdf)
    dark = np.full((600, 400), 90, np.uint8)
    mask = put_grey(pdf, np.full((600, 400), 200, np.uint8))
    ink = put_grey(pdf, 255 * (strokes((600, 400)) < 90).astype(np.uint8))
    content = b"q 144 0 0 216 0 0 cm /Paper Do /Hidden Do /Ink Do Q"
    paper = put_grey(pdf, np.full((300, 200), 200, np.uint8))
    add_page(
        pdf,
        content,
        Paper=paper,
        Hidden=put_grey(pdf, dark, SMask=mask, OC=layer),
        Ink=put_grey(pdf, np.zeros((600, 400), np.uint8), SMask=ink),
    )
    source = save(pdf)
    (page,) = read(source)
    assert np.median(page.pixels) == 200
    after = copy(source, whiten)
    assert np.median(samples(after, "/Paper")) == 255
    assert np.array_equal(samples(after, "/Hidden"), dark)


def test_text_that_is_switched_off_does_not_make_a_page_one_of_text():
    pdf = pikepdf.new()
    layer = add_layer(pdf)
    text = b"BT /F 9 Tf (" + b"many words " * 40 + b") Tj ET"
    page = add_page(
        pdf, FULL_PAGE + b" /OC /Layer BDC " + text + b" EMC", Im=put_grey(pdf, soiled())
    )
    page.Resources.Properties = Dictionary(Layer=layer)
    (scan,) = read(save(pdf))
    assert isinstance(scan, Page)
    assert scan.alone


@pytest.mark.parametrize(
    ("states", "off"),
    [
        ({"OFF": [0]}, {0}),
        ({"BaseState": Name.OFF, "ON": [1]}, {0}),
        ({"BaseState": Name.OFF}, {0, 1}),
        ({"ON": [0]}, set()),
        ({"OFF": 7, "ON": Name.Odd}, set()),
    ],
)
def test_layers_are_off_by_the_first_configuration(states, off):
    pdf = pikepdf.new()
    layers = [pdf.make_indirect(Dictionary(Type=Name.OCG)) for _ in range(2)]
    first = {
        key: Array([layers[at] for at in value]) if isinstance(value, list) else value
        for key, value in states.items()
    }
    properties = Dictionary(OCGs=Array(layers), D=Dictionary(**first))
    assert groups_off(properties) == {layers[at].objgen for at in off}
    assert groups_off(Dictionary(OCGs=7, D=Name.Odd)) == set()


@pytest.mark.parametrize(
    ("rule", "shown"),
    [
        ("/AnyOn", (True, True, False)),
        ("/AllOn", (True, False, False)),
        ("/AnyOff", (False, True, True)),
        ("/AllOff", (False, False, True)),
        (None, (True, True, False)),
    ],
)
def test_a_rule_about_several_layers_is_followed(rule, shown):
    pdf = pikepdf.new()
    layers = [pdf.make_indirect(Dictionary(Type=Name.OCG)) for _ in range(2)]
    content = Dictionary(Type=Name.OCMD, OCGs=Array(layers))
    if rule:
        content.P = Name(rule)
    offs = [frozenset(layer.objgen for layer in layers[:count]) for count in range(3)]
    assert tuple(not is_off(content, off) for off in offs) == shown
    content.VE = Array([Name.Not, layers[0]])
    assert not any(is_off(content, off) for off in offs)
