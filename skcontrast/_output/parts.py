"""What stands beside the learned columns: the input, its ranks, a kernel, the neighbourhood.

Each part is fitted on standardised rows and keeps arrays alone. None of them is trained.
"""

import numpy as np
import scipy.sparse as sp
from scipy.linalg import eigh
from scipy.special import ndtri
from sklearn.base import BaseEstimator
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.preprocessing import QuantileTransformer
from sklearn.utils.extmath import row_norms

# Most columns that are passed on as they are; of more, as many directions are, from so many
# rows. Kernel and neighbourhood compare rows in the first directions.
MOST_COLUMNS, DIRECTION_ROWS, COMPARED = 2048, 4096, 256
# Of sparse rows of more columns directions are kept as sums of rows, which take less room.
WIDE = 2**15
# Normal scores lie between these: the ends of a sample say little about its tails.
MOST_SCORE = 3.0
# As near to the end of a column that is the end, as scikit-learn has it.
BOUND = 1e-7
# A column as near to its normal scores has nothing to gain from them.
NORMAL = 0.95
N_LANDMARKS = 256
# Rows among which neighbours are sought, and of how many a mean is taken at most.
N_REFERENCES, N_NEIGHBORS = 4096, 10
# References of which the nearest is found at once.
GROUP = 16
# The squares of larger values leave the range of float32.
LARGEST_FLOAT32 = 1e15


class Columns(BaseEstimator):
    """The columns as they are; of more than 2048, coordinates on their leading directions.

    Attributes
    ----------
    components_ : ndarray of shape (n_directions, n_features), float32, or None
        Right singular vectors of the rows. Of sparse rows of more than 32,768 columns they have
        the shape (n_directions, n_rows), and say how much of each row of ``rows_`` they hold.

    rows_ : CSR matrix of shape (n_features, n_rows), float32, or None
        Rows that directions are sums of, one a column.
    """

    def fit(self, S, rng):
        self.components_ = self.rows_ = None
        if S.shape[1] > MOST_COLUMNS:
            S = S[np.sort(rng.permutation(S.shape[0])[:DIRECTION_ROWS])]
            S = S.astype(np.float64)  # small directions drown in the rounding of float32
            inner = S @ S.T
            inner = inner.toarray() if sp.issparse(inner) else inner
            # As many rows as directions or twice as many: neither a power method nor the driver
            # that finds a part of them is faster.
            values, vectors = (v[..., -MOST_COLUMNS:] for v in eigh(inner, driver="evd"))
            kept = np.flatnonzero(values > 1e-7 * values[-1])[::-1]
            directions = (vectors[:, kept] / np.sqrt(values[kept])).T
            if sp.issparse(S) and S.shape[1] > WIDE:
                self.rows_ = sp.csr_matrix(S.T, dtype=np.float32)
            else:
                directions = directions @ S
            self.components_ = np.asarray(directions, dtype=np.float32)
        return self

    def transform(self, S):
        rows = vars(self).get("rows_")  # which earlier versions did not keep
        if rows is not None:
            S = S.astype(np.float32) @ rows
            S = S.toarray() if sp.issparse(S) else S
        if self.components_ is not None:
            return np.asarray(S @ self.components_.T, dtype=np.float64)
        return (S.toarray() if sp.issparse(S) else np.asarray(S)).astype(np.float64)

    def compared(self, C):
        """The columns in which kernel and neighbourhood compare rows."""
        return C[:, : self.n_compared(C.shape[1])]

    def n_compared(self, n_columns):
        """How many of the columns these are."""
        return n_columns if self.components_ is None else min(COMPARED, len(self.components_))


