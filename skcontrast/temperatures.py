"""Temperature rules: learned, adapted to the model, one for each sample.

A rule's ``build(n_samples)`` gives a torch module with

``forward(positive, index) -> tau``
    the temperature, of shape () or (n_anchors,), from the detached similarities of the
    positive pairs (n_anchors,) and the row numbers of the anchors (n_anchors,);

``decoupled``
    whether the rule wants the positive left out of the partition;

``stateful``
    whether it is only right with its own ``combine``, which updates what it stores;

and for a decoupled rule

``combine(positive, sums, tau, index, n_views, n_negatives) -> loss`` (n_anchors,).
"""

import math
from typing import Literal, TypeAlias

import torch
from torch import nn

from skcontrast._component import Component, Interval, Real, Shorthand, StrOptions, resolve


class _Rule(nn.Module):
    decoupled = False
    stateful = False


class _FixedRule(_Rule):
    # What a plain float stands for.
    def __init__(self, tau):
        super().__init__()
        self.tau = tau

    def forward(self, positive, index):
        return self.tau


class Learned(Component):
    """A temperature trained with the network, as ``exp(log_tau)``.

    Parameters
    ----------
    init : float, default=0.07
        Temperature at the start.

    minimum : float, default=0.01
        It is never lower.

    References
    ----------
    Radford et al., "Learning transferable visual models from natural language
    supervision", ICML 2021: the inverse starts at 1 / 0.07 and is kept under 100.

    Examples
    --------
    >>> from skcontrast.objectives import InfoNCE
    >>> from skcontrast.temperatures import Learned
    >>> InfoNCE(temperature=Learned(init=0.1))
    InfoNCE(temperature=Learned(init=0.1))
    """

    _parameter_constraints = {
        "init": [Interval(Real, 0, None, closed="neither")],
        "minimum": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, init: float = 0.07, minimum: float = 0.01):
        self.init = init
        self.minimum = minimum

    def build(self, n_samples: int) -> nn.Module:
        """Make the torch module of the rule."""
        if self.init < self.minimum:
            raise ValueError(
                f"Learned: init={self.init} is under minimum={self.minimum}: type a larger init "
                "or a smaller minimum."
            )
        return _LearnedRule(self.init, self.minimum)


class _LearnedRule(_Rule):
    def __init__(self, init, minimum):
        super().__init__()
        self.minimum = minimum
        self.log_tau = nn.Parameter(torch.tensor(math.log(init)))

    def forward(self, positive, index):
        tau = self.log_tau.exp()
        # Straight through: a clamp alone has no slope, and would never let go again.
        return tau + (tau.clamp_min(self.minimum) - tau).detach()


class ModelAware(Component):
    """Temperature that follows how well the batch is aligned (MACL).

    With A the mean similarity of the positive pairs in the batch, held constant,

    .. math:: \\tau = \\tau_0 (1 + \\alpha (A - A_0))

    and, inside InfoNCE, each anchor is reweighted by 1 / (1 - P_i), held constant,
    where P_i is the probability of its positive. With r the log ratio of negatives to
    the positive the value is softplus(r) / sigmoid(r) and the gradient that of r: the
    gradient of the decoupled loss at the adapted temperature.

    Parameters
    ----------
    tau : float, default=0.1
        Temperature tau_0 at A = A_0.

    alpha : float, default=0.5
        How much the temperature follows, in [0, 1].

    threshold : float, default=0.0
        Alignment A_0 at which the temperature is ``tau``, in [0, 1].

    minimum : float, default=0.01
        The temperature is never lower: alpha = 1 would take it to zero at A = -1.

    References
    ----------
    Huang et al., "Model-aware contrastive learning: towards escaping the dilemmas",
    ICML 2023.

    Examples
    --------
    >>> from skcontrast.objectives import InfoNCE
    >>> InfoNCE().set_params(temperature="model_aware", temperature__alpha=1.0)
    InfoNCE(temperature=ModelAware(alpha=1.0))
    """

    _parameter_constraints = {
        "tau": [Interval(Real, 0, None, closed="neither")],
        "alpha": [Interval(Real, 0, 1, closed="both")],
        "threshold": [Interval(Real, 0, 1, closed="both")],
        "minimum": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self, tau: float = 0.1, alpha: float = 0.5, threshold: float = 0.0, minimum: float = 0.01
    ):
        self.tau = tau
        self.alpha = alpha
        self.threshold = threshold
        self.minimum = minimum

    def build(self, n_samples: int) -> nn.Module:
        """Make the torch module of the rule."""
        return _ModelAwareRule(self.tau, self.alpha, self.threshold, self.minimum)


