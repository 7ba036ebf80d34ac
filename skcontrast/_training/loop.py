"""Training: an encoder, an objective and rows in, skorch's loop around them.

The only file that knows skorch.
"""

import math
from contextlib import nullcontext, suppress
from traceback import walk_tb
from typing import NamedTuple

import skorch
import torch
from skorch.callbacks import EpochTimer
from torch import nn

from skcontrast._draws import draws_state, nothing_drawn, set_draws_state
from skcontrast._progress import Forecast, Progress, say
from skcontrast._training.devices import seeded


class Training(NamedTuple):
    """What a training leaves behind, beside the trained modules."""

    loss_curve: list
    validation_curve: list
    n_iter: int
    optimizer_state: dict


class _Stop(Exception):
    """Ends the training loop after an epoch."""


class _Net(skorch.NeuralNet):
    """skorch's loop without its device synchronisation in every step.

    Overrides what skorch has no hook for: the loss is added up on the device and read
    once an epoch, and a batch is a dict of named tensors.
    """

    @property
    def _default_callbacks(self):
        return [("epoch_timer", EpochTimer())]

    def initialize_optimizer(self, triggered_directly=None):
        parameters = [*self.module_.parameters(), *self.criterion_.parameters()]
        parameters = self.parameters_ = [p for p in parameters if p.requires_grad]
        self.optimizer_ = self.optimizer.build(parameters, self.lr)
        self.step_, self.rate_ = 0, self.lr
        return self

    def notify(self, method_name, **cb_kwargs):
        stop = False
        try:
            super().notify(method_name, **cb_kwargs)
        except KeyboardInterrupt as error:
            # skorch's callbacks stop a training in this way.
            if not _raised_by_a_callback(error):
                raise
            stop = True
        # Ours come last, so that every callback hears of the last epoch too.
        if method_name == "on_epoch_begin":
            self.epochs.begin()
        elif method_name == "on_epoch_end":
            stop |= self.epochs.end(self, stop)
            stop = self.module_.ranks.once(bool, stop)
        if stop:
            raise _Stop

    def _set_rate(self):
        """Follow the schedule; where it is constant, callbacks may set the rate."""
        rate = self.lr * self.optimizer.factor(self.step_, self.n_steps)
        if rate != self.rate_ or self.optimizer.schedule != "constant":
            self.rate_ = rate
            for group in self.optimizer_.param_groups:
                group["lr"] = rate

    def _loss(self, batch):
        step = self.step_ if self.module_.training else 0
        features = {"x": batch.pop("x"), "index": batch["index"], "step": step}
        with self.autocast():
            made = self.module_(**features)
        draws = getattr(self.criterion_, "draws", True)
        with nullcontext() if draws else nothing_drawn():
            return self.criterion_(**made, **batch).mean()

    def train_step(self, batch, **fit_params):
        self.forecast.step()
        if self.n_steps:
            self._set_rate()
        with nothing_drawn():
            for parameter in self.parameters_:
                parameter.grad = None
        loss = self._loss(batch)
        loss.backward()
        self.module_.ranks.add_gradients(self.module_.encoder)
        if self.hears("on_grad_computed"):
            named = [*self.module_.named_parameters(), *self.criterion_.named_parameters()]
            # A list: every callback may go through it.
            self.notify("on_grad_computed", named_parameters=named, batch=batch, training=True)
        with nothing_drawn():
            if self.optimizer.max_grad_norm is not None:
                nn.utils.clip_grad_norm_(self.parameters_, self.optimizer.max_grad_norm)
            self.optimizer_.step()
            self.module_.stepped()
        self.step_ += 1
        return loss.detach()

    def validation_step(self, batch, **fit_params):
        with torch.no_grad():
            return self._loss(batch)

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        if iterator is None:
            return
        self.module_.train(training)
        self.criterion_.train(training)
        # The same views in every validation, so that two epochs can be compared.
        with nullcontext() if training else seeded(self.validation_seed, self.rows.device):
            total, n_rows = 0.0, 0
            for index in iterator:
                with nothing_drawn():
                    batch = self.rows.__getitems__(index)
                if self.hears("on_batch_begin"):
                    self.notify("on_batch_begin", batch=batch, training=training)
                loss = step_fn(dict(batch))
                with nothing_drawn():
                    total = total + loss * len(index)
                    n_rows += len(index)
                if self.hears("on_batch_end"):
                    # Scoring callbacks of skorch demand the argument y_pred.
                    heard = {"training": training, "loss": loss, "y_pred": None}
                    self.notify("on_batch_end", batch=batch, **heard)
        self.history.record(prefix + "_loss", float(total) / n_rows)

    def get_split_datasets(self, X, y=None, **fit_params):
        return self.train_batches, self.validation_batches

    def get_iterator(self, dataset, training=False):
        return dataset


