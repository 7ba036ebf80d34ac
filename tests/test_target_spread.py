"""TargetSpread: batches that cover the range of a real target."""

import numpy as np
import pytest
import torch
from bad_input import X, Y, assert_refused, assert_sound, encoder

from skcontrast._inputs.rows import table_rows
from skcontrast.objectives import InfoNCE
from skcontrast.samplers import TargetSpread, Uniform, target_ranks

RNG = np.random.default_rng(1)


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def build(target, batch_size, min_rows=2, train_index=None):
    target = np.asarray(target, dtype=float)
    rows = table_rows(np.zeros((len(target), 1)), side={"target": target}, train_index=train_index)
    return TargetSpread().build(rows, batch_size, min_rows)


def strata_of(batches, target, size):
    """For every batch of an epoch, the stratum of each of its rows."""
    rank = target.argsort().argsort()
    return [np.sort(rank[batch] // (len(target) // size)) for batch in batches]


@pytest.mark.parametrize("n, size", [(12, 4), (60, 10), (60, 60), (64, 2), (1000, 100)])
def test_each_batch_has_one_row_of_each_stratum(n, size):
    target = RNG.lognormal(size=n)
    batches = build(target, size)
    for _ in range(3):
        for strata in strata_of(list(batches), target, size):
            assert strata.tolist() == list(range(size))


@pytest.mark.parametrize(
    "n, size, min_rows", [(1, 4, 2), (9, 4, 2), (9, 4, 3), (10, 4, 2), (10, 100, 2), (7, 1, 1)]
)
@pytest.mark.parametrize("n_unlabelled", [0, 1, 5])
def test_every_training_row_comes_once(n, size, min_rows, n_unlabelled):
    target = RNG.standard_normal(2 * n)
    target[: 2 * n_unlabelled] = np.nan
    train = np.arange(n) * 2
    batches = build(target, size, min_rows, train)
    uniform = Uniform().build(
        table_rows(np.zeros((2 * n, 1)), train_index=train), batch_size=size, min_rows=min_rows
    )
    for _ in range(3):
        epoch = list(batches)
        assert [len(b) for b in epoch] == [len(b) for b in uniform]
        assert len(epoch) == len(batches)
        np.testing.assert_array_equal(torch.cat(epoch).sort().values, train)


@pytest.mark.parametrize("n", [25, 26, 31])
def test_a_smaller_last_batch_spreads_too(n):
    target = RNG.standard_normal(n)
    rank = target.argsort().argsort()
    seen = []
    for _ in range(400):
        *full, last = build(target, 8, 1)
        for batch in full:
            # At most a stratum and its neighbour away from an even spread.
            even = (np.arange(8) + 0.5) * n / 8
            assert np.abs(np.sort(rank[batch]) - even).max() <= 2 * n / 8
        seen.append(rank[last.numpy()])
    # Which rows are in the last batch is no matter of their target.
    mean = np.mean(np.concatenate(seen))
    assert abs(mean - (n - 1) / 2) < 0.1 * n
    assert len(np.unique(np.concatenate(seen))) == n


@pytest.mark.parametrize("n_unlabelled", [1, 3, 10, 17, 39, 40])
def test_unlabelled_rows_are_dealt_out_evenly(n_unlabelled):
    target = RNG.standard_normal(40)
    unlabelled = RNG.permutation(40)[:n_unlabelled]
    target[unlabelled] = np.nan
    for _ in range(20):
        for batch in build(target, 8):
            found = np.isnan(target[batch]).sum()
            assert abs(found - n_unlabelled / 5) < 1


def test_labelled_rows_spread_beside_unlabelled_ones():
    target = np.r_[np.arange(40.0), np.full(20, np.nan)][RNG.permutation(60)]
    for batch in build(target, 12):
        labelled = target[batch][~np.isnan(target[batch])]
        assert np.sort(labelled // 5).tolist() == list(range(8))


def test_rows_of_different_strata_meet():
    target = np.arange(12.0)
    together = np.zeros((12, 12))
    batches = build(target, 4)
    for _ in range(300):
        for batch in batches:
            together[np.ix_(batch, batch)] += 1
    share = together / 300
    same_stratum = np.equal.outer(np.arange(12) // 3, np.arange(12) // 3)
    np.testing.assert_allclose(share[~same_stratum], 1 / 3, atol=0.12)
    np.testing.assert_array_equal(share[same_stratum], np.eye(12)[same_stratum])


def test_rows_of_equal_targets_change_places():
    batches = build(np.repeat([0.0, 1.0], 6), 4)
    together = np.zeros((12, 12))
    for _ in range(100):
        for batch in batches:
            assert (batch < 6).sum() == 2
            together[np.ix_(batch, batch)] += 1
    assert together.min() > 0


def test_epochs_differ_and_repeat_with_the_seed():
    batches = build(RNG.standard_normal(50), 10)
    torch.manual_seed(0)
    first, second = torch.cat(list(batches)), torch.cat(list(batches))
    assert not torch.equal(first, second)
    torch.manual_seed(0)
    assert torch.equal(torch.cat(list(batches)), first)


def test_several_columns_are_sorted_along_their_main_direction():
    along = RNG.standard_normal(30)
    noise = 1e-3 * RNG.standard_normal((30, 3))
    target = np.c_[along, -1e6 * along, 1e-6 * along] * [1, 1, 1] + noise * [1, 1e6, 1e-6]
    target = np.c_[target, np.full(30, 7.0)]  # a constant column takes no part
    rank, labelled = target_ranks(target)
    assert labelled.all()
    order = np.corrcoef(rank, along.argsort().argsort())[0, 1]
    assert abs(order) > 0.99
    target[[0, 5], [1, 2]] = np.nan
    rank, labelled = target_ranks(target)
    assert (~labelled).nonzero()[0].tolist() == [0, 5]
    assert (rank[[0, 5]] > rank[labelled].max()).all()
    for batch in build(target, 5):
        assert len(batch) == 5


def test_nothing_to_sort_by():
    for target in (np.full(9, np.nan), np.full(9, 2.0), np.full((9, 2), 2.0)):
        order = torch.cat(list(build(target, 4)))
        assert sorted(order.tolist()) == list(range(9))


# ------------------------------------------------------------ with an estimator


def test_trains():
    number = X[:, 0]
    missing = np.where(Y == 0, np.nan, number)
    for y in (number, missing, X[:, :2], number.tolist()):
        assert_sound(X, y, sampler="target_spread")
        assert_sound(X, y, sampler="target_spread", batch_size=6, early_stopping=True)
    model = encoder(sampler="target_spread").fit(X, number)
    np.testing.assert_allclose(model.target_mean_, number.mean())


def test_needs_a_real_target():
    assert TargetSpread.requires == ("target",)
    assert_refused("TargetSpread requires y to be passed", sampler="target_spread")
    match = r"SupCon\(\) needs a target of classes"
    assert_refused(match, X, Y, objective="supcon", sampler=TargetSpread())
    assert_refused("y must hold finite numbers", X, ["a", "b"] * 10, sampler="target_spread")
    encoder(objective=InfoNCE(), sampler="target_spread").fit(X, Y)
