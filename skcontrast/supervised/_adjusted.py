"""Class weights as a change of the classes' frequencies, after a classifier was fitted."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone


class WeightedProbabilities(ClassifierMixin, BaseEstimator):
    r"""A classifier whose probabilities are multiplied by class weights.

    With weights inverse to the classes' frequencies, :math:`p(c \mid x) / \pi_c` is what the
    classifier would say if all classes were equally frequent (Menon et al., "Long-tail
    learning via logit adjustment", ICLR 2021). Rare classes then gain without a fit in which
    a few rows count for many.

    Parameters
    ----------
    classifier : classifier
        With ``predict_proba``.

    weight : ndarray of shape (n_classes,)
        Weight of each class, in sorted order.
    """

    def __init__(self, classifier, weight):
        self.classifier = classifier
        self.weight = weight

    def fit(self, X, y):
        """Fit a copy of the classifier, without weights."""
        self.classifier_ = clone(self.classifier).fit(X, y)
        self.classes_ = self.classifier_.classes_
        return self

    def predict_proba(self, X):
        """Probability of each class under the weights."""
        weight = np.asarray(self.weight, dtype=np.float64)
        P = self.classifier_.predict_proba(X) * (weight / weight.max())
        total = P.sum(axis=1, keepdims=True)
        # Where only classes of weight zero are likely, what is left is equal.
        return np.where(total > 0, P / np.where(total > 0, total, 1), 1 / P.shape[1])

    def decision_function(self, X):
        """Logarithm of the probabilities; of two classes, the difference."""
        scores = np.log(np.maximum(self.predict_proba(X), np.finfo(np.float64).tiny))
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores

    def predict(self, X):
        """Most probable class under the weights."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]