class _Epochs:
    """What happens around an epoch: curves, early stopping, checkpoints, other hooks."""

    def __init__(self, max_iter, patience, tol, on_begin, on_end, verbose):
        self.max_iter, self.patience, self.tol = max_iter, patience, tol
        self.on_begin, self.on_end = on_begin, on_end
        self.loss_curve, self.validation_curve = [], []
        self.best_loss, self.best_weights, self.n_waiting = math.inf, None, 0
        self.verbose, self.progress = verbose, Progress(verbose, max_iter)

    def begin(self):
        self.on_begin(len(self.loss_curve))

    def end(self, net, stop):
        """Note the losses of an epoch; True when it is the last, or ``stop`` says so."""
        row = net.history[-1]
        self.loss_curve.append(row["train_loss"])
        for loss in (row["train_loss"], row.get("valid_loss", 0.0)):
            if not math.isfinite(loss):
                raise FloatingPointError(
                    f"The loss is {loss} after epoch {len(self.loss_curve)}: type "
                    "a smaller learning_rate, a larger temperature or "
                    "optimizer=AdamW(max_grad_norm=1.0)."
                )
        self.progress.epoch(len(self.loss_curve), row["train_loss"], row.get("valid_loss"))
        stop |= len(self.loss_curve) >= self.max_iter
        if "valid_loss" in row:
            self.validation_curve.append(row["valid_loss"])
            stop |= self._patience_is_over(net)
        return stop | bool(self.on_end(net, self, stop))

    def _patience_is_over(self, net):
        if self.validation_curve[-1] < self.best_loss - self.tol:
            self.best_loss, self.n_waiting = self.validation_curve[-1], 0
            self.best_weights = {
                "network": _copied(net.module_.state_dict()),
                "criterion": _copied(net.criterion_.state_dict()),
            }
        else:
            self.n_waiting += 1
        over = self.n_waiting >= self.patience
        if over:
            why = f"the validation loss has not fallen for {self.n_waiting} epochs"
            say(self.verbose, f"Stopped early: {why}. The best weights are kept.")
        return over

    # What a checkpoint keeps, beside the weights.
    _kept = ("loss_curve", "validation_curve", "best_loss", "best_weights", "n_waiting")

    def state(self):
        return {name: getattr(self, name) for name in self._kept}

    def restore(self, state):
        for name in self._kept:
            setattr(self, name, state[name])


def _copied(state):
    return {name: tensor.detach().clone() for name, tensor in state.items()}


def training_state(net, epochs):
    """Everything that a training needs to go on as if it had not been stopped."""
    state = {
        "network": net.module_.state_dict(),
        "criterion": net.criterion_.state_dict(),
        "optimizer": net.optimizer_.state_dict(),
        "step": net.step_,
        "epochs": epochs.state(),
        "rng": draws_state(),
    }
    if net.rows.device.type == "cuda":
        state["cuda_rng"] = torch.cuda.get_rng_state(net.rows.device)
    return state


def _restore_moments(optimizer, moments):
    """Go on with an optimizer's moments, unless the parameters are others by now."""
    now = optimizer.state_dict()
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    shapes = {i: p.shape for i, p in enumerate(parameters)}
    tensors = [(i, t) for i, entry in moments.items() for t in entry.values() if t.ndim]
    if all(shapes.get(i) == t.shape for i, t in tensors):
        # The groups stay: they hold the rates and options of the present call.
        optimizer.load_state_dict({"state": moments, "param_groups": now["param_groups"]})


