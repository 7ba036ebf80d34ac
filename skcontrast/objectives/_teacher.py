"""Distillation: a teacher's vectors of the rows, given as data, say where the rows should lie."""

from typing import Any

import torch
from torch import Tensor, nn

from skcontrast._component import Integral, Interval, Real
from skcontrast.functional import BlockSize, normalize, pair_loss, pair_sums, softmax_shares
from skcontrast.objectives._base import BuiltObjective, PairObjective, Temperature, anchor_index
from skcontrast.objectives._guide import guide_rows
from skcontrast.objectives._info_nce import same_sample


class TeacherSimilarity(PairObjective):
    r"""Match the similarities that a teacher finds between the rows of a batch.

    With unit rows z of all views, cosines s, and cosines :math:`\sigma` of the teacher's
    vectors,

    .. math::

        T_{ij} = \frac{e^{\sigma_{ij}/\tau_T}}{\sum_k e^{\sigma_{ik}/\tau_T}}, \qquad
        l_i = -\sum_j T_{ij} \Big( s_{ij}/\tau - \log \sum_k e^{s_{ik}/\tau} \Big)

    where j and k run over the rows of other samples. What a row is compared with is all that
    counts: the embedding may have any width, and any orientation.

    Parameters
    ----------
    temperature : float, str or component, default=0.1
        Temperature tau: a positive number or "learned". A rule that follows the positive
        pairs of two views is not defined here.

    teacher_temperature : float, default=0.1
        Temperature of the teacher's similarities: the smaller, the more its nearest rows
        count. Tune it before tau.

    block_size : int, "auto" or None, default="auto"
        Side of a tile of the similarity matrix; "auto" chooses by size, None takes all.

    See Also
    --------
    TeacherMatch : Match the teacher's vectors themselves.
    SoftTarget : The same between two views, with ``similarity="prior"``.

    Notes
    -----
    The teacher is data: ``fit(X, prior=teacher.transform(X_wide))``, where ``X_wide`` may have
    columns that X lacks. One view is enough, and with ``views=None, n_views=1`` it is the row
    itself. The least loss of an anchor is the entropy of T, which is not 0. A teacher that saw
    the labels of test rows hands them on.

    References
    ----------
    Park et al., "Relational knowledge distillation", CVPR 2019: distances between rows are
    taught, not the rows. The softmax of them is that of this package.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import TeacherSimilarity
    >>> views = torch.eye(4)[None]
    >>> teacher = torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]])
    >>> TeacherSimilarity()(views, prior=teacher).mean().round(decimals=4)
    tensor(1.0986)
    """

    requires = ("views", "prior")
    min_views = 1

    _parameter_constraints = {
        **PairObjective._parameter_constraints,
        "teacher_temperature": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        temperature: Temperature = 0.1,
        teacher_temperature: float = 0.1,
        block_size: BlockSize = "auto",
    ):
        self.temperature = temperature
        self.teacher_temperature = teacher_temperature
        self.block_size = block_size

    def loss(
        self,
        views: Tensor,
        prior: Tensor,
        temperature: nn.Module,
        index: Tensor | None = None,
        **named: Any,
    ) -> Tensor:
        """Loss of each anchor: views (V, n, d), prior (n, q) or (V, n, q) -> (V n,)."""
        z = normalize(views)
        n, flat = z.shape[1], z.flatten(0, 1)  # (V n, d)
        taught = guide_rows(z, "prior", prior).flatten(0, 1)  # (V n, q)
        tau = temperature(None, anchor_index(index, z))

        def others(rows, columns):
            return ~same_sample(rows, columns, n, z.device)

        options = {"block_size": self.block_size}
        shares = softmax_shares(taught, taught, self.teacher_temperature, others, **options)

        def weights(rows, columns):
            return shares(rows, columns), others(rows, columns)

        return pair_loss(flat, flat, weights, tau, **options)[0]


class _BuiltTeacherMatch(BuiltObjective):
    """With a linear map to the teacher's columns, and all the teacher's rows to draw from."""

    def __init__(self, objective, n_samples):
        super().__init__(objective, n_samples)
        self.head = None
        # Given anew in every fit, so no part of the state.
        self.register_buffer("teacher", None, persistent=False)

    def prepare(self, side, given, n_components=None):
        if self.objective.n_negatives:
            self.teacher = side["prior"]
        # No draw is spent on it: column for column, as without a map.
        self.head = nn.utils.skip_init(nn.Linear, n_components, side["prior"].shape[1], bias=False)
        nn.init.eye_(self.head.weight)

    def forward(self, views, **named):
        if self.teacher is not None:
            size = (self.objective.n_negatives,)
            drawn = torch.randint(len(self.teacher), size, device=self.teacher.device)
            named = {"queue": self.teacher[drawn], "queue_index": drawn, **named}
        return super().forward(views, head=self.head, **named)


