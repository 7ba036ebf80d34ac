"""Names for the types of public signatures. Imports no torch, as rooms without it annotate too."""

from collections.abc import Iterable, Sequence
from os import PathLike
from typing import Any, TypeAlias, TypeVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike

# Data frames are array-like: they have ``__array__``.
MatrixLike: TypeAlias = ArrayLike | sp.spmatrix | sp.sparray
# Strings, or lists of tokens.
Documents: TypeAlias = Iterable[str | Sequence[str]]
# What an encoder reads: a table, or documents.
RowsLike: TypeAlias = MatrixLike | Documents
# Numbers that one is chosen from. Not ArrayLike, which takes a misspelt name too.
Grid: TypeAlias = Sequence[float] | np.ndarray
RandomState: TypeAlias = int | np.random.RandomState | None
Words: TypeAlias = list[str] | tuple[str, ...] | set[str] | frozenset[str]
FilePath: TypeAlias = str | PathLike[str]
# Anything with ``fit``: scikit-learn asks for methods, not for a class.
Estimator: TypeAlias = Any
# ``def fit(self: Self, X) -> Self``: unlike typing.Self, Jedi follows it into subclasses.
Self = TypeVar("Self", bound=Any)

__all__ = [
    "ArrayLike",
    "Documents",
    "Estimator",
    "FilePath",
    "Grid",
    "MatrixLike",
    "RandomState",
    "RowsLike",
    "Self",
    "Words",
]
