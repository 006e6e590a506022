"""What can go wrong, as values for users: a message that names the thing, and an exit code.

    PagewashError          15  anything else that we foresaw
    ├── OptionError         1  an argument that cannot work
    ├── InputError          2  a document that cannot be read
    │   ├── EmptyFileError
    │   ├── UnreadableError
    │   ├── EncryptedError
    │   ├── TooLargeError
    │   └── TooSlowError
    ├── MissingError        3  a program, package or model that is not there
    ├── AccessError         5  a file or folder that cannot be read or written
    └── HeldError          75  a destination that another run is writing to

Exit codes follow OCRmyPDF's; 75 is the system's "try again later" (sysexits.h). A message says
what was found and what to do next.
"""


class PagewashError(Exception):
    """Base of all errors that pagewash raises on purpose."""

    exit_code = 15


class OptionError(PagewashError, ValueError):
    """An option or argument that cannot work, found before anything is written."""

    exit_code = 1


class InputError(PagewashError):
    """A document that cannot be cleaned, whoever tries."""

    exit_code = 2


class EmptyFileError(InputError):
    """A file of zero bytes."""


class UnreadableError(InputError):
    """A file that is truncated, corrupt, or not what its content should be."""


class EncryptedError(InputError):
    """A PDF that asks for a password."""


class TooLargeError(InputError):
    """A document that asks for more pixels or memory than the limits allow."""


class TooSlowError(InputError):
    """A document that takes more time than the limits allow."""


class MissingError(PagewashError):
    """A program, package or model that is needed and is not there."""

    exit_code = 3


class AccessError(PagewashError):
    """A file or folder that cannot be read or written: permissions, a full disk."""

    exit_code = 5


class HeldError(PagewashError):
    """A destination that another run is writing to."""

    exit_code = 75
