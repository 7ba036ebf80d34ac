"""SupReMix: supervised contrast for regression with mixtures of rows."""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from skcontrast._component import Integral, Interval, Real, StrOptions
from skcontrast._inputs.several import TARGET_CONSTRAINTS
from skcontrast.functional import (
    MIXTURE_WEIGHTS,
    BlockSize,
    draw_between,
    mean_over,
    mixed_contrast,
    normalize,
)
from skcontrast.objectives._base import PairObjective, Temperature, anchor_index
from skcontrast.objectives._y_aware import real_columns


class SupReMix(PairObjective):
    r"""Supervised contrast for a number, with mixtures of rows as hard pairs.

    With unit rows z of all views and their targets y, each anchor i has the mixtures

    .. math::

        z^-_{ik} = a z_i + (1 - a) z_k, \quad y_k \ne y_i, \; a \sim \mathrm{Beta};
        \qquad
        z^+_{ijk} = \frac{(y_k - y_i) z_j + (y_i - y_j) z_k}{y_k - y_j}, \quad
        y_j < y_i < y_k

    The first have other targets and are negatives, the second have the anchor's target and
    are positives. With the other rows of its target and these in P(i), and all other rows
    and all mixtures of i in D(i), each q of which has a target :math:`t_q`,

    .. math::

        l_i = -\frac{1}{|P(i)|} \sum_{p \in P(i)} \Big( z_i \cdot z_p / \tau
              - \log \sum_{q \in D(i)} w_{iq} e^{z_i \cdot z_q / \tau} \Big),
        \qquad w_{iq} = |y_i - t_q| + 1

    Mixtures are not scaled to unit length, and no gradient goes through them.

    Parameters
    ----------
    temperature : float, str or component, default=0.3
        Temperature tau: a positive number or "learned". A rule that follows the positive
        pairs of two views is not defined here.

    n_mixtures : int, default=16
        Most mixtures that are drawn as positives of an anchor in a batch. Where there are
        fewer pairs (j, k), all are taken; 0 switches them off.

    window : float, default=0.5
        Rows j and k are nearer than this to the anchor, in the unit of the target. An
        estimator standardises it, and the unit is then its standard deviation.

    negatives : bool, default=True
        Whether the anchor's mixtures with rows of other targets are negatives.

    beta : tuple of two floats, default=(2.0, 8.0)
        Parameters of the Beta distribution of the anchor's share a in these.

    weighting : {"linear", "quadratic", "none"}, default="linear"
        Weight w for a distance d of targets: d + 1, d² + 1 or 1.

    bin_width : float, default=None
        Targets are rounded to multiples of this, so that rows of nearly the same target are
        positives of each other. None takes them as they are: where no two are equal, the
        positives are the mixtures and the other views.

    block_size : int, "auto" or None, default="auto"
        Anchors at a time; "auto" chooses by size, None takes all.

    target : str, default="y"
        Which target is read: y, "condition", "groups", or the name of one of several in y.

    Notes
    -----
    ``target`` (n,) or (n, 1) holds numbers. A sample with a NaN is unlabelled: its only
    positives are its other views, it is in no mixture, and has weight 1 with all others.
    Anchors without a positive do not count. One view is enough with targets.

    The similarity to a mixture is the mixture of the similarities, so that none is formed.
    The shares a take O(n^2) memory in the rows n of all views; what is made of them takes
    O(n^2) up to a few thousand rows, then O(block_size n).

    The published code shifts the similarities to rows and those to mixtures by two
    different maxima before it adds them up, which makes another loss; and "quadratic" is
    (d + 1)² + 1 for mixtures there.

    References
    ----------
    Wu et al., "Mixup your own pairs", arXiv:2309.16633, 2023.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import SupReMix
    >>> views = torch.eye(4).expand(2, 4, 4)
    >>> target = torch.tensor([0.0, 0.2, 0.4, torch.nan])
    >>> objective = SupReMix(negatives=False)  # four pairs around the second row, all taken
    >>> objective(views, target=target).mean().round(decimals=4)
    tensor(0.9109)
    """

    requires = ("views", "target")
    target_type = "real"
    min_views = 1

    _parameter_constraints = {
        **PairObjective._parameter_constraints,
        "n_mixtures": [Interval(Integral, 0, None, closed="left")],
        "window": [Interval(Real, 0, None, closed="neither")],
        "negatives": ["boolean"],
        "beta": [tuple, list],
        "weighting": [StrOptions(set(MIXTURE_WEIGHTS))],
        "bin_width": [Interval(Real, 0, None, closed="neither"), None],
        "target": TARGET_CONSTRAINTS,
    }

    def __init__(
        self,
        temperature: Temperature = 0.3,
        n_mixtures: int = 16,
        window: float = 0.5,
        negatives: bool = True,
        beta: tuple[float, float] | list[float] = (2.0, 8.0),
        weighting: Literal["linear", "quadratic", "none"] = "linear",
        bin_width: float | None = None,
        block_size: BlockSize = "auto",
        target: str = "y",
    ):
        self.temperature = temperature
        self.n_mixtures = n_mixtures
        self.window = window
        self.negatives = negatives
        self.beta = beta
        self.weighting = weighting
        self.bin_width = bin_width
        self.block_size = block_size
        self.target = target

    def build(self, n_samples: int) -> nn.Module:
        a_and_b = self.beta if len(self.beta) == 2 else (0,)
        if not all(isinstance(number, Real) and 0 < number < float("inf") for number in a_and_b):
            raise ValueError(
                f"beta={self.beta!r}, but the Beta distribution of SupReMix has two positive "
                "parameters: type beta=(2.0, 8.0)."
            )
        return super().build(n_samples)

    def loss(
        self,
        views: Tensor,
        target: Tensor,
        temperature: nn.Module,
        index: Tensor | None = None,
        **named: Any,
    ) -> Tensor:
        """Loss of each anchor: views (V, n, d), target (n,) or (n, 1) -> (V n,)."""
        z = normalize(views)
        n_views, n, width = z.shape
        y = self._targets(target, z).repeat(n_views)  # (V n,)
        share = self._shares(len(y), z.device) if self.negatives else None
        between = draw_between(y, self.window, self.n_mixtures) if self.n_mixtures else None
        loss, valid = mixed_contrast(
            z.reshape(-1, width),
            y,
            torch.arange(n, device=z.device).repeat(n_views),
            temperature(None, anchor_index(index, z)),
            share,
            between,
            self.weighting,
            self.block_size,
        )
        return mean_over(loss, valid)

    def _targets(self, target, z):
        y = real_columns(target, z, "SupReMix")
        if y.shape[1] != 1:
            raise ValueError(
                f"SupReMix mixes rows on both sides of one target, got {y.shape[1]} columns: "
                "pass one column of y, or type objective='rank_n_contrast'."
            )
        y = y[:, 0]
        return y if self.bin_width is None else (y / self.bin_width).round() * self.bin_width

    def _shares(self, n, device):
        # Draws in float32 go wrong for smaller numbers, where nearly all are 0 or 1, and for
        # larger ones, where all are the mean.
        kept = [min(max(float(number), 0.01), 1e6) for number in self.beta]
        a, b = (torch.full((), number, device=device) for number in kept)
        # Checking the parameters would wait for the device.
        return torch.distributions.Beta(a, b, validate_args=False).sample((n, n))
