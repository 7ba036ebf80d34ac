"""The head on an embedding: what is fitted by default, and what is accepted."""

from sklearn.base import is_classifier, is_regressor
from sklearn.ensemble import ExtraTreesRegressor, StackingRegressor
from sklearn.linear_model import LinearRegression
from sklearn.multioutput import MultiOutputRegressor

from skcontrast._component import InvalidParameterError
from skcontrast.adaptation import ProKeRRegressor

_KINDS = {"regressor": is_regressor, "classifier": is_classifier}


def check_head(head, kind, owner):
    """Raise unless ``head`` is None or an estimator of a kind.

    Parameters
    ----------
    head : object

    kind : {"regressor", "classifier"}
        The parameter, and what it has to hold.

    owner : estimator
        For the message.
    """
    if head is None:
        return
    fits = not isinstance(head, type) and hasattr(head, "fit") and hasattr(head, "predict")
    if not fits or not _KINDS[kind](head):
        hint = f" Did you mean {head.__name__}()?" if isinstance(head, type) else ""
        raise InvalidParameterError(
            f"The {kind!r} parameter of {type(owner).__name__} must be a {kind} of scikit-learn's "
            f"kind, with fit and predict, or None. Got {head!r} instead.{hint}"
        )


def default_regressor(seed, n_targets):
    """The head of a regressor: a kernel and trees, weighted by what each is worth.

    Kernel ridge regression on the columns and the embedding is smooth, a forest cuts at
    thresholds; non-negative least squares on five-fold predictions says how much of each.
    """
    members = [
        ("kernel", ProKeRRegressor(random_state=seed)),
        ("trees", ExtraTreesRegressor(random_state=seed)),
    ]
    weights = LinearRegression(positive=True, fit_intercept=False)
    head = StackingRegressor(members, final_estimator=weights)
    return head if n_targets == 1 else MultiOutputRegressor(head)
