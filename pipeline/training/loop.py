"""Teach the autoencoder: corrupt clean pages, learn to give them back.

The loop, its options, and what it leaves in its folder as it goes: a state to
resume from, the network so far as a checkpoint, and a log. Where crops come
from is `pagewash.training.pairs`; how a run is drawn, `pagewash.training.curves`.
"""

import dataclasses
import io
import itertools
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple, cast

import cv2
import pyarrow as pa
import pyarrow.parquet as pq
import safetensors.torch
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader, Dataset

from pagewash.cleaning.scale import LARGEST
from pagewash.errors import InputError, OptionError
from pagewash.files import write_atomically
from pagewash.inference.checkpoint import ModelCard, ranges_for_card, save_checkpoint
from pagewash.inference.int8 import measure_ranges
from pagewash.inference.precision import choose_device
from pagewash.models.autoencoder import Autoencoder, AutoencoderOptions
from pagewash.training.curves import draw_curve, draw_strips
from pagewash.training.pairs import Batch, PairOptions, PairSource

log = logging.getLogger(__name__)

HUBER_DELTA = 0.1
"""Error from which on Huber's loss is linear."""


@dataclass(frozen=True)
class TrainingOptions:
    """Every hyperparameter of a run; all are recorded on the checkpoint's card."""

    # Prefect's form for a run shows the sentences below
    __pydantic_config__: ClassVar[dict[str, bool]] = {"use_attribute_docstrings": True}

    network: AutoencoderOptions = AutoencoderOptions()
    """The shape of the network."""

    pairs: PairOptions = PairOptions()
    """What it learns from."""

    loss: Literal["l1+mse", "l1", "mse", "huber"] = "l1+mse"
    """What is made small: absolute error, squared error, their sum, or squared error that grows
    no faster than linearly from a tenth of full scale on: squared, what is in doubt comes out grey;
    so, white or black."""

    ink_weight: float = 1.5
    """How much more an error counts where the clean page is black than where it is white: a
    lost comma costs more than a speck that stays. 0 counts all pixels alike."""

    overshoot: float = 0.1
    """How much an error counts that is whiter than white or blacker than black, as a share: such
    values are cut off, so that paper comes out white and not nearly so."""

    balance: float = 0.03
    """Error of a crop from which on it counts less and less: its share in a step falls as
    1 / (1 + error / balance), or crops beyond help would drown the fine edges of good ones. 0
    counts all crops alike."""

    sparsity: float = 0.0
    """Weight of the mean absolute activation of the bottleneck, a penalty on the code."""

    optimizer: Literal["adamw", "sgd"] = "adamw"
    """AdamW, or stochastic gradient descent with Nesterov's momentum of 0.9."""

    learning_rate: float = 2e-3
    """Of the optimizer, at its highest."""

    weight_decay: float = 1e-4
    """How fast weights shrink by themselves."""

    schedule: Literal["cosine", "constant"] = "cosine"
    """How the learning rate goes after its warm-up: down to 0, or not at all."""

    warmup: int = 200
    """Steps in which the learning rate rises from 0."""

    frozen_statistics: bool = True
    """Go on from a start with the statistics that it normalises by, not with those of each batch,
    whose noise costs exact edges; a run from nothing has none to keep."""

    finish_alone: bool = False
    """Teach the finish alone: all before it, and the answer without it, stay as they are."""

    averaging: float = 0.998
    """Decay of the moving average of the weights, which is what ships; 0 ships the last ones."""

    batch: int = 4
    """Crops a step."""

    reuse: int = 1
    """Steps that a crop is good for, on the average, where a GPU learns faster than processors make
    crops: each step draws from the crops of late, and only one step in so many brings new ones."""

    steps: int = 0
    """Most steps of the run; 0 sets no limit."""

    minutes: float = 60.0
    """Most minutes of the run, resumed ones added up; 0 sets no limit."""

    device: str = "auto"
    """Where the network learns: auto, cpu, cuda, cuda:N or mps."""

    precision: Literal["fp32", "bf16"] = "fp32"
    """bf16 runs the forward pass under autocast: faster only where the hardware has it."""

    workers: int = 1
    """Processes that make crops; 0 makes them in the training process. A GPU can do with one for
    each core."""

    checkpoint_every: int = 500
    """Steps between states on disk."""

    seed: int = 0
    """Decides the first weights and every crop."""

    def __post_init__(self) -> None:
        if self.steps <= 0 and self.minutes <= 0:
            raise OptionError("a run needs an end; give --steps, --minutes or both")
        if min(self.batch, self.reuse) < 1 or self.learning_rate <= 0:
            raise OptionError(
                f"batch ({self.batch}), reuse ({self.reuse}) and learning rate "
                f"({self.learning_rate}) must be positive"
            )
        if not 0 <= self.averaging < 1:
            raise OptionError(f"averaging must be at least 0 and below 1, not {self.averaging}")
        if self.balance < 0:
            raise OptionError(f"a balance of {self.balance} turns errors around; give 0 or more")
        stride = self.network.patch * 2 ** (len(self.network.channels) - 1)
        if self.pairs.crop % (unit := math.lcm(stride, round(LARGEST))):
            raise OptionError(
                f"a crop of {self.pairs.crop} px does not fit the network's stride of {stride} px; "
                f"choose a multiple of {unit}"
            )


