"""Sets up the automation that pauses a schedule whose pages fail; as often as one likes.

    python -m pagewash.flows.prefect.automation

Prefect's own `automation create` makes another one each time, and each of them would act.
"""

import sys
from pathlib import Path
from typing import Any

import yaml
from prefect.automations import Automation

from pagewash.failures import DONE, exit_code
from pagewash.flows import console
from pagewash.flows.prefect.api import server_errors, wait_for_server

FILE = Path(__file__).parents[1] / "automation.yaml"


def set_up_automation(file: Path = FILE) -> bool:
    """Create the automation of a file, or bring the one of its name up to date.

    One that a user has switched off stays so.

    Returns:
        Whether it was created.

    Raises:
        MissingError: the Prefect server does not answer.
    """
    wait_for_server()
    asked: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    with server_errors():
        try:
            found: Any = Automation.read(name=asked["name"])  # outside of a loop it waits
        except ValueError:  # so Prefect says that there is none
            Automation(**asked).create()
            return True
        Automation(**asked | {"id": found.id, "enabled": found.enabled}).update()
        return False


def main() -> int:
    """Set it up, and say what was done."""
    try:
        created = set_up_automation()
    except Exception as error:
        console.say(console.explain(error))
        return exit_code(error)
    console.say(
        "the automation is set up" if created else "the automation was there; it is up to date"
    )
    return DONE


if __name__ == "__main__":
    sys.exit(main())
