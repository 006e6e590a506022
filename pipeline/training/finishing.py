"""A finish given to a network that has none, or taken away again.

    python -m pagewash.training.finishing OUT models/weights/fast.safetensors CHANNELS LAYERS

With a finish of so many channels and layers the result answers at first as its start does; go on
from it with `pagewash train --start OUT`. Training asks for good pages before the finish as well as
after it, so that of one run both networks come: 0 channels take the finish away.
"""

import sys
from dataclasses import replace
from pathlib import Path

from pagewash.inference.checkpoint import load_checkpoint, only_autoencoder, save_checkpoint
from pagewash.models.autoencoder import Autoencoder


def with_finish(network: Autoencoder, channels: int, layers: int) -> Autoencoder:
    """Return a network with a new finish, or without any.

    Args:
        network: not folded; it stays as it is.
        channels: of the finish; 0 for none.
        layers: of the finish, between its first and its last.
    """
    finished = Autoencoder(replace(network.options, finish_channels=channels, finish_layers=layers))
    known = {
        name: value
        for name, value in network.state_dict().items()
        if not name.startswith("finish.")
    }
    finished.load_state_dict(finished.state_dict() | known)
    return finished


def main() -> None:
    """Finish a checkpoint: the result, the start, channels and layers of the finish."""
    out, start, channels, layers = sys.argv[1:]
    checkpoint = load_checkpoint(start, fold=False)
    network = with_finish(only_autoencoder(checkpoint), int(channels), int(layers))
    ranges = {} if int(channels) else checkpoint.card.activation_ranges
    # what is on the card of its scores and novelty was true of the start
    save_checkpoint(
        Path(out),
        network,
        replace(checkpoint.card, scores={}, calibration={}, activation_ranges=ranges),
    )


if __name__ == "__main__":
    main()
