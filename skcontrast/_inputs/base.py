"""The object that says what a row is: it reads rows, learns what they are like, makes batches."""

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, OneToOneFeatureMixin
from sklearn.utils.validation import validate_data

NAMES = ("n_features_in_", "feature_names_in_")
# What may stand beside the learned columns of rows that are points of a vector space. Sets
# without long tails have no ranks, and those whose columns lie in no order no patterns.
PARTS = ("columns", "ranks", "patterns", "kernel", "neighborhood")


class Input(OneToOneFeatureMixin, BaseEstimator):
    """What a row is; a subclass for each kind of row, and an object for each fit.

    A subclass states ``kind`` and ``choices`` and has

    ``fit(X, n_least=2) -> X``
        checks rows, learns what a later row has to be like, and gives the rows in the form
        that the methods below read;
    ``read(X, n_least=1) -> X``
        checks other rows against what was learned;
    ``rows(X, side, **options) -> Rows``
        makes the rows of a training of what these give;
    ``batch(X, dtype, device)``
        makes one batch of a slice of it, as the encoder reads it;
    ``n_features``
        is the number of columns of the rows;
    ``layout``
        is what networks are built for: that number, unless a kind of row says more.

    Nothing but arrays, numbers and names is learned, so that an input is saved with its
    estimator.

    Parameters
    ----------
    owner : str, default="estimator"
        Class of the estimator that reads rows in this way: messages speak in its name.
    """

    # What a row is. Views, networks, samplers and objectives say in ``reads`` which kinds they
    # take, and registries of names go by it.
    kind: str
    # What "auto" stands for in parameters of the estimator, and the learned width.
    choices: dict = {}
    # What a message may advise where a component reads rows of another kind.
    hint = ""
    # What may stand beside the learned columns, of PARTS; nothing where rows have no columns.
    parts: tuple = ()
    # Whether rows are read in time order, whatever the views.
    ordered = False
    # Whether rows may lack blocks, whose columns the output then reads off the other blocks.
    has_absent = False
    # Variance of a part over that of the columns (of ranks: of the columns that have them).
    shares: dict = {}

    def __init__(self, owner="estimator"):
        self.owner = owner

    @property
    def layout(self):
        """What networks are built for."""
        return self.n_features

    def _validated(self, X, *, reset, **options):
        """scikit-learn's own check of X, in the name of the estimator."""
        voice = type(self.owner, (BaseEstimator,), {})()
        vars(voice).update({name: vars(self)[name] for name in NAMES if name in vars(self)})
        X = validate_data(voice, X, reset=reset, **options)
        if reset:
            for name in NAMES:
                vars(self).pop(name, None)
            vars(self).update(vars(voice))
        return canonical(X) if sp.issparse(X) else X

    def further(self, X, partial):
        """The input of a later call and its checked rows; of a stream it may learn from them."""
        return self, self.read(X, n_least=2)

    def hold_out(self, n_samples, fraction, objective, seed, side):
        """Split row numbers into those to train on and those held out for early stopping.

        Rows are held out at random, those of one of ``pairs`` together, as a row and its view
        must not be parted, nor the rows of a group where the objective reads whole ones. Of
        ``sessions`` it is the end of each.

        Parameters
        ----------
        n_samples : int

        fraction : float
            Share of the rows to hold out.

        objective : Objective
            It says the fewest rows of either part.

        seed : int

        side : dict of str to ndarray
            Side information of the rows.

        Returns
        -------
        train_index, held_out : ndarray of int
        """
        min_rows = objective.min_rows
        n_held_out = max(min_rows, int(np.ceil(fraction * n_samples)))
        order = np.random.RandomState(seed).permutation(n_samples)
        pairs = side.get("groups" if objective.whole_groups else "pairs")
        sessions = side.get("sessions")
        if sessions is not None:
            # By how late a row is in its session, so that long ones give more.
            size = np.bincount(sessions)[sessions]
            place = np.arange(n_samples) - np.unique(sessions, return_index=True)[1][sessions]
            order = np.argsort(-(place + 0.5) / size, kind="stable")
        if pairs is not None:
            first = np.full(pairs.max() + 1, n_samples)
            np.minimum.at(first, pairs[order], np.arange(n_samples))
            order = order[np.argsort(first[pairs[order]], kind="stable")]
            end = pairs[order[n_held_out - 1]]
            n_held_out = int(np.flatnonzero(pairs[order] == end)[-1]) + 1
        if n_samples - n_held_out < min_rows:
            raise ValueError(
                f"early_stopping=True holds out {n_held_out} of n_samples={n_samples} rows and "
                f"leaves fewer than {min_rows} to train on: type early_stopping=False or a "
                f"smaller validation_fraction than {fraction}."
            )
        return np.sort(order[n_held_out:]), np.sort(order[:n_held_out])


class ColumnsOfInput:
    """Number and names of the columns of X, for what has an input or an encoder that reads X."""

    _input_name = "input_"

    @property
    def n_features_in_(self) -> int:
        """Number of features seen during fit, of rows that have them: of series, channels."""
        return getattr(self, self._input_name).n_features_in_

    @property
    def feature_names_in_(self) -> np.ndarray:
        """Names of features seen during fit, when all are strings."""
        return getattr(self, self._input_name).feature_names_in_


def canonical(X):
    """CSR rows as what they hold: entries of one place added up, none of zero, columns in order."""
    if X.has_canonical_format and X.data.all():
        return X
    X = X.copy()  # the matrix of the caller stays as it is
    X.sum_duplicates()
    X.eliminate_zeros()
    return X


def check_indices(X):
    """Raise where entries of a sparse matrix lie outside of it: SciPy would read foreign memory."""
    if X.format in ("csr", "csc", "bsr"):
        rows, columns = X.shape if X.format != "csc" else X.shape[::-1]
        if X.format == "bsr":
            rows, columns = rows // X.blocksize[0], columns // X.blocksize[1]
        starts, places = X.indptr, [(X.indices, columns)]
        good = len(starts) == rows + 1 and starts[0] == 0 and (np.diff(starts) >= 0).all()
        good = good and starts[-1] <= len(X.indices) and starts[-1] <= len(X.data)
    elif X.format == "coo":
        good, places = True, [(X.row, X.shape[0]), (X.col, X.shape[1])]
    else:
        return
    if not good or any(len(i) and not (0 <= i.min() and i.max() < n) for i, n in places):
        raise ValueError(
            f"X is a damaged {X.format} matrix of shape {X.shape}, whose entries lie outside "
            "of it: make or read it anew."
        )
