"""Labels given to an objective that needs none: they say how much the parts count, and no more."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import skcontrast
from skcontrast import ContrastiveEncoder, KernelConditionalContrastive, SeriesContrastiveEncoder
from skcontrast._output.labels import NOISES, columns_suffice, log_density, told

rng = np.random.default_rng(0)
# Eight questions with four answers each, drawn apart; the class is one answer, so that neighbours,
# who share the answers to others, mislead.
ANSWERS = rng.integers(0, 4, (400, 8))
X = np.column_stack([np.eye(4)[ANSWERS].reshape(400, 32), rng.random(400)])
CLASSES = ANSWERS[:, 0] // 2
SCORE = CLASSES + 0.01 * rng.standard_normal(400)


def fitted(y, **parameters):
    return ContrastiveEncoder(max_iter=2, random_state=0, **parameters).fit(X, y)


def naive_log_density(E, T, noise):
    """The same, one row left out after the other, for the likeliest scale."""
    E = E - E.mean(axis=0)
    K = E @ E.T
    K = K / np.diag(K).mean() + 1.0
    n, means, variances = len(K), [], []
    for i in range(n):
        rest = np.delete(np.arange(n), i)
        weights = np.linalg.solve(K[np.ix_(rest, rest)] + noise * np.eye(n - 1), K[rest, i])
        means.append(weights @ T[rest])
        variances.append(K[i, i] + noise - weights @ K[rest, i])
    means, variances = np.array(means), np.array(variances)[:, None]
    scale = np.mean((T - means) ** 2 / variances)
    return norm.logpdf(T, means, np.sqrt(scale * variances)).mean() + (np.log(2 * np.pi) + 1) / 2


def test_density_equals_leaving_out_row_by_row():
    E, T = rng.standard_normal((30, 4)), rng.standard_normal((30, 3))
    expected = max(naive_log_density(E, T, noise) for noise in NOISES)
    assert log_density(E, T) == pytest.approx(expected, abs=1e-9)


def test_what_tells_the_targets_is_likelier():
    T = SCORE[:, None] - SCORE.mean()
    shuffled = rng.permutation(T)
    assert columns_suffice(X, shuffled * X, T)
    assert not columns_suffice(X, X, T)
    assert not columns_suffice(X, shuffled * X, shuffled)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "y",
    [
        CLASSES,
        np.array(["no", "yes"])[CLASSES],
        np.array([None, "no", "yes"], dtype=object)[
            np.where(rng.random(400) < 0.5, 0, 1 + CLASSES)
        ],
        np.where(rng.random(400) < 0.5, CLASSES, -1),
        SCORE,
        np.where(rng.random(400) < 0.5, SCORE, np.nan),
        (1e5 * SCORE).astype(int),
        CLASSES[:, None],
        pd.Series(CLASSES.astype(bool)),
        pd.DataFrame({"y": CLASSES}),
    ],
    ids=[
        "classes",
        "strings",
        "missing",
        "-1",
        "numbers",
        "NaN",
        "whole numbers",
        "column",
        "Series",
        "frame",
    ],
)
def test_columns_are_left_nearly_alone(y):
    model, other = fitted(y), fitted(None)
    assert model.output_.told_ and not other.output_.told_
    start, stop = model.output_.part_columns_["columns"]
    Z, W = model.transform(X), other.transform(X)
    assert Z.shape == W.shape
    np.testing.assert_array_equal(Z[:, start:stop], W[:, start:stop])
    np.testing.assert_allclose(Z[:, stop:], W[:, stop:] / 10, atol=1e-6)


def test_labels_do_not_reach_the_training():
    weights, others = fitted(CLASSES).weights_, fitted(None).weights_
    assert all(np.array_equal(weights[name], others[name]) for name in others)


@pytest.mark.parametrize(
    "y",
    [
        rng.permutation(CLASSES),
        np.where(np.arange(400) < 6, CLASSES, -1),
        np.where(np.arange(400) < 12, np.arange(400) // 2, -1),
        np.arange(400).astype(str),
        np.zeros(400, dtype=int),
        np.full(400, np.nan),
        np.column_stack([CLASSES, CLASSES]),
        [{"a": 1}] * 400,
    ],
    ids=["shuffled", "few", "few of each", "names", "one", "none", "two columns", "objects"],
)
def test_what_says_too_little_changes_nothing(y):
    assert not fitted(y).output_.told_


def test_parts_that_were_asked_for_stay_as_they_are():
    for passthrough in (True, ["columns", "kernel"]):
        assert not fitted(CLASSES, passthrough=passthrough).output_.told_


def test_directions_see_the_smaller_parts():
    narrow = fitted(CLASSES, n_components=5)
    wide = fitted(CLASSES).transform(X)
    values = np.linalg.eigvalsh(np.cov(wide.T))[::-1][:5]
    np.testing.assert_allclose(narrow.transform(X).var(axis=0, ddof=1), values, rtol=1e-4)


def test_it_lasts():
    model = fitted(CLASSES, warm_start=True)
    scale = model.output_.part_scales_["kernel"]
    tuned = model.finetune(X, CLASSES, objective="cross_entropy", n_iter=1)
    assert tuned.output_.told_
    share = tuned.output_.part_scales_["learned"] ** 2 * tuned._embed_rows(X).var(axis=0).sum()
    assert share == pytest.approx(
        0.01 * 0.3 * tuned.transform(X)[:, :33].var(axis=0).sum(), rel=1e-3
    )
    assert tuned.output_.part_scales_["kernel"] == scale


def test_saved_and_loaded(tmp_path):
    model = fitted(CLASSES)
    skcontrast.save(model, tmp_path)
    loaded = skcontrast.load(tmp_path)
    assert loaded.output_.told_
    np.testing.assert_array_equal(loaded.transform(X), model.transform(X))


def test_other_estimators():
    series = rng.standard_normal((60, 1, 30))
    SeriesContrastiveEncoder(max_iter=1).fit(series, np.arange(60) % 2)
    model = KernelConditionalContrastive(max_iter=1).fit(X, CLASSES, condition=SCORE)
    assert not model.output_.parts


def test_many_rows_are_sampled():
    rows, targets = told(np.arange(5000) % 3)
    assert len(rows) == 500 and targets.shape == (500, 3)
    np.testing.assert_allclose(targets.mean(axis=0), 0, atol=1e-12)
