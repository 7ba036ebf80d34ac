"""What accompanies one training: seeds, callbacks, a checkpoint, what was learned so far."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import check_random_state

from skcontrast._component import resolve
from skcontrast._inputs.stream import at_hand
from skcontrast._training.callbacks import FitTasks
from skcontrast._training.checkpoint import open_checkpoint, shared_text
from skcontrast._training.embed import learned, optimizer_to_tensors
from skcontrast._training.frozen import optimizer_name
from skcontrast._training.loop import Training
from skcontrast._training.ranks import processes
from skcontrast.optimizers import OPTIMIZERS

AUTO_BATCH = 256
# What max_iter="auto" stands for: about so many steps, and epochs between these; but of so many
# steps that a fit would take hours there are fewer epochs, at least one.
AUTO_STEPS, LEAST_EPOCHS, MOST_EPOCHS, MOST_STEPS = 600, 5, 100, 20_000


class Call(NamedTuple):
    """What a call of ``fit``, ``partial_fit`` or ``finetune`` trains.

    Parameters
    ----------
    objective : str, component or None
        None is the estimator's own.

    max_iter : int or "auto"
        Epochs.

    further : bool
        Whether it goes on from the fitted weights.

    partial : bool
        One pass over the rows, without schedule, early stopping and checkpoint.

    second : bool
        A second stage, which callbacks of scikit-learn and checkpoints take no part in.

    source : Input
        Where it has read X already.
    """

    objective: Any
    max_iter: Any
    further: bool
    partial: bool = False
    second: bool = False
    source: Any = None

    def sized(self, n_rows, batch_size):
        """The call with its number of epochs, and its rows in a batch, where these are "auto"."""
        batch_size = min(AUTO_BATCH if batch_size == "auto" else int(batch_size), n_rows)
        if self.max_iter != "auto":
            return self, batch_size
        least = min(LEAST_EPOCHS, max(1, MOST_STEPS * batch_size // n_rows))
        n_epochs = round(AUTO_STEPS * batch_size / n_rows)
        return self._replace(max_iter=min(max(n_epochs, least), MOST_EPOCHS)), batch_size


class Run:
    """One training of an estimator, as the loop meets it.

    Parameters
    ----------
    estimator : estimator

    call : Call

    X : checked rows
        Of a stream, callbacks hear of those that are kept.

    side : dict of str to ndarray

    y : array-like
        The target as it was given, for callbacks.

    Attributes
    ----------
    seed : int
        Of this fit.

    draws : int
        Of the draws in it.

    labels : array-like or None
        What the output may read of the target, which it does with passthrough="auto" alone.

    ranks : Ranks
        The processes that share it.

    settings : dict
        Arguments of :func:`skcontrast._training.loop.train`.
    """

    def __init__(self, estimator, call, X, side, y):
        self.call = call
        X, y = at_hand(X, y)
        self.labels = y if getattr(estimator, "passthrough", None) == "auto" else None
        apart = call.partial or call.second
        self.ranks = processes()
        self.ranks.check_same(lambda: shared_text(estimator, X, side))
        # One process reads the file, which need not be on the disk of the others, and writes it.
        opened = None if apart else (estimator, X, side, call.further)
        self.checkpoint = opened and self.ranks.once(open_checkpoint, *opened)
        # Drawn by all, as a generator that was given goes on.
        drawn = check_random_state(estimator.random_state).randint(np.iinfo(np.int32).max)
        seed = self.ranks.once(int, drawn)
        self.seed = self.draws = self.checkpoint.seed(seed) if self.checkpoint else seed
        self.past, self.n_epochs = [], 0
        if call.further:
            self.n_epochs = estimator._n_epochs
            # Going on with the same draws as before would teach nothing new.
            sequence = np.random.SeedSequence([self.seed, self.n_epochs])
            self.draws = int(sequence.generate_state(1)[0])
        if call.partial and call.further:
            self.past = list(estimator.loss_curve_)
        self.tasks = FitTasks(None if call.second else estimator, X, y, call.max_iter)
        self.settings = {
            "optimizer": resolve(estimator.optimizer, OPTIMIZERS),
            "learning_rate": estimator.learning_rate,
            "max_iter": call.max_iter,
            "validation_seed": self.seed,
            "patience": estimator.n_iter_no_change,
            "tol": estimator.tol,
            "precision": estimator.precision,
            "callbacks": estimator.callbacks,
            "on_begin": self._begin_epoch,
            "on_end": self._end_epoch,
            "state": self._start(
                vars(estimator).get("_optimizer_state"), optimizer_name(estimator)
            ),
            "scheduled": not call.partial,
            "verbose": int(estimator.verbose) if self.ranks.rank == 0 else 0,
        }

    def begin(self, fitted, network, criterion, rows):
        """Note what is trained, and what is known of it before it is."""
        self.ranks.check_network(network.encoder)
        follower = [] if network.momentum is None else [network.momentum]
        self.ranks.share(network, criterion, *follower)
        self.fitted, self.network, network.ranks = fitted, network, self.ranks
        self.criterion, self.rows = criterion, rows
        return self.settings

    def learned(self, training):
        """Fitted attributes as if training ended here."""
        so_far = {"_n_epochs": self.n_epochs + training.n_iter}
        return self.fitted | so_far | learned(self.network, self.criterion, training, self.past)

    def _start(self, kept, name):
        """State to start from: a checkpoint's, or the optimizer's of the last call."""
        if self.checkpoint is not None and self.checkpoint.load() is not None:
            return self.checkpoint.load()
        call = self.call
        if not call.further or call.second or kept is None or kept["name"] != name:
            return None
        return {"moments": optimizer_to_tensors(kept["moments"])}

    def _begin_epoch(self, epoch):
        """Tell callbacks, and the objectives that renew themselves."""
        self.tasks.begin_epoch()
        if hasattr(self.criterion, "refresh"):
            self.criterion.refresh(epoch, lambda: self.network.project(self.rows))

    def _end_epoch(self, net, epochs, last):
        """Write the checkpoint, and ask callbacks whether to stop."""
        if self.checkpoint is not None and self.ranks.rank == 0:
            self.checkpoint.save(net, epochs, last)
        so_far = Training(epochs.loss_curve, epochs.validation_curve, len(epochs.loss_curve), {})
        return self.tasks.end_epoch(lambda: self.learned(so_far))
