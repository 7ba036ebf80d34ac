"""Samplers: which rows come in which batch."""

import numpy as np
import pytest
import torch
from sklearn.base import clone

from skcontrast._inputs.rows import table_rows
from skcontrast.samplers import SAMPLERS, ClassBalanced, Uniform


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def make_rows(n, target=None, train_index=None):
    side = None if target is None else {"target": np.asarray(target)}
    return table_rows(np.zeros((n, 1)), side=side, train_index=train_index)


SIZES = [
    (1, 4, 2),
    (2, 4, 2),
    (5, 4, 2),
    (6, 4, 2),
    (8, 4, 2),
    (9, 4, 3),
    (10, 4, 3),
    (7, 1, 1),
    (7, 1, 2),
    (10, 100, 2),
]


# Batches of one group have the rows that it has.
@pytest.mark.parametrize("name", sorted(SAMPLERS.keys() - {"group_mixture"}))
@pytest.mark.parametrize("n, batch_size, min_rows", SIZES)
def test_length_and_size_of_batches(name, n, batch_size, min_rows):
    batches = SAMPLERS[name]().build(make_rows(n, np.arange(n) % 3), batch_size, min_rows)
    epoch = list(batches)
    assert len(batches) == len(epoch)
    assert sum(map(len, epoch)) == n
    if n >= min_rows:
        assert min(map(len, epoch)) >= min_rows
    size = max(batch_size, min_rows)
    assert all(len(batch) == size for batch in epoch[:-1])
    assert len(epoch[-1]) < size + min_rows


@pytest.mark.parametrize("n, batch_size, min_rows", SIZES)
def test_uniform_gives_each_training_row_once(n, batch_size, min_rows):
    train = np.arange(n) * 2
    batches = Uniform().build(make_rows(2 * n, train_index=train), batch_size, min_rows)
    for _ in range(2):
        np.testing.assert_array_equal(torch.cat(list(batches)).sort().values, train)


def test_last_batch_of_one_row_joins_the_one_before():
    assert [len(b) for b in Uniform().build(make_rows(9), 4, 2)] == [4, 5]
    assert [len(b) for b in Uniform().build(make_rows(9), 4, 1)] == [4, 4, 1]


def test_epochs_differ_and_repeat_with_the_seed():
    batches = Uniform().build(make_rows(50), 10, 2)
    first, second = torch.cat(list(batches)), torch.cat(list(batches))
    assert not torch.equal(first, second)
    torch.manual_seed(0)
    assert torch.equal(torch.cat(list(batches)), first)


def test_class_balanced_batches_are_balanced():
    target = np.array([7] * 50 + [-1] * 7 + [3] * 3)
    batches = ClassBalanced().build(make_rows(60, target), 12, 2)
    for batch in batches:
        assert np.unique(target[batch], return_counts=True)[1].tolist() == [4, 4, 4]
    # A batch size that is no multiple of the classes: at most one row of difference.
    for batch in ClassBalanced().build(make_rows(60, target), 10, 2):
        assert np.ptp(np.unique(target[batch], return_counts=True)[1]) <= 1


def test_class_balanced_exhausts_a_class_before_it_repeats():
    target = np.array([0] * 41 + [1] * 6 + [2] * 13)
    order = torch.cat(list(ClassBalanced().build(make_rows(60, target), 12, 2))).numpy()
    for label in range(3):
        drawn = order[target[order] == label]
        size = (target == label).sum()
        assert len(drawn) == 20
        for start in range(0, len(drawn), size):
            turn = drawn[start : start + size]
            assert len(np.unique(turn)) == len(turn)
        assert len(np.unique(drawn)) == min(size, 20)


def test_class_balanced_draws_training_rows_only():
    target = np.tile([0, 1, 2], 10)
    train = np.flatnonzero(target != 2)[::2]
    rows = make_rows(30, target, train_index=train)
    drawn = torch.cat(list(ClassBalanced().build(rows, 4, 2)))
    assert np.isin(drawn, train).all()
    assert ClassBalanced.requires == ("target",)


def test_samplers_are_components():
    for name, sampler in SAMPLERS.items():
        assert repr(clone(sampler())) == f"{sampler.__name__}()", name
    assert list(SAMPLERS) == sorted(SAMPLERS)
