"""Classes for a domain without labels: recipes of docs/contrastive_pca.md, on a planted shift."""

import importlib.util
from pathlib import Path

import numpy as np

import skcontrast
from skcontrast import ContrastiveEncoder
from skcontrast.objectives import CrossEntropy

BENCHMARKS = Path(skcontrast.__file__).parents[1] / "benchmarks"


def shifted(n=300, seed=0):
    """Two classes, and the same two of a domain that is shifted by most of the way between them."""
    rng = np.random.default_rng(seed)
    y, truth = rng.integers(0, 2, (2, n))
    S, T = rng.normal(scale=0.5, size=(2, n, 3))
    S[:, 0] += 4 * y
    T[:, 0] += 4 * truth + 1.7
    return S, y, T, truth


def test_prototypes_move_with_the_rows_of_the_target():
    spec = importlib.util.spec_from_file_location("domains", BENCHMARKS / "domains.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    S, y, T, truth = shifted()
    means = np.array([S[y == c].mean(axis=0) for c in (0, 1)])
    nearest = ((T[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    found = module.prototypes(S, y, T)
    assert (nearest == truth).mean() < 0.9 < 0.97 < (found == truth).mean()
    assert (module.prototypes(S, y, T, n_rounds=1) == nearest).all()


def head_accuracy(information):
    S, y, T, truth = shifted()
    encoder = ContrastiveEncoder(
        2,
        objective=CrossEntropy(information=information),
        network="linear",
        views=None,
        n_views=1,
        max_iter=60,
        learning_rate=0.03,
        standardize=False,
        random_state=0,
    )
    encoder.fit(np.vstack([S, T]), np.r_[y, np.full(len(T), -1)])
    weights = encoder.objective_weights_
    logits = encoder.transform(T) @ weights["head.weight"].T + weights["head.bias"]
    return (logits.argmax(axis=1) == truth).mean()


def test_information_puts_the_edge_where_the_target_has_no_rows():
    assert head_accuracy(0.0) < 0.9 < 0.97 < head_accuracy(0.3)
