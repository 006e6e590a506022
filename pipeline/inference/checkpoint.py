"""Weights on disk, and the card that says what they are and rebuilds their network.

A checkpoint is two files of one stem: `fast.safetensors` and `fast.json`. No pickles: reading
one runs nothing. Ignorant of pages, devices and precision.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError

from pagewash.errors import InputError
from pagewash.files import access_errors, write_atomically
from pagewash.inference.architectures import ARCHITECTURES, architecture_name
from pagewash.inference.int8 import ActivationRanges
from pagewash.inference.model_files import find_model, shipped_models
from pagewash.models.page_autoencoder import PageAutoencoderOptions

__all__ = [
    "Checkpoint",
    "ModelCard",
    "floats_of",
    "load_checkpoint",
    "ranges_for_card",
    "read_card",
    "read_ranges",
    "save_checkpoint",
    "shipped_models",
    "text_of",
    "write_card",
]


MOST_LAYERS, MOST_CHANNELS = 64, 8192
"""What a card may ask for, so that a damaged one does not take all the memory there is."""


@dataclass(frozen=True)
class ModelCard:
    """What a checkpoint is: its network, and where it comes from."""

    name: str
    """What people call it, as in `--model fast`."""

    options: Any = field(default_factory=PageAutoencoderOptions)
    """The network's shape; `save_checkpoint` takes it from the network that it saves."""

    architecture: str = "page-autoencoder"
    """The network's kind, of `pagewash.inference.architectures`; taken from the network, too."""

    text_heights: tuple[float, float] = (15.0, 45.0)
    """Smallest and largest x-height in pixels that it was trained on."""

    recipe: Mapping[str, Any] = field(default_factory=dict)
    """The options of its training."""

    training_data: str = ""
    """What it learned from."""

    git_revision: str = ""
    """The revision of pagewash that trained it."""

    scores: Mapping[str, float] = field(default_factory=dict)
    """What it reached, by the name of the measure and of the pages."""

    calibration: Mapping[str, Any] = field(default_factory=dict)
    """Its features on usual pages, for `pagewash.cleaning.novelty`; empty where not calibrated."""

    activation_ranges: Mapping[str, str] = field(default_factory=dict)
    """Of its activations, as text, for `pagewash.inference.int8`; `read_ranges` reads them."""

    licence: str = ""
    """Under which terms the weights may be used."""

    attribution: str = ""
    """Whom the training data asks to name."""

    sha256: str = ""
    """Of the weights' file; filled in by `save_checkpoint`, compared on loading."""


@dataclass(frozen=True)
class Checkpoint:
    """A network that is ready to use, its card, and the hash of its weights' file."""

    network: Any
    """Of the card's architecture."""

    card: ModelCard
    sha256: str


def save_checkpoint(path: Path, network: torch.nn.Module, card: ModelCard) -> None:
    """Write a network's weights to `path` and its card beside it, each whole or not at all.

    Args:
        path: ends in `.safetensors`; its folder is made if need be.
        network: on any device, not folded, so that training can go on from it.
        card: `options` and `sha256` are filled in here.

    Raises:
        ValueError: the network is folded, or the path's suffix is another one.
        AccessError: a file cannot be written.
    """
    if path.suffix != ".safetensors":
        raise ValueError(f"{path}: a checkpoint's name ends in .safetensors")
    name, options = architecture_name(network), network.options
    tensors = {name: value.cpu().contiguous() for name, value in network.state_dict().items()}
    try:
        _check_shapes(ARCHITECTURES[name].network, options, tensors)
    except ValueError as error:
        raise ValueError(
            f"{path}: a folded network cannot be saved; save the one it came from"
        ) from error
    weights = safetensors.torch.save(tensors)
    card = replace(
        card,
        options=options,
        architecture=name,
        sha256=hashlib.sha256(weights).hexdigest(),
    )
    write_atomically(path, weights)
    write_card(path, card)


def write_card(path: Path, card: ModelCard) -> None:
    """Write the card beside a weights' file anew, whole or not at all.

    Raises:
        AccessError: it cannot be written.
    """
    write_atomically(_card_path(path), (json.dumps(asdict(card), indent=2) + "\n").encode())


