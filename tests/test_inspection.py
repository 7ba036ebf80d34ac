"""Labels that neighbours doubt, parts that play together, and predictions contrasted."""

import itertools

import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.datasets import load_digits
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KNeighborsClassifier

from skcontrast.inspection import (
    banzhaf_interaction,
    contrast_probabilities,
    contrastive_input,
    dependence_weights,
    label_credibility,
)

rng = np.random.default_rng(0)
N, D = 40, 3
Z = rng.normal(size=(N, D))
Y = np.array([*"abc"])[rng.integers(0, 3, N)]


def cos(a, b):
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


# ---- credibility of labels -----------------------------------------------------------


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_label_credibility(temperature):
    share, margin = [], []
    for i in range(N):
        near = sorted((j for j in range(N) if j != i), key=lambda j: -cos(Z[i], Z[j]))[:7]
        weight = {j: np.exp(cos(Z[i], Z[j]) / temperature) for j in near}
        of_class = {
            c: sum(w for j, w in weight.items() if Y[j] == c) / sum(weight.values()) for c in "abc"
        }
        share.append(of_class.pop(Y[i]))
        margin.append(share[-1] - max(of_class.values()))
    for score, expected in (("share", share), ("margin", margin)):
        found = label_credibility(Z, Y, n_neighbors=7, temperature=temperature, score=score)
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


def test_label_credibility_laws():
    flat = label_credibility(Z, Y, n_neighbors=5, temperature=1e9, score="share")
    np.testing.assert_allclose(flat * 5, (flat * 5).round(), atol=1e-6)
    np.testing.assert_allclose(label_credibility(Z, np.zeros(N)), 1, rtol=1e-14)
    order = rng.permutation(N)
    found = label_credibility(Z, Y)
    np.testing.assert_allclose(label_credibility(Z[order], Y[order]), found[order], rtol=1e-9)
    # Of equal rows, too, which have the shares of the classes among the others.
    tied = np.repeat(Z[:5], 8, axis=0)
    found = label_credibility(tied, Y, n_neighbors=10)
    again = label_credibility(tied[order], Y[order], n_neighbors=10)
    np.testing.assert_allclose(again, found[order], atol=1e-9)
    equal = label_credibility(np.ones((N, D)), Y, n_neighbors=5, score="share")
    np.testing.assert_allclose(equal, [(np.sum(Y == y) - 1) / (N - 1) for y in Y])
    sharp = label_credibility(Z, Y, temperature=1e-4, score="share")
    np.testing.assert_array_equal(
        label_credibility(Z, Y, temperature=1e-320, score="share"),
        (label_credibility(Z, Y, n_neighbors=1, score="share")),
    )
    assert np.isfinite(sharp).all()
    # Fewer rows than neighbours: all others are asked.
    assert label_credibility(Z[:3], ["a", "a", "b"], score="share", temperature=1e9) == (
        pytest.approx([0.5, 0.5, 0])
    )


def test_label_credibility_finds_wrong_labels():
    X, y = load_digits(return_X_y=True)
    wrong = rng.random(len(y)) < 0.1
    given = np.where(wrong, (y + rng.integers(1, 10, len(y))) % 10, y)
    assert roc_auc_score(wrong, -label_credibility(X, given)) > 0.97


# ---- Banzhaf -------------------------------------------------------------------------


def by_sets(value, n):
    """Both from their definition, set by set."""
    worth = {s: value(np.array([s]))[0] for s in itertools.product([False, True], repeat=n)}

    def with_(s, *players):
        return tuple(True if p in players else x for p, x in enumerate(s))

    values, pairs = np.zeros(n), np.zeros((n, n))
    for i in range(n):
        values[i] = np.mean([worth[with_(s, i)] - worth[s] for s in worth if not s[i]])
        for j in range(n):
            if i != j:
                pairs[i, j] = np.mean(
                    [
                        worth[with_(s, i, j)] - worth[with_(s, i)] - worth[with_(s, j)] + worth[s]
                        for s in worth
                        if not s[i] and not s[j]
                    ]
                )
    return values, pairs


def game(sets):
    """Any function of the sets."""
    z = np.where(sets, Z[0, 0] + np.arange(sets.shape[1]), 0.5)
    return np.sin(z.sum(axis=1)) + z[:, 0] * z[:, -1]


