"""What is packed beside the package itself: the thin distribution, and the container's file."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
THIN = ROOT / "packaging" / "ocrmypdf-pagewash"
OURS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_thin_distribution_follows_the_package_and_brings_no_second_plugin():
    thin = tomllib.loads((THIN / "pyproject.toml").read_text())["project"]
    for name in ("version", "requires-python", "license"):
        assert thin[name] == OURS[name]
    assert thin["dependencies"] == [f"pagewash[ocrmypdf]=={OURS['version']}"]
    assert "entry-points" not in thin
    assert "pagewash" in OURS["entry-points"]["ocrmypdf"]


def test_the_container_installs_a_torch_that_the_package_takes():
    (torch,) = (need for need in OURS["dependencies"] if need.startswith("torch"))
    assert f'"{torch}"' in (ROOT / "Dockerfile").read_text()


def test_the_command_of_the_container_is_one_that_the_command_line_takes():
    from pagewash.flows.cli import app

    (command,) = re.findall(r"^CMD (\[.*\])$", (ROOT / "Dockerfile").read_text(), re.M)
    _, *words = tomllib.loads(f"words = {command}")["words"]
    _, bound, _ = app.parse_args(words, exit_on_error=False, print_error=False)
    watching = bound.arguments["watching"]
    assert watching.archive == Path("/archive")
    assert f"'{watching.heartbeat}'" in (ROOT / "Dockerfile").read_text()  # the healthcheck's
