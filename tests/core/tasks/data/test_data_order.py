"""Order: every row once an epoch, decided by the seed, resumable anywhere, and never one that is held out."""

import subprocess
import sys
from itertools import pairwise
from statistics import fmean

import pytest

from core.errors import InvalidInput
from core.tasks.data.order import Order, Permutation, Split, sample_indices

SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33, 100, 1000, 1025, 4097]


@pytest.mark.parametrize("size", SIZES)
def test_a_permutation_has_every_number_once_and_can_be_undone(size: int) -> None:
    for seed in (0, 1, "text"):
        order = Permutation(size, seed)
        numbers = [order[index] for index in range(size)]
        assert sorted(numbers) == list(range(size))
        assert [order.place(number) for number in numbers] == list(range(size))
        assert numbers == [Permutation(size, seed)[index] for index in range(size)]


def test_seeds_give_different_orders_that_look_random() -> None:
    size = 1000
    orders = {tuple(Permutation(size, seed)[index] for index in range(size)) for seed in range(50)}
    assert len(orders) == 50
    for order in orders:
        assert sum(place == number for place, number in enumerate(order)) < 10  # one is expected
        assert sum(second == first + 1 for first, second in pairwise(order)) < 10


def test_each_number_comes_first_about_as_often_as_any_other() -> None:
    counts = [0] * 10
    for seed in range(5000):
        counts[Permutation(10, seed)[0]] += 1
    assert min(counts) > 400
    assert max(counts) < 600


def test_large_tables_cost_no_memory() -> None:
    order = Permutation(10**12, 7)
    assert order.place(order[123_456_789_012]) == 123_456_789_012


@pytest.mark.parametrize("index", [-1, 10])
def test_outside_there_is_nothing(index: int) -> None:
    for ask in (Permutation(10, 0).__getitem__, Permutation(10, 0).place):
        with pytest.raises(IndexError):
            ask(index)


def test_held_out_rows_are_never_trained_on_and_all_others_are_once_an_epoch() -> None:
    split = Split(rows=103, hold_out=20)
    held_out = split.evaluation_rows()
    assert len(set(held_out)) == 20
    assert held_out == [split.evaluation_row(index) for index in range(20)]
    assert [row for row in range(103) if split.holds_out(row)] == sorted(held_out)
    order = Order(split, seed=3)
    epochs = [[order.training_at(83 * epoch + place) for place in range(83)] for epoch in range(3)]
    for rows in epochs:
        assert sorted([*rows, *held_out]) == list(range(103))
    assert epochs[0] != epochs[1] != epochs[2]
    assert [order.epoch_of(position) for position in (0, 82, 83, 248)] == [0, 0, 1, 2]


def test_the_held_out_rows_are_the_same_for_every_run() -> None:
    split = Split(1000, 50)
    assert split.evaluation_rows() == Split(1000, 50).evaluation_rows()
    assert split.evaluation_rows() != Split(1000, 50, seed=1).evaluation_rows()
    first, second = ([Order(split, seed).training_at(place) for place in range(20)] for seed in (1, 2))
    assert first != second


@pytest.mark.parametrize("hold_out", [-1, 10, 11])
def test_something_has_to_be_left_to_train_on(hold_out: int) -> None:
    with pytest.raises(InvalidInput, match="hold_out"):
        Split(10, hold_out)


def test_a_run_that_was_killed_is_asked_the_same_from_there_on() -> None:
    program = """
import os, sys
from core.tasks.data.order import Order, Split
order = Order(Split(997, 100), 5)
for position in range(int(sys.argv[1]), 2000):
    print(order.training_at(position), flush=True)
    if position == int(sys.argv[2]):
        os.kill(os.getpid(), 9)
"""

    def ask(start: int, killed_at: int) -> list[int]:
        command = [sys.executable, "-c", program, str(start), str(killed_at)]
        return [int(line) for line in subprocess.run(command, capture_output=True, text=True).stdout.split()]

    before = ask(0, 1234)
    assert len(before) == 1235
    assert before + ask(1235, -1) == ask(0, -1)


def test_the_order_is_the_same_in_every_release() -> None:
    assert [Permutation(1000, 0)[index] for index in range(8)] == [7, 760, 496, 100, 682, 184, 775, 390]


def test_sampled_rows_are_different_and_ascending() -> None:
    rows = sample_indices(1_000_000, 2000, seed=0)
    assert rows == sorted(set(rows))
    assert len(rows) == 2000
    assert 450_000 < fmean(rows) < 550_000
    assert sample_indices(3, 2000, seed=0) == [0, 1, 2]
    assert sample_indices(0, 10, seed=0) == []
