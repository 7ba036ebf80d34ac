"""Find mislabelled rows: those that their neighbours and a classifier of other rows doubt.
=========================================================================================

scikit-learn's digits, of which one label in twenty is exchanged for another digit at random. An
encoder that reads no label cannot learn the wrong ones: ``LabelCredibility`` asks in its space how
far the nearest rows, and a classifier that was trained on other rows, agree with each label.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.preprocessing import StandardScaler

from skcontrast import ContrastiveEncoder, LabelCredibility

X, y = load_digits(return_X_y=True)
rng = np.random.default_rng(0)
wrong = rng.random(len(y)) < 0.05
given = np.where(wrong, (y + rng.integers(1, 10, len(y))) % 10, y)
print(f"{len(y)} rows, {wrong.sum()} of them with a wrong label")

# %%
# The default takes the mean of both judgements. Beside it stands a classifier on the pixels, once
# of other rows, and once of the very rows that it judges.

encoder = FrozenEstimator(ContrastiveEncoder(random_state=0).fit(X))  # without labels
model = LabelCredibility(encoder, random_state=0).fit(X, given)
near = LabelCredibility(encoder, method="neighbors").fit(X, given)
columns = StandardScaler().fit_transform(X)
linear = LogisticRegression(max_iter=1000)
pixels = LabelCredibility(StandardScaler(), method="confident", classifier=linear, random_state=0)
credibility = {
    "LabelCredibility": model.training_scores_,
    "neighbours alone": near.training_scores_,
    "LogisticRegression": pixels.fit(X, given).training_scores_,
    "the same, own rows": linear.fit(columns, given).predict_proba(columns)[range(len(y)), given],
}

# %%
# How many of the k least credible rows are wrong, and the average precision. Rows of equal
# credibility are taken in the order of the data, which knows nothing of the labels.

ranked = {name: wrong[np.argsort(c, kind="stable")] for name, c in credibility.items()}
precision = {name: hits.cumsum() / np.arange(1, len(y) + 1) for name, hits in ranked.items()}
table = pd.DataFrame(
    {f"precision at {k}": {name: p[k - 1] for name, p in precision.items()} for k in (20, 50, 100)}
)
table["average precision"] = {
    name: average_precision_score(wrong, -c) for name, c in credibility.items()
}
print(table.round(3).to_string())

# %%
# What the others would call the doubtful rows is often right. Look at them all the same: a row that
# is right and rare is doubted too.

doubtful = np.argsort(model.training_scores_, kind="stable")[: wrong.sum()]
suggested = model.suggest_labels(X[doubtful])
print(f"of {len(doubtful)} suggestions {np.sum(suggested == y[doubtful])} are the right digit")

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
for place, row in enumerate(doubtful[:8]):
    axes[place].imshow(X[row].reshape(8, 8), cmap="gray_r")
    axes[place].set(title=f"{given[row]}, rather {suggested[place]}", xticks=[], yticks=[])
plt.show()
