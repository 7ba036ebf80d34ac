"""DistributionContrast: rows of counts as distributions over words, rebuilt and contrasted."""

from itertools import permutations
from typing import Any

import torch
from torch import Tensor, nn

from skcontrast._component import Interval, Real
from skcontrast._draws import spare_draws
from skcontrast._inputs.rows import CHUNK, SparseBatch
from skcontrast.functional import BlockSize, jensen_shannon, mean_over, pair_loss
from skcontrast.networks import build_network
from skcontrast.objectives._base import PairObjective, Temperature
from skcontrast.objectives._prediction import BuiltPrediction

# Numbers of a tile: a pair costs as many as there are words.
TILE_ENTRIES = 2**22


class _BuiltDistribution(BuiltPrediction):
    """The objective with its decoder, which has a logit for each word."""

    def prepare(self, side, given, n_components=None):
        rows = given["rows"]
        if rows.kind != "numbers":
            raise ValueError(
                f"DistributionContrast reads columns of counts, and these rows are {rows.kind}: "
                "pass TfidfVectorizer().fit_transform(texts) to ContrastiveEncoder."
            )
        first = rows.take(rows.train_index[:CHUNK])
        values = first.values if rows.is_sparse else first
        if len(values) and bool((values < 0).any()):
            raise ValueError(
                "DistributionContrast reads counts, and rows hold negative numbers: pass "
                "scipy.sparse.csr_matrix(X), which is not centred, or type standardize=False."
            )
        with spare_draws():  # no draw is spent on it
            self.head, _ = build_network("linear", n_components, rows.n_features, "decoder")


class DistributionContrast(PairObjective):
    r"""Rows of counts as distributions over words, which views share and other rows do not.

    With the embedding h of a view, a linear decoder W, b that is trained along, the share
    :math:`x_{iw}` of word w in row i, and the Jensen-Shannon divergence JS in nats,

    .. math:: P^v_i = \mathrm{softmax}(W h^v_i + b), \qquad
        \mathrm{JS}(P, Q) = H\big(\tfrac{P + Q}{2}\big) - \tfrac12 H(P) - \tfrac12 H(Q)

    .. math::

        l_i = \frac{1}{V - 1} \sum_{u \ne v} \Big(
              \mathrm{JS}(P^v_i, P^u_i) / \tau
              + \log \sum_j e^{-\mathrm{JS}(P^v_i, P^u_j) / \tau} \Big)
              - \lambda \sum_w x_{iw} \log P^v_{iw}

    The last term alone is an autoencoder of bags of words, which spends itself on words that are
    frequent everywhere. A share of the distribution that all rows have cannot tell them apart, so
    that the contrast takes it away from such words.

    Parameters
    ----------
    temperature : float or component, default=0.1
        Temperature tau: a positive number or "learned". JS lies between 0 and 0.69.

    reconstruction : float, default=1.0
        Weight lambda of the autoencoder; 0 leaves columns of P without a word that they stand for.

    block_size : int, "auto" or None, default="auto"
        Side of a tile of the matrix of pairs, of which each costs as many numbers as there are
        words; "auto" chooses by their number, None takes all.

    Notes
    -----
    For counts, TF-IDF and other numbers that are not negative, sparse or with
    ``standardize=False``; views should leave words out: ``ContrastiveEncoder(objective=InfoNCE()
    + DistributionContrast(), views="mask")``. A step costs the square of the batch times the number
    of words: take some thousand words, and batches of 64. The paper's idea is that of
    contrasting distributions of masked views; the formula is this package's.

    ``rows`` are the batch. After a fit the decoder is in the estimator's ``objective_weights_`` as
    ``head...``. Called on tensors there is none: the first columns of the embedding, as many as
    there are words, are the logits.

    References
    ----------
    Ma et al., "A contrastive pre-training approach to learn discriminative autoencoder for dense
    retrieval", CIKM 2022.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import DistributionContrast
    >>> views = torch.tensor([[[4.0, 0.0], [0.0, 4.0]]]).expand(2, 2, 2)
    >>> DistributionContrast()(views, rows=torch.eye(2)).round(decimals=4)
    tensor([0.0206, 0.0206, 0.0206, 0.0206])
    """

    requires = ("views", "embedding", "rows")

    _module = _BuiltDistribution

    _parameter_constraints = {
        **PairObjective._parameter_constraints,
        "reconstruction": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        temperature: Temperature = 0.1,
        reconstruction: float = 1.0,
        block_size: BlockSize = "auto",
    ):
        self.temperature = temperature
        self.reconstruction = reconstruction
        self.block_size = block_size

    def loss(
        self,
        views: Tensor,
        rows: Tensor | SparseBatch,
        temperature: nn.Module,
        embedding: Tensor | None = None,
        head: nn.Module | None = None,
        **named: Any,
    ) -> Tensor:
        """Loss of each anchor: embedding (V, n, h), rows (n, p) -> (V n,)."""
        h = views if embedding is None else embedding
        if head is None:
            logits = h[..., : rows.shape[1]]
        else:
            logits = head(h.flatten(0, 1)).unflatten(0, h.shape[:2])
        log_p = logits.log_softmax(-1)  # (V, n, p)
        rebuilt = _cross_entropy(rows, log_p)
        return self._contrast(log_p.exp(), temperature(None, None)) + self.reconstruction * rebuilt

    def _contrast(self, p, tau):
        """Each view of a row found among the rows of another view: (V, n, p) -> (V n,)."""
        n_views, n, width = p.shape
        index = torch.arange(n, device=p.device)
        weights = lambda rows, columns: (index[rows, None] == index[columns], None)
        block = self.block_size
        block = max(1, int((TILE_ENTRIES / width) ** 0.5)) if block == "auto" else block
        options = {"similarity": lambda a, b: -jensen_shannon(a, b), "block_size": block}
        losses = [p.new_zeros(n) for _ in range(n_views)]
        for v, u in permutations(range(n_views), 2):
            losses[v] = losses[v] + mean_over(*pair_loss(p[v], p[u], weights, tau, **options))
        return torch.cat(losses) / (n_views - 1)


def _cross_entropy(rows, log_p):
    """Minus the mean log probability (V n,) of the words of rows (n, p), by their shares."""
    if not isinstance(rows, SparseBatch):
        shares = rows.clamp_min(0).to(log_p.dtype)
        total = shares.sum(1, keepdim=True)
        return -(shares / torch.where(total > 0, total, 1) * log_p).sum(2).flatten()
    row, values = rows.row_of_entry(), rows.values.to(log_p.dtype)
    total = values.new_zeros(len(rows)).index_add_(0, row, values)
    share = values / torch.where(total > 0, total, 1)[row]
    at_entries = log_p[:, row, rows.indices] * share  # (V, nnz)
    return -at_entries.new_zeros(log_p.shape[:2]).index_add_(1, row, at_entries).flatten()
