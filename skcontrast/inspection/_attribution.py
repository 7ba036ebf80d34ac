"""Which training rows made a prediction."""

from __future__ import annotations

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted
from torch import nn

from skcontrast._typing import ArrayLike, Estimator
from skcontrast.adaptation import ProKeRClassifier, ProKeRRegressor
from skcontrast.inspection._surrogate import TangentSurrogate, kernel_matrix
from skcontrast.kernels import Kernel

# Methods of the adapters whose correction is a sum over rows with fixed coefficients.
ADDITIVE = "proker", "tip"


def attribute(
    model: Estimator | nn.Module | Kernel,
    X_train: ArrayLike | None,
    X: ArrayLike,
    y_train: ArrayLike | None = None,
    *,
    labels: ArrayLike | None = None,
    per_class: bool = False,
    alpha: float = 1e-4,
) -> np.ndarray:
    r"""Share of every training row in every prediction.

    For a model whose scores are sums over training rows,

    .. math:: A_{ni}^{c} = a_{ic}\, k(x_n, x_i), \qquad
              f_c(x_n) = b_c + s f_c^0(x_n) + \sum_i A_{ni}^{c}

    with dual coefficients a, the constants :math:`b_c`, and the scores :math:`f^0` of the base,
    where there is one. A positive share speaks for the class, a negative one against it.

    Parameters
    ----------
    model : fitted estimator, nn.Module or Kernel
        - :class:`skcontrast.ProKeRClassifier` with ``method="proker"`` or ``"tip"``, or
          :class:`skcontrast.ProKeRRegressor` with ``method="proker"``: the shares are exact.
          They add up to the correction: the scores less ``base_scale_`` times those of the
          base, less ``intercept_``.
        - :class:`TangentSurrogate`, fitted: exact for the surrogate.
        - An encoder, a Pipeline of an encoder and a linear model, or a torch network: a
          :class:`TangentSurrogate` is fitted to ``X_train`` and ``y_train``, and its shares
          are given. They explain the network as far as the surrogate agrees with it, which has
          to be measured on the surrogate itself.
        - A kernel: the same, with this kernel.

    X_train : array-like of shape (n_train, n_features) or None
        Training rows. A fitted kernel model has kept its rows in ``X_fit_``, and takes None, or
        these rows.

    X : array-like of shape (n_samples, n_features)
        Rows whose predictions are attributed.

    y_train : array-like of shape (n_train,), default=None
        Labels of the training rows, where a surrogate is fitted.

    labels : array-like of shape (n_samples,), default=None
        The class whose score is attributed, for each row; None: the predicted one.

    per_class : bool, default=False
        Whether to give the shares for all classes, or for all targets of a regressor.

    alpha : float, default=1e-4
        Penalty of the surrogate, where one is fitted.

    Returns
    -------
    shares : ndarray of shape (n_samples, n_train), or (n_samples, n_train, n_classes)
        The latter with ``per_class=True``, in the order of ``classes_``.

    Raises
    ------
    ValueError
        Where the scores are no such sum, as with the default ``method="auto"``, or
        ``X_train`` is not what the model was fitted on.

    Notes
    -----
    A share says how much of the score the row carries in the fitted model, not how the
    prediction would change if the row were removed and the model fitted again: other rows
    would take over. Rows of weight zero and rows without a label are not in ``X_fit_``; with
    ``solver="nystroem"`` the shares are those of the landmarks, which stand for all rows.

    References
    ----------
    Engel et al., "Faithful and efficient explanations for neural networks via neural tangent
    kernel surrogate models", ICLR 2024.

    Yeh et al., "Representer point selection for explaining deep neural networks", NeurIPS 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast import ProKeRClassifier
    >>> from skcontrast.inspection import attribute
    >>> X = np.array([[0.0], [0.2], [3.0], [3.3]])
    >>> model = ProKeRClassifier(method="proker", gamma=1.0, alpha=1.0).fit(X, [0, 0, 1, 1])
    >>> shares = attribute(model, X, [[0.0], [2.9]])
    >>> shares.argmax(axis=1)  # the rows that count most
    array([0, 2])
    >>> np.allclose(shares[1].sum(), model.decision_function([[2.9]])
    ...             + attribute(model, X, [[2.9]], labels=[0]).sum())
    True
    """
    if not isinstance(model, (ProKeRClassifier, ProKeRRegressor, TangentSurrogate)):
        if X_train is None or y_train is None:
            raise ValueError(
                f"attribute fits a surrogate to explain a {type(model).__name__}: pass "
                "attribute(model, X_train, X, y_train)."
            )
        model, X_train = TangentSurrogate(model, alpha=alpha).fit(X_train, y_train), None
    check_is_fitted(model, "dual_coef_" if isinstance(model, TangentSurrogate) else "n_targets_")
    method = getattr(model, "method", "proker")
    if method not in ADDITIVE:
        raise ValueError(
            f"attribute: the scores of {type(model).__name__}(method={method!r}) are no sum over "
            "rows: fit it with method='proker'."
        )
    predicted = model.predict(X)  # checks X too
    X = check_array(X, dtype=np.float64)
    if X_train is not None:
        _check_train(model, X_train)
    coef = model.dual_coef_  # (N, C)
    K = kernel_matrix(model.kernel_, X, model.X_fit_)  # (n, N)
    chosen = None
    if is_classifier(model):
        chosen = _class_numbers(model, predicted if labels is None else labels, len(X))
    elif labels is not None:
        raise ValueError("labels were given, but a regressor has no classes: type labels=None.")
    if per_class:
        return K[:, :, None] * coef
    if chosen is None and coef.shape[1] > 1:
        raise ValueError(f"the model has {coef.shape[1]} targets: type per_class=True.")
    return K * (coef if chosen is None else coef[:, chosen]).T


def _check_train(model, X_train):
    """Raise where the rows are not those that the model keeps."""
    X_train = check_array(X_train, dtype=np.float64)
    if X_train.shape != model.X_fit_.shape or not np.array_equal(X_train, model.X_fit_):
        raise ValueError(
            f"X_train, of shape {X_train.shape}, does not hold the rows that the model keeps in "
            f"X_fit_, of shape {model.X_fit_.shape}: pass X_train=None, or these rows."
        )


def _class_numbers(model, labels, n):
    """Place of each label in ``classes_``: (n,)."""
    labels = np.asarray(labels)
    if labels.shape != (n,):
        raise ValueError(f"labels has shape {labels.shape}, but X has {n} rows: pass one for each.")
    unknown = np.setdiff1d(labels, model.classes_)
    if len(unknown):
        raise ValueError(
            f"labels holds {unknown[:5].tolist()}, but the model's classes are "
            f"{model.classes_[:10].tolist()}."
        )
    return np.searchsorted(model.classes_, labels)
