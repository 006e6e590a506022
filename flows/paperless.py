"""The pre-consume script for paperless-ngx: cleans the working copy of a document, in place.

paperless-ngx hands a working copy of a document to the script that is named by
PAPERLESS_PRE_CONSUME_SCRIPT; what the script leaves there is its original from then on.
This is the one place where pagewash writes over what it has read. The command line does not.

Source: "Pre-consumption script" in the documentation of paperless-ngx.
"""

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pagewash.errors import OptionError
from pagewash.failures import DONE, exit_code
from pagewash.flows import console
from pagewash.options import RunOptions

WORKING, ORIGINAL = "DOCUMENT_WORKING_PATH", "DOCUMENT_SOURCE_PATH"
MODEL = "PAGEWASH_MODEL"
"""What paperless-ngx calls them, and what its container may set to take another model."""


def clean_working_copy(environment: Mapping[str, str]) -> None:
    """Clean the working copy that paperless-ngx names, if it is a document that we read.

    The same copy gives the same bytes. One that cannot be cleaned stays as it came, and a word in
    the log of paperless-ngx says why; so does one without a scan, bit for bit.

    Args:
        environment: as paperless-ngx sets it for the script.

    Raises:
        OptionError: it was not called by paperless-ngx, or would write over the original.
        PagewashError: the copy cannot be cleaned; it stays as it was.
    """
    from pagewash.runs.planning import plan_run
    from pagewash.runs.shards import clean_run

    working = _working_copy(environment)
    model = environment.get(MODEL, RunOptions.model)
    options = RunOptions(model=model, max_failures="100%", force=True)  # over its own empty file
    with tempfile.TemporaryDirectory(prefix=".pagewash-", dir=working.parent) as folder:
        cleaned = Path(folder, working.name)
        cleaned.touch()  # a file, whatever its name has no extension to say
        report = clean_run(plan_run(working, cleaned, options))
        if report.failures:
            console.say(f"left as it is: {report.failures[0].message}")
            return
        if report.skipped == report.pages:  # nothing was cleaned, and signatures must hold
            return
        cleaned.chmod(working.stat().st_mode)
        cleaned.replace(working)


def _working_copy(environment: Mapping[str, str]) -> Path:
    working, original = environment.get(WORKING), environment.get(ORIGINAL)
    if not working:
        raise OptionError(
            f"{WORKING} is not set: this is a script for paperless-ngx, named by its "
            "PAPERLESS_PRE_CONSUME_SCRIPT; elsewhere use pagewash clean"
        )
    path = Path(working)
    if original and os.path.exists(original) and os.path.samefile(original, path):  # noqa: PTH110, PTH121
        raise OptionError(f"{working} is the original, and no copy of it; it is left as it is")
    return path


def main() -> int:
    """Clean, and say what went wrong; paperless-ngx refuses a document where this is not 0."""
    console.set_up_logging(quiet=False, verbose=False)
    try:
        clean_working_copy(os.environ)
    except Exception as error:
        console.say(console.explain(error))
        return exit_code(error)
    return DONE


if __name__ == "__main__":
    sys.exit(main())
