"""Tables: arrays, sparse matrices, memory maps, tensors and data frames, as rows of numbers."""

from copy import copy
from os import PathLike

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import check_array

from skcontrast._arrays import refuse_masked
from skcontrast._component import StrOptions
from skcontrast._inputs.base import PARTS, Input, check_indices
from skcontrast._inputs.columns import RAGGED, untorched
from skcontrast._inputs.frame import FrameColumns, category_names, check_names, is_frame, is_plain
from skcontrast._inputs.one_hot import one_hot_groups
from skcontrast._inputs.rows import CHUNK, standardized, table_rows, to_batch
from skcontrast._inputs.running import merged, moments, scales
from skcontrast._inputs.scales import column_scales

_FLOATS = (np.float64, np.float32)


class TableInput(Input):
    """Rows of numbers, also of data frames with categories and missing values.

    What :meth:`fit` and :meth:`read` give is a float array, a CSR matrix or the memory map
    that it was, of shape (n_samples, n_features).

    Parameters
    ----------
    owner : str, default="estimator"
        Class of the estimator, for messages.

    standardize : bool or "running", default=True
        Whether columns are centred and scaled; see ``column_scales``. "running": by the rows of
        a stream so far.

    precision : {"float32", "bfloat16", "float64"}, default="float32"
        What values that are not scaled have to fit in.

    Attributes
    ----------
    mean_, scale_ : ndarray of shape (n_features,) or None
        Standardisation of the columns that the network reads.

    expansion_ : FrameColumns or None
        How a data frame becomes these columns, where X was one.

    running_ : dict of str to ndarray
        Moments of the rows so far, with ``standardize="running"``.

    features_ : int ndarray of shape (n_features,) or None
        Which of these columns are one feature, as those of a category.
    """

    kind = "numbers"
    parts: tuple = PARTS
    shares = {"learned": 0.3, "kernel": 0.15, "ranks": 0.5, "patterns": 2.0, "neighborhood": 0.3}
    choices = {
        "network": "mlp",
        "views": ("neighbors", "corruption"),
        "clean_anchor": True,
        "width": 256,
    }
    _parameter_constraints: dict = {
        "owner": [str],
        "standardize": ["boolean", StrOptions({"running"})],
        "precision": [StrOptions({"float32", "bfloat16", "float64"})],
    }

    def __init__(self, owner="estimator", standardize=True, precision="float32"):
        self.owner = owner
        self.standardize = standardize
        self.precision = precision

    @property
    def n_features(self):
        """Width of the rows that the network reads."""
        return self.n_features_in_ if self.expansion_ is None else self.expansion_.n_columns

    def fit(self, X, n_least=2):
        """Check the rows of a fit, and learn their columns."""
        X = self.fit_columns(X, n_least)
        if self.expansion_ is not None:
            self.features_ = self.expansion_.features
        elif not sp.issparse(X):
            self.features_ = one_hot_groups(X, CHUNK)
        self.mean_, self.scale_ = column_scales(X, self.standardize, self.precision)
        if self.standardize == "running":
            self.running_ = moments(X)
        return X

    def further(self, X, partial):
        """Check the rows of a later call; a stream may move the scales, in another input."""
        source, X = super().further(X, partial)
        dense = self.mean_ is not None  # of which sparse rows are refused later on
        if partial and self.standardize == "running" and not (dense and sp.issparse(X)):
            source = copy(self)
            source.running_ = merged(self.running_, moments(X if dense else sp.csr_matrix(X)))
            source.mean_, source.scale_ = scales(source.running_, self.mean_, self.scale_)
        return source, X

    def fit_columns(self, X, n_least=2):
        """Check the rows of a fit, for an estimator that reads them on the scale that they have."""
        self.expansion_ = self.features_ = self.mean_ = self.scale_ = None
        return self._checked(untorched(X), True, n_least)

    def read(self, X, n_least=1):
        """Check other rows against those of the fit."""
        return self._checked(untorched(X), False, n_least)

    def rows(self, X, side=None, **options):
        """Rows of a training."""
        if sp.issparse(X) and self.mean_ is not None:
            raise ValueError(
                "X is sparse, but the estimator was fitted on dense rows: pass X.toarray(), or fit "
                "with warm_start=False."
            )
        return table_rows(X, side, self.mean_, self.scale_, self.features_, **options)

    def batch(self, X, dtype, device):
        """One batch of checked rows, as the encoder reads it."""
        return to_batch(X, self.mean_, self.scale_, dtype, device)

    def standardized(self, X):
        """Checked rows on the scale on which the network reads them."""
        S = standardized(X, self.mean_, self.scale_)
        return S if S.dtype in _FLOATS else S.astype(np.float64)  # a map's own type

    def column_names(self, names):
        """Names of the columns that the network reads, from those of X."""
        return names if self.expansion_ is None else self.expansion_.column_names(names)

    def _checked(self, X, reset, n_least):
        if sp.issparse(X):
            check_indices(X)
        if getattr(getattr(X, "dtype", None), "kind", None) in ("m", "M"):
            raise ValueError(
                f"X holds {X.dtype}: pass numbers made from it, such as the year of a date or "
                "seconds since the first."
            )
        refuse_masked(X, "X")
        if isinstance(X, (str, PathLike)):
            raise TypeError(
                f"X is {str(X)!r}, and not rows: type pyarrow.dataset.dataset(path) for Parquet, "
                "or np.load(path, mmap_mode='r') for an array on disk."
            )
        if is_frame(X):
            return self._check_frame(X, reset, n_least)
        if not reset and self.expansion_ is not None and not self.expansion_.is_plain:
            return self._check_beside_frame(X, n_least)
        return self._check_numbers(X, reset, n_least)

    def _check_numbers(self, X, reset, n_least):
        """Check what has to hold numbers, all of them there."""
        if isinstance(X, np.memmap) and X.ndim == 2 and X.dtype.kind in "fiub":
            return self._check_memmap(X, reset, n_least)
        options = {"accept_sparse": "csr", "dtype": _FLOATS, "ensure_min_samples": n_least}
        try:
            return self._validated(X, reset=reset, **options)
        except OverflowError:
            raise ValueError(
                "X holds an integer beyond the range of float64: divide it first, or pass it as a "
                "string of a DataFrame."
            ) from None
        except TypeError as error:
            if not str(error).startswith(("float() argument", "Cannot cast array data")):
                raise
            raise TypeError(
                f"X is a {type(X).__name__} whose entries are no numbers ({error}): pass a table "
                "of numbers, or a data frame."
            ) from None
        except ValueError as error:
            if str(error).startswith(RAGGED):
                raise ValueError(
                    "X has rows of different lengths, or lists among its values: pass one number "
                    "for each row and column."
                ) from None
            if np.ndim(X) > 2:
                raise ValueError(
                    f"{str(error).partition(chr(10))[0]} X has the shape {np.shape(X)}: type "
                    "X.reshape(len(X), -1) to read all values of a row as its columns."
                ) from None
            if "could not convert string to float" not in str(error):
                raise
            raise ValueError(
                f"X holds strings ({error}): pass a pandas or polars DataFrame, whose columns of "
                "strings are read as categories."
            ) from None

    def _check_frame(self, X, reset, n_least):
        """Check a data frame; what needs it becomes numbers by ``expansion_``."""
        check_names(X)
        if not reset and self.expansion_ is None:  # fitted on an array
            self._validated(X, reset=False, skip_check_array=True)
            names = category_names(X)
            if names:
                raise ValueError(
                    f"X has columns of categories ({_listed(names)}), but fit read an array of "
                    "numbers: pass the same numbers, or fit on a DataFrame."
                )
            return self._check_numbers(X, reset, n_least)
        if (reset or self.expansion_.is_plain) and is_plain(X):
            X = self._check_numbers(X, reset, n_least)
            if reset and not sp.issparse(X):
                self.expansion_ = FrameColumns().fit_numbers(X)
            return X
        self._validated(X, reset=reset, skip_check_array=True)
        if len(X) < n_least:
            raise ValueError(
                f"Found array with {len(X)} sample(s) (shape={X.shape}) while a minimum of "
                f"{n_least} is required by {self.owner}."
            )
        if reset:
            self.expansion_ = FrameColumns().fit(X)
        return self.expansion_.transform(X)

    def _check_beside_frame(self, X, n_least):
        """Check what is no frame, after a fit on one with categories or missing values."""
        shape, expansion = getattr(X, "shape", ()), self.expansion_
        if not sp.issparse(X) and shape[1:] == (expansion.n_columns,) != (self.n_features_in_,):
            # The matrix that a frame became, as callbacks hand it on.
            names = {"estimator": self.owner, "input_name": "X"}
            return check_array(X, dtype=_FLOATS, ensure_min_samples=n_least, **names)
        if expansion.is_category.any():
            names = getattr(self, "feature_names_in_", np.arange(self.n_features_in_))
            raise ValueError(
                f"X is a {type(X).__name__}, but fit read a DataFrame with categories "
                f"({_listed(names[expansion.is_category])}): pass a DataFrame with the same "
                "columns."
            )
        X = self._check_numbers(X, False, n_least)
        return expansion.transform_numbers(X.toarray() if sp.issparse(X) else np.asarray(X))

    def _check_memmap(self, X, reset, n_least):
        """Check in blocks: ``validate_data`` copies the whole map to change its type."""
        self._validated(X, reset=reset, skip_check_array=True)
        if len(X) < n_least or X.shape[1] < 1:
            raise ValueError(
                f"Found array with shape={X.shape}, while {n_least} sample(s) and 1 feature are "
                "required."
            )
        for start in range(0, len(X), CHUNK):
            if not np.isfinite(X[start : start + CHUNK]).all():
                raise ValueError(f"Input X contains NaN or infinity, in a row from {start} on.")
        return X


def _listed(names):
    """The first names, for a message."""
    more = ", ..." if len(names) > 5 else ""
    return ", ".join(repr(str(name)) for name in names[:5]) + more
