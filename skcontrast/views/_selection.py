"""The part of a row that matters: what a selector of scikit-learn keeps of its features."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.base import clone

from skcontrast._component import HasMethods
from skcontrast._draws import initial_seed
from skcontrast._inputs.columns import one_line
from skcontrast._inputs.rows import CHUNK, Rows, SparseBatch
from skcontrast._inputs.several import TARGET_CONSTRAINTS, target_key
from skcontrast.views._base import View, with_values
from skcontrast.views._neighbors import read_rows


class FeatureSelection(View):
    r"""Set the features that a selector does not keep to 0, the mean.

    .. math:: x'_j = x_j [j \in S]

    where S is the support of the selector, fitted on standardised training rows. What matters of
    a row and the whole row are then views of each other, and what does not is learned to be left
    out.

    Parameters
    ----------
    selector : feature selector of scikit-learn
        Such as ``SelectKBest(k=10)``.

    target : str or None, default="y"
        "y": the selector reads labelled rows and their classes. Of several targets it is the name
        of one. None is for a selector that reads no y.

    Notes
    -----
    Nothing in it is random: it stands beside a clean first view, the default for tables, or
    beside another view. Standardised columns all vary alike, so that
    ``VarianceThreshold`` keeps them all.

    References
    ----------
    Wu et al., "Reducing distraction in long-context language models by focused learning", 2024:
    a text and the part of it that a retriever finds relevant.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.feature_selection import SelectKBest
    >>> from skcontrast._inputs.rows import table_rows
    >>> from skcontrast.views import FeatureSelection
    >>> X, y = np.array([[0.0, 3.0], [0.1, 1.0], [1.0, 1.0], [1.1, 3.0]]), np.array([0, 0, 1, 1])
    >>> rows = table_rows(X, {"target": y})
    >>> x = rows.take(rows.train_index)
    >>> FeatureSelection(SelectKBest(k=1)).build(rows)(x, rows.train_index).T
    tensor([[0.0000, 0.1000, 1.0000, 1.1000],
            [0.0000, 0.0000, 0.0000, 0.0000]])
    """

    _parameter_constraints = {
        "selector": [HasMethods(["fit", "get_support"])],
        "target": [*TARGET_CONSTRAINTS, None],
    }

    def __init__(self, selector: Any, target: str | None = "y"):
        self.selector = selector
        self.target = target

    @property
    def requires(self) -> tuple[str, ...]:
        """The target, where the selector reads one."""
        return ("target",) if self.target else ()

    def build(self, rows: Rows) -> Callable:
        index = rows.train_index
        y = None
        if self.target:
            y = rows.side[target_key(self)].cpu()[index.cpu()]
            index, y = index[(y >= 0).to(index.device)], y[y >= 0].numpy()
        if len(index) > CHUNK:
            chosen = torch.randperm(len(index))[:CHUNK].sort().values
            index, y = index[chosen.to(index.device)], None if y is None else y[chosen.numpy()]
        support = self._support(read_rows(rows, index, CHUNK), y)
        kept = torch.as_tensor(support, dtype=rows.dtype, device=rows.device)

        def select(x, index):
            if isinstance(x, SparseBatch):
                return with_values(x, x.values * kept[x.indices])
            return x * kept

        return select

    def _support(self, X, y):
        """What the selector keeps of the columns, with draws of its own where it makes some."""
        said = one_line(self)
        if y is not None and not len(y):
            raise ValueError(f"{said} reads labelled rows, and y has none: type target=None.")
        # A selector without a random_state, or a score of it, draws from NumPy's global generator.
        state = np.random.get_state()  # noqa: NPY002
        np.random.seed(initial_seed() % 2**32)  # noqa: NPY002
        try:
            support = np.asarray(clone(self.selector).fit(X, y).get_support())
        except (TypeError, ValueError) as error:
            reason = str(error).partition("\n")[0].rstrip(".:")
            raise ValueError(
                f"{said} does not read these rows, which are standardised ({reason}): pass another "
                "selector, such as SelectKBest(k=10)."
            ) from error
        finally:
            np.random.set_state(state)  # noqa: NPY002
        if not support.any():
            raise ValueError(f"{said} keeps no column: pass one that does, as SelectKBest(k=10).")
        return support
