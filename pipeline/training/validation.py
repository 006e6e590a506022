"""How good a network is on pages held back from its training, and which of its states was best."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
import torch

from pagewash.files import write_atomically
from pagewash.models.page_autoencoder import PageAutoencoder
from pagewash.training.page_corpus import StoredPage
from pagewash.training.page_loop import (
    as_tensor,
    as_weights,
    clean_samples,
    device_of,
    mixed_precision,
)
from pagewash.training.page_samples import draw_sample


def validation_errors(
    network: PageAutoencoder,
    pages: Mapping[str, Sequence[StoredPage]],
    *,
    crops: int,
    side: int,
) -> dict[str, float]:
    """Return the root mean square error, 0..1, on each kind of pages.

    Args:
        network: to judge.
        pages: held back, by kind; of each the same crops every time.
        crops: of each page.
        side: of a crop in pixels of the network's view.
    """
    errors, device = {}, device_of(network)
    for kind, of_kind in sorted(pages.items()):
        wrong, weights = 0.0, 0.0
        for number, page in enumerate(of_kind):
            sample = draw_sample(page, np.random.default_rng(number), crops, side)
            with torch.inference_mode(), mixed_precision(device):
                (cleaned,) = clean_samples(network, [sample])
            truth = as_tensor(sample.clean, device)
            error = (cleaned.crops.float().clamp(0, 1) - truth).square().mean(1)
            weight = as_weights(sample.weight, device)
            wrong += float((weight * error).sum())
            weights += float(weight.sum())
        errors[kind] = math.sqrt(wrong / max(weights, 1.0))
    return errors


@dataclass(frozen=True)
class ValidationLog:
    """The errors of every candidate, on disk, so that a resumed run chooses as one in a piece."""

    path: Path

    def read(self) -> dict[int, dict[str, float]]:
        """Errors by kind of pages, by step."""
        if not self.path.exists():
            return {}
        return {int(step): errors for step, errors in json.loads(self.path.read_text()).items()}

    def add(self, step: int, errors: Mapping[str, float]) -> bool:
        """Add a candidate; returns whether it is the best so far, by the mean over kinds."""
        known = self.read() | {step: dict(errors)}
        write_atomically(self.path, (json.dumps(known, indent=1) + "\n").encode())
        return self.best() == step

    def best(self) -> int:
        """The step with the lowest mean over kinds; the earliest of equals."""
        known = self.read()
        means = {step: fmean(errors.values()) for step, errors in known.items()}
        return min(sorted(means), key=lambda step: (math.isnan(means[step]), means[step]))