class Ranks(BaseEstimator):
    """Normal scores of the columns that are far from normal, each with unit variance.

    A column with a long tail holds most of its variance in a few rows; its ranks tell the
    others apart.

    Attributes
    ----------
    columns_ : ndarray of shape (n_chosen,)

    quantiles_, references_ : ndarray of shape (n_quantiles, n_chosen), (n_quantiles,)
        Of the normal scores, as in scikit-learn's ``QuantileTransformer``.

    scale_ : ndarray of shape (n_chosen,)
    """

    def fit(self, S):
        numbers = np.flatnonzero([len(np.unique(column)) > 2 for column in S.T])
        self.columns_ = numbers
        if len(numbers) == 0:
            return self
        scores = self._fit_scores(S[:, numbers])
        deviation = scores.std(axis=0)
        C = S[:, numbers] - S[:, numbers].mean(axis=0)
        spread = np.maximum(C.std(axis=0) * deviation, np.finfo(float).tiny)
        chosen = (C * (scores - scores.mean(axis=0))).mean(axis=0) / spread < NORMAL
        chosen &= deviation > 0
        self.columns_, self.scale_ = numbers[chosen], deviation[chosen]
        self.quantiles_ = self.quantiles_[:, chosen].copy()  # in C order
        return self

    def _fit_scores(self, S):
        model = QuantileTransformer(
            n_quantiles=min(200, len(S)), output_distribution="normal", subsample=None
        )
        model.set_output(transform="default").fit(S)  # whatever a user set for all transformers
        self.quantiles_, self.references_ = model.quantiles_, model.references_
        return self._scores(S)

    def _scores(self, S):
        """As of scikit-learn's ``QuantileTransformer``, without its checks in every call."""
        scores = np.empty(S.shape)
        for x, quantiles, out in zip(S.T, self.quantiles_.T, scores.T):
            # Where quantiles are equal, the middle of their references.
            lower = np.interp(x, quantiles, self.references_)
            upper = np.interp(-x, -quantiles[::-1], -self.references_[::-1])
            out[:] = 0.5 * (lower - upper)
            out[x + BOUND > quantiles[-1]] = 1
            out[x - BOUND < quantiles[0]] = 0
        return np.clip(ndtri(scores), -MOST_SCORE, MOST_SCORE)

    def transform(self, S):
        return self._scores(S[:, self.columns_]) / self.scale_


class _Compares(BaseEstimator):
    """A part that compares rows with some of the training, a few rows at a time."""

    def _squares(self, rows):
        """Squared lengths of the latter, which are known once they are chosen."""
        # Folders of earlier versions do not hold them.
        return row_norms(rows, squared=True) if not hasattr(self, "squares_") else self.squares_


class Kernel(_Compares):
    """Nystroem features of a Gaussian kernel, as wide as the median distance of landmarks.

    Attributes
    ----------
    landmarks_ : ndarray of shape (n_landmarks, n_columns)

    map_ : ndarray of shape (n_landmarks, n_landmarks)
        Inverse root of the landmarks' kernel.

    gamma_ : float
        One over the median squared distance of the landmarks.

    squares_ : ndarray of shape (n_landmarks,)
        Their squared lengths.
    """

    def fit(self, C, rng):
        self.landmarks_ = C[np.sort(rng.permutation(len(C))[:N_LANDMARKS])]
        distances = euclidean_distances(self.landmarks_, squared=True)
        middle = np.median(distances[np.triu_indices(len(distances), 1)])
        self.gamma_ = 1.0 / float(middle) if middle > 0 else 1.0
        values, vectors = np.linalg.eigh(np.exp(-self.gamma_ * distances))
        values = np.maximum(values, 1e-6 * values[-1])
        self.map_ = vectors / np.sqrt(values) @ vectors.T
        self.squares_ = row_norms(self.landmarks_, squared=True)
        return self

    def transform(self, C):
        distances = -2.0 * (C @ self.landmarks_.T)
        distances += row_norms(C, squared=True)[:, None]
        distances += self._squares(self.landmarks_)
        return np.exp(-self.gamma_ * np.maximum(distances, 0.0)) @ self.map_


