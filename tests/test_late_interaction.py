"""LateInteraction: a plain loop, and the laws of its pools."""

import numpy as np
import pytest

from skcontrast.retrieval import LateInteraction

RNG = np.random.default_rng(0)
BAGS = [RNG.normal(size=(n, 6)) for n in (1, 4, 2, 7, 3)]
ASKED = [RNG.normal(size=(n, 6)) for n in (2, 1, 5)]


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def by_loops(pool, q, d, beta=10.0):
    G = unit(q) @ unit(d).T
    if pool == "lse":
        return np.log(np.exp(beta * G).mean()) / beta
    total = sum(max(row) for row in G.tolist())
    return total / len(q) if pool == "mean_maxsim" else total


@pytest.mark.parametrize("pool", ["maxsim", "mean_maxsim", "lse"])
def test_is_the_loop(pool, monkeypatch):
    expected = [[by_loops(pool, q, d) for d in BAGS] for q in ASKED]
    search = LateInteraction(pool).fit(BAGS)
    np.testing.assert_allclose(search.score_matrix(ASKED), expected, rtol=1e-12)
    ids = np.array([[4, 0], [2, 1], [3, 3]])
    some = np.take_along_axis(np.array(expected), ids, axis=1)
    np.testing.assert_allclose(search.score_candidates(ASKED, ids), some, rtol=1e-12)
    monkeypatch.setattr("skcontrast.retrieval._late.TILE", 64)
    np.testing.assert_allclose(search.score_matrix(ASKED), expected, rtol=1e-12)
    distance, ids = search.kneighbors(ASKED, 2)
    assert np.array_equal(ids, np.argsort(-np.array(expected), axis=1)[:, :2])
    np.testing.assert_allclose(-distance, -np.sort(-np.array(expected), axis=1)[:, :2])


@pytest.mark.parametrize("pool", ["maxsim", "mean_maxsim", "lse"])
def test_one_part_each_is_the_cosine(pool):
    q, d = RNG.normal(size=(4, 6)), RNG.normal(size=(5, 6))
    scores = LateInteraction(pool).fit(d[:, None]).score_matrix(q[:, None])
    np.testing.assert_allclose(scores, unit(q) @ unit(d).T, atol=1e-12)


def test_order_and_doubles_of_parts_change_nothing():
    twice = [np.concatenate([bag[::-1], bag[:1]]) for bag in BAGS]
    scores = LateInteraction().fit(BAGS).score_matrix(ASKED)
    np.testing.assert_allclose(LateInteraction().fit(twice).score_matrix(ASKED), scores)


def test_lse_goes_from_the_mean_to_the_maximum():
    cosines = [[unit(q) @ unit(d).T for d in BAGS] for q in ASKED]
    for beta, of, atol in ((1e-6, np.mean, 1e-5), (1e4, np.max, 1e-3)):
        scores = LateInteraction("lse", beta=beta).fit(BAGS).score_matrix(ASKED)
        np.testing.assert_allclose(scores, [[of(G) for G in row] for row in cosines], atol=atol)


def test_lengths_of_parts_may_be_weights():
    q = np.array([[3.0, 0.0], [0.0, 1.0]])
    d = [np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])]
    search = LateInteraction(weights="length").fit(d)
    np.testing.assert_allclose(search.score_matrix([q]), [[3, 1]])
    search = LateInteraction("mean_maxsim", weights="length").fit(d)
    np.testing.assert_allclose(search.score_matrix([q]), [[0.75, 0.25]])


@pytest.mark.parametrize("pool", ["maxsim", "mean_maxsim", "lse"])
def test_without_parts(pool):
    empty = np.empty((0, 6))
    scores = LateInteraction(pool).fit([empty, *BAGS]).score_matrix([*ASKED, empty])
    assert (scores[-1] == 0).all()
    lowest = -np.array([len(q) for q in ASKED]) if pool == "maxsim" else -np.ones(3)
    np.testing.assert_allclose(scores[:3, 0], lowest)
    without = LateInteraction(pool).fit(BAGS).score_matrix(ASKED)
    np.testing.assert_allclose(scores[:3, 1:], without)


def test_what_is_refused():
    search = LateInteraction().fit(BAGS)
    with pytest.raises(ValueError, match=r"X\[1\] has 3 columns, and 6 are needed"):
        LateInteraction().fit([BAGS[0], BAGS[1][:, :3]])
    with pytest.raises(ValueError, match="5 columns, and 6 are needed"):
        search.score_matrix([np.ones((1, 5))])
    with pytest.raises(ValueError, match="X holds NaN"):
        LateInteraction().fit([np.array([[1.0, np.nan]])])
    with pytest.raises(ValueError, match="X is empty"):
        search.kneighbors([], 2)
    with pytest.raises(ValueError, match="no parts at all"):
        LateInteraction().fit([np.empty((0, 3))])
    with pytest.raises(ValueError, match=r"X\[0\] has the shape \(6,\)"):
        LateInteraction().fit(BAGS[0])
    with pytest.raises(ValueError, match="n_neighbors=10, but there are 5 documents"):
        search.kneighbors(ASKED)
    with pytest.raises(ValueError, match="Did you mean 'maxsim'"):
        LateInteraction("maxsin").fit(BAGS)
