"""Few labelled series, of several channels and unequal length.
=============================================================

Gestures as a watch would record them: three channels of acceleration, some fast and some slow,
begun at some moment, in four kinds. They are simulated here, so that everything that differs within
a kind is known: speed, size, noise and moment. Of 300 gestures two to ten of each kind have a
label.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcontrast import RandomConvolutions, SeriesContrastiveEncoder

KINDS = ["circle left", "circle right", "shake", "lift"]


def gesture(kind, rng):
    """One gesture, an array (3, length) of its own length."""
    n, turns = rng.integers(25, 60), rng.uniform(1.5, 2.5)
    t = np.linspace(0, 1, n) * 2 * np.pi * turns
    side = np.sin(t) if kind == "circle right" else -np.sin(t)
    moves = {
        "circle left": [np.cos(t), side, 0 * t],
        "circle right": [np.cos(t), side, 0 * t],
        "shake": [np.sin(3 * t), 0.2 * np.sin(3 * t), 0 * t],
        "lift": [0 * t, 0 * t, np.sin(t / turns)],
    }
    move = np.pad(moves[kind], ((0, 0), rng.integers(5, 40, 2)))
    return rng.uniform(0.7, 1.5) * move + rng.normal(0, 0.4, move.shape)


rng = np.random.default_rng(0)
y = np.repeat(KINDS, 150)
series = [gesture(kind, rng) for kind in y]
train, test, y_train, y_test = train_test_split(
    series, y, test_size=0.5, stratify=y, random_state=0
)

# %%
# The encoder takes the list as it is, and learns from all 300 series without a label.

encoder = SeriesContrastiveEncoder(random_state=0).fit(train)
print(encoder.transform(train).shape)

# %%
# For comparison: what random convolutions find, without training, and the values themselves, where
# shorter series go on with zeros.


def padded(series):
    longest = max(x.shape[1] for x in train)
    rows = [np.pad(x[:, :longest], ((0, 0), (0, max(longest - x.shape[1], 0)))) for x in series]
    return np.reshape(rows, (len(rows), -1))


convolutions = make_pipeline(RandomConvolutions(random_state=0), StandardScaler()).fit(train)
scale = StandardScaler().fit(padded(train))
features = {
    "values, padded": [scale.transform(padded(part)) for part in (train, test)],
    "RandomConvolutions": [convolutions.transform(part) for part in (train, test)],
    "SeriesContrastiveEncoder": [encoder.transform(part) for part in (train, test)],
}


def accuracy(features, n, seed):
    """Of logistic regression on n labelled series of each kind."""
    rng = np.random.default_rng(seed)
    few = np.concatenate([rng.choice(np.flatnonzero(y_train == k), n, False) for k in KINDS])
    rows, others = features
    return LogisticRegression(max_iter=1000).fit(rows[few], y_train[few]).score(others, y_test)


numbers = [2, 5, 10]
scores = {
    name: [np.mean([accuracy(both, n, seed) for seed in range(10)]) for n in numbers]
    for name, both in features.items()
}
table = pd.DataFrame(scores, index=pd.Index(numbers, name="labels a kind")).T
print(table.round(3).to_string())

# %%
# Values that begin at another moment each time say little. Training helps where labels are very
# few; with more of them the convolutions alone are as good.

# %%
# One gesture of each kind, and the accuracies.

figure, axes = plt.subplots(
    1, 5, figsize=(12, 2.8), layout="constrained", width_ratios=[1] * 4 + [2]
)
for axis, kind in zip(axes, KINDS):
    x = train[np.flatnonzero(y_train == kind)[0]]
    axis.plot(x.T, linewidth=1)
    axis.set(title=kind, xlabel="step", ylim=(-3, 3))
for name, marker in zip(table.index, "os^"):
    axes[4].plot(numbers, table.loc[name], marker=marker, label=name)
axes[4].set(xlabel="labels a kind", ylabel="accuracy", xticks=numbers)
axes[4].legend()
plt.show()
