"""The mean of several checkpoints' weights, which is mostly better than each of them.

    python -m pagewash.training.averaging OUT A.safetensors=0.5 B.safetensors=0.5 FONTS...

They must have a start in common: the mean of networks that never met is none. The card is the last
one's, with ranges for integers that are measured anew; scores and calibration are not carried over.

Source:
    M. Wortsman et al., Model soups: averaging weights of multiple fine-tuned models improves
    accuracy without increasing inference time, ICML 2022.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from pagewash.errors import OptionError
from pagewash.inference.checkpoint import (
    Checkpoint,
    load_checkpoint,
    only_autoencoder,
    ranges_for_card,
    save_checkpoint,
)
from pagewash.inference.int8 import measure_ranges
from pagewash.models.autoencoder import Autoencoder
from pagewash.training.pairs import PairOptions, PairSource
from pagewash.training.synthesis.fonts import find_typefaces

CROPS = 32
"""To measure ranges on, as many as a training run holds back."""

SEED = 1_000_003


def average(networks: Sequence[Autoencoder], shares: Sequence[float]) -> Autoencoder:
    """Return the last network, with the mean of the weights of all; it is changed.

    Args:
        networks: of one shape, not folded.
        shares: of each; their sum is 1.

    Raises:
        OptionError: networks of different shapes, or shares that do not add up to 1.
    """
    if abs(sum(shares) - 1) > 1e-6:
        raise OptionError(
            f"the shares {', '.join(map(str, shares))} do not add up to 1; change them"
        )
    if len({network.options for network in networks}) != 1:
        raise OptionError("networks of different shapes have no mean; take runs of one start")
    states = [network.state_dict() for network in networks]
    mean = {name: _mean(name, states, shares) for name in states[-1]}
    networks[-1].load_state_dict(mean)
    return networks[-1]


def _mean(name: str, states: Sequence[Mapping[str, Tensor]], shares: Sequence[float]) -> Tensor:
    last = states[-1][name]
    if not last.is_floating_point():
        return last  # how many batches a normalisation has seen
    pairs = zip(states, shares, strict=True)
    return torch.stack([state[name] * share for state, share in pairs]).sum(0)


def main() -> None:
    """Average checkpoints: the result, each with its share, folders of fonts."""
    out, *rest = sys.argv[1:]
    given = [argument.rpartition("=") for argument in rest if "=" in argument]
    checkpoints: list[Checkpoint] = [load_checkpoint(model, fold=False) for model, _, _ in given]
    shares = [float(share) for _, _, share in given]
    network = average([only_autoencoder(checkpoint) for checkpoint in checkpoints], shares).eval()
    faces = find_typefaces([Path(argument) for argument in rest if "=" not in argument])
    crops = PairSource(SEED, PairOptions(), faces).batch(range(CROPS)).seen
    measured = measure_ranges(network, torch.from_numpy(crops).float().div(255))
    card = checkpoints[-1].card
    ranges = ranges_for_card(measured)
    card = replace(card, activation_ranges=ranges, scores={}, calibration={})
    save_checkpoint(Path(out), network, card)


if __name__ == "__main__":
    main()