@dataclass(frozen=True)
class LogLine:
    """One line of the training log."""

    step: int
    minutes: float
    learning_rate: float
    loss: float
    """Mean loss since the line before."""

    rmse: float
    """Root mean square error of the averaged network on crops it never trains on, 0..1."""

    megapixels_per_second: float


LOG_SCHEMA = pa.schema(
    [(line.name, pa.int64() if line.type is int else pa.float64()) for line in fields(LogLine)]
)
"""Of `log.parquet`: the fields of `LogLine`."""


POOL = 64
"""Batches that steps draw from where crops are used more than once."""


class Tensors(NamedTuple):
    """A batch of `pagewash.training.pairs` as tensors: (N, 1, H, W) uint8, and (N,) int64."""

    seen: Tensor
    page: Tensor
    clean: Tensor
    scale: Tensor

    def to(self, device: torch.device) -> "Tensors":
        """Return the batch on a device."""
        return Tensors(*(values.to(device, non_blocking=True) for values in self))


def tensors(batch: Batch) -> Tensors:
    """Hand a batch to torch, without copying it."""
    return Tensors(*(torch.from_numpy(values) for values in batch))


class _Crops(Dataset[Tensors]):
    def __init__(self, source: PairSource, batch: int):
        self.source, self.size = source, batch

    def __getitem__(self, step: int) -> Tensors:
        return tensors(self.source.batch(range(step * self.size, (step + 1) * self.size)))


