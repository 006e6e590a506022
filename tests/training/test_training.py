"""The training loop: it learns, resumes as if undisturbed, and says what it did."""

from dataclasses import replace

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from scans import stripes

from pagewash.errors import InputError, OptionError
from pagewash.inference.checkpoint import ModelCard, load_checkpoint, read_ranges
from pagewash.inference.int8 import measure_ranges
from pagewash.models.autoencoder import AutoencoderOptions
from pagewash.training.finishing import with_finish
from pagewash.training.loop import Tensors, TrainingOptions, restore, rmse, tensors, train
from pagewash.training.pairs import PairOptions, PairSource, RealPair

SMALL = AutoencoderOptions(patch=2, channels=(8, 8), layers=(1, 1))


def options(**changes) -> TrainingOptions:
    base = TrainingOptions(
        network=SMALL, pairs=PairOptions(crop=32, real=1, real_corrupted=0, real_laid_over=0),
        batch=2, steps=8, minutes=0, workers=0, warmup=2, averaging=0.5, checkpoint_every=4,
    )  # fmt: skip
    return replace(base, **changes)


def source(settings: TrainingOptions) -> PairSource:
    return PairSource(settings.seed, settings.pairs, (), stripes())


def run(folder, settings, **more):
    return train(folder, settings, source(settings), ModelCard("test"), **more)


def weights(path) -> dict[str, torch.Tensor]:
    return load_checkpoint(path, fold=False).network.state_dict()


def test_training_brings_the_error_down(tmp_path):
    settings = options(steps=120, checkpoint_every=40, learning_rate=1e-2)
    lines = []
    run(tmp_path, settings, on_line=lines.append)
    assert lines[-1].rmse < 0.6 * rms_of_the_dirty(settings)
    assert lines[-1].rmse < lines[0].rmse


def rms_of_the_dirty(settings) -> float:
    batch = source(settings).batch(range(8))
    return float(np.sqrt(((batch.page / 255 - batch.clean / 255) ** 2).mean()))


@pytest.mark.parametrize("reuse", [1, 3])
def test_a_run_that_was_killed_goes_on_as_if_undisturbed(tmp_path, monkeypatch, reuse):
    monkeypatch.setattr("pagewash.training.loop.POOL", 2)  # so that it has gone round
    settings = options(reuse=reuse, steps=16, checkpoint_every=8)
    whole = run(tmp_path / "whole", settings)

    class KilledError(Exception):
        pass

    def kill(line):
        raise KilledError

    with pytest.raises(KilledError):
        run(tmp_path / "killed", settings, on_line=kill)
    resumed = run(tmp_path / "killed", settings)

    expected, found = weights(whole), weights(resumed)
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    logs = [
        pq.read_table(path.parent / "log.parquet").column("rmse").to_pylist()
        for path in (whole, resumed)
    ]
    assert logs[0] == logs[1]


def test_the_checkpoint_carries_every_option(tmp_path):
    card = load_checkpoint(run(tmp_path, options(steps=1))).card
    assert card.recipe["learning_rate"] == options().learning_rate
    assert card.recipe["pairs"]["corruption"]["chances"]["stains"]["share"] > 0
    assert card.options == SMALL


def test_a_trained_checkpoint_knows_the_ranges_that_integers_need(tmp_path):
    checkpoint = load_checkpoint(run(tmp_path, options()))
    ranges = read_ranges(checkpoint.card)
    assert "stem" in ranges
    assert all((span[0] <= span[1]).all() for span in ranges.values())
    assert ranges.keys() == measure_ranges(checkpoint.network, torch.rand(1, 1, 32, 32)).keys()


def test_crops_that_are_used_again_are_drawn_from_those_of_late(tmp_path, monkeypatch):
    monkeypatch.setattr("pagewash.training.loop.POOL", 2)
    made = []

    class Counting(PairSource):
        def batch(self, numbers):
            made.append(numbers)
            return super().batch(numbers)

    settings = options(reuse=3, steps=12)
    counting = Counting(settings.seed, settings.pairs, (), stripes())
    train(tmp_path, settings, counting, ModelCard("test"))
    assert made == [range(32), range(2), range(2, 4), range(4, 6), range(6, 8)]


def test_a_run_can_start_from_a_checkpoint(tmp_path):
    first = run(tmp_path / "first", options(steps=40, checkpoint_every=40))
    start = load_checkpoint(first, fold=False).network
    batch = tensors(source(options()).batch(range(8)))
    lines = []
    settings = options(steps=1, warmup=1000)
    run(tmp_path / "second", settings, start=start, on_line=lines.append)
    assert lines[0].rmse == pytest.approx(
        rmse(load_checkpoint(first, fold=False).network, batch), rel=0.3
    )


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("averaging", [0.0, 0.5])  # by 0, what is drawn meanwhile is what learns
def test_frozen_statistics_stay_those_of_the_start(tmp_path, averaging, frozen):
    first = run(tmp_path / "first", options(steps=4))
    start = load_checkpoint(first, fold=False).network
    settings = options(frozen_statistics=frozen, averaging=averaging)
    before = weights(first)
    after = weights(run(tmp_path / "second", settings, start=start))
    statistics = [name for name in before if "running" in name]
    same = [torch.equal(before[name], after[name]) for name in statistics]
    assert same == [frozen] * len(statistics)
    assert not torch.equal(before["stem.conv.weight"], after["stem.conv.weight"])


