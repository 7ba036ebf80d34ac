"""Data frames with categories and missing values as matrices of numbers."""

from decimal import Decimal
from numbers import Integral, Real

import narwhals.stable.v2 as nw
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils import check_array

from skcontrast._inputs.one_hot import one_hot_groups

# A category in fewer rows than these, or of a small table in less than this share of them,
# shares one column with the other rare ones; so do those beyond the most frequent.
RARE_ROWS, RARE_SHARE = 10, 0.01
MOST_CATEGORIES = 100
_CATEGORIES = (nw.String, nw.Categorical, nw.Enum)
# Types whose values NumPy holds as objects of Python.
_OF_PYTHON = (nw.Object, nw.Unknown, nw.Int128, nw.UInt128)


def is_frame(X, name="X"):
    """Whether X is a data frame: of pandas, polars, pyarrow or another that narwhals reads."""
    if hasattr(X, "iloc"):  # of pandas, where two columns may have one name
        return hasattr(X, "columns")
    try:
        found = nw.from_native(X, pass_through=True)
    except nw.exceptions.DuplicateError:
        raise ValueError(f"{name} has several columns of one name: rename them.") from None
    if isinstance(found, nw.LazyFrame):
        raise ValueError(
            f"{name} is a {type(X).__name__}, whose rows are not there yet: pass {name}.collect()."
        )
    return isinstance(found, nw.DataFrame)


def check_names(X):
    """Raise where two columns of a frame have one name, as scikit-learn does less plainly."""
    if not getattr(X.columns, "is_unique", True):
        name = X.columns[X.columns.duplicated()][0]
        raise ValueError(
            f"X has several columns of the name {name!r}: rename them, or pass X.to_numpy() where "
            "all hold numbers."
        )


def columns_of(X):
    """Name and narwhals Series of each column of a frame, whose names may occur twice."""
    if hasattr(X, "iloc"):
        pairs = ((name, X.iloc[:, j]) for j, name in enumerate(X.columns))
    else:
        X = nw.from_native(X, eager_only=True)
        pairs = ((name, X[name].to_native()) for name in X.columns)
    return [(str(name), nw.from_native(column, series_only=True)) for name, column in pairs]


def category_names(X):
    """Names of the columns of a frame that hold categories."""
    return [name for name, column in columns_of(X) if _holds_categories(name, column)]


def is_plain(X):
    """Whether all columns of a frame hold numbers as NumPy has them, and no value is missing."""
    return not any(
        _holds_categories(name, column)
        or (column.dtype in _OF_PYTHON and not _is_sparse(column))
        or isinstance(column.dtype, nw.Decimal)
        or _missing(column).any()
        for name, column in columns_of(X)
    )


def _is_sparse(column):
    """Whether SciPy can hold a column of pandas as it is: what it leaves out is zero."""
    dtype = getattr(column.to_native(), "dtype", None)
    return type(dtype).__name__ == "SparseDtype" and dtype.fill_value == 0


def _missing(column):
    """Which values of a column are missing: bool ndarray (n,)."""
    if column.dtype.is_float():
        return np.isnan(floats(column))
    return np.asarray(column.is_null().to_numpy(), dtype=bool)


def missing_rows(X):
    """Which rows of a frame hold no value at all: bool ndarray (n,)."""
    return np.logical_and.reduce([_missing(column) for _, column in columns_of(X)])


def floats(column, dtype=np.float64):
    """A column of numbers or bools as floats (n,), NaN where a value is missing."""
    native = column.to_native()
    if hasattr(native, "iloc"):
        return native.to_numpy(dtype=dtype, na_value=np.nan)
    if column.implementation.is_polars() and column.dtype.is_numeric():
        return native.cast(float).to_numpy().astype(dtype, copy=False)
    decimal = column.dtype.is_decimal()  # Arrow rounds them in another way than Python
    if column.implementation.is_pyarrow() and column.dtype.is_numeric() and not decimal:
        return native.cast("double", safe=False).to_numpy().astype(dtype, copy=False)
    return np.array([np.nan if v is None else v for v in column.to_list()], dtype=dtype)


