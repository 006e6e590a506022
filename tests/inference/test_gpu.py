"""The network on a CUDA device, where there is one: `pytest -m gpu`."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from corpora import a_page
from networks import SMALL, small_network
from scans import scan

from pagewash.cleaning.cleaner import Cleaner, CleanOptions
from pagewash.inference.checkpoint import ModelCard, load_checkpoint, save_checkpoint
from pagewash.training.page_corpus import write_page
from pagewash.training.page_loop import LoopOptions, Run, device_of, train_pages

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

PAGE = scan(shape=(1500, 1100))


def clean(page: np.ndarray = PAGE, dpi: int = 300, **options: object) -> np.ndarray:
    """What the network answers, whatever it loses."""
    return Cleaner(small_network(), CleanOptions(on_review="cleaned", **options)).clean(page, dpi)


@pytest.mark.parametrize("dpi", [300, 150], ids=["as-it-is", "enlarged"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("precision", ["auto", "fp32", "fp16"])
def test_a_page_is_as_clean_from_a_gpu_as_from_a_cpu(precision, channels, dpi):
    page = PAGE if channels == 1 else np.dstack([PAGE, PAGE // 2 + 90, PAGE // 2 + 60])
    expected = clean(page, dpi, device="cpu", precision="fp32").astype(int)
    difference = clean(page, dpi, device="cuda", precision=precision) - expected
    assert np.sqrt(np.mean(difference**2)) < 255 / 10 ** (40 / 20)  # 40 dB


def test_tiles_leave_no_seams_on_a_gpu():
    whole = clean(device="cuda", precision="fp32").astype(int)
    tiled = clean(device="cuda", precision="fp32", tile=640, batch=3)
    assert np.abs(whole - tiled).max() <= 1


def test_a_card_with_little_memory_says_so_once_and_gives_the_same_page(caplog):
    torch.cuda.reset_peak_memory_stats()
    expected = clean(device="cuda", precision="fp32", tile=1920)  # all of it at once
    needed = torch.cuda.max_memory_allocated()
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(0.6 * needed / total)
    try:
        with caplog.at_level(logging.WARNING):
            found = clean(device="cuda", precision="fp32", tile=1920)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert np.abs(found.astype(int) - expected.astype(int)).max() <= 1
    assert ["too little memory" in record.message for record in caplog.records] == [True]


def test_a_network_learns_on_a_gpu_and_its_checkpoint_loads_on_a_cpu(tmp_path: Path):
    write_page(tmp_path / "corpus", "rendered-1", a_page())
    options = LoopOptions(steps=40, pages=2, crops=2, crop=64, warmup=2, learning_rate=3e-3)
    losses: list[float] = []

    def train(until: int) -> Run:
        run = Run(tmp_path / "run", SMALL, options)
        train_pages(
            run, [tmp_path / "corpus"], {"rendered": 1.0}, until=lambda: run.step == until,
            on_step=lambda step, loss: losses.append(loss),
        )  # fmt: skip
        return run

    train(20)
    run = train(40)  # goes on from the state on disk
    assert len(losses) == 40
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])
    assert device_of(run.network).type == "cuda"
    save_checkpoint(tmp_path / "it.safetensors", run.average, ModelCard("it"))
    loaded = load_checkpoint(tmp_path / "it.safetensors", fold=False).network
    assert device_of(loaded).type == "cpu"
    assert all(
        torch.equal(value, run.average.state_dict()[name].cpu())
        for name, value in loaded.state_dict().items()
    )
