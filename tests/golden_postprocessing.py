"""Adapters of golden files for what is done with an embedding after training."""

import numpy as np
from sklearn.preprocessing import normalize

from skcontrast.postprocessing import Whitening


class Given(np.random.RandomState):
    """A generator whose permutation is given."""

    def __init__(self, order):
        super().__init__(0)
        self.order = order

    def permutation(self, n):
        assert n == len(self.order)
        return self.order


def bert_whitening(case):
    """The map up to the signs of its directions, and unit rows of all columns and of some."""
    X, new = case.arrays["X"], case.arrays["X_test"]
    settings = {"method": "pca", "shrinkage": 0.0, "normalize": True}
    model = Whitening(**settings).fit(X)
    sign = np.sign((model.components_.T * case.arrays["kernel"]).sum(axis=0))
    case.check("bias", -model.mean_[None])
    case.check("kernel", model.components_.T * sign)
    case.check("X_white", model.transform(X) * sign)
    case.check("X_test_white", model.transform(new) * sign)
    k = case.number("n_components")
    case.check("X_test_white_k", Whitening(k, **settings).fit(X).transform(new) * sign[:k])


def sgw(case):
    """Each view by its own groups; the reference divides by n, and we by n - 1."""
    white = []
    for x, order in zip(case.arrays["x"], case.arrays["perms"]):
        model = Whitening(
            shrinkage=0.0, n_groups=case.number("n_groups"), random_state=Given(order)
        )
        white.append(model.fit_transform(x) * np.sqrt(len(x) / (len(x) - 1)))
        np.testing.assert_array_equal(model.permutation_, order)
    case.check("y", white)


def wmse(case):
    """Rows, and the loss of two whitened tables.

    The reference mixes in the identity by eps, and we the mean variance m by s: with
    s m / (1 - s) = eps / (1 - eps) both matrices are the same but for a factor.
    """
    eps, white = case.number("eps"), []
    for z in (case.arrays["z0"], case.arrays["z1"]):
        ratio = eps / (1 - eps) / np.cov(z.T).trace() * z.shape[1]
        s = ratio / (1 + ratio)
        model = Whitening(method="cholesky", shrinkage=s)
        white.append(model.fit_transform(z) * np.sqrt((1 - s) / (1 - eps)))
    case.check("white0", white[0])
    cosines = (normalize(white[0]) * normalize(white[1])).sum(axis=1)
    case.check("loss", 2 - 2 * cosines.mean())
    case.waive("no gradients in NumPy", "grad_z0", "grad_z1")
    case.waive("a map is learned from all rows of fit", "running_mean", "running_cov")
