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
    if not all(name in _FLATE for name in filter_names(stream)):
        return
    if expanded_size(stream, most) > most:
        raise UnreadableError(f"{what} comes to more than {most / 1e6:.0f} MB")


def expanded_size(stream: Any, enough: int) -> int:
    """Bytes of a stream whose filters are Flate, or none; counted no further than what is enough.

    Of data that is cut or damaged, what comes before that.
    """
    pieces: Iterable[bytes] = [stream.read_raw_bytes()]
    for _ in filter_names(stream):
        pieces = _inflated(pieces)
    count = 0
    for piece in pieces:
        count += len(piece)
        if count > enough:
            break
    return count


def filter_names(stream: Any) -> list[str]:
    """The filters of a stream, the first to be undone first."""
    filters = stream.get(Name.Filter, [])
    return [str(name) for name in ([filters] if isinstance(filters, Name) else filters)]


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
        yield inflater.flush()
    except zlib.error:
        return  # the library keeps what came before, too
