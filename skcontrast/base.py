"""The frame of the estimators that train an encoder: one straight way from rows to columns.

``fit``, ``partial_fit`` and ``finetune`` list what may stand beside X, and call ``_fit``. There an
input reads X, its side information is read, the input makes rows of both, modules are built,
``train`` trains them and an output is fitted. What was learned is written at the very end: an
error leaves an earlier fit whole.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skcontrast._component import ShorthandMixin, check_parameters, resolve_for
from skcontrast._inputs.side import read_side
from skcontrast._inputs.table import TableInput
from skcontrast._output import Output, wanted_parts
from skcontrast._training import modules
from skcontrast._training.callbacks import CallbackSupportMixin, with_callbacks
from skcontrast._training.devices import DTYPES, memory_advice, resolve_device, seeded
from skcontrast._training.fitted import embed, embed_one_view, embedded, keep
from skcontrast._training.loop import train
from skcontrast._training.parameters import CONSTRAINTS, SHORTHAND
from skcontrast._training.run import Call, Run
from skcontrast.objectives import OBJECTIVES
from skcontrast.samplers import SAMPLERS, in_order
from skcontrast.views import makes_negatives

AUTO_BATCH = 256


class BaseContrastive(
    ShorthandMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    CallbackSupportMixin,
    BaseEstimator,
):
    """``fit``, ``partial_fit``, ``finetune`` and ``transform``, for any kind of row."""

    _parameter_constraints = CONSTRAINTS
    _shorthand = SHORTHAND

    @with_callbacks
    def fit(self, X, y=None, *, condition=None, prior=None, groups=None):
        """Train the encoder.

        Parameters
        ----------
        X : rows, of n_samples
            Of a table: {array-like, DataFrame, sparse matrix, torch.Tensor} of shape
            (n_samples, n_features). A ``np.memmap`` is read batch by batch; the columns of a
            DataFrame of pandas or polars may be categories, and have missing values.
            Of texts: an iterable of str or of lists of words, read once.

        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Target, for objectives and samplers that require it: classes, numbers, or
            columns of labels, which may be sparse. -1 marks rows without a label, and
            NaN where the target is numbers.

        condition : array-like of shape (n_samples,) or (n_samples, q), default=None
            Side variable of each row, for objectives that require ``"condition"``.

        prior : array-like of shape (n_samples, q), default=None
            Features of each row from elsewhere, for objectives that require ``"prior"``.

        groups : array-like of shape (n_samples,), default=None
            Group of each row. Rows of one group are views of each other, as the two texts
            of a pair of equal meaning are; with an objective that requires ``"groups"`` they
            are what it says.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        given = {"target": y, "condition": condition, "prior": prior, "groups": groups}
        further = self.warm_start and hasattr(self, "weights_")
        return self._fit(X, given, Call(self.objective, self.max_iter, further))

    @with_callbacks
    def partial_fit(self, X, y=None, *, condition=None, prior=None, groups=None):
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
        further = hasattr(self, "weights_")
        return self._fit(X, given, Call(self.objective, 1, further, partial=True))

    def finetune(self, X, y, *, objective, n_iter=50, sample_weight=None):
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
        given = {"target": y, "weight": sample_weight}
        return self._fit(X, given, Call(objective, n_iter, further=True, second=True))

    def fit_transform(self, X, y=None, **fit_params):
        """Fit, and transform the same rows.

        Parameters
        ----------
        X : rows, of n_samples
            As in :meth:`fit`; a generator is read once.

        y : array-like, default=None
            Target, as in :meth:`fit`.

        **fit_params : dict
            Other arguments of :meth:`fit`.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_components_)
        """
        X = list(X) if isinstance(X, Iterator) else X
        return super().fit_transform(X, y, **fit_params)

    def transform(self, X):
        """Bring rows to the columns of the output; views and projector take no part.

        Parameters
        ----------
        X : rows, of n_samples
            As in :meth:`fit`.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_components_)
            float32 for float32 input and for texts, else float64.
        """
        check_is_fitted(self, "weights_")
        X = self.input_.read(X)
        return self.output_.transform(self.input_, X, embed(self, X))

    def get_feature_names_out(self, input_features=None):
        """Names of the columns of the output.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns of X; those of the fit by default.

        Returns
        -------
        names : ndarray of str
            "columns__age", "learned__7", ... where parts stand beside each other, else
            "contrastiveencoder0", ... by the class of the estimator.
        """
        check_is_fitted(self, "weights_")
        if self.output_.has_names:
            columns = self.input_.get_feature_names_out(input_features)
            return np.asarray(self.output_.names(self.input_.column_names(columns)), dtype=object)
        return super().get_feature_names_out(input_features)

    # -------------------------------------------------------------- the straight line

    def _fit(self, X, given, call):
        """Follow X from what a user gave to what was learned, which is written at the end."""
        check_parameters(self)
        device, dtype = resolve_device(self.device), DTYPES[self.precision]
        source, X = self._read(X, call)
        objective, sampler, views = self._resolved(call, source)
        side, of_y, given = read_side(
            objective, sampler, given, X.shape[0], self if call.partial else None
        )
        run = Run(self, call, X, side, given["target"])
        batch_size = AUTO_BATCH if self.batch_size == "auto" else int(self.batch_size)
        batch_size = min(batch_size, X.shape[0])
        with seeded(run.draws, device), memory_advice(batch_size):
            train_index, held_out = self._hold_out(source, X, side, objective.min_rows, run)
            rows = source.rows(X, side, dtype=dtype, device=device, train_index=train_index)
            fitted = {"input_": source, "objective_": objective, **of_y}
            module, criterion = modules.build(self, fitted, rows, given, call)
            clean = self._settled("clean_anchor", self.clean_anchor, source)
            slots = (views, self.n_views, clean, rows, module, objective, source.choices)
            module.views = modules.slot_views(*slots)
            batches = modules.build_batches(sampler, rows, batch_size, objective.min_rows)
            held_out = in_order(held_out, rows, batch_size, objective.min_rows)
            settings = run.begin(fitted, module, criterion, rows)
            training = train(module, criterion, rows, batches, held_out, **settings)
        final = run.learned(training)
        learned = partial(embedded, self, module.encoder, source=source, weights=final["weights_"])
        final["output_"] = self._fit_output(source, X, learned, objective, call)
        final["n_components_"] = final["output_"].width(final["_width"])
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
            return self.input_, self.input_.read(X, n_least=2)
        source = self._new_input()
        return source, source.fit(X, n_least=2)

    def _parts(self, objective):
        """Names of what stands beside the learned columns."""
        return wanted_parts(getattr(self, "passthrough", False), objective.requires)

    def _fit_output(self, source, X, learned, objective, call):
        """What puts columns out: a stream and a second stage keep the columns that there are."""
        parts = self._parts(objective)
        output = Output(parts, self.n_components if parts else None)
        if call.further and (call.second or repr(output) == repr(self.output_)):
            return self.output_.adapted(source, X, learned)
        return output.fit(source, X, learned)

    def _settled(self, name, value, source=None):
        """What "auto" stands for with this kind of row."""
        auto = isinstance(value, str) and value == "auto"
        choices = (source or self._new_input()).choices if auto else {}
        return choices.get(name, value)

    def _resolved(self, call, source):
        """Objective, sampler and views, which have to suit each other and the kind of row."""
        objective = resolve_for(source.kind, call.objective, {"any": OBJECTIVES}, "objective")
        sampler = resolve_for(
            source.kind, self.sampler, {"any": SAMPLERS}, "sampler", "sampler='uniform'"
        )
        views = self._settled("views", self.views, source)
        objective.check_views(self.n_views, makes_negatives(views))
        return objective, sampler, views

    def _hold_out(self, source, X, side, min_rows, run):
        """Rows to train on and rows held out; None where all are trained on."""
        if not self.early_stopping or run.call.partial:
            return None, None
        share, pairs = self.validation_fraction, side.get("pairs")
        return source.hold_out(X.shape[0], share, min_rows, run.seed, pairs)

    def _embed_rows(self, X):
        """What was learned of rows alone, for scorers."""
        return embed(self, self.input_.read(X))

    def _embed_view(self, X, random_state):
        """What was learned of one random view of each row, for scorers; None without views."""
        return embed_one_view(self, X, random_state)

    @property
    def n_features_in_(self):
        """Number of features seen during fit, of rows that have features."""
        return self.input_.n_features_in_

    @property
    def feature_names_in_(self):
        """Names of features seen during fit, when all are strings."""
        return self.input_.feature_names_in_

    @property
    def _n_features_out(self):
        return self.n_components_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.non_deterministic = False
        return tags
