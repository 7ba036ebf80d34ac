"""budget_curve: what a score costs in seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.model_selection import check_cv, cross_validate

from skcontrast._component import check_count
from skcontrast._typing import ArrayLike, Estimator, RowsLike

# Exponents of the power law that are tried.
EXPONENTS = np.geomspace(0.02, 4, 400)


@dataclass(frozen=True)
class BudgetCurve:
    r"""Scores by the seconds that a fit takes, with a power law through them.

    .. math:: \mathrm{score}(t) \approx c - a \, t^{-b}

    Parameters
    ----------
    budgets : list of dict
        The parameters of each candidate.

    seconds, scores : ndarray of shape (n_budgets,)
        Mean over the folds.

    limit, scale, exponent : float
        The law's c, a and b.
    """

    budgets: list
    seconds: np.ndarray
    scores: np.ndarray
    limit: float
    scale: float
    exponent: float

    def predict(self, seconds: ArrayLike) -> np.ndarray:
        """Score that the law says for a number of seconds.

        Parameters
        ----------
        seconds : array-like of float

        Returns
        -------
        scores : ndarray
        """
        return self.limit - self.scale * np.asarray(seconds, dtype=float) ** -self.exponent

    def best(self, seconds: float) -> dict:
        """Parameters with the best score among the candidates that took no longer.

        Parameters
        ----------
        seconds : float

        Returns
        -------
        params : dict
        """
        within = np.flatnonzero(self.seconds <= seconds)
        if not len(within):
            raise ValueError(
                f"No candidate was fitted within {seconds} seconds; the fastest took "
                f"{self.seconds.min():.3g}."
            )
        return self.budgets[within[np.argmax(self.scores[within])]]


def budget_curve(
    estimator: Estimator,
    X: RowsLike,
    y: ArrayLike | None,
    budgets: Sequence[Mapping[str, Any]],
    *,
    scoring: str | Callable | None = None,
    cv: Any = None,
) -> BudgetCurve:
    """Cross-validate candidates of different cost, and fit a power law to score by seconds.

    Which of width, epochs, rows or ``trainable`` a given time is best spent on is then
    ``curve.best(seconds)``, and what more time would bring ``curve.predict(seconds)``.

    Parameters
    ----------
    estimator : estimator
        Often a pipeline of an encoder and a classifier.

    X : rows, of n_samples

    y : array-like of shape (n_samples,) or None

    budgets : sequence of dict
        The parameters of each candidate, as for ``set_params``; three or more. Beside them
        ``"n_samples"`` is a number of training rows, which are drawn of each fold.

    scoring : str or callable, default=None
        As in :func:`sklearn.model_selection.cross_validate`; larger is better.

    cv : int, splitter or None, default=None
        As there.

    Returns
    -------
    curve : BudgetCurve

    References
    ----------
    Ziarko et al., "Repurposing language models into embedding models: finding the compute-optimal
    recipe", NeurIPS 2024.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from skcontrast import ContrastiveEncoder
    >>> from skcontrast.model_selection import budget_curve
    >>> X, y = load_iris(return_X_y=True)
    >>> model = make_pipeline(ContrastiveEncoder(random_state=0), LogisticRegression())
    >>> budgets = [{"contrastiveencoder__max_iter": n} for n in (1, 3, 9)]
    >>> curve = budget_curve(model, X, y, budgets, cv=2)
    >>> curve.best(seconds=1e6) in budgets
    True
    """
    listed = isinstance(budgets, Sequence) and not isinstance(budgets, str)
    if not listed or not all(isinstance(params, Mapping) for params in budgets):
        raise ValueError(
            "budgets is no list of dicts: type the parameters of each candidate, as "
            "[{'max_iter': 1}, {'max_iter': 3}, {'max_iter': 9}]."
        )
    budgets = [dict(params) for params in budgets]
    if len(budgets) < 3:
        raise ValueError(
            f"budgets holds {len(budgets)} candidates: a power law needs three or more."
        )
    folds = list(check_cv(cv, y, classifier=is_classifier(estimator)).split(X, y))
    seconds, scores = np.empty(len(budgets)), np.empty(len(budgets))
    for i, params in enumerate(budgets):
        params = dict(params)
        n = params.pop("n_samples", None)
        if n is not None:
            check_count(n, "n_samples", min(len(train) for train, _ in folds))
        rng = np.random.default_rng(0)
        few = [(np.sort(rng.permutation(train)[:n]), test) for train, test in folds]
        candidate = clone(estimator).set_params(**params)
        found = cross_validate(candidate, X, y, scoring=scoring, cv=few, error_score="raise")
        seconds[i], scores[i] = found["fit_time"].mean(), found["test_score"].mean()
    return BudgetCurve(budgets, seconds, scores, *power_law(seconds, scores))


def power_law(seconds, scores):
    """Limit c, scale a >= 0 and exponent b of ``c - a t^-b``, by least squares."""
    unit = np.exp(np.log(seconds).mean())  # powers of small times overflow
    best = np.inf, float(np.mean(scores)), 0.0, float(EXPONENTS[0])
    for b in EXPONENTS:
        powers = (seconds / unit) ** -b
        design = np.column_stack([np.ones_like(powers), -powers])
        (c, a), *_ = np.linalg.lstsq(design, scores, rcond=None)
        error = np.square(design @ (c, a) - scores).sum()
        if a >= 0 and error < best[0]:
            best = error, float(c), float(a * unit**b), float(b)
    return best[1:]
