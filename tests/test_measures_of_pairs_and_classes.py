"""Partners, neighbours, classes, associations and choices: plain loops and laws."""

import itertools

import numpy as np
import pytest
from scipy.stats import rankdata
from sklearn.neighbors import NearestCentroid

from skcontrast.metrics import (
    association,
    class_spread,
    diverse_selection,
    mean_classifier_accuracy,
    modality_gap,
    neighbor_overlap,
    partner_ranks,
    perturbation_sensitivity,
    rank_metrics,
    retrieval,
    rsa,
)

rng = np.random.default_rng(0)
N, D = 23, 4
Z = rng.normal(size=(N, D)) + 0.3
Z2 = Z + 0.7 * rng.normal(size=(N, D))
Y = np.array(["b", "a", "c"])[rng.integers(0, 3, N)]
ROTATION = np.linalg.qr(rng.normal(size=(D, D)))[0]
# Each row four times: equal rows in plenty.
TIED = np.repeat(np.round(Z[:6], 1), 4, axis=0)


def cos(a, b):
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


NEAR = {"cosine": cos, "dot": np.dot, "euclidean": lambda a, b: -np.linalg.norm(a - b)}

# ---- partners ------------------------------------------------------------------------


@pytest.mark.parametrize("size", [3, 1024])
@pytest.mark.parametrize("metric", NEAR)
@pytest.mark.parametrize("gallery", [Z2, TIED], ids=["plain", "tied"])
def test_partner_ranks(gallery, metric, size):
    partner = rng.integers(0, len(gallery), N)
    expected = []
    for i in range(N):
        near = [NEAR[metric](Z[i], row) for row in gallery]
        own = near[partner[i]]
        nearer = sum(s > own + 1e-9 for s in near)
        equal = sum(abs(s - own) <= 1e-9 for s in near) - 1
        expected.append(1 + nearer + equal / 2)
    found = partner_ranks(Z, gallery, partner, metric=metric, block_size=size)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("metric", ["dot", "euclidean"])
def test_partner_ranks_have_no_unit(metric):
    ranks = partner_ranks(Z, Z2, metric=metric)
    for scale in (1e-200, 1e200):
        np.testing.assert_array_equal(partner_ranks(scale * Z, scale * Z2, metric=metric), ranks)
    if metric == "dot":  # nor have queries and gallery one in common
        np.testing.assert_array_equal(partner_ranks(Z, 1e-12 * Z2, metric=metric), ranks)


def test_partner_ranks_are_those_of_the_other_measures():
    ranks = partner_ranks(Z, Z2)
    for k in (1, 3, N):
        assert (ranks <= k).mean() == pytest.approx(retrieval(Z, Z2, k=k))
    scores = np.array([[cos(a, b) for b in Z2] for a in Z])
    found = rank_metrics(scores, np.arange(N), k=N)[f"mrr@{N}"]
    assert (1 / ranks).mean() == pytest.approx(found)
    np.testing.assert_array_equal(ranks, [rankdata(-s)[i] for i, s in enumerate(scores)])


def test_partner_ranks_of_a_collapse_are_those_of_guessing():
    same = np.ones((N, D))
    np.testing.assert_array_equal(partner_ranks(same, same), np.full(N, (N + 1) / 2))


def test_perturbation_sensitivity():
    changed = Z2[:, ::-1]
    expected = np.mean([cos(p, x) > cos(p, c) for p, x, c in zip(Z, Z2, changed)])
    assert perturbation_sensitivity("cosine", Z, Z2, changed) == pytest.approx(expected)
    assert perturbation_sensitivity("cosine", Z, Z2, 3 * Z2) == 0.5  # blind to the length
    dot = lambda p, x: np.einsum("ij,ij->i", p, x)  # noqa: E731
    assert perturbation_sensitivity(dot, abs(Z), abs(Z2), 2 * abs(Z2)) == 0.0


def test_perturbation_sensitivity_of_a_bag_of_words():
    from sklearn.feature_extraction.text import CountVectorizer

    texts = ["the dog bites the man", "a red car and a blue house", "old street new road"]
    changed = [" ".join(reversed(text.split())) for text in texts]

    def score(ngrams):
        model = CountVectorizer(ngram_range=(1, ngrams)).fit(texts + changed)
        return lambda p, x: np.asarray(
            model.transform(p).multiply(model.transform(x)).sum(axis=1)
        ).ravel()

    assert perturbation_sensitivity(score(1), texts, texts, changed) == 0.5
    assert perturbation_sensitivity(score(2), texts, texts, changed) == 1.0


