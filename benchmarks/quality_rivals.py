"""What uses the labels that a draw has: classifiers of their own, and supervised features.

Each function takes all training rows, the test rows and a seed, and returns a function of
the labelled rows and their codes: the classes of the test rows, or features for the probes.
"""

import copy

import numpy as np
import scipy.sparse as sp
from quality_external import cebra, narrow, width
from quality_probes import FIXED_STRENGTH, Features, choose_strength, fit_logistic, one_scale
from scipy.linalg import svd
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import NeighborhoodComponentsAnalysis
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

from skcontrast import ContrastiveEncoder, ProKeRClassifier, SupervisedContrastiveClassifier

# NCA compares all pairs of rows in each step.
MOST_ROWS = 500


def boosting(train, test, seed):
    """Its default of 20 rows in a leaf allows no split of a few labels: a tenth of them."""
    train, test = narrow(train, test, seed, 100)

    def classify(rows, codes):
        leaf = int(np.clip(len(rows) // 10, 1, 20))
        model = HistGradientBoostingClassifier(min_samples_leaf=leaf, random_state=seed)
        return model.fit(train[rows], codes).predict(test)

    return classify


def label_spreading(train, test, seed, n_neighbors=7):
    """Labels spread on the graph of the neighbours of all training rows.

    A test row takes the mean of what its nearest training rows were given.
    """
    features = Features(train, test)
    distance = features.distance.copy()
    np.fill_diagonal(distance, np.inf)
    nearest = np.argpartition(distance, n_neighbors - 1, axis=1)[:, :n_neighbors]
    n = len(nearest)
    ones = np.ones(nearest.size)
    graph = sp.csr_matrix((ones, (np.repeat(np.arange(n), n_neighbors), nearest.ravel())), (n, n))
    graph = graph.maximum(graph.T)
    near_test = np.argpartition(features.test_distance, n_neighbors - 1, axis=1)[:, :n_neighbors]

    def classify(rows, codes):
        y = np.full(n, -1)
        y[rows] = codes
        model = LabelSpreading(kernel=lambda a, b: graph, max_iter=100, tol=1e-4)
        model.fit(np.arange(n)[:, None], y)
        mean = model.label_distributions_[near_test].mean(axis=1)
        return model.classes_[mean.argmax(axis=1)]

    return classify


def nca(train, test, seed):
    """scikit-learn's NCA; it needs two labels a class."""
    train, test = narrow(train, test, seed, 64)

    def learn(rows, codes):
        kept = np.random.default_rng(seed).permutation(len(rows))[:MOST_ROWS]
        model = NeighborhoodComponentsAnalysis(
            n_components=width(train, 32), init="pca", max_iter=30, random_state=seed
        )
        # The start is PCA, which gives no more axes than rows.
        model.n_components = min(model.n_components, len(kept))
        model.fit(train[rows[kept]], codes[kept])
        return model.transform(train), model.transform(test)

    return learn


def told(train, test, seed):
    """The default, whose parts labels weigh; none reaches the training, which is done once."""
    model = ContrastiveEncoder(random_state=seed, device="cpu").fit(train)
    X = model.input_.read(train)

    def learn(rows, codes):
        y = np.full(X.shape[0], -1)
        y[rows] = codes
        weighed = copy.copy(model)
        weighed.output_ = clone(model.output_).fit(model.input_, X, model._embed_rows, y)
        return weighed.transform(train), weighed.transform(test)

    return learn


class TunedLogistic(ClassifierMixin, BaseEstimator):
    """The logistic probe as a classifier: its strength is chosen on the rows of each fit."""

    def fit(self, X, y):
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.mean_ = X.mean(axis=0)
        U, values, V = svd(X - self.mean_, full_matrices=False)
        kept = values > 1e-6 * values[0]
        A, self.axes_ = (U * values)[:, kept], V[kept]
        Y, spectrum = np.eye(len(self.classes_))[codes], values[kept] ** 2
        few = Y.sum(axis=0).min() < 2
        strength = FIXED_STRENGTH if few else choose_strength(A, spectrum, Y, codes)
        self.weights_, self.intercept_ = fit_logistic(A, spectrum, Y, strength)
        return self

    def predict_proba(self, X):
        scores = (X - self.mean_) @ self.axes_.T @ self.weights_ + self.intercept_
        return softmax(scores, axis=1)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def self_training(train, test, seed):
    """The logistic regression, which labels rows that it is sure of and learns from these."""
    train, test = one_scale(*narrow(train, test, seed, 256))

    def classify(rows, codes):
        y = np.full(len(train), -1)
        y[rows] = codes
        if len(rows) == len(train):
            return TunedLogistic().fit(train, codes).predict(test)
        return SelfTrainingClassifier(TunedLogistic()).fit(train, y).predict(test)

    return classify


def proker(train, test, seed):
    train, test = one_scale(*narrow(train, test, seed, 256))
    return lambda rows, codes: (
        ProKeRClassifier(random_state=seed).fit(train[rows], codes).predict(test)
    )


def proker_on_default(train, test, seed):
    """The encoder learns from all rows without labels, once for all draws."""
    model = ContrastiveEncoder(random_state=seed, device="cpu").fit(train)
    return proker(model.transform(train), model.transform(test), seed)


def label_free(train, test, seed):
    """The estimator with a head whose encoder reads no labels; it is fitted once."""
    encoder = ContrastiveEncoder(random_state=seed, device="cpu").fit(train)
    return _half_labelled(FrozenEstimator(encoder), train, test, seed)


def half_labelled(train, test, seed):
    """The same at its default: the encoder reads the labels that there are."""
    return _half_labelled(None, train, test, seed)


def _half_labelled(encoder, train, test, seed):
    def classify(rows, codes):
        y = np.full(train.shape[0], -1)
        y[rows] = codes
        model = SupervisedContrastiveClassifier(encoder, random_state=seed)
        return model.fit(train, y).predict(test)

    return classify


CLASSIFIERS = {"boosting": boosting, "label spreading": label_spreading}
SUPERVISED = {"nca": nca, "cebra": cebra, "default, fit(X, y)": told}
# What stands in the table of docs/supervised.md beside these, by benchmarks/heads.py.
HEADS = {
    "self-training": self_training,
    "proker": proker,
    "default + proker": proker_on_default,
    "classifier, label-free encoder": label_free,
    "classifier": half_labelled,
}
