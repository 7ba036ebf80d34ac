"""Each block is missing in a third of the rows: what to do with rows that were measured in part.
=================================================================================================

Handwritten digits of scikit-learn, described by three tables: coarse pixels, how strong each
frequency is, and sums over rows and columns. Of each row a table or two may be gone, but one is
always there. A classifier with few labels reads what is left: with means in the place of holes,
with the values of the nearest neighbours, or in the space that MultiViewContrastiveEncoder makes.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcontrast import MultiViewContrastiveEncoder

images, y = load_digits(return_X_y=True)
images = images.reshape(-1, 8, 8)
n = len(y)
tables = [
    images.reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4)).reshape(n, -1),
    np.abs(np.fft.rfft2(images)).reshape(n, -1),
    np.hstack([images.sum(axis=1), images.sum(axis=2)]),
]
widths = [table.shape[1] for table in tables]
print("Data: digits of scikit-learn,", n, "rows, tables of", widths, "columns")

rng = np.random.default_rng(0)
there = rng.random((n, 3)) < 0.5
there[np.arange(n), rng.integers(0, 3, n)] = True
X = np.hstack([np.where(there[:, [v]], table, np.nan) for v, table in enumerate(tables)])
print(f"tables that are there: {there.mean():.2f}")
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=600, random_state=0)

ways = {
    "means": make_pipeline(StandardScaler(), SimpleImputer()),
    "neighbours": make_pipeline(StandardScaler(), KNNImputer(n_neighbors=10)),
    "blocks": MultiViewContrastiveEncoder(blocks=widths, max_iter=60, random_state=0),
}
counts = [5, 10, 20, 40]
accuracy = {}
for name, way in ways.items():
    Z_train, Z_test = way.fit_transform(X_train), way.transform(X_test)
    accuracy[name] = []
    for k in counts:
        scores = []
        for draw in range(5):
            order = np.random.default_rng(draw).permutation(len(y_train))
            few = np.concatenate([order[y_train[order] == c][:k] for c in range(10)])
            model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
            scores.append(model.fit(Z_train[few], y_train[few]).score(Z_test, y_test))
        accuracy[name].append(np.mean(scores))
    print(f"{name:11}", *(f"{k} labels {a:.3f}" for k, a in zip(counts, accuracy[name])), sep="  ")

figure, axis = plt.subplots(figsize=(6, 4), layout="constrained")
for name, values in accuracy.items():
    axis.plot(counts, values, "o-", label=name)
axis.set(xlabel="labels of each class", ylabel="accuracy", xticks=counts)
axis.legend()
plt.show()
