r"""Columns of the input, and an untrained kernel of them, beside the learned columns.

.. math:: e(x) = \big[\, c(x), \;\; a \, (z(x) - \bar z), \;\; b \, (\phi(x) - \bar \phi) \,\big]

with the standardised columns c (or their leading directions, where they are many), the learned
embedding z and Nystroem features :math:`\phi` of a Gaussian kernel of c. The factors a and b
give the parts 0.3 and 0.15 of the variance of c. A linear model on e can thus do what it could
do on c, and little else until labels say so: with more of z or :math:`\phi`, sets whose classes
lie along few columns lost more than others gained.
"""

import numpy as np
import scipy.sparse as sp
from sklearn.metrics.pairwise import euclidean_distances, rbf_kernel
from sklearn.utils.extmath import randomized_svd
from threadpoolctl import threadpool_limits
from torch import nn

from skcontrast._embedding import checked_output
from skcontrast._rows import CHUNK
from skcontrast.representation._fit import kept_on_error

# Most columns that are passed on as they are; of more, as many directions are.
MOST_COLUMNS = 1024
# Rows from which directions and variances are found.
MOST_ROWS = 20_000
N_LANDMARKS = 256
# Variances of the learned and of the kernel's part, over that of the columns.
LEARNED, KERNEL = 0.3, 0.15
_FITTED = (
    "input_components_",
    "landmarks_",
    "landmark_map_",
    "gamma_",
    "part_means_",
    "part_scales_",
)


def standardized(X, mean, scale):
    """Rows as the network reads them, as float ndarray or CSR."""
    if sp.issparse(X):
        return X if scale is None else X @ sp.diags_array(1.0 / scale)
    return X if mean is None else (X - mean) / scale


def nystroem(C, rng):
    """Landmarks among the rows of C, the inverse root of their kernel, and its width.

    Parameters
    ----------
    C : ndarray of shape (n_samples, n_columns)

    rng : np.random.Generator

    Returns
    -------
    landmarks : ndarray of shape (n_landmarks, n_columns)

    root : ndarray of shape (n_landmarks, n_landmarks)

    gamma : float
        The inverse of the median squared distance.
    """
    landmarks = C[np.sort(rng.permutation(len(C))[:N_LANDMARKS])]
    distances = euclidean_distances(landmarks, squared=True)
    middle = np.median(distances[np.triu_indices(len(landmarks), 1)])
    gamma = 1.0 / middle if middle > 0 else 1.0
    values, vectors = np.linalg.eigh(np.exp(-gamma * distances))
    values = np.maximum(values, 1e-6 * values[-1])
    return landmarks, vectors / np.sqrt(values) @ vectors.T, gamma


class PassthroughMixin:
    """``_run`` and ``_output`` of an encoder with the parameter ``passthrough``."""

    def _run(self, X, given, fresh, max_iter, partial=False, objective=None):
        with kept_on_error(self):
            super()._run(X, given, fresh, max_iter, partial, objective)
            self._fit_parts(X, fresh)
        return self

    def _fit_parts(self, X, fresh):
        wanted = self.passthrough
        if wanted == "auto":
            wanted = self.n_components is None and not isinstance(self.network, nn.Module)
        if fresh or not wanted:
            for name in _FITTED:
                vars(self).pop(name, None)
        if not wanted:
            return
        # Drawn apart from training, which the parts take no part in.
        rng = np.random.default_rng(0)
        rows = np.sort(rng.permutation(X.shape[0])[:MOST_ROWS])
        X = X[rows]
        with threadpool_limits(1, user_api="blas"):  # the last bits depend on their number
            if not hasattr(self, "gamma_"):
                self.input_components_ = self._directions(X)
                self.landmarks_, self.landmark_map_, self.gamma_ = nystroem(self._columns(X), rng)
            C = self._columns(X)
            parts = [self._embed(X), self._kernel(C)]
        total = C.var(axis=0).sum()
        self.part_means_ = [part.mean(axis=0) for part in parts]
        self.part_scales_ = np.array(
            [_factor(share * total, part) for share, part in zip((LEARNED, KERNEL), parts)]
        )
        self._n_features_out = C.shape[1] + sum(part.shape[1] for part in parts)

    def _directions(self, X):
        """Leading directions of many columns, (MOST_COLUMNS, n_features); None of few."""
        n_columns = X.shape[1]
        if n_columns <= MOST_COLUMNS:
            return None
        C = standardized(X, self.mean_, self.scale_)
        rank = min(MOST_COLUMNS, *C.shape)
        return randomized_svd(C, rank, n_iter=4, random_state=0)[2].astype(np.float64)

    def _columns(self, X):
        C = standardized(X, self.mean_, self.scale_)
        if self.input_components_ is not None:
            return np.asarray(C @ self.input_components_.T, dtype=np.float64)
        return (C.toarray() if sp.issparse(C) else np.asarray(C)).astype(np.float64)

    def _kernel(self, C):
        return rbf_kernel(C, self.landmarks_, gamma=self.gamma_) @ self.landmark_map_

    def _output(self, X):
        learned = self._embed(X)
        if not hasattr(self, "part_scales_"):
            return learned
        out = np.empty((X.shape[0], self._n_features_out), dtype=learned.dtype)
        for start in range(0, X.shape[0], CHUNK):
            rows = slice(start, start + CHUNK)
            C = self._columns(X[rows])
            parts = [learned[rows], self._kernel(C)]
            scaled = [
                (part - mean) * scale
                for part, mean, scale in zip(parts, self.part_means_, self.part_scales_)
            ]
            out[rows] = np.hstack([C, *scaled])
        return checked_output(out, X, self.weights_)


def _factor(variance, part):
    own = part.var(axis=0, dtype=np.float64).sum()
    return np.sqrt(variance / own) if own > 0 and variance > 0 else 1.0
