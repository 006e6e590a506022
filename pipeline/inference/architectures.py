"""The table of architectures: how each kind of network is built, and how it is run.

A new architecture is a network in `pagewash.models`, something that runs it (a
`pagewash.inference.network.ReadyNetwork`), and a row here; nothing else knows which there are.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from pagewash.inference.int8 import ActivationRanges
from pagewash.inference.int8_tiles import can_run_int8_tiles
from pagewash.inference.network import ReadyNetwork
from pagewash.inference.page_network import PageNetwork
from pagewash.models.page_autoencoder import PageAutoencoder, PageAutoencoderOptions


@dataclass(frozen=True)
class Architecture:
    """A kind of network."""

    options: type[Any]
    """A frozen dataclass: all that rebuilds a network, its weights aside."""

    network: type[torch.nn.Module]
    """Called with such options; it keeps them as `options`."""

    ready: Callable[[Any, torch.device, torch.dtype, ActivationRanges], ReadyNetwork]
    """Makes a network in eval mode ready for inference, on the device that it is on and in a
    precision: uint8 for integers, which need the ranges."""

    can_run_int8: Callable[[Any, ActivationRanges], bool] = lambda network, ranges: False
    """Whether a network with these ranges can run on integers, here."""

    fold: Callable[[Any], object] = lambda network: None
    """Makes a network simpler for inference, in place, so that it cannot be trained any more."""


ARCHITECTURES: dict[str, Architecture] = {
    "page-autoencoder": Architecture(
        PageAutoencoderOptions,
        PageAutoencoder,
        PageNetwork,
        lambda network, ranges: can_run_int8_tiles(network.tiles, ranges),
        PageAutoencoder.fold,
    ),
}
"""By the name that a model's card gives."""


READY = Architecture(object, torch.nn.Module, lambda network, *_: network)
"""For a network that is a `ReadyNetwork` itself; no card can name it."""


def architecture_name(network: object) -> str:
    """The name of a network's architecture.

    Raises:
        ValueError: it is in no row of the table, so that no card can name it.
    """
    for name, architecture in ARCHITECTURES.items():
        if isinstance(network, architecture.network):
            return name
    raise ValueError(f"{type(network).__name__} is none of the architectures that a card can name")


def architecture_of(network: object) -> Architecture:
    """A network's row of the table; `READY` for one that is in none."""
    try:
        return ARCHITECTURES[architecture_name(network)]
    except ValueError:
        return READY
