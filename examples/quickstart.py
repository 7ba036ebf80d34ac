"""Five labels a class on scikit-learn's digits: raw features against a trained encoder.
=====================================================================================

1797 images of 8 x 8 pixels; 30 % are kept for the test, and of the others only five of
each digit have a label. The encoder trains on all of them, the classifier on the
labelled ones. Then a grid search over the temperature of the objective and the classifier.
"""

import tempfile
import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import TSNE
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier

from skcontrast import ContrastiveEncoder, ProKeRClassifier
from skcontrast.model_selection import LabelledKFold, make_labelled_scorer

N_LABELS = 5
UNLABELLED = -1


def hide_labels(y, n_labels, seed):
    """Copy of y with n_labels labels a class; -1 elsewhere."""
    rng = np.random.default_rng(seed)
    hidden = np.full_like(y, UNLABELLED)
    for label in np.unique(y):
        rows = rng.permutation(np.flatnonzero(y == label))[:n_labels]
        hidden[rows] = label
    return hidden


def logistic():
    """Logistic regression that skips the rows labelled -1."""
    return SelfTrainingClassifier(LogisticRegression(max_iter=1000), max_iter=0)


def show_progress(search):
    """Attach a progress bar that nests inside the search, where scikit-learn has one."""
    try:
        from sklearn.callback import ProgressBar
    except ImportError:
        print("(a progress bar needs scikit-learn 1.9 and rich)")
        return search
    return search.set_callbacks(ProgressBar(max_propagation_depth=2))


def picture(fitted, X, y):
    """Show the rows in two dimensions, before and after, and the loss curve."""
    encoder = fitted.named_steps["emb"]
    figure, axes = plt.subplots(1, 3, figsize=(13, 4.2), layout="constrained")
    pixels = StandardScaler().fit_transform(X)
    for ax, name, values in zip(axes, ("Pixels", "Embedding"), (pixels, encoder.transform(X))):
        flat = TSNE(random_state=0).fit_transform(values)
        points = ax.scatter(*flat.T, c=y, s=8, cmap="tab10")
        ax.set(title=f"{name}, t-SNE of the test rows", xticks=[], yticks=[])
    figure.colorbar(points, ax=axes[:2].tolist(), label="digit", ticks=range(10))
    axes[2].plot(np.arange(1, encoder.n_iter_ + 1), encoder.loss_curve_)
    axes[2].set(title="Training without labels", xlabel="epoch", ylabel="loss (InfoNCE)")
    figure.savefig("quickstart.png", dpi=110)
    print("Picture: quickstart.png")
    plt.show()


def main():
    # The classifiers have no hooks of their own; the bar shows the steps that have.
    warnings.filterwarnings("ignore", "The estimator .* does not support callbacks")
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.3, stratify=y, random_state=0
    )
    print(f"Data: scikit-learn's digits, {len(X_train)} rows to train, {len(X_test)} to test")
    y_few = hide_labels(y_train, N_LABELS, 0)
    pipeline = Pipeline([("emb", ContrastiveEncoder(random_state=0)), ("clf", logistic())])
    begin = time.perf_counter()
    pipeline.fit(X_train, y_few)
    seconds = time.perf_counter() - begin
    # The encoder reads no labels: one serves all draws of these.
    Z_train, Z_test = (pipeline["emb"].transform(part) for part in (X_train, X_test))
    raw, learned = [], []
    for draw in range(10):
        y_draw = hide_labels(y_train, N_LABELS, draw)
        plain = make_pipeline(StandardScaler(), logistic()).fit(X_train, y_draw)
        raw.append(plain.score(X_test, y_test))
        learned.append(logistic().fit(Z_train, y_draw).score(Z_test, y_test))

    # Rows without a label are in every training set; labelled rows alone are scored. With a
    # memory each encoder is trained once for all classifiers.
    folder = tempfile.TemporaryDirectory()
    shorter = clone(pipeline).set_params(emb__max_iter=20, memory=folder.name)
    search = GridSearchCV(
        shorter,
        {
            "emb__objective__temperature": [0.2, 0.5],
            "clf": [ProKeRClassifier(), logistic()],
        },
        scoring=make_labelled_scorer("accuracy"),
        cv=LabelledKFold(3),
    )
    begin = time.perf_counter()
    show_progress(search).fit(X_train, y_few)
    search_seconds = time.perf_counter() - begin
    folder.cleanup()

    print(f"\nTest accuracy with {N_LABELS} labels a class")
    rows = [
        ("raw pixels + LogisticRegression, 10 draws", np.mean(raw)),
        ("ContrastiveEncoder + LogisticRegression, 10 draws", np.mean(learned)),
        ("raw pixels, first draw", raw[0]),
        ("pipeline, first draw", pipeline.score(X_test, y_test)),
        ("grid search, first draw", search.score(X_test, y_test)),
    ]
    for name, accuracy in rows:
        print(f"  {name:<52} {accuracy:.3f}")
    print(f"\nPipeline fitted in {seconds:.1f} s; search of 4 candidates in {search_seconds:.1f} s")
    print("Best parameters:", search.best_params_)
    picture(pipeline, X_test, y_test)


if __name__ == "__main__":
    main()
