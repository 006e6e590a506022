"""Objects of a PDF as what they should be, whatever they are.

Real files hold a name where a number belongs, or null in place of a dictionary. Viewers pass over
it; so does whoever asks here.
"""

from contextlib import suppress
from typing import Any

import pikepdf
from pikepdf import Matrix, Name

_DEEPEST = 64  # branches in a tree of pages; one that goes deeper goes in circles


def number(value: Any, default: float = 0.0) -> float:
    """A number; the default for what is none."""
    with suppress(TypeError, ValueError):
        return float(value)
    return default


def last_name(operands: Any) -> Name | None:
    """The name that an operator's operands end with, or None."""
    last = operands[-1] if len(operands) else None
    return last if isinstance(last, pikepdf.Name) else None


def dictionary(parent: Any, key: Name) -> Any:
    """The dictionary under a key of a dictionary; an empty one where there is none."""
    found = parent.get(key) if isinstance(parent, pikepdf.Dictionary) else None
    return found if isinstance(found, pikepdf.Dictionary) else pikepdf.Dictionary()


def stream(parent: Any, key: Name) -> Any | None:
    """The stream under a key of a dictionary or a stream, or None."""
    found = parent.get(key)
    return found if isinstance(found, pikepdf.Stream) else None


def matrix(numbers: Any) -> Matrix:
    """Six numbers as a matrix; the identity for what is none."""
    with suppress(TypeError, ValueError):
        a, b, c, d, e, f = (float(value) for value in numbers)
        return Matrix(a, b, c, d, e, f)
    return Matrix()


def inherited(page: pikepdf.Page, key: Name) -> Any:
    """What a page has itself, or from a branch that it hangs on; None if neither."""
    node: Any = page.obj
    for _ in range(_DEEPEST):
        if not isinstance(node, pikepdf.Dictionary):
            break
        if node.get(key) is not None:
            return node[key]
        node = node.get(Name.Parent)
    return None
