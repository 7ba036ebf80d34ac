r"""The input, and what is known of it without training, beside the learned columns.

.. math:: e(x) = \big[\, c(x), \; a_z z(x), \; a_\phi \phi(x), \; a_q q(x), \; a_r r(x),
    \; a_s s(x) \,\big]

with the standardised columns c (or their leading directions, where they are many), the learned
embedding z, features :math:`\phi` of a Gaussian kernel of [c, q, r], the ranks q of columns that
are far from normal, shares r of local patterns where columns lie beside each other in time or
place, and s, the mean of [c, q, r] over the nearest training rows. Parts after the first are
centred, and the factors give them a fixed share of the variance of c: a linear model on e can
do what it could do on c, and little else until labels say so.

A number of columns takes the leading directions of all of them together,

.. math:: e_k(x) = V_k^\top (e(x) - \bar e)

with the first k eigenvectors V of the covariance of e over the training rows. Where rows came
all as long as one another, as those of TF-IDF do, only their directions mean something; the k
coordinates are then brought to one length :math:`\ell` again, the root mean square over the
training rows: :math:`\ell \, e_k(x) / \|e_k(x)\|`. A row whose columns lie mostly in other
directions would else be short, and count for less. Up to three coordinates, which make a map,
keep their length.
"""

import copy
from functools import cache

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.preprocessing import normalize
from sklearn.utils.extmath import row_norms
from threadpoolctl import ThreadpoolController, threadpool_limits

from skcontrast._component import did_you_mean
from skcontrast._inputs.base import PARTS
from skcontrast._inputs.stream import at_hand
from skcontrast._output.directions import leading_directions, projected
from skcontrast._output.labels import columns_suffice, told
from skcontrast._output.parts import Columns, Kernel, Neighborhood, Ranks
from skcontrast._output.patterns import Patterns, layout

# Rows from which the directions of many columns are found, and all that comes after.
MOST_ROWS, FEWER_ROWS = 20_000, 6_000
# Rows transformed at a time, always as many: BLAS rounds products of other shapes in other ways,
# and a row must not depend on its neighbours in the batch.
BLOCK = 64
# Share of its variance that each part keeps where labels say that the columns do better alone.
LITTLE = 0.01
# So many directions are looked at as a map, and rows of one length would be a circle or a sphere.
MAP = 3
# Points from which local patterns count in full: a shorter series has few places for one.
MANY_POINTS = 64


@cache
def blas():
    """The libraries of this process that have threads: to look for them takes a while."""
    return ThreadpoolController()


def wanted_parts(passthrough, read, source):
    """Names of the parts to have beside the learned columns.

    Parameters
    ----------
    passthrough : bool, "auto" or list of str
        The parameter of an encoder.

    read : collection of str
        Side information that the objective reads. With a target or a condition "auto" is no
        parts: they would bring back what these took away, and drown what they taught.

    source : Input
        What reads the rows, which may have no columns to pass through.
    """
    if not source.parts:
        if passthrough not in ("auto", False):
            raise ValueError(
                f"passthrough={passthrough!r} needs rows with columns, and these are "
                f"{source.kind}: type passthrough=False."
            )
        return ()
    if isinstance(passthrough, (list, tuple)):
        for name in passthrough:
            if name not in source.parts:
                hint = did_you_mean(str(name), source.parts)
                raise ValueError(
                    f"passthrough={passthrough!r} holds {name!r}, which is no part: type some of "
                    f"{', '.join(map(repr, source.parts))}, or True for all.{hint}"
                )
        return tuple(name for name in source.parts if name in passthrough)
    if passthrough == "auto":
        passthrough = not {"target", "condition"} & set(read)
    return source.parts if passthrough else ()


