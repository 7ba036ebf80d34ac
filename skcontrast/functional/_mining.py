"""Hard negatives: the nearest candidates that are not too near to be true."""

import math
from typing import Literal

import torch
from torch import Tensor

from skcontrast.functional._pairs import tile_side
from skcontrast.functional._rows import BlockSize, Pairs, Similarity, dot, slices

# What a ceiling is measured from.
CEILINGS = ("absolute", "fixed", "relative")


def score_ceiling(
    positive: Tensor,
    margin: float = 0.05,
    rule: Literal["relative", "absolute", "fixed"] = "relative",
) -> Tensor:
    r"""Highest score at which a candidate still counts as a negative (NV-Retriever).

    With p the score of an anchor's positive and m the margin,

    .. math::

        c = p - m |p| \;\text{("relative")}, \qquad c = p - m \;\text{("absolute")}, \qquad
        c = 1 - m \;\text{("fixed")}

    For p > 0 the first is the share 1 - m of the positive score (TopK-PercPos, which for
    p < 0 lies above p: here it never does); the others are TopK-MarginPos and TopK-Abs.

    Parameters
    ----------
    positive : tensor of shape (n,)
        Score of each anchor's positive; of several, take the lowest.

    margin : float, default=0.05

    rule : {"relative", "absolute", "fixed"}, default="relative"

    Returns
    -------
    ceiling : tensor of shape (n,)

    References
    ----------
    Moreira et al., "NV-Retriever: improving text embedding models with effective
    hard-negative mining", 2024.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.functional import score_ceiling
    >>> score_ceiling(torch.tensor([0.8, -0.4]), margin=0.5)
    tensor([ 0.4000, -0.6000])
    """
    if rule == "relative":
        return positive - margin * positive.abs()
    return positive - margin if rule == "absolute" else torch.full_like(positive, 1 - margin)


@torch.no_grad()
def mine_negatives(
    anchors: Tensor,
    candidates: Tensor,
    n_negatives: int,
    *,
    keep: Pairs | None = None,
    ceiling: Tensor | None = None,
    skip: int = 0,
    similarity: Similarity = dot,
    block_size: BlockSize = "auto",
) -> tuple[Tensor, Tensor]:
    r"""Find the highest scoring candidates of each anchor that lie under a ceiling.

    .. math:: N(i) = \mathrm{top}_k \{ j : \mathrm{keep}_{ij}, \; s_{ij} \le c_i \}

    Parameters
    ----------
    anchors, candidates : tensors of shape (n, d) and (m, d)

    n_negatives : int
        Number k of negatives of an anchor.

    keep : callable, default=None
        ``keep(rows, columns)`` gives the bool tensor of pairs that may be chosen: an
        anchor's positives have to be left out by it. None allows all.

    ceiling : tensor of shape (n,), default=None
        Highest score c of a negative; see :func:`score_ceiling`.

    skip : int, default=0
        Number of the nearest candidates under the ceiling that are left out.

    similarity : callable, default=dot

    block_size : int, "auto" or None, default="auto"
        Side of a tile of the similarity matrix; memory is O(n k + block_size^2).

    Returns
    -------
    index : int64 tensor of shape (n, n_negatives)
        By falling score; -1 where no candidate is left, never one over the ceiling.

    score : tensor of shape (n, n_negatives)
        -inf where no candidate is left.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.functional import mine_negatives
    >>> anchors = torch.tensor([[1.0, 0.0]])
    >>> candidates = torch.tensor([[0.9, 0.1], [0.5, 0.5], [0.7, 0.3]])
    >>> mine_negatives(anchors, candidates, 3, ceiling=torch.tensor([0.8]))[0]
    tensor([[ 2,  1, -1]])
    """
    n, m = len(anchors), len(candidates)
    block_size = tile_side(anchors, candidates, block_size)
    k = n_negatives + skip
    indices, scores = [], []
    for rows in slices(n, block_size):
        best = anchors.new_full((rows.stop - rows.start, k), -math.inf)
        index = torch.full_like(best, -1, dtype=torch.long)
        for columns in slices(m, block_size):
            s = similarity(anchors[rows], candidates[columns])
            if keep is not None:
                s = s.masked_fill(~keep(rows, columns), -math.inf)
            if ceiling is not None:
                s = s.masked_fill(s > ceiling[rows, None], -math.inf)
            number = torch.arange(columns.start, columns.stop, device=s.device).expand_as(s)
            best, place = torch.cat([best, s], 1).topk(k, 1)
            index = torch.cat([index, number], 1).gather(1, place)
        # A place that no candidate took may hold the number of one that was masked.
        indices.append(index.masked_fill(best.isneginf(), -1)[:, skip:])
        scores.append(best[:, skip:])
    return torch.cat(indices), torch.cat(scores)
