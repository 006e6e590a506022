"""Threads around a slow middle: order, bounds, errors, and an end in time."""

import threading
from contextlib import closing
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagewash.runs.overlap import DroppedError, WriteBehind, read_ahead


@given(st.lists(st.integers(0, 4), max_size=12), st.integers(1, 4))
def test_what_is_read_ahead_comes_in_order(lengths, threads):
    jobs = list(enumerate(lengths))

    def read(job):
        number, length = job
        return ((number, item) for item in range(length))

    expected = [(number, item) for number, length in jobs for item in range(length)]
    assert list(read_ahead(jobs, read, threads)) == expected


def test_reading_ahead_never_holds_more_than_its_threads_allow():
    begun = []

    def read(job):
        begun.append(job)
        yield job

    with closing(read_ahead(range(1000), read, threads=3)) as items:
        assert list(islice(items, 5)) == [0, 1, 2, 3, 4]
        assert len(begun) <= 5 + 3


def test_an_error_while_reading_is_raised_in_its_turn():
    def read(job):
        yield job
        if job == 1:
            raise ValueError("broken")

    items = read_ahead(range(3), read, threads=3)
    assert [next(items), next(items)] == [0, 1]
    with pytest.raises(ValueError, match="broken"):
        next(items)


def test_closing_ends_the_threads_in_the_middle_of_a_job():
    def endless(job):
        while True:
            yield job

    before = threading.active_count()
    with closing(read_ahead([1, 2], endless, threads=2)) as items:
        next(items)
    assert threading.active_count() == before


def test_every_key_gets_its_items_in_order_and_results_keep_the_order_of_keys():
    with WriteBehind(lambda key, items: (key, list(items)), threads=3, most=2) as writing:
        for key in "abcdef":
            for item in range(4):
                writing.put(key, item)
            writing.end(key)
    assert list(writing.results()) == [(key, [0, 1, 2, 3]) for key in "abcdef"]


def test_a_key_that_never_ended_is_dropped():
    seen = []

    def write(key, items):
        try:
            return [key, *items]
        except DroppedError:
            seen.append(key)
            raise

    with WriteBehind(write, threads=1, most=4) as writing:
        writing.put("whole", 1)
        writing.end("whole")
        writing.put("half", 1)
    assert list(writing.results()) == [["whole", 1]]
    assert seen == ["half"]


def test_a_writer_that_gives_up_takes_no_room():
    with WriteBehind(lambda key, items: key, threads=1, most=1) as writing:
        for key in range(5):
            for item in range(5):
                writing.put(key, item)
            writing.end(key)
    assert list(writing.results()) == [0, 1, 2, 3, 4]


def test_a_writer_that_fails_takes_no_room_and_its_error_is_raised_with_the_results():
    def write(key, items):
        raise ValueError(next(items))

    with WriteBehind(write, threads=1, most=1) as writing:
        for key in range(3):
            for item in range(3):
                writing.put(key, item)
            writing.end(key)
    with pytest.raises(ValueError, match="0"):
        list(writing.results())
