"""Teach the page autoencoder: the loop, its loss, and what it leaves in its folder as it goes.

Steps drive everything: which pages a step sees, the learning rate, the end. A run that is stopped
goes on from its last state as if nothing had happened. Where pages come from is
`pagewash.training.page_corpus`.
"""

import logging
import math
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pagewash.errors import InputError
from pagewash.files import write_atomically
from pagewash.inference.precision import multiplies_bf16
from pagewash.models.page_autoencoder import (
    BLOCK,
    BRIGHTEST,
    PageAutoencoder,
    PageAutoencoderOptions,
    combine,
)
from pagewash.training.page_corpus import Bytes, StoredPage, find_pages
from pagewash.training.page_samples import PageSample, draw_sample

log = logging.getLogger(__name__)

AHEAD = 4
"""Steps whose samples are drawn while the network learns."""

KERNELS = 40_000
"""Kernels that oneDNN keeps, in place of 1,024: pages have hundreds of shapes, each layer needs
three kernels for each, and making one takes longer than using it."""

BESIDE = 2
"""Pixels around a mark that count as it does: its edges lie within."""


@dataclass(frozen=True)
class LoopOptions:
    """Hyperparameters of a run."""

    steps: int = 30_000
    """Steps of the whole run."""

    pages: int = 4
    """Pages a step."""

    crops: int = 3
    """Crops of each page."""

    crop: int = 320
    """Side of a crop in pixels; a multiple of the network's stride."""

    learning_rate: float = 7e-4
    """Of the convolutions inside, by Muon, at its highest; an update's size is that of AdamW's."""

    outer_learning_rate: float = 2e-3
    """Of stems, heads and biases, by AdamW, at its highest."""

    warmup: int = 500
    """Steps in which learning rates rise from 0."""

    cooldown: float = 0.3
    """Share of the steps, at the end, in which they fall to 0; they stay as they are before."""

    weight_decay: float = 0.02
    """How fast the weights of the convolutions inside shrink by themselves: they stay about as
    large as they began, so that a learning rate means the same all along."""

    ema_decay: float = 0.999
    """Of the moving average of the weights, which is what ships."""

    ink_weight: float = 2.0
    """How much more an error counts where something stands on the clean page, and beside it."""

    overshoot: float = 0.1
    """How much an error counts that is whiter than white or blacker than black."""

    balance: float = 0.2
    """Error of a crop from which on it counts less and less: one that is damaged beyond help is not
    to decide, and one that lies in a picture or on a dark bed is wrong as a whole, and is to."""

    paper_weight: float = 0.05
    """Weight of the error of the paper's colour, where it is known."""

    block_weight: float = 0.3
    """Weight of the error of what the context foretells of blocks."""

    coarse_weight: float = 0.2
    """Weight of the error of the coarse views, see `CoarseViews`; of each of them."""

    twin_weight: float = 1.0
    """Weight of the difference between what becomes of a crop and of its twin."""

    seed: int = 0
    """Decides the first weights and every sample."""


