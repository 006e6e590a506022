"""Which kind of file something is, where documents lie, and where their outputs go.

Names and first bytes only: nothing is decoded here.
"""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pagewash.files import access_errors, real_path
from pagewash.options import Format

Container = Literal["png", "jpeg", "tiff", "bmp", "webp", "jp2", "pdf"]

EXTENSIONS: dict[Container, tuple[str, ...]] = {
    "png": (".png",),
    "jpeg": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "tiff": (".tif", ".tiff"),
    "bmp": (".bmp", ".dib"),
    "webp": (".webp",),
    "jp2": (".jp2", ".j2k", ".jpf", ".jpx", ".j2c", ".jpc"),
    "pdf": (".pdf",),
}
"""Extensions of each container, the usual one first."""

_CONTAINERS = {extension: kind for kind, known in EXTENSIONS.items() for extension in known}

_MAGIC: tuple[tuple[bytes, Container], ...] = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),  # BigTIFF
    (b"MM\0+", "tiff"),
    (b"BM", "bmp"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "jp2"),
    (b"\xff\x4f\xff\x51", "jp2"),
)

MULTI_PAGE: frozenset[Container] = frozenset({"tiff", "pdf"})
"""Containers that hold more than one page."""


@dataclass(frozen=True)
class WriteOptions:
    """How cleaned documents are written."""

    format: Format = "keep"
    """Container of the output; "keep" writes what came in."""


DEFAULT_WRITING = WriteOptions()


def sniff(head: bytes) -> Container | None:
    """The container that a file's first bytes announce, or None.

    Args:
        head: the first 1024 bytes, or all there are: a PDF may have that much before its header.
    """
    for magic, container in _MAGIC:
        if head.startswith(magic):
            return container
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    return "pdf" if b"%PDF-" in head[:1024] else None


def container_of_name(path: Path) -> Container | None:
    """The container that a file's extension announces, in any case, or None."""
    return _CONTAINERS.get(path.suffix.lower())


def output_path(source: Path, root: Path, destination: Path, options: WriteOptions) -> Path:
    """Where the cleaned `source` goes: the same place under `destination`, the same stem.

    The extension is the source's own where that suits the format, so `A.TIF` stays `A.TIF`.

    Args:
        source: a document in `root`, or `root` itself.
        root: the folder, or the one file, that is being cleaned.
        destination: the folder for the outputs.
        options: says the format.
    """
    place = Path(source.name) if source == root else source.relative_to(root)
    if options.format == "keep" or options.format == container_of_name(source):
        return destination / place
    extension = EXTENSIONS[options.format][0]
    stem = place.stem if container_of_name(place) else place.name
    return destination / place.with_name(stem + extension)


def _refuse(error: OSError) -> None:
    with access_errors(error.filename, "read"):
        raise error


def find_documents(root: Path, on_error: Callable[[OSError], None] = _refuse) -> list[Path]:
    """Every document under a folder, by extension in any case, sorted; or the one file given.

    Hidden files and folders are left out, and so are symlinks that lead out of the folder, pipes
    and devices.

    Args:
        root: the folder, or the file.
        on_error: told of a folder that may not be looked into; the default raises, since its
            documents would be missed silently.

    Raises:
        AccessError: by default, of such a folder.
    """
    if not root.is_dir():
        return [root]
    return sorted(path for path in _walk(root, on_error) if container_of_name(path))


def _walk(root: Path, on_error: Callable[[OSError], None]) -> Iterator[Path]:
    inside = real_path(root)
    for folder, names, files in os.walk(root, onerror=on_error):
        names[:] = [name for name in names if not name.startswith(".")]
        for name in files:
            path = Path(folder, name)
            if name.startswith(".") or _leads_out(path, inside):
                continue
            if _may_be_read(path):
                yield path


def _leads_out(path: Path, inside: Path) -> bool:
    """Whether a file is a symlink to outside of a folder, or one that leads to itself."""
    real = real_path(path)
    # unlike its method, this asks of a folder that may not be looked into without raising
    return os.path.islink(real) or not real.is_relative_to(inside)  # noqa: PTH114


def _may_be_read(path: Path) -> bool:
    """Whether reading it comes to an end: a pipe may wait for its writer for ever."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return True  # whoever reads it says why it cannot be