class _ModelAwareRule(_Rule):
    decoupled = True

    def __init__(self, tau, alpha, threshold, minimum):
        super().__init__()
        self.tau, self.alpha, self.threshold, self.minimum = tau, alpha, threshold, minimum

    def forward(self, positive, index):
        tau = self.tau * (1 + self.alpha * (positive.mean() - self.threshold))
        return tau.clamp_min(self.minimum)

    def combine(self, positive, sums, tau, index, n_views, n_negatives):
        r = sums.log_partition - positive / tau
        # softplus(r) / sigmoid(r) tends to 1 for well aligned pairs, where the
        # published 1 / (1 - P) divides by zero; only r carries the gradient.
        value = torch.nn.functional.softplus(r) / torch.sigmoid(r)
        value = torch.where(r < -30, 1.0 + 0.5 * r.exp(), value)
        return value.detach() + (r - r.detach())


class Individual(Component):
    """One temperature a sample, by distributionally robust optimisation (iSogCLR).

    For sample i with 2(n-1) negatives in the batch, g_i is the mean of
    exp(s / tau_i) over them, and u_i its moving average over the visits of i:

    .. math:: \\min \\; -s_i^+ + \\tau_i \\log u_i + \\tau_i \\rho,
              \\qquad \\tau_i \\in [\\tau_{min}, \\tau_{max}]

    The gradient is that of ``-s+ + (g_i / u_i) tau_i log g_i``. With
    ``learning_rate=0`` and ``rho=0`` the temperatures stay at ``tau`` (SogCLR). The
    loss is the sum over the anchors of a sample, so with two views it is doubled.

    Parameters
    ----------
    tau : float, default=0.1
        Temperature of every sample at the start.

    gamma : float, default=0.9
        Weight of the new g in the moving average u; 1 at a sample's first visit.

    rho : float, default=0.3
        Radius of the Kullback-Leibler ball; larger gives smaller temperatures.

    learning_rate : float, default=0.01
        Step of the temperatures; 0 keeps them fixed.

    momentum : float, default=0.9
        Weight of the new temperature gradient in its moving average.

    minimum, maximum : float, default=0.05, 0.7
        Bounds of the temperatures.

    first_visit : {"sample", "batch"}, default="sample"
        Which visit uses gamma = 1: the first of each sample, or, as in the published
        code, only a batch none of whose samples was seen, which leaves u of a sample
        first seen in a mixed batch too low by the factor ``gamma``.

    value : {"objective", "surrogate"}, default="objective"
        What the loss reports: ``-s+ + tau log u``, or the published surrogate of the
        same gradient, ``-s+ + mean(exp(s/tau)/u s)``, which cannot be compared
        between steps.

    References
    ----------
    Yuan et al., "Provable stochastic optimization for global contrastive learning",
    ICML 2022. Qiu et al., "Not all semantics are created equal: contrastive
    self-supervised learning with automatic temperature individualization", ICML 2023.

    Examples
    --------
    >>> from skcontrast.objectives import InfoNCE
    >>> from skcontrast.temperatures import Individual
    >>> InfoNCE(temperature=Individual(rho=0.2))
    InfoNCE(temperature=Individual(rho=0.2))
    """

    _parameter_constraints = {
        "tau": [Interval(Real, 0, None, closed="neither")],
        "gamma": [Interval(Real, 0, 1, closed="right")],
        "rho": [Interval(Real, 0, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="left")],
        "momentum": [Interval(Real, 0, 1, closed="right")],
        "minimum": [Interval(Real, 0, None, closed="neither")],
        "maximum": [Interval(Real, 0, None, closed="neither")],
        "first_visit": [StrOptions({"sample", "batch"})],
        "value": [StrOptions({"objective", "surrogate"})],
    }

    def __init__(
        self,
        tau: float = 0.1,
        gamma: float = 0.9,
        rho: float = 0.3,
        learning_rate: float = 0.01,
        momentum: float = 0.9,
        minimum: float = 0.05,
        maximum: float = 0.7,
        first_visit: Literal["sample", "batch"] = "sample",
        value: Literal["objective", "surrogate"] = "objective",
    ):
        self.tau = tau
        self.gamma = gamma
        self.rho = rho
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.minimum = minimum
        self.maximum = maximum
        self.first_visit = first_visit
        self.value = value

    def build(self, n_samples: int) -> nn.Module:
        """Make the torch module of the rule."""
        if self.minimum > self.maximum:
            raise ValueError(
                f"Individual: minimum={self.minimum} is above maximum={self.maximum}: type a "
                "smaller minimum."
            )
        return _IndividualRule(self.get_params(), n_samples)


