"""Few rows of some classes, of one class above all, or several times: what the base knows stays."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.preprocessing import normalize

import skcontrast
from skcontrast import ProKeRClassifier, ProKeRRegressor, ZeroShotClassifier
from skcontrast.adaptation._copies import NEAR, clumps
from skcontrast.adaptation._discriminant import NAME_ROWS, Discriminant
from skcontrast.adaptation._zero_shot import near_unit_rows

METHODS = ["auto", "proker", "tip", "nadaraya_watson", "local_linear", "gda"]
N_CLASSES, WIDTH = 8, 48


def problem(seed, noise=2.2, shift=0.0, stray=0.0):
    """Unit rows around class directions, and embeddings of the classes, shifted and astray."""
    rng = np.random.default_rng(seed)
    centres = normalize(rng.standard_normal((N_CLASSES, WIDTH)))
    y = np.arange(N_CLASSES * 60) % N_CLASSES
    X = normalize(centres[y] + noise * rng.standard_normal((len(y), WIDTH)) / WIDTH**0.5)
    away = rng.standard_normal((N_CLASSES + 1, WIDTH)) / WIDTH**0.5
    names = normalize(centres + shift * away[0] + stray * away[1:])
    return X, y, names


def shots(y, counts):
    """Numbers of the first rows of each class, and those of the rows after all of these."""
    first = np.concatenate([np.flatnonzero(y == c)[:n] for c, n in enumerate(counts)])
    return first, np.arange(40 * N_CLASSES, len(y))


def zero_shot(names):
    return ZeroShotClassifier(names, classes=np.arange(len(names)))


def trained(X, y, seed):
    """A classifier that is there before the shots, of a few disturbed rows."""
    rows = np.arange(35 * N_CLASSES, 38 * N_CLASSES)
    noise = np.random.default_rng(seed).standard_normal((len(rows), WIDTH))
    return FrozenEstimator(LogisticRegression().fit(X[rows] + 0.1 * noise, y[rows]))


def gains(counts, base, n_seeds=3, **params):
    """Accuracy of the adapted base less that of the base, mean over problems."""
    out = []
    for seed in range(n_seeds):
        X, y, names = problem(seed, shift=0.4, stray=0.4)
        rows, rest = shots(y, counts)
        start = zero_shot(names) if base == "names" else trained(X, y, seed)
        before = start.fit(X).score(X[rest], y[rest]) if base == "names" else None
        before = start.score(X[rest], y[rest]) if before is None else before
        model = ProKeRClassifier(start, **params).fit(X[rows], y[rows])
        out.append(model.score(X[rest], y[rest]) - before)
    return np.mean(out)


# ------------------------------------------------------------------ some classes, uneven rows


@pytest.mark.parametrize("base", ["names", "trained"])
@pytest.mark.parametrize(
    "counts",
    [
        [1] + [0] * 7,
        [16] + [0] * 7,
        [4, 4] + [0] * 6,
        [1] * 4 + [0] * 4,
        [8] * 4 + [0] * 4,
        [16, 1, 1, 1, 0, 0, 0, 0],
        [0] + [4] * 7,
        [32] + [1] * 7,
        [32, 16, 8, 4, 2, 1, 1, 1],
    ],
    ids=str,
)
def test_the_base_is_not_lost(counts, base):
    # The embeddings are as good as this noise lets them be: adapting costs a little.
    assert gains(counts, base) > (-0.05 if base == "names" else -0.02)


def test_one_class_shown_leaves_the_decisions_of_the_base():
    X, y, names = problem(0)
    rows, rest = shots(y, [8] + [0] * 7)
    for base in (zero_shot(names), trained(X, y, 0)):
        model = ProKeRClassifier(base).fit(X[rows], y[rows])
        before = model.estimator_.predict(X[rest])
        assert np.array_equal(model.predict(X[rest]), before)


@pytest.mark.parametrize("scale", [1e-160, 1e-2, 0.1, 3, 1000, "of each row"])
@pytest.mark.parametrize("counts", [[4] * 8, [4] * 4 + [0] * 4], ids=["all", "half"])
@pytest.mark.filterwarnings("ignore:rows of X have lengths")
def test_lengths_of_rows_beside_names_change_nothing(counts, scale):
    X, y, names = problem(0, shift=0.4, stray=0.4)
    if scale == "of each row":
        scale = np.exp(np.random.default_rng(0).standard_normal((len(X), 1)))
    first, rest = shots(y, counts)
    expected = ProKeRClassifier(zero_shot(names)).partial_fit(X[first], y[first])
    for base in (zero_shot(3 * names), FrozenEstimator(zero_shot(names).fit(X))):
        model = ProKeRClassifier(base).partial_fit((X * scale)[first], y[first])
        scores = model.predict_proba((X * scale)[rest])
        np.testing.assert_allclose(scores, expected.predict_proba(X[rest]), atol=1e-6)
    expected.partial_fit(X[rest], y[rest])
    model.partial_fit((X * scale)[rest], y[rest])
    scores = model.predict_proba(X * scale)
    np.testing.assert_allclose(scores, expected.predict_proba(X), atol=1e-6)


def test_unit_rows_keep_every_bit():
    X = problem(0)[0]
    for rows in (X, X.astype(np.float32).astype(np.float64)):
        assert np.array_equal(near_unit_rows(rows), rows)
    assert np.array_equal(near_unit_rows(0 * X), 0 * X)


def test_rows_of_more_classes_are_trusted_more():
    # Embeddings off by a shift: the more classes show it, the better are those not shown.
    correct = []
    for shown in (1, 3, 7):
        scores = []
        for seed in range(6):
            X, y, names = problem(seed, shift=2.0)
            rows, rest = shots(y, [4] * shown + [0] * (N_CLASSES - shown))
            hidden = rest[y[rest] >= 7]
            model = ProKeRClassifier(zero_shot(names)).fit(X[rows], y[rows])
            scores.append(model.score(X[hidden], y[hidden]))
        correct.append(np.mean(scores))
    assert correct[0] < correct[1] < correct[2]


@pytest.mark.parametrize("embeddings", [True, False])
def test_uneven_rows_are_no_prior(embeddings):
    # Rows that say nothing of their class: one row beside thirty is right as often as these.
    shares = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        X, y = rng.standard_normal((231, 40)), np.r_[np.zeros(30, int), 1, np.zeros(200, int)]
        names = 0.01 * rng.standard_normal((2, 40)) if embeddings else None
        fitted = Discriminant(X[:31], y[:31], np.ones(31), 2, names, 1.0 if embeddings else 0.0)
        nu = fitted.ridge(30.0)
        W, b = fitted.coefficients(nu)
        plain, lifted = (
            np.mean(np.diff(X[31:] @ W.T + b + lift) > 0) for lift in (0, fitted.lift(nu))
        )
        shares.append((plain, lifted))
    plain, lifted = np.mean(shares, axis=0)
    assert plain < 0.1
    assert 0.3 < lifted < 0.7


@pytest.mark.parametrize("k", [0.0, 1.0, 4.0])
def test_variance_of_the_means_by_drawing_them(k):
    rng = np.random.default_rng(0)
    counts, d = np.array([1, 2, 6]), 4000
    codes = np.repeat(np.arange(3), counts)
    X = rng.standard_normal((9, d))  # of mean zero, as the embeddings
    names = rng.standard_normal((3, d)) / NAME_ROWS**0.5
    fitted = Discriminant(X, codes, np.ones(9), 3, names, k)
    means = fitted.means if fitted.basis is None else fitted.means @ fitted.basis.T
    expected = np.square(means).mean(axis=1)
    np.testing.assert_allclose(fitted.variance.diagonal(), expected, rtol=0.12)


def test_even_rows_are_not_lifted():
    X, y, names = problem(0)
    for k in (0.0, 4.0):
        fitted = Discriminant(X[:24], y[:24], np.ones(24), N_CLASSES, names, k)
        lift = fitted.lift(fitted.ridge(30.0))
        assert np.ptp(lift) < 1e-9 * lift.max()


@pytest.mark.parametrize("method", METHODS)
def test_class_that_the_base_has_no_name_for(method):
    X, y, names = problem(0, noise=1.0)
    base = ZeroShotClassifier(names[:5], classes=np.arange(5))
    rows, rest = shots(y, [6] * N_CLASSES)
    model = ProKeRClassifier(base, method=method).fit(X[rows], y[rows])
    assert model.classes_.tolist() == list(range(N_CLASSES))
    # An average of labels says little beside raw scores of a base that is sure.
    least = 0.7 if method in ("auto", "proker", "gda") else 0.6
    assert model.score(X[rest], y[rest]) > least
    frozen = ProKeRClassifier(FrozenEstimator(base.fit(X)), method=method).fit(X[rows], y[rows])
    assert np.array_equal(frozen.decision_function(X), model.decision_function(X))
    # Shots of such classes alone leave the embeddings as they are.
    new = rows[y[rows] >= 5]
    model = ProKeRClassifier(base, method=method).fit(X[new], y[new])
    known = rest[y[rest] < 5]
    assert np.isfinite(model.predict_log_proba(X)).all()
    assert method != "auto" or model.score(X[known], y[known]) > 0.7


def test_further_rows_show_further_classes():
    X, y, names = problem(0)
    rows, rest = shots(y, [4] * 4 + [0] * 4)
    more = np.concatenate([np.flatnonzero(y == c)[:4] for c in range(4, 8)])
    model = ProKeRClassifier(zero_shot(names)).partial_fit(X[rows], y[rows])
    before = model.score(X[rest], y[rest])
    model.partial_fit(X[more], y[more])
    shown = model._base_part["shown"]
    assert shown.all() and model.score(X[rest], y[rest]) > before - 0.02


@pytest.mark.parametrize("base", ["names", "trained"])
def test_folders_keep_what_is_shown(base, tmp_path):
    pytest.importorskip("safetensors")
    X, y, names = problem(0)
    rows, rest = shots(y, [4, 4, 1] + [0] * 5)
    model = ProKeRClassifier(zero_shot(names) if base == "names" else trained(X, y, 0))
    skcontrast.save(model.fit(X[rows], y[rows]), tmp_path)
    loaded = skcontrast.load(tmp_path)
    assert np.array_equal(loaded.predict_proba(X[rest]), model.predict_proba(X[rest]))
    more = np.flatnonzero(y == 7)[:2]
    grown, again = (m.partial_fit(X[more], y[more]) for m in (model, loaded))
    assert np.array_equal(grown.predict_proba(X[rest]), again.predict_proba(X[rest]))


# ------------------------------------------------------------------------------------ copies


BASES = {
    "none": lambda X, y, names: None,
    "names": lambda X, y, names: zero_shot(names),
    "learns": lambda X, y, names: LogisticRegression(C=0.01),
}


def given(way, X, y):
    """The same rows, as they are given."""
    twice = np.tile(X, (2, 1)), np.tile(y, 2)
    mixed = np.random.default_rng(0).permutation(len(X) * 2)
    return {
        "twice": (*twice, {}),
        "mixed": (twice[0][mixed], twice[1][mixed], {}),
        "weights": (X, y, {"sample_weight": np.full(len(X), 2.0)}),
        "groups": (*twice, {"groups": np.tile(np.arange(len(X)), 2)}),
    }[way]


@pytest.mark.parametrize("way", ["twice", "mixed", "weights", "groups"])
@pytest.mark.parametrize("base", ["none", "names"])
def test_copies_of_all_rows_change_nothing(way, base):
    X, y, names = problem(1, noise=3.5)
    rows, rest = shots(y, [4] * N_CLASSES)
    model = ProKeRClassifier(BASES[base](X, y, names))
    once = clone(model).fit(X[rows], y[rows])
    A, labels, beside = given(way, X[rows], y[rows])
    again = clone(model).fit(A, labels, **beside)
    np.testing.assert_allclose(again.predict_proba(X[rest]), once.predict_proba(X[rest]), atol=1e-7)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("base", list(BASES))
def test_a_row_twice_is_a_row_of_weight_two(method, base):
    X, y, names = problem(1, noise=3.0)
    rows, rest = shots(y, [4] * N_CLASSES)
    more = np.concatenate([rows, rows[::3]])
    weight = np.where(np.arange(len(rows)) % 3 == 0, 2.0, 1.0)
    model = ProKeRClassifier(BASES[base](X, y, names), method=method)
    one = clone(model).fit(X[more], y[more])
    other = clone(model).fit(X[rows], y[rows], sample_weight=weight)
    got, expected = one.predict_proba(X[rest]), other.predict_proba(X[rest])
    np.testing.assert_allclose(got, expected, atol=1e-4 if base == "learns" else 1e-7)
    assert len(one.X_fit_) == len(more) if method != "gda" else True


@pytest.mark.parametrize("blur, times", [(0.02, 2), (0.2, 3), (0.3, 5)])
@pytest.mark.parametrize("told", [True, False])
def test_near_copies_leave_together(blur, times, told):
    losses, hits = [], []
    for seed in range(3):
        X, y, names = problem(seed, noise=3.5)
        rows, rest = shots(y, [4] * N_CLASSES)
        noise = np.random.default_rng(seed).standard_normal((times * len(rows), WIDTH))
        copies = normalize(np.tile(X[rows], (times, 1)) + blur * noise / WIDTH**0.5)
        groups = np.tile(np.arange(len(rows)), times) if told else None
        model = ProKeRClassifier(zero_shot(names))
        for A, labels, g in (
            (X[rows], y[rows], None),
            (copies, np.tile(y[rows], times), groups),
        ):
            model.fit(A, labels, groups=g)
            P = model.predict_proba(X[rest])
            losses.append(-np.log(P[np.arange(len(rest)), y[rest]]).mean())
            hits.append(model.score(X[rest], y[rest]))
    losses, hits = np.reshape(losses, (3, 2)).mean(axis=0), np.reshape(hits, (3, 2)).mean(axis=0)
    assert losses[1] < 1.1 * losses[0]
    assert hits[1] > hits[0] - 0.03


def test_groups_are_views_of_one_row():
    X, y, names = problem(0)
    rows, rest = shots(y, [3] * N_CLASSES)
    model = ProKeRClassifier(zero_shot(names))
    with pytest.raises(ValueError, match="groups holds a group whose rows have different labels"):
        model.fit(X[rows], y[rows], groups=np.zeros(len(rows)))
    with pytest.raises(ValueError, match="groups has 3 rows, but X has 24"):
        model.fit(X[rows], y[rows], groups=[0, 1, 2])
    # Words say as much as numbers, and a group counts as one row, however many views it has.
    alone = model.fit(X[rows], y[rows]).decision_function(X[rest])
    first = np.repeat(rows, np.where(np.arange(len(rows)) == 0, 5, 1))
    words = np.char.add("row ", first.astype(str))
    found = clone(model).fit(X[first], y[first], groups=words).decision_function(X[rest])
    np.testing.assert_allclose(found, alone, atol=1e-8)


def test_copies_of_regression_rows():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 3))
    y = np.sin(2 * X[:, 0]) + 0.3 * rng.standard_normal(40)
    base = FrozenEstimator(LinearRegression().fit(X[:20], y[:20]))
    for method in ("proker", "local_linear"):
        # Twice as many rows have half the ridge: the grid has to hold both.
        params = {"alpha": 2.0 ** np.arange(-9, 5)} if method == "proker" else {}
        model = ProKeRRegressor(base, method=method, **params)
        once = clone(model).fit(X, y)
        twice = clone(model).fit(np.tile(X, (2, 1)), np.tile(y, 2))
        assert twice.gamma_ == once.gamma_
        factor = 2.0 if method == "proker" else 1.0
        assert twice.alpha_ == pytest.approx(factor * once.alpha_)
        np.testing.assert_allclose(twice.predict(X), once.predict(X), atol=1e-8)


# ------------------------------------------------------------------------------ what a copy is


def test_equal_rows_and_groups_join():
    X = np.array([[0.0, 1], [2, 3], [0, 1], [4, 5], [-0.0, 1], [6, 7]])
    target = np.array([0, 0, 0, 0, 1, 0])
    assert clumps(X, target).tolist() == [0, 1, 0, 2, 3, 4]
    groups = np.array([5, 5, 7, 7, 8, 9])
    assert clumps(X, target, groups).tolist() == [0, 0, 0, 0, 1, 2]


@pytest.mark.parametrize("d", [1, 3, 8, 40])
def test_near_rows_by_their_definition(d):
    rng = np.random.default_rng(d)
    centres = 10.0 * np.arange(12)[:, None] + rng.standard_normal((12, d))
    size = rng.integers(1, 5, 12)
    size[0] = 3
    X = np.repeat(centres, size, axis=0)
    X += 1e-4 * rng.standard_normal(X.shape)
    target = np.repeat(np.arange(12) % 3, size)
    expected = np.repeat(np.arange(12), size)
    order = rng.permutation(len(X))
    found = clumps(X[order], target[order], near=True)
    same = expected[order][:, None] == expected[order]
    assert np.array_equal(found[:, None] == found, same)
    # Another target among copies, and copies as far from each other as others: none.
    target[0] = 5
    assert (clumps(X, target, near=True) == clumps(X, target, near=True)[0]).sum() == 1
    share = min(NEAR, 2 ** (-8 / d))
    spread_out = rng.standard_normal((60, d))
    found = clumps(spread_out, np.zeros(60), near=True)
    D = cdist(spread_out, spread_out)
    for clump in np.flatnonzero(np.bincount(found) > 1):
        inside = found == clump
        assert D[np.ix_(inside, inside)].max() < share * D[np.ix_(inside, ~inside)].min()
    assert len(np.unique(found)) > 55
