"""What each step is worth: a row for each, and pages on which it matters."""

import numpy as np
import pytest
import torch
from lines import lines_page
from networks import FakeNetwork, WhiteningNetwork

from pagewash.cleaning.cleaner import Cleaner, CleanOptions
from pagewash.cleaning.steps import STEPS
from pagewash.evaluation.ablation import ablation, one_in, variants
from pagewash.training.page_corpus import TrainingPage


class FadingNetwork(FakeNetwork):
    """Makes ink a little paler."""

    def gain_and_offset(self, x):
        return torch.full_like(x, 0.8), torch.full_like(x[:, :1], 0.2)


def cleaners_of(network: FakeNetwork) -> dict[bool, Cleaner]:
    return {
        guarded: Cleaner(
            network, CleanOptions("cpu", "fp32", on_review="safe" if guarded else "cleaned")
        )
        for guarded in (True, False)
    }


def a_page(dirty: np.ndarray, clean: np.ndarray) -> TrainingPage:
    """In three channels, of which all counts."""
    scan, truth = (np.repeat(page[..., None], 3, axis=2) for page in (dirty, clean))
    return TrainingPage(scan, truth, np.full(clean.shape, 255, np.uint8))


TEXT = np.where(lines_page()[80:240, 40:400] < 128, 0, 255).astype(np.uint8)
DUSTY = TEXT.copy()
DUSTY[20:160:60, 10] = 0  # in the margin


def test_there_is_a_row_for_all_steps_and_for_each_that_is_left_out():
    pages = [("text", a_page(TEXT, TEXT)), ("dust", a_page(DUSTY, TEXT))]
    cleaners = cleaners_of(FakeNetwork())
    table = ablation(cleaners, pages)
    assert list(table) == [
        "all steps", "without keep_spotless", "without remove_specks", "without the guard",
        "network alone",
    ]  # fmt: skip
    assert len(table) == len(STEPS) + 3 == len(variants())
    assert all(errors.keys() == {"text", "dust"} for errors in table.values())
    assert all(cleaner.steps == STEPS for cleaner in cleaners.values())


@pytest.mark.parametrize(
    ("row", "network", "dirty"),
    [
        ("without keep_spotless", FadingNetwork, TEXT),
        ("without remove_specks", FakeNetwork, DUSTY),
        ("without the guard", WhiteningNetwork, TEXT),
    ],
)
def test_a_step_is_missed_on_a_page_that_needs_it(row, network, dirty):
    table = ablation(cleaners_of(network()), [("page", a_page(dirty, TEXT))])
    assert table["all steps"]["page"] < 0.5 * table[row]["page"]


def test_what_does_not_count_is_no_error():
    page = a_page(DUSTY, TEXT)
    page.weight[DUSTY != TEXT] = 0
    table = ablation(cleaners_of(FakeNetwork()), [("page", page)])
    assert table["without remove_specks"]["page"] < 1e-3


def test_where_only_some_pages_are_looked_at_all_kinds_are():
    page = a_page(DUSTY, TEXT)
    pages = [(kind, page) for kind in ("noisy", "clean") * 3 + ("shadow",)]
    assert [kind for kind, _ in one_in(2, pages)] == ["noisy", "clean"] * 2 + ["shadow"]
    assert one_in(1, pages) == pages
