"""A worker whose decoder does harm to images of certain widths, as a broken library would."""

import ctypes
import time

from pagewash.documents import decoding, images
from pagewash.isolation.worker import main

CRASHES, SLEEPS, COMPUTES, ALLOCATES, PRINTS, GROWS = 101, 102, 103, 104, 105, 106

_decode = decoding.decode


def _harm(image):
    if image.width == CRASHES:
        ctypes.string_at(0)
    while image.width == SLEEPS:
        time.sleep(60)
    while image.width == COMPUTES:
        pass
    if image.width == ALLOCATES:
        bytearray(10**10)
    if image.width == GROWS:
        _ = b"x" * 1_100_000_000
    if image.width == PRINTS:
        ctypes.CDLL(None).puts(b"\033[31mlook at me")
        ctypes.CDLL(None).fflush(None)
    return _decode(image)


setattr(images, "decode", _harm)  # noqa: B010 (a name that it imports)

if __name__ == "__main__":
    main()