class TrainingRun:
    """A training run in a folder: a network, its optimizer, and how far they are."""

    def __init__(self, folder: Path, options: TrainingOptions, start: Autoencoder | None = None):
        torch.manual_seed(options.seed)
        self.folder, self.options = folder, options
        self.device = choose_device(options.device)
        torch.backends.cudnn.benchmark = self.device.type == "cuda"  # all crops have one size
        self.network = (start or Autoencoder(options.network)).to(self.device)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._frozen = start is not None and options.frozen_statistics
        if options.finish_alone:
            if self.network.finish is None:
                raise OptionError(
                    "the network has no finish to teach alone; give it one by "
                    "`python -m pagewash.training.finishing`, or leave out --finish-alone"
                )
            for name, weights in self.network.named_parameters():
                weights.requires_grad_(name.startswith("finish."))
        average = partial(_average, options.averaging)
        self.averaged = AveragedModel(self.network, multi_avg_fn=average, use_buffers=True)
        self.optimizer = _optimizer(self.network, options)
        self.step, self.minutes = 0, 0.0
        self.lines: list[LogLine] = []
        if self._state.exists():
            self._resume()

    @property
    def progress(self) -> float:
        """How much of the run is done, 0..1."""
        steps = self.step / self.options.steps if self.options.steps else 0.0
        minutes = self.minutes / self.options.minutes if self.options.minutes else 0.0
        return min(max(steps, minutes), 1.0)

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step."""
        rising = min((self.step + 1) / max(self.options.warmup, 1), 1.0)
        falling = (1 + math.cos(math.pi * self.progress)) / 2
        factor = falling if self.options.schedule == "cosine" else 1.0
        return self.options.learning_rate * rising * max(factor, 1e-3)

    def update(self, batch: Tensors) -> float:
        """Learn from one batch; returns the loss."""
        self.network.train()  # it may have been looked at since
        if self._frozen:
            for module in self.network.modules():
                if isinstance(module, torch.nn.BatchNorm2d):
                    module.eval()
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate
        halved = self.options.precision == "bf16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=halved):
            loss = self._loss(batch)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.averaged.update_parameters(self.network)
        self.step += 1
        return float(loss.detach())

    def _loss(self, batch: Tensors) -> Tensor:
        seen = _floats(batch.seen)
        code, levels = self.network.encode_levels(seen)
        # a network with a finish is to be good without it, too
        answers = self.network.answers(code, levels, seen)
        if self.options.finish_alone:
            answers = answers[-1:]
        page, clean = _floats(batch.page), _floats(batch.clean)
        errors = (
            self._error(_over_blocks(gain * page + offset, batch.scale), clean)
            for gain, offset in answers
        )
        return sum(errors) / len(answers) + self.options.sparsity * code.abs().mean()

    def _error(self, cleaned: Tensor, y: Tensor) -> Tensor:
        """What a batch, (N, 1, H, W) each, counts for."""
        error = cleaned - y
        # what is whiter than white, or blacker than black, will be cut off
        beyond = ((y == 1) & (error > 0)) | ((y == 0) & (error < 0))
        error = torch.where(beyond, self.options.overshoot * error, error)
        weight = 1 + self.options.ink_weight * (1 - y)
        crops = error.new_zeros(len(error))
        if "l1" in self.options.loss:
            crops = crops + (weight * error.abs()).mean((1, 2, 3))
        if "mse" in self.options.loss:
            crops = crops + (weight * error.square()).mean((1, 2, 3))
        if self.options.loss == "huber":
            twice = 2 * F.huber_loss(error, torch.zeros_like(error), "none", HUBER_DELTA)
            crops = crops + (weight * twice).mean((1, 2, 3))
        if balance := self.options.balance:
            crops = balance * torch.log1p(crops / balance)
        return crops.mean()

    def shipped(self) -> Autoencoder:
        """The network that a checkpoint gets: the average, or the last one without averaging."""
        if self.options.averaging and self.step:
            return cast(Autoencoder, self.averaged.module)
        return self.network

    def save(self, card: ModelCard) -> None:
        """Write checkpoint, log and state; the state last, so that it is never ahead of them."""
        self.folder.mkdir(parents=True, exist_ok=True)
        save_checkpoint(self.folder / "network.safetensors", self.shipped(), card)
        table = pa.Table.from_pylist([asdict(line) for line in self.lines], LOG_SCHEMA)
        buffer = io.BytesIO()
        pq.write_table(table, buffer)
        write_atomically(self.folder / "log.parquet", buffer.getvalue())
        meta = {"step": str(self.step), "minutes": str(self.minutes)}
        write_atomically(self._state, safetensors.torch.save(self._tensors(), metadata=meta))

    @property
    def _state(self) -> Path:
        return self.folder / "state.safetensors"

    def _tensors(self) -> dict[str, Tensor]:
        tensors = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        tensors |= {f"averaged.{name}": value for name, value in self.averaged.state_dict().items()}
        for index, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": value for name, value in state.items()}
        return {name: value.contiguous() for name, value in tensors.items()}

    def _resume(self) -> None:
        with safetensors.safe_open(self._state, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            meta = file.metadata()
        try:
            self.network.load_state_dict(_part(tensors, "network."))
            self.averaged.load_state_dict(_part(tensors, "averaged."))
        except RuntimeError as error:
            raise InputError(
                f"{self._state} is of another network; choose another folder, or remove it"
            ) from error
        state = self.optimizer.state_dict()
        for name, value in _part(tensors, "optimizer.").items():
            index, key = name.split(".", 1)
            state["state"].setdefault(int(index), {})[key] = value
        self.optimizer.load_state_dict(state)
        self.step, self.minutes = int(meta["step"]), float(meta["minutes"])
        rows = pq.read_table(self.folder / "log.parquet").to_pylist()
        self.lines = [LogLine(**row) for row in rows]


def train(
    folder: Path,
    options: TrainingOptions,
    source: PairSource,
    card: ModelCard,
    *,
    start: Autoencoder | None = None,
    on_line: Callable[[LogLine], None] = lambda line: None,
) -> Path:
    """Train until the run is as long as its options say; resume it where its folder stands.

    Args:
        folder: gets `network.safetensors` with its card, `log.parquet`, `curve.png`,
            `strips.png` (dirty, cleaned, clean), and `state.safetensors` to resume from.
        options: all of them; a resumed run needs the same ones.
        source: crops to learn from.
        card: name, licence and attribution of the checkpoint; the rest is filled in.
        start: a network to go on from, unfolded; a new one without it.
        on_line: called after each line of the log, when the checkpoint is on disk.

    Returns:
        The path of the checkpoint.
    """
    run = TrainingRun(folder, options, start)
    held_back = dataclasses.replace(source, seed=options.seed + 1_000_003)
    validation = tensors(held_back.batch(range(32))).to(run.device)
    card = dataclasses.replace(card, recipe=asdict(options))
    losses: list[float] = []
    began = time.monotonic()
    for batch in _batches(source, run):
        losses.append(run.update(batch))
        now = time.monotonic()
        run.minutes += (now - began) / 60
        began = now
        done = run.progress >= 1
        if done or run.step % options.checkpoint_every == 0:
            line = _line(run, losses, validation)
            run.lines.append(line)
            run.save(dataclasses.replace(card, activation_ranges=_ranges(run, validation)))
            _draw(run, validation)
            losses.clear()
            log.info("%s", line)
            on_line(line)
        if done:
            break
    return folder / "network.safetensors"


def _draw(run: TrainingRun, validation: Tensors) -> None:
    few = Tensors(*(values[:8] for values in validation))
    cleaned = (restore(run.shipped(), few) * 255).round().to(torch.uint8).cpu().numpy()
    dirty, clean = few.page.cpu().numpy(), few.clean.cpu().numpy()
    steps, losses, errors = zip(
        *((line.step, line.loss, line.rmse) for line in run.lines), strict=True
    )
    pictures = {
        "curve.png": draw_curve(steps, losses, errors),
        "strips.png": draw_strips(dirty, cleaned, clean),
    }
    for name, picture in pictures.items():
        blue_first = picture[..., ::-1] if picture.ndim == 3 else picture
        write_atomically(run.folder / name, cv2.imencode(".png", blue_first)[1].tobytes())


def _ranges(run: TrainingRun, validation: Tensors) -> dict[str, str]:
    """Ranges of the activations, by which the checkpoint can run on integers."""
    network = run.shipped()
    training = network.training
    try:
        return ranges_for_card(measure_ranges(network.eval(), _floats(validation.seen)))
    finally:
        network.train(training)


def rmse(network: Autoencoder, batch: Tensors) -> float:
    """Root mean square error on a batch, in 0..1."""
    return math.sqrt(float((restore(network, batch) - _floats(batch.clean)).square().mean()))


@torch.no_grad()
def restore(network: Autoencoder, batch: Tensors) -> Tensor:
    """Clean the pages of a batch; returns (N, 1, H, W) float32 in 0..1."""
    training = network.training
    network.eval()
    cleaned = []
    try:
        for few in zip(*(torch.split(values, 8) for values in batch), strict=True):
            seen, page, _, scale = few
            gain, offset = network.predict_affine(_floats(seen))
            cleaned.append(_over_blocks(gain * _floats(page) + offset, scale).clamp(0, 1))
    finally:
        network.train(training)
    return torch.cat(cleaned)


def _line(run: TrainingRun, losses: list[float], validation: Tensors) -> LogLine:
    before = run.lines[-1] if run.lines else None
    minutes = run.minutes - (before.minutes if before else 0)
    pixels = len(losses) * run.options.batch * run.options.pairs.crop**2
    return LogLine(
        step=run.step,
        minutes=round(run.minutes, 3),
        learning_rate=run.learning_rate,
        loss=sum(losses) / len(losses),
        rmse=rmse(run.shipped(), validation),
        megapixels_per_second=round(pixels / 1e6 / max(minutes * 60, 1e-9), 3),
    )


def _batches(source: PairSource, run: TrainingRun) -> Iterator[Tensors]:
    """Batches from the step that the run is at, on its device."""
    batch, reuse = run.options.batch, run.options.reuse
    kept = POOL if reuse > 1 else 1
    made = max(run.step // reuse - kept + 1, 0)  # a resumed run makes its pool again
    fresh = _made_ahead(source, run, made)
    pool: Tensors | None = None
    for step in itertools.count(run.step):
        while made <= step // reuse:
            new = next(fresh).to(run.device)
            if pool is None:
                pool = Tensors(*(torch.cat(kept * [values]) for values in new))
            place = made % kept * batch
            for values, several in zip(pool, new, strict=True):
                values[place : place + batch] = several
            made += 1
        assert pool is not None
        draw = torch.Generator().manual_seed(run.options.seed * 1_000_003 + step)
        chosen = torch.randperm(min(made, kept) * batch, generator=draw)[:batch].to(run.device)
        yield Tensors(*(values[chosen] for values in pool))


def _made_ahead(source: PairSource, run: TrainingRun, first: int) -> Iterator[Tensors]:
    """Batches of new crops from number `first` on, made ahead in worker processes."""
    workers = run.options.workers
    yield from DataLoader(
        _Crops(source, run.options.batch),
        batch_size=None,
        sampler=range(first, 2**31),
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        pin_memory=run.device.type == "cuda",
        worker_init_fn=_one_thread,
        # a forked process would inherit OpenCV's locks without the threads that hold them
        multiprocessing_context="spawn" if workers else None,
    )


def _one_thread(worker: int) -> None:
    """Leave the cores to the network: OpenCV would start as many threads as there are."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)


