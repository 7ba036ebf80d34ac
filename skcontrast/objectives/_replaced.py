"""ReplacedFeatures: which features of a row were replaced, asked of the embedding."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from skcontrast._component import Component, Shorthand, StrOptions
from skcontrast._draws import spare_draws
from skcontrast._inputs.series import SeriesBatch
from skcontrast.functional import normalize
from skcontrast.networks import MLP, build_network
from skcontrast.objectives._base import Objective
from skcontrast.objectives._prediction import BuiltPrediction
from skcontrast.objectives._reconstruction import _values
from skcontrast.views import TEXT_VIEW_CONSTRAINTS, Corruption, SegmentSwap

# The views that "auto" stands for, by what a row is.
REPLACEMENTS = {"numbers": Corruption(0.3), "series": SegmentSwap(0.3)}


class _BuiltReplaced(BuiltPrediction):
    """The objective with its head, which has a logit for each feature."""

    def prepare(self, side, given, n_components=None):
        rows, objective = given["rows"], self.objective
        if rows.kind not in REPLACEMENTS:
            raise ValueError(
                "ReplacedFeatures finds what was replaced in rows of numbers and series, and these "
                f"rows are {rows.kind}: leave it out, or fit on dense features of them."
            )
        if rows.is_sparse:
            raise ValueError(
                "ReplacedFeatures reads dense rows, and X is sparse: pass "
                "TruncatedSVD(100).fit_transform(X), or leave it out."
            )
        self.register_buffer("features", rows.features, persistent=False)
        n_out = rows.n_features if rows.features is None else int(rows.features.max()) + 1
        n_in = n_components + rows.n_features * (objective.on == "whole")
        mlp = isinstance(objective.head, str) and objective.head == "mlp"
        # No draw is spent on it: all else is as in a training without the term.
        with spare_draws():
            head = MLP((128,)) if mlp else objective.head
            self.head, _ = build_network(head, n_in, n_out, "head")

    def forward(self, views, **named):
        return super().forward(views, features=getattr(self, "features", None), **named)


class ReplacedFeatures(Objective):
    r"""Find the features of a damaged row that were replaced: the embedding keeps differences.

    A view of this term alone, :math:`x'_i`, has some features of the row :math:`x_i` replaced,
    :math:`r_{ij} = 1` for these. With the embedding h, of unit length, and a head G that is
    trained along,

    .. math::

        f_i = G([x'_i, h(x_i)]) \quad \text{("whole")}, \qquad
        f_i = G(h(x'_i)) \quad \text{("corrupted")}

    .. math::

        l_i = -\frac1p \sum_j r_{ij} \log \sigma(f_{ij}) + (1 - r_{ij}) \log(1 - \sigma(f_{ij}))

    "whole" is DiffCSE: the head has the damaged row before it and asks the embedding of the whole
    one for what is missing, while the contrast beside it makes views alike: ``InfoNCE() + 0.05 *
    ReplacedFeatures()``. "corrupted" is the mask estimation of VIME, which only columns that tell
    of each other can answer. Of a series each step is a row, with its own embedding, and the
    features are the channels.

    Parameters
    ----------
    view : str, component, callable, list or "auto", default="auto"
        What makes x' for this term alone; the other terms never see it. "auto" is
        ``Corruption(0.3)`` of numbers and ``SegmentSwap(0.3)`` of series. ``Corruption(0.3,
        n_candidates=16)`` puts in values that fit the rest of the row, which are harder to find.

    on : {"whole", "corrupted"}, default="whole"
        The row whose embedding is asked.

    head : str or component, default="mlp"
        The network G: "mlp" has one hidden layer of 128, "linear" none; or an object of
        :mod:`skcontrast.networks`.

    Notes
    -----
    A value that was replaced by an equal one counts as unchanged. Columns of one feature, as the
    0/1 columns of a category, are one feature here too. A loss of the entropy of the rate is that
    of a head which knows nothing. Sparse rows are refused.

    DiffCSE replaces words by a language model's and weighs the loss by 0.005; a weight near 1
    lets it rule. The head starts at random, without a draw from the generator of the training.
    After a fit its weights are in the estimator's ``objective_weights_`` as ``head...``. Called on
    tensors there is none: the first columns of the embedding are the logits, and ``changed``
    (n, p) may say what was replaced.

    References
    ----------
    Chuang et al., "DiffCSE: difference-based contrastive learning for sentence embeddings", NAACL
    2022. Yoon et al., "VIME: extending the success of self- and semi-supervised learning to
    tabular domain", NeurIPS 2020.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import ReplacedFeatures
    >>> rows = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> inputs = [rows, torch.tensor([[1.0, 4.0], [3.0, 4.0]])]  # one value is another
    >>> logits = torch.tensor([[[-2.0, 2.0], [-2.0, -2.0]]])
    >>> ReplacedFeatures()(logits, rows=rows, inputs=inputs).round(decimals=4)
    tensor([0.1269, 0.1269])
    """

    requires = ("views", "embedding", "rows")
    min_views = 0

    _module = _BuiltReplaced

    _parameter_constraints = {
        "view": [*(c for c in TEXT_VIEW_CONSTRAINTS if c is not None), StrOptions({"auto"})],
        "on": [StrOptions({"whole", "corrupted"})],
        "head": [Shorthand("skcontrast.networks:NETWORKS", "network")],
    }
    _shorthand = {
        "view": "skcontrast.views:VIEWS_OF",
        "head": "skcontrast.networks:NETWORKS",
    }

    def __init__(
        self,
        view: str | Component | Callable | list | tuple | Literal["auto"] = "auto",
        on: Literal["whole", "corrupted"] = "whole",
        head: str | Component = "mlp",
    ):
        self.view = view
        self.on = on
        self.head = head

    @property
    def reads_whole(self) -> bool:
        """Whether the rows as they are stand before the view."""
        return self.on == "whole"

    def own_views(self, kind: str) -> dict[Objective, Any]:
        auto = isinstance(self.view, str) and self.view == "auto"
        return {self: REPLACEMENTS.get(kind, "corruption") if auto else self.view}

    def loss(
        self,
        views: Tensor,
        rows: Tensor | SeriesBatch,
        inputs: list | None = None,
        changed: Tensor | None = None,
        embedding: Tensor | None = None,
        steps: Tensor | None = None,
        step_mask: Tensor | None = None,
        head: nn.Module | None = None,
        features: Tensor | None = None,
        **named: Any,
    ) -> Tensor:
        """Loss of each row: embedding (V, n, h), rows (n, p) -> (n,).

        The first view is the whole row, the last the damaged one; of series steps (V, n, T, h).
        """
        z = steps if steps is not None else views if embedding is None else embedding
        h = z[0 if self.on == "whole" else -1]  # (n, ..., h)
        if changed is None:
            changed = _values(inputs[-1]) != _values(rows)  # (n, ..., p)
        replaced = changed.to(h.dtype)
        if head is None:
            logits = h[..., : replaced.shape[-1]]
        else:
            if self.on == "whole":
                h = torch.cat([_values(inputs[-1]).to(h.dtype), normalize(h)], -1)
            logits = head(h.flatten(0, -2)).unflatten(0, h.shape[:-1])
        if features is not None:
            none = torch.zeros_like(logits)
            replaced = none.index_add_(-1, features, replaced).clamp_max(1)
        loss = binary_cross_entropy_with_logits(logits, replaced, reduction="none")
        counts = torch.ones_like(loss, dtype=torch.bool)
        if step_mask is not None:
            counts = counts & step_mask[-1, ..., None]
        if isinstance(rows, SeriesBatch):
            counts = counts & (rows.mask > 0).mT
        loss = torch.where(counts, loss, 0).flatten(1).sum(1)
        return loss * len(loss) / counts.sum().clamp_min(1)