def _holds_categories(name, column):
    """Whether a column is one of categories, not of numbers; raise where it is neither."""
    dtype = column.dtype
    if dtype.is_numeric() or dtype == nw.Boolean:
        return False
    if dtype in _CATEGORIES or isinstance(dtype, nw.Enum):
        return True
    if dtype in (nw.Object, nw.Unknown):  # the latter: sparse columns of numbers, and others
        values = np.asarray(column.to_native())
        if values.dtype.kind in "biuf":
            return False
        types = set(map(type, values[~_missing(column)]))
        if all(issubclass(t, (str, Real, Decimal, np.bool_)) for t in types):
            return any(issubclass(t, str) for t in types)
    held = getattr(column.to_native(), "dtype", dtype)
    raise ValueError(
        f"Column {name!r} of X holds {held}: a column has to hold numbers, bools, strings or "
        "categories, so pass numbers made from it, such as the year of a date."
    )


def _as_numbers(name, column, dtype):
    """A column as floats (n,), NaN where a value is missing."""
    _holds_categories(name, column)  # dates would become numbers
    try:
        return floats(column, dtype)
    except OverflowError:
        raise ValueError(
            f"Column {name!r} of X holds an integer beyond the range of float64: divide it first, "
            "or pass it as a string."
        ) from None
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Column {name!r} of X held numbers in fit, and does not now ({error}): pass numbers, "
            "or fit again."
        ) from None


def _label(value):
    """A category as a string: 1 and 1.0, of an int and a float column, are the same."""
    if value is None or value != value:
        return None
    if isinstance(value, Real) and not isinstance(value, (bool, Integral)):
        value = int(value) if float(value).is_integer() else value
    return str(value)


def _as_labels(column):
    """A column as strings (n,), None where a value is missing."""
    if hasattr(column.to_native(), "factorize"):
        codes, values = column.to_native().factorize()  # -1 where missing
        return np.array([*map(_label, values), None], dtype=object)[codes]
    values = column.to_list()
    labels = {value: _label(value) for value in set(values)}
    return np.array([labels[value] for value in values], dtype=object)


