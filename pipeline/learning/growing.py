"""A finer network that starts from a coarser one: patches of half the side, one level more.

    python -m pipeline.learning.growing OUT models/weights/fast.safetensors CHANNELS LAYERS

`fast` sees a page in patches of 4x4; what it knows of paper, letters and stains serves a network
that sees patches of 2x2 just as well. All of its levels are taken over, one level farther in, and
only the new outermost one, stem and head among it, starts from nothing. Go on from the result with
`pagewash train --start OUT`.

Source:
    T. Chen, I. Goodfellow, J. Shlens, Net2Net: Accelerating Learning via Knowledge Transfer,
    ICLR 2016, for the idea; what is put in front here does change what comes out.
"""

import sys
from dataclasses import replace
from pathlib import Path

from models.autoencoder import Autoencoder
from pipeline.cleaning.checkpoint import load_checkpoint, save_checkpoint
from pipeline.errors import OptionError

_SHIFTED = ("encoder", "down", "up", "decoder")
"""What there is one of for each level."""


def grow(network: Autoencoder, channels: int, layers: int) -> Autoencoder:
    """Return a network with an outermost level of half the scale before all those of another.

    Args:
        network: not folded; it stays as it is.
        channels: of the new level.
        layers: 3x3 convolutions of the new level, on the way down and on the way up.

    Raises:
        OptionError: patches that have no half.
    """
    old = network.options
    if old.patch % 2:
        raise OptionError(f"patches of {old.patch} px cannot be halved; take another network")
    grown = Autoencoder(
        replace(
            old,
            patch=old.patch // 2,
            channels=(channels, *old.channels),
            layers=(layers, *old.layers),
        )
    )
    known = {
        _moved_in(name): value
        for name, value in network.state_dict().items()
        if not name.startswith(("stem.", "head."))
    }
    grown.load_state_dict(grown.state_dict() | known)
    return grown


def _moved_in(name: str) -> str:
    """Return the name that a part has once there is a level outside of it."""
    part, *rest = name.split(".")
    if part not in _SHIFTED:
        return name
    level, *inner = rest
    return ".".join([part, str(int(level) + 1), *inner])


def main() -> None:
    """Grow a checkpoint: the result, the start, channels and layers of the new level."""
    out, start, channels, layers = sys.argv[1:]
    checkpoint = load_checkpoint(start, fold=False)
    network = grow(checkpoint.network, int(channels), int(layers))
    # what is on the card of its scores, novelty and ranges was true of the start
    card = replace(checkpoint.card, scores={}, calibration={}, ranges={})
    save_checkpoint(Path(out), network, card)


if __name__ == "__main__":
    main()
