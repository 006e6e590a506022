"""Images that stand inline in the content of a page, made objects that can be replaced."""

from typing import Any

import pikepdf
from pikepdf import Dictionary, Name

from pagewash.documents.pdf_objects import dictionary, inherited


def externalise(page: pikepdf.Page) -> None:
    """Make an image object of each inline image of a page and its forms; it looks as before.

    Raises:
        PdfError: its content is no content.
    """
    resources = inherited(page, Name.Resources)
    if not isinstance(resources, pikepdf.Dictionary):
        page.obj.Resources = resources = Dictionary()
    _give_resources(resources, resources, set())
    page.externalize_inline_images(shallow=False)


def _give_resources(named_by: Any, outer: Any, seen: set[tuple[int, int]]) -> None:
    """Give forms that use the resources of what draws them a copy: the library needs some there."""
    named = dictionary(named_by, Name.XObject)
    for name in list(named.keys()):
        form = named[name]
        if not isinstance(form, pikepdf.Stream) or form.get(Name.Subtype) != Name.Form:
            continue
        if form.objgen in seen:
            continue
        seen.add(form.objgen)
        if not isinstance(form.get(Name.Resources), pikepdf.Dictionary):
            form.Resources = Dictionary({key: outer[key] for key in outer.keys()})  # noqa: SIM118
            form.Resources.XObject = Dictionary({key: named[key] for key in named.keys()})  # noqa: SIM118
        else:
            _give_resources(form.Resources, form.Resources, seen)