@torch.no_grad()
def _average(
    decay: float,
    averages: tuple[Tensor, ...] | list[Tensor],
    values: tuple[Tensor, ...] | list[Tensor],
    count: Tensor | int,
) -> None:
    """Move averages toward the values, fast at first so that early weights are soon forgotten."""
    keep = min(decay, (1 + int(count)) / (10 + int(count)))
    for average, value in zip(averages, values, strict=True):
        if average.is_floating_point():
            average.lerp_(value, 1 - keep)
        else:
            average.copy_(value)


def _optimizer(network: Autoencoder, options: TrainingOptions) -> torch.optim.Optimizer:
    learning = [weights for weights in network.parameters() if weights.requires_grad]
    if options.optimizer == "sgd":
        return torch.optim.SGD(
            learning, options.learning_rate, momentum=0.9, nesterov=True,
            weight_decay=options.weight_decay,
        )  # fmt: skip
    return torch.optim.AdamW(learning, options.learning_rate, weight_decay=options.weight_decay)


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }


def _over_blocks(values: Tensor, scales: Tensor) -> Tensor:
    """Average each page of (N, 1, H, W) over blocks of its own side, as the cleaner does."""
    for scale in set(scales.tolist()) - {1}:
        mean = F.interpolate(F.avg_pool2d(values, scale), scale_factor=scale)
        values = torch.where((scales == scale).view(-1, 1, 1, 1), mean, values)
    return values


def _floats(pixels: Tensor) -> Tensor:
    return (pixels.float() / 255).contiguous(memory_format=torch.channels_last)
