"""Optimizers: the update rule, the learning-rate schedule, clipping and weight decay."""

import inspect
import math
from collections.abc import Callable, Iterable
from typing import Any, Literal

import torch
from torch import nn
from torch.optim import Optimizer

from skcontrast._component import Component, Interval, Real, StrOptions

_SHARED_CONSTRAINTS = {
    "weight_decay": [Interval(Real, 0, None, closed="left")],
    "schedule": [StrOptions({"constant", "cosine"})],
    "warmup": [Interval(Real, 0, 1, closed="left")],
    "max_grad_norm": [Interval(Real, 0, None, closed="neither"), None],
}


class _Lean(Optimizer):
    """The methods of torch's optimizers as they are before torch keeps its compiler off them.

    The first call of what it has decorated loads that compiler, for over a second, though
    nothing is compiled here.
    """

    add_param_group = inspect.unwrap(Optimizer.add_param_group)
    load_state_dict = inspect.unwrap(Optimizer.load_state_dict)
    state_dict = inspect.unwrap(Optimizer.state_dict)
    zero_grad = inspect.unwrap(Optimizer.zero_grad)
    _undecorated: Callable[..., float | None]

    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Change the parameters along their gradients."""
        with torch.no_grad():
            return self._undecorated(closure)


class _AdamW(_Lean, torch.optim.AdamW):
    _undecorated = inspect.unwrap(torch.optim.AdamW.step)

    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Change the parameters along their gradients."""
        if closure is not None or not all(map(self._is_plain, self.param_groups)):
            return super().step(closure)
        with torch.no_grad():
            for group in self.param_groups:
                self._plain_step(group)
        return None

    def _is_plain(self, group):
        """Whether the one kernel is all that there is to do: on a CPU, from the second step on."""
        params, state = group["params"], self.state
        known = group["fused"] and params[0].device.type == "cpu"
        known = known and all(p.grad is not None and "step" in state.get(p, ()) for p in params)
        kinds = {(p.dtype, p.grad.layout) for p in params} if known else ()
        return len(kinds) == 1 and kinds.pop()[1] is torch.strided

    def _plain_step(self, group):
        """That kernel, without looking for other ways, which in small networks takes longer."""
        params, (beta1, beta2) = group["params"], group["betas"]
        states = [self.state[p] for p in params]
        steps = [state["step"] for state in states]
        torch._foreach_add_(steps, 1)
        torch._fused_adamw_(
            params,
            [p.grad for p in params],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            steps,
            lr=group["lr"],
            beta1=beta1,
            beta2=beta2,
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            amsgrad=False,
            maximize=False,
            grad_scale=None,
            found_inf=None,
        )


class _SGD(_Lean, torch.optim.SGD):
    _undecorated = inspect.unwrap(torch.optim.SGD.step)


class _Optimizer(Component):
    def __init__(
        self,
        weight_decay: float = 1e-4,
        schedule: Literal["cosine", "constant"] = "cosine",
        warmup: float = 0.05,
        max_grad_norm: float | None = None,
    ):
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.warmup = warmup
        self.max_grad_norm = max_grad_norm

    def factor(self, step: int, n_steps: int) -> float:
        """Learning rate of a step as a share of the full rate.

        Rises linearly over the first ``warmup`` share of the steps, then stays or falls
        to zero along half a cosine.

        Parameters
        ----------
        step : int
            Steps done so far.

        n_steps : int
            Steps of the whole training.

        Returns
        -------
        factor : float in (0, 1]
        """
        n_warm = math.ceil(self.warmup * n_steps)
        if step < n_warm:
            return (step + 1) / n_warm
        if self.schedule == "constant" or n_steps <= n_warm:
            return 1.0
        progress = min(1.0, (step - n_warm) / (n_steps - n_warm))
        return 0.5 * (1 + math.cos(math.pi * progress))

    def groups(self, parameters: Iterable[nn.Parameter]) -> list[dict[str, Any]]:
        """Split parameters: weights decay, biases, norms and temperatures do not."""
        parameters = [p for p in parameters if p.requires_grad]
        if not parameters:
            raise ValueError(
                "The network, the projector and the objective have no parameter to train: type "
                "network='mlp', or set requires_grad=True on some of the module's."
            )
        groups = [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": self.weight_decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]
        return [group for group in groups if group["params"]]


class AdamW(_Optimizer):
    """Adam with decoupled weight decay.

    Parameters
    ----------
    weight_decay : float, default=1e-4
        Not applied to biases, normalisations and temperatures.

    schedule : {"cosine", "constant"}, default="cosine"
        Learning rate after the warm-up.

    warmup : float, default=0.05
        Share of the steps over which the learning rate rises from zero.

    max_grad_norm : float, default=None
        Gradients are scaled down to this Euclidean norm when they exceed it.

    References
    ----------
    Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019.

    Examples
    --------
    >>> from skcontrast.optimizers import AdamW
    >>> [round(AdamW(warmup=0.5).factor(step, 4), 2) for step in range(4)]
    [0.5, 1.0, 1.0, 0.5]
    """

    _parameter_constraints = _SHARED_CONSTRAINTS

    def build(self, parameters: Iterable[nn.Parameter], learning_rate: float) -> Optimizer:
        """Make the torch optimizer."""
        groups = self.groups(parameters)
        # One kernel for all tensors: on a CPU a tenth of the time of the default loop.
        fused = _only_on(("cpu", "cuda"), groups)
        return _AdamW(groups, lr=learning_rate, fused=fused)


class SGD(_Optimizer):
    """Stochastic gradient descent with momentum.

    Parameters
    ----------
    momentum : float, default=0.9

    nesterov : bool, default=False

    weight_decay, schedule, warmup, max_grad_norm : default=as in AdamW
        See :class:`AdamW`.

    Examples
    --------
    >>> from skcontrast.optimizers import SGD
    >>> SGD(momentum=0.5)
    SGD(momentum=0.5)
    """

    _parameter_constraints = {
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "nesterov": ["boolean"],
        **_SHARED_CONSTRAINTS,
    }

    def __init__(
        self,
        momentum: float = 0.9,
        nesterov: bool = False,
        weight_decay: float = 1e-4,
        schedule: Literal["cosine", "constant"] = "cosine",
        warmup: float = 0.05,
        max_grad_norm: float | None = None,
    ):
        super().__init__(weight_decay, schedule, warmup, max_grad_norm)
        self.momentum = momentum
        self.nesterov = nesterov

    def build(self, parameters: Iterable[nn.Parameter], learning_rate: float) -> Optimizer:
        """Make the torch optimizer."""
        groups = self.groups(parameters)
        # On a CPU the one kernel rounds Nesterov's step in another way.
        fused = _only_on(("cuda",) if self.nesterov else ("cpu", "cuda"), groups)
        options = {"momentum": self.momentum, "nesterov": self.nesterov, "fused": fused}
        return _SGD(groups, lr=learning_rate, **options)


def _only_on(devices, groups):
    return all(p.device.type in devices for group in groups for p in group["params"])


OPTIMIZERS = {"adamw": AdamW, "sgd": SGD}
