"""The fitted encoder of an estimator: kept as arrays, rebuilt where it is needed, run over rows."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skcontrast._component import check_count
from skcontrast._inputs.base import ColumnsOfInput
from skcontrast._inputs.batches import PIECE, n_rows_of, pieces, stream_of, written
from skcontrast._inputs.side import LEARNED_OF_Y
from skcontrast._state import OwnState
from skcontrast._training.devices import DTYPES, device_at_hand, seeded
from skcontrast._training.embed import (
    Hidden,
    checked_output,
    forward,
    load_arrays,
    optimizer_to_arrays,
)
from skcontrast._training.frozen import optimizer_name
from skcontrast._training.modules import build_module, embed_view
from skcontrast._typing import ArrayLike, RowsLike

# Modules rebuilt from the fitted arrays. Outside the estimators, so that these hold
# NumPy arrays only: they pickle small, hash fast and transform leaves them untouched.
ENCODERS: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()

# What a second stage changes of a fitted encoder.
_OF_SECOND_STAGE = ("weights_", "output_", "n_components_", "_n_epochs")

# What only another call goes on from.
_OF_NEXT_CALL = ("_optimizer_state", "_momentum_state")


def keep(estimator, final, training, encoder, call):
    """Write what was learned into an estimator, and what a later call goes on from."""
    attributes = vars(estimator)
    if call.second:
        # The curves and the target stay those of the first stage.
        second, final = final, {name: final[name] for name in _OF_SECOND_STAGE}
        final["finetune_curve_"] = second["loss_curve_"]
        if second["objective_weights_"].keys() == estimator.objective_weights_.keys():
            final["objective_weights_"] = second["objective_weights_"]  # one head, trained on
        for name in _OF_NEXT_CALL:  # the moments are of another loss
            attributes.pop(name, None)
    else:
        for name in (*_OF_NEXT_CALL, "finetune_curve_", "memory_", *LEARNED_OF_Y):
            attributes.pop(name, None)
        if not call.partial and not estimator.warm_start:
            final.pop("_momentum_state", None)
        else:
            moments = optimizer_to_arrays(training.optimizer_state)
            final["_optimizer_state"] = {"name": optimizer_name(estimator), "moments": moments}
    attributes.update(final)
    ENCODERS[estimator] = estimator.precision, encoder


def encoder_of(estimator):
    """The encoder, rebuilt from its arrays when this process has none."""
    precision, encoder = ENCODERS.get(estimator, (None, None))
    if precision != estimator.precision:
        source, dtype = estimator.input_, DTYPES[estimator.precision]
        with seeded(0, torch.device("cpu")):
            module, _ = build_module(vars(estimator), source.layout, dtype)
        load_arrays(module, estimator.weights_)
        encoder = module.encoder
        ENCODERS[estimator] = estimator.precision, encoder
    return encoder


def embedded(estimator, encoder, source, weights, X):
    """Learned columns of rows that ``source`` has read, from an encoder with these weights."""
    device = device_at_hand(estimator.device)
    out = forward(encoder, X, source.batch, precision=estimator.precision, device=device)
    return checked_output(out, X.dtype, weights)


def embed(estimator, X):
    """Learned columns of rows that the input of a fitted estimator has read."""
    return embedded(estimator, encoder_of(estimator), estimator.input_, estimator.weights_, X)


def embed_one_view(estimator, X, random_state):
    """Learned columns of one random view of each row; None where nothing is random.

    The views draw from the rows of X.
    """
    source, device = estimator.input_, device_at_hand(estimator.device)
    X = source.read(X, n_least=2)
    rows = source.rows(X, dtype=DTYPES[estimator.precision], device=device)
    seed = check_random_state(random_state).randint(np.iinfo(np.int32).max)
    with seeded(seed, device):
        views = estimator._settled("views", estimator.views, source)
        out = embed_view(encoder_of(estimator), views, rows)
    return out if out is None else checked_output(out, X.dtype, estimator.weights_)


class ReadsOnce(OwnState, TransformerMixin):
    """``fit_transform`` of rows that can be read once only."""

    def fit_transform(
        self, X: RowsLike, y: ArrayLike | None = None, **fit_params: Any
    ) -> np.ndarray:
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
        X_new : ndarray of shape (n_samples, n_columns)
        """
        X = list(X) if isinstance(X, Iterator) else X
        return super().fit_transform(X, y, **fit_params)


