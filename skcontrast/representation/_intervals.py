"""Prediction intervals: errors of rows that the prediction did not see, and where they lie."""

import numpy as np
from sklearn.neighbors import NearestNeighbors

NEIGHBORS = 30


class Intervals:
    r"""Half-widths of prediction intervals from the errors of known rows.

    "conformal" scales the errors by how much the targets of a row's neighbours vary, and
    takes one quantile of them: with :math:`s(x)` the spread of the targets of the nearest
    rows and n calibration rows, the interval is :math:`\hat y(x) \pm s(x) q`, where q is the
    :math:`\lceil (n + 1) c \rceil`-th smallest of :math:`|y_i - \hat y(x_i)| / s(x_i)`. It
    holds the target with probability c or more, for rows drawn like the calibration rows.
    "neighbors" takes the quantile of the errors of the nearest rows alone: local, but
    without a guarantee.

    Parameters
    ----------
    kind : {"conformal", "neighbors"}

    errors : ndarray of shape (n, n_targets)
        Absolute errors on rows that the prediction was not fitted on.

    embedding : ndarray of shape (n, d)
        Where these rows lie.

    reference : tuple of ndarray
        Embedding and targets of the rows that the spread is taken from, for "conformal".
    """

    def __init__(self, kind, errors, embedding, reference):
        self.kind = kind
        rows, targets = reference if kind == "conformal" else (embedding, errors)
        self.neighbors = NearestNeighbors(n_neighbors=min(NEIGHBORS, len(rows))).fit(rows)
        self.targets = targets
        # Where all neighbours agree, a tenth of the spread of all targets.
        self.floor = np.maximum(0.1 * targets.std(axis=0), np.finfo(np.float64).tiny)
        self.scores = errors
        if kind == "conformal":
            self.scores = np.sort(errors / self._spread(embedding), axis=0)

    def _nearest(self, embedding):
        return self.targets[self.neighbors.kneighbors(embedding, return_distance=False)]

    def _spread(self, embedding):
        return np.maximum(self._nearest(embedding).std(axis=1), self.floor)

    def half_width(self, embedding, coverage):
        """Half-width (n, n_targets) of the intervals of rows that lie at ``embedding``."""
        n = len(self.scores) if self.kind == "conformal" else self.neighbors.n_neighbors
        rank = int(np.ceil((n + 1) * coverage - 1e-9))
        if rank > n:
            least = int(np.ceil(coverage / (1 - coverage) - 1e-9))
            raise ValueError(
                f"coverage={coverage} needs the errors of at least {least} rows, and there are "
                f"{n}: type a coverage up to {n / (n + 1):.3g}, or fit on more rows."
            )
        if self.kind == "conformal":
            return self.scores[rank - 1] * self._spread(embedding)
        return np.sort(self._nearest(embedding), axis=1)[:, rank - 1]
