"""The loop learns, stops and goes on: a resumed run equals an undisturbed one."""

import math
from dataclasses import replace
from statistics import fmean

import numpy as np
import pytest
import torch
from corpora import a_page
from networks import SMALL, small_network

from pagewash.cleaning.cleaner import Cleaner, CleanOptions
from pagewash.errors import InputError
from pagewash.models.page_autoencoder import ConvUnit, PageAutoencoderOptions
from pagewash.training.page_corpus import BLOCKS, PAPER, SUMMARY, find_pages, write_page
from pagewash.training.page_loop import (
    LoopOptions,
    Run,
    as_tensor,
    clean_samples,
    crop_losses,
    page_loss,
    sample_step,
    train_pages,
)
from pagewash.training.page_samples import PageSample

OPTIONS = LoopOptions(steps=6, pages=2, crops=2, crop=64, warmup=2)
SHARES = {"rendered": 1.0, "masked": 0.5}


@pytest.fixture
def corpus(tmp_path):
    write_page(tmp_path / "corpus", "rendered-1", a_page())
    write_page(tmp_path / "corpus", "masked-1", a_page(96, 96, scale=2, seed=1))
    return tmp_path / "corpus"


def weights(run):
    return torch.cat([value.flatten() for value in run.average.state_dict().values()])


def test_a_run_that_is_stopped_and_resumed_equals_an_undisturbed_one(tmp_path, corpus):
    whole = Run(tmp_path / "whole", SMALL, OPTIONS)
    train_pages(whole, [corpus], SHARES)
    first = Run(tmp_path / "parts", SMALL, OPTIONS)
    train_pages(first, [corpus], SHARES, until=lambda: first.step == 3)
    assert first.step == 3
    second = Run(tmp_path / "parts", SMALL, OPTIONS)
    assert second.step == 3
    train_pages(second, [corpus], SHARES)
    assert torch.equal(weights(whole), weights(second))


def test_learning_makes_the_loss_smaller(tmp_path, corpus, unharmed):
    options = LoopOptions(steps=40, pages=2, crops=2, crop=64, warmup=2, learning_rate=3e-3)
    run = Run(tmp_path / "run", SMALL, options)
    pages = find_pages([corpus])
    samples = sample_step(pages, SHARES, 0, options)
    before = run.update(samples)
    for step in range(1, 40):
        after = run.update(sample_step(pages, SHARES, step, options))
    assert after < 0.8 * before


def test_what_becomes_of_scans_without_truth_comes_to_hang_less_on_how_they_lie(tmp_path):
    page = a_page(96, 128)
    unknown = replace(page, weight=np.zeros_like(page.weight), paper=None)
    write_page(tmp_path / "corpus", "scan-1", unknown)
    run = Run(tmp_path / "run", SMALL, LoopOptions(steps=60, warmup=2))
    for head in (run.network.context.features, run.network.tiles.head):
        torch.nn.init.normal_(head.weight, std=0.1)  # so that what the context says is heard
    pages = find_pages([tmp_path / "corpus"])
    losses = [run.update(sample_step(pages, {"scan": 1.0}, step, OPTIONS)) for step in range(60)]
    assert 0 < fmean(losses[-10:]) < 0.5 * fmean(losses[:10])


def test_what_stands_for_the_truth_of_a_scan_without_any_teaches_nothing(tmp_path):
    page = a_page()
    write_page(tmp_path / "corpus", "scan-1", replace(page, weight=np.zeros_like(page.weight)))
    run = Run(tmp_path / "run", SMALL, OPTIONS)
    samples = sample_step(find_pages([tmp_path / "corpus"]), {"scan": 1.0}, 0, OPTIONS)
    others = [replace(sample, clean=255 - sample.clean) for sample in samples]
    run.network.eval()
    losses = [page_loss(run.network, run.coarse, each, OPTIONS) for each in (samples, others)]
    assert losses[0] == losses[1] > 0


