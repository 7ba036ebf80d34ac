"""A table with categories and missing values, and five labels a class.
====================================================================

Adult census rows, or wines where there is no network: numbers, categories and gaps. The encoder
reads the data frame as it is, and learns from rows without a label; the usual preparation is fitted
on the same rows. Compared is what a classifier makes of five labels a class, and of more.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import fetch_openml, load_wine
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skcontrast import ContrastiveEncoder

# %%
# The table: a copy in ``shared/data`` beside the repository, or OpenML's. Where there is no
# network, scikit-learn's wines, with four columns cut into categories and one value in ten
# erased.

HOME = next((p for p in Path.cwd().parents if (p / "shared/data").exists()), Path())
LOCAL = HOME / "shared/data/tabular/adult/adult.csv.gz"


def wines():
    frame = load_wine(as_frame=True).frame
    for column in frame.columns[:4]:
        frame[column] = pd.qcut(frame[column], 4, labels=["low", "medium", "high", "highest"])
    features = frame.drop(columns="target")
    erased = np.random.default_rng(0).random(features.shape) < 0.1
    return features.mask(erased).assign(target=frame["target"])


def load():
    try:
        if LOCAL.exists():
            name, frame = "adult of shared/data", pd.read_csv(LOCAL).drop(columns="split")
        else:
            name, frame = "adult of OpenML", fetch_openml("adult", version=2, as_frame=True).frame
        frame = frame.sample(4000, random_state=0).rename(
            columns={"income": "target", "class": "target"}
        )
    except OSError as error:
        print(error)
        name, frame = "wines, with categories and gaps", wines()
    X, y = frame.drop(columns="target"), frame["target"].to_numpy()
    words = X.select_dtypes(exclude="number").columns
    print(
        f"Data: {name}, {X.shape}, {len(words)} columns of categories, {X.isna().sum().sum()} gaps"
    )
    return X.astype(dict.fromkeys(words, "category")), y


X, X_test, y, y_test = train_test_split(*load(), test_size=0.5, random_state=0)

# %%
# The encoder learns from all training rows, without their labels. In a pipeline it stands in
# front of the classifier; frozen, it is not trained anew on the few rows that have a label. Where
# every row has one, ``make_pipeline(ContrastiveEncoder(),
# LogisticRegression(max_iter=1000)).fit(X, y)`` is all.

encoder = ContrastiveEncoder(random_state=0).fit(X)
usual = make_column_transformer(
    (
        make_pipeline(SimpleImputer(strategy="median"), StandardScaler()),
        make_column_selector(dtype_include="number"),
    ),
    (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_exclude="number")),
).fit(X)
linear = LogisticRegression(max_iter=1000)
models = {
    "ContrastiveEncoder": make_pipeline(FrozenEstimator(encoder), linear),
    "imputer, scaler, one-hot": make_pipeline(FrozenEstimator(usual), linear),
    # Leaves of 20 rows, the default, would leave ten rows undivided.
    "HistGradientBoosting": HistGradientBoostingClassifier(
        min_samples_leaf=2, max_iter=50, categorical_features="from_dtype", random_state=0
    ),
}

# %%
# Balanced accuracy on the test rows, mean of ten draws of the labels. On this table the encoder
# and the usual preparation are level: what it saves is the preparation. Boosted trees need more
# labels.


def score(model, n_labels, draw):
    rows = np.random.default_rng(draw).permutation(len(y))
    few = np.concatenate([rows[y[rows] == c][:n_labels] for c in np.unique(y)])
    return balanced_accuracy_score(y_test, model.fit(X.iloc[few], y[few]).predict(X_test))


table = pd.DataFrame(
    {
        name: {n: [score(model, n, draw) for draw in range(10)] for n in (5, 20, 100)}
        for name, model in models.items()
    }
)
mean = table.map(np.mean)
print(mean.rename_axis("labels a class").round(3).to_string())

# %%
# The bars are the standard deviation over the draws.

figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
mean.plot(ax=ax, yerr=table.map(np.std), logx=True, marker="o", capsize=3)
ax.set(
    xlabel="labels a class", ylabel="balanced accuracy", xticks=mean.index, xticklabels=mean.index
)
plt.show()
