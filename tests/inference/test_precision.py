"""Devices and precisions: what is chosen on which machine, and what is said about it."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pagewash.errors import MissingError, OptionError
from pagewash.inference import precision, precision_choice
from pagewash.inference.precision import choose_device, choose_precision

ROOT = Path(__file__).parents[2]
CPU, CUDA = torch.device("cpu"), torch.device("cuda:0")


@pytest.fixture(autouse=True)
def _forget_what_was_measured(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    precision._kept_on_cpu.cache_clear()
    yield
    precision._kept_on_cpu.cache_clear()


@pytest.fixture
def cards(monkeypatch):
    """Pretend that there are two CUDA cards of a given capability."""

    def pretend(capability: tuple[int, int]) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Some Card")
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)

    return pretend


@pytest.fixture
def processor(monkeypatch):
    """Pretend to have a processor with these units, and these times for each precision."""

    def pretend(
        *, avx512_bf16: bool, amx: bool = False, fp32: float = 1, bf16: float = 1, int8: float = 1
    ) -> None:
        times = {torch.float32: fp32, torch.bfloat16: bf16, torch.uint8: int8}
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512_bf16)
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
        monkeypatch.setattr(precision, "_seconds", lambda asked: {of: times[of] for of in asked})

    return pretend


def test_the_cpu_can_always_be_chosen():
    assert choose_device("cpu") == CPU


def test_a_machine_without_a_gpu_uses_its_cpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device("auto") == CPU


def test_a_gpu_is_used_where_there_is_one(cards):
    cards((8, 0))
    assert choose_device("auto").type == "cuda"
    assert choose_device("cuda:1") == torch.device("cuda:1")


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "cpu:0", "cuda:", "", "mps:1"])
def test_an_unknown_device_is_refused_with_those_that_exist(name):
    with pytest.raises(OptionError, match="choose auto, cpu, cuda, cuda:N or mps"):
        choose_device(name)


def test_a_cuda_device_that_is_not_there_is_reported_with_the_way_out(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(MissingError, match="--device cpu"):
        choose_device("cuda")


def test_a_cuda_number_beyond_the_last_is_reported(cards):
    cards((8, 0))
    with pytest.raises(OptionError, match="the last one is cuda:1"):
        choose_device("cuda:2")


def test_an_apple_gpu_that_is_not_there_is_reported(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(MissingError, match="--device cpu"):
        choose_device("mps")


def test_a_processor_without_bf16_units_computes_in_fp32(processor):
    processor(avx512_bf16=False)
    chosen = choose_precision("auto", CPU)
    assert chosen.dtype == torch.float32
    assert "neither AVX512-BF16 nor AMX" in chosen.reason


@pytest.mark.parametrize("amx", [True, False])
def test_a_processor_on_which_bf16_is_faster_uses_it(processor, amx):
    processor(avx512_bf16=True, amx=amx, fp32=2.0, bf16=0.8)
    chosen = choose_precision("auto", CPU)
    assert chosen.name == "bf16"
    assert "2.5 times" in chosen.reason
    assert ("AMX" if amx else "AVX512-BF16") in chosen.reason


def test_a_processor_on_which_bf16_is_no_faster_computes_in_fp32(processor):
    processor(avx512_bf16=True, fp32=1.0, bf16=1.0)
    chosen = choose_precision("auto", CPU)
    assert chosen.name == "fp32"
    assert "gains nothing" in chosen.reason


def test_integers_are_used_where_they_are_fastest(processor):
    processor(avx512_bf16=False, fp32=2.0, int8=1.0)
    chosen = choose_precision("auto", CPU, int8=True)
    assert (chosen.name, chosen.dtype) == ("int8", torch.uint8)
    assert "2.0 times" in chosen.reason
    assert choose_precision("auto", CPU, int8=False).name == "fp32"


@pytest.mark.parametrize(("int8", "name"), [(0.5, "int8"), (0.9, "bf16")])
def test_the_faster_of_bf16_and_integers_is_used(processor, int8, name):
    processor(avx512_bf16=True, fp32=2.0, bf16=0.8, int8=int8)
    assert choose_precision("auto", CPU, int8=True).name == name


def test_integers_that_gain_nothing_are_not_used(processor):
    processor(avx512_bf16=False, fp32=1.0, int8=1.0)
    assert choose_precision("auto", CPU, int8=True).name == "fp32"


def test_integers_are_refused_where_they_cannot_be_had(cards):
    with pytest.raises(OptionError, match="--precision auto"):
        choose_precision("int8", CPU, int8=False)
    cards((8, 0))
    with pytest.raises(OptionError, match="int8 is for CPUs"):
        choose_precision("int8", CUDA, int8=True)


def test_where_there_is_nothing_to_choose_nothing_is_measured(processor, monkeypatch):
    processor(avx512_bf16=False)
    monkeypatch.delattr(precision, "_seconds")
    assert choose_precision("auto", CPU).name == "fp32"


def test_the_processor_is_measured_once(processor, monkeypatch):
    processor(avx512_bf16=True, fp32=2.0, bf16=1.0)
    first = choose_precision("auto", CPU)
    monkeypatch.delattr(precision, "_seconds")
    assert choose_precision("auto", CPU) == first


def test_what_was_measured_holds_for_later_runs_with_that_model(processor, monkeypatch):
    processor(avx512_bf16=True, fp32=2.0, bf16=1.0, int8=1.5)
    first = choose_precision("auto", CPU, int8=True, model="a" * 64)
    precision._kept_on_cpu.cache_clear()  # as in another process
    processor(avx512_bf16=True, fp32=2.0, bf16=1.5, int8=1.0)
    assert choose_precision("auto", CPU, int8=True, model="a" * 64) == first
    assert choose_precision("auto", CPU, int8=True, model="b" * 64).name == "int8"
    monkeypatch.setattr(precision_choice, "version_of", lambda package: "another")
    precision._kept_on_cpu.cache_clear()
    assert choose_precision("auto", CPU, int8=True, model="a" * 64).name == "int8"


def test_int8_that_was_kept_is_not_taken_for_a_network_without_it(processor):
    processor(avx512_bf16=False, fp32=2.0, int8=1.0)
    assert choose_precision("auto", CPU, int8=True, model="a" * 64).name == "int8"
    assert choose_precision("auto", CPU, int8=False, model="a" * 64).name == "fp32"


@pytest.mark.parametrize(
    ("units", "int8", "name"),
    [
        ({"avx512_bf16": True, "amx": True}, True, "bf16"),
        ({"avx512_bf16": True}, True, "int8"),
        ({"avx512_bf16": True}, False, "bf16"),
        ({"avx512_bf16": False}, False, "fp32"),
    ],
)
def test_where_nothing_can_be_kept_the_units_decide_and_no_timing(
    processor, tmp_path, units, int8, name
):
    (tmp_path / "cache").write_text("in the way")
    for fastest in ({"fp32": 0.1}, {"bf16": 0.1}, {"int8": 0.1}):
        precision._kept_on_cpu.cache_clear()
        processor(**units, **fastest)
        assert choose_precision("auto", CPU, int8=int8, model="a" * 64).name == name


@pytest.mark.parametrize("content", [b"", b"[1]", b'{"a": "b"}', b"\xff"])
def test_an_illegible_note_of_precisions_is_written_anew(processor, tmp_path, content):
    processor(avx512_bf16=True, fp32=2.0, bf16=1.0)
    choose_precision("auto", CPU)
    precision._kept_on_cpu.cache_clear()
    (tmp_path / "cache" / "pagewash" / "precisions.json").write_bytes(content)
    processor(avx512_bf16=True)
    assert choose_precision("auto", CPU).name == "fp32"
    precision._kept_on_cpu.cache_clear()
    processor(avx512_bf16=True, fp32=2.0, bf16=1.0)
    assert choose_precision("auto", CPU).name == "fp32"


def test_convolutions_can_be_measured():
    measured = precision._seconds([torch.float32, torch.bfloat16])
    assert measured.keys() == {torch.float32, torch.bfloat16}
    assert min(measured.values()) > 0


def test_precisions_are_measured_in_turn_so_that_a_busy_moment_meets_all(monkeypatch):
    ran = []
    monkeypatch.setattr(
        precision, "convolution", lambda device, dtype, side: lambda: ran.append(dtype)
    )
    precision._seconds([torch.float32, torch.uint8])
    assert ran == [torch.float32, torch.uint8] * (1 + precision.TURNS)


def test_precisions_are_measured_on_one_thread_which_waits_for_no_other(monkeypatch):
    before, meanwhile = torch.get_num_threads(), []

    def convolution(device, dtype, side):
        return lambda: meanwhile.append(torch.get_num_threads())

    monkeypatch.setattr(precision, "convolution", convolution)
    torch.set_num_threads(2)
    try:
        precision._seconds([torch.float32])
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert set(meanwhile) == {1}


def test_measuring_takes_no_random_numbers_from_its_caller():
    before = torch.get_rng_state()
    precision._seconds([torch.float32])
    assert torch.equal(torch.get_rng_state(), before)


def test_measuring_the_processor_leaves_cards_alone(cards, monkeypatch):
    cards((8, 0))
    monkeypatch.delattr(torch.cuda, "get_rng_state")
    assert precision._seconds([torch.float32])[torch.float32] > 0


def test_cleaning_a_page_imports_no_algebra_and_no_compilers_at_every_start():
    code = (
        "import sys, numpy; from pagewash import Cleaner\n"
        "Cleaner.from_pretrained('fast').clean(numpy.full((64, 64), 200, 'uint8'))\n"
        "print('sympy' in sys.modules, 'torch._dynamo' in sys.modules)"
    )
    child = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert child.stdout == "False False\n"


@pytest.mark.parametrize(
    ("capability", "name"), [((9, 0), "bf16"), ((8, 0), "bf16"), ((7, 5), "fp16"), ((6, 1), "fp32")]
)
def test_a_cuda_card_computes_in_what_it_does_best(cards, capability, name):
    cards(capability)
    chosen = choose_precision("auto", CUDA)
    assert chosen.name == name
    assert "Some Card" in chosen.reason


def test_bf16_is_refused_on_a_card_without_it(cards):
    cards((7, 5))
    with pytest.raises(OptionError, match="choose --precision fp16"):
        choose_precision("bf16", CUDA)


def test_fp16_is_refused_on_a_cpu_with_the_way_out():
    with pytest.raises(OptionError, match="--precision auto"):
        choose_precision("fp16", CPU)


def test_an_unknown_precision_is_refused_with_those_that_exist():
    with pytest.raises(OptionError, match="choose auto, fp32, bf16, fp16 or int8"):
        choose_precision("double", CPU)


def test_what_was_asked_for_is_given_and_said(caplog):
    with caplog.at_level(logging.INFO, "pagewash.inference.precision"):
        chosen = choose_precision("bf16", CPU)
    assert chosen.dtype == torch.bfloat16
    assert caplog.messages == ["bf16 on cpu: bf16 was asked for"]
