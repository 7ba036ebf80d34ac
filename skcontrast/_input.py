"""What a user hands over as X, checked once and in the form that the data path reads."""

from contextlib import contextmanager

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import validate_data

from skcontrast._rows import CHUNK


def check_rows(estimator, X, *, reset):
    """Check X and return it as a float array, a CSR matrix or the memory map it was.

    Parameters
    ----------
    estimator : estimator
        Its ``n_features_in_`` is set or compared.

    X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, n_features)

    reset : bool
        True in ``fit``, where two rows are the least.

    Returns
    -------
    X : ndarray, np.memmap or CSR of shape (n_samples, n_features)
    """
    if torch.is_tensor(X):
        X = X.detach().cpu()
        X = (X.float() if X.dtype == torch.bfloat16 else X).numpy()
    if isinstance(X, np.memmap) and X.ndim == 2 and X.dtype.kind in "fiub":
        return _check_memmap(estimator, X, reset)
    return validate_data(
        estimator,
        X,
        accept_sparse="csr",
        dtype=(np.float64, np.float32),
        reset=reset,
        ensure_min_samples=2 if reset else 1,
    )


@contextmanager
def columns_kept_on_error(estimator):
    """Put back what :func:`check_rows` wrote when a fit fails: the earlier fit stays whole."""
    names = ("n_features_in_", "feature_names_in_")
    before = {name: vars(estimator)[name] for name in names if name in vars(estimator)}
    try:
        yield
    except BaseException:
        for name in names:
            vars(estimator).pop(name, None)
        vars(estimator).update(before)
        raise


def _check_memmap(estimator, X, reset):
    """Check in blocks: ``validate_data`` copies the whole map to change its type."""
    validate_data(estimator, X, reset=reset, skip_check_array=True)
    least = 2 if reset else 1
    if len(X) < least or X.shape[1] < 1:
        raise ValueError(
            f"Found array with shape={X.shape}, while {least} sample(s) and 1 feature are required."
        )
    for start in range(0, len(X), CHUNK):
        if not np.isfinite(X[start : start + CHUNK]).all():
            raise ValueError(f"Input X contains NaN or infinity, in a row from {start} on.")
    return X


def column_scales(X, standardize):
    """Mean and scale of the columns; for sparse X one scale and no centring.

    Parameters
    ----------
    X : ndarray, np.memmap or CSR of shape (n_samples, n_features)

    standardize : bool
        False gives (None, None).

    Returns
    -------
    mean : ndarray of shape (n_features,) or None

    scale : ndarray of shape (n_features,) or None
    """
    if not standardize:
        return None, None
    if sp.issparse(X):
        # Rows get a root mean square length of 1; centring would fill the zeros.
        rms = np.sqrt(X.multiply(X).sum() / X.shape[0])
        return None, np.full(X.shape[1], rms if 0 < rms < np.inf else 1.0)
    scaler = StandardScaler()
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, X.shape[0], CHUNK):
            scaler.partial_fit(np.asarray(X[start : start + CHUNK], dtype=np.float64))
    if not (np.isfinite(scaler.mean_).all() and np.isfinite(scaler.scale_).all()):
        raise ValueError(
            "The columns of X cannot be standardised, their values overflow float64: "
            "divide X by a constant first."
        )
    return scaler.mean_, scaler.scale_
