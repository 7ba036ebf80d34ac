"""The frame of the estimators that train an encoder: parameters, fit, transform."""

import copy
import weakref

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skcontrast._component import (
    Integral,
    Interval,
    ListOf,
    Real,
    Shorthand,
    ShorthandMixin,
    StrOptions,
    resolve,
)
from skcontrast._inputs.rows import Rows
from skcontrast._inputs.side import check_side, needs
from skcontrast._inputs.table import check_rows, fit_scales, n_columns
from skcontrast._inputs.target import target_type
from skcontrast._training.callbacks import CallbackSupportMixin, FitTasks
from skcontrast._training.checkpoint import CHECKPOINT_CONSTRAINTS, open_checkpoint
from skcontrast._training.devices import (
    DTYPES,
    DeviceMissing,
    memory_advice,
    resolve_device,
    seeded,
)
from skcontrast._training.embed import (
    FORWARD_ROWS,
    checked_output,
    embed,
    learned,
    load_arrays,
    optimizer_to_arrays,
    optimizer_to_tensors,
    to_tensors,
)
from skcontrast._training.loop import Training, train
from skcontrast._training.network import ViewNetwork
from skcontrast.networks import NETWORK_CONSTRAINTS, build_network, build_projector
from skcontrast.objectives import OBJECTIVES
from skcontrast.optimizers import OPTIMIZERS
from skcontrast.samplers import SAMPLERS, hold_out, in_order
from skcontrast.views import VIEW_CONSTRAINTS, build_negatives, build_views, makes_negatives

# Modules rebuilt from the fitted arrays. Outside the estimators, so that these hold
# NumPy arrays only: they pickle small, hash fast and transform leaves them untouched.
_ENCODERS = weakref.WeakKeyDictionary()

AUTO_BATCH = 256
# Fitted attributes that say what a target was.
LEARNED_OF_Y = ("classes_", "target_mean_", "target_scale_")


def _is_nothing(views):
    return views is None or isinstance(views, (list, tuple)) and not views


