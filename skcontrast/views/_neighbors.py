"""Another row as the view: one of the nearest training rows."""

from collections.abc import Callable
from typing import Literal

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.neighbors import NearestNeighbors

from skcontrast._component import Integral, Interval, StrOptions
from skcontrast._inputs.rows import CHUNK, Rows
from skcontrast.views._base import View
from skcontrast.views._partners import farthest

# Candidates for rows of a stream, whose neighbours are sought anew in each epoch: among so many
# it takes a third of the time of a training step.
PASSING = 4096


def _to_numpy(batch, is_sparse):
    """The batch as float32 ndarray or CSR on the host."""
    if not is_sparse:
        return batch.float().cpu().numpy()
    indptr = np.append(batch.offsets.cpu().numpy(), len(batch.indices))
    entries = batch.values.float().cpu().numpy(), batch.indices.cpu().numpy(), indptr
    return sp.csr_matrix(entries, shape=batch.shape)


def read_rows(rows, index, chunk, space="features"):
    """Rows ``index`` as one matrix, read ``chunk`` rows at a time."""
    if space == "prior":
        return rows.side["prior"][index.to(rows.device)].float().cpu().numpy()
    parts = (_to_numpy(rows.take(part), rows.is_sparse) for part in index.split(chunk))
    if rows.is_sparse:
        return sp.vstack(list(parts), format="csr")
    out = np.empty((len(index), rows.n_features), dtype=np.float32)
    for start, part in zip(range(0, len(index), chunk), parts):
        out[start : start + chunk] = part
    return out


