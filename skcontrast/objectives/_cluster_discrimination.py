"""Clusters as labels: a row is of the few clusters that it is nearest to."""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from skcontrast._clusters import cluster_means, find_centers
from skcontrast._component import Integral, Interval, Real, StrOptions
from skcontrast._draws import initial_seed
from skcontrast.functional import (
    logsumexp,
    mine_negatives,
    normalize,
    softplus,
    squared_distance,
)
from skcontrast.objectives._base import BuiltByEpochs, Objective
from skcontrast.temperatures import TEMPERATURE_CONSTRAINTS, Temperature


class _BuiltClusterDiscrimination(BuiltByEpochs):
    """With a vector for each cluster, and the clusters of each row."""

    def __init__(self, objective, n_samples):
        super().__init__(objective, n_samples)
        wanted = objective.n_clusters
        wanted = n_samples // 20 if wanted == "auto" else wanted
        self.n_clusters = max(2, min(wanted, n_samples // 2))
        n_labels = min(objective.n_labels, self.n_clusters - 1)
        self.register_buffer("cluster", torch.zeros((n_samples, n_labels), dtype=torch.long))
        self.centers = self.space = None

    def prepare(self, side, given, n_components=None):
        self.space = side.get("prior") if self.objective.space == "prior" else None
        # A generator of its own: batches and views are those of a training without the term.
        generator = torch.Generator().manual_seed(initial_seed())
        shape = self.n_clusters, given["width"]
        self.centers = nn.Parameter(normalize(torch.randn(shape, generator=generator)))

    @torch.no_grad()
    def renew(self, projection):
        """Find the clusters of all rows, and move their vectors to where these rows lie."""
        spaces = projection if self.space is None else self.space, projection
        rows, placed = (normalize(x.detach().cpu().double()) for x in spaces)
        if not placed.isfinite().all():
            return  # the training stops at its next loss, and says why
        seed = int(torch.randint(2**31 - 1, ()))
        found = torch.from_numpy(find_centers(rows.numpy(), self.n_clusters, seed))
        nearness = lambda a, b: -squared_distance(a, b)
        label, _ = mine_negatives(rows, found, self.cluster.shape[1], similarity=nearness)
        label = torch.where(label < 0, label[:, :1], label)  # fewer clusters than labels
        means = torch.from_numpy(cluster_means(placed.numpy(), label[:, 0].numpy()))
        self.centers[label[:, 0].unique()] = normalize(means).to(self.centers)
        self.cluster.copy_(label)

    def forward(self, views, **named):
        if self.centers is not None:
            known = {"centers": self.centers, "cluster": self.cluster[named["index"]]}
            named = {**known, **named}
        return super().forward(views, **named)


class ClusterDiscrimination(Objective):
    r"""Tell the few clusters that a row is nearest to from the others.

    k-means on all rows makes K clusters, with vectors w that are trained along. With unit rows
    z, the nearest clusters P(i) of row i, a random share N of the clusters, and a margin m,

    .. math::

        l_i = \log \Big( 1 + \sum_{c \in P(i)} e^{-(z_i \cdot w_c - m)/\tau} \Big)
              + \log \Big( 1 + \sum_{c \in N \setminus P(i)} e^{(z_i \cdot w_c + m)/\tau} \Big)

    A row that lies between clusters is of all of them, and none of these is its negative.

    Parameters
    ----------
    temperature : float, str or component, default=0.1
        Temperature tau: a positive number or "learned".

    n_clusters : int or "auto", default="auto"
        Number K of clusters, at most half the rows of the training data; "auto" is a twentieth.

    n_labels : int, default=4
        Number of clusters that a row is of.

    margin : float, default=0.2
        The m that both sides have to reach.

    negative_share : float, default=0.5
        Share, in [0, 1], of the clusters that are negatives in a step. With 0 there are none,
        and all rows may become alike.

    space : {"projection", "prior"}, default="projection"
        Where clusters are found: where the rows lie, or the features given to ``fit`` as
        ``prior``, such as the embedding of a trained encoder.

    refresh_every : int, default=None
        Epochs after which clusters are found anew; None finds them once, before the first.

    See Also
    --------
    SwappedPrototypes : Clusters of equal size, found in each batch.
    SupCon : With labels of a clustering, contrast within it.

    Notes
    -----
    With ``refresh_every=None`` and ``space="projection"`` the clusters are those of the network
    at its start. They are kept by row number in ``objective_weights_["cluster"]``, so
    ``partial_fit`` and ``warm_start`` need the same rows again; the vectors are in
    ``objective_weights_["centers"]``.

    Called on tensors, ``centers`` (K, d) and ``cluster`` (n, l) of cluster numbers may be given.
    Without them the centers are the axes, and the clusters those nearest to a sample's mean row.

    References
    ----------
    An et al., "Multi-label cluster discrimination for visual representation learning", ECCV
    2024. The numbers of clusters and labels, margin and temperature are this package's.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import ClusterDiscrimination
    >>> views = torch.eye(4).expand(2, 4, 4)
    >>> objective = ClusterDiscrimination(0.5, n_labels=1, negative_share=1.0)
    >>> objective(views).mean().round(decimals=4)
    tensor(1.8842)
    """

    min_views = 1
    warm_up = 0

    _module = _BuiltClusterDiscrimination

    _parameter_constraints = {
        "temperature": TEMPERATURE_CONSTRAINTS,
        "n_clusters": [Interval(Integral, 2, None, closed="left"), StrOptions({"auto"})],
        "n_labels": [Interval(Integral, 1, None, closed="left")],
        "margin": [Interval(Real, None, None, closed="neither")],
        "negative_share": [Interval(Real, 0, 1, closed="both")],
        "space": [StrOptions({"projection", "prior"})],
        "refresh_every": [Interval(Integral, 1, None, closed="left"), None],
    }
    _shorthand = {"temperature": "skcontrast.temperatures:TEMPERATURES"}

    def __init__(
        self,
        temperature: Temperature = 0.1,
        n_clusters: int | Literal["auto"] = "auto",
        n_labels: int = 4,
        margin: float = 0.2,
        negative_share: float = 0.5,
        space: Literal["projection", "prior"] = "projection",
        refresh_every: int | None = None,
    ):
        self.temperature = temperature
        self.n_clusters = n_clusters
        self.n_labels = n_labels
        self.margin = margin
        self.negative_share = negative_share
        self.space = space
        self.refresh_every = refresh_every

    @property
    def requires(self) -> tuple[str, ...]:
        """Named tensors that the space needs."""
        return ("views", "prior") if self.space == "prior" else ("views",)

    def loss(
        self,
        views: Tensor,
        temperature: nn.Module,
        centers: Tensor | None = None,
        cluster: Tensor | None = None,
        index: Tensor | None = None,
        **named: Any,
    ) -> Tensor:
        """Loss of each anchor: views (V, n, d) -> (V n,)."""
        z = normalize(views)
        cosines = z if centers is None else z @ normalize(centers.to(z.dtype)).T  # (V, n, K)
        n_clusters = cosines.shape[2]
        if cluster is None:
            n_labels = max(1, min(self.n_labels, n_clusters - 1))
            cluster = cosines.detach().mean(0).topk(n_labels).indices
        own = torch.zeros_like(cosines[0], dtype=torch.bool).scatter(1, cluster, True)  # (n, K)
        tau = temperature(None, index)
        near = softplus(logsumexp((self.margin - cosines) / tau, own.expand_as(cosines)))
        n_drawn = round(self.negative_share * n_clusters)
        if not n_drawn:
            return near.flatten()
        drawn = torch.rand(n_clusters, device=z.device).topk(n_drawn).indices
        others = torch.zeros_like(own[0]).scatter(0, drawn, True) & ~own  # (n, K)
        far = logsumexp((self.margin + cosines) / tau, others.expand_as(cosines))
        # A row all of whose drawn clusters are its own has none of the second term.
        some = others.any(1)
        far = torch.where(some, softplus(torch.where(some, far, 0)), 0)
        return (near + far).flatten()
