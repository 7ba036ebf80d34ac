"""A view that moves rows to where the network would confuse them."""

from collections.abc import Callable
from typing import Any

import torch
from torch.nn.functional import normalize

from skcontrast._component import Interval, Real
from skcontrast._inputs.rows import Rows, SparseBatch
from skcontrast.views._base import View, entries, with_values


class Adversarial(View):
    r"""Move each row a step along the gradient of a contrastive loss of the batch.

    .. math:: x'_i = x_i + \rho \frac{g_i}{\|g_i\|}, \qquad
              g_i = \nabla_{x_i} \sum_j \Big( -\frac{s_{jj}}{\tau}
              + \log \sum_k e^{s_{jk} / \tau} \Big)

    where :math:`s_{jk}` is the cosine of the projections of :math:`x_j` and of row k as it is, by
    the network as it stands. The row goes to where it is taken for others. Of sparse rows and
    of documents the stored values and the weights of the words are moved.

    Parameters
    ----------
    step : float, default=0.5
        Length rho of the step, in standard deviations of a feature.

    temperature : float, default=0.2
        Temperature tau.

    Notes
    -----
    It costs two more passes through the network and one backward. It stands behind other views
    in a list, and is there only in training.

    References
    ----------
    Yan et al., "ConSERT: a contrastive framework for self-supervised sentence representation
    transfer", ACL 2021. Ho and Vasconcelos, "Contrastive learning with adversarial examples",
    NeurIPS 2020.

    Examples
    --------
    >>> from skcontrast import ContrastiveEncoder
    >>> from skcontrast.views import Adversarial
    >>> encoder = ContrastiveEncoder(views=["corruption", Adversarial(step=0.3)])
    """

    _parameter_constraints = {
        "step": [Interval(Real, 0, None, closed="left")],
        "temperature": [Interval(Real, 0, None, closed="neither")],
    }

    reads = frozenset({"numbers", "tokens"})

    def __init__(self, step: float = 0.5, temperature: float = 0.2):
        self.step = step
        self.temperature = temperature

    def build(self, rows: Rows) -> Callable:
        raise ValueError(
            "Adversarial reads the network that is trained, and is a view of training alone: "
            "type another view here."
        )

    def build_slots(self, rows: Rows, n: int, network: Any = None) -> list[Callable]:
        """Make the functions of ``n`` views of each row, by a network in training."""
        if network is None:
            return [self.build(rows)] * n

        def move(x, index):
            was_training = network.training
            network.eval()  # no dropout, and no statistics of a normalisation are moved
            try:
                slope = self._slope(network, x, rows.take(index.to(rows.index_device)))
            finally:
                network.train(was_training)
            return with_values(x, entries(x) + self.step * slope)

        return [move] * n

    def _slope(self, network, x, whole):
        """Direction in which the loss of a batch grows, of length 1 for each row."""
        with torch.enable_grad():
            moved = entries(x).detach().requires_grad_()
            seen = network.projector(network.encoder(with_values(x, moved)))
            with torch.no_grad():
                there = normalize(network.projector(network.encoder(whole)), dim=1)
            logits = normalize(seen, dim=1) @ there.T / self.temperature
            loss = (torch.logsumexp(logits, 1) - logits.diagonal()).sum()
            (slope,) = torch.autograd.grad(loss, moved)
        if torch.is_tensor(x):
            return normalize(slope, dim=1)
        row = x.row_of_entry() if isinstance(x, SparseBatch) else x.row_of_token()
        square = slope.new_zeros(len(x)).index_add_(0, row, slope.square())
        return slope / square.sqrt().clamp_min(torch.finfo(slope.dtype).tiny)[row]
