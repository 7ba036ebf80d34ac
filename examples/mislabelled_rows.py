"""Find mislabelled rows: those whose nearest neighbours have another label.
=========================================================================

scikit-learn's digits, of which one label in twenty is exchanged for another digit at random. An
encoder that reads no label cannot learn the wrong ones: a row is suspicious when its nearest rows
in the embedding have a label that is not its own.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcontrast import ContrastiveEncoder

X, y = load_digits(return_X_y=True)
rng = np.random.default_rng(0)
wrong = rng.random(len(y)) < 0.05
given = np.where(wrong, (y + rng.integers(1, 10, len(y))) % 10, y)
print(f"{len(y)} rows, {wrong.sum()} of them with a wrong label")

# %%
# The suspicion of a row is the share of another label among its ten nearest rows, by the cosine.


def disagreement(Z):
    index = NearestNeighbors(n_neighbors=10, metric="cosine").fit(Z)
    nearest = index.kneighbors(return_distance=False)  # without the row itself
    return (given[nearest] != given[:, None]).mean(axis=1)


# %%
# Beside it stand two rankings without an encoder: the neighbours among the standardised pixels, and
# how little a classifier that was trained on other rows believes in the given label.

linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
probability = cross_val_predict(linear, X, given, method="predict_proba")
suspicion = {
    "neighbours, embedding": disagreement(ContrastiveEncoder(random_state=0).fit_transform(X)),
    "neighbours, pixels": disagreement(StandardScaler().fit_transform(X)),
    "LogisticRegression": 1 - probability[np.arange(len(y)), given],
}

# %%
# How many of the k most suspicious rows are wrong, and the area under the ROC curve. Rows of equal
# suspicion are taken in the order of the data, which knows nothing of the labels.

ranked = {name: wrong[np.argsort(-s, kind="stable")] for name, s in suspicion.items()}
precision = {name: hits.cumsum() / np.arange(1, len(y) + 1) for name, hits in ranked.items()}
table = pd.DataFrame(
    {f"precision at {k}": {name: p[k - 1] for name, p in precision.items()} for k in (20, 50, 100)}
)
table["area under ROC"] = {name: roc_auc_score(wrong, s) for name, s in suspicion.items()}
print(table.round(3).to_string())

# %%
# The hundred most suspicious rows hold 80 to 87 of the 95 wrong ones. Pixels are a good measure of
# likeness on these digits, and the embedding adds nothing to it here; on your rows, check a few
# labels by hand and compare. The picture shows the rows that the embedding would look at first.

figure, axes = plt.subplot_mosaic(
    [["curve", 0, 1, 2, 3], ["curve", 4, 5, 6, 7]],
    figsize=(10, 3.6),
    width_ratios=[3, 1, 1, 1, 1],
    layout="constrained",
)
for name, p in precision.items():
    axes["curve"].plot(np.arange(1, 201), p[:200], label=name)
axes["curve"].set(xlabel="rows looked at", ylabel="share with a wrong label", ylim=(0, 1.05))
axes["curve"].legend()
first = np.argsort(-suspicion["neighbours, embedding"], kind="stable")[:8]
for place, row in enumerate(first):
    axes[place].imshow(X[row].reshape(8, 8), cmap="gray_r")
    axes[place].set(title=f"given {given[row]}, is {y[row]}", xticks=[], yticks=[])
plt.show()