def test_the_context_network_learns_from_the_crops(tmp_path, corpus):
    run = Run(tmp_path / "run", SMALL, OPTIONS)
    for head in (run.network.context.features, run.network.tiles.head):
        torch.nn.init.normal_(head.weight, std=0.1)
    samples = sample_step(find_pages([corpus]), SHARES, 0, OPTIONS)
    page_loss(run.network, run.coarse, samples, LoopOptions(paper_weight=0)).backward()
    assert run.network.context.stem.conv.weight.grad.abs().max() > 0


def test_a_step_without_numbers_is_left_out_and_learning_goes_on(tmp_path, corpus, monkeypatch):
    run = Run(tmp_path / "run", SMALL, OPTIONS)
    samples = sample_step(find_pages([corpus]), SHARES, 0, OPTIONS)
    run.update(samples)
    before = weights(run)

    def broken(*arguments):
        for module in run.network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.fill_(torch.nan)
        return torch.nan * page_loss(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr("pagewash.training.page_loop.page_loss", broken)
        assert math.isnan(run.update(samples))
    assert run.step == 2
    assert torch.equal(weights(run), before)
    assert math.isfinite(run.update(samples))
    assert weights(run).isfinite().all()


def test_a_step_whose_coarse_views_get_no_numbers_is_left_out_too(tmp_path, corpus):
    run = Run(tmp_path / "run", SMALL, OPTIONS)
    samples = sample_step(find_pages([corpus]), SHARES, 0, OPTIONS)
    head = run.coarse.heads[0].weight
    before = head.detach().clone()
    handle = head.register_hook(lambda gradient: torch.full_like(gradient, math.nan))
    assert math.isnan(run.update(samples))
    assert torch.equal(head, before)
    handle.remove()
    assert math.isfinite(run.update(samples))


def test_a_step_of_nothing_but_scans_that_are_too_small_teaches_nothing(tmp_path):
    page = a_page(48, 128)
    write_page(tmp_path / "corpus", "scan-1", replace(page, weight=np.zeros_like(page.weight)))
    run = Run(tmp_path / "run", SMALL, OPTIONS)
    samples = sample_step(find_pages([tmp_path / "corpus"]), {"scan": 1.0}, 0, OPTIONS)
    assert run.update(samples) == 0


def test_a_state_of_another_network_is_refused(tmp_path, corpus):
    Run(tmp_path / "run", SMALL, OPTIONS).save()
    with pytest.raises(InputError, match="another network"):
        Run(
            tmp_path / "run", PageAutoencoderOptions(channels=(16, 8, 8), layers=(1, 1, 1)), OPTIONS
        )


def test_a_lost_faint_mark_of_any_colour_costs_more_than_a_speck():
    paper = torch.ones(1, 3, 16, 16)
    mark = paper.clone()
    mark[:, 2, 4:8, 4:8] = 0.6  # pale yellow
    weight = torch.ones(1, 16, 16)
    lost = crop_losses(paper - 1e-3, mark, weight, OPTIONS)
    speck = paper.clone()
    speck[:, 2, 4:8, 4:8] = 0.6
    stayed = crop_losses(speck, paper, weight, OPTIONS)
    assert lost > 1.5 * stayed


def test_what_a_network_is_unsure_of_becomes_the_mean_of_what_it_could_be():
    dark, light = torch.ones(1, 3, 16, 16), torch.ones(1, 3, 16, 16)
    dark[..., 4:8], light[..., 4:8] = 0.0, 0.0  # a stroke, whose edge is dark or light
    dark[..., 8], light[..., 8] = 0.3, 0.9
    answer, weight = ((dark + light) / 2).requires_grad_(), torch.ones(1, 16, 16)
    sum(crop_losses(answer, truth, weight, OPTIONS) for truth in (dark, light)).backward()
    assert answer.grad[..., 8].abs().max() < 0.01 * crop_slope(dark, weight)


def crop_slope(truth, weight):
    """How fast the loss rises where a pixel leaves the truth."""
    answer = (truth + 0.05).requires_grad_()
    crop_losses(answer, truth, weight, OPTIONS).backward()
    return answer.grad.abs().max()


def test_what_does_not_count_does_not_count():
    clean, dirty = torch.ones(1, 3, 8, 8), torch.zeros(1, 3, 8, 8)
    assert crop_losses(dirty, clean, torch.zeros(1, 8, 8), OPTIONS).item() == 0


def test_learning_rates_rise_stay_and_fall_by_steps(tmp_path):
    run = Run(tmp_path / "run", SMALL, LoopOptions(steps=100, warmup=10, cooldown=0.3))
    rates = {}
    for run.step in (0, 4, 10, 40, 70, 85, 99):
        rates[run.step] = round(run.rate, 3)
    assert rates == {0: 0.1, 4: 0.5, 10: 1, 40: 1, 70: 1, 85: 0.5, 99: 0.033}


def test_all_weights_learn(corpus, tmp_path):
    run = Run(tmp_path / "run", SMALL, OPTIONS)
    before = {name: value.clone() for name, value in run.network.named_parameters()}
    for step in range(3):
        run.update(sample_step(find_pages([corpus]), SHARES, step, OPTIONS))
    assert [n for n, value in run.network.named_parameters() if value.equal(before[n])] == []


def test_pages_cleaned_together_are_as_those_cleaned_alone(corpus, tmp_path):
    network = Run(tmp_path / "run", SMALL, OPTIONS).network.eval()
    torch.nn.init.normal_(network.tiles.head.weight, std=0.1)
    samples = sample_step(find_pages([corpus]), SHARES, 0, OPTIONS)
    for sample, together in zip(samples, clean_samples(network, samples), strict=True):
        (alone,) = clean_samples(network, [sample])
        torch.testing.assert_close(together.crops, alone.crops, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("scale", [1, 2, 4])
@pytest.mark.parametrize("coloured", [False, True])
def test_what_a_network_learns_from_is_what_it_then_makes_of_a_page(
    tmp_path, monkeypatch, scale, coloured
):
    page = a_page(192 // scale, 192 // scale, scale)
    if coloured:
        page.dirty[..., 2] //= 2
    write_page(tmp_path, "masked-1", page)
    (stored,) = find_pages([tmp_path])["masked"]
    network = small_network()
    torch.nn.init.normal_(network.tiles.head.weight, std=0.3)
    torch.nn.init.zeros_(network.context.paper.weight)  # paper without colour has none
    sample = PageSample(
        stored.summary[SUMMARY],
        stored.summary[PAPER],
        stored.summary[BLOCKS],
        [(0, 0)],
        page.dirty[None],
        page.clean[None],
        page.weight[None],
        scale,
    )
    with torch.inference_mode():
        (learned,) = clean_samples(network, [sample])
    monkeypatch.setattr("pagewash.cleaning.cleaner.choose_scale", lambda *_: float(scale))
    monkeypatch.setattr("pagewash.cleaning.cleaner.after_network", lambda _, cleaned, *__: cleaned)
    cleaner = Cleaner(network, CleanOptions(precision="fp32", on_review="cleaned"))
    made = cleaner.clean(page.dirty if coloured else np.ascontiguousarray(page.dirty[..., 0]))
    expected = learned.crops[0].clamp(0, 1).permute(1, 2, 0).numpy() * 255
    off = np.abs(expected - (made if coloured else made[..., None]))
    assert np.abs(expected - page.dirty).max() > 50
    assert off.max() <= 6
    assert off.mean() <= 1


def test_what_is_learned_from_a_fine_scan_is_applied_to_its_own_pixels(corpus, tmp_path, unharmed):
    network = Run(tmp_path / "run", SMALL, OPTIONS).network.eval()  # its gain is 1 yet
    sample = sample_step(find_pages([corpus]), {"rendered": 1}, 0, LoopOptions(pages=1))[0]
    darker = replace(sample, finer=sample.dirty // 2)
    (seen,), (own,) = (clean_samples(network, [each]) for each in (sample, darker))
    assert own.crops.mean() < 0.7 * seen.crops.mean()  # colours are cut off above the paper's


def test_what_the_context_says_of_a_page_is_heard(corpus, tmp_path):
    options = LoopOptions(steps=100, pages=2, crops=2, crop=64, warmup=2)
    run = Run(tmp_path / "run", SMALL, options)
    pages = find_pages([corpus])
    for step in range(60):
        run.update(sample_step(pages, SHARES, step, options))
    network, (sample,) = run.average, sample_step(pages, {"rendered": 1}, 0, LoopOptions(pages=1))
    features, _ = network.context(torch.from_numpy(sample.summary)[None])
    assert features.std((2, 3)).max() > 0.05
    (heard,) = clean_samples(network, [sample])
    torch.nn.init.zeros_(network.tiles.context.weight)
    (unheard,) = clean_samples(network, [sample])
    assert (heard.crops - unheard.crops).abs().max() > 0.01


def test_the_context_learns_to_foretell_blocks(corpus, tmp_path, unharmed):
    options = LoopOptions(steps=100, pages=2, crops=2, crop=64, warmup=2)
    run, pages = Run(tmp_path / "run", SMALL, options), find_pages([corpus])

    def error():
        (sample,) = sample_step(pages, {"rendered": 1}, 0, LoopOptions(pages=1))
        foretold = clean_samples(run.average, [sample])[0].ink
        return (1 - foretold - torch.from_numpy(sample.blocks)).abs().mean()

    before = error()
    for step in range(60):
        run.update(sample_step(pages, SHARES, step, options))
    assert error() < 0.5 * before


def test_every_inner_level_learns_to_clean_the_page_by_itself(corpus, tmp_path, unharmed):
    options = LoopOptions(steps=100, pages=2, crops=2, crop=64, warmup=2)
    run, pages = Run(tmp_path / "run", SMALL, options), find_pages([corpus])

    @torch.inference_mode()
    def errors():
        (sample,) = sample_step(pages, {"rendered": 1}, 0, LoopOptions(pages=1, crop=64))
        views = run.coarse(clean_samples(run.network, [sample])[0].levels)
        clean = as_tensor(sample.clean, torch.device("cpu"))
        means = [torch.nn.functional.avg_pool2d(clean, side) for side in run.coarse.sides]
        return [
            (view - mean).square().mean().item() for view, mean in zip(views, means, strict=True)
        ]

    before = errors()
    for step in range(60):
        run.update(sample_step(pages, SHARES, step, options))
    assert all(after < 0.7 * first for after, first in zip(errors(), before, strict=True))


def test_no_level_falls_silent_while_it_learns(corpus, tmp_path):
    options = LoopOptions(steps=100, pages=2, crops=2, crop=64, warmup=2)
    run, alive = Run(tmp_path / "run", SMALL, options), {}
    pages = find_pages([corpus])
    for step in range(60):
        run.update(sample_step(pages, SHARES, step, options))
    for name, unit in run.average.tiles.named_modules():
        if isinstance(unit, ConvUnit):
            unit.register_forward_hook(
                lambda _, __, seen, name=name: alive.update({name: (seen.amax((0, 2, 3)) > 0)})
            )
    clean_samples(run.average, sample_step(pages, SHARES, 0, options))
    assert min(float(channels.float().mean()) for channels in alive.values()) > 0.5


@pytest.mark.parametrize(("has_units", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_a_processor_learns_in_bf16_only_if_it_multiplies_bf16_itself(
    corpus, tmp_path, monkeypatch, has_units, dtype
):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has_units)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    run = Run(tmp_path / "run", SMALL, OPTIONS)
    seen = set()
    for unit in run.network.modules():
        if isinstance(unit, torch.nn.Conv2d):
            unit.register_forward_hook(lambda unit, given, made: seen.add(made.dtype))
    run.update(sample_step(find_pages([corpus]), SHARES, 0, OPTIONS))
    assert seen == {dtype}


def test_statistics_stay_once_the_learning_rates_fall(corpus, tmp_path):
    options = LoopOptions(steps=10, pages=2, crops=2, crop=64, warmup=2, cooldown=0.5)
    run, pages, means = Run(tmp_path / "run", SMALL, options), find_pages([corpus]), []
    for step in range(8):
        run.update(sample_step(pages, SHARES, step, options))
        means.append(run.network.tiles.stem.norm.running_mean.clone())
    assert not torch.equal(means[3], means[4])
    assert torch.equal(means[5], means[7])
