"""Several blocks of the same rows: each read by an input of its own, with rows that lack some."""

from contextlib import contextmanager

import numpy as np
import scipy.sparse as sp
import torch

from skcontrast._arrays import refuse_masked
from skcontrast._component import StrOptions, take_rows
from skcontrast._inputs.absent import AbsentBlocks, is_there, masked, some_rows, spread
from skcontrast._inputs.base import Input, check_indices
from skcontrast._inputs.block_rows import BlockBatch, BlockRows, CheckedBlocks
from skcontrast._inputs.blocks import (
    Blocks,
    as_blocks,
    check_name,
    columns_of_blocks,
    is_texts,
)
from skcontrast._inputs.columns import first_line, untorched
from skcontrast._inputs.frame import check_names, is_frame
from skcontrast._inputs.table import TableInput
from skcontrast._inputs.text import TextInput

_FLOATS = (np.float64, np.float32)
# Most learned columns of a block by default, and fewest.
MOST_WIDTH, LEAST_WIDTH = 100, 64


class BlocksInput(AbsentBlocks, Input):
    """Several descriptions of the same rows.

    What :meth:`fit` and :meth:`read` give is a
    :class:`~skcontrast._inputs.block_rows.CheckedBlocks`.

    Parameters
    ----------
    owner : str, default="estimator"
        Class of the estimator, for messages.

    blocks : dict, list, "prefix" or None, default=None
        Which columns of a table are which block.

    standardize : bool, default=True
        Whether columns are centred and scaled, block by block.

    precision : {"float32", "bfloat16", "float64"}, default="float32"
        What values that are not scaled have to fit in.

    combine : {"concat", "mean", "sum"}, default="concat"
        How the embeddings of the blocks come out.

    Attributes
    ----------
    inputs_ : dict of str to Input
        What reads each block.

    columns_ : dict of str to int ndarray or int, or None
        Columns of a table that make a block, one number where they are texts; None where X
        came as blocks.

    ignored_columns_ : list
        Numbers or names of the columns of a table that are in no block.

    n_pairs_ : int ndarray of shape (n_blocks, n_blocks)
        Rows of the fit that have both of two blocks.
    """

    kind = "blocks"
    shares = {"learned": 0.3}
    _parameter_constraints: dict = {
        "owner": [str],
        "blocks": [dict, list, tuple, StrOptions({"prefix"}), None],
        "standardize": ["boolean"],
        "precision": [StrOptions({"float32", "bfloat16", "float64"})],
        "combine": [str],
    }

    def __init__(
        self,
        owner="estimator",
        blocks=None,
        standardize=True,
        precision="float32",
        combine="concat",
    ):
        self.combine = combine
        self.owner = owner
        self.blocks = blocks
        self.standardize = standardize
        self.precision = precision

    # ------------------------------------------------------------ what is known

    @property
    def names(self):
        """Names of the blocks, in order."""
        return tuple(self.inputs_)

    @property
    def layout(self):
        """Name, kind and width of each block."""
        return tuple((name, part.kind, part.n_features) for name, part in self.inputs_.items())

    @property
    def parts(self):
        """Columns, where some block has columns."""
        return ("columns",) if self.n_features else ()

    @property
    def choices(self):
        """What "auto" stands for; of views the estimator says it."""
        return {"network": "towers", "clean_anchor": False, "width": self.width}

    @property
    def n_features(self):
        """Columns of the table that the blocks of numbers make."""
        return sum(width for _, kind, width in self.layout if kind == "numbers")

    @property
    def width(self):
        """Width of the shared space where nobody says it: that of the second widest block."""
        if not hasattr(self, "inputs_"):
            return LEAST_WIDTH
        widths = sorted((width for _, _, width in self.layout), reverse=True)
        return int(np.clip(widths[1], LEAST_WIDTH, MOST_WIDTH))

    @property
    def mean_(self):
        """Mean of the columns of each block of dense numbers."""
        return {name: getattr(part, "mean_", None) for name, part in self.inputs_.items()}

    @property
    def scale_(self):
        """Scale of the columns of each block of numbers."""
        return {name: getattr(part, "scale_", None) for name, part in self.inputs_.items()}

    def get_feature_names_out(self, input_features=None):
        """Names of the columns of a table; of blocks as they came there are none in all."""
        if self.columns_ is None:
            raise ValueError(
                "input_features names the columns of one table, and fit read blocks by name: leave "
                "it out."
            )
        return super().get_feature_names_out(input_features)

    def column_names(self, names=None):
        """Names of the columns that blocks of numbers have, with that of the block."""
        found = []
        for name, part in self.inputs_.items():
            if part.kind != "numbers":
                continue
            own = part.get_feature_names_out() if self.columns_ is None else None
            if own is None:
                own = self.get_feature_names_out(names)[self.columns_[name]]
            found += [f"{name}__{column}" for column in part.column_names(own)]
        return found

    # ---------------------------------------------------------------- reading

    def fit(self, X, n_least=2):
        """Check the blocks of a fit, and learn their columns."""
        named, present = self._parted(X, True, n_least)
        if len(named) < 2:
            raise ValueError(
                f"X holds one block, {next(iter(named))!r}, and two or more are needed: add "
                "another, or use ContrastiveEncoder for a single table."
            )
        self.inputs_, checked = {}, {}
        for name, block in named.items():
            part = self._new_part(block)
            there = present[name]
            if there.sum() < n_least:
                raise ValueError(
                    f"Block {name!r} is there in {int(there.sum())} of {len(there)} rows, and "
                    f"{n_least} or more are needed: leave it out."
                )
            with _of_block(name):
                rows = part.fit(some_rows(block, there), n_least=n_least)
            self.inputs_[name], checked[name] = part, spread(rows, there, part)
        marks = np.array(list(present.values()))
        self.n_pairs_ = marks.astype(np.int64) @ marks.T.astype(np.int64)
        return self._checked_blocks(checked, marks)

    def read(self, X, n_least=1):
        """Check other rows against those of the fit; a block that is not there is absent."""
        named, present = self._parted(X, False, n_least)
        for name in named:
            check_name(name, self.inputs_, "X")
        n, checked, marks = len(next(iter(present.values()))), {}, []
        for name, part in self.inputs_.items():
            there = present.get(name, np.zeros(n, dtype=bool))
            marks.append(there)
            rows = None
            if there.any():
                with _of_block(name):
                    rows = part.read(some_rows(named[name], there))
            checked[name] = spread(rows, there, part)
        return self._checked_blocks(checked, np.array(marks))

    def read_block(self, X, name):
        """Check rows of one block, which all have it."""
        check_name(name, self.inputs_, "block=")
        if isinstance(X, Blocks):
            X = X[name]
        with _of_block(name):
            return self.inputs_[name].read(X)

    def rows(self, X, side=None, **options):
        """Rows of a training."""
        return BlockRows(X, self, side, **options)

    def batch(self, X, dtype, device):
        """One batch of checked blocks, as the encoder reads it."""
        made = {k: self.inputs_[k].batch(block, dtype, device) for k, block in X.blocks.items()}
        present = X.present if X.present is None else torch.as_tensor(X.present).to(device)
        return BlockBatch(made, present)

    def standardized(self, X):
        """All blocks of numbers side by side, each with as much variance; absent ones are 0."""
        parts, sizes = [], []
        for v, (name, part) in enumerate(self.inputs_.items()):
            if part.kind != "numbers":
                continue
            S = part.standardized(X.blocks[name])
            if X.present is not None and not X.present[v].all():
                S = masked(S, X.present[v])
            parts.append(S)
            # Sparse rows have a length of about one in all, dense columns one each.
            one = part.scale_ is not None and part.mean_ is None
            sizes.append(1 if one else part.n_features)
        factors = np.sqrt(np.mean(sizes) / np.array(sizes))
        scaled = [S * factor for S, factor in zip(parts, factors)]
        if any(map(sp.issparse, scaled)):
            return sp.csr_matrix(sp.hstack(scaled))
        return np.hstack(scaled)

    # ----------------------------------------------------------------- pieces

    def _new_part(self, block):
        if is_texts(block):
            return TextInput(self.owner)
        return TableInput(self.owner, self.standardize, self.precision)

    def _checked_blocks(self, checked, marks):
        lost = np.flatnonzero(~marks.any(axis=0))
        if len(lost):
            raise ValueError(
                f"Row {lost[0]} of X has no block at all, and {len(lost)} such rows in all: leave "
                "them out."
            )
        return CheckedBlocks(checked, None if marks.all() else marks, self.n_features)

    def _parted(self, X, reset, n_least):
        """Blocks by name as they came, and which rows have them."""
        X = as_blocks(X)
        if isinstance(X, Blocks):
            if reset and self.blocks is not None:
                raise ValueError(
                    f"blocks={self.blocks!r} says which columns of a table are which, and X is "
                    f"{X!r}, which has blocks: type blocks=None."
                )
            if len(X) < n_least:
                raise ValueError(
                    f"Found Blocks with {len(X)} sample(s) while a minimum of {n_least} is required"
                    f" by {self.owner}."
                )
            if reset:
                self.columns_ = None
            named, masks = {name: X[name] for name in X.names}, X.present
        else:
            if not reset and self.columns_ is None:
                raise ValueError(
                    f"X is a {type(X).__name__}, but fit read blocks by name "
                    f"({', '.join(map(repr, self.inputs_))}): pass Blocks, with some of these."
                )
            named, masks = self._of_table(X, reset, n_least), {}
        present = {name: is_there(block) for name, block in named.items()}
        for name, mask in masks.items():
            present[name] = present[name] & mask
        return named, present

    def _of_table(self, X, reset, n_least):
        """The blocks of one table."""
        X = self._table(untorched(X), reset, n_least)
        if reset:
            names = list(X.columns) if is_frame(X) else None
            self.columns_ = columns_of_blocks(self.blocks, X, names)
            taken = {j for c in self.columns_.values() for j in np.atleast_1d(c).tolist()}
            rest = [j for j in range(X.shape[1]) if j not in taken]
            self.ignored_columns_ = rest if names is None else [names[j] for j in rest]
        return {name: _columns(X, c, name) for name, c in self.columns_.items()}

    def _table(self, X, reset, n_least):
        """Check a table as a whole: names, number of columns, types."""
        if sp.issparse(X):
            check_indices(X)
        refuse_masked(X, "X")
        if is_frame(X):
            check_names(X)
        on_disk = isinstance(X, np.memmap) and X.ndim == 2 and X.dtype.kind in "fiub"
        if is_frame(X) or on_disk:
            self._validated(X, reset=reset, skip_check_array=True)
            if len(X) < n_least:
                raise ValueError(
                    f"Found array with {len(X)} sample(s) (shape={X.shape}) while a minimum of "
                    f"{n_least} is required by {self.owner}."
                )
            return X
        options = {"dtype": _FLOATS, "accept_sparse": "csr", "ensure_all_finite": "allow-nan"}
        try:
            return self._validated(X, reset=reset, ensure_min_samples=n_least, **options)
        except ValueError as error:
            if "could not convert string to float" not in str(error):
                raise
            raise ValueError(
                f"X holds strings ({first_line(error)}): pass Blocks(a=A, text=texts), or a "
                "DataFrame, in which blocks= names a column of texts by itself."
            ) from None


@contextmanager
def _of_block(name):
    """Say in an error which block it is about."""
    try:
        yield
    except (ValueError, TypeError) as error:
        said = first_line(error)
        if said.endswith("contains NaN."):
            said += (
                " A row lacks a block where all its values are NaN; fill in others, such as by "
                "SimpleImputer, or pass a DataFrame, whose columns may have holes."
            )
        raise type(error)(f"Block {name!r}: {said}") from error


def _columns(X, columns, name):
    """Some columns of a table, or the texts of one."""
    if isinstance(columns, int):
        if not is_frame(X):
            raise ValueError(
                f"blocks[{name!r}]={columns} is one column, which is read as texts, and X holds "
                f"numbers: type [{columns}]."
            )
        texts = list(take_rows(X, columns, axis=1))
        if not is_texts(texts):
            raise ValueError(
                f"blocks[{name!r}] is one column, which is read as texts, and it holds other "
                "values: type its name in a list for a column of numbers or categories."
            )
        return texts
    start, stop = columns[0], columns[-1] + 1
    if not is_frame(X) and np.array_equal(columns, np.arange(start, stop)):
        return X[:, start:stop]  # of a memory map, which stays on disk
    return take_rows(X, columns, axis=1)
