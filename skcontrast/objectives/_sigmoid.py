"""SigmoidPairs: each pair of rows is a partner or not, on its own."""

from itertools import combinations
from typing import Any, Literal

import torch
from torch import Tensor, nn

from skcontrast._component import Interval, Real, StrOptions
from skcontrast.functional import BlockSize, normalize, sigmoid_pairs
from skcontrast.objectives._base import BuiltObjective, PairObjective, Temperature
from skcontrast.temperatures import TEMPERATURE_CONSTRAINTS, Learned


class _BuiltSigmoid(BuiltObjective):
    def __init__(self, objective, n_samples):
        super().__init__(objective, n_samples)
        self.bias = nn.Parameter(torch.tensor(float(objective.bias)))

    def forward(self, views, **named):
        return super().forward(views, bias=self.bias, **named)


class SigmoidPairs(PairObjective):
    r"""Tell partners from others pair by pair (SigLIP), with focal weights or without.

    With unit rows of two views,

    .. math:: l_i = -\sum_j (1 - p_{ij})^\gamma \log p_{ij}, \qquad
        p_{ij} = \sigma(y_{ij} (s_{ij} / \tau + b)), \qquad y_{ij} = 2 [i = j] - 1

    No row's candidates compete, so that small batches lose less. Of more than two views it is the
    mean over their pairs.

    Parameters
    ----------
    gamma : float, default=0.0
        Focal weight: above 0 pairs that are told well count less.

    temperature : float, str or component, default="auto"
        Temperature tau: a positive number, "learned" or a component. "auto" is learned and
        starts at 0.1.

    bias : float, default=-5.5
        Where the learned bias b starts: about minus the logarithm of the rows in a batch, or the
        first steps do nothing but push apart.

    block_size : int, "auto" or None, default="auto"
        Anchors at a time; "auto" chooses by size, None takes all.

    References
    ----------
    Zhai et al., "Sigmoid loss for language image pre-training", ICCV 2023. Kim et al.,
    "Region-aware pretraining for open-vocabulary object detection with vision transformers", CVPR
    2023, for focal weights of pairs of image and text.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import SigmoidPairs
    >>> views = torch.eye(4).expand(2, 4, 4)
    >>> SigmoidPairs(temperature=0.5, bias=0.0)(views).mean().round(decimals=4)
    tensor(2.2064, grad_fn=<RoundBackward1>)
    """

    _parameter_constraints = {
        **PairObjective._parameter_constraints,
        "gamma": [Interval(Real, 0, None, closed="left")],
        "temperature": [*TEMPERATURE_CONSTRAINTS, StrOptions({"auto"})],
        "bias": [Interval(Real, None, None, closed="neither")],
    }
    _module = _BuiltSigmoid

    def __init__(
        self,
        gamma: float = 0.0,
        temperature: Temperature | Literal["auto"] = "auto",
        bias: float = -5.5,
        block_size: BlockSize = "auto",
    ):
        self.gamma = gamma
        self.temperature = temperature
        self.bias = bias
        self.block_size = block_size

    def _settled(self, name: str, value: Any) -> Any:
        auto = name == "temperature" and isinstance(value, str) and value == "auto"
        return Learned(init=0.1) if auto else value

    def loss(self, views: Tensor, temperature: nn.Module, bias: Tensor, **named: Any) -> Tensor:
        """Loss of each row of the first view of a pair: views (V, n, d) -> (n,)."""
        z = normalize(views)
        tau = temperature((z[0] * z[1]).sum(-1).detach(), None)
        pairs = list(combinations(range(len(z)), 2))
        each = [
            sigmoid_pairs(z[a], z[b], 1 / tau, bias, self.gamma, self.block_size) for a, b in pairs
        ]
        return torch.stack(each).mean(0)
