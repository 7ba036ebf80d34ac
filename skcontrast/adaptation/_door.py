"""The door of the adapters: rows as encoders read them, what stands beside, fits that end whole."""

import functools
from typing import TypeVar

import numpy as np
import scipy.sparse as sp

from skcontrast._inputs.base import NAMES
from skcontrast._inputs.side import group_codes, weights_of_rows
from skcontrast._inputs.table import TableInput

# Of entries, weights and targets: their squares, and those of these in a kernel, are finite.
LARGEST = 1e100
# Weights below this share of the largest are none.
LEAST_WEIGHT = 1e-12

Method = TypeVar("Method")


def whole(method: Method) -> Method:
    """Let a fit that fails, or is interrupted, leave what was fitted before, or nothing."""

    @functools.wraps(method)
    def fit(self, *args, **kwargs):
        before = dict(vars(self))
        try:
            return method(self, *args, **kwargs)
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            raise

    return fit


def check_size(values, name):
    """Raise where entries leave no room for their squares."""
    peak = np.abs(values).max(initial=0)
    if peak > LARGEST:
        raise ValueError(
            f"{name} has entries as large as {peak:.3g}, and entries up to {LARGEST:.0e} are "
            f"taken: divide {name} by a constant first."
        )


class ReadsRows:
    """Rows of numbers, by the same door as those of the encoders."""

    def _read_rows(self, X, reset):
        """Rows as a base is asked about them, and as numbers: float64 (n, d)."""
        if reset:
            self.input_ = TableInput(type(self).__name__, standardize=False)
            given = self.input_.fit_columns(X, n_least=1)
            for name in NAMES:
                vars(self).pop(name, None)
            vars(self).update({n: vars(self.input_)[n] for n in NAMES if n in vars(self.input_)})
        else:
            given = self._input().read(X)
        numbers = given.toarray() if sp.issparse(given) else given
        # What is kept of a fit is no view of what a user may write to later.
        numbers = np.array(numbers, dtype=np.float64, order="C", copy=reset or None)
        is_frame = hasattr(X, "columns") and hasattr(X, "shape")
        return (X if is_frame else given if sp.issparse(given) else numbers), numbers

    def _input(self):
        """What read the rows of the fit; folders saved by earlier versions hold its names alone."""
        if not hasattr(self, "input_"):
            source = TableInput(type(self).__name__, standardize=False)
            source.expansion_ = None
            vars(source).update({name: vars(self)[name] for name in NAMES if name in vars(self)})
            return source
        return self.input_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def check_weight(sample_weight, n_samples):
    """Weights (n,) of float64, or None."""
    if sample_weight is None:
        return None
    weight = weights_of_rows(sample_weight)
    if weight.shape != (n_samples,):
        raise ValueError(
            f"sample_weight.shape == {weight.shape}, expected {(n_samples,)}: pass one weight "
            "for each row of X."
        )
    if (weight < 0).any():
        raise ValueError("sample_weight must hold no negative number.")
    if not (weight > 0).any():
        raise ValueError("sample_weight holds zero weights only: at least one must be positive.")
    check_size(weight, "sample_weight")
    return np.where(weight > LEAST_WEIGHT * weight.max(), weight, 0)


def check_groups(groups, n_samples):
    """Groups of rows as codes (n,), or None."""
    if groups is None:
        return None
    codes = group_codes(groups)
    if len(codes) != n_samples:
        raise ValueError(
            f"groups has {len(codes)} rows, but X has {n_samples}: pass one entry of groups for "
            "each row of X."
        )
    return codes