class FittedEncoder(ColumnsOfInput, ClassNamePrefixFeaturesOutMixin, ReadsOnce):
    """What an estimator with a fitted encoder gives: columns, and their names."""

    def transform(self, X: RowsLike, out: np.ndarray | None = None) -> np.ndarray:
        """Bring rows to the columns of the output; views and projector take no part.

        Parameters
        ----------
        X : rows, of n_samples
            As in :meth:`fit`.

        out : ndarray of shape (n_samples, n_components_), default=None
            Where to write the output, such as a memory map; rows are then read and transformed
            piece by piece. It may be float32 where the output would be float64.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_components_)
            ``out``, where it was given; else float32 for float32 input and for texts, float64
            for others.
        """
        check_is_fitted(self, "weights_")
        if out is not None:
            return written(map(self._transformed, pieces(X)), n_rows_of(X), out)
        if stream_of(X) is not None:
            return np.concatenate([self._transformed(rows) for rows in pieces(X)])
        return self._transformed(X)

    def transform_batches(self, X: RowsLike, batch_size: int = PIECE) -> Iterator[np.ndarray]:
        """Transform rows piece by piece, each when it is asked for.

        Parameters
        ----------
        X : rows, of n_samples
            As in :meth:`fit`. Of a memory map, a data set of Arrow, or
            :class:`skcontrast.Batches`, of which the next are read in a thread, one piece is in
            memory at a time.

        batch_size : int, default=16_384
            Rows of a piece; the last may have fewer.

        Returns
        -------
        pieces : iterator of ndarray of shape (batch_size, n_components_)
            As :meth:`transform` gives them, or in the container that ``set_output`` asks for.
        """
        check_is_fitted(self, "weights_")
        return map(self.transform, pieces(X, check_count(batch_size, "batch_size")))

    def _transformed(self, X):
        X = self.input_.read(X)
        return self.output_.transform(self.input_, X, embed(self, X))

    def hidden_layers(self, X: RowsLike) -> list[np.ndarray]:
        """Look into the network: what each of its layers makes of rows.

        Parameters
        ----------
        X : rows, of n_samples
            As in :meth:`fit`.

        Returns
        -------
        layers : list of ndarray of shape (n_samples, width)
            The hidden layers of an MLP, or the children of a fitted ``nn.Sequential``, in order;
            the last one is the learned columns.
        """
        check_is_fitted(self, "weights_")
        X, layers = self.input_.read(X), Hidden(encoder_of(self))
        found = embedded(self, layers, self.input_, self.weights_, X)
        return np.split(found, np.cumsum(layers.widths)[:-1], axis=1)

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> np.ndarray:
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

    def _embed_rows(self, X):
        """What was learned of rows alone, for scorers."""
        return embed(self, self.input_.read(X))

    def _embed_view(self, X, random_state):
        """What was learned of one random view of each row, for scorers; None without views."""
        return embed_one_view(self, X, random_state)

    def _widths(self, source, parts):
        """Learned columns that are asked for, and directions in place of all; None for no wish."""
        n = None if self.n_components is None else int(self.n_components)
        return (None, n) if parts else (n, None)

    @property
    def mean_(self) -> np.ndarray | None:
        """Mean of each column that the network reads, where rows are dense numbers."""
        return self.input_.mean_

    @property
    def scale_(self) -> np.ndarray | None:
        """Scale of each column that the network reads, where rows are numbers."""
        return self.input_.scale_

    @property
    def _n_features_out(self):
        return self.n_components_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.non_deterministic = False
        return tags
