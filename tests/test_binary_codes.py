"""BinaryCodes: the signs by loops, and what the rotation is for."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from skcontrast.postprocessing import BinaryCodes
from skcontrast.postprocessing import _bits as module

rng = np.random.default_rng(0)
# Columns of falling variance, turned.
X = rng.normal(size=(600, 24)) / np.arange(1, 25) @ np.linalg.qr(rng.normal(size=(24, 24)))[0] + 3
NEW = X[:5] + 0.01


def test_naive_loops():
    model = BinaryCodes(12, random_state=0).fit(X)
    codes = model.transform(NEW)
    assert codes.dtype == np.uint8 and codes.shape == (5, 12)
    for row, code in zip(NEW, codes):
        for component, bit in zip(model.components_, code):
            side = sum((x - m) * c for x, m, c in zip(row, X.mean(axis=0), component))
            assert bit == (side > 0)
    packed = BinaryCodes(12, packed=True, random_state=0).fit(X).transform(NEW)
    assert packed.shape == (5, 2)
    assert np.array_equal(np.unpackbits(packed, axis=1)[:, :12], codes)
    assert len(BinaryCodes(12, packed=True).fit(X).get_feature_names_out()) == 2


@pytest.mark.parametrize("rotation", ["itq", "random", None])
def test_directions_are_the_leading_ones(rotation):
    model = BinaryCodes(12, rotation=rotation, random_state=0).fit(X)
    W = model.components_
    np.testing.assert_allclose(W @ W.T, np.eye(12), atol=1e-10)
    leading = PCA(12).fit(X).components_
    np.testing.assert_allclose(W.T @ W, leading.T @ leading, atol=1e-8)
    if rotation is None:
        np.testing.assert_allclose(np.abs(W), np.abs(leading), atol=1e-8)


def lost(model, Z):
    """How far rows are from their signs, at the best scale."""
    V = (Z - model.mean_) @ model.components_.T
    return -np.abs(V).sum()


def test_the_rotation_brings_rows_nearer_to_their_signs():
    start = BinaryCodes(12, rotation="random", random_state=0).fit(X)
    ends = []
    for n_steps in (1, 5, 50):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "N_STEPS", n_steps)
            ends.append(lost(BinaryCodes(12, random_state=0).fit(X), X))
    assert lost(start, X) > ends[0] > ends[1] > ends[2]
    # Where it ends, the rotation is the best one for its own signs.
    model = BinaryCodes(12, random_state=0).fit(X)
    V = (X - model.mean_) @ model.components_.T
    product = V.T @ np.where(V > 0, 1, -1)
    assert np.abs(product - product.T).max() < 0.02 * np.abs(product).max()


def recall(Z, codes, k=10):
    true, found = (
        NearestNeighbors(n_neighbors=k, metric=metric).fit(z).kneighbors(return_distance=False)
        for z, metric in ((Z, "euclidean"), (codes, "hamming"))
    )
    return np.mean([len(set(a) & set(b)) / k for a, b in zip(true, found)])


def test_codes_keep_neighbours():
    shares = {
        rotation: recall(
            X, BinaryCodes(24, rotation=rotation, random_state=0).fit_transform(X).astype(bool)
        )
        for rotation in ("itq", "random", None)
    }
    assert shares["itq"] > shares["random"] > 2 * shares[None]


def test_rows_to_learn_from_are_drawn(monkeypatch):
    monkeypatch.setattr(module, "N_LEARN", 100)
    first, second = (BinaryCodes(8, random_state=0).fit(X).components_ for _ in range(2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, BinaryCodes(8, random_state=1).fit(X).components_)


def test_columns_without_variance():
    flat = np.hstack([X, np.full((600, 3), 0.1)])
    codes = BinaryCodes(27, random_state=0).fit_transform(flat)
    assert 0.3 < codes.mean() < 0.7
    assert not BinaryCodes(3).fit_transform(np.full((40, 3), 0.1)).any()


def test_a_row_has_the_same_bits_in_any_batch():
    """Of few rows most directions are rounding, whose sign a product decides."""
    model = BinaryCodes(24, rotation=None).fit(X[:5])
    alone = np.vstack([model.transform(x[None]) for x in X[:5]])
    assert np.array_equal(model.transform(X[:5]), alone)
    with pytest.raises(ValueError, match="X holds numbers of up to .* divide X by"):
        BinaryCodes(2).fit(X * 1e200)


def test_more_bits_than_columns():
    with pytest.raises(ValueError, match="n_bits=64, but there are n_features=24: type n_bits=24"):
        BinaryCodes().fit(X)
