"""Pairs that do not belong together: small losses, classes that disagree, other partners."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import softmax
from sklearn.metrics import roc_auc_score

from skcontrast.multiview import (
    Blocks,
    CanonicalCorrelation,
    MultiViewContrastiveEncoder,
    pair_credibility,
    pseudo_partners,
)
from skcontrast.multiview._noisy_pairs import TEMPERATURE, pair_losses, small_loss_probability


def paired(n=300, share=0.3, seed=0, noise=0.3):
    """Two tables of the same rows in four groups, of which a share of pairs is wrong."""
    rng = np.random.default_rng(seed)
    latent = 3 * rng.normal(size=(4, 5))[rng.integers(0, 4, n)] + rng.normal(size=(n, 5))
    A, B = (latent @ rng.normal(size=(5, p)) + noise * rng.normal(size=(n, p)) for p in (8, 9))
    wrong = rng.permutation(n)[: int(share * n)]
    B[wrong] = B[np.roll(wrong, 1)]
    return Blocks(a=A, b=B), ~np.isin(np.arange(n), wrong)


def unit(Z):
    return Z / np.linalg.norm(Z, axis=-1, keepdims=True)


def test_losses_are_the_definition():
    rng = np.random.default_rng(0)
    Z, present = unit(rng.normal(size=(3, 12, 4))), rng.random((3, 12)) < 0.8
    present[:, 0] = True, False, False  # one block alone
    expected = []
    for i in range(12):
        losses = []
        for a in range(3):
            for b in range(3):
                if a != b and present[a, i] and present[b, i]:
                    there = np.flatnonzero(present[b])
                    p = softmax([Z[a, i] @ Z[b, j] / TEMPERATURE for j in there])
                    losses.append(-np.log(p[there == i][0]))
        expected.append(np.mean(losses) if losses else np.nan)
    assert_allclose(pair_losses(Z, present), expected)


def test_lower_losses_are_never_less_sure():
    rng = np.random.default_rng(0)
    losses = np.concatenate([rng.normal(1, 0.3, 400), rng.normal(4, 1, 200)])
    sure = small_loss_probability(losses)
    assert (np.diff(sure[np.argsort(losses)]) <= 1e-12).all()
    assert abs((sure > 0.5).mean() - 2 / 3) < 0.03


@pytest.mark.parametrize("share", [0.2, 0.6])
@pytest.mark.parametrize("method", ["small_loss", "pseudo_class"])
def test_wrong_pairs_are_found(method, share):
    X, right = paired(share=share)
    sure = pair_credibility(X, method=method, cv=3)
    assert ((sure >= 0) & (sure <= 1)).all()
    cosine = roc_auc_score(right, CanonicalCorrelation(regularization="auto").fit(X).score_pairs(X))
    found = roc_auc_score(right, sure)
    assert found > (cosine - 0.02 if method == "small_loss" else 0.75)
    assert np.array_equal(sure, pair_credibility(X, method=method, cv=3))


def test_networks_holes_and_products():
    X, right = paired(120)
    B = X["b"].copy()
    B[:10] = np.nan
    holes = Blocks(a=X["a"], b=B)
    network = MultiViewContrastiveEncoder(4, max_iter=1, random_state=0)
    for method in ("small_loss", "pseudo_class"):
        sure = pair_credibility(holes, method=method, cv=2, n_classes=4)
        assert (sure[:10] == 1).all() and (sure[10:] < 1).any()
        assert pair_credibility(X, estimator=network, method=method, cv=2).shape == (120,)
    three = Blocks(a=X["a"], b=X["b"], c=X["a"] + X["b"][:, :8])
    products = MultiViewContrastiveEncoder(4, objective="symile", max_iter=1, random_state=0)
    with pytest.raises(ValueError, match="method='small_loss' compares blocks two by two"):
        pair_credibility(three, estimator=products, method="small_loss", cv=2)
    with pytest.raises(ValueError, match="method='loss'"):
        pair_credibility(X, method="loss")
    with pytest.raises(ValueError, match="n_classes=0"):
        pair_credibility(X, method="pseudo_class", n_classes=0)


def test_other_partners_are_means_of_the_likely_class():
    X, right = paired(200)
    made = pseudo_partners(X, right, "b", n_classes=4)
    assert np.array_equal(made["a"], X["a"]) and np.array_equal(made["b"][right], X["b"][right])
    # In four groups far apart, the partner is the mean of the sure ones in its group.
    truth = paired(200, share=0)[0]["b"]
    far = [np.linalg.norm((rows["b"] - truth)[~right], axis=1).mean() for rows in (X, made)]
    assert far[1] < 0.7 * far[0]
    one = pseudo_partners(X, right, "b", n_classes=1)["b"][~right]
    assert_allclose(one, np.broadcast_to(X["b"][right].mean(axis=0), one.shape))
    assert pseudo_partners(X, np.ones(200), "b")["b"] is not X["b"]
    cases = {
        "block= names the block 'c'": lambda: pseudo_partners(X, right, "c"),
        "holds no two blocks": lambda: pseudo_partners(np.hstack([X["a"], X["b"]]), right, "b"),
        "credibility has the shape": lambda: pseudo_partners(X, right[1:], "b"),
        "credibility holds no numbers": lambda: pseudo_partners(X, ["sure"] * 200, "b"),
        "leaves 0 sure rows": lambda: pseudo_partners(X, right, "b", threshold=1.0),
        "is no table of numbers": lambda: pseudo_partners(
            Blocks(a=X["a"], t=["a tree"] * 200), right, "a"
        ),
    }
    for message, call in cases.items():
        with pytest.raises((ValueError, KeyError), match=message):
            call()
