"""What failed in a run, in few words: the one place that turns errors into exit codes.

Knows errors, and nothing of the work that raises them.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from pagewash.errors import AccessError, InputError, PagewashError
from pagewash.files import harmless
from pagewash.leftovers import without_working_folders

DONE, OTHER, INTERRUPTED = 0, 15, 130


@dataclass(frozen=True)
class Failure:
    """A document that was not cleaned."""

    source: str
    """Path below the source."""

    error: str
    """Class of the error."""

    message: str
    """What was found, and the way out."""

    exit_code: int
    """Of a command that met this failure alone."""

    @property
    def may_pass(self) -> bool:
        """Whether trying again can help: a full disk or a lost share, not a corrupt file."""
        return self.exit_code == AccessError.exit_code


def describe(source: str, error: Exception) -> Failure:
    """Put an error about a document into words; ours name it themselves."""
    message = " ".join(str(error).split())
    if not isinstance(error, PagewashError):
        message = f"{source}: {type(error).__name__}: {message}".rstrip(": ")
    return Failure(
        source, type(error).__name__, harmless(without_working_folders(message)), exit_code(error)
    )


def exit_code(error: BaseException) -> int:
    """Exit code of a command that ends with an error; they follow OCRmyPDF's."""
    match error:
        case PagewashError():
            return error.exit_code
        case KeyboardInterrupt():
            return INTERRUPTED
        case ImportError():
            return 3
        case OSError():
            # without a number it is not the system's: Pillow says so of corrupt images
            return InputError.exit_code if error.errno is None else AccessError.exit_code
        case _:
            return OTHER


def worst(failures: Iterable[Failure]) -> int:
    """Exit code of a run: of the failures that say most about the machine, 0 without any.

    The codes grow from the user's files (2) over the disk (5) to pagewash itself (15).
    """
    return max((failure.exit_code for failure in failures), default=DONE)
