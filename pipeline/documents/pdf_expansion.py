"""How much a stream of a PDF comes to once its filters are undone, counted without keeping it.

A few kilobytes under two Flate filters can hold gigabytes, and a PDF library undoes them all at
once, in memory.
"""

import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import pikepdf
from pikepdf import Name

from pagewash.errors import UnreadableError

_PIECE = 1 << 16
_FLATE = {"/FlateDecode", "/Fl"}


def check_expansion(stream: Any, most: int, what: str) -> None:
    """Refuse a stream that comes to more than so many bytes.

    Only Flate is followed; what other filters come to is left to the document's memory.

    Args:
        stream: the stream.
        most: bytes.
        what: it is, for people: "its content".

    Raises:
        UnreadableError: it comes to more.
    """
    filters = stream.get(Name.Filter, [])
    names = [filters] if isinstance(filters, Name) else list(filters)
    if not all(str(name) in _FLATE for name in names):
        return
    pieces: Iterable[bytes] = [stream.read_raw_bytes()]
    for _ in names:
        pieces = _inflated(pieces)
    count = 0
    for piece in pieces:
        count += len(piece)
        if count > most:
            raise UnreadableError(f"{what} comes to more than {most / 1e6:.0f} MB")


def content_streams(content: Any) -> list[Any]:
    """The streams of a page's content, or a form, which is its own."""
    if isinstance(content, pikepdf.Stream):
        return [content]
    found = content.get(Name.Contents)
    parts = list(found) if isinstance(found, pikepdf.Array) else [found]
    return [part for part in parts if isinstance(part, pikepdf.Stream)]


def _inflated(pieces: Iterable[bytes]) -> Iterator[bytes]:
    inflater = zlib.decompressobj()
    try:
        for piece in pieces:
            while piece:
                yield inflater.decompress(piece, _PIECE)
                piece = inflater.unconsumed_tail
    except zlib.error:
        return  # the library keeps what came before, too
