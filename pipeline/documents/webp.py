"""What the chunks of a WebP tell (Google, WebP Container Specification)."""

from typing import BinaryIO

_FRAME = b"ANMF"
_FRAME_HEADER = 16  # bytes; chunks of its own follow


def is_lossless(file: BinaryIO) -> bool:
    """Whether the first picture of a WebP is coded without loss.

    Args:
        file: seekable, at any place.
    """
    place = 12  # past RIFF, its size, WEBP
    while True:
        file.seek(place)
        head = file.read(8)
        if len(head) < 8 or head[:4] in (b"VP8 ", b"VP8L"):
            return head[:4] == b"VP8L"
        size = int.from_bytes(head[4:], "little")
        place += 8 + (_FRAME_HEADER if head[:4] == _FRAME else size + size % 2)
