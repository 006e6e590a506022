"""Layers of a PDF, in a viewer's sense: which content is switched off when the PDF is opened.

Source: ISO 32000-1, 8.11. A layer is an optional content group there.
"""

from typing import Any

import pikepdf
from pikepdf import Name

from pagewash.documents.pdf_objects import dictionary

Groups = frozenset[tuple[int, int]]
"""The object numbers of layers."""


def groups_off(properties: Any) -> Groups:
    """The layers that are switched off.

    Args:
        properties: the /OCProperties of the document; an empty dictionary where it has none.
    """
    first = dictionary(properties, Name.D)
    on, off = _groups(first, Name.ON), _groups(first, Name.OFF)
    if first.get(Name.BaseState) == Name.OFF:
        off |= _groups(properties, Name.OCGs) - on
    return off


def is_off(content: Any, off: Groups) -> bool:
    """Whether what belongs to a layer, or by a rule to several (/OCMD), is not shown.

    A rule that is an expression (/VE) is not followed: what it is about counts as shown.
    """
    if not isinstance(content, pikepdf.Dictionary):
        return False
    if content.get(Name.Type) != Name.OCMD:
        return content.objgen in off
    found = content.get(Name.OCGs)
    groups = list(found) if isinstance(found, pikepdf.Array) else [found]
    states = [each.objgen in off for each in groups if isinstance(each, pikepdf.Dictionary)]
    if Name.VE in content or not states:
        return False
    match str(content.get(Name.P)):
        case "/AllOn":
            return any(states)
        case "/AnyOff":
            return not any(states)
        case "/AllOff":
            return not all(states)
    return all(states)


def _groups(parent: Any, key: Name) -> Groups:
    found = parent.get(key)
    groups = list(found) if isinstance(found, pikepdf.Array) else []
    return frozenset(
        each.objgen for each in groups if isinstance(each, pikepdf.Dictionary) and each.is_indirect
    )
