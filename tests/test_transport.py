"""transported_prototypes: the laws of a transport, and what is refused."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.preprocessing import normalize

from skcontrast import ZeroShotClassifier
from skcontrast.adaptation import transported_prototypes

RNG = np.random.default_rng(0)
T, Q = RNG.normal(size=(4, 6)), RNG.normal(size=(20, 6))


def test_moved_prototypes_average_to_the_mean_query():
    # Each query gives away the same mass, and each class takes the same.
    assert_allclose(transported_prototypes(T, Q).mean(axis=0), Q.mean(axis=0), atol=1e-10)


def test_soft_transport_moves_all_to_the_mean():
    moved = transported_prototypes(T, Q, epsilon=1e6)
    assert_allclose(moved, np.tile(Q.mean(axis=0), (4, 1)), atol=1e-5)


def test_sharp_transport_of_one_query_a_class_is_an_assignment():
    order = RNG.permutation(4)
    near = (T + 0.1 * RNG.normal(size=T.shape))[order]
    assert_allclose(transported_prototypes(T, near, epsilon=1e-3)[order], near, atol=1e-8)


def test_order_and_scale_do_not_matter():
    order, classes = RNG.permutation(20), RNG.permutation(4)
    moved = transported_prototypes(T, Q)
    assert_allclose(transported_prototypes(T[classes], Q[order]), moved[classes], atol=1e-12)
    assert_allclose(transported_prototypes(10 * T, 10 * Q), 10 * moved, atol=1e-11)
    assert_allclose(transported_prototypes(T[:1], np.tile(T[:1], (3, 1))), T[:1])


def test_it_finds_classes_that_have_moved():
    y = np.arange(300) % 3
    means = np.eye(6)[:3]
    rows = normalize(means[y] + 0.2 * RNG.normal(size=(300, 6)) + np.eye(6)[0])
    few = ZeroShotClassifier(means).fit(means, [0, 1, 2])
    moved = normalize(transported_prototypes(means, rows))
    after = ZeroShotClassifier(moved).fit(means, [0, 1, 2])
    assert few.score(rows, y) < 0.8 and after.score(rows, y) > 0.95


def test_what_is_refused():
    with pytest.raises(ValueError, match="prototypes has 3 columns and queries has 6: pass rows"):
        transported_prototypes(T[:, :3], Q)
    with pytest.raises(ValueError, match="epsilon=0: type a number above 0"):
        transported_prototypes(T, Q, epsilon=0)
    with pytest.raises(ValueError, match="max_iter=0: type a whole number"):
        transported_prototypes(T, Q, max_iter=0)
    with pytest.raises(ValueError, match="queries has 0 row"):
        transported_prototypes(T, Q[:0])
    with pytest.raises(ValueError, match="NaN"):
        transported_prototypes(T, np.where(Q > 1, np.nan, Q))
