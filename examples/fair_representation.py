"""A fair representation: accuracy on a target against what it tells of a person's sex.
=====================================================================================

Adult census rows and whether the income is high, from ../shared/data beside the repository, or from
OpenML; without a network scikit-learn's diabetes, and whether the disease progressed by more than
the median. Compared are the columns themselves, an encoder, and one told to be fair, each with the
column "sex" among the features and without. "Leakage" is the area under the ROC curve of boosted
trees for the sex.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import fetch_openml, load_diabetes
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skcontrast import ContrastiveEncoder, KernelConditionalContrastive

HOME = next((p for p in Path.cwd().parents if (p / "shared/data").exists()), Path())
LOCAL = HOME / "shared/data/tabular/adult/adult.csv.gz"


def load(n_rows=1600):
    """Features, whether the target is high, and whether the sex is the first of the two."""
    try:
        if LOCAL.exists():
            name, frame = "../shared/data", pd.read_csv(LOCAL).drop(columns="split")
        else:
            name, frame = "OpenML", fetch_openml("adult", version=2, as_frame=True).frame
        print(f"Data: adult, {n_rows} rows of {name}")
        frame = frame.dropna().sample(n_rows, random_state=0).rename(columns={"income": "class"})
        high = frame.pop("class") == ">50K"
    except OSError as error:
        print(f"Data: scikit-learn's diabetes (adult of OpenML: {error})")
        frame, progress = load_diabetes(as_frame=True, return_X_y=True, scaled=False)
        # The set names its sexes 1 and 2, and does not say which is which.
        frame["sex"], high = frame["sex"].map("sex {:.0f}".format), progress > progress.median()
    return frame, high, frame["sex"] == min(frame["sex"])


def scores(X, X_test, y, y_test, sex, sex_test):
    """Accuracy of a linear probe, and leakage."""
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)).fit(X, y)
    spy = HistGradientBoostingClassifier(max_iter=60, random_state=0).fit(X, sex)
    return linear.score(X_test, y_test), roc_auc_score(sex_test, spy.predict_proba(X_test)[:, 1])


def main():
    split = train_test_split(*load(), test_size=0.5, random_state=0)
    fair = KernelConditionalContrastive(mode="fair", independence=10, random_state=0)
    results = {}
    for kind, dropped in (("", []), (", without sex", ["sex"])):
        prepare = make_column_transformer(
            (StandardScaler(), make_column_selector(dtype_include="number")),
            (OneHotEncoder(min_frequency=10, handle_unknown="infrequent_if_exist",
                           sparse_output=False), make_column_selector(dtype_exclude="number")),
        )  # fmt: skip
        X, X_test = (part.drop(columns=dropped) for part in split[:2])
        X, X_test = prepare.fit_transform(X), prepare.transform(X_test)
        results["columns" + kind] = scores(X, X_test, *split[2:])
        models = {"encoder": ContrastiveEncoder(passthrough=False, random_state=0).fit(X)}
        models["fair"] = fair.fit(X, condition=split[4])
        for name, model in models.items():
            results[name + kind] = scores(model.transform(X), model.transform(X_test), *split[2:])
    table = pd.DataFrame(results, index=["accuracy", "leakage"]).T
    print(table.round(3).to_string())
    bars = {"layout": (1, 2), "sharey": True, "legend": False, "figsize": (9, 3.2)}
    axes = table[::-1].plot.barh(subplots=True, xlim=(0.5, 1), **bars)
    for ax in axes.flat:
        ax.bar_label(ax.containers[0], fmt="%.3f", padding=-32, color="white")
    axes[0, 0].figure.set_layout_engine("constrained")
    plt.show()


if __name__ == "__main__":
    main()
