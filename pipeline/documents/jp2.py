"""The boxes of a JP2 file that Pillow leaves aside: resolution and colour profile.

Source: ISO/IEC 15444-1, Annex I.
"""

import struct

_INCHES_PER_METRE = 1 / 0.0254
_RESTRICTED_PROFILE = 2


def add_boxes(jp2: bytes, dpi: tuple[float, float] | None, icc: bytes | None) -> bytes:
    """A JP2 file with its resolution and its profile.

    Args:
        jp2: a file as Pillow writes it.
        dpi: pixels per inch, horizontal and vertical.
        icc: a grey or RGB profile.
    """
    written = []
    for kind, content in _boxes(jp2):
        if kind == b"jp2h":
            content = b"".join(
                _box(inner, _profile(icc) if inner == b"colr" and icc else data)
                for inner, data in _boxes(content)
            )
            content += _resolution(dpi) if dpi else b""
        written.append(_box(kind, content))
    return b"".join(written)


def read_profile(jp2: bytes) -> bytes | None:
    """The colour profile of a JP2 file, or None.

    Args:
        jp2: the file, or as much of it as stands before its pixels.
    """
    header = next((content for kind, content in _boxes(jp2) if kind == b"jp2h"), b"")
    for kind, content in _boxes(header):
        if kind == b"colr" and content[:1] == bytes([_RESTRICTED_PROFILE]):
            return content[3:]
    return None


def _boxes(data: bytes) -> list[tuple[bytes, bytes]]:
    boxes, start = [], 0
    while start + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, start)
        head = 8
        if size == 1 and start + 16 <= len(data):  # a long box
            (size,) = struct.unpack_from(">Q", data, start + 8)
            head = 16
        end = start + size if size >= head else len(data)  # 0: up to the end of the file
        boxes.append((kind, data[start + head : end]))
        start = end
    return boxes


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def _profile(icc: bytes) -> bytes:
    return bytes([_RESTRICTED_PROFILE, 0, 0]) + icc


def _resolution(dpi: tuple[float, float]) -> bytes:
    (across, of_across), (down, of_down) = (
        _with_exponent(each * _INCHES_PER_METRE) for each in dpi
    )
    figures = down, 1, across, 1, of_down, of_across
    return _box(b"res ", _box(b"resc", struct.pack(">HHHHbb", *figures)))


def _with_exponent(value: float) -> tuple[int, int]:
    """A value as two bytes times a power of ten."""
    exponent = 0
    while round(value) > 0xFFFF:
        value, exponent = value / 10, exponent + 1
    return round(value), exponent
