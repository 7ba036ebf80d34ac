"""The frame of the estimators that train an encoder: one straight way from rows to columns.

``fit``, ``partial_fit`` and ``finetune`` list what may stand beside X, and call ``_fit``. There an
input reads X, its side information is read, the input makes rows of both, modules are built,
``train`` trains them and an output is fitted. What was learned is written at the very end.
"""

from __future__ import annotations

from functools import partial

from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skcontrast._component import ShorthandMixin, check_count, check_parameters, resolve_for
from skcontrast._inputs.side import check_weight, read_side
from skcontrast._inputs.stream import read_rows
from skcontrast._inputs.table import TableInput
from skcontrast._output import Output, wanted_parts
from skcontrast._training import modules
from skcontrast._training.callbacks import CallbackSupportMixin, with_callbacks
from skcontrast._training.devices import DTYPES, memory_advice, resolve_device, seeded
from skcontrast._training.fitted import FittedEncoder, embedded, keep
from skcontrast._training.loop import train
from skcontrast._training.memory import remembered
from skcontrast._training.parameters import CONSTRAINTS, SHORTHAND
from skcontrast._training.run import Call, Run
from skcontrast._typing import ArrayLike, RowsLike, Self
from skcontrast.objectives import OBJECTIVES, Objective
from skcontrast.samplers import SAMPLERS
from skcontrast.views import members, reads_order


