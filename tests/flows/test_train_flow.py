"""Training as a flow on a real Prefect server, with parameters as its form sends them."""

import json
from pathlib import Path

import pytest
from PIL import ImageFont
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from pagewash.flows.prefect.training import train_autoencoder
from pagewash.inference.checkpoint import load_checkpoint
from pagewash.training.loop import TrainingOptions
from pagewash.training.material import Material


@pytest.fixture
def parameters(tmp_path: Path) -> dict[str, object]:
    """A run of a few seconds, in JSON's types alone; Pillow carries a font."""
    (tmp_path / "fonts").mkdir()
    (tmp_path / "fonts" / "plain.ttf").write_bytes(ImageFont.load_default(20).font_bytes)
    return {
        "folder": str(tmp_path / "run"),
        "options": {
            "network": {"patch": 4, "channels": [4, 4], "layers": [1, 1]},
            "pairs": {"crop": 32},
            "steps": 2,
            "minutes": 0,
            "batch": 2,
            "checkpoint_every": 1,
            "workers": 0,
        },
        "material": {"fonts": [str(tmp_path / "fonts")], "name": "tiny"},
    }


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("prefect_server")
def test_a_run_from_the_form_leaves_its_checkpoint_and_tells_how_far_it_is(parameters, tmp_path):
    state = train_autoencoder(**json.loads(json.dumps(parameters)), return_state=True)
    assert state.is_completed(), state.message
    loaded = load_checkpoint(tmp_path / "run" / "network.safetensors")
    assert loaded.card.name == "tiny"
    assert loaded.network.options.channels == (4, 4)
    with get_client(sync_client=True) as client:
        key = ArtifactFilterKey(any_=["pagewash-training"])
        told = client.read_artifacts(artifact_filter=ArtifactFilter(key=key))
    assert len(told) == 2  # one for each line of the log
    assert any("| 2 |" in artifact.data for artifact in told)


def test_the_form_asks_for_a_folder_alone_and_explains_the_options():
    form = train_autoencoder.parameters
    assert form.required == ["folder"]
    assert all(field["description"] for field in form.properties.values())
    for kind in (TrainingOptions, Material):
        options = form.definitions[kind.__name__]["properties"]
        assert set(options) == set(vars(kind()))
        assert all(option["description"] for option in options.values())
    losses = form.definitions["TrainingOptions"]["properties"]["loss"]
    assert losses["enum"] == ["l1+mse", "l1", "mse", "huber"]