class TeacherMatch(PairObjective):
    r"""Find the teacher's vector of a row among those of all rows, by a linear map of it.

    With the embedding h of all views, a linear map A that is trained along, unit vectors t of
    the teacher and r of further rows,

    .. math::

        l_i = -s(A h_i, t_i)/\tau + \log \Big( \sum_j e^{s(A h_i, t_j)/\tau}
              + \sum_r e^{s(A h_i, r)/\tau} \Big)

    with cosines s, over the rows j of the batch.

    Parameters
    ----------
    temperature : float, str or component, default=0.05
        Temperature tau: a positive number or "learned". A rule that follows the positive
        pairs of two views is not defined here.

    n_negatives : int, default=0
        Number of further rows, drawn in each step from the teacher's vectors of all training
        rows.

    block_size : int, "auto" or None, default="auto"
        Side of a tile of the similarity matrix; "auto" chooses by size, None takes all.

    See Also
    --------
    TeacherSimilarity : Match what the teacher finds alike, without a map.
    PredictionError : Predict the teacher's columns as numbers, given as y.

    Notes
    -----
    The teacher is data: ``fit(X, prior=teacher.transform(X))``. After a fit the map A is in the
    estimator's ``objective_weights_`` as ``head.weight`` (q, n_components); the embedding does
    not go through it. The published queue holds the teacher's rows of past batches; the rows
    drawn here are the same rows at any time, as the teacher does not change.

    Called on tensors there is no map: the first q columns of the embedding (of the views,
    where none is given) are compared with ``prior`` (n, q). ``queue`` (K, q) holds further
    vectors of the teacher.

    References
    ----------
    Gao et al., "DistilCSE: effective knowledge distillation for contrastive sentence
    embeddings", 2021.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import TeacherMatch
    >>> views = torch.eye(4)[None]
    >>> TeacherMatch(temperature=0.5)(views, prior=torch.eye(4)).mean().round(decimals=4)
    tensor(0.3408)
    """

    requires = ("views", "embedding", "prior")
    min_views = 1

    _module = _BuiltTeacherMatch

    _parameter_constraints = {
        **PairObjective._parameter_constraints,
        "n_negatives": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        temperature: Temperature = 0.05,
        n_negatives: int = 0,
        block_size: BlockSize = "auto",
    ):
        self.temperature = temperature
        self.n_negatives = n_negatives
        self.block_size = block_size

    def loss(
        self,
        views: Tensor,
        prior: Tensor,
        temperature: nn.Module,
        head: nn.Module | None = None,
        embedding: Tensor | None = None,
        queue: Tensor | None = None,
        queue_index: Tensor | None = None,
        index: Tensor | None = None,
        **named: Any,
    ) -> Tensor:
        """Loss of each anchor: embedding (V, n, h), prior (n, q) -> (V n,)."""
        h, q = views if embedding is None else embedding, prior.shape[1]
        if head is None and h.shape[2] < q:
            raise ValueError(
                f"prior has {q} columns and the embedding {h.shape[2]}: pass no more, or train "
                "through an estimator, which makes a linear map."
            )
        s = normalize(h[..., :q] if head is None else head(h)).flatten(0, 1)  # (V n, q)
        n_views, n = h.shape[:2]
        taught = normalize(prior.detach().to(s.dtype))  # (n, q)
        positive = (s * taught.repeat(n_views, 1)).sum(-1)
        tau = temperature(None, anchor_index(index, h))
        candidates, weights = taught, None
        if queue is not None:
            candidates = torch.cat([taught, normalize(queue.detach().to(s.dtype))])
        if queue_index is not None:
            anchors = anchor_index(index, h)
            number = torch.cat([anchors[:n], queue_index])

            def weights(rows, columns):
                in_batch = torch.arange(columns.start, columns.stop, device=s.device) < n
                return None, (anchors[rows, None] != number[columns]) | in_batch

        sums = pair_sums(s, candidates, weights, tau, block_size=self.block_size)
        return sums.log_partition - positive / tau
