"""Clustered: batches of rows that lie near each other."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from rounding import threads
from sklearn.base import clone
from sklearn.preprocessing import normalize

from skcontrast import ContrastiveEncoder, ContrastiveTextEncoder
from skcontrast._clusters import cluster_means, find_centers, nearest_center
from skcontrast._component import InvalidParameterError
from skcontrast._inputs.rows import table_rows
from skcontrast.networks import MLP
from skcontrast.samplers import Clustered, Uniform, _clustered


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def groups(n_groups=5, size=12, seed=0):
    """Rows of well separated groups, shuffled, and the group of each."""
    rng = np.random.default_rng(seed)
    label = rng.permutation(np.repeat(np.arange(n_groups), size))
    centers = 50 * rng.standard_normal((n_groups, 4))
    return centers[label] + rng.standard_normal((len(label), 4)), label


def purity(batches, label):
    """Mean share of a batch that its commonest group has."""
    return np.mean([np.bincount(label[batch]).max() / len(batch) for batch in batches])


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("n, batch_size", [(60, 12), (60, 7), (61, 12), (5, 100), (3, 2)])
def test_every_row_once(share, n, batch_size):
    X = groups(13, 5)[0][:n]
    train = np.arange(n) * 2
    rows = table_rows(np.repeat(X, 2, 0), train_index=train)
    batches = Clustered(share=share).build(rows, batch_size, 2)
    for _ in range(3):
        epoch = list(batches)
        assert len(epoch) == len(batches)
        np.testing.assert_array_equal(torch.cat(epoch).sort().values, train)


@pytest.mark.parametrize("make", [np.asarray, sp.csr_matrix], ids=["dense", "sparse"])
def test_batches_are_clusters(make):
    X, label = groups()
    rows = table_rows(make(X))
    near = Clustered(share=1.0).build(rows, 12, 2)
    assert purity(near, label) == 1.0
    half = purity(Clustered(share=0.5).build(rows, 12, 2), label)
    assert purity(Uniform().build(rows, 12, 2), label) + 0.1 < half < 0.9


def test_each_batch_has_its_share_of_near_rows():
    X, _ = groups(size=20)
    batches = Clustered(n_clusters=5, share=0.4).build(table_rows(X), 10, 2)
    assert batches.n_near == 40
    taken = np.isin(np.arange(100), batches.entry[:40].numpy()).reshape(10, 10)
    assert (taken.sum(1) == 4).all()


def test_no_share_is_uniform():
    X, label = groups(size=40)
    n = len(X)
    batches = Clustered(share=0.0).build(table_rows(X), 20, 2)
    orders = np.array([torch.cat(list(batches)).numpy() for _ in range(300)])
    # Each place of an epoch is taken by each group as often.
    for g in range(5):
        share = (label[orders] == g).mean(0)
        assert abs(share - 0.2).max() < 5 * np.sqrt(0.16 / 300)
    assert n == orders.shape[1]


def test_epochs_differ_and_batches_of_one_cluster_do_not_follow_each_other():
    X, label = groups(2, 60)
    batches = Clustered(n_clusters=2, share=1.0).build(table_rows(X), 10, 2)
    first, second = list(batches), list(batches)
    assert not torch.equal(torch.cat(first), torch.cat(second))
    orders = [[int(label[b[0]]) for b in batches] for _ in range(20)]
    assert max(np.abs(np.diff(order)).sum() for order in orders) > 3


def test_large_data_is_clustered_by_a_sample(monkeypatch):
    monkeypatch.setattr(_clustered, "MAX_CLUSTERED", 25)
    monkeypatch.setattr(_clustered, "CHUNK", 7)
    X, label = groups()
    assert purity(Clustered(share=1.0).build(table_rows(X), 12, 2), label) > 0.8


def test_the_prior_is_the_space():
    X, label = groups()
    rows = table_rows(np.zeros((60, 2)), side={"prior": X})
    sampler = Clustered(share=1.0, space="prior")
    assert sampler.requires == ("prior",) and Clustered().requires == ()
    assert purity(sampler.build(rows, 12, 2), label) == 1.0


def test_centers_are_the_same_bits_again_with_many_threads():
    # Where k-means itself runs on more than two threads, hardly two fits are.
    X = np.random.default_rng(0).standard_normal((5000, 16))
    with threads(4):
        first, *others = (find_centers(X, 20, 0) for _ in range(6))
    assert all(np.array_equal(first, other) for other in others)


def test_centers_of_equal_rows_and_a_start():
    assert find_centers(np.ones((6, 2)), 3, 0).tolist() == [[1.0, 1.0]]
    X, label = groups(3, 10)
    start = np.array([X[label == g].mean(0) for g in (2, 0, 1)])
    centers = find_centers(X, 3, 0, start)
    np.testing.assert_allclose(centers, start)
    assert (np.argsort([2, 0, 1])[label] == nearest_center(X, centers)).all()
    expected = [X[label == g].mean(0) for g in (0, 2)]
    kept = label != 1
    np.testing.assert_allclose(cluster_means(X[kept], label[kept]), expected)


def encoder(**params):
    small = {"network": MLP(hidden_layer_sizes=(8,)), "n_components": 3, "random_state": 0}
    return ContrastiveEncoder(**{"max_iter": 3, "views": "corruption", **small, **params})


@pytest.mark.parametrize("n", [2, 3, 10, 60])
def test_training_repeats(n):
    X, _ = groups()
    params = {"sampler": Clustered(share=0.7), "batch_size": 6}
    first, second = (encoder(**params).fit(X[:n]).transform(X) for _ in range(2))
    assert np.isfinite(first).all()
    np.testing.assert_array_equal(first, second)
    assert np.isfinite(encoder(**params).fit(np.ones((n, 2))).loss_curve_).all()


def test_stages_of_a_training():
    """Each stage is told apart within the clusters of those before."""
    X, _ = groups()
    stages = [encoder(batch_size=12).fit(X)]
    for _ in range(2):
        prior = np.hstack([normalize(stage.transform(X)) for stage in stages])
        sampler = Clustered(share=1.0, space="prior")
        stages.append(encoder(sampler=sampler, batch_size=12).fit(X, prior=prior))
    Z = np.hstack([stage.transform(X) for stage in stages])
    assert Z.shape == (60, 9) and np.isfinite(Z).all()
    # The later stages are harder, as the rows of a batch are alike.
    assert stages[1].loss_curve_[0] > stages[0].loss_curve_[0]


def test_parameters_and_refusals():
    model = encoder(sampler="clustered").set_params(sampler__share=0.9)
    assert clone(model).sampler.share == 0.9
    for bad in ({"share": 1.5}, {"n_clusters": 0}, {"space": "labels"}):
        with pytest.raises(InvalidParameterError, match=f"{next(iter(bad))!r} parameter of"):
            encoder(sampler=Clustered(**bad)).fit(groups()[0])
    with pytest.raises(ValueError, match="needs 'prior'"):
        encoder(sampler=Clustered(space="prior")).fit(groups()[0])
    texts = ["one two", "three four", "five six"]
    with pytest.raises(ValueError, match="the rows are tokens: type sampler='uniform'"):
        ContrastiveTextEncoder(sampler="clustered", batch_size=2, max_iter=1).fit(texts)