class _IndividualRule(_Rule):
    decoupled = True
    stateful = True

    def __init__(self, settings, n_samples):
        super().__init__()
        self.settings = settings
        self.register_buffer("tau", torch.full((n_samples,), float(settings["tau"])))
        # log u, because exp(1 / 0.01) overflows float32; -inf marks "never seen".
        self.register_buffer("log_u", torch.full((n_samples,), -math.inf))
        self.register_buffer("velocity", torch.zeros(n_samples))

    def forward(self, positive, index):
        return self.tau[index].to(positive.dtype)

    def combine(self, positive, sums, tau, index, n_views, n_negatives):
        gamma = self.settings["gamma"]
        log_g = sums.log_partition - math.log(n_negatives)  # (2n,)
        with torch.no_grad():
            old = self.log_u[index].to(log_g.dtype)
            decay = math.log1p(-gamma) if gamma < 1 else -math.inf
            mixed = torch.logaddexp(old + decay, log_g + math.log(gamma))
            first = old.isneginf()
            first = first.all() if self.settings["first_visit"] == "batch" else first
            log_u = torch.where(first, log_g, mixed)
            ratio = torch.exp(log_g - log_u)  # g / u
            if self.training:
                self._update(index, log_u, ratio * sums.mean / tau, n_views)
        surrogate = -positive + ratio * tau * log_g
        reported = ratio * sums.mean if self.settings["value"] == "surrogate" else tau * log_u
        value = -positive + reported
        return n_views * (value.detach() + surrogate - surrogate.detach())

    def _update(self, index, log_u, weighted_mean, n_views):
        """Store u, and take a step of the temperatures along G = dL/dtau."""
        settings = self.settings
        rows = index.view(n_views, -1)[0]  # (n,)
        slope = (log_u + settings["rho"] - weighted_mean).view(n_views, -1).mean(0)
        log_u = log_u.view(n_views, -1).logsumexp(0) - math.log(n_views)
        beta = settings["momentum"]
        velocity = (1 - beta) * self.velocity[rows] + beta * slope.to(self.velocity.dtype)
        self.log_u[rows] = log_u.to(self.log_u.dtype)
        self.velocity[rows] = velocity
        if settings["learning_rate"]:
            tau = self.tau[rows] - settings["learning_rate"] * velocity
            self.tau[rows] = tau.clamp(settings["minimum"], settings["maximum"])


TEMPERATURES = {"individual": Individual, "learned": Learned, "model_aware": ModelAware}

TEMPERATURE_CONSTRAINTS = [
    Interval(Real, 0, None, closed="neither"),
    Shorthand("skcontrast.temperatures:TEMPERATURES", "temperature"),
]

# What stands for a temperature in a constructor.
Temperature: TypeAlias = float | str | Component


def build_temperature(temperature: Temperature, n_samples: int) -> nn.Module:
    """Make the torch module of ``temperature``, a float, a name or a rule."""
    if isinstance(temperature, Real):
        return _FixedRule(float(temperature))
    return resolve(temperature, TEMPERATURES).build(n_samples)
