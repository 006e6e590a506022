"""Imports point one way, models <- pipeline <- flows, and importing starts nothing."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = ("models", "pipeline", "flows")


def modules(layer: str) -> list[Path]:
    return sorted((ROOT / layer).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Full names that a file imports anywhere, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide which way they point"
            yield node.module or ""


def top(name: str) -> str:
    return name.partition(".")[0]


def ids(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", modules("models"), ids=ids)
def test_models_import_torch_alone(path):
    foreign = {top(name) for name in imported(path)} - set(sys.stdlib_module_names)
    assert foreign <= {"torch", "pagewash"}
    assert all(
        name.startswith("pagewash.models") for name in imported(path) if top(name) == "pagewash"
    )


@pytest.mark.parametrize("path", modules("pipeline"), ids=ids)
def test_pipeline_imports_neither_flows_nor_prefect_nor_dask(path):
    assert not any(
        top(name) in ("prefect", "prefect_dask", "dask", "distributed")
        or name.startswith("pagewash.flows")
        for name in imported(path)
    )


RESEARCH = ("training", "evaluation")


@pytest.mark.parametrize("path", modules("pipeline"), ids=ids)
def test_what_cleans_pages_imports_nothing_of_training_and_evaluation(path):
    if path.relative_to(ROOT / "pipeline").parts[0] not in RESEARCH:
        assert not any(
            name.startswith(tuple(f"pagewash.{folder}" for folder in RESEARCH))
            for name in imported(path)
        )


@pytest.mark.parametrize("path", [p for layer in LAYERS for p in modules(layer)], ids=ids)
def test_nothing_imports_the_tests(path):
    assert "tests" not in {top(name) for name in imported(path)}


def modules_after(statement: str) -> set[str]:
    """Names of the modules that are loaded after a statement in a fresh interpreter."""
    code = f"{statement}\nimport sys, threading\nprint(threading.active_count(), *sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    threads, *names = run.stdout.split()
    assert threads == "1"
    return set(names)


def test_importing_pipeline_starts_nothing():
    loaded = modules_after("import pagewash")
    assert not {"torch", "cv2", "prefect", "numpy"} & loaded


def test_the_cleaner_needs_no_prefect_and_changes_no_threads():
    loaded = modules_after(
        "import torch\nbefore = torch.get_num_threads()\n"
        "import pagewash.cleaning.cleaner\nassert torch.get_num_threads() == before"
    )
    assert "prefect" not in loaded
