"""What uses the labels that a draw has: classifiers of their own, and supervised features.

Each function takes all training rows, the test rows and a seed, and returns a function of
the labelled rows and their codes: the classes of the test rows, or features for the probes.
"""

import copy

import numpy as np
import scipy.sparse as sp
from quality_external import cebra, narrow, width
from quality_probes import Features
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.neighbors import NeighborhoodComponentsAnalysis
from sklearn.semi_supervised import LabelSpreading

from skcontrast import ContrastiveEncoder

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


CLASSIFIERS = {"boosting": boosting, "label spreading": label_spreading}
SUPERVISED = {"nca": nca, "cebra": cebra, "default, fit(X, y)": told}