class Neighborhood(_Compares):
    r"""Mean of the nearest training rows, the nearer the heavier.

    .. math:: s(x) = \frac{\sum_i w_i(x) x_i}{\sum_i w_i(x)}, \qquad
        w_i(x) = 1 - \frac{\|x - x_i\|^2}{h(x)^2} + 10^{-3}

    over the k + 1 nearest training rows :math:`x_i`, where h is the distance of the last one: a
    weight of next to nothing where the neighbourhood ends, so that s hardly jumps there.

    Attributes
    ----------
    references_ : ndarray of shape (n_references, n_columns)
        Training rows, of equal ones the first k + 1. float32, where that holds squares of the
        values.

    squares_ : ndarray of shape (n_references,)
        Their squared lengths.

    n_neighbors_ : int
    """

    def fit(self, C, rng):
        dtype = np.float32 if np.abs(C).max() < LARGEST_FLOAT32 else np.float64
        R = C[np.sort(rng.permutation(len(C))[:N_REFERENCES])].astype(dtype)
        self.n_neighbors_ = int(np.clip(len(R) // 20, 1, N_NEIGHBORS))
        # Of equal rows the first k + 1 alone can be among the nearest.
        n = self.n_neighbors_ + 1
        group = np.unique(R, axis=0, return_inverse=True)[1].ravel()
        order = np.argsort(group, kind="stable")
        kept = np.ones(len(R), dtype=bool)
        kept[order[n:]] = group[order[n:]] != group[order[:-n]]
        self.references_ = R[kept]
        self.squares_ = row_norms(self.references_, squared=True)
        return self

    def transform(self, C):
        distance, index = self._nearest(C.astype(self.references_.dtype))
        width = np.maximum(distance[:, -1:], np.finfo(np.float32).tiny)
        # A little for each, for rows that are all as far from x.
        weight = 1.0 - (distance / width) ** 2 + 1e-3
        weight /= weight.sum(axis=1, keepdims=True)
        return np.einsum("nk,nkd->nd", weight, self.references_[index], dtype=np.float64)

    def _nearest(self, C):
        """Distances and numbers of the nearest references; of those as far, the first.

        Products of BLAS only say which references may be among the nearest: how they are rounded
        depends on the processor, the threads and the other rows of C. Which ones are is said by
        the differences of two rows, which depend on these two alone.
        """
        R, squares = self.references_, self._squares(self.references_)
        n = min(self.n_neighbors_ + 1, len(R))
        parts = [
            _first_of(x, R, _near(x, R, squares, n), n)
            for x in (C[start : start + 256] for start in range(0, len(C), 256))
        ]
        return tuple(map(np.concatenate, zip(*parts)))


def _near(x, R, squares, n):
    """Which rows of R may be among the n nearest, rounding included: (len(x), len(R)) bool.

    By products alone, :math:`x^\\top r - r^\\top r / 2`, which are the larger the nearer. Of many
    references the n-th largest is not above the n-th largest of the maxima of groups of them.
    """
    # Of a product, of what is added to it, and of a distance that is rounded.
    error = (x.shape[1] + 20) * np.finfo(R.dtype).eps
    product = x @ R.T
    product -= (1 - error) / 2 * squares
    width = len(R) // GROUP
    if width > n:
        grouped = product[:, : GROUP * width].reshape(len(x), GROUP, width).max(axis=1)
        least = grouped - error * squares[: GROUP * width].reshape(GROUP, width).max(axis=0)
    else:
        least = product - error * squares
    least = np.partition(least, least.shape[1] - n, axis=1)[:, -n]
    return product >= (least - error * row_norms(x, squared=True))[:, None]


def _first_of(x, R, near, n):
    """Distances and numbers of the n nearest rows of R among those that ``near`` marks."""
    i, j = np.divmod(np.flatnonzero(near), len(R))  # of a vector it is many times faster
    size = max(1, 2**18 // x.shape[1])
    pairs = [slice(start, start + size) for start in range(0, len(i), size)]
    squares = [np.square(x[i[p]] - R[j[p]].astype(np.float64)).sum(axis=1) for p in pairs]
    # Rounded, so that the order of a sum does not decide between rows that are as far.
    distance = np.sqrt(np.concatenate(squares)).astype(R.dtype)
    order = np.lexsort((distance, i))
    first = order[np.searchsorted(i, np.arange(len(x)))[:, None] + np.arange(n)]
    return distance[first], j[first]