class FrameColumns(BaseEstimator):
    """How a frame with categories and missing values becomes a matrix of floats.

    First come the numbers, with the median of the fit where one is missing, then for each
    column that had missing numbers in the fit a column of 0 and 1, which says where, and then
    a column for each category. It holds arrays alone, so that it can be saved without code.

    Attributes
    ----------
    is_category : bool ndarray of shape (n_features_in,)

    medians : ndarray of shape (n_numbers,)

    was_missing : int ndarray of shape (n_missing,)
        Which of the numbers had missing values.

    categories : list of ndarray of str, and of None for a missing one
        Those with a column of their own, of each column of categories.

    has_rare : list of bool
        Whether a last column stands for the other categories.

    features : int ndarray of shape (n_columns,)
        The feature that each column of the matrix is of; all columns that came from one
        column of the frame, or from one that was one-hot before, are one feature.
    """

    @property
    def n_columns(self):
        """Width of the matrix."""
        return len(self.features)

    @property
    def is_plain(self):
        """Whether the matrix has the columns of the frame."""
        return not self.is_category.any() and not len(self.was_missing)

    def fit(self, X):
        """Learn from a frame."""
        found = columns_of(X)
        for name, column in found:
            if _missing(column).all():
                raise ValueError(f"Column {name!r} of X has no value: leave it out.")
        self.is_category = np.array([_holds_categories(*pair) for pair in found], dtype=bool)
        numbers, labels = self._read(X)
        self.fit_numbers(numbers)
        self._fit_categories(labels)
        if not self.n_columns:
            raise ValueError(
                "X has columns of categories alone, and no category is in enough rows to tell "
                "them apart: pass other columns than names of single rows."
            )
        return self

    def fit_numbers(self, numbers):
        """Learn from the matrix (n, n_numbers) of a frame that has no categories."""
        if not hasattr(self, "is_category"):
            self.is_category = np.zeros(numbers.shape[1], dtype=bool)
        self.was_missing = np.empty(0, dtype=np.int64)
        self.categories, self.has_rare = [], []
        if not np.isnan(numbers).any():
            self.medians = np.median(numbers, axis=0)  # many times faster than the imputer
        else:
            imputer = SimpleImputer(strategy="median", add_indicator=True).fit(numbers)
            self.medians = imputer.statistics_
            self.was_missing = imputer.indicator_.features_.astype(np.int64)
        groups = one_hot_groups(numbers)
        groups = np.arange(numbers.shape[1]) if groups is None else groups
        self.features = np.concatenate([groups, groups[self.was_missing]])
        return self

    def column_names(self, names):
        """Names of the columns of the matrix, from those of the frame: (n_columns,)."""
        numbers = [name for name, other in zip(names, self.is_category) if not other]
        missing = [f"{numbers[j]}_missing" for j in self.was_missing]
        of_categories = []
        categories = [name for name, other in zip(names, self.is_category) if other]
        for name, kept, rare in zip(categories, self.categories, self.has_rare):
            of_categories += [f"{name}_{value}" for value in kept] + [f"{name}_rare"] * rare
        return np.array([*numbers, *missing, *of_categories], dtype=object)

    def _fit_categories(self, labels):
        if not labels.shape[1]:
            return
        encoder = OneHotEncoder(
            min_frequency=min(RARE_ROWS, int(np.ceil(RARE_SHARE * len(labels)))),
            max_categories=MOST_CATEGORIES,
            handle_unknown="infrequent_if_exist",
        ).fit(labels)
        for values, rare in zip(encoder.categories_, encoder.infrequent_categories_):
            rare = set() if rare is None else set(rare)
            # A missing one is a category of its own, however rare.
            kept = [v for v in values if v is None or v not in rare]
            self.categories.append(np.array(kept, dtype=object))
            # Where no category is kept the column is constant, and is left out.
            self.has_rare.append(bool(kept) and len(kept) < len(values))
        widths = [len(kept) + more for kept, more in zip(self.categories, self.has_rare)]
        first = self.features.max(initial=-1) + 1
        of_categories = np.repeat(np.arange(len(widths)), widths)
        self.features = np.unique(
            np.concatenate([self.features, first + of_categories]), return_inverse=True
        )[1]

    def _read(self, X):
        """The columns of numbers and of categories: float (n, .) and object (n, .)."""
        found = list(zip(columns_of(X), self.is_category))
        numbers = [pair for pair, is_category in found if not is_category]
        labels = [_as_labels(column) for (_, column), is_category in found if is_category]
        kinds = {column.dtype for _, column in numbers}
        dtype = np.float32 if kinds == {nw.Float32()} else np.float64
        numbers = [_as_numbers(*pair, dtype) for pair in numbers]
        return (
            np.column_stack(numbers) if numbers else np.empty((len(X), 0)),
            np.column_stack(labels) if labels else np.empty((len(X), 0), dtype=object),
        )

    def transform(self, X):
        """Matrix (n, n_columns) of a frame with the columns of the fit."""
        numbers, labels = self._read(X)
        if numbers.shape[1]:
            numbers = check_array(
                numbers,
                dtype=(np.float64, np.float32),
                ensure_all_finite="allow-nan",
                ensure_min_samples=0,
                input_name="X",
            )
        parts = [self.transform_numbers(numbers)]
        if any(map(len, self.categories)):
            parts += self._one_hot(labels, parts[0].dtype)
        return np.hstack(parts)

    def transform_numbers(self, numbers):
        """The columns (n, n_numbers + n_missing) that are made of the numbers."""
        missing = np.isnan(numbers)
        filled = np.where(missing, self.medians.astype(numbers.dtype), numbers)
        return np.hstack([filled, missing[:, self.was_missing].astype(numbers.dtype)])

    def _one_hot(self, labels, dtype):
        """For each column of categories its columns of 0 and 1; all 0 for an unknown one."""
        known = [j for j, kept in enumerate(self.categories) if len(kept)]
        categories = [self.categories[j] for j in known]
        encoder = OneHotEncoder(
            categories=categories, handle_unknown="ignore", sparse_output=False, dtype=dtype
        )
        encoder.fit(np.array([[kept[0] for kept in categories]], dtype=object))
        places = np.cumsum([len(kept) for kept in categories])[:-1]
        for j, part in zip(known, np.split(encoder.transform(labels[:, known]), places, axis=1)):
            yield part
            if self.has_rare[j]:
                yield 1 - part.sum(axis=1, keepdims=True)
