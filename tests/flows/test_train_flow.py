"""Training as a flow on a real Prefect server, with parameters as its form sends them."""

import json
from pathlib import Path

import pytest
from corpora import write_font
from networks import SMALL, small_network
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from scans import write_scan

from pagewash.flows.prefect.training import train_autoencoder
from pagewash.inference.checkpoint import ModelCard, load_checkpoint, save_checkpoint
from pagewash.training.own_pages import OwnPages
from pagewash.training.recipe_run import Resources

RECIPE = """
name = "tiny"
start = "{start}"

[loop]
steps = 2
pages = 2
crops = 1
crop = 64

[shares]
rendered = 0.5
aged = 0.5

[corpus]
leaves = 1
validation_leaves = 1
own_copies = 1
leaf = {{ heights = [96, 97], widths = [128, 129], a4 = 0.0 }}

[choice]
every = 2
crops = 1
calibration_steps = 1
"""


@pytest.fixture
def parameters(tmp_path: Path) -> dict[str, object]:
    """A run of a few seconds, in JSON's types alone."""
    (tmp_path / "fonts").mkdir()
    write_font(tmp_path / "fonts")
    write_scan(tmp_path / "clean/page.png")
    save_checkpoint(tmp_path / "start.safetensors", small_network(), ModelCard("start"))
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(RECIPE.format(start=tmp_path / "start.safetensors"))
    return {
        "folder": str(tmp_path / "run"),
        "recipe": str(recipe),
        "resources": {
            "fonts": [str(tmp_path / "fonts")],
            "own": {"clean": str(tmp_path / "clean")},
        },
    }


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("prefect_server")
def test_a_run_from_the_form_leaves_its_checkpoint_and_tells_how_far_it_is(parameters, tmp_path):
    state = train_autoencoder(**json.loads(json.dumps(parameters)), return_state=True)
    assert state.is_completed(), state.message
    loaded = load_checkpoint(tmp_path / "run" / "tiny.safetensors")
    assert loaded.card.name == "tiny"
    assert loaded.network.options == SMALL
    with get_client(sync_client=True) as client:
        key = ArtifactFilterKey(any_=["pagewash-training"])
        (told,) = client.read_artifacts(artifact_filter=ArtifactFilter(key=key))
    assert "| 2 | 2 |" in told.data


def test_the_form_asks_for_a_folder_alone_and_explains_what_to_learn_from():
    form = train_autoencoder.parameters
    assert form.required == ["folder"]
    assert all(field["description"] for field in form.properties.values())
    for kind in (Resources, OwnPages):
        options = form.definitions[kind.__name__]["properties"]
        assert set(options) == set(vars(kind()))
        assert all(option["description"] for option in options.values())
