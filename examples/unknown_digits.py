"""Novelty detection: digits of a class that was never seen.
==========================================================

scikit-learn's digits, of which one class is held out: a detector sees half of the other nine, and
has to tell their other half from the class that is new. The area under the ROC curve is 0.5 for
guesses and 1 where every new digit has a lower score than every known one.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import RocCurveDisplay, roc_auc_score
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcontrast import ContrastiveAnomalyDetector

X, y = load_digits(return_X_y=True)


def split(new):
    """Rows to fit on, rows to score, and which of these are known."""
    known = np.random.default_rng(0).permutation(np.flatnonzero(y != new))
    rows = np.concatenate([known[len(known) // 2 :], np.flatnonzero(y == new)])
    return X[known[: len(known) // 2]], X[rows], y[rows] != new


# %%
# Beside the detector stand what people reach for first: the mean distance to the five nearest rows
# among the standardised pixels, the local outlier factor, and an isolation forest.


def scores_of(train, rows):
    scaler = StandardScaler().fit(train)
    index = NearestNeighbors(n_neighbors=5).fit(scaler.transform(train))
    lof = make_pipeline(StandardScaler(), LocalOutlierFactor(novelty=True)).fit(train)
    return {
        "ContrastiveAnomalyDetector": detector.score_samples(rows),
        "5-NN distance": -index.kneighbors(scaler.transform(rows))[0].mean(axis=1),
        "LocalOutlierFactor": lof.score_samples(rows),
        "IsolationForest": IsolationForest(random_state=0).fit(train).score_samples(rows),
    }


found = {}
for new in (7, 8, 9):
    train, rows, known = split(new)
    detector = ContrastiveAnomalyDetector(random_state=0).fit(train)
    scores = scores_of(train, rows)
    found[f"{new} is new"] = {name: roc_auc_score(known, s) for name, s in scores.items()}
print("Area under the ROC curve")
print(pd.DataFrame(found).round(3).to_string())

# %%
# ``predict`` cuts the scores: ``contamination`` says which share of the rows of the fit is to lie
# below ``offset_``, and "auto" takes the fence of a box plot, which few rows lie beyond. These are
# the rows of the last split.

encoder = FrozenEstimator(detector.encoder_)  # is not trained again
for contamination in ("auto", 0.05):
    cut = ContrastiveAnomalyDetector(encoder, contamination=contamination).fit(train)
    below = cut.predict(rows) == -1
    print(
        f"contamination={contamination!r}: {below[known].mean():.1%} of the known digits are "
        f"called anomalies, and {below[~known].mean():.1%} of the new ones"
    )

# %%
# The curves of the last split, and the rows of the lowest scores: digits that are new, and some
# that are known but unusual.

figure, axes = plt.subplot_mosaic(
    [["curve", 0, 1, 2, 3], ["curve", 4, 5, 6, 7]],
    figsize=(10, 3.8),
    width_ratios=[3, 1, 1, 1, 1],
    layout="constrained",
)
for name, s in scores.items():
    RocCurveDisplay.from_predictions(known, s, name=name, ax=axes["curve"])
axes["curve"].set(xlabel="share of new digits above", ylabel="share of known digits above")
axes["curve"].legend(fontsize=7)
ours = scores["ContrastiveAnomalyDetector"]
for place, row in enumerate(np.argsort(ours, kind="stable")[:8]):
    axes[place].imshow(rows[row].reshape(8, 8), cmap="gray_r")
    axes[place].set(title="known" if known[row] else "new", xticks=[], yticks=[])
plt.show()
