"""The network on a CUDA device, where there is one: `pytest -m gpu`."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from scans import scan, stripes

from pagewash.cleaning.cleaner import Cleaner, CleanOptions
from pagewash.inference.checkpoint import ModelCard, load_checkpoint
from pagewash.models.autoencoder import AutoencoderOptions
from pagewash.training.loop import LogLine, TrainingOptions, train
from pagewash.training.pairs import PairOptions, PairSource

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

PAGE = scan(shape=(1500, 1100))


def clean(model: str = "fast", dpi: int = 300, **options: object) -> np.ndarray:
    return Cleaner.from_pretrained(model, CleanOptions(**options)).clean(PAGE, dpi)


@pytest.mark.parametrize("dpi", [300, 150], ids=["as-it-is", "enlarged"])
@pytest.mark.parametrize("model", ["fast", "best"])
@pytest.mark.parametrize("precision", ["auto", "fp32", "fp16"])
def test_a_page_is_as_clean_from_a_gpu_as_from_a_cpu(precision, model, dpi):
    expected = clean(model, dpi, device="cpu", precision="fp32").astype(int)
    difference = clean(model, dpi, device="cuda", precision=precision) - expected
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


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_network_learns_on_a_gpu_and_its_checkpoint_loads_on_a_cpu(tmp_path: Path, precision):
    options = TrainingOptions(
        network=AutoencoderOptions(patch=2, channels=(8, 8), layers=(1, 1)),
        pairs=PairOptions(crop=32, real=1, real_corrupted=0), batch=8, reuse=2, steps=120,
        minutes=0, workers=1, warmup=2, checkpoint_every=60, learning_rate=1e-2, averaging=0.9,
        device="cuda", precision=precision,
    )  # fmt: skip
    lines: list[LogLine] = []
    source = PairSource(0, options.pairs, (), stripes())

    class KilledError(Exception):
        pass

    def kill(line: LogLine) -> None:
        lines.append(line)
        raise KilledError

    with pytest.raises(KilledError):
        train(tmp_path, options, source, ModelCard("test"), on_line=kill)
    path = train(tmp_path, options, source, ModelCard("test"), on_line=lines.append)
    assert [line.step for line in lines] == [60, 120]
    assert lines[1].rmse < lines[0].rmse < 0.3
    assert next(load_checkpoint(path).network.parameters()).device.type == "cpu"
