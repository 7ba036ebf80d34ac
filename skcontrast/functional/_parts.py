"""Scores of rows that are bags of parts."""

from typing import Literal

import torch
from torch import Tensor

# Below any cosine, and finite: a maximum over nothing has a gradient of zero, not NaN.
LOWEST = -1e4


def match_parts(
    queries: Tensor,
    documents: Tensor,
    in_query: Tensor,
    in_document: Tensor,
    pool: Literal["maxsim", "mean_maxsim", "lse"] = "mean_maxsim",
    beta: float = 10.0,
) -> Tensor:
    r"""Score each query against each document by the products of their parts.

    .. math::
        \sum_t \max_u q_t \cdot d_u \;\text{("maxsim")}, \qquad
        \frac{1}{\beta} \log \operatorname{mean}_{t,u} e^{\beta q_t \cdot d_u} \;\text{("lse")}

    and "mean_maxsim" is "maxsim" over the number of the query's parts.

    Parameters
    ----------
    queries : tensor of shape (m, T, d)
        Unit parts of m queries.

    documents : tensor of shape (n, U, d)
        Unit parts of n documents.

    in_query, in_document : bool tensors of shape (m, T) and (n, U)
        Which of them are there.

    pool : {"maxsim", "mean_maxsim", "lse"}, default="mean_maxsim"

    beta : float, default=10.0
        Sharpness of "lse".

    Returns
    -------
    scores : tensor of shape (m, n)
        Of a document without parts far below any other; of a query without, 0.
    """
    m, length, d = queries.shape
    products = queries.reshape(-1, d) @ documents.reshape(-1, d).T
    products = products.view(m, length, *in_document.shape)  # (m, T, n, U)
    products = products.masked_fill(~in_document, LOWEST)
    count = in_query.sum(1, keepdim=True).clamp_min(1)  # (m, 1)
    if pool == "lse":
        there = in_query[:, :, None, None] & in_document
        logits = (beta * products).masked_fill(~there, beta * LOWEST)
        pairs = count * in_document.sum(1).clamp_min(1)  # (m, n)
        scores = (torch.logsumexp(logits, (1, 3)) - pairs.to(logits.dtype).log()) / beta
        return scores.masked_fill(~in_query.any(1, keepdim=True), 0)
    best = products.amax(3) * in_query[:, :, None]
    return best.sum(1) if pool == "maxsim" else best.sum(1) / count