class Output(BaseEstimator):
    """What ``transform`` makes of checked rows and their learned columns.

    Parameters
    ----------
    parts : tuple of str, default=()
        Names of :data:`PARTS` to put beside the learned columns; with none these stand alone.

    n_components : int, default=None
        Number of leading directions that stand for all columns; None keeps the columns.

    Attributes
    ----------
    parts_ : dict of str to object
        The fitted parts, with their arrays.

    part_means_, part_scales_ : dict of str to ndarray, dict of str to float
        Centre and factor of the parts after the first.

    part_columns_ : dict of str to tuple (start, stop)
        Which of all columns are which part; "learned" are the learned ones.

    bases_ : dict of str to ndarray of shape (n_part_columns, n_kept)
        Directions of a part that has more columns than there were rows to fill them.

    mean_ : ndarray of shape (n_columns,)

    directions_ : ndarray of shape (n_columns, n_components)
        Eigenvectors of the covariance, largest first; zeros where the rows span fewer.

    length_ : float or None
        Length of all rows on the directions, where all rows of the input had one length.

    absent_ : dict of str to ndarray of shape (n_learned + 1, n_part_columns), or None
        Of rows that may lack a block, its columns by the embedding of the others.

    told_ : bool
        Whether labels said that the columns do better alone; the others are then next to nothing.
    """

    def __init__(self, parts=(), n_components=None):
        self.parts = parts
        self.n_components = n_components

    def fit(self, source, X, embed, y=None):
        """Fit the parts and the directions to the rows of a training.

        Parameters
        ----------
        source : Input
            It knows the scale of the columns, and the shares of the parts.

        X : checked rows of shape (n, n_features)

        embed : callable
            ``embed(X) -> (n, width)`` learned columns.

        y : array-like, default=None
            Labels that may say how much the parts count; -1 or a missing value for none.
        """
        if not self.parts:
            return self
        # Drawn apart from training, which the parts take no part in.
        X = at_hand(X)[0]
        rng, whole, self.told_ = np.random.default_rng(0), X, False
        X = X[np.sort(rng.permutation(X.shape[0])[:MOST_ROWS])]
        with threadpool_limits(1, user_api="blas"):  # last bits depend on their number
            few = X[np.sort(rng.permutation(X.shape[0])[:FEWER_ROWS])] if source.has_absent else X
            self.absent_ = source.fit_absent(few, embed(few)) if source.has_absent else None
            S = self._standardized(source, X, embed)
            self.parts_ = {"columns": Columns().fit(S, rng)}
            self.part_means_, self.part_scales_, self.bases_ = {}, {}, {}
            rows = np.sort(rng.permutation(S.shape[0])[:FEWER_ROWS])
            X, S = X[rows], S[rows]
            self._fit_unlearned(S, source, rng)
            learned = embed(X)
            self._scale_learned(S, source, learned)
            self._limit(S, learned)
            self._listen(source, whole, embed, y)
            values = self._values(S, learned)
            self._lay_out(values)
            if self.n_components is not None:
                E = np.hstack([values[name] for name in self.part_columns_])
                self._fit_directions(E, _of_one_length(X))
        return self

    def adapted(self, source, X, embed):
        """The same after further training: a new scale of the learned columns alone."""
        if not self.parts:
            return self
        new = copy.copy(self)
        new.part_means_, new.part_scales_ = dict(self.part_means_), dict(self.part_scales_)
        rng, X = np.random.default_rng(0), at_hand(X)[0]
        for most in (MOST_ROWS, FEWER_ROWS):
            X = X[np.sort(rng.permutation(X.shape[0])[:most])]
        with threadpool_limits(1, user_api="blas"):
            new._scale_learned(self._standardized(source, X, embed), source, embed(X))
        return new

    def transform(self, source, X, learned):
        """The columns of checked rows, in the dtype of the learned ones."""
        if not self.parts:
            return learned
        out = np.empty((X.shape[0], self.width(learned.shape[1])), dtype=learned.dtype)
        # Products as small as these take longest with several threads, above all of busy cores.
        with blas().limit(limits=1, user_api="blas"):
            for start in range(0, len(out), BLOCK):
                self._transform_block(source, X, learned, start, out)
        return out

    def _transform_block(self, source, X, learned, start, out):
        rows = np.minimum(np.arange(start, start + BLOCK), len(out) - 1)
        S = self._standardized(source, X[rows], lambda _, z=learned[rows]: z)
        values = self._values(S, learned[rows])
        E = np.hstack([values[name] for name in self.part_columns_])
        if self.n_components is not None:
            E = self._directed(E)
        out[start : start + BLOCK] = E[: len(out) - start]

    def width(self, n_learned):
        """Number of columns that come out."""
        if not self.parts:
            return n_learned
        if self.n_components is not None:
            return self.directions_.shape[1]
        return max(stop for _, stop in self.part_columns_.values())

    @property
    def has_names(self):
        """Whether the columns that come out have names of their own."""
        return bool(self.parts) and self.n_components is None

    def names(self, columns):
        """Names of the columns that come out, where they have some.

        Parameters
        ----------
        columns : sequence of str
            Names of the columns that the network reads.
        """
        first = self.parts_["columns"]
        names = {"columns": columns}
        if first.components_ is not None:
            names["columns"] = [f"direction{j}" for j in range(len(first.components_))]
        compared = list(names["columns"])[: first.n_compared(len(columns))]
        if "ranks" in self.parts_:
            names["ranks"] = [columns[j] for j in self.parts_["ranks"].columns_]
            compared += [f"ranks__{name}" for name in names["ranks"]]
        if "patterns" in self.parts_:
            compared += [f"patterns__{j}" for j in range(len(self.part_means_["patterns"]))]
        names["neighborhood"] = compared
        for part, (start, stop) in self.part_columns_.items():
            if part in self.bases_ or part not in names:
                names[part] = range(stop - start)
        return [f"{part}__{name}" for part in self.part_columns_ for name in names[part]]

    # --------------------------------------------------------------- fitting

    def _fit_unlearned(self, S, source, rng):
        """Fit the parts after the columns, but the learned one, to standardised rows."""
        C = self.parts_["columns"].transform(S)
        asks = {"patterns", "ranks"} & set(self.parts)
        shape = layout(S - S.mean(axis=0)) if asks and not sp.issparse(S) else None
        ordered = shape is not None
        found = {}
        if ordered and "patterns" in self.parts:
            found["patterns"] = Patterns(*shape).fit(S, rng, source.mean_, source.scale_)
        elif not ordered and "ranks" in self.parts and _are_columns(S, self.parts_["columns"]):
            found["ranks"] = Ranks().fit(S)
        for name, part in found.items():
            if name == "patterns" or len(part.columns_):
                ranked = C[:, part.columns_] if name == "ranks" else C
                share = source.shares[name]
                if name == "patterns":
                    share *= min(1.0, np.prod(shape) / MANY_POINTS) ** 2
                self._keep_part(name, part, part.transform(S), share, ranked)
        lifted = self._lifted(S, C)
        for name, part in (("kernel", Kernel()), ("neighborhood", Neighborhood())):
            if name in self.parts:
                part.fit(lifted, rng)
                self._keep_part(name, part, part.transform(lifted), source.shares[name], C)

    def _keep_part(self, name, part, values, share, columns):
        """A fitted part, centred, with its share of the variance of the columns."""
        self.parts_[name] = part
        self.part_means_[name] = values.mean(axis=0)
        self.part_scales_[name] = _factor(share * columns.var(axis=0).sum(), values)

    def _scale_learned(self, S, source, learned):
        variance = self.parts_["columns"].transform(S).var(axis=0).sum()
        self.part_means_["learned"] = learned.mean(axis=0)
        # Folders written before labels were read do not say so.
        share = source.shares["learned"] * (LITTLE if vars(self).get("told_") else 1.0)
        self.part_scales_["learned"] = _factor(share * variance, learned)

    def _listen(self, source, X, embed, y):
        """Make the parts beside the columns small, where labels say that these do better alone."""
        rows, targets = told(y)
        if rows is None:
            return
        S = self._standardized(source, X[rows], embed)
        values = self._values(S, embed(X[rows]))
        everything = [part for name, part in values.items() if name in (*self.parts, "learned")]
        if columns_suffice(values["columns"], np.hstack(everything), targets):
            self.told_ = True
            for name in self.part_scales_:
                self.part_scales_[name] *= LITTLE**0.5

    def _limit(self, S, learned):
        """Bring parts with more columns than rows to the directions that the rows span."""
        for name, values in self._values(S, learned).items():
            if name != "columns" and values.shape[1] >= len(values):
                self.bases_[name] = leading_directions(values, len(values) - 1)[1]

    def _lay_out(self, values):
        """Say which columns are which part."""
        self.part_columns_, start = {}, 0
        for name in ("columns", "learned", *PARTS[1:]):
            # The columns may be there for the other parts alone.
            if name in values and name in (*self.parts, "learned"):
                stop = start + values[name].shape[1]
                self.part_columns_[name], start = (start, stop), stop

    def _fit_directions(self, E, of_one_length):
        self.mean_, self.directions_ = leading_directions(E, self.n_components)
        self.length_ = None
        if of_one_length and self.n_components > MAP:
            squares = np.square(projected(E, self.mean_, self.directions_)).sum(axis=1)
            self.length_ = float(np.sqrt(squares.mean()))

    # ---------------------------------------------------------------- values

    def _standardized(self, source, X, embed):
        """Standardised rows; blocks that a row lacks are as its other blocks say."""
        S = source.standardized(X)
        # Folders written before absent blocks were read off the others do not say how.
        absent = vars(self).get("absent_")
        return S if absent is None else source.completed(S, X, embed(X), absent)

    def _directed(self, E):
        """Coordinates of rows of all columns on the leading directions."""
        coordinates = projected(E, self.mean_, self.directions_)
        return coordinates if self.length_ is None else self.length_ * normalize(coordinates)

    def _scaled(self, name, values):
        return (values - self.part_means_[name]) * self.part_scales_[name]

    def _lifted(self, S, C):
        """Columns beside their ranks or patterns: what kernel and neighbourhood see."""
        names = [name for name in ("ranks", "patterns") if name in self.parts_]
        parts = [self._scaled(name, self.parts_[name].transform(S)) for name in names]
        return np.hstack([self.parts_["columns"].compared(C), *parts])

    def _values(self, S, learned):
        """Values of each part, of standardised rows and their learned columns."""
        if sp.issparse(S) and {"ranks", "patterns"} & set(self.parts_):  # fitted to dense rows
            S = S.toarray()
        C = self.parts_["columns"].transform(S)
        lifted = self._lifted(S, C)
        values = {"columns": C, "learned": self._scaled("learned", learned)}
        for name in ("ranks", "patterns"):
            if name in self.parts_:
                values[name] = lifted[:, -len(self.part_means_[name]) :]
        for name in ("kernel", "neighborhood"):
            if name in self.parts_:
                values[name] = self._scaled(name, self.parts_[name].transform(lifted))
        for name, basis in self.bases_.items():
            values[name] = projected(values[name], np.zeros(len(basis)), basis)
        return values


def _are_columns(S, columns):
    """Whether the part ``columns`` gives dense columns of the input, and not directions."""
    return not sp.issparse(S) and columns.components_ is None


def _of_one_length(X):
    """Whether rows, but empty ones, are all as long as one another, to a thousandth."""
    with np.errstate(over="ignore"):
        length = np.sqrt(row_norms(X.astype(np.float64), squared=True))
    length = length[length > 0]
    if len(length) < 2 or not np.isfinite(length).all():
        return False
    return bool(np.ptp(length) <= 1e-3 * length.max())


def _factor(variance, part):
    own = part.var(axis=0, dtype=np.float64).sum()
    return float(np.sqrt(variance / own)) if own > 0 and variance > 0 else 1.0
