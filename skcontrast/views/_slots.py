"""Views that belong together: one for each view of a row, and parts that make up the row."""

from collections.abc import Callable
from typing import Any

import torch

from skcontrast._inputs.rows import Rows
from skcontrast.views._base import Compose, View, build_slots, build_views, entries, with_values
from skcontrast.views._tabular import random_scores


class EachView(Compose):
    r"""A view of its own for each view of a row, in order.

    .. math:: x'^{(k)} = v_k(x)

    Rates, templates, or changes that grow: ``EachView((Dropout(0.05), Dropout(0.2)))``. With a
    clean first view, the default for tables, they are those of the others: as many as
    ``n_views - 1``, else as many as ``n_views``. The parameters of the members are reached by
    position, as in :class:`Compose`.

    Parameters
    ----------
    views : list or tuple, default=()
        For each view of a row a name, a component, a function, a list of these, or None for no
        change.

    References
    ----------
    Sedghamiz et al., "SupCL-Seq: supervised contrastive learning for downstream optimized
    sequence representations", Findings of EMNLP 2021: one rate of dropout for each view. Jian
    et al., "Contrastive learning for prompt-based few-shot language learners", NAACL 2022:
    templates.

    Examples
    --------
    >>> from skcontrast import ContrastiveEncoder
    >>> from skcontrast.views import Dropout, EachView
    >>> rates = EachView([Dropout(rate) for rate in (0.05, 0.1, 0.2)])
    >>> encoder = ContrastiveEncoder(objective="supcon", views=rates, n_views=4)
    >>> rates.get_params()["2__rate"]
    0.2
    """

    def __init__(self, views: list | tuple = ()):
        self.views = views

    def build(self, rows: Rows) -> Callable:
        # Where one view of a row is asked for: the last, which may be the strongest.
        return build_views(self.views[-1] if self.views else None, rows)

    def build_slots(self, rows: Rows, n: int, network: Any = None) -> list[Callable]:
        """Make the functions of ``n`` views of each row, one of each member."""
        if not len(self.views):
            raise ValueError("EachView holds no view: type a list with one for each changed view.")
        if len(self.views) != n:
            raise ValueError(
                f"EachView has {len(self.views)} views, and {n} views of each row are changed: "
                f"type {n} views, or n_views={len(self.views)} with clean_anchor=False, or "
                f"n_views={len(self.views) + 1} with clean_anchor=True."
            )
        return [build_slots(view, rows, 1, network)[0] for view in self.views]


class Parts(View):
    r"""Parts of a row that make it up: each feature is in exactly one of its views.

    With the number K of views that are changed, and each feature j of row i in one part
    :math:`k_{ij}`, all equally likely,

    .. math:: x'^{(k)}_{ij} = x_{ij} [k_{ij} = k], \qquad \sum_k x'^{(k)} = x

    With ``InfoNCE(compose="sum")`` and a clean first view, the embedding of a row is pulled to
    the sum of those of its parts. Of a document the parts are of its words. The columns of one
    feature, as the 0/1 columns of a category, are in one part.

    References
    ----------
    Chanchani and Huang, "Composition-contrastive learning for sentence embeddings", ACL 2023.

    Examples
    --------
    >>> from skcontrast import ContrastiveEncoder
    >>> from skcontrast.objectives import InfoNCE
    >>> encoder = ContrastiveEncoder(objective=InfoNCE(compose="sum"), views="parts", n_views=3)
    >>> import numpy as np
    >>> from skcontrast._inputs.rows import table_rows
    >>> from skcontrast.views import Parts
    >>> rows = table_rows(np.arange(12.0).reshape(3, 4))
    >>> x, index = rows.take(rows.train_index), rows.train_index
    >>> one, other = Parts().build_slots(rows, 2)
    >>> bool((one(x, index) + other(x, index) == x).all())
    True
    """

    reads = frozenset({"numbers", "tokens"})

    def build(self, rows: Rows) -> Callable:
        first, _ = self.build_slots(rows, 2)  # of two parts, where one view is asked for
        return first

    def build_slots(self, rows: Rows, n: int, network: Any = None) -> list[Callable]:
        """Make the functions of ``n`` parts of each row; the first draws for all of a batch."""
        drawn = {}

        def part(number):
            def keep(x, index):
                if number == 0:
                    features = rows.features if torch.is_tensor(x) else None
                    drawn["part"] = (n * random_scores(entries(x), features)).floor()
                return with_values(x, torch.where(drawn["part"] == number, entries(x), 0.0))

            return keep

        return [part(number) for number in range(n)]
