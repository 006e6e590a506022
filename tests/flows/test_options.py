"""Options of a run: pages, failure budgets, and what makes two runs alike."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from pagewash.errors import AccessError, EmptyFileError, OptionError
from pagewash.failures import Failure, describe, exit_code, worst
from pagewash.options import FailureBudget, RunOptions, parse_pages


@given(st.sets(st.integers(1, 40), min_size=1))
def test_pages_count_from_1_on_the_command_line_and_from_0_inside(pages):
    assert parse_pages(", ".join(map(str, pages))) == {page - 1 for page in pages}


def test_ranges_of_pages_include_their_ends():
    assert parse_pages("1,3-5") == {0, 2, 3, 4}
    assert parse_pages("") is None


@pytest.mark.parametrize("text", ["0", "3-1", "a", "1,,2", "-3", "1-2-3", "9999999"])
def test_what_is_no_list_of_pages_is_refused(text):
    with pytest.raises(OptionError, match="pages count from 1"):
        parse_pages(text)


def test_a_failure_budget_is_a_share_or_a_number():
    assert FailureBudget.parse("10%") == FailureBudget.parse("0.1") == FailureBudget(share=0.1)
    assert FailureBudget.parse("25").count == 25
    for text in ("", "many", "110%", "-1", "1.5"):
        with pytest.raises(OptionError, match="--max-failures"):
            FailureBudget.parse(text)


@given(st.integers(0, 1000), st.integers(1, 1000), st.sampled_from(["0%", "10%", "0", "7", "100%"]))
def test_no_run_is_stopped_within_its_budget(failed, total, text):
    budget = FailureBudget.parse(text)
    if failed > budget.bearable(total):
        assert budget.exceeded(failed, total)


def test_a_share_of_a_handful_stops_no_run_and_a_number_does():
    assert not FailureBudget.parse("10%").exceeded(1, 10)
    assert FailureBudget.parse("10%").exceeded(2, 10)
    assert FailureBudget.parse("10%").bearable(10) == 19
    assert FailureBudget.parse("10%").bearable(1000) == 100
    assert FailureBudget.parse("0").bearable(1000) == 0


@pytest.mark.parametrize(("share", "total"), [(29, 100), (57, 200), (35, 180), (70, 90)])
def test_a_share_that_comes_to_a_whole_number_bears_as_many(share, total):
    budget = FailureBudget.parse(f"{share}%")
    assert not budget.exceeded(share * total // 100, total)
    assert budget.exceeded(share * total // 100 + 1, total)


def test_only_what_changes_pixels_changes_the_fingerprint():
    base = RunOptions()
    for change in ({"format": "png"}, {"color": "gray"}, {"pages": "1"}, {"precision": "bf16"}):
        assert replace(base, **change).fingerprint != base.fingerprint
    for change in ({"jobs": 3}, {"force": True}, {"device": "cpu"}, {"max_failures": "3"}):
        assert replace(base, **change).fingerprint == base.fingerprint
    of_each = {RunOptions(on_review=name).fingerprint for name in ("safe", "cleaned", "original")}
    assert len(of_each) == 3
    with pytest.raises(OptionError, match="--on-review 'perhaps'"):
        RunOptions(on_review="perhaps")
    assert RunOptions(pages="1-3").fingerprint == RunOptions(pages="3, 1,2").fingerprint


def test_threads_follow_the_processors_up_to_four():
    assert 1 <= RunOptions().threads <= 4
    assert RunOptions(jobs=7).threads == 7


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (EmptyFileError("x"), 2),
        (AccessError("x"), 5),
        (PermissionError(13, "Permission denied"), 5),
        (OSError("image file is truncated"), 2),  # as Pillow says it, without a number
        (ModuleNotFoundError("torch"), 3),
        (KeyboardInterrupt(), 130),
        (ZeroDivisionError(), 15),
    ],
)
def test_every_error_has_its_exit_code(error, code):
    assert exit_code(error) == code


def test_a_failure_names_its_document_and_the_worst_one_decides():
    broken = describe("a.tif", ValueError("odd\nstrips"))
    assert broken == Failure("a.tif", "ValueError", "a.tif: ValueError: odd strips", 15)
    full = describe("b.tif", AccessError("b.tif cannot be written"))
    assert full.may_pass
    assert not broken.may_pass
    assert worst([full, broken]) == 15
    assert worst([]) == 0


@pytest.mark.parametrize(
    "wrong", [{"format": "gif"}, {"precision": "fp8"}, {"tile": 0}, {"tile": -1}]
)
def test_what_there_is_not_is_refused_before_anything_is_read(wrong):
    with pytest.raises(OptionError, match=str(next(iter(wrong.values())))):
        RunOptions(**wrong)


def test_a_flow_refuses_an_option_that_there_is_not():
    adapter = TypeAdapter(RunOptions)
    assert adapter.validate_python({"color": "gray"}) == RunOptions(color="gray")
    with pytest.raises(ValidationError, match="colour"):
        adapter.validate_python({"colour": "gray"})


COUNT = {
    "precision": "fp32", "color": "gray", "on_review": "original", "format": "png", "pages": "1",
    "halftone": True, "deskew": True, "upright": True, "crop": True, "split": True,
    "borders": "keep", "blank": "drop",
}  # fmt: skip
DO_NOT = {
    "device", "tile", "batch", "embeddings", "model", "jobs", "accepted", "max_failures", "force",
    "wait", "max_image_mpixels", "max_document_mpixels", "max_document_seconds",
    "max_document_gigabytes",
}  # fmt: skip


def test_of_every_option_it_is_known_whether_it_changes_outputs():
    """A model has a hash of its own."""
    assert COUNT.keys() | DO_NOT == vars(RunOptions()).keys()
    changed = [replace(RunOptions(), **{name: value}) for name, value in COUNT.items()]
    found = {options.fingerprint for options in (RunOptions(), *changed)}
    assert len(found) == len(COUNT) + 1