class BaseContrastive(
    ShorthandMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    CallbackSupportMixin,
    BaseEstimator,
):
    """Shared parameters, the way from checked rows to training, and ``transform``."""

    _shorthand = {
        "objective": "skcontrast.objectives:OBJECTIVES",
        "views": "skcontrast.views:VIEWS",
        "network": "skcontrast.networks:NETWORKS",
        "projector": "skcontrast.networks:NETWORKS",
        "sampler": "skcontrast.samplers:SAMPLERS",
        "optimizer": "skcontrast.optimizers:OPTIMIZERS",
    }

    # What messages advise.
    _example_view, _example_network = "corruption", "MLP"

    _parameter_constraints = {
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "objective": [Shorthand("skcontrast.objectives:OBJECTIVES", "objective", ("loss",))],
        "views": VIEW_CONSTRAINTS,
        "n_views": [Interval(Integral, 1, None, closed="left")],
        "clean_anchor": ["boolean"],
        "network": NETWORK_CONSTRAINTS,
        "projector": [*NETWORK_CONSTRAINTS, None],
        "sampler": [Shorthand("skcontrast.samplers:SAMPLERS", "sampler")],
        "standardize": ["boolean"],
        "optimizer": [Shorthand("skcontrast.optimizers:OPTIMIZERS", "optimizer")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [Interval(Integral, 2, None, closed="left"), StrOptions({"auto"})],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "callbacks": [ListOf(("on_epoch_end",)), None],
        "checkpoint": CHECKPOINT_CONSTRAINTS,
        "device": [str, torch.device],
        "precision": [StrOptions(set(DTYPES))],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def transform(self, X):
        """Embed rows with the encoder; views and projector take no part.

        Parameters
        ----------
        X : {array-like, DataFrame, sparse matrix, torch.Tensor} of shape (n_samples, n_features)

        Returns
        -------
        X_embedded : ndarray of shape (n_samples, n_features_out)
            float32 for float32 input, else float64.
        """
        check_is_fitted(self, "weights_")
        return self._output(self._check(X, reset=False))

    def _check(self, X, *, reset, n_least=1):
        """Bring what a user hands over into the form that the data path reads."""
        return check_rows(self, X, reset=reset, n_least=n_least)

    def _output(self, X):
        """What ``transform`` gives of rows that were checked."""
        return self._embed(X)

    def _embed(self, X):
        """Embed rows that were checked."""
        out = embed(
            self._encoder(),
            X,
            mean=self.mean_,
            scale=self.scale_,
            precision=self.precision,
            device=self._device_at_hand(),
        )
        return checked_output(out, X, self.weights_)

    def _embed_rows(self, X):
        """What was learned of rows alone, for scorers of a fitted encoder."""
        return self._embed(self._check(X, reset=False))

    def _embed_view(self, X, random_state):
        """Embedding of one random view of each row, for scorers of a fitted encoder.

        The views draw from the rows of X. None where neither views nor dropout change a row.
        """
        X = self._check(X, reset=False, n_least=2)
        device, chosen = self._device_at_hand(), self._setting("views")
        rows = self._make_rows(X, {}, self.mean_, self.scale_, device, np.arange(X.shape[0]))
        seed = check_random_state(random_state).randint(np.iinfo(np.int32).max)
        # A copy, as the mode of the encoder itself is not to change.
        encoder = copy.deepcopy(self._encoder()).to(device)
        with seeded(seed, device), torch.no_grad():
            network = ViewNetwork(encoder, torch.nn.Identity(), [build_views(chosen, rows)])
            nothing = _is_nothing(chosen)
            if nothing and not network.is_random(rows.take(rows.train_index[:8])):
                return None
            network.train(nothing)  # the view is then that of the dropout
            parts = rows.train_index.split(FORWARD_ROWS)
            out = [network(rows.take(i), i.to(device))["embedding"][0].cpu() for i in parts]
        return checked_output(torch.cat(out).numpy(), X, self.weights_)

    # -------------------------------------------------------------- training

    def _run(self, X, given, fresh, max_iter, partial=False, objective=None):
        """Build everything, train, and only then write fitted attributes.

        ``objective`` stands in for the parameter of this name in a second stage, which no
        callback of scikit-learn and no checkpoint takes part in.
        """
        device = resolve_device(self.device)
        second = objective is not None
        objective = resolve(objective if second else self.objective, OBJECTIVES)
        sampler = resolve(self.sampler, SAMPLERS)
        side, learned_of_y = self._side(objective, sampler, given, X.shape[0], fresh, partial)
        objective.check_views(self.n_views, makes_negatives(self._setting("views")))
        mean, scale = self._scales(X, fresh)
        checkpoint = None if partial or second else open_checkpoint(self, X, side, fresh)
        seed, draws = self._seeds(checkpoint, fresh)
        batch_size = AUTO_BATCH if self.batch_size == "auto" else int(self.batch_size)
        batch_size = min(batch_size, X.shape[0])
        tasks = FitTasks(None if second else self, X, given["target"], max_iter)
        with seeded(draws, device), memory_advice(batch_size):
            train_index, held_out = np.arange(X.shape[0]), None
            if self.early_stopping and not partial:
                share = self.validation_fraction
                train_index, held_out = hold_out(X.shape[0], share, objective.min_rows, seed)
            rows = self._make_rows(X, side, mean, scale, device, train_index)
            fitted = {"mean_": mean, "scale_": scale, "objective_": objective, **learned_of_y}
            network, criterion = self._modules(fitted, rows, objective, given, fresh)
            network.views = self._views(rows, network, objective)
            past = list(self.loss_curve_) if partial and not fresh else []
            n_epochs = 0 if fresh else self._n_epochs

            def attributes(training):
                fitted["_n_epochs"] = n_epochs + training.n_iter
                return {**fitted, **learned(network, criterion, training, past)}

            training = train(
                network,
                criterion,
                rows,
                self._batches(sampler, rows, batch_size, objective.min_rows),
                optimizer=resolve(self.optimizer, OPTIMIZERS),
                learning_rate=self.learning_rate,
                max_iter=max_iter,
                validation_batches=in_order(held_out, rows, batch_size, objective.min_rows),
                validation_seed=seed,
                patience=self.n_iter_no_change,
                tol=self.tol,
                precision=self.precision,
                callbacks=self.callbacks,
                on_begin=lambda epoch: self._begin_epoch(epoch, tasks, network, criterion, rows),
                on_end=lambda net, epochs, last: self._end_epoch(
                    net, epochs, last, tasks, checkpoint, attributes
                ),
                state=self._start(checkpoint, fresh),
                scheduled=not partial,
                verbose=int(self.verbose),
            )
        final = attributes(training)
        self._keep(final, training, network.encoder, partial)
        tasks.end(lambda: final)
        return self

    def _keep(self, final, training, encoder, partial):
        """Write what was learned, and what a later call goes on from."""
        for name in ("_optimizer_state", *LEARNED_OF_Y):  # of an earlier training
            vars(self).pop(name, None)
        if partial or self.warm_start:
            moments = optimizer_to_arrays(training.optimizer_state)
            final["_optimizer_state"] = {"name": repr(self.optimizer), "moments": moments}
        vars(self).update(final)
        _ENCODERS[self] = self.precision, encoder

    # ------------------------------------ what a subclass may do in another way

    def _setting(self, name):
        """The parameter, or what stands for it where a subclass chooses."""
        return getattr(self, name)

    def _scales(self, X, fresh):
        """Mean and scale of the columns."""
        return fit_scales(self, X, fresh)

    def _make_rows(self, X, side, mean, scale, device, train_index):
        """The data path of checked rows."""
        features = getattr(self, "_column_features", None)
        return Rows(X, side, mean, scale, DTYPES[self.precision], device, train_index, features)

    def _batches(self, sampler, rows, batch_size, min_rows):
        """What an epoch goes through."""
        return sampler.build(rows, batch_size, min_rows)

    def _n_inputs(self):
        """Width of the rows that the fitted network reads."""
        return n_columns(self)

    # ------------------------------------------------------------------------

    def _side(self, objective, sampler, given, n_samples, fresh, partial):
        """Side information of each row, and what its target was."""
        kind = target_type(sampler, objective)
        scales = classes = None
        if partial and not fresh:
            classes = getattr(self, "classes_", None)
            if hasattr(self, "target_mean_"):
                scales = self.target_mean_, self.target_scale_
        requires = needs(sampler, objective)
        beside = {name: value for name, value in given.items() if name != "weight"}
        side, learned_of_y = check_side(
            requires, beside, n_samples, kind=kind, scales=scales, classes=classes
        )
        if given.get("weight") is not None:
            side["weight"] = np.asarray(given["weight"], dtype=np.float32)
        return side, learned_of_y

    def _seeds(self, checkpoint, fresh):
        """Seed of this fit, and of the draws in it."""
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        seed = checkpoint.seed(seed) if checkpoint else seed
        # Going on with the same draws as before would teach nothing new.
        if fresh:
            return seed, seed
        return seed, int(np.random.SeedSequence([seed, self._n_epochs]).generate_state(1)[0])

    def _views(self, rows, network, objective):
        chosen = self._setting("views")
        nothing = _is_nothing(chosen)
        if nothing and self.n_views > 1 and not network.is_random(rows.take(rows.train_index[:8])):
            one = " or n_views=1" if objective.min_views == 1 else ""
            raise ValueError(
                f"views={self.views!r} and a network without dropout make all n_views="
                f"{self.n_views} views of a row equal: type views={self._example_view!r}, or "
                f"network={self._example_network}(dropout=0.1){one}."
            )
        view = build_views(chosen, rows)
        views = [view] * self.n_views
        # A single view is the changed row, or ``views`` would mean nothing.
        if self._setting("clean_anchor") and self.n_views > 1:
            views[0] = None
        if objective.hard_negatives:
            views[-1] = build_negatives(chosen, rows)
        return views

    def _modules(self, fitted, rows, objective, given, fresh):
        """Encoder, projector and objective: new ones, or the fitted ones to go on with."""
        dtype = DTYPES[self.precision]
        network = self._setting("network") if fresh else self.network_
        projector = self.projector if fresh else self.projector_
        width = self._setting("n_components") if fresh else self.n_components_
        fitted["network_"] = resolve(network, self._shorthand["network"])
        fitted["projector_"] = (
            None if projector is None else resolve(projector, "skcontrast.networks:NETWORKS")
        )
        encoder, width = build_network(fitted["network_"], rows.n_features, width)
        fitted["n_components_"] = fitted["_n_features_out"] = width
        module = ViewNetwork(encoder, build_projector(fitted["projector_"], width)).to(dtype)
        criterion = objective.build(rows.n_rows)
        if hasattr(criterion, "prepare"):
            # Of a later call too, whose rows need not be of every class.
            known = {**given, "classes": fitted.get("classes_")}
            criterion.prepare(rows.side, known, width)
        criterion = criterion.to(dtype)
        if not fresh:
            load_arrays(module, self.weights_)
            self._load_objective(criterion)
        return module, criterion

    def _load_objective(self, criterion):
        state = to_tensors(self.objective_weights_)
        now = {name: tensor.shape for name, tensor in criterion.state_dict().items()}
        if now == {name: tensor.shape for name, tensor in state.items()}:
            criterion.load_state_dict(state)
        elif state.keys() == now.keys():
            raise ValueError(
                f"objective={self.objective!r} keeps a state for each row, class or column of y: "
                "pass the same as before, or fit with warm_start=False."
            )

    def _start(self, checkpoint, fresh):
        """State to start from: a checkpoint's, or the optimizer's of the last call."""
        if checkpoint is not None and checkpoint.load() is not None:
            return checkpoint.load()
        kept = getattr(self, "_optimizer_state", None)
        if fresh or kept is None or kept["name"] != repr(self.optimizer):
            return None
        return {"moments": optimizer_to_tensors(kept["moments"])}

    def _begin_epoch(self, epoch, tasks, network, criterion, rows):
        tasks.begin_epoch()
        if hasattr(criterion, "refresh"):
            criterion.refresh(epoch, lambda: network.project(rows))

    def _end_epoch(self, net, epochs, last, tasks, checkpoint, attributes):
        if checkpoint is not None:
            checkpoint.save(net, epochs, last)
        so_far = Training(epochs.loss_curve, epochs.validation_curve, len(epochs.loss_curve), {})
        return tasks.end_epoch(lambda: attributes(so_far))

    # ------------------------------------------------------------- embedding

    def _device_at_hand(self):
        """The device asked for, or the CPU when a fitted model moved to a machine without."""
        try:
            return resolve_device(self.device)
        except DeviceMissing:
            return torch.device("cpu")

    def _encoder(self):
        """The fitted encoder, rebuilt from its arrays when this process has none."""
        precision, encoder = _ENCODERS.get(self, (None, None))
        if precision != self.precision:
            with seeded(0, torch.device("cpu")):
                encoder, width = build_network(self.network_, self._n_inputs(), self.n_components_)
                module = ViewNetwork(encoder, build_projector(self.projector_, width))
            load_arrays(module.to(DTYPES[self.precision]), self.weights_)
            encoder = module.encoder
            _ENCODERS[self] = self.precision, encoder
        return encoder

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.non_deterministic = False
        return tags