def test_modality_gap():
    unit = [z / np.linalg.norm(z, axis=1, keepdims=True) for z in (Z, Z2[:9])]
    expected = np.linalg.norm(unit[0].mean(0) - unit[1].mean(0))
    assert modality_gap(Z, Z2[:9]) == pytest.approx(expected)
    assert modality_gap(Z, 2 * Z) < 1e-15
    assert modality_gap(np.eye(1, D), -np.eye(1, D)) == 2.0


# ---- neighbours ----------------------------------------------------------------------


@pytest.mark.parametrize("size", [4, 1024])
@pytest.mark.parametrize("k", [1, 5, N - 1])
def test_neighbor_overlap(k, size):
    jaccard, rank = [], []
    for i in range(N):
        near = []
        for z in (Z, Z2):
            others = sorted((j for j in range(N) if j != i), key=lambda j: -cos(z[i], z[j]))
            near.append({j: place for place, j in enumerate(others[:k], 1)})
        a, b = near
        common = a.keys() & b.keys()
        jaccard.append(len(common) / len(a.keys() | b.keys()))
        terms = [2 / ((1 + abs(a[j] - b[j])) * (a[j] + b[j])) for j in common]
        rank.append(sum(terms) / sum(1 / m for m in range(1, len(common) + 1)) if common else 0)
    for score, expected in (("jaccard", jaccard), ("rank", rank)):
        found = neighbor_overlap(Z, Z2, k, score=score, block_size=size)
        assert found == pytest.approx(np.mean(expected), rel=1e-12), score


@pytest.mark.parametrize("score", ["jaccard", "rank"])
def test_neighbor_overlap_of_the_same_directions(score):
    assert neighbor_overlap(Z, 3 * Z @ ROTATION, 5, score=score) == pytest.approx(1)
    assert neighbor_overlap(TIED, TIED @ ROTATION, 5, score=score) == pytest.approx(1)


def test_neighbor_overlap_by_chance():
    a, b = rng.normal(size=(2, 600, 30))
    assert neighbor_overlap(a, b, 20) == pytest.approx(20 / (1200 - 20), rel=0.1)


def test_rsa_does_not_see_a_monotone_change():
    # Rows whose cosines are the cubes of the others': a feature map of the polynomial kernel.
    u = Z / np.linalg.norm(Z, axis=1, keepdims=True)
    cubes = np.array([np.multiply.outer(np.multiply.outer(r, r), r).ravel() for r in u])
    assert rsa(Z, cubes) == pytest.approx(1)


# ---- classes -------------------------------------------------------------------------


def test_class_spread():
    within = sum(((Z[i] - Z[Y == Y[i]].mean(0)) ** 2).sum() for i in range(N))
    total = ((Z - Z.mean(0)) ** 2).sum()
    assert class_spread(Z, Y) == pytest.approx(within / total, rel=1e-12)
    assert class_spread(1e200 * Z + 7, Y) == pytest.approx(within / total, rel=1e-9)
    collapsed = np.array([Z[np.flatnonzero(Y == label)[0]] for label in Y])
    assert class_spread(collapsed, Y) < 1e-15
    assert class_spread(Z, np.arange(N)) == 0


def test_class_spread_of_labels_that_mean_nothing():
    found = np.mean([class_spread(Z, rng.permutation(Y)) for _ in range(400)])
    assert found == pytest.approx((N - 3) / (N - 1), abs=0.01)


def test_mean_classifier_leaves_each_row_out():
    right = 0
    for i in range(N):
        others = np.arange(N) != i
        score = {c: Z[i] @ Z[others & (Y == c)].mean(0) for c in "abc"}
        right += max(score, key=score.get) == Y[i]
    assert mean_classifier_accuracy(Z, Y) == pytest.approx(right / N)


