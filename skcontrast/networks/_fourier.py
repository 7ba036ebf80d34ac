"""FourierFeatures: the features of a Gaussian kernel, with frequencies that are learned."""

from typing import Literal

import torch
from torch import nn

from skcontrast._component import Component, Integral, Interval, Real, StrOptions
from skcontrast.networks._layers import InputLayer


class FourierFeatures(Component):
    r"""Random Fourier features, whose frequencies may be learned.

    .. math::

        h = m^{-1/2} \left( \cos(x W), \sin(x W) \right), \qquad W_{jk} \sim N(0, 2 \gamma)

    At the start the inner products of rows h are those of the kernel
    :math:`\exp(-\gamma \|x - y\|^2)`, up to an error that falls as 1 / sqrt(m). Learning W
    learns the kernel, by its spectral distribution. An even number of columns makes rows of unit
    length.

    Parameters
    ----------
    n_frequencies : int or "auto", default="auto"
        Number m of frequencies, two columns each; "auto" is half of the columns that the
        estimator asks for, where the last one has no sine if these are odd.

    learn : bool, default=True
        Whether the frequencies are trained. If not, nothing is left to learn without a
        ``projector``.

    gamma : float or "auto", default="auto"
        Parameter of the kernel at the start; "auto" is 1 / n_features.

    References
    ----------
    Rahimi and Recht, "Random features for large-scale kernel machines", NeurIPS 2007.
    Chowdhury et al., "Learning the transformer kernel", TMLR 2022.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.networks import FourierFeatures
    >>> network = FourierFeatures(n_frequencies=10_000, gamma=0.5)
    >>> x, y = torch.zeros(1, 3), torch.full((1, 3), 0.5)
    >>> module = network.build(3, network.width)
    >>> bool(abs((module(x) * module(y)).sum() - torch.exp(torch.tensor(-0.5 * 0.75))) < 0.02)
    True
    """

    _parameter_constraints = {
        "n_frequencies": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "learn": ["boolean"],
        "gamma": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
    }

    def __init__(
        self,
        n_frequencies: int | Literal["auto"] = "auto",
        learn: bool = True,
        gamma: float | Literal["auto"] = "auto",
    ):
        self.n_frequencies = n_frequencies
        self.learn = learn
        self.gamma = gamma

    @property
    def width(self) -> int | Literal["auto"]:
        """Number of columns that the frequencies make, or "auto"."""
        return "auto" if self.n_frequencies == "auto" else 2 * self.n_frequencies

    def build(self, n_features_in: int, n_components: int) -> nn.Module:
        """Make the torch module (n, n_features_in) -> (n, n_components)."""
        gamma = 1 / n_features_in if self.gamma == "auto" else self.gamma
        return _Waves(n_features_in, n_components, gamma, self.learn)


class _Waves(nn.Module):
    accepts_sparse = True

    def __init__(self, n_in, n_out, gamma, learn):
        super().__init__()
        self.n_out = n_out
        self.phase = InputLayer(n_in, -(-n_out // 2))
        nn.init.normal_(self.phase.weight, std=(2 * gamma) ** 0.5)
        self.phase.weight.requires_grad_(learn)
        # A shift of the phases changes no inner product of two rows.
        self.phase.bias.requires_grad_(False)

    def forward(self, x):
        phase = self.phase(x)
        waves = torch.cat([phase.cos(), phase.sin()], dim=1)[:, : self.n_out]
        return waves * phase.shape[1] ** -0.5