class Neighbors(View):
    r"""Replace each row by one of its nearest training rows.

    .. math:: x'_i = X_r, \qquad r \sim \mathrm{Uniform}(N_k(i))

    where :math:`N_k(i)` are the k training rows nearest to row i, never i itself, though
    it may be a duplicate of it. The graph is made once, from the standardised features,
    for all rows; held out rows are given training rows too.

    With ``n_steps=h`` above 1 the row is reached by as many random steps along the graph,

    .. math:: r_1 \sim \mathrm{Uniform}(N_k(i)), \quad
              r_{t+1} \sim \mathrm{Uniform}(N_k(r_t)), \quad r = r_h

    so that positives lie along the shape of the data, beyond the nearest; a walk that comes
    back to row i stays at its first step.

    In a composition this view comes first, as it discards what came before it.

    Parameters
    ----------
    n_neighbors : int, default=5
        Number k of neighbours to draw from; at most all other candidates.

    metric : {"auto", "euclidean", "manhattan", "cosine"}, default="auto"
        Distance; "auto" is "euclidean" on dense and "cosine" on sparse data.

    max_candidates : int, default=50_000
        With more training rows than these, neighbours are sought in a random sample of
        so many, which bounds time and memory. For rows of :class:`skcontrast.Batches` it is at
        most 4096 of those that are kept.

    n_steps : int, default=1
        Number h of steps along the graph.

    space : {"features", "prior"}, default="features"
        What rows are near in: the columns of X, standardised as for the encoder, or the
        features given to ``fit`` as ``prior``, such as the embedding of a trained encoder.

    hardest : int, default=None
        Of so many rows, drawn in this way, the one least like row i is taken, by the distance
        of their standardised features.

    See Also
    --------
    NeighborBands : Positives and negatives from ranges of ranks.

    References
    ----------
    Dwibedi et al., "With a little help from my friends: nearest-neighbor contrastive
    learning of visual representations", ICCV 2021. Wang et al., "Unsupervised representation
    learning by invariance propagation", NeurIPS 2020: positives reached by steps along the
    graph.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast._inputs.rows import Rows, table_rows
    >>> from skcontrast.views import Neighbors
    >>> rows = table_rows(np.array([[0.0], [1.0], [5.0], [7.0]]))
    >>> x = rows.take(rows.train_index)
    >>> Neighbors(n_neighbors=1).build(rows)(x, rows.train_index).T
    tensor([[1., 0., 7., 5.]])
    """

    _parameter_constraints = {
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "metric": [StrOptions({"auto", "euclidean", "manhattan", "cosine"})],
        "max_candidates": [Interval(Integral, 2, None, closed="left")],
        "n_steps": [Interval(Integral, 1, None, closed="left")],
        "space": [StrOptions({"features", "prior"})],
        "hardest": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        n_neighbors: int = 5,
        metric: Literal["auto", "euclidean", "manhattan", "cosine"] = "auto",
        max_candidates: int = 50_000,
        n_steps: int = 1,
        space: Literal["features", "prior"] = "features",
        hardest: int | None = None,
    ):
        self.n_neighbors = n_neighbors
        self.metric = metric
        self.max_candidates = max_candidates
        self.n_steps = n_steps
        self.space = space
        self.hardest = hardest

    @property
    def requires(self) -> tuple[str, ...]:
        """Side information that the space needs."""
        return ("prior",) if self.space == "prior" else ()

    @property
    def reads(self) -> frozenset[str]:
        """Kinds of rows whose features can be compared."""
        return frozenset({"any" if self.space == "prior" and not self.hardest else "numbers"})

    def build(self, rows: Rows) -> Callable:
        if rows.passing:
            near = self._search(rows)
        else:
            graph = rows.once(self._graph, rows)
            near = torch.as_tensor(graph, device=rows.index_device).__getitem__

        def step(index):
            found = near(index)  # (n, k)
            pick = torch.randint(found.shape[1], index.shape, device=found.device)
            return found.gather(1, pick[:, None])[:, 0]

        def draw(index):
            reached = first = step(index)
            for _ in range(self.n_steps - 1):
                reached = step(reached)
            return torch.where(reached == index, first, reached)

        def replace(x, index):
            index = index.to(rows.index_device)
            return farthest(rows, x, [draw(index) for _ in range(self.hardest or 1)])

        return replace

    def _candidates(self, rows):
        index = rows.train_index
        if len(index) < 2:
            raise ValueError(
                f"views='neighbors' needs at least 2 training rows, got {len(index)}: "
                "pass more rows or type views='corruption'."
            )
        most = min(self.max_candidates, PASSING) if rows.passing else self.max_candidates
        if len(index) > most:
            chosen = torch.randperm(len(index), device=index.device)[:most]
            # Sorted: a memory map is then read from front to back.
            index = index[chosen].sort().values
        return index

    def _search(self, rows):
        """A function that gives the numbers (m, k) of the neighbours of the rows ``index`` (m,)."""
        candidates = self._candidates(rows)
        k = min(self.n_neighbors, len(candidates) - 1)
        metric = self.metric
        if metric == "auto":
            metric = "cosine" if rows.is_sparse and self.space == "features" else "euclidean"
        search = NearestNeighbors(n_neighbors=k + 1, metric=metric)
        search.fit(read_rows(rows, candidates, self._chunk, self.space))
        number = candidates.cpu().numpy()

        def near(index):
            read = read_rows(rows, index, self._chunk, self.space)
            found = number[search.kneighbors(read, return_distance=False)]  # (m, k + 1)
            # Stable: the row itself goes last, wherever duplicates have put it, and the
            # others stay in order. Without it the farthest is left out.
            itself = found == index.cpu().numpy()[:, None]
            order = itself.argsort(axis=1, kind="stable")[:, :k]
            found = np.take_along_axis(found, order, axis=1)
            return torch.as_tensor(found, device=rows.index_device)

        return near

    @property
    def _chunk(self):
        """Rows that are read at a time."""
        return min(CHUNK, self.max_candidates)

    def _graph(self, rows):
        """Row numbers of the neighbours of every row: int64 (n_rows, k)."""
        near = self._search(rows)
        index = torch.arange(rows.n_rows, device=rows.index_device)
        return np.concatenate([near(part).cpu().numpy() for part in index.split(self._chunk)])