def test_mean_classifier_of_other_rows():
    means = {c: Z[Y == c].mean(0) for c in "abc"}
    labels = np.array([*"abcd"])[rng.integers(0, 4, N)]
    right = [max(means, key=lambda c: z @ means[c]) == label for z, label in zip(Z2, labels)]
    assert mean_classifier_accuracy(Z, Y, Z2, labels) == pytest.approx(np.mean(right))


def test_mean_classifier_is_nearest_centroid_where_means_are_equally_long():
    means = np.linalg.qr(rng.normal(size=(D, 3)))[0].T
    z = np.repeat(means, 6, axis=0) + np.tile(rng.normal(size=(3, D)), (6, 1))[:18]
    y = np.repeat([0, 1, 2], 6)
    z += (means - [z[y == c].mean(0) for c in range(3)])[y]
    other = rng.normal(size=(200, D))
    label = NearestCentroid().fit(z, y).predict(other)
    assert mean_classifier_accuracy(z, y, other, label) == 1.0


def test_mean_classifier_has_no_unit():
    right = mean_classifier_accuracy(Z, Y, Z2, Y)
    assert mean_classifier_accuracy(Z, Y, 1e-12 * Z2, Y) == right
    left_out = mean_classifier_accuracy(Z, Y)
    np.testing.assert_allclose(mean_classifier_accuracy(1e200 * Z, Y), left_out)
    # A far row of a class of its own does not make the others alike.
    far, label = 1e9 * np.ones((1, D)), ["far"]
    near = -np.abs(Z)
    found = mean_classifier_accuracy(np.vstack([near, far]), [*Y, *label])
    assert found * (N + 1) == pytest.approx(mean_classifier_accuracy(near, Y) * N)


def test_mean_classifier_by_chance():
    labels = rng.integers(0, 4, 2000)
    assert mean_classifier_accuracy(rng.normal(size=(2000, 3)), labels) == pytest.approx(
        0.25, abs=0.04
    )
    # A collapse tells no class from another, and does not win by the order of the classes.
    assert mean_classifier_accuracy(np.ones((N, D)), Y) == pytest.approx(1 / 3)


# ---- associations --------------------------------------------------------------------


def test_association():
    x, y, a, b = Z[:4], Z[4:7], Z[7:12], Z[12:14]
    lean = [np.mean([cos(w, i) for i in a]) - np.mean([cos(w, i) for i in b]) for w in Z[:7]]
    expected = (np.mean(lean[:4]) - np.mean(lean[4:])) / np.std(lean, ddof=1)
    effect, p = association(x, y, a, b, p_value=True)
    assert effect == association(x, y, a, b) == pytest.approx(expected)
    assert association(y, x, a, b) == association(x, y, b, a) == pytest.approx(-expected)
    as_large = [
        np.mean([lean[i] for i in s]) - np.mean([lean[i] for i in range(7) if i not in s])
        >= np.mean(lean[:4]) - np.mean(lean[4:]) - 1e-12
        for s in itertools.combinations(range(7), 4)
    ]
    assert p == pytest.approx(np.mean(as_large))


def test_association_of_shuffled_groups():
    words = Z[:14]
    found = []
    for _ in range(300):
        order = rng.permutation(14)
        found.append(association(words[order[:7]], words[order[7:]], Z[14:18], Z[18:]))
    assert abs(np.mean(found)) < 3 * np.std(found) / 300**0.5


def test_drawn_splits_are_near_all_of_them():
    a, b = Z[14:18], Z[18:]
    exact = association(Z[:6], Z[6:12], a, b, p_value=True)[1]  # 924 splits
    many = association(np.tile(Z[:6], (2, 1)), np.tile(Z[6:12], (2, 1)), a, b, p_value=True)
    again = association(np.tile(Z[:6], (2, 1)), np.tile(Z[6:12], (2, 1)), a, b, p_value=True)
    assert many == again and 1 / 10_001 <= many[1] <= 1
    # Twice the rows make a lean surer, whichever way it goes.
    assert (many[1] < exact) == (many[0] > 0)


# ---- choices -------------------------------------------------------------------------