def _restore(net, epochs, state):
    if "moments" in state:
        _restore_moments(net.optimizer_, state["moments"])
        return
    net.optimizer_.load_state_dict(state["optimizer"])
    net.module_.load_state_dict(state["network"])
    net.criterion_.load_state_dict(state["criterion"])
    net.step_ = state["step"]
    epochs.restore(state["epochs"])
    set_draws_state(state["rng"].cpu())
    if "cuda_rng" in state and net.rows.device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda_rng"].cpu(), net.rows.device)


def _raised_by_a_callback(error):
    """Whether skorch's way of stopping early, not the user's Ctrl-C, raised ``error``."""
    *_, (frame, _) = walk_tb(error.__traceback__)
    return frame.f_globals.get("__name__", "").startswith("skorch.callbacks")


def _heard(callbacks):
    """Names of what happens in a step that one of the callbacks wants to hear of."""
    names = ("on_batch_begin", "on_grad_computed", "on_batch_end")
    given = [callback[1] if isinstance(callback, tuple) else callback for callback in callbacks]
    idle = skorch.callbacks.Callback

    def hears(callback, name):
        method = getattr(callback, name, None)  # one may be set on the object alone
        return getattr(method, "__func__", method) not in (None, getattr(idle, name))

    return {name for name in names if any(hears(callback, name) for callback in given)}


def _nothing(*args):
    return False


def train(
    network,
    criterion,
    rows,
    batches,
    validation_batches=None,
    *,
    optimizer,
    learning_rate,
    max_iter,
    validation_seed=0,
    patience=10,
    tol=1e-4,
    precision="float32",
    callbacks=None,
    on_begin=_nothing,
    on_end=_nothing,
    state=None,
    scheduled=True,
    verbose=0,
):
    """Train a ViewNetwork on ``criterion``, in place, for up to ``max_iter`` epochs.

    ``criterion(views=, index=, **side) -> loss`` is what ``Objective.build`` makes; one pass
    over ``batches``, an iterable of index tensors, is an epoch. With ``validation_batches``
    training stops once their loss has not fallen by ``tol`` for ``patience`` epochs, and the
    best weights are restored. ``on_begin(epoch)`` is called before each epoch, and after it
    ``on_end(net, epochs, last)``, which stops with True. ``state``, to start from, is a whole
    :func:`training_state` or the ``{"moments": ...}`` of an optimizer. The learning rate
    follows the optimizer's schedule where ``scheduled``.
    """
    callbacks = list(callbacks or [])
    epochs = _Epochs(max_iter, patience, tol, on_begin, on_end, verbose)
    net = _Net(
        network,
        criterion=criterion,
        optimizer=optimizer,
        lr=learning_rate,
        callbacks=callbacks,
        train_split=None,
        device=str(rows.device),
        verbose=0,  # the epochs speak for themselves
    )
    # Plain attributes: skorch would take unknown keyword arguments for parameters.
    vars(net).update(
        rows=rows,
        epochs=epochs,
        train_batches=batches,
        validation_batches=validation_batches,
        validation_seed=validation_seed,
        hears=_heard(callbacks).__contains__,
        n_steps=len(batches) * max_iter if scheduled else 0,
        autocast=_autocast(precision, rows.device),
    )
    net.initialize()
    if state is not None:
        _restore(net, epochs, state)
    n_left = max_iter - len(epochs.loss_curve)
    net.forecast = Forecast(len(batches) * n_left, n_left)
    with suppress(_Stop):
        net.notify("on_train_begin", X=rows, y=None)
        if n_left > 0 and epochs.n_waiting < patience:
            net.fit_loop(rows, epochs=n_left)
    with suppress(_Stop):
        net.notify("on_train_end", X=rows, y=None)
    net.optimizer_.zero_grad(set_to_none=True)  # the encoder is kept, its gradients not
    if epochs.best_weights is not None:
        network.load_state_dict(epochs.best_weights["network"])
        criterion.load_state_dict(epochs.best_weights["criterion"])
    curves = epochs.loss_curve, epochs.validation_curve
    return Training(*curves, len(epochs.loss_curve), net.optimizer_.state_dict())


def _autocast(precision, device):
    if precision != "bfloat16":
        return nullcontext
    return lambda: torch.autocast(device.type, dtype=torch.bfloat16)
