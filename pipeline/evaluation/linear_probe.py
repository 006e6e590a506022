"""A small classifier of what has happened to a page, on the autoencoder's encoder.

It answers yes or no for each of several kinds of damage. Started from a trained encoder it should
need fewer labels than from scratch; `pagewash.evaluation.other_uses` measures that.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from pagewash.models.page_autoencoder import PageAutoencoder
from pagewash.training.synthesis import paper
from pagewash.training.synthesis.corruption import CORRUPTIONS
from pagewash.training.synthesis.fonts import Typeface
from pagewash.training.synthesis.noise import to_bytes
from pagewash.training.synthesis.typesetting import set_page

DAMAGE = ("faded_ink", "show_through", "stains", "folds", "dust", "shadow", "blur", "gaussian")
"""Kinds to tell apart, of those in `pagewash.training.synthesis.corruption.CORRUPTIONS`."""

SIDE = 96
"""Of a crop, in pixels."""

SHARE = 0.3
"""Of the crops that have suffered each kind, at any level from a fair one to the worst."""

STEPS, BATCH, LEARNING_RATE = 120, 16, 1e-3
"""Of a classifier that is trained as a whole."""

DECAY = 0.01
"""Of the weights of a head that is trained alone."""


class DamageClassifier(nn.Module):
    """An encoder, what is in each of its levels over a crop, and one linear layer."""

    def __init__(self, encoder: PageAutoencoder):
        super().__init__()
        self.encoder = encoder
        with torch.no_grad():
            features = self.features(torch.zeros(1, 1, SIDE, SIDE)).shape[1]
        self.norm = nn.BatchNorm1d(features, affine=False)
        self.head = nn.Linear(features, len(DAMAGE))

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, kinds) logits of (N, 1, H, W) uint8 crops."""
        logits: Tensor = self.head(self.norm(self.features(x)))
        return logits

    def features(self, x: Tensor) -> Tensor:
        """Mean, maximum and deviation of every channel of every level, (N, 3 * channels)."""
        code, levels = self.encoder.encode_levels(x.float() / 255)
        flat = [level.flatten(2) for level in (*levels, code)]
        parts = [part for x in flat for part in (x.mean(2), x.amax(2), x.std(2))]
        return torch.cat(parts, dim=1)


def labelled_crops(seed: int, count: int, faces: Sequence[Typeface]) -> tuple[Tensor, Tensor]:
    """Make crops that know their damage.

    Returns:
        (N, 1, SIDE, SIDE) uint8 crops, and (N, kinds) float labels, 0 or 1.
    """
    crops, labels = zip(
        *(_labelled_crop(np.random.default_rng((seed, number)), faces) for number in range(count)),
        strict=True,
    )
    return torch.from_numpy(np.stack(crops))[:, None], torch.from_numpy(np.stack(labels))


def fit_head(encoder: PageAutoencoder, crops: Tensor, labels: Tensor) -> DamageClassifier:
    """Train a classifier on an encoder that stays as it is."""
    model = DamageClassifier(encoder).eval()
    with torch.no_grad():
        features = torch.cat([model.features(part) for part in crops.split(16)])
        model.norm.running_mean = features.mean(0)
        model.norm.running_var = features.var(0)
        model.head.weight.zero_()
        features = model.norm(features)
    optimizer = torch.optim.LBFGS(
        model.head.parameters(), max_iter=200, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        error = F.binary_cross_entropy_with_logits(model.head(features), labels)
        total: Tensor = error + DECAY * model.head.weight.square().sum()
        total.backward()
        return total

    optimizer.step(loss)
    return model


def fit_whole(encoder: PageAutoencoder, crops: Tensor, labels: Tensor) -> DamageClassifier:
    """Train a classifier, encoder and all; as many steps however many crops there are."""
    draw = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    model = DamageClassifier(encoder).train()
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, STEPS)
    for _ in range(STEPS):
        chosen = torch.randint(len(crops), (BATCH,), generator=draw)
        loss = F.binary_cross_entropy_with_logits(model(crops[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return model.eval()


@torch.no_grad()
def balanced_accuracy(model: DamageClassifier, crops: Tensor, labels: Tensor) -> float:
    """Mean over kinds of the mean share of right answers on crops with and without; 0.5 is chance.

    A kind counts as seen where its logit is above that of its share in the labels.
    """
    answers = torch.cat([model(part) for part in crops.split(32)]) > float(
        np.log(SHARE / (1 - SHARE))
    )
    right = (answers == labels.bool()).float()
    with_it = (right * labels).sum(0) / labels.sum(0)
    without = (right * (1 - labels)).sum(0) / (1 - labels).sum(0)
    return float((with_it + without).mean() / 2)


def _labelled_crop(
    rng: Generator, faces: Sequence[Typeface]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    clean_page, verso = (set_page(rng, SIDE, SIDE, faces) for _ in range(2))
    page, back = ((1 - each.ink) * each.picture for each in (clean_page, verso))
    labels = (rng.random(len(DAMAGE)) < SHARE).astype(np.float32)
    for kind, has_it in zip(DAMAGE, labels, strict=True):
        level = float(rng.uniform(0.4, 1))
        if has_it and kind == "show_through":
            page = paper.show_through(page, rng, level, back)
        elif has_it:
            page = CORRUPTIONS[kind](page, rng, level)
    return to_bytes(np.clip(page * np.float32(rng.uniform(0.8, 1)), 0, 1)), labels