@pytest.mark.parametrize("given", [None, Z2[:3]], ids=["alone", "context"])
@pytest.mark.parametrize("trade_off", [0.0, 0.3, 0.6, 1.0])
def test_diverse_selection(trade_off, given):
    scores = rng.random(N)
    chosen = [int(scores.argmax())] if given is None else []  # whatever the trade-off
    while len(chosen) < 8:
        so_far = [Z[j] for j in chosen] + ([] if given is None else list(given))
        worth = {
            i: (1 - trade_off) * scores[i] - trade_off * max(cos(Z[i], row) for row in so_far)
            for i in range(N)
            if i not in chosen
        }
        chosen.append(max(worth, key=worth.get))
    found = diverse_selection(scores, Z, 8, trade_off=trade_off, context=given)
    assert found.tolist() == chosen


def test_diverse_selection_without_a_trade_off_is_the_top():
    scores = rng.random(N)
    found = diverse_selection(scores, Z, N, trade_off=0)
    np.testing.assert_array_equal(found, np.argsort(-scores))


# ---- what is refused -----------------------------------------------------------------


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: partner_ranks(Z, Z2[:, 1:]), "z_query has 4 columns and z_gallery has 3"),
        (lambda: partner_ranks(Z, Z2[:5]), "pass partner, a row number"),
        (lambda: partner_ranks(Z[:2], Z2, [0, 23]), "partner names row 23 of a gallery of 23"),
        (lambda: partner_ranks(Z[:2], Z2, [0.0, 1.0]), "pass 2 row numbers"),
        (lambda: partner_ranks(Z[:2], Z2, metric="l2"), "metric='l2': type 'cosine' or 'dot'"),
        (lambda: neighbor_overlap(Z, Z2, N), "k=23: type a whole number of at least 1 and at most"),
        (lambda: neighbor_overlap(Z, Z2[1:]), "z1 has 23 rows and z2 has 22"),
        (lambda: class_spread(Z, Y[1:]), "y has 22 entries and z has 23 rows"),
        (lambda: class_spread(np.ones((3, 2)), [0, 1, 1]), "all rows of z are equal"),
        (lambda: mean_classifier_accuracy(Z, Y, Z2), "z_test and y_test go together"),
        (lambda: mean_classifier_accuracy(Z, np.ones(N)), "y has one class"),
        (lambda: mean_classifier_accuracy(Z, Y, Z2[:, 1:], Y), "z_test has 3 columns and z has 4"),
        (lambda: association(Z, Z2, Z, Z[:, 1:]), r"x, y, a and b have \[4, 4, 4, 3\] columns"),
        (lambda: association(Z[:1], Z[:1], Z, Z2), "all rows of x and y lean alike"),
        (lambda: diverse_selection(np.ones(3), Z, 2), "scores has 3 entries and z has 23 rows"),
        (lambda: diverse_selection(np.ones(N), Z, 2, trade_off=2), "trade_off=2: type a number"),
        (lambda: perturbation_sensitivity("dot", Z, Z, Z2), "score='dot': type 'cosine'"),
        (
            lambda: perturbation_sensitivity(lambda p, x: np.ones((2, 2)), Z, Z, Z2),
            r"score gave an array of shape \(2, 2\)",
        ),
        (lambda: perturbation_sensitivity(lambda p, x: x[:, 0], Z, Z, Z2[1:]), "23 numbers for"),
        (lambda: mean_classifier_accuracy(Z, Y, Z2, np.ones(N)), "no label of y_test is one of y"),
        (lambda: modality_gap(Z, Z2[:, 1:]), "z1 has 4 columns and z2 has 3"),
        (lambda: modality_gap(Z, [[np.nan, 1, 1, 1]]), "Input z2 contains NaN"),
        (lambda: modality_gap(Z, [list("abcd")]), "z2 is no table of numbers .could not convert"),
        (lambda: modality_gap(Z[0], Z), "z1 is no table of numbers .Expected 2D array"),
        (lambda: modality_gap(None, Z), "z1 is no table of numbers .Expected 2D array"),
        (lambda: class_spread(Z[:2], ["a", None]), "y holds NoneType and str, which have no comm"),
        (lambda: diverse_selection(["a"] * N, Z, 2), "scores holds no numbers"),
        (lambda: diverse_selection(np.ones(N), Z, 2, trade_off=True), "trade_off=True"),
        (
            lambda: perturbation_sensitivity(lambda p, x: ["a"], Z, Z, Z2),
            "what score gave holds no",
        ),
        (lambda: perturbation_sensitivity("cosine", Z, Z, Z2[1:]), "changed has 22: pass the"),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