def load_checkpoint(name_or_path: str | Path, *, fold: bool = True) -> Checkpoint:
    """Rebuild a network from its checkpoint, on the CPU and in eval mode.

    Args:
        name_or_path: the name of a shipped model, or the path of a `.safetensors` file.
        fold: fold batch normalisation into the convolutions, for inference; without it the
            network can be trained further.

    Raises:
        MissingError: there is no such model.
        InputError: a file is damaged, or weights and card do not belong together.
        AccessError: a file cannot be read.
    """
    path = find_model(name_or_path)
    card = read_card(path)
    weights = _read(path)
    sha256 = hashlib.sha256(weights).hexdigest()
    if card.sha256 and card.sha256 != sha256:
        raise InputError(
            f"{path} is not the file that its card {_card_path(path).name} describes: it was "
            "changed or damaged. Copy both files again."
        )
    try:
        tensors = safetensors.torch.load(weights)
        architecture = ARCHITECTURES[card.architecture]
        _check_shapes(architecture.network, card.options, tensors)
        network = architecture.network(card.options)
        network.load_state_dict(tensors)
    except (SafetensorError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(
            f"{path} does not hold the weights of the network on its card: {error}. "
            "Copy both files again."
        ) from error
    if fold:
        architecture.fold(network)
    return Checkpoint(network.eval(), card, sha256)


def read_card(path: Path) -> ModelCard:
    """Read the card beside a weights' file; fields of another pagewash are left out.

    Raises:
        InputError: it is no card, or its network is one that this pagewash cannot build.
        AccessError: it cannot be read.
    """
    card_path = _card_path(path)
    try:
        content = json.loads(_read(card_path))
        known = {key.name for key in fields(ModelCard)}
        values = {key: value for key, value in content.items() if key in known}
        architecture = ARCHITECTURES[content["architecture"]]
        values["options"] = _options(architecture.options, content["options"])
        if "text_heights" in values:
            low, high = values["text_heights"]
            values["text_heights"] = (float(low), float(high))
        return ModelCard(**values)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{card_path} is not a model card that this pagewash understands: {error!r}. "
            "Copy it again, or update pagewash."
        ) from error


def read_ranges(card: ModelCard) -> ActivationRanges:
    """Return the ranges on a card; none if it has none.

    Raises:
        InputError: they are damaged.
    """
    try:
        spans = {
            name: floats_of(text).reshape(3, -1) for name, text in card.activation_ranges.items()
        }
    except (AttributeError, ValueError, TypeError) as error:
        raise InputError(
            f"the ranges on the card of {card.name} cannot be used: {error!r}. Copy it again"
        ) from error
    return {name: torch.from_numpy(span) for name, span in spans.items()}


def ranges_for_card(ranges: ActivationRanges) -> dict[str, str]:
    """Return ranges as text for a card."""
    return {name: text_of(span.numpy()) for name, span in ranges.items()}


def text_of(values: NDArray[np.float32]) -> str:
    """Return numbers as text for a card: float32, least byte first, in base64."""
    return base64.b64encode(values.astype("<f4").tobytes()).decode()


def floats_of(text: str) -> NDArray[np.float32]:
    """Return the numbers of `text_of` in one row; a ValueError if it is none."""
    return np.frombuffer(base64.b64decode(text, validate=True), "<f4").astype(np.float32)


def _options(kind: type[Any], values: Mapping[str, Any]) -> Any:
    """Return options from JSON, where tuples are lists; an unknown one is a TypeError."""
    options: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
    }
    for key, value in options.items():
        sizes = value if isinstance(value, tuple) else (value,)
        most = MOST_LAYERS if "layers" in key else MOST_CHANNELS
        if len(sizes) > MOST_LAYERS or any(isinstance(s, int) and s > most for s in sizes):
            raise ValueError(f"{key} of {value!r:.60} is more than any network has")
    return kind(**options)


def _check_shapes(kind: type[Any], options: Any, tensors: Mapping[str, torch.Tensor]) -> None:
    """Compare a network with its weights before it takes any memory."""
    with torch.device("meta"):
        expected = {name: value.shape for name, value in kind(options).state_dict().items()}
    if expected != {name: value.shape for name, value in tensors.items()}:
        raise ValueError("names or shapes differ")


def _card_path(path: Path) -> Path:
    return path.with_suffix(".json")


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise InputError(f"{path} is missing: a model is two files, copy both.")
    with access_errors(str(path), "read"):
        return path.read_bytes()
