"""A long recording with time stamps: moments that are near in time are alike.
===========================================================================

Forty noisy channels, simulated, at irregular times over about half an hour. A hidden state drifts
within a minute; something else, which is stronger and of no interest, changes within a third of a
second. An encoder that is told the time of each row keeps the state and drops what is fast.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcontrast import KernelConditionalContrastive
from skcontrast.kernels import RBF

# %%
# The recording. The state has two coordinates, and the label to decode is the quadrant they are
# in.

rng = np.random.default_rng(0)
times = np.sort(rng.uniform(0, 2000, 4000))  # in seconds


def curves(n_curves, seconds):
    """Random curves of unit variance that change within so many seconds."""
    frequency = rng.normal(size=(200, n_curves)) / seconds
    phase = rng.uniform(0, 2 * np.pi, (200, n_curves))
    return np.cos(times[:, None, None] * frequency + phase).sum(axis=1) / 10


state, nuisance = curves(2, seconds=60), curves(8, seconds=0.3)
X = np.tanh(state @ rng.normal(size=(2, 40)) + rng.normal(size=40))
X += nuisance @ rng.normal(size=(8, 40)) + rng.normal(size=X.shape)
label = 2 * (state[:, 0] > 0) + (state[:, 1] > 0)

# %%
# Every second block of 200 seconds is held out. Rows at random would not do: the neighbours of a
# test row, half a second away, would stand among the training rows. For the same reason the first
# 30 seconds of each block are left out.

block, inside = times // 200 % 2, times % 200 > 30
train, test = (block == 0) & inside, (block == 1) & inside

# %%
# Two moments count as alike by ``exp(-gamma * (t - u) ** 2)``, where ``gamma = 1 / (2 * width **
# 2)``. The width has the unit of the time stamps, here seconds. It has to be longer than the time
# between the rows of a batch, since these are compared (256 rows from 850 s, one in three
# seconds), and short beside the whole recording. In ``form="reference"`` a row is drawn to its
# neighbours in time, but not to its own other view, which shares with it what is fast. The views
# replace some of the channels by those of another row.


def of_time(width):
    return KernelConditionalContrastive(
        n_components=16,
        kernel=RBF(1 / (2 * width**2)),
        regularization=1.0,
        form="reference",
        views="corruption",
        max_iter=30,
        random_state=0,
    ).fit(X[train], condition=times[train])


models = {"40 channels": StandardScaler().fit(X[train])}
models["PCA, 16 columns"] = PCA(16).fit(X[train])
models |= {f"times, width {width} s": of_time(width) for width in (1, 20, 400)}

# %%
# Accuracy in the blocks that were held out, with few labels a quadrant (mean of ten draws) and
# all. With few labels the encoder is ahead, and most so with the width of 20 s. With a label on
# every row of the training blocks it is behind: a classifier then finds the state by itself.


def accuracy(Z, n_labels, n_draws=10):
    scores = []
    for draw in range(n_draws):
        rows = np.random.default_rng(draw).permutation(np.flatnonzero(train))
        few = np.concatenate([rows[label[rows] == c][:n_labels] for c in range(4)])
        head = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        scores.append(head.fit(Z[few], label[few]).score(Z[test], label[test]))
    return np.mean(scores)


embedded = {name: model.transform(X) for name, model in models.items()}
table = pd.DataFrame(
    {
        "5 labels": {name: accuracy(Z, 5) for name, Z in embedded.items()},
        "20 labels": {name: accuracy(Z, 20) for name, Z in embedded.items()},
        "all labels": {name: accuracy(Z, None, 1) for name, Z in embedded.items()},
    }
)
print(table.round(3).to_string())

# %%
# The two leading directions of the held-out blocks: of what varies most, and of what varies
# slowly.

figure, axes = plt.subplots(1, 2, figsize=(8.5, 4), layout="constrained")
for ax, name in zip(axes, ("PCA, 16 columns", "times, width 20 s")):
    flat = PCA(2).fit(embedded[name][train]).transform(embedded[name][test])
    points = ax.scatter(*flat.T, c=label[test], s=6, cmap="tab10", vmax=9)
    ax.set(title=name, xticks=[], yticks=[])
axes[1].legend(*points.legend_elements(), title="quadrant")
plt.show()
