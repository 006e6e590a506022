"""What users import, what lands in their environment, and what of theirs stays undisturbed."""

import contextvars
import inspect
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from scans import write_scan

import pagewash
from pagewash.options import RunOptions
from pagewash.runs.holding import hold

ROOT = Path(__file__).parents[1]

PUBLIC = {
    "CleanOptions",
    "Cleaner",
    "PagewashError",
    "__version__",
    "clean_folder",
    "open_document",
    "read_records",
}


def run(script: str, folder: Path) -> str:
    """What a Python prints that was started in a folder, which is first on its path."""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout


def test_what_is_public_is_on_purpose():
    assert set(pagewash.__all__) == PUBLIC
    assert set(dir(pagewash)) >= PUBLIC


@pytest.mark.parametrize("name", sorted(PUBLIC - {"__version__"}))
def test_every_public_name_says_what_it_is(name):
    thing = getattr(pagewash, name)
    assert inspect.getdoc(thing)
    assert thing.__module__.startswith("pagewash.")


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Cleanr'"):
        pagewash.Cleanr  # noqa: B018
    with pytest.raises(ImportError):
        from pagewash import Cleanr  # noqa: F401


def test_options_and_errors_need_no_torch(tmp_path):
    script = (
        "import sys; from pagewash import CleanOptions, PagewashError, __version__; "
        "CleanOptions(color='gray'); print({'torch', 'cv2', 'prefect', 'numpy'} & set(sys.modules))"
    )
    assert run(script, tmp_path).strip() == "set()"


def test_a_folder_is_cleaned_by_one_call(tmp_path, tiny_model):
    write_scan(tmp_path / "scans" / "page.png")
    options = pagewash.CleanOptions(device="cpu", precision="fp32", color="gray")
    places = str(tmp_path / "scans"), str(tmp_path / "out")
    report = pagewash.clean_folder(*places, options, model=str(tiny_model), format="tiff")
    assert (report.documents, report.exit_code) == (1, 0)
    with pagewash.open_document(tmp_path / "out" / "page.tif") as document:
        (page,) = document.pages()
        assert page.pixels.dtype == np.uint8
    rows = pagewash.read_records(tmp_path / "out")
    assert rows["status"].to_pylist() in (["cleaned"], ["review"])
    again = pagewash.clean_folder(*places, options, model=str(tiny_model), format="tiff")
    assert (again.documents, again.done_before) == (0, 1)


def test_a_call_keeps_clear_of_a_run_at_work(tmp_path, tiny_model):
    write_scan(tmp_path / "scans" / "page.png")
    places = tmp_path / "scans", tmp_path / "out"
    with (
        hold(*places, RunOptions()),
        pytest.raises(pagewash.PagewashError, match="held by another run"),
    ):
        contextvars.Context().run(pagewash.clean_folder, *places, model=str(tiny_model))


def test_what_cannot_work_is_a_pagewash_error(tmp_path):
    with pytest.raises(pagewash.PagewashError, match="is not there"):
        pagewash.clean_folder(tmp_path / "nowhere", tmp_path / "out")


def test_modules_of_the_same_names_beside_the_user_disturb_nothing_and_are_not_disturbed(tmp_path):
    for name in ("models", "flows"):
        (tmp_path / f"{name}.py").write_text(f"whose = 'my {name}'\n")
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "pipeline" / "__init__.py").write_text("whose = 'my pipeline'\n")
    script = (
        "import models, flows, pipeline, pagewash.flows.cli, pagewash.inference.checkpoint\n"
        "from pagewash.inference.model_files import shipped_models\n"
        "print(models.whose, flows.whose, pipeline.whose, *shipped_models(), sep=', ')"
    )
    mine, others, theirs, *models = run(script, tmp_path).strip().split(", ")
    assert (mine, others, theirs) == ("my models", "my flows", "my pipeline")
    assert "fast" in models


def test_nothing_but_pagewash_is_installed(tmp_path):
    pytest.importorskip("setuptools", minversion="77")  # as pyproject.toml asks
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"),
            *("--no-build-isolation", "--wheel-dir", str(tmp_path), str(source_copy(tmp_path))),
        ],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names} == {
        "pagewash",
        f"pagewash-{pagewash.__version__}.dist-info",
    }
    packaged = {name for name in names if name.endswith(".py")}
    packages = (("pipeline", ""), ("models", "/models"), ("flows", "/flows"))
    for folder, place in packages:
        for path in (ROOT / folder).rglob("*.py"):
            assert f"pagewash{place}/{path.relative_to(ROOT / folder).as_posix()}" in packaged
        for path in (ROOT / folder).rglob("*.*"):
            if path.suffix in (".toml", ".json", ".yaml", ".safetensors", ".jinja"):
                name = path.relative_to(ROOT / folder)
                left_out = "unfinished" in name.parts
                assert (f"pagewash{place}/{name.as_posix()}" in names) != left_out, name
    assert any(name.endswith("licenses/LICENSE") for name in names)


def source_copy(folder: Path) -> Path:
    """The sources somewhere else, so that the build leaves nothing in the repository."""
    import shutil

    copy = folder / "source"
    copy.mkdir()
    for name in ("pipeline", "flows", "models"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    return copy
