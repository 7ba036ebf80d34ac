"""Labels that may be wrong: confident learning, and the estimator that rates and softens them."""

import numpy as np
import pytest

from skcontrast.inspection import confident_joint, label_issues, label_quality

rng = np.random.default_rng(0)


def noisy(n=300, n_classes=4, rate=0.2, seed=0):
    """Probabilities of a fair classifier, true classes and given labels."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, n_classes, n)
    logits = 2 * np.eye(n_classes)[true] + rng.normal(size=(n, n_classes))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    given = np.where(rng.random(n) < rate, rng.integers(0, n_classes, n), true)
    return p, true, given


# ---- confident learning --------------------------------------------------------------

SCORES = "self_confidence", "normalized_margin", "weighted_entropy"
RULES = "noise_rate", "class", "confident"


def test_sure_and_right_probabilities_have_no_issue():
    y = rng.integers(0, 3, 50)
    p = np.eye(3)[y]
    assert np.array_equal(confident_joint(p, y), np.diag(np.bincount(y)))
    assert not any(label_issues(p, y, rule=rule).any() for rule in RULES)
    for score in SCORES:
        np.testing.assert_allclose(label_quality(p, y, score=score), 1)


def test_order_of_classes_and_rows_does_not_matter():
    p, _, y = noisy()
    turn, order = np.array([2, 0, 3, 1]), rng.permutation(len(y))
    back = np.argsort(turn)
    for calibrate in (False, True):
        joint = confident_joint(p, y, calibrate=calibrate)
        moved = confident_joint(p[:, turn], back[y], calibrate=calibrate)
        assert np.array_equal(moved, joint[np.ix_(turn, turn)])
        assert np.array_equal(confident_joint(p[order], y[order], calibrate=calibrate), joint)
    for rule in RULES:
        issues = label_issues(p, y, rule=rule)
        assert np.array_equal(label_issues(p[:, turn], back[y], rule=rule), issues)
        assert np.array_equal(label_issues(p[order], y[order], rule=rule), issues[order])
    for score in SCORES:
        for adjust in (False, True):
            quality = label_quality(p, y, score=score, adjust=adjust)
            again = label_quality(p[:, turn], back[y], score=score, adjust=adjust)
            np.testing.assert_allclose(again, quality, rtol=1e-12)


def test_confident_joint_is_its_definition():
    p, _, y = noisy(60, 3)
    thresholds = [np.mean([p[i, c] for i in range(60) if y[i] == c]) for c in range(3)]
    joint = np.zeros((3, 3), dtype=int)
    for i in range(60):
        reached = [c for c in range(3) if p[i, c] >= thresholds[c]]
        if reached:
            joint[y[i], max(reached, key=lambda c: p[i, c])] += 1
    assert joint.diagonal().all()
    assert np.array_equal(confident_joint(p, y, calibrate=False), joint)
    calibrated = confident_joint(p, y)
    assert np.array_equal(calibrated.sum(axis=1), np.bincount(y))
    exact = joint / joint.sum(axis=1, keepdims=True) * np.bincount(y)[:, None]
    assert (np.abs(calibrated - exact) < 1).all()


def test_a_threshold_counts_as_reached_within_its_tolerance():
    y = np.array([0, 0, 1, 1])
    p = np.array([[0.6, 0.4], [0.6 - 1e-7, 0.4 + 1e-7], [0.2, 0.8], [0.2, 0.8]])
    assert confident_joint(p, y, calibrate=False).tolist() == [[2, 0], [0, 2]]
    p[1] = 0.59, 0.41
    assert confident_joint(p, y, calibrate=False).tolist() == [[1, 0], [0, 2]]


def test_wrong_labels_are_issues():
    p, true, y = noisy(1000, rate=0.3)
    for rule in RULES:
        issues = label_issues(p, y, rule=rule)
        assert (true != y)[issues].mean() > 0.6
        assert issues[true != y].mean() > 0.6
    names = np.array(["owl", "fox", "bee", "cat"])
    named = label_issues(p, names[y], classes=names)
    assert np.array_equal(named, label_issues(p, y))


def test_a_class_without_rows_is_nobodys_probable_one():
    p, _, y = noisy()
    kept = y != 3
    assert np.array_equal(confident_joint(p[kept], y[kept], classes=range(4))[3], [0, 0, 0, 0])
    quality = label_quality(p[kept], y[kept], classes=range(4), adjust=True)
    assert np.isfinite(quality).all()


def test_what_confident_learning_refuses():
    p, _, y = noisy()
    cases = {
        "2.* columns for 4 classes": lambda: confident_joint(p[:, :2], y),
        "y holds 3, which is not in classes": lambda: label_issues(p, y, classes=[0, 1, 2, 7]),
        "probabilities hold -": lambda: label_quality(p - 0.5, y),
        "score='gap'": lambda: label_quality(p, y, score="gap"),
        "rule='gap'": lambda: label_issues(p, y, rule="gap"),
        "y has 299 entries": lambda: confident_joint(p, y[1:]),
    }
    for message, call in cases.items():
        with pytest.raises(ValueError, match=message):
            call()
