"""The part of a row that matters: what a selector of scikit-learn keeps of its features."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch
from sklearn.base import clone

from skcontrast._component import HasMethods, StrOptions
from skcontrast._inputs.rows import CHUNK, Rows, SparseBatch
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

    target : {"y"}, default="y"
        "y": the selector reads labelled rows and their classes. None is for one that reads no y.

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
        "target": [StrOptions({"y"}), None],
    }

    def __init__(self, selector: Any, target: Literal["y"] | None = "y"):
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
            y = rows.side["target"].cpu()[index.cpu()]
            index, y = index[(y >= 0).to(index.device)], y[y >= 0].numpy()
        if len(index) > CHUNK:
            chosen = torch.randperm(len(index))[:CHUNK].sort().values
            index, y = index[chosen.to(index.device)], None if y is None else y[chosen.numpy()]
        selector = clone(self.selector).fit(read_rows(rows, index, CHUNK), y)
        support = np.asarray(selector.get_support())
        kept = torch.as_tensor(support, dtype=rows.dtype, device=rows.device)

        def select(x, index):
            if isinstance(x, SparseBatch):
                return with_values(x, x.values * kept[x.indices])
            return x * kept

        return select
