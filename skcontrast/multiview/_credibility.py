"""How sure it is that the blocks of a row belong together."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from sklearn.base import clone
from sklearn.isotonic import IsotonicRegression
from sklearn.model_selection import KFold

from skcontrast._component import check_count, take_rows
from skcontrast._inputs.blocks import as_blocks
from skcontrast._typing import RowsLike
from skcontrast.metrics._checks import check_option
from skcontrast.multiview._canonical import CanonicalCorrelation
from skcontrast.multiview._noisy_pairs import class_losses, pair_losses, small_loss_probability
from skcontrast.multiview._pairs import SharedSpace

# How often the blocks of held-out rows are parted, and the share of these with the lowest scores,
# among which right pairs are rare.
N_PARTED, LOWEST = 10, 0.2


def pair_credibility(
    X: RowsLike,
    blocks: dict | list | tuple | Literal["prefix"] | None = None,
    *,
    estimator: Any = None,
    cv: int = 5,
    method: Literal["parted", "small_loss", "pseudo_class"] = "parted",
    n_classes: int = 20,
) -> np.ndarray:
    r"""How sure it is that the blocks of each row belong together.

    Rows are scored by an estimator that was fitted on others. What wrong pairs score is seen by
    parting the blocks of rows on purpose: with the densities f of the scores and
    :math:`f_0` of those parted,

    .. math:: c_i = 1 - \pi_0 \frac{f_0(s_i)}{f(s_i)}, \qquad
        \pi_0 = \frac{P(s \le t)}{P_0(s \le t)}, \qquad P_0(s \le t) = 0.2

    with :math:`\pi_0` the share of wrong pairs, which is too large where right pairs score low
    too, and the ratio of densities by isotonic regression, so that a pair with a higher score is
    never less sure. The other methods give the probability that the loss of a pair is of the lower
    one of two normal distributions, and so find some wrong pairs where there are none.

    Parameters
    ----------
    X : table of shape (n_samples, n_features), or Blocks
        As :class:`CanonicalCorrelation` reads it.

    blocks : dict, list, "prefix" or None, default=None
        Which columns of a table are which block; with ``estimator`` its own are taken.

    estimator : estimator with ``score_pairs``, default=None
        None is ``CanonicalCorrelation(blocks=blocks, regularization="auto")``; a network knows
        its training pairs by heart, and other rows score all.

    cv : int, default=5
        Number of parts that the rows are cut into.

    method : {"parted", "small_loss", "pseudo_class"}, default="parted"
        What tells wrong pairs. "small_loss" is the loss of a row's blocks in a contrast with those
        of the rows that are scored with it, at a temperature of 0.1. "pseudo_class" clusters each
        block, and takes 1 less the probability that a classifier of another block gives to a row's
        cluster, on average over ten epochs: it is large where predictions disagree or waver.

    n_classes : int, default=20
        Number of clusters of "pseudo_class".

    Returns
    -------
    credibility : ndarray of shape (n_samples,)
        Probability in [0, 1]: for ``fit(X, pair_weight=credibility)``, or to choose rows by
        ``credibility > 0.5``. It is 1 in rows with one block alone.

    See Also
    --------
    MultiViewContrastiveEncoder.score_pairs : The scores of an encoder.
    pseudo_partners : Other values for the partners of pairs that are not sure.

    References
    ----------
    Efron et al., "Empirical Bayes analysis of a microarray experiment", JASA 96, 2001. Storey, "A
    direct approach to false discovery rates", JRSS B 64, 2002. Huang et al., "Learning with noisy
    correspondence for cross-modal matching", NeurIPS 2021: "small_loss". Duan et al., "PC²:
    pseudo-classification based pseudo-captioning for noisy correspondence learning in cross-modal
    retrieval", ACM MM 2024: "pseudo_class".

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast.multiview import pair_credibility
    >>> rng = np.random.default_rng(0)
    >>> A = rng.normal(size=(200, 4))
    >>> B = A @ rng.normal(size=(4, 6)) + 0.1 * rng.normal(size=(200, 6))
    >>> B[:40] = B[np.roll(np.arange(40), 1)]  # the partners of other rows
    >>> sure = pair_credibility(np.hstack([A, B]), blocks=[4, 6])
    >>> float(sure[:40].mean().round(1)), float(sure[40:].mean().round(1))
    (0.1, 1.0)
    """
    check_option(method, "method", ("parted", "small_loss", "pseudo_class"))
    n_classes = check_count(n_classes, "n_classes")
    if estimator is None:
        estimator = CanonicalCorrelation(blocks=blocks, regularization="auto")
    elif blocks is not None:
        raise ValueError("blocks= is a parameter of the estimator: type it there.")
    elif not isinstance(estimator, SharedSpace):
        raise TypeError(
            f"estimator={type(estimator).__name__} does not score pairs of blocks: pass "
            "CanonicalCorrelation or MultiViewContrastiveEncoder."
        )
    X = as_blocks(X)
    given = X if isinstance(X, (list, tuple)) else ()
    n = X.shape[0] if hasattr(X, "shape") else len(given)
    whole = isinstance(cv, (int, np.integer)) and not isinstance(cv, bool)
    if n < 4 or not whole or not 2 <= cv <= n // 2:
        most = f"to {n // 2}, half as many as rows" if n > 3 else "on, and pass 4 rows or more"
        raise ValueError(
            f"cv={cv!r} of {n} rows: type a whole number from 2 {most}, as rows are scored by what "
            "others taught."
        )
    scores, parted, rng = np.empty(n), [], np.random.default_rng(0)
    for kept, out in KFold(cv, shuffle=True, random_state=0).split(np.arange(n)):
        fitted = clone(estimator).fit(take_rows(X, kept))
        if method == "parted":
            scores[out], wrong = fitted._paired_and_parted(take_rows(X, out), rng, N_PARTED)
            parted.append(wrong)
        else:
            scores[out] = _losses(fitted, X, kept, out, method, n_classes)
    if method == "parted":
        return _credibility(scores, np.concatenate(parted))
    known, credibility = np.isfinite(scores), np.ones(n)
    if known.sum() > 1:
        credibility[known] = small_loss_probability(scores[known])
    return credibility


def _losses(fitted, X, kept, out, method, n_classes):
    if fitted._multiplies:
        raise ValueError(
            f"method={method!r} compares blocks two by two, and objective='symile' trains products "
            "of all: type method='parted'."
        )
    scored = fitted._partnered(take_rows(X, out))
    if method == "small_loss":
        return pair_losses(*scored)
    return class_losses(*fitted._partnered(take_rows(X, kept)), *scored, n_classes, 0)


def _credibility(scores, parted):
    """Probability that a score is none of those parted; 1 where there is none."""
    known, parted = np.isfinite(scores), parted[np.isfinite(parted)]
    out = np.ones(len(scores))
    if not known.any() or not len(parted):
        return out
    s = scores[known]
    share = min(1.0, float(np.mean(s <= np.quantile(parted, LOWEST)) / LOWEST))
    # The probability p that a score is a row's own, of as many of either kind: f_0 / f is its odds.
    ends = np.concatenate([s, parted])
    own = np.arange(len(ends)) < len(s)
    weight = np.where(own, 1.0, len(s) / len(parted))
    p = IsotonicRegression().fit(ends, own, sample_weight=weight).predict(s)
    out[known] = np.clip(1 - share * (1 - p) / np.maximum(p, 1e-9), 0, 1)
    return out
