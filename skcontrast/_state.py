"""What a caller set in torch, NumPy and scikit-learn does not reach an estimator.

Gradients switched off, autocast, another default type or device, floating-point errors that are
raised, transformers that give DataFrames: each is put aside while a method of an estimator runs,
and is there again afterwards.
"""

import sys
import threading
from contextlib import ExitStack, contextmanager
from functools import wraps
from inspect import isfunction

import numpy as np
from sklearn import config_context, get_config

from skcontrast._site import OnSite

# Methods that do the work of an estimator.
METHODS = (
    "fit",
    "partial_fit",
    "finetune",
    "fit_transform",
    "transform",
    "predict",
    "predict_proba",
    "predict_log_proba",
    "predict_interval",
    "decision_function",
    "score_samples",
    "fit_predict",
    "most_similar",
    "word_vectors",
    "transform_block",
    "score_pairs",
    "similarity",
    "score",
)
ERRORS = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}


class _OfTheProcess:
    """States of torch that all threads share: put aside by the first, back by the last."""

    def __init__(self):
        self.lock, self.n_inside, self.before = threading.Lock(), 0, None

    def enter(self, torch):
        with self.lock:
            self.n_inside += 1
            if self.n_inside > 1:
                return
            flags = torch.are_deterministic_algorithms_enabled()
            weak = torch.is_deterministic_algorithms_warn_only_enabled()
            self.before = torch.get_default_dtype(), flags, weak
            if self.before[0] != torch.float32:
                torch.set_default_dtype(torch.float32)
            if flags:
                torch.use_deterministic_algorithms(False)

    def leave(self, torch):
        with self.lock:
            self.n_inside -= 1
            if self.n_inside:
                return
            dtype, flags, weak = self.before
            if dtype != torch.float32:
                torch.set_default_dtype(dtype)
            if flags:
                torch.use_deterministic_algorithms(True, warn_only=weak)


_OF_THE_PROCESS = _OfTheProcess()


def _of_torch(stack, torch):
    """Enter torch's own defaults, as far as they were changed."""
    if torch.is_inference_mode_enabled():
        stack.enter_context(torch.inference_mode(False))
    if not torch.is_grad_enabled():
        stack.enter_context(torch.enable_grad())
    for kind in ("cpu", "cuda"):
        if torch.is_autocast_enabled(kind):
            stack.enter_context(torch.autocast(kind, enabled=False))
    # Entered only where it is needed: it slows every call of torch.
    if torch.get_default_device().type != "cpu":
        stack.enter_context(torch.device("cpu"))
    _OF_THE_PROCESS.enter(torch)
    stack.callback(_OF_THE_PROCESS.leave, torch)


@contextmanager
def own_state():
    """The defaults of torch, NumPy and scikit-learn inside the block."""
    with ExitStack() as stack:
        stack.enter_context(np.errstate(**ERRORS))
        if get_config()["transform_output"] != "default":
            stack.enter_context(config_context(transform_output="default"))
        if "torch" in sys.modules:
            _of_torch(stack, sys.modules["torch"])
        yield


def _apart(method):
    # contextlib's own decorator would be a frame of Python's library, where warnings would point.
    @wraps(method)
    def apart(*args, **kwargs):
        with own_state():
            return method(*args, **kwargs)

    return apart


class OwnState(OnSite):
    """Mixin: ``METHODS`` of its subclasses run in :func:`own_state`.

    It stands before scikit-learn's mixins, so that what these wrap around a method, as the
    container that a user chose, stays outside.
    """

    def __init_subclass__(cls, **kwargs):
        for name in METHODS:
            method = vars(cls).get(name)
            if isfunction(method):
                setattr(cls, name, _apart(method))
            elif hasattr(method, "fn"):  # made by scikit-learn's available_if
                method.fn = _apart(method.fn)
        super().__init_subclass__(**kwargs)
