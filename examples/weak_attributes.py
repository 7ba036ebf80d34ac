"""Weak attributes: what a few noisy facts about each row are worth to its representation.
=======================================================================================

scikit-learn's digits, each with three facts, one in ten of them wrong: does the digit have a
loop, is it even, is it above four. Encoders train on 70 % of the rows; a logistic regression
gets five labels a digit. Printed is its test accuracy, in the mean over 20 draws of labels.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import TSNE
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skcontrast import ContrastiveEncoder, KernelConditionalContrastive
from skcontrast.kernels import RBF


def weak_attributes(y, seed=0):
    """Three facts about each digit, each wrong for one row in ten."""
    facts = np.column_stack([np.isin(y, (0, 6, 8, 9)), y % 2 == 0, y > 4])
    wrong = np.random.default_rng(seed).random(facts.shape) < 0.1
    return pd.DataFrame(facts ^ wrong, columns=["loop", "even", "above four"])


def accuracy(train, y_train, test, y_test):
    """Mean accuracy of a logistic regression on five rows of each class."""
    scores = []
    for draw in range(20):
        order = np.random.default_rng(draw).permutation(len(y_train))
        chosen = np.concatenate([order[y_train[order] == c][:5] for c in range(10)])
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        scores.append(model.fit(train[chosen], y_train[chosen]).score(test, y_test))
    return np.mean(scores)


def main():
    X, y = load_digits(return_X_y=True)
    facts = weak_attributes(y)
    X, X_test, y, y_test, facts, _ = train_test_split(X, y, facts, test_size=0.3, random_state=0)
    print(f"Data: scikit-learn's digits, {len(X)} rows to train, {len(X_test)} to test")
    models = {
        "pixels": FunctionTransformer().fit(X),
        "ContrastiveEncoder": ContrastiveEncoder(passthrough=False, random_state=0).fit(X),
        "weak, equal facts": KernelConditionalContrastive(random_state=0).fit(X, condition=facts),
        # Facts as numbers: rows that agree in two of three count as alike, but less.
        "weak, alike facts": KernelConditionalContrastive(kernel=RBF(1.0), random_state=0).fit(
            X, condition=facts.astype(float)
        ),
    }
    figure, axes = plt.subplots(1, len(models), figsize=(13, 3.6), layout="constrained")
    for ax, (name, model) in zip(axes, models.items()):
        train, test = model.transform(X), model.transform(X_test)
        score = accuracy(train, y, test, y_test)
        print(f"  {name:<20} {score:.3f}")
        flat = TSNE(random_state=0).fit_transform(StandardScaler().fit_transform(test))
        ax.scatter(*flat.T, c=y_test, s=6, cmap="tab10")
        ax.set(title=f"{name}: {score:.3f}", xticks=[], yticks=[])
    plt.show()


if __name__ == "__main__":
    main()
