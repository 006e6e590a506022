"""Options from a file and from the environment: what stands on the command line goes before both.

pagewash clean scans cleaned --config pagewash.toml    # [clean]  device = "cpu"
PAGEWASH_CLEAN_DEVICE=cpu pagewash clean scans cleaned
"""

import tomllib
from collections.abc import Sequence
from pathlib import Path

from cyclopts import App
from cyclopts.config import Env, Toml

from pagewash.errors import InputError, OptionError
from pagewash.files import access_errors

FLAG = "--config"
PREFIX = "PAGEWASH_"


def configure(app: App, arguments: Sequence[str]) -> list[str]:
    """Let an app take options from the environment, and from the file that --config names.

    Returns:
        The arguments without --config.

    Raises:
        OptionError: --config names no file, or more than one.
        InputError: the file is no TOML.
        AccessError: it cannot be read.
    """
    rest, files = _split(arguments)
    if len(files) > 1:
        raise OptionError(f"{FLAG} was given {len(files)} times; put all options into one file")
    for file in files:
        _check(file, [name for name in app if not name.startswith("-")])
    environment = Env(PREFIX, show=False)
    app.config = (environment, *(Toml(file, must_exist=True) for file in files))
    return rest


def _split(arguments: Sequence[str]) -> tuple[list[str], list[Path]]:
    """Tell --config FILE and --config=FILE from all else."""
    rest: list[str] = []
    files: list[Path] = []
    remaining = iter(arguments)
    for argument in remaining:
        name, equals, value = argument.partition("=")
        if name != FLAG:
            rest.append(argument)
            continue
        value = value if equals else next(remaining, "")
        if not value:
            raise OptionError(f"{FLAG} wants a file; write {FLAG} pagewash.toml")
        files.append(Path(value))
    return rest, files


def _check(file: Path, commands: Sequence[str]) -> None:
    with access_errors(str(file), "read"):
        content = file.read_bytes()
    try:
        tables = tomllib.loads(content.decode())
    except ValueError as error:
        raise InputError(
            f"{file} is not TOML: {error}. Correct it, or leave out {FLAG}."
        ) from error
    for name, table in tables.items():
        if name not in commands or not isinstance(table, dict):
            raise OptionError(
                f"{file}: {name} is no table of a command; options stand in one, as in [clean], "
                f"and there are {', '.join(commands)}"
            )
