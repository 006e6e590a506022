"""Standard input and output as files, so that the work itself knows paths alone."""

import os
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from pagewash.errors import AccessError, OptionError
from pagewash.files import access_errors
from pagewash.flows.streams import give_up_stdout
from pagewash.leftovers import working_folder
from pagewash.runs.conflicts import identity
from pagewash.runs.planning import names_a_file

STREAM = Path("-")


@contextmanager
def piped(source: Path, destination: Path, *, force: bool) -> Iterator[tuple[Path, Path]]:
    """Put files in the place of a source or destination that is "-".

    Standard output gets the whole document when the block ends well, and nothing otherwise.

    Args:
        source: what to clean.
        destination: the file to make; for standard output a folder too.
        force: whether standard input may go over a file that is there.

    Raises:
        OptionError: standard input to a folder, or standard output for a folder or a terminal; or
            the two are one file.
        AccessError: a stream cannot be read or written.
    """
    if STREAM not in (source, destination):
        yield source, destination
        return
    for place, stream, name in (
        (source, sys.stdin, "standard input"),
        (destination, sys.stdout, "standard output"),
    ):
        if place == STREAM and stream is None:
            raise AccessError(f"{name} is closed; name a file in place of -")
    if destination == STREAM and source.is_dir():
        raise OptionError(f"{source} is a folder, and standard output takes one document; name one")
    if destination == STREAM and sys.stdout.isatty():
        raise OptionError(
            "a cleaned document is not written to a terminal; send standard output to a file or "
            f"a program, as in: pagewash clean {source} - > cleaned"
        )
    if source == STREAM and sys.stdin.isatty():
        raise OptionError(
            "standard input is a terminal, which sends no document; pipe one into it, as in: "
            f"pagewash clean - {destination} < scan"
        )
    if source == STREAM and not names_a_file(destination) and destination != STREAM:
        raise OptionError(f"standard input has no name to give to a file in {destination}; name it")
    if _file_at(source, sys.stdin) & _file_at(destination, sys.stdout):
        raise OptionError(
            "the document would be written over itself: source and destination are one file; name "
            "another one for the cleaned document"
        )
    if source == STREAM and destination.is_file() and not force:
        raise OptionError(
            f"{destination} is there already, and may be another scan; name another place, or "
            "--force to write over it"
        )
    with working_folder() as folder:
        from_file, to_file = source, destination
        if source == STREAM:
            from_file = Path(folder, "standard input")
            with access_errors("standard input", "read"), from_file.open("wb") as file:
                shutil.copyfileobj(sys.stdin.buffer, file)
        if destination == STREAM:
            to_file = Path(folder, "standard output")
            to_file.touch()  # a file, whatever its name has no extension to say
        yield from_file, to_file
        if destination == STREAM:
            with access_errors("standard output", "written"), to_file.open("rb") as file:
                try:
                    shutil.copyfileobj(file, sys.stdout.buffer)
                    sys.stdout.buffer.flush()
                except OSError:
                    give_up_stdout()
                    raise


def _file_at(place: Path, stream: TextIO) -> frozenset[tuple[int, ...]]:
    """The file that a place or its stream is; nothing for a pipe or a terminal."""
    if place != STREAM:
        return identity(place)
    try:
        number = stream.fileno()
        return identity(number) if stat.S_ISREG(os.fstat(number).st_mode) else frozenset()
    except (OSError, ValueError):  # a stream in memory
        return frozenset()
