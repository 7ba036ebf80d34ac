"""Adapter of the golden file on lists."""

import torch
from golden_pairs import with_products

from skcontrast.objectives import ListwiseWasserstein


def listwise_wasserstein(case):
    """Scores are cosines of small angles at a temperature as much smaller; items as they stand."""
    scores, relevance = case.leaf("scores"), case.constant("relevance")
    n_lists, length = scores.shape
    small = 0.9 / scores.detach().abs().max().item()
    y = with_products(small * scores.reshape(-1, 1))
    x = torch.tensor([1.0, 0.0], dtype=y.dtype).expand_as(y)
    objective = ListwiseWasserstein(small * case.number("temperature"), order="rows")
    groups = torch.arange(n_lists).repeat_interleave(length)
    loss = objective(torch.stack([x, y]), target=relevance.flatten(), groups=groups)
    case.check_loss("loss", loss, grad_scores=scores)
    moments = (scores.detach() / case.number("temperature")).softmax(1), relevance.softmax(1)
    case.check("mean_term", (moments[0].mean(0) - moments[1].mean(0)).square().sum())
    reason = "the reference adds 1e-15 under its roots"
    case.waive(reason, "loss_reference", "grad_scores_reference")
