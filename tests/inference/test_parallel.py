"""Batches side by side, each on its share of torch's threads."""

import threading
from collections.abc import Callable, Iterator

import pytest
import torch

from pagewash.inference.parallel import COUNT, ParallelBatches


@pytest.fixture(autouse=True)
def threads() -> Iterator[Callable[[int], None]]:
    """Sets the number of torch's threads, four at first, and puts it back in the end."""
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_results_come_in_order_whichever_is_ready_first():
    late = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            assert late.wait(10)
        else:
            late.set()
        return item

    assert list(ParallelBatches(4).map(work, range(9))) == list(range(9))


def test_as_many_run_at_once_as_there_are_lanes():
    together = threading.Barrier(COUNT, timeout=10)
    assert len(set(ParallelBatches(4).map(lambda _: together.wait(), range(COUNT)))) == COUNT


@pytest.mark.parametrize("own", [3, 4])
def test_each_lane_has_its_share_of_torchs_threads_and_the_caller_keeps_its_own(threads, own):
    parallel = ParallelBatches(4)
    threads(own)
    assert list(parallel.map(lambda _: torch.get_num_threads(), range(6))) == [4 // COUNT] * 6
    assert torch.get_num_threads() == own


def test_threads_to_come_have_all_of_torchs_threads():
    list(ParallelBatches(4).map(int, "12"))
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert found == [4]


@pytest.mark.parametrize(("shared", "count"), [(1, 1), (2, COUNT), (7, COUNT)])
def test_there_are_no_more_lanes_than_threads(shared, count):
    assert ParallelBatches(shared).count == count


@pytest.mark.parametrize(("shared", "own"), [(1, 4), (4, 1)])
def test_where_there_is_one_thread_the_caller_computes(threads, shared, own):
    parallel = ParallelBatches(shared)
    threads(own)
    assert set(parallel.map(lambda _: threading.get_ident(), range(3))) == {threading.get_ident()}


def test_a_lone_item_is_the_callers_who_has_all_threads():
    found = list(
        ParallelBatches(4).map(lambda _: (threading.get_ident(), torch.get_num_threads()), [0])
    )
    assert found == [(threading.get_ident(), 4)]


def test_little_is_taken_before_it_is_wanted():
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(50):
            taken.append(item)
            yield item

    results = ParallelBatches(4).map(int, items())
    next(results)
    assert len(taken) == COUNT + 1


def test_an_error_comes_in_its_turn():
    results = ParallelBatches(4).map(lambda item: 1 / item, [2, 1, 0, 1])
    assert [next(results), next(results)] == [0.5, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_several_callers_share_the_lanes():
    parallel = ParallelBatches(4)
    sums: list[int] = []

    def call() -> None:
        sums.append(sum(parallel.map(lambda item: item, range(20))))

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert sums == [190] * 4
