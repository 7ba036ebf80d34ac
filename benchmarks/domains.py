"""Classes carried from one set of digits to another, which has no labels: rows of contrast.py."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier

from skcontrast import ContrastiveEncoder, CorrelationAlignment
from skcontrast.objectives import CrossEntropy, SupCon

# Encoders trained on both sets, each standardised, and a logistic regression on labelled rows.
OBJECTIVES = {
    "CrossEntropy()": CrossEntropy(),
    "CrossEntropy(information=0.3)": CrossEntropy(information=0.3),
    "CrossEntropy(information=1.0)": CrossEntropy(information=1.0),
    "SupCon() + CrossEntropy()": SupCon() + CrossEntropy(),
    "SupCon() + CrossEntropy(information=0.3)": SupCon() + CrossEntropy(information=0.3),
}
ROWS = (
    "logistic regression",
    "5 nearest neighbours",
    "each domain standardised",
    "CorrelationAlignment, pooled",
    "CorrelationAlignment, 1",
    "CorrelationAlignment, 0.1",
    "CorrelationAlignment, 0.01",
    "self-training on standardised",
    *OBJECTIVES,
    "the second of these, then prototypes",
    "labels of half of the target",
)
DOMAINS = {"digits -> USPS": ROWS, "USPS -> digits": ROWS}


def both_digits(folder):
    """Two sets of 8 x 8 pixels in [0, 1], with their classes."""
    X, y = load_digits(return_X_y=True)
    data = np.load(folder / "images" / "usps" / "usps.npz")
    order = np.random.default_rng(0).permutation(len(data["y"]))[: len(X)]
    images = data["X"][order].reshape(-1, 8, 2, 8, 2).mean(axis=(2, 4))
    return (X / 16, y), (images.reshape(-1, 64).astype(float), data["y"][order].astype(int))


def prototypes(Z, y, target, n_rounds=10):
    """Classes of rows without a label, by means of classes that these rows move."""
    classes, member = np.unique(y), np.eye(y.max() + 1)[y]
    means = member.T @ Z / member.sum(axis=0)[:, None]
    for _ in range(n_rounds):
        distance = ((target[:, None] - means) ** 2).sum(axis=2)
        soft = np.exp(-(distance - distance.min(axis=1, keepdims=True)))
        soft /= soft.sum(axis=1, keepdims=True)
        weights = np.vstack([member, soft])
        means = weights.T @ np.vstack([Z, target]) / weights.sum(axis=0)[:, None]
    return classes[soft.argmax(axis=1)]


def embedded(objective, S, y, T, seed):
    """Both sets in the space of an encoder that was trained on them."""
    encoder = ContrastiveEncoder(64, objective=objective, passthrough=False, random_state=seed)
    encoder.fit(np.vstack([S, T]), np.r_[y, np.full(len(T), -1)])
    return encoder.transform(S), encoder.transform(T)


def domain_row(folder, name, row, seed):
    """Accuracy on the rows of the target."""
    (S, y), (T, truth) = both_digits(folder)[:: 1 if name.startswith("digits") else -1]
    plain = LogisticRegression(max_iter=2000)
    own = [StandardScaler().fit_transform(part) for part in (S, T)]
    both, side = np.vstack([S, T]), np.repeat([0, 1], [len(S), len(T)])
    if row == "logistic regression":
        found = plain.fit(S, y).predict(T)
    elif row == "5 nearest neighbours":
        found = KNeighborsClassifier(5).fit(S, y).predict(T)
    elif row == "each domain standardised":
        found = plain.fit(own[0], y).predict(own[1])
    elif row.startswith("Correlation"):
        strength = row.split()[-1]
        pooled = strength == "pooled"
        coral = CorrelationAlignment(
            regularization=1.0 if pooled else float(strength), target=None if pooled else 1
        )
        X = coral.fit_transform(StandardScaler().fit_transform(both), domains=side)
        found = plain.fit(X[side == 0], y).predict(X[side == 1])
    elif row.startswith("self-training"):
        model = SelfTrainingClassifier(plain, threshold=0.8, max_iter=5)
        labels = np.r_[y, np.full(len(T), -1)]
        found = model.fit(np.vstack(own), labels).predict(own[1])
    elif row.startswith("labels"):
        half = np.random.default_rng(0).permutation(len(T))
        half, rest = half[: len(T) // 2], half[len(T) // 2 :]
        return float((plain.fit(T[half], truth[half]).predict(T[rest]) == truth[rest]).mean())
    elif row in OBJECTIVES:
        Z, target = embedded(OBJECTIVES[row], own[0], y, own[1], seed)
        found = plain.fit(Z, y).predict(target)
    else:
        objective = OBJECTIVES["CrossEntropy(information=0.3)"]
        Z, target = embedded(objective, own[0], y, own[1], seed)
        found = prototypes(Z, y, target)
    return float((found == truth).mean())
