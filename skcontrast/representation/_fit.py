"""``fit`` and ``partial_fit`` of the estimators that learn a representation alone."""

from contextlib import contextmanager

from skcontrast._component import check_parameters
from skcontrast._inputs.table import columns_kept_on_error
from skcontrast._training.callbacks import with_callbacks
from skcontrast.base import _ENCODERS

# What scikit-learn notes in a fit, and reads after it to end its callbacks.
_OF_CALLBACKS = ("_callback_fit_ctx", "_skl_callbacks_to_teardown")


class EncoderFitMixin:
    """``fit`` and ``partial_fit`` with all side information, for ``BaseContrastive``."""

    @with_callbacks
    def fit(self, X, y=None, *, condition=None, prior=None, groups=None):
        """Train the encoder.

        Parameters
        ----------
        X : {array-like, DataFrame, sparse matrix, torch.Tensor} of shape (n_samples, n_features)
            Training rows. A ``np.memmap`` is read batch by batch. The columns of a DataFrame
            of pandas or polars may be categories, and have missing values.

        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Target, for objectives and samplers that require it: classes, numbers, or
            columns of labels, which may be sparse. -1 marks rows without a label, and
            NaN where the target is numbers.

        condition : array-like of shape (n_samples,) or (n_samples, q), default=None
            Side variable of each row, for objectives that require ``"condition"``.

        prior : array-like of shape (n_samples, q), default=None
            Features of each row from elsewhere, for objectives that require ``"prior"``.

        groups : array-like of shape (n_samples,), default=None
            Group of each row, for objectives that require ``"groups"``.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        check_parameters(self)
        fresh = not (self.warm_start and hasattr(self, "weights_"))
        given = {"target": y, "condition": condition, "prior": prior, "groups": groups}
        with columns_kept_on_error(self):
            X = self._check(X, reset=fresh, n_least=2)
            return self._run(X, given, fresh, self.max_iter)

    @with_callbacks
    def partial_fit(self, X, y=None, *, condition=None, prior=None, groups=None):
        """Train for one more pass over the rows given, at the full learning rate.

        The first call fixes the standardisation and the weights at the start; later
        calls go on from where the last one stopped, and ``loss_curve_``, ``n_iter_`` and
        ``classes_`` grow. ``early_stopping``, ``checkpoint`` and the schedule of the
        learning rate take no part.

        Parameters
        ----------
        X : {array-like, DataFrame, sparse matrix, torch.Tensor} of shape (n_samples, n_features)
            Training rows.

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
        check_parameters(self)
        fresh = not hasattr(self, "weights_")
        given = {"target": y, "condition": condition, "prior": prior, "groups": groups}
        with columns_kept_on_error(self):
            X = self._check(X, reset=fresh, n_least=2)
            return self._run(X, given, fresh, 1, partial=True)


@contextmanager
def kept_on_error(estimator):
    """Put back every attribute when a fit fails: the earlier fit stays whole."""
    before, encoder = dict(vars(estimator)), _ENCODERS.pop(estimator, None)
    try:
        yield
    except BaseException:
        noted = {name: vars(estimator)[name] for name in _OF_CALLBACKS if name in vars(estimator)}
        vars(estimator).clear()
        vars(estimator).update(before | noted)
        _ENCODERS.pop(estimator, None)
        if encoder is not None:
            _ENCODERS[estimator] = encoder
        raise