def test_a_network_with_a_finish_learns_to_be_good_without_it_too(tmp_path):
    settings = options(
        steps=150, checkpoint_every=150, learning_rate=1e-2, averaging=0.9,
        network=replace(SMALL, finish_channels=4, finish_layers=1),
    )  # fmt: skip
    made = load_checkpoint(run(tmp_path, settings), fold=False).network
    batch = tensors(source(settings).batch(range(8)))
    assert rmse(with_finish(made, 0, 1), batch) < 0.6 * rms_of_the_dirty(settings)
    assert rmse(made, batch) < 0.6 * rms_of_the_dirty(settings)
    assert made.finish.head.weight.abs().max() > 0


def test_a_finish_can_learn_alone(tmp_path):
    start = with_finish(load_checkpoint(run(tmp_path / "a", options()), fold=False).network, 4, 1)
    before = {name: value.clone() for name, value in start.state_dict().items()}
    after = weights(run(tmp_path / "b", options(finish_alone=True), start=start))
    changed = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert "finish.head.weight" in changed
    assert all(name.startswith("finish.") for name in changed)


def test_a_network_without_a_finish_has_none_to_teach(tmp_path):
    with pytest.raises(OptionError, match=r"pagewash\.training\.finishing"):
        run(tmp_path, options(finish_alone=True))


def test_a_state_of_another_network_is_refused(tmp_path):
    run(tmp_path, options(steps=1))
    other = options(steps=2, network=replace(SMALL, channels=(8, 12)))
    with pytest.raises(InputError, match=r"another network; choose another folder"):
        run(tmp_path, other)


@pytest.mark.parametrize(
    "changes",
    [{"steps": 0}, {"batch": 0}, {"reuse": 0}, {"averaging": 1.0}, {"learning_rate": 0.0},
     {"balance": -1.0}, {"pairs": PairOptions(crop=33)}],
)  # fmt: skip
def test_options_that_cannot_work_are_refused(changes):
    with pytest.raises(OptionError):
        options(**changes)


def test_sparsity_makes_the_code_smaller(tmp_path):
    def size_of_code(weight):
        path = run(tmp_path / str(weight), options(steps=60, checkpoint_every=60, sparsity=weight))
        batch = tensors(source(options()).batch(range(4)))
        return load_checkpoint(path).network.encode(batch.seen / 255).abs().mean()

    assert size_of_code(1.0) < size_of_code(0.0)


def test_crops_beyond_help_take_little_from_the_others_where_errors_are_balanced(tmp_path):
    noise = np.random.default_rng(0).integers(0, 2, (64, 64), dtype=np.uint8) * 255
    hopeless = RealPair(np.full_like(noise, 128), noise)

    def error(balance):
        settings = options(steps=120, checkpoint_every=120, balance=balance, learning_rate=1e-2)
        pairs = replace(source(settings), real=[*stripes(), *3 * [hopeless]])
        path = train(tmp_path / str(balance), settings, pairs, ModelCard("test"))
        good = tensors(source(settings).batch(range(8)))
        return rmse(load_checkpoint(path, fold=False).network, good)

    assert error(0.03) < 0.8 * error(0.0)


def test_what_is_in_doubt_comes_out_decided_by_hubers_loss_and_grey_by_squares(tmp_path):
    grey, white = np.full((32, 32), 128, np.uint8), np.full((32, 32), 255, np.uint8)
    pairs = [*3 * [RealPair(grey, white)], RealPair(grey, np.zeros_like(grey))]

    def answer(loss):
        settings = options(
            loss=loss, ink_weight=0, overshoot=1, balance=0, steps=200, checkpoint_every=200,
            learning_rate=1e-2, batch=8,
        )  # fmt: skip
        path = train(
            tmp_path / loss, settings, replace(source(settings), real=pairs), ModelCard("test")
        )
        batch = tensors(replace(source(settings), real=pairs).batch(range(2)))
        return float(restore(load_checkpoint(path, fold=False).network, batch).mean())

    assert answer("mse") == pytest.approx(0.75, abs=0.1)
    assert answer("huber") > 0.93


def test_restored_crops_are_within_0_and_1(tmp_path):
    network = load_checkpoint(run(tmp_path, options(steps=1)), fold=False).network
    batch = tensors(source(options()).batch(range(3)))
    restored = restore(network, batch)
    assert restored.shape == batch.page.shape
    assert 0 <= restored.min() <= restored.max() <= 1
    assert rmse(network, batch) > 0


def test_what_is_said_of_an_enlarged_crop_is_averaged_over_the_pages_own_pixels():
    class Checkered(torch.nn.Module):
        def predict_affine(self, x):
            return torch.zeros_like(x), (torch.arange(x[0].numel()) % 2).float().view(x.shape[1:])

    page = torch.zeros(1, 1, 32, 32, dtype=torch.uint8)
    cleaned = [
        restore(Checkered(), Tensors(page, page, page, torch.tensor([scale]))) for scale in (1, 2)
    ]
    assert set(cleaned[0].unique().tolist()) == {0, 1}
    assert set(cleaned[1].unique().tolist()) == {0.5}


def test_paper_comes_out_white_where_whiter_than_white_costs_little(tmp_path):
    def share_of_white(overshoot):
        settings = options(steps=120, checkpoint_every=120, overshoot=overshoot, learning_rate=1e-2)
        path = run(tmp_path / str(overshoot), settings)
        batch = tensors(source(settings).batch(range(8)))
        cleaned = restore(load_checkpoint(path, fold=False).network, batch)
        return float((cleaned[batch.clean == 255] == 1).float().mean())

    assert share_of_white(0.1) > share_of_white(1.0) + 0.1


def test_a_run_draws_its_curve_and_what_it_makes_of_some_crops(tmp_path):
    run(tmp_path, options())
    curve, strips = (cv2.imread(str(tmp_path / name)) for name in ("curve.png", "strips.png"))
    orange = (curve[..., 2] > 190) & (curve[..., 0] < 60)
    assert orange.any()
    assert strips.shape[:2] == (3 * 32, 8 * 32)