def test_banzhaf_is_its_definition():
    for found, expected in zip(banzhaf_interaction(game, 5), by_sets(game, 5)):
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_banzhaf_of_values_that_add_up():
    worth = np.array([1.5, -0.7, 0.2, 0.9, -1.1, 0.4])
    values, pairs = banzhaf_interaction(lambda sets: 3 + sets @ worth, 6)
    np.testing.assert_allclose(values, worth, atol=1e-12)
    np.testing.assert_allclose(pairs, 0, atol=1e-12)
    # Drawn in pairs of a set and its complement, the parts' values of a sum stay near.
    drawn = banzhaf_interaction(lambda sets: 3 + sets @ worth, 6, n_samples=30, random_state=0)[0]
    assert np.corrcoef(drawn, worth)[0, 1] > 0.7


def test_drawn_banzhaf_is_right_in_the_mean():
    exact = by_sets(game, 5)
    many = [banzhaf_interaction(game, 5, n_samples=10, random_state=s) for s in range(600)]
    for found, expected in zip(zip(*many), exact):
        error = np.std(found, axis=0) / len(many) ** 0.5
        assert (np.abs(np.mean(found, axis=0) - expected) <= 4 * error + 1e-12).all()
    again = banzhaf_interaction(game, 5, n_samples=10, random_state=1)
    np.testing.assert_array_equal(again[1], many[1][1])


def test_many_players_are_drawn():
    asked = []

    def value(sets):
        asked.append(len(sets))
        return 5.0 * (sets[:, 3] & sets[:, 17])

    pairs = banzhaf_interaction(value, 20, random_state=0)[1]
    assert sum(asked) == 4096 + 2
    assert np.unravel_index(pairs.argmax(), pairs.shape) == (3, 17)
    assert pairs[3, 17] == pytest.approx(5, abs=0.5)


# ---- predictions contrasted ----------------------------------------------------------


def probabilities(n=30, n_classes=5):
    return rng.dirichlet(np.ones(n_classes), size=n)


def test_contrast_probabilities():
    expert, amateur = probabilities(), probabilities()
    found = contrast_probabilities(expert, amateur, alpha=0.3, beta=0.7)
    for i, row in enumerate(expert):
        for c, p in enumerate(row):
            plausible = p >= 0.3 * max(row)
            expected = np.log(p) - 0.7 * np.log(amateur[i, c]) if plausible else -np.inf
            assert found[i, c] == pytest.approx(expected)


def test_contrast_that_leaves_the_expert_its_choice():
    expert, amateur = probabilities(), probabilities()
    for params in ({"beta": 0}, {"alpha": 1}):
        found = contrast_probabilities(expert, amateur, **params)
        np.testing.assert_array_equal(found.argmax(1), expert.argmax(1))


@pytest.mark.parametrize("b", [0.5, 2.0])
def test_contrast_of_logits_ranks_alike(b):
    f, g = rng.normal(size=(2, 30, 5))
    logits = (1 + b) * f - b * g
    p, q = (np.exp(log_softmax(x, axis=1)) for x in (f, g))
    scores = contrast_probabilities(p, q, alpha=0, beta=b / (1 + b))
    np.testing.assert_array_equal(scores.argsort(1), logits.argsort(1))


def test_contrast_with_the_class_frequencies_is_logit_adjustment():
    expert, prior = probabilities(), probabilities(1)
    scores = contrast_probabilities(expert, np.tile(prior, (30, 1)), alpha=0, beta=1)
    adjusted = np.log(expert) - np.log(prior)
    np.testing.assert_allclose(scores, adjusted)


def test_contrast_of_certain_models_is_finite_where_plausible():
    scores = contrast_probabilities([[1.0, 0.0]], [[0.0, 1.0]])
    assert np.isfinite(scores[0, 0]) and scores[0, 1] == -np.inf


def shortcut(seed=0):
    """Digits, and ten columns that say the class of 9 in 10 training rows and no other."""
    draw = np.random.default_rng(seed)
    X, y = load_digits(return_X_y=True)
    order = draw.permutation(len(y))
    train, test = order[:400], order[400:1000]
    hint = np.where(draw.random(len(y)) < 0.9, y, draw.integers(0, 10, len(y)))
    hint[test] = draw.integers(0, 10, len(test))
    return np.c_[X / 16, np.eye(10)[hint]], y, train, test


