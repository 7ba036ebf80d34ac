"""Draws of a fit come from a generator of its own, on the CPU.

torch's layers, initialisers and samplers draw from one generator of the process. Inside
:func:`own_draws` what this thread asks of torch is drawn from another one instead: in the same
order the same numbers, while other threads and the process-wide generator are left alone. Compiled
code (TorchScript, C++) and the backward pass of a function of yours draw from torch's own still.
"""

import os
import sys
import threading
from contextlib import contextmanager
from traceback import walk_stack

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode


class _Lock:
    """Held by what uses torch's own generator, and by a training."""

    def __init__(self):
        self.renew()
        # A child of a fork has none of the threads that may have held it.
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.renew)

    def renew(self):
        self.held = threading.RLock()


LOCK = _Lock()
_OF_THREAD = threading.local()
_FACTORIES = ("rand", "randn", "randint", "randperm", "normal")
_FUNCTIONS = (
    "multinomial",
    "bernoulli",
    "poisson",
    "binomial",
    "_standard_gamma",
    "_sample_dirichlet",
)
_METHODS = (
    *("uniform_", "normal_", "random_", "bernoulli_", "exponential_", "cauchy_", "geometric_"),
    *("log_normal_", "multinomial", "bernoulli"),
)
_INITIALISERS = ("uniform_", "normal_", "kaiming_uniform_")
# They draw, and take no generator.
_BORROWERS = {
    torch: ("alpha_dropout", "feature_alpha_dropout", "feature_dropout", "rrelu", "lstm", "gru")
    + ("rnn_tanh", "rnn_relu", "alpha_dropout_", "feature_dropout_", "feature_alpha_dropout_"),
    functional: ("alpha_dropout", "dropout1d", "dropout2d", "dropout3d", "feature_alpha_dropout")
    + ("rrelu", "gumbel_softmax", "multi_head_attention_forward", "scaled_dot_product_attention")
    + ("fractional_max_pool2d_with_indices", "fractional_max_pool3d_with_indices")
    + ("fractional_max_pool2d", "fractional_max_pool3d"),
}


def _on_cpu(args, kwargs):
    """Whether a call draws on the CPU."""
    device = kwargs.get("device")
    if device is None and args and isinstance(args[0], torch.Tensor):
        device = args[0].device
    return device is None or torch.device(device).type == "cpu"


def _given(generator, func, args, kwargs):
    return func(*args, **kwargs | {"generator": generator})


def _like(fill):
    """Draws of the form of a tensor, which take no generator in older versions of torch."""

    def drawn(generator, func, args, kwargs):
        x, *bounds = args
        return getattr(torch.empty_like(x, **kwargs), fill)(*bounds, generator=generator)

    return drawn


def _dropout(generator, func, args, kwargs):
    """What torch computes on the CPU."""
    x, p, training, inplace = _of_dropout(*args, **kwargs)
    if not training or not 0 < p < 1 or not x.numel():
        return func(*args, **kwargs)
    noise = torch.empty_like(x).bernoulli_(1 - p, generator=generator).div_(1 - p)
    return x.mul_(noise) if inplace else x * noise


def _of_dropout(input, p=0.5, training=True, inplace=False, train=None):
    return input, p, training if train is None else train, inplace


def _borrowed(generator, func, args, kwargs):
    """Call a function while torch's own generator stands where ours does."""
    with LOCK.held, torch.random.fork_rng(devices=[]):
        torch.set_rng_state(generator.get_state())
        try:
            return func(*args, **kwargs)
        finally:
            generator.set_state(torch.get_rng_state())


_DRAWS = {
    **{getattr(torch, name): _given for name in _FACTORIES + _FUNCTIONS},
    **{getattr(torch.Tensor, name): _given for name in _METHODS},
    **{getattr(torch.nn.init, name): _given for name in _INITIALISERS},
    torch.rand_like: _like("uniform_"),
    torch.randn_like: _like("normal_"),
    torch.randint_like: _like("random_"),
    torch.dropout: _dropout,
    functional.dropout: _dropout,
    **{getattr(home, name): _borrowed for home, names in _BORROWERS.items() for name in names},
}


class _OwnDraws(TorchFunctionMode):
    """Hands its generator to every call of torch that draws, in this thread."""

    def __init__(self, generator, replays=False):
        super().__init__()
        self.generator, self.replays = generator, replays

    def __torch_function__(self, func, types, args=(), kwargs=None):
        draw, kwargs = _DRAWS.get(func), kwargs or {}
        if draw is None or kwargs.get("generator") is not None or not _on_cpu(args, kwargs):
            return func(*args, **kwargs)
        if not self.replays:
            _check_made_once()
        return draw(self.generator, func, args, kwargs)


def _check_made_once():
    """Refuse layers whose pass is made again in the backward pass, with other draws."""
    frames = walk_stack(sys._getframe(1))
    if any(frame.f_globals.get("__name__") == "torch.utils.checkpoint" for frame, _ in frames):
        raise RuntimeError(
            "The network draws, as dropout does, in a part under torch.utils.checkpoint, which "
            "cannot draw the same again on the CPU: leave out the one or the other."
        )


def replayed(function):
    """A function that draws in every call what it drew in the first, for ``checkpoint``."""
    start = None

    def call(*args):
        nonlocal start
        mode = _own()
        if mode is None:  # torch's generator is put back by torch
            return function(*args)
        if start is None:
            start = mode.generator.get_state()
            mode.replays = True
            try:
                return function(*args)
            finally:
                mode.replays = False
        # No mode is active in a backward pass.
        again = _OwnDraws(torch.Generator().set_state(start), replays=True)
        _OF_THREAD.mode = again
        try:
            with again:
                return function(*args)
        finally:
            _OF_THREAD.mode = mode

    return call


# Inside, nothing draws, and no time is spent on looking.
nothing_drawn = torch._C.DisableTorchFunction


@contextmanager
def own_draws(seed):
    """Draw from a new generator inside the block; a block in a block has one of its own too."""
    generator = torch.Generator().manual_seed(seed)
    mode = _own()
    if mode is not None:
        mode.generator, before = generator, mode.generator
        try:
            yield
        finally:
            mode.generator = before
        return
    _OF_THREAD.mode = _OwnDraws(generator)
    try:
        with _OF_THREAD.mode:
            yield
    finally:
        _OF_THREAD.mode = None


def _own():
    return getattr(_OF_THREAD, "mode", None)


def _generator():
    mode = _own()
    return torch.default_generator if mode is None else mode.generator


def initial_seed():
    """The seed of the draws here: that of the fit, or of torch outside of one."""
    return _generator().initial_seed()


def draws_state():
    """Where the draws stand, for :func:`set_draws_state`."""
    return _generator().get_state()


def set_draws_state(state):
    """Go on drawing where :func:`draws_state` was asked."""
    _generator().set_state(state)


@contextmanager
def spare_draws():
    """Draws inside the block are not missed afterwards."""
    state = draws_state()
    try:
        yield
    finally:
        set_draws_state(state)
