"""The shipped network on a CUDA device, where there is one: `pytest -m gpu`."""

import numpy as np
import pytest
import torch
from scans import scan

from pipeline.cleaning.cleaner import Cleaner, CleanOptions

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

PAGE = scan(shape=(1500, 1100))


def clean(**options: object) -> np.ndarray:
    return Cleaner.from_pretrained(options=CleanOptions(**options)).clean(PAGE, dpi=300)


@pytest.mark.parametrize("precision", ["auto", "fp32", "fp16"])
def test_a_page_is_as_clean_from_a_gpu_as_from_a_cpu(precision):
    expected = clean(device="cpu", precision="fp32").astype(int)
    difference = clean(device="cuda", precision=precision) - expected
    assert np.sqrt(np.mean(difference**2)) < 255 / 10 ** (40 / 20)  # 40 dB


def test_tiles_leave_no_seams_on_a_gpu():
    whole = clean(device="cuda", precision="fp32").astype(int)
    tiled = clean(device="cuda", precision="fp32", tile=640, batch=3)
    assert np.abs(whole - tiled).max() <= 1
