"""Negatives from clusters: far ones from the next cluster, near ones held at a distance."""

from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from skcontrast._clusters import cluster_means, find_centers, nearest_center
from skcontrast._component import Integral, Interval, Real, StrOptions
from skcontrast.functional import OFF_DIAGONAL, BlockSize, normalize, pair_sums
from skcontrast.objectives._base import BuiltByEpochs, PairObjective, Temperature, anchor_index
from skcontrast.objectives._info_nce import positive_similarity, same_sample


class _BuiltClusterNS(BuiltByEpochs):
    def __init__(self, objective, n_samples):
        super().__init__(objective, n_samples)
        self.register_buffer("cluster", torch.full((n_samples,), -1))
        self.centroids = None

    def renew(self, projection):
        """Find the clusters of all rows (n_samples, d), from those of the epoch before."""
        seed = int(torch.randint(2**31 - 1, ()))
        rows = normalize(projection.detach().cpu().double()).numpy()
        if not np.isfinite(rows).all():
            return  # the training stops at its next loss, and says why
        n_clusters = max(2, min(self.objective.n_clusters, len(rows) // 2))
        labels = self.cluster.cpu().numpy()
        start = cluster_means(rows, labels) if labels[0] >= 0 else None
        labels = nearest_center(rows, find_centers(rows, n_clusters, seed, start))
        self.cluster.copy_(torch.from_numpy(labels))
        centroids = torch.from_numpy(cluster_means(rows, labels)).to(projection)
        # Rows that are all alike have no second cluster.
        self.centroids = centroids if len(centroids) > 1 else None

    def forward(self, views, **named):
        if self.centroids is not None:
            named = {"centroids": self.centroids, **named}
        return super().forward(views, **named)


class ClusterNS(PairObjective):
    r"""InfoNCE with centroids as hard negatives, and clusters as likely false ones.

    With unit rows z, cosines s, the other view p(i) of anchor i, the cluster a(i) of its
    sample, the centroid h_j of the cluster second nearest to sample j, and the m
    candidates k that an anchor has,

    .. math::

        l_i = -s_{i,p(i)}/\tau + \log \Big( \sum_k e^{s_{ik}/\tau}
              + \sum_j e^{s(z_i, h_j)/\tau} \Big)
              + \frac{w}{m} \sum_{k: a(k) = a(i)} \big[ D_{ik} + \alpha \big]_+
              + \big[ -D_{ik} - \beta \big]_+

    with :math:`D_{ik} = s_{ik} - s_{i,p(i)}`, summed in the last term over the other samples
    of the anchor's cluster. They may be false negatives, and should lie between alpha and
    beta below the positive.

    Parameters
    ----------
    temperature : float, str or component, default=0.2
        Temperature tau: a positive number or "learned". The paper has 0.05.

    n_clusters : int, default=32
        Number of clusters; at most half the rows of the training data.

    alpha : float, default=0.2
        Least distance of a possible false negative below the positive.

    beta : float, default=0.5
        Largest such distance; above alpha.

    weight : float, default=0.01
        Weight w of the last term; the paper has 1e-5 to 1e-2.

    warm_up : int, default=5
        Epochs of InfoNCE before clusters are found.

    form : {"ntxent", "one_way"}, default="ntxent"
        "ntxent": every row of every view is an anchor, all other rows are candidates, and
        each centroid h_j counts once for each view; clusters are those of the samples'
        mean row. "one_way": only the first view's rows are anchors, and the second view's
        their candidates, as in the paper.

    block_size : int, "auto" or None, default="auto"
        Side of a tile of the similarity matrix; "auto" chooses by size, None takes all.

    Notes
    -----
    **A training of no more than** ``warm_up`` **epochs is** :class:`InfoNCE` **alone.** From
    then on k-means on the projections of all rows gives the centroids before each epoch,
    going on from the clusters of the epoch before; the published code moves centroids a
    little in each batch. The clusters are kept by row number, in
    ``objective_weights_["cluster"]``, so ``partial_fit`` and ``warm_start`` need the same rows
    again. With ``early_stopping=True`` type ``warm_up=0``, as losses before and after the
    first clusters cannot be compared.

    The published margin term is a mean over all pairs, in which those outside a cluster
    count alpha each: a constant, left out here. Its gradient is the same.

    Called on tensors, ``centroids`` (K, d) may be given; without them the loss is InfoNCE.

    References
    ----------
    Deng et al., "Clustering-aware negative sampling for unsupervised sentence
    representation", Findings of ACL 2023.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import ClusterNS
    >>> views = torch.eye(4).expand(2, 4, 4)
    >>> objective = ClusterNS(temperature=0.5, weight=0.1)
    >>> objective(views).mean().round(decimals=4)
    tensor(0.5944)
    >>> centroids = torch.tensor([[1.0, 0.5, 0.0, 0.0], [0.0, 0.0, 1.0, 0.5]])
    >>> objective(views, centroids=centroids).mean().round(decimals=4)
    tensor(1.5243)
    """

    _module = _BuiltClusterNS

    _parameter_constraints = {
        **PairObjective._parameter_constraints,
        "n_clusters": [Interval(Integral, 2, None, closed="left")],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "beta": [Interval(Real, 0, None, closed="left")],
        "weight": [Interval(Real, 0, None, closed="left")],
        "warm_up": [Interval(Integral, 0, None, closed="left")],
        "form": [StrOptions({"ntxent", "one_way"})],
    }

    def __init__(
        self,
        temperature: Temperature = 0.2,
        n_clusters: int = 32,
        alpha: float = 0.2,
        beta: float = 0.5,
        weight: float = 0.01,
        warm_up: int = 5,
        form: Literal["ntxent", "one_way"] = "ntxent",
        block_size: BlockSize = "auto",
    ):
        self.temperature = temperature
        self.n_clusters = n_clusters
        self.alpha = alpha
        self.beta = beta
        self.weight = weight
        self.warm_up = warm_up
        self.form = form
        self.block_size = block_size

    def build(self, n_samples: int) -> nn.Module:
        if self.beta < self.alpha:
            raise ValueError(
                f"ClusterNS: alpha={self.alpha} is above beta={self.beta}: type a smaller alpha "
                "or a larger beta."
            )
        return super().build(n_samples)

    def loss(
        self,
        views: Tensor,
        temperature: nn.Module,
        centroids: Tensor | None = None,
        index: Tensor | None = None,
        **named: Any,
    ) -> Tensor:
        """Loss of each anchor: views (V, n, d) -> (V n,), or (n,) one-way."""
        z = normalize(views)
        n, one_way = z.shape[1], self.form == "one_way"
        if one_way:
            anchors, candidates, middle = z[0], z[1], z[0]
            positive = (anchors * candidates).sum(-1)
        else:
            anchors = candidates = z.flatten(0, 1)
            positive, middle = positive_similarity(z), z.mean(0)
        tau = temperature(positive.detach(), anchor_index(index, z)[: len(anchors)])
        every = None if one_way else lambda r, c: (None, OFF_DIAGONAL)
        sums = pair_sums(anchors, candidates, every, tau, block_size=self.block_size)
        partition = sums.log_partition
        if centroids is None:
            return partition - positive / tau
        if centroids.ndim != 2 or len(centroids) < 2:
            raise ValueError(
                "ClusterNS needs at least 2 centroids, as one is the hard negative of the other, "
                f"got a tensor of shape {tuple(centroids.shape)}: pass one of shape (K, d)."
            )
        centroids = normalize(centroids.detach().to(z.dtype))
        ranks = (middle.detach() @ centroids.T).topk(2).indices  # (n, 2): nearest and second
        # A centroid is there once for each candidate whose hard negative it is.
        count = z.new_zeros(len(centroids)).index_add_(0, ranks[:, 1], z.new_ones(n))
        count = count * (len(candidates) // n)

        def weights(rows, columns):
            return None, count[columns].expand(rows.stop - rows.start, -1)

        hard = pair_sums(anchors, centroids, weights, tau, block_size=self.block_size)
        partition = torch.logaddexp(partition, hard.log_partition)
        margins = self.margins(anchors, candidates, positive, ranks[:, 0])
        return partition - positive / tau + self.weight * margins

    def margins(
        self, anchors: Tensor, candidates: Tensor, positive: Tensor, cluster: Tensor
    ) -> Tensor:
        """Mean violation of the two margins within clusters, for each anchor: (a,).

        ``anchors`` (a, d) and ``candidates`` (m, d) are unit rows, ``positive`` (a,) the
        similarities of the positives, and ``cluster`` (n,) the clusters of the samples.
        """
        n = len(cluster)
        of_anchor = cluster.repeat(len(anchors) // n)
        of_candidate = cluster.repeat(len(candidates) // n)

        def violation(a, b):
            D = a[:, :-1] @ b[:, :-1].T - a[:, -1:]
            return torch.relu(D + self.alpha) + torch.relu(-D - self.beta)

        def weights(rows, columns):
            alike = of_anchor[rows, None] == of_candidate[columns]
            return alike & ~same_sample(rows, columns, n, cluster.device), None

        # The positive's similarity goes along as one more column.
        a = torch.cat([anchors, positive[:, None]], 1)
        b = torch.cat([candidates, torch.zeros_like(candidates[:, :1])], 1)
        sums = pair_sums(a, b, weights, similarity=violation, block_size=self.block_size)
        return sums.positive / len(candidates)
