"""Batches of rows that lie near each other."""

from collections.abc import Iterable
from typing import Literal

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from skcontrast._clusters import find_centers, nearest_center
from skcontrast._component import Integral, Interval, Real, StrOptions
from skcontrast._inputs.rows import CHUNK, Rows
from skcontrast.samplers._batches import Sampler, UniformBatches, split_batches

# Training rows that clusters are found from; the others are given to them.
MAX_CLUSTERED = 50_000


class Clustered(Sampler):
    r"""Batches in which a share of the rows lie near each other, every row once an epoch.

    k-means splits the training rows into clusters. In each epoch a random share of the rows
    is laid out cluster after cluster, and each batch takes its share of neighbours from
    there and the rest from all over,

    .. math:: B = B_{near} \cup B_{random}, \qquad |B_{near}| \approx \mathrm{share} \, |B|

    so that the negatives of a row are hard ones. With ``share=0`` it is :class:`Uniform`.

    Parameters
    ----------
    n_clusters : int, default=None
        Number of clusters; None makes as many as an epoch has batches.

    share : float, default=0.5
        Share, in [0, 1], of a batch that comes from one cluster, or from a few where clusters
        are smaller.

    space : {"features", "prior"}, default="features"
        What rows are near in: the columns of X, standardised as for the encoder, or the
        features given to ``fit`` as ``prior``, such as the embedding of an encoder that was
        trained before.

    Notes
    -----
    Embeddings of all earlier stages as ``prior`` and ``share=1.0`` make multistage training:
    what was learnt already cannot tell the rows of a batch apart.

    References
    ----------
    Zhang et al., "Learning the unlearned: mitigating feature suppression in contrastive
    learning", ECCV 2024.

    Examples
    --------
    >>> from skcontrast import ContrastiveEncoder
    >>> from skcontrast.samplers import Clustered
    >>> encoder = ContrastiveEncoder(sampler=Clustered(share=0.8))
    >>> encoder.set_params(sampler__n_clusters=20).sampler
    Clustered(n_clusters=20, share=0.8)
    """

    _parameter_constraints = {
        "n_clusters": [Interval(Integral, 1, None, closed="left"), None],
        "share": [Interval(Real, 0, 1, closed="both")],
        "space": [StrOptions({"features", "prior"})],
    }

    def __init__(
        self,
        n_clusters: int | None = None,
        share: float = 0.5,
        space: Literal["features", "prior"] = "features",
    ):
        self.n_clusters = n_clusters
        self.share = share
        self.space = space

    @property
    def requires(self) -> tuple[str, ...]:
        """Side information that the space needs."""
        return ("prior",) if self.space == "prior" else ()

    @property
    def reads(self) -> frozenset[str]:
        """Kinds of rows whose features can be compared."""
        return frozenset({"any" if self.space == "prior" else "numbers"})

    def build(self, rows: Rows, batch_size: int, min_rows: int) -> Iterable[Tensor]:
        batches = _ClusteredBatches(rows.train_index, self.share, batch_size, min_rows)
        n_clusters = len(batches) if self.n_clusters is None else self.n_clusters
        seed = int(torch.randint(2**31 - 1, ()))
        batches.set_clusters(self._clusters(rows, n_clusters, seed))
        return batches

    def _clusters(self, rows, n_clusters, seed):
        """Cluster of each training row: int64 (n,)."""
        index = rows.train_index
        if n_clusters == 1 or not self.share:
            return np.zeros(len(index), dtype=np.int64)

        def read(part):
            if self.space == "prior":
                return rows.side["prior"][part.to(rows.device)].cpu().double().numpy()
            return to_matrix(rows.take(part))

        sample = index
        if len(index) > MAX_CLUSTERED:
            chosen = torch.randperm(len(index), device=index.device)[:MAX_CLUSTERED]
            sample = index[chosen.sort().values]
        centers = find_centers(read(sample), n_clusters, seed)
        return np.concatenate([nearest_center(read(part), centers) for part in index.split(CHUNK)])


class _ClusteredBatches(UniformBatches):
    def __init__(self, index, share, batch_size, min_rows):
        super().__init__(index, batch_size, min_rows)
        n, device = len(index), index.device
        self.n_near = round(share * n)
        sizes = [len(b) for b in split_batches(torch.arange(n), self.batch_size, min_rows)]
        ends = np.cumsum(sizes)
        # How many near rows the batches have: the share of their rows, rounded up or down.
        n_near = np.diff(ends * self.n_near // n, prepend=0)
        place = np.arange(n) - np.repeat(ends - sizes, sizes)
        near = place < np.repeat(n_near, sizes)
        # Entries of an epoch that near rows take, then those for the others.
        self.entry = torch.as_tensor(np.argsort(~near, kind="stable"), device=device)

    def set_clusters(self, cluster):
        """Keep the cluster of each row (n,)."""
        self.n_clusters = int(cluster.max()) + 1
        self.cluster = torch.as_tensor(cluster, device=self.index.device)

    def __iter__(self):
        n, device = len(self.index), self.index.device
        shuffled = torch.randperm(n, device=device)
        near = shuffled[: self.n_near]
        # Clusters in random order, their rows too.
        turn = torch.randperm(self.n_clusters, device=device)[self.cluster[near]]
        near = near[turn.argsort(stable=True)]
        order = torch.empty_like(shuffled)
        order[self.entry] = torch.cat([near, shuffled[self.n_near :]])
        batches = split_batches(self.index[order], self.batch_size, self.min_rows)
        # Or the batches of a large cluster would follow each other. The last one is smaller.
        for i in torch.randperm(len(batches) - 1).tolist():
            yield batches[i]
        yield batches[-1]


def to_matrix(batch):
    """The batch in float64 on the host: ndarray or CSR."""
    if torch.is_tensor(batch):
        return batch.cpu().double().numpy()
    indptr = np.append(batch.offsets.cpu().numpy(), len(batch.indices))
    entries = batch.values.double().cpu().numpy(), batch.indices.cpu().numpy(), indptr
    return sp.csr_matrix(entries, shape=batch.shape)