class BaseContrastive(ShorthandMixin, FittedEncoder, CallbackSupportMixin, BaseEstimator):
    """``fit``, ``partial_fit``, ``finetune`` and ``transform``, for any kind of row."""

    _parameter_constraints = CONSTRAINTS
    _shorthand = SHORTHAND
    _choices: dict = {}  # what "auto" stands for, whatever the row

    @with_callbacks
    def fit(
        self: Self,
        X: RowsLike,
        y: ArrayLike | None = None,
        *,
        condition: ArrayLike | None = None,
        prior: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Train the encoder.

        Parameters
        ----------
        X : rows, of n_samples
            Of a table: {array-like, DataFrame, sparse matrix, torch.Tensor} of shape
            (n_samples, n_features); columns of a DataFrame may be categories, and have missing
            values. A ``np.memmap`` is read batch by batch, and so are a data set of pyarrow and
            :class:`skcontrast.Batches`. Of texts: an iterable of str or lists of words, read once.

        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Target, for what requires it: classes, numbers, columns of labels, which may be sparse,
            or several by name, a DataFrame or dict. None, NaN, pandas.NA or -1 marks rows without
            a class, and NaN rows without a number. ``passthrough="auto"`` may read it too.

        condition : array-like of shape (n_samples,) or (n_samples, q), default=None
            Side variable of each row, for objectives that require ``"condition"``.

        prior : array-like of shape (n_samples, q), default=None
            Features of each row from elsewhere, for objectives that require ``"prior"``.

        groups : array-like of shape (n_samples,), default=None
            Group of each row. Rows of one group are views of each other, as two texts of
            equal meaning are; with an objective that requires ``"groups"`` they are what it
            says, and with ``views="time_offset"`` the sessions of a recording.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        given = {"target": y, "condition": condition, "prior": prior, "groups": groups}
        further = self.warm_start and hasattr(self, "weights_")
        return self._fit(X, given, Call(None, self.max_iter, further))

    @with_callbacks
    def partial_fit(
        self: Self,
        X: RowsLike,
        y: ArrayLike | None = None,
        *,
        condition: ArrayLike | None = None,
        prior: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Train for one more pass over the rows given, at the full learning rate.

        The first call fixes what a row is (standardisation, counts of words), the columns
        that come out and the weights at the start; later calls go on from where the last one
        stopped, and ``loss_curve_``, ``n_iter_`` and ``classes_`` grow. ``early_stopping``,
        ``checkpoint`` and the schedule of the learning rate take no part.

        Parameters
        ----------
        X : rows, of n_samples
            As in :meth:`fit`.

        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Target, as in :meth:`fit`.

        condition : array-like of shape (n_samples,) or (n_samples, q), default=None
            Side variable, as in :meth:`fit`.

        prior : array-like of shape (n_samples, q), default=None
            Features from elsewhere, as in :meth:`fit`.

        groups : array-like of shape (n_samples,), default=None
            Group of each row, as in :meth:`fit`.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        given = {"target": y, "condition": condition, "prior": prior, "groups": groups}
        return self._fit(X, given, Call(None, 1, hasattr(self, "weights_"), partial=True))

    def finetune(
        self: Self,
        X: RowsLike,
        y: ArrayLike,
        *,
        objective: str | Objective,
        n_iter: int = 50,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Train the fitted encoder further on labelled rows, with another objective.

        Parameters
        ----------
        X : rows, of n_samples
            As in :meth:`fit`.

        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Target of these rows.

        objective : str or component
            Such as "cross_entropy" for classes or "prediction_error" for numbers, which train
            a linear head together with the encoder.

        n_iter : int, default=50
            Number of epochs.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row in the loss.

        Returns
        -------
        self : object
            The encoder, with the mean loss of each of these epochs in ``finetune_curve_``.
        """
        check_is_fitted(self, "weights_")
        check_count(n_iter, "n_iter")
        given = {"target": y, "weight": check_weight(sample_weight, y)}
        return self._fit(X, given, Call(objective, n_iter, further=True, second=True))

    # -------------------------------------------------------------- the straight line

    def _fit(self, X, given, call):
        """Follow X from what a user gave to what was learned, which is written at the end."""
        check_parameters(self)
        device, dtype = resolve_device(self.device), DTYPES[self.precision]
        source, X = read_rows(self._read, X, call)
        memory, X, given = remembered(self, call, X, given)
        objective, sampler, views = self._resolved(call, source, X)
        ordered = source.ordered or reads_order([views, *objective.own_views(source.kind).values()])
        others, before = [sampler, *members(views)], self if call.partial else None
        side, of_y, given = read_side(objective, others, given, X.shape[0], before, ordered)
        side |= memory.side(objective, ordered)
        call, batch_size = call.sized(X.shape[0], self.batch_size)
        run = Run(self, call, X, side, given["target"])
        with seeded(run.draws, device), memory_advice(batch_size):
            train_index, held_out = self._hold_out(source, X, side, objective, run)
            rows = modules.rows(source, X, side, dtype, device, train_index, run.ranks)
            fitted = {"input_": source, "objective_": objective, **of_y}
            module, criterion = modules.build(self, fitted, rows, given, call)
            clean = self._settled("clean_anchor", self.clean_anchor, source)
            clean = clean or ordered and self.clean_anchor == "auto"
            slots = (views, self.n_views, clean, rows, module, objective, source.choices)
            module.views = modules.slot_views(*slots)
            batches = modules.build_batches(sampler, rows, batch_size, objective)
            held_out = modules.held_out_batches(held_out, rows, batch_size, objective)
            settings = run.begin(fitted, module, criterion, rows)
            training = train(module, criterion, rows, batches, held_out, **settings)
            final = run.learned(training)
            learned = partial(embedded, self, module.encoder, source, final["weights_"])
            output = run.ranks.once(self._fit_output, source, X, learned, objective, run)
            final |= {**memory.kept(X, run.draws), "output_": output}
        final["n_components_"] = output.width(final["_width"])
        run.tasks.end(lambda: final)
        keep(self, final, training, module.encoder, call)
        return self

    def _new_input(self):
        """Make the object that reads X: all that depends on the kind of row is there."""
        return TableInput(type(self).__name__, self.standardize, self.precision)

    def _read(self, X, call):
        """The input, new or that of the earlier fit, and X in the form in which it reads rows."""
        if call.source is not None:
            return call.source, X
        if call.further:
            return self.input_.further(X, call.partial)
        source = self._new_input()
        return source, source.fit(X, n_least=2)

    def _parts(self, objective, source):
        """Names of what stands beside the learned columns, where rows have columns."""
        return wanted_parts(getattr(self, "passthrough", False), objective.requires, source)

    def _fit_output(self, source, X, learned, objective, run):
        """What puts columns out: a stream and a second stage keep the columns that there are."""
        call, parts = run.call, self._parts(objective, source)
        output = Output(parts, self._widths(source, parts)[1])
        if call.further and (call.second or repr(output) == repr(self.output_)):
            return self.output_.adapted(source, X, learned)
        return output.fit(source, X, learned, run.labels)

    def _settled(self, name, value, source=None):
        """What "auto" stands for with this kind of row."""
        auto = isinstance(value, str) and value == "auto"
        choices = {**(source or self._new_input()).choices, **self._choices} if auto else {}
        return choices.get(name, value)

    def _resolved(self, call, source, X):
        """Objective, sampler and views, which have to suit each other and the kind of row."""
        objective = call.objective or self._settled("objective", self.objective, source)
        objective = resolve_for(source.kind, objective, {"any": OBJECTIVES}, "objective")
        named = {"any": SAMPLERS}, "sampler", "sampler='uniform'"
        sampler = resolve_for(source.kind, self.sampler, *named)
        views = self._settled("views", self.views, source)
        objective.check_views(*modules.seen(X, self.n_views, views))
        return objective, sampler, views

    def _hold_out(self, source, X, side, objective, run):
        """Rows to train on and rows held out; None where all are trained on."""
        if not self.early_stopping or run.call.partial:
            return None, None
        return source.hold_out(X.shape[0], self.validation_fraction, objective, run.seed, side)