def test_contrast_helps_where_the_amateur_sees_the_shortcut_alone():
    X, y, train, test = shortcut()
    expert = LogisticRegression(max_iter=500).fit(X[train], y[train])
    amateur = LogisticRegression(max_iter=500).fit(X[train, 64:], y[train])
    p, q = expert.predict_proba(X[test]), amateur.predict_proba(X[test, 64:])
    alone = accuracy_score(y[test], p.argmax(1))
    contrasted = accuracy_score(y[test], contrast_probabilities(p, q).argmax(1))
    assert contrasted > alone + 0.05


def test_contrastive_input():
    X, y, train, test = shortcut()
    model = LogisticRegression(max_iter=500).fit(X[train], y[train])
    p = model.predict_proba(X[test])
    without = X[test].copy()
    without[:, 64:] = X[train, 64:].mean(0)
    q = model.predict_proba(without)
    for strength in (0.5, 1.0):
        risen = p ** (1 + strength) / q**strength
        expected = risen / risen.sum(1, keepdims=True)
        found = contrastive_input(model, X[test], without, strength=strength)
        np.testing.assert_allclose(found, expected, rtol=1e-9)
    np.testing.assert_array_equal(contrastive_input(model, X[test], without, strength=0), p)
    np.testing.assert_allclose(contrastive_input(model, X[test], X[test]), p, rtol=1e-12)
    # What rises most is the class that the shortcut names.
    hint = X[test, 64:].argmax(1)
    assert np.mean((np.log(found) - np.log(p)).argmax(1) == hint) > 0.95


def test_dependence_weights():
    X, y, train, test = shortcut()
    model = LogisticRegression(max_iter=500).fit(X[train], y[train])
    without = X[train].copy()
    without[:, 64:] = X[train, 64:].mean(0)
    weights = dependence_weights(model, X[train], without, y[train])
    p, q = model.predict_log_proba(X[train]), model.predict_log_proba(without)
    gain = np.array([max(p[i, c] - q[i, c], 0) for i, c in enumerate(y[train])])
    np.testing.assert_allclose(weights, gain / gain.mean())
    named = X[train, 64:].argmax(1) == y[train]
    assert weights[named].mean() > 5 * weights[~named].mean()
    same = dependence_weights(model, X[train], X[train], y[train])
    np.testing.assert_array_equal(same, np.ones(len(train)))


MODEL = LogisticRegression().fit(Z, Y)
TARGETS = KNeighborsClassifier().fit(Z, np.column_stack([Y, Y]))


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: label_credibility(Z, Y[1:]), "y has 39 entries and z has 40 rows"),
        (lambda: label_credibility(Z, Y, temperature=0), "temperature=0"),
        (lambda: label_credibility(Z, Y, score="gap"), "score='gap'"),
        (lambda: banzhaf_interaction(game, 1), "an interaction is of two"),
        (lambda: banzhaf_interaction(lambda s: 1.0, 3), r"value gave an array of shape \(\)"),
        (lambda: contrast_probabilities([[0.5, 0.2]], [[0.5, 0.5]]), "p_expert has rows that are"),
        (lambda: contrast_probabilities([[0.5, 0.5]], [[1.0]]), "p_expert has 2 columns and"),
        (lambda: contrast_probabilities([[1.0]], [[1.0]], alpha=2), "alpha=2.0"),
        (lambda: contrastive_input(MODEL, Z, Z[1:]), "X has 40 rows and X_changed has 39"),
        (lambda: contrastive_input(MODEL, Z, Z, strength=-1), "strength=-1"),
        (lambda: dependence_weights(MODEL, Z, Z, Y[1:]), "y has 39 entries and X has 40 rows"),
        (lambda: dependence_weights(MODEL, Z, Z, ["d"] * N), "y holds 'd', which is not in"),
        (
            lambda: dependence_weights(MODEL, Z, Z, None),
            "y is a NoneType of .*pass 40 labels",
        ),
        (lambda: banzhaf_interaction(lambda s: ["a"], 3), "what value gave holds no numbers"),
        (lambda: contrastive_input(TARGETS, Z, Z), "KNeighborsClassifier predicts 2 targets"),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_model_without_probabilities():
    with pytest.raises(TypeError, match="LinearRegression has no predict_proba"):
        contrastive_input(LinearRegression().fit(Z, Z[:, 0]), Z, Z)
    with pytest.raises(TypeError, match="GaussianMixture has no classes_"):
        dependence_weights(GaussianMixture(2).fit(Z), Z, Z, Y)
    with pytest.raises(TypeError, match="value=3: pass a function of sets"):
        banzhaf_interaction(3, 4)