class CoarseViews(nn.Module):
    """The mean colour of the clean page, as each inner level of the decoder tells it.

    Only training asks for it. The outermost level soon learns to clean most of a page by itself,
    from 20 px around, and what reaches the inner levels through it is noise at first. So they are
    taught directly what will be left of each place: whether it is ink, a tint, a picture, or dirt
    (deep supervision: C.-Y. Lee et al., Deeply-Supervised Nets, AISTATS 2015).
    """

    def __init__(self, options: PageAutoencoderOptions):
        super().__init__()
        inner = range(len(options.channels) - 1, 0, -1)
        self.sides = [options.patch << level for level in inner]
        self.heads = nn.ModuleList(nn.Conv2d(options.channels[level], 3, 1) for level in inner)
        for head in self.heads:
            nn.init.zeros_(head.weight)  # type: ignore[arg-type]
            nn.init.ones_(head.bias)  # type: ignore[arg-type]  # paper

    def forward(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """Return (N, 3, h, w) of each level; a pixel is a square of `sides` pixels of the crop."""
        return [head(level).float() for head, level in zip(self.heads, levels, strict=True)]


class Run:
    """A training run in a folder: network, optimizer, and how far they are."""

    def __init__(
        self,
        folder: Path,
        network: PageAutoencoderOptions,
        options: LoopOptions,
        start: Mapping[str, Tensor] | None = None,
    ):
        """Start a run, or go on with the one whose state stands in the folder.

        Args:
            folder: of the run.
            network: its shape.
            options: how it learns.
            start: weights to begin with; None draws some.

        Raises:
            InputError: the state is of another network.
        """
        torch.manual_seed(options.seed)
        self.folder, self.options = folder, options
        self.network, self.average = PageAutoencoder(network), PageAutoencoder(network)
        if start is not None:
            self.network.load_state_dict(start)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        for each in (self.network, self.average):
            each.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average.load_state_dict(self.network.state_dict())
        self.average.eval()
        self.coarse = CoarseViews(network).to(device)
        inner, outer = _inner_and_outer(self.network)
        self._inner = [(parameter, _as_matrix(parameter)) for parameter in inner]
        # torch's Muon takes matrices; these share their memory with the convolutions' weights
        muon = torch.optim.Muon(
            [matrix for _, matrix in self._inner],
            options.learning_rate,
            weight_decay=options.weight_decay,
            adjust_lr_fn="match_rms_adamw",
        )
        outer += self.coarse.parameters()
        adam = torch.optim.AdamW(outer, options.outer_learning_rate, weight_decay=0.0)
        self._optimizers = {"muon": muon, "adam": adam}
        self.step = 0
        if self._state.exists():
            self._resume()

    @property
    def _state(self) -> Path:
        return self.folder / "state.safetensors"

    @property
    def rate(self) -> float:
        """The learning rates of the next step, against their highest."""
        options = self.options
        rising = (self.step + 1) / max(options.warmup, 1)
        falling = (options.steps - self.step) / max(options.cooldown * options.steps, 1)
        return max(min(rising, falling, 1.0), 1e-3)

    @property
    def cools(self) -> bool:
        """Whether learning rates fall already. From then on the statistics of normalisations stay:
        the network learns as it will be used.
        """
        return self.step >= (1 - self.options.cooldown) * self.options.steps

    def update(self, samples: Sequence[PageSample]) -> float:
        """Learn from some pages; returns the loss, or nan where nothing could be learned."""
        self.network.train(not self.cools)
        with mixed_precision(device_of(self.network)):
            loss = page_loss(self.network, self.coarse, samples, self.options)
        self.network.zero_grad(set_to_none=True)
        self.coarse.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        if not (norm.isfinite() and _are_numbers(self.coarse)):
            return self._left_out()
        for parameter, matrix in self._inner:
            if parameter.grad is not None:
                matrix.grad = parameter.grad.permute(0, 2, 3, 1).reshape(matrix.shape)
        for optimizer, highest in (
            (self._optimizers["muon"], self.options.learning_rate),
            (self._optimizers["adam"], self.options.outer_learning_rate),
        ):
            optimizer.param_groups[0]["lr"] = highest * self.rate
            optimizer.step()
        keep = min(self.options.ema_decay, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(_floats(self.average), _floats(self.network), 1 - keep)
        self.step += 1
        return float(loss.detach())

    def _left_out(self) -> float:
        """Learn nothing from a step whose gradients are no numbers.

        That happens once in some forty steps with bf16 on AMX, and not again with the same
        samples: its kernels read memory beyond their input, which counts for nothing unless what
        lies there is no number.
        """
        log.info("step %d is left out: its gradients are no numbers", self.step)
        kept = self.average.state_dict()
        for name, values in self.network.named_buffers():
            if values.is_floating_point() and not values.isfinite().all():
                values.copy_(kept[name])
        self.step += 1
        return math.nan

    def save(self) -> None:
        """Write the state from which the run goes on."""
        self.folder.mkdir(parents=True, exist_ok=True)
        tensors = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        tensors |= {f"average.{name}": value for name, value in self.average.state_dict().items()}
        tensors |= {f"coarse.{name}": value for name, value in self.coarse.state_dict().items()}
        for kind, optimizer in self._optimizers.items():
            for index, state in optimizer.state_dict()["state"].items():
                tensors |= {f"{kind}.{index}.{name}": value for name, value in state.items()}
        packed = safetensors.torch.save(
            {name: value.contiguous() for name, value in tensors.items()},
            metadata={"step": str(self.step)},
        )
        write_atomically(self._state, packed)

    def _resume(self) -> None:
        with safetensors.safe_open(self._state, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            self.step = int(file.metadata()["step"])
        try:
            self.network.load_state_dict(_part(tensors, "network."))
            self.average.load_state_dict(_part(tensors, "average."))
            self.coarse.load_state_dict(_part(tensors, "coarse."))
        except RuntimeError as error:
            raise InputError(
                f"{self._state} is of another network; choose another folder, or remove it"
            ) from error
        for kind, optimizer in self._optimizers.items():
            state = optimizer.state_dict()
            for name, value in _part(tensors, f"{kind}.").items():
                index, key = name.split(".", 1)
                state["state"].setdefault(int(index), {})[key] = value
            optimizer.load_state_dict(state)


def page_loss(
    network: PageAutoencoder,
    coarse: CoarseViews,
    samples: Sequence[PageSample],
    options: LoopOptions,
) -> Tensor:
    """The loss of some pages, of which each crop counts.

    Pages without truth are to come out alike in two ways of seeing them, where nothing of them may
    change (consistency: M. Sajjadi et al., Regularization With Stochastic Transformations and
    Perturbations for Deep Semi-Supervised Learning, NeurIPS 2016). What a network is unsure of, a
    table or a photograph, would otherwise hang on how the page lies.
    """
    twins = [sample.twin.sample for sample in samples if sample.twin]
    every = clean_samples(network, [*samples, *twins])
    others = iter(every[len(samples) :])
    losses, papers, blocks = [], [], []
    device = device_of(network)
    for sample, cleaned in zip(samples, every, strict=False):
        if sample.twin:
            turned_back = torch.rot90(next(others).crops, -sample.twin.quarters, (2, 3))
            losses.append(options.twin_weight * _twin_losses(cleaned.crops, turned_back))
        if not sample.weight.any():
            continue
        clean, weight = as_tensor(sample.clean, device), as_weights(sample.weight, device)
        loss = crop_losses(cleaned.crops, clean, weight, options)
        for view, side in zip(coarse(cleaned.levels), coarse.sides, strict=True):
            own = side // sample.scale
            means, counts = F.avg_pool2d(clean, own), F.avg_pool2d(weight, own)
            loss = loss + options.coarse_weight * crop_losses(view, means, counts, options)
        losses.append(loss)
        papers.append(_paper_loss(cleaned.paper, torch.from_numpy(sample.paper).to(device)))
        blocks.append(_block_loss(cleaned.ink, torch.from_numpy(sample.blocks).to(device)))
    loss = torch.cat(losses).mean() if losses else 0 * every[0].crops.sum()
    if papers:
        loss = loss + options.paper_weight * torch.stack(papers).mean()
        loss = loss + options.block_weight * torch.stack(blocks).mean()
    return loss


class CleanedSample(NamedTuple):
    """The crops of a page once clean, and what the context network said of the page."""

    crops: Tensor
    """(N, 3, side, side), about 0..1."""

    paper: Tensor
    """(3, h, w): its colour in each block."""

    ink: Tensor
    """(3, h, w): 1 less the colour that each block will have once clean, as foretold."""

    levels: list[Tensor]
    """(N, C, h, w) each: of the decoder, innermost first, the outermost left out."""


def clean_samples(network: PageAutoencoder, samples: Sequence[PageSample]) -> list[CleanedSample]:
    """Clean the crops of some pages, all at once."""
    views = [_view(network, sample) for sample in samples]
    tiles = network.tiles
    bottleneck, skipped = tiles.encode(
        torch.cat([view.relative for view in views]), torch.cat([view.features for view in views])
    )
    *inner, outermost = tiles.decode(bottleneck, skipped)
    counts = [len(sample.places) for sample in samples]
    maps, *levels = (each.split(counts) for each in (tiles.maps(outermost), *inner))
    return [
        CleanedSample(_cleaned(sample, view, part), view.page_paper, view.page_ink, list(own))
        for sample, view, part, *own in zip(samples, views, maps, *levels, strict=True)
    ]


class _View(NamedTuple):
    """The crops of a page as the tile network sees them."""

    own: Tensor
    """(N, 3, h, w): the crops as the page has them, or pixels of a finer page there."""

    paper: Tensor
    """(N, 3, side, side): its colour under them."""

    relative: Tensor
    """(N, 3, side, side): the crops at the network's scale, relative to the paper."""

    features: Tensor
    """(N, F, side / BLOCK, side / BLOCK): what the context network says of them."""

    page_paper: Tensor
    """(3, h, w): the paper's colour all over the page."""

    page_ink: Tensor
    """(3, h, w): what is foretold of its blocks."""


def _view(network: PageAutoencoder, sample: PageSample) -> _View:
    device = device_of(network)
    context = network.context(torch.from_numpy(sample.summary)[None].to(device))
    blocks = sample.dirty.shape[1] * sample.scale // BLOCK
    features, papers = [], []
    # a block more on each side to interpolate with
    around = F.pad(context.paper.float(), (1, 1, 1, 1), mode="replicate")
    short = [max(blocks - length, 0) for length in context.paper.shape[-2:]]
    around = F.pad(around, (0, short[1], 0, short[0]), mode="replicate")
    known = F.pad(context.features, (0, short[1], 0, short[0]))
    for row, column in sample.places:
        features.append(known[..., row : row + blocks, column : column + blocks])
        papers.append(around[..., row : row + blocks + 2, column : column + blocks + 2])
    wide = F.interpolate(torch.cat(papers), scale_factor=float(BLOCK), mode="bilinear")
    paper = wide[..., BLOCK:-BLOCK, BLOCK:-BLOCK]
    own = as_tensor(sample.dirty, device)
    seen = own
    if sample.finer is not None:
        own = as_tensor(sample.finer, device)
    if sample.scale > 1:
        seen = F.interpolate(own, scale_factor=float(sample.scale), mode="bicubic").clamp(0, 1)
    relative = (seen / paper).clamp(max=BRIGHTEST)
    return _View(own, paper, relative, torch.cat(features), context.paper[0], context.ink[0])


def _cleaned(sample: PageSample, view: _View, maps: Tensor) -> Tensor:
    gain, offset = combine(maps.split(1, dim=1), view.relative)
    if sample.scale == 1 and sample.finer is None:
        return gain * view.relative + offset
    paper, gain, offset = (
        F.avg_pool2d(values, sample.scale) for values in (view.paper, gain, offset)
    )
    return gain * (view.own / paper).clamp(max=BRIGHTEST) + offset


def crop_losses(cleaned: Tensor, clean: Tensor, weight: Tensor, options: LoopOptions) -> Tensor:
    """(N,): what each crop counts for; (N, 3, H, W) each, and (N, H, W)."""
    error = cleaned - clean
    # what is whiter than white, or blacker than black, will be cut off
    beyond = ((clean == 1) & (error > 0)) | ((clean == 0) & (error < 0))
    error = torch.where(beyond, options.overshoot * error, error)
    # a faint mark, of any colour, counts nearly as a black one, and what is beside it as much:
    # what counts less the lighter it is comes out too dark wherever a network is unsure
    content = (3 * (1 - clean.amin(1, keepdim=True))).clamp(max=1)
    content = F.max_pool2d(content, 2 * BESIDE + 1, stride=1, padding=BESIDE)[:, 0]
    weight = weight * (1 + options.ink_weight * content)
    size = (error.abs() + error.square()).mean(1)
    losses = (weight * size).mean((1, 2))
    return options.balance * torch.log1p(losses / options.balance)


def _twin_losses(one: Tensor, other: Tensor) -> Tensor:
    """(N,): how much crops differ, (N, 3, H, W) each; what is whiter than white is white."""
    difference = one.clamp(0, 1) - other.clamp(0, 1)
    return (difference.abs() + difference.square()).mean((1, 2, 3))


def _paper_loss(paper: Tensor, truth: Tensor) -> Tensor:
    known = ~truth.isnan()
    error = (paper.log() - torch.where(known, truth, 1.0).clamp(0.1, 1).log()).abs()
    return (error * known).sum() / known.sum().clamp(min=1)


def _block_loss(ink: Tensor, clean: Tensor) -> Tensor:
    known = ~clean.isnan()
    error = ink.float() - (1 - torch.where(known, clean, 1.0))
    return ((error.abs() + error.square()) * known).sum() / known.sum().clamp(min=1)


def sample_step(
    pages: Mapping[str, Sequence[StoredPage]],
    shares: Mapping[str, float],
    step: int,
    options: LoopOptions,
) -> list[PageSample]:
    """The samples of a step: kinds of pages by their shares."""
    rng = np.random.default_rng((options.seed, step))
    kinds = [kind for kind in shares if pages.get(kind)]
    chances = np.array([shares[kind] for kind in kinds])
    chosen = rng.choice(len(kinds), options.pages, p=chances / chances.sum())
    drawn = []
    for kind in chosen:
        of_kind = pages[kinds[kind]]
        page = of_kind[int(rng.integers(len(of_kind)))]
        drawn.append(draw_sample(page, rng, options.crops, options.crop))
    return drawn


def train_pages(
    run: Run,
    folders: Sequence[Path],
    shares: Mapping[str, float],
    *,
    until: Callable[[], bool] = lambda: False,
    on_step: Callable[[int, float], None] = lambda step, loss: None,
    judge: Callable[[], None] = lambda: None,
    save_every: int = 500,
) -> None:
    """Train until the run's steps are done, or `until` says so; the state is saved either way.

    Args:
        run: how far it is.
        folders: of corpora, which must not grow while the run lasts.
        shares: of kinds of pages.
        until: asked after each step whether to stop.
        on_step: told the steps done and the loss of the last one.
        judge: called after each step that may be judged, before the state is saved.
        save_every: steps between two states.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(KERNELS))  # read when first used
    pages = find_pages(folders)
    with ThreadPoolExecutor(2, initializer=_make_way) as pool:
        ahead: dict[int, Future[list[PageSample]]] = {}
        while run.step < run.options.steps and not until():
            for step in range(run.step, min(run.step + AHEAD, run.options.steps)):
                if step not in ahead:
                    ahead[step] = pool.submit(sample_step, pages, shares, step, run.options)
            loss = run.update(ahead.pop(run.step).result())
            on_step(run.step, loss)
            judge()
            if run.step % save_every == 0:
                run.save()
    run.save()


def _make_way() -> None:
    """Let this thread compute only where the network does not.

    Torch's threads wait for each other after every layer, and one that is not running keeps all
    others waiting: a step takes 0.85 of the time.
    """
    if sys.platform == "linux":  # elsewhere it would be all threads of the process
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)


def _are_numbers(network: nn.Module) -> bool:
    """Whether all its gradients are numbers."""
    gradients = [each.grad for each in network.parameters() if each.grad is not None]
    return all(bool(gradient.isfinite().all()) for gradient in gradients)


def mixed_precision(device: torch.device) -> torch.autocast:
    """Compute convolutions in bf16 where the device multiplies it, and in fp32 elsewhere."""
    return torch.autocast(device.type, torch.bfloat16, enabled=multiplies_bf16(device))


def device_of(network: nn.Module) -> torch.device:
    """Where a network's weights are."""
    return next(network.parameters()).device


def as_tensor(pixels: Bytes, device: torch.device) -> Tensor:
    """Return (N, H, W, 3) uint8 as (N, 3, H, W) float32 in 0..1, on a device."""
    own = torch.from_numpy(np.ascontiguousarray(pixels)).to(device)
    return own.permute(0, 3, 1, 2).float() / 255


def as_weights(pixels: Bytes, device: torch.device) -> Tensor:
    """Return (N, H, W) uint8 as float32 in 0..1, on a device."""
    return torch.from_numpy(np.ascontiguousarray(pixels)).to(device).float() / 255


def _inner_and_outer(
    network: PageAutoencoder,
) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Part weights by how they learn: convolutions from features to features, and the rest."""
    inner: list[nn.Parameter] = []
    outer: list[nn.Parameter] = []
    ends = ("stem.", "head.", "context.features.", "context.paper.")
    for name, parameter in network.named_parameters():
        at_an_end = any(end in name for end in ends)
        (outer if parameter.ndim < 4 or at_an_end else inner).append(parameter)
    return inner, outer


def _floats(network: PageAutoencoder) -> list[Tensor]:
    """Weights and statistics."""
    return [value for value in network.state_dict().values() if value.is_floating_point()]


def _as_matrix(weight: nn.Parameter) -> nn.Parameter:
    """A convolution's (O, I, h, w) as (O, h * w * I), on the same memory."""
    matrix = weight.data.permute(0, 2, 3, 1)
    return nn.Parameter(matrix.view(matrix.shape[0], -1))


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }
